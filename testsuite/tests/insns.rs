//! Random instructions of every encoding, one at a time on random states, in every engine, compared with qemu-user.

use isa::a64::rows;
use testsuite::insns::{ENGINES, EXCLUDED, Random, describe, differences, word};

/// Differences that are qemu's, with the reason. Words are matched by the name of their encoding.
const QEMU_DIFFERS: &[(&str, &str)] = &[];

fn words(per_row: usize, seed: u64) -> Vec<u32> {
    let mut random = Random(seed);
    let mut words: Vec<u32> = rows()
        .filter(|r| !EXCLUDED.iter().any(|e| e.0 == r.name))
        .flat_map(|r| (0..per_row).map(|_| word(r, &mut random)).collect::<Vec<_>>())
        // A more specific row may claim a word.
        .filter(|w| isa::a64::decode(*w).is_some_and(|r| !EXCLUDED.iter().any(|e| e.0 == r.name)))
        .collect();
    words.dedup();
    words
}

fn check(engine: usize, fpcr: &str, seed: u64) {
    let (per_row, states) = if testsuite::full() { (12, "8") } else { (2, "3") };
    let words = words(per_row, seed);
    let mut differ =
        differences(&words, engine, &[states, fpcr, "7"], 10_000).unwrap_or_else(|e| panic!("{e}"));
    differ.retain(|(line, _)| {
        let w = u32::from_str_radix(&line[..8], 16).unwrap_or(0);
        !isa::a64::decode(w).is_some_and(|r| QEMU_DIFFERS.iter().any(|q| q.0 == r.name))
    });
    let shown: Vec<String> = differ
        .iter()
        .take(30)
        .map(|(q, e)| {
            let w = u32::from_str_radix(&q[..8], 16).unwrap_or(0);
            format!("{}\n  qemu   {q}\n  engine {e}", describe(w))
        })
        .collect();
    assert!(differ.is_empty(), "{}: {} differences:\n{}", ENGINES[engine].0, differ.len(), shown.join("\n"));
}

#[test]
fn interpreter() {
    check(0, "0", 1);
}

#[test]
fn interpreter_in_other_floating_point_modes() {
    for fpcr in ["400000", "800000", "c00000", "1000000", "2000000", "3400000", "4000000", "80000"] {
        check(0, fpcr, 2);
    }
}

#[test]
fn llvm_unoptimised() {
    check(1, "0", 3);
}

#[test]
fn llvm_optimised() {
    check(2, "0", 4);
}

#[test]
fn llvm_in_other_rounding_modes() {
    for fpcr in ["400000", "800000", "c00000"] {
        check(2, fpcr, 5);
    }
}
