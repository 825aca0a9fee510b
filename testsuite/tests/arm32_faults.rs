//! Precise exceptions of 32-bit programs, A32 and T32: `guest/faults32.c`, line by line as under qemu-arm, and by the program's own
//! checks where qemu departs from Linux.

use std::path::Path;
use testsuite::compare::{Run, run_qemu, run_translated, translate};
use testsuite::guest::{Libc, Target, build_for};

const WAYS: [(&[&str], &str); 4] = [
    (&["-O0", "--no-lift"], "interp"),
    (&["-O0", "--no-lift"], "jit"),
    (&["-O0"], "auto"),
    (&["-O2"], "auto"),
];

/// The lines in which two outputs differ, each with the case it belongs to.
fn differences(got: &[u8], expected: &[u8]) -> Vec<String> {
    let (got, expected) = (String::from_utf8_lossy(got), String::from_utf8_lossy(expected));
    let mut name = "";
    let mut found = Vec::new();
    for (a, b) in got.lines().zip(expected.lines()) {
        if !b.starts_with(' ') {
            name = b;
        }
        if a != b {
            found.push(format!("{name}:\n{a}, expected\n{b}"));
        }
    }
    if got.lines().count() != expected.lines().count() {
        found.push(format!("{} lines, expected {}", got.lines().count(), expected.lines().count()));
    }
    found
}

fn check(target: Target) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest");
    let sources = [dir.join("faults32.c"), dir.join("faults32.S")];
    let program = build_for(target, &[&sources[0], &sources[1]], Libc::Musl, &["-O2"]);
    let program = program.unwrap_or_else(|e| panic!("{e}"));
    let run = Run { cpu: Some("max"), ..Run::default() };
    let expected = run_qemu(&program, &run);
    assert_eq!(expected.status, 0, "{expected:?}");
    let faults = String::from_utf8_lossy(&expected.stdout).matches("  signal ").count();
    assert!(faults >= 250, "{faults} faults");
    let mut wrong = Vec::new();
    for (flags, engine) in WAYS {
        let translated = translate(&program, flags).unwrap_or_else(|e| panic!("{e}"));
        let mut run = run.clone();
        run.env.push(("XLATE_ENGINE", engine));
        let got = run_translated(&translated, &run);
        let found = differences(&got.stdout, &expected.stdout);
        wrong.extend(found.iter().take(8).map(|d| format!("{flags:?} {engine} {d}")));
        if got.status != 0 {
            wrong.push(format!("{flags:?} {engine}: status {} {:?}", got.status, got.stderr));
        }
        run.args.push("checked");
        let got = run_translated(&translated, &run);
        let text = String::from_utf8_lossy(&got.stdout).into_owned();
        let said = text.lines().filter(|l| l.starts_with("WRONG"));
        wrong.extend(said.map(|l| format!("{flags:?} {engine} {l}")));
        if got.status != 0 {
            wrong.push(format!("{flags:?} {engine}, checked: status {}", got.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn faults_in_hot_loops_are_exact_a32() {
    check(Target::A32);
}

#[test]
fn faults_in_hot_loops_are_exact_t32() {
    check(Target::T32);
}
