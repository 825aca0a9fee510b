//! Random instructions of every encoding, one at a time on random states, in every engine, compared with qemu-user.
//! `XLATE_SEED`, `XLATE_WORDS` (for each encoding), `XLATE_STATES`, `XLATE_ROW` (part of a name) and `XLATE_SHOW` vary it.

use isa::a64::rows;
use testsuite::insns::{ENGINES, EXCLUDED, Random, describe, differences, word};

fn words(per_row: usize, seed: u64) -> Vec<u32> {
    let mut random = Random(seed);
    let named = std::env::var("XLATE_ROW").unwrap_or_default();
    let mut words: Vec<u32> = rows()
        .filter(|r| !EXCLUDED.iter().any(|e| e.0 == r.name))
        .filter(|r| r.name.contains(&named))
        .flat_map(|r| (0..per_row).map(|_| word(r, &mut random)).collect::<Vec<_>>())
        // A more specific row may claim a word.
        .filter(|w| isa::a64::decode(*w).is_some_and(|r| !EXCLUDED.iter().any(|e| e.0 == r.name)))
        .collect();
    words.dedup();
    words
}

/// A number from the environment.
fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

fn check(engine: usize, fpcr: &[&str], seed: u64) {
    let (per_row, states) = if testsuite::full() { (12, 8) } else { (2, 3) };
    let words = words(setting("XLATE_WORDS").unwrap_or(per_row), setting("XLATE_SEED").unwrap_or(seed));
    let states = setting("XLATE_STATES").unwrap_or(states).to_string();
    let mut differ = Vec::new();
    for fpcr in fpcr {
        differ.extend(differences(&words, engine, &[&states, fpcr, "7"]).unwrap_or_else(|e| panic!("{e}")));
    }
    let shown: Vec<String> = differ
        .iter()
        .take(setting("XLATE_SHOW").unwrap_or(30))
        .map(|(w, q, e)| format!("{}\n  qemu   {q}\n  engine {e}", describe(*w)))
        .collect();
    assert!(differ.is_empty(), "{}: {} differences:\n{}", ENGINES[engine].0, differ.len(), shown.join("\n"));
}

#[test]
fn interpreter() {
    check(0, &["0"], 1);
}

#[test]
fn interpreter_in_other_floating_point_modes() {
    check(0, &["400000", "800000", "c00000", "1000000", "2000000", "3400000", "4000000", "80000"], 2);
}

#[test]
fn llvm_unoptimised() {
    check(1, &["0"], 3);
}

#[test]
fn llvm_optimised() {
    check(2, &["0"], 4);
}

#[test]
fn llvm_in_other_rounding_modes() {
    check(2, &["400000", "800000", "c00000"], 5);
}
