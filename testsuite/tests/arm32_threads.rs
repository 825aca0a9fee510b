//! Signals and memory model of 32-bit programs, A32 and T32: guest programs that check themselves, interpreted and
//! translated, against what an arm64 Linux does for them. (qemu 7.2 gets many of the rules wrong, so it is asked about the
//! plain ones alone.)

use std::time::Duration;
use testsuite::compare::{Run, run_qemu, run_translated, translate};
use testsuite::full;
use testsuite::guest::{Libc, Target, ours_for};

/// For exclusives, barriers and divisions of Armv8.
const FLAGS: &[&str] = &["-O2", "-w", "-march=armv8-a+simd"];
const INTERPRETED: &[&str] = &["-O0", "--no-lift"];
const QUICK: &[&str] = &["-O0"];
const OPTIMISED: &[&str] = &["-O2"];

/// Instruction sets and ways of translation; optimising has its place in the full run.
fn ways() -> impl Iterator<Item = (Target, &'static [&'static str])> {
    let all = [
        (Target::A32, QUICK),
        (Target::T32, INTERPRETED),
        (Target::T32, QUICK),
        (Target::A32, INTERPRETED),
        (Target::A32, OPTIMISED),
        (Target::T32, OPTIMISED),
    ];
    all.into_iter().take(if full() { 6 } else { 3 })
}

/// Runs a program of musl that prints what is expected, and nothing else.
fn check(source: &str, args: impl Fn(&[&str]) -> Vec<&'static str>, expected: &str) {
    for (target, xflags) in ways() {
        let program = ours_for(target, source, Libc::Musl, FLAGS);
        let translated = translate(&program, xflags).unwrap_or_else(|e| panic!("{e}"));
        let timeout = Some(Duration::from_secs(if full() { 900 } else { 120 }));
        let run = Run { args: args(xflags), timeout, ..Run::default() };
        let out = run_translated(&translated, &run);
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(
            out.status == 0 && text == expected && out.stderr.is_empty(),
            "{source} {target:?} {xflags:?}: {out:?}"
        );
    }
}

/// Handlers, masks, timers, faults and traps that are repaired or skipped: as under qemu.
#[test]
fn signals() {
    let run = Run { args: vec!["100000"], cpu: Some("max"), ..Run::default() };
    for (target, xflags) in ways() {
        let program = ours_for(target, "signals.c", Libc::Musl, FLAGS);
        let translated = translate(&program, xflags).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(run_translated(&translated, &run), run_qemu(&program, &run), "{target:?} {xflags:?}");
    }
}

/// The rules, frames and what they hold, ITSTATE among it.
#[test]
fn rules_of_signals() {
    check("sigrules.c", |_| vec![], "199 checks, 0 failures\n");
}

/// Outcomes that Arm's memory model forbids are never seen.
#[test]
fn litmus() {
    let rounds = |xflags: &[&str]| match (full(), xflags == INTERPRETED) {
        (false, true) => vec!["1"],
        (false, false) => vec!["20"],
        (true, true) => vec!["200"],
        (true, false) => vec!["5000"],
    };
    check("litmus.c", rounds, "37 tests\n");
}

/// Many threads, mutexes, condition variables, each other's signals.
#[test]
fn stress() {
    check("stress.c", |_| if full() { vec!["32", "60"] } else { vec!["32", "1"] }, "stress\n");
}

/// Pairs of words are one access for other threads and processes, from the first that can see them on.
#[test]
fn pairs() {
    check("pairs.c", |_| vec!["thread"], "thread: whole\n");
    check("pairs.c", |_| vec!["mmap"], "mmap: whole\n");
    check("pairs.c", |_| vec!["shmat"], "shmat: whole\n");
}
