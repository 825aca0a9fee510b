//! Random instructions of every encoding, one at a time and in sequences, on random states and in all floating-point
//! modes, in every engine, compared with qemu-user after each: registers, flags, modes, memory, signal frames. The long
//! run, 500,000 executions and more in each engine:
//!
//!     XLATE_TEST_FULL=1 cargo test --release -p xlate-testsuite --test insns -- --nocapture --test-threads 1
//!
//! `XLATE_SEED`, `XLATE_WORDS` (cases for each encoding, or sequences), `XLATE_STATES`, `XLATE_MODES` (FPCR bits that may be
//! set, hexadecimal), `XLATE_ROW` (part of a name) and `XLATE_SHOW` (differences to print) vary it.

use std::collections::BTreeMap;
use testsuite::full;
use testsuite::insns::{ENGINES, EXCLUDED, Plan, Report, compare, describe_case, sequences, single};

/// RMode, FZ, DN, AHP, FZ16.
const ALL_MODES: &str = "7c80000";

/// A number from the environment.
fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

fn plan(cases: Vec<testsuite::insns::Case>, states: usize) -> Plan {
    let modes = std::env::var("XLATE_MODES").unwrap_or_else(|_| ALL_MODES.into());
    Plan { cases, states: setting("XLATE_STATES").unwrap_or(states), modes, seed: seed().to_string() }
}

fn seed() -> u64 {
    setting("XLATE_SEED").unwrap_or(1)
}

/// Cases of each encoding.
fn singles() -> Plan {
    let (words, states) = if full() { (20, 32) } else { (3, 5) };
    let named = std::env::var("XLATE_ROW").unwrap_or_default();
    plan(single(setting("XLATE_WORDS").unwrap_or(words), seed(), &named), states)
}

/// Sequences.
fn series() -> Plan {
    let (count, states) = if full() { (3000, 12) } else { (150, 6) };
    plan(sequences(setting("XLATE_WORDS").unwrap_or(count), seed()), states)
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
        .map(|(c, q, e)| format!("{}\n  qemu   {q}\n  engine {e}", describe_case(&plan.cases[*c])))
        .collect();
    let n = report.differences.len();
    assert!(n == 0, "{name}: {n} differences:\n{}", shown.join("\n"));
    report
}

/// Compares cases of each encoding; each must have been executed, and without a signal unless it always raises one.
fn check_singles(engine: usize) {
    let report = check(&singles(), engine);
    if std::env::var_os("XLATE_ROW").is_some() {
        return;
    }
    for row in isa::a64::rows().filter(|r| EXCLUDED.iter().all(|e| e.0 != r.name)) {
        let (n, quiet) = report.rows.get(row.name).copied().unwrap_or_default();
        let enough = if RAISING.contains(&row.name) { n > 0 } else { quiet > 0 };
        assert!(enough, "{}: {n} executions compared, {quiet} of them without a signal", row.name);
    }
}

/// Encodings that always raise a signal.
const RAISING: &[&str] = &[
    "BRK",
    "DCPS1",
    "DCPS2",
    "DCPS3",
    "DRPS",
    "ERET",
    "HLT",
    "HVC",
    "MSR (immediate)",
    "SMC",
    "SYS",
    "SYSL",
];

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
fn sequences_in_the_run_time_compiler() {
    check(&series(), 3);
}

#[test]
fn sequences_in_the_interpreter() {
    check(&series(), 0);
}

#[test]
fn sequences_unoptimised() {
    check(&series(), 1);
}

#[test]
fn sequences_optimised() {
    check(&series(), 2);
}
