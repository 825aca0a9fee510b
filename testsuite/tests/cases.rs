//! The cases of `cases/a64*.txt` in every engine, against what the manual says.

use testsuite::cases::{Case, expected, parse, program};
use testsuite::compare::{Run, run_translated, translate};
use testsuite::insns::{A64, ENGINES, lines, qemu};

fn cases(text: &str) -> Vec<Case> {
    parse(text).unwrap_or_else(|e| panic!("{e}"))
}

/// Those that qemu, too, does as the manual says.
fn agreed() -> Vec<Case> {
    let mut all = cases(include_str!("../cases/a64.txt"));
    all.extend(cases(include_str!("../cases/a64-manual.txt")));
    all
}

fn compare(who: &str, cases: &[Case], got: &[String]) {
    let mut wrong = String::new();
    for (i, c) in cases.iter().enumerate() {
        let (expected, got) = (expected(i, c), got.get(i).map_or("nothing", |s| s));
        if expected != got {
            wrong += &format!("{}\n  expected {expected}\n  got      {got}\n", c.text);
        }
    }
    assert!(wrong.is_empty(), "{who}:\n{wrong}");
}

fn check(engine: usize) {
    let (name, flags, engine) = ENGINES[engine];
    check_run(name, flags, vec![("XLATE_ENGINE", engine)]);
}

fn check_run(name: &str, flags: &[&str], env: Vec<(&str, &str)>) {
    let mut cases = agreed();
    cases.extend(self::cases(include_str!("../cases/a64-unlike-qemu.txt")));
    let translated = translate(&program(&cases), flags).unwrap_or_else(|e| panic!("{e}"));
    let run = Run { args: vec!["1"], env, ..Run::default() };
    compare(name, &cases, &lines(&run_translated(&translated, &run)));
}

#[test]
fn interpreter() {
    check(0);
}

#[test]
fn llvm_unoptimised() {
    check(1);
}

#[test]
fn llvm_optimised() {
    check(2);
}

#[test]
fn llvm_optimised_on_a_lesser_host() {
    check_run("a lesser host", ENGINES[2].1, vec![("XLATE_HOST_WITHOUT", "fma,aes,pclmul,sha")]);
}

#[test]
fn run_time_compiler() {
    check(3);
}

/// A second reader of the manual; a case where it is wrong belongs in `a64-unlike-qemu.txt`, with the reason.
#[test]
fn qemu_agrees() {
    let cases = agreed();
    compare(
        "qemu",
        &cases,
        &lines(&qemu(&A64, &program(&cases), &Run { args: vec!["1"], ..Run::default() })),
    );
}
