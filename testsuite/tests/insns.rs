//! Random instructions of every encoding, one at a time and in sequences, on random states, in every engine, compared with
//! qemu-user. `XLATE_SEED`, `XLATE_WORDS` (for each encoding, or sequences), `XLATE_STATES`, `XLATE_ROW` (part of a name) and `XLATE_SHOW` vary it.

use isa::a64::rows;
use testsuite::insns::{ENGINES, EXCLUDED, Random, describe, differences, sequence, word};

/// A number from the environment.
fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// One case for each of some words of every encoding.
fn single(words: usize, seed: u64) -> Vec<Vec<u32>> {
    let mut random = Random(setting("XLATE_SEED").unwrap_or(seed));
    let named = std::env::var("XLATE_ROW").unwrap_or_default();
    let words = setting("XLATE_WORDS").unwrap_or(if testsuite::full() { 6 * words } else { words });
    let mut words: Vec<u32> = rows()
        .filter(|r| !EXCLUDED.iter().any(|e| e.0 == r.name))
        .filter(|r| r.name.contains(&named))
        .flat_map(|r| (0..words).map(|_| word(r, 32, &mut random)).collect::<Vec<_>>())
        // A more specific row may claim a word.
        .filter(|w| isa::a64::decode(*w).is_some_and(|r| !EXCLUDED.iter().any(|e| e.0 == r.name)))
        .collect();
    words.dedup();
    words.into_iter().map(|w| vec![w]).collect()
}

/// Floating-point and vector data processing only: nothing else depends on FPCR.
fn floating(words: usize, seed: u64) -> Vec<Vec<u32>> {
    single(words, seed).into_iter().filter(|c| c[0] >> 25 & 7 == 7).collect()
}

/// Sequences of up to a dozen instructions.
fn sequences(count: usize, seed: u64) -> Vec<Vec<u32>> {
    let mut random = Random(setting("XLATE_SEED").unwrap_or(seed));
    let count = setting("XLATE_WORDS").unwrap_or(if testsuite::full() { 10 * count } else { count });
    (0..count).map(|i| sequence(2 + i % 11, &mut random)).collect()
}

fn check(engine: usize, fpcr: &[&str], cases: &[Vec<u32>]) {
    let states = setting("XLATE_STATES").unwrap_or(if testsuite::full() { 8 } else { 3 }).to_string();
    let mut differ = Vec::new();
    for fpcr in fpcr {
        differ.extend(differences(cases, engine, &[&states, fpcr, "7"]).unwrap_or_else(|e| panic!("{e}")));
    }
    let shown: Vec<String> = differ
        .iter()
        .take(setting("XLATE_SHOW").unwrap_or(30))
        .map(|(c, q, e)| format!("{}\n  qemu   {q}\n  engine {e}", describe(&cases[*c])))
        .collect();
    assert!(differ.is_empty(), "{}: {} differences:\n{}", ENGINES[engine].0, differ.len(), shown.join("\n"));
}

#[test]
fn interpreter() {
    check(0, &["0"], &single(2, 1));
}

#[test]
fn interpreter_in_other_floating_point_modes() {
    let modes = ["400000", "800000", "c00000", "1000000", "2000000", "3400000", "4000000", "80000"];
    check(0, &modes, &floating(2, 2));
}

#[test]
fn llvm_unoptimised() {
    check(1, &["0"], &single(2, 3));
}

#[test]
fn llvm_optimised() {
    check(2, &["0"], &single(2, 4));
}

#[test]
fn llvm_in_other_rounding_modes() {
    check(2, &["400000", "800000", "c00000"], &floating(2, 5));
}

#[test]
fn sequences_in_the_interpreter() {
    check(0, &["0"], &sequences(300, 6));
}

#[test]
fn sequences_unoptimised() {
    check(1, &["0", "c00000"], &sequences(300, 7));
}

#[test]
fn sequences_optimised() {
    check(2, &["0", "400000"], &sequences(300, 8));
}
