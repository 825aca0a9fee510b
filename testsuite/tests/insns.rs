//! Random instructions of every encoding of A64, A32 and T32, one at a time and in sequences, on random states and in all
//! floating-point modes, in every engine, compared with qemu-user after each: registers, flags, modes, memory, signal frames.
//! The long run, 500,000 executions and more in each engine:
//!
//!     XLATE_TEST_FULL=1 cargo test --release -p xlate-testsuite --test insns -- --nocapture --test-threads 1
//!
//! `XLATE_SEED`, `XLATE_WORDS` (cases for each encoding), `XLATE_SEQUENCES`, `XLATE_STATES`, `XLATE_MODES` (FPCR bits that may
//! be set, hexadecimal), `XLATE_ROW` (part of a name) and `XLATE_SHOW` (differences to print) vary it.

use std::collections::BTreeMap;
use testsuite::full;
use testsuite::guest::Target;
use testsuite::insns::{A32, A64, Case, ENGINES, InstructionSet, Plan, Report, compare, sequences, single};

/// A number from the environment.
fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

fn plan(set: &'static dyn InstructionSet, cases: Vec<Case>, states: usize) -> Plan {
    let modes = std::env::var("XLATE_MODES").ok();
    Plan { set, cases, states: setting("XLATE_STATES").unwrap_or(states), modes, seed: seed().to_string() }
}

fn seed() -> u64 {
    setting("XLATE_SEED").unwrap_or(1)
}

/// How much is executed: cases for one in so many encodings, sequences, and states for each of both.
struct Sizes {
    words: usize,
    every: usize,
    states: usize,
    sequences: usize,
    sequence_states: usize,
}

const FULL: Sizes = Sizes { words: 20, every: 1, states: 32, sequences: 3000, sequence_states: 12 };
const A64_SAMPLE: Sizes = Sizes { words: 3, every: 1, states: 5, sequences: 150, sequence_states: 6 };
const A32_SAMPLE: Sizes = Sizes { words: 1, every: 1, states: 4, sequences: 24, sequence_states: 4 };

fn sizes(set: &dyn InstructionSet, engine: usize) -> Sizes {
    match (full(), set.target()) {
        (true, _) => FULL,
        (false, Target::A64) => A64_SAMPLE,
        // Optimising takes longest.
        (false, _) if engine == 2 => Sizes { every: 10, sequences: 12, ..A32_SAMPLE },
        (false, _) => A32_SAMPLE,
    }
}

/// Cases of each encoding.
fn singles(set: &'static dyn InstructionSet, engine: usize) -> Plan {
    let sizes = sizes(set, engine);
    let named = std::env::var("XLATE_ROW").unwrap_or_default();
    let words = setting("XLATE_WORDS").unwrap_or(sizes.words);
    plan(set, single(set, words, sizes.every, seed(), &named), sizes.states)
}

/// Sequences.
fn series(set: &'static dyn InstructionSet, engine: usize) -> Plan {
    let sizes = sizes(set, engine);
    let count = setting("XLATE_SEQUENCES").unwrap_or(sizes.sequences);
    plan(set, sequences(set, count, seed()), sizes.sequence_states)
}

fn check(plan: &Plan, engine: usize) -> Report {
    let name = ENGINES[engine].0;
    let report = compare(plan, engine).unwrap_or_else(|e| panic!("{e}"));
    let rate = report.executions as f64 / report.times.1.as_secs_f64();
    println!(
        "{name}: {} executions of {} cases; {:.1} s ({rate:.0}/s), qemu {:.1} s; {} excused",
        report.executions,
        plan.cases.len(),
        report.times.1.as_secs_f64(),
        report.times.0.as_secs_f64(),
        report.excused.values().sum::<usize>(),
    );
    let mut reasons: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for ((_, reason), n) in &report.excused {
        let entry = reasons.entry(reason).or_default();
        *entry = (entry.0 + n, entry.1 + 1);
    }
    for (reason, (n, rows)) in reasons {
        println!("  {n} of {rows} encodings: {reason}");
    }
    let shown: Vec<String> = report
        .differences
        .iter()
        .take(setting("XLATE_SHOW").unwrap_or(30))
        .map(|(c, q, e)| format!("{}\n  qemu   {q}\n  engine {e}", plan.set.describe(&plan.cases[*c])))
        .collect();
    let n = report.differences.len();
    assert!(n == 0, "{name}: {n} differences:\n{}", shown.join("\n"));
    report
}

/// Compares cases of each encoding.
fn check_singles(engine: usize) {
    check_coverage(&check(&singles(&A64, engine), engine), &A64, 1);
}

/// Compares sequences.
fn check_sequences(engine: usize) {
    check(&series(&A64, engine), engine);
}

/// Compares cases of each encoding and, in the same program, sequences: in the full run alone, on more states.
fn check_a32(engine: usize) {
    let mut plan = singles(&A32, engine);
    let sequences = series(&A32, engine);
    if std::env::var_os("XLATE_ROW").is_some() {
        // Encodings only.
    } else if full() {
        check(&sequences, engine);
    } else {
        plan.cases.extend(sequences.cases);
    }
    check_coverage(&check(&plan, engine), &A32, sizes(&A32, engine).every);
}

/// One in `every` encodings must have been executed, and without a signal unless it always raises one.
fn check_coverage(report: &Report, set: &dyn InstructionSet, every: usize) {
    if std::env::var_os("XLATE_ROW").is_some() {
        return;
    }
    for encoding in set.encodings().iter().filter(|e| e.excluded.is_none() && e.index.is_multiple_of(every)) {
        let (n, quiet) = report.rows.get(encoding.name).copied().unwrap_or_default();
        let enough = if encoding.raises { n > 0 } else { quiet > 0 };
        assert!(enough, "{}: {n} executions compared, {quiet} of them without a signal", encoding.name);
    }
}

#[test]
fn interpreter() {
    check_singles(0);
}

#[test]
fn llvm_unoptimised() {
    check_singles(1);
}

#[test]
fn llvm_optimised() {
    check_singles(2);
}

#[test]
fn run_time_compiler() {
    check_singles(3);
}

#[test]
fn sequences_in_the_interpreter() {
    check_sequences(0);
}

#[test]
fn sequences_unoptimised() {
    check_sequences(1);
}

#[test]
fn sequences_optimised() {
    check_sequences(2);
}

#[test]
fn sequences_in_the_run_time_compiler() {
    check_sequences(3);
}

#[test]
fn a32_interpreter() {
    check_a32(0);
}

#[test]
fn a32_llvm_unoptimised() {
    check_a32(1);
}

#[test]
fn a32_llvm_optimised() {
    check_a32(2);
}

#[test]
fn a32_run_time_compiler() {
    check_a32(3);
}
