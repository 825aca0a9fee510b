//! Snapshots of every stage for one small program, and of `xlate inspect`, which shows them.

use std::process::Command;
use testsuite::compare::{Run, run_qemu, run_translated, translate};
use testsuite::guest::{Libc, ours};
use testsuite::tools;

fn program() -> std::path::PathBuf {
    ours("stages.s", Libc::None, &["-Wl,-Ttext=0x400000,--build-id=none"])
}

fn inspect(emit: &str, function: Option<&str>) -> String {
    let mut c = Command::new(tools::xlate());
    c.arg("inspect").arg(program()).args(["--emit", emit]);
    if let Some(f) = function {
        c.args(["--function", f]);
    }
    let out = c.output().expect("xlate starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).expect("inspect prints UTF-8");
    // The file's path differs from machine to machine.
    text.replace(&program().display().to_string(), "PROGRAM")
}

macro_rules! stage {
    ($name:ident, $emit:literal, $function:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(inspect($emit, $function));
        }
    };
}

stage!(image, "image", None);
stage!(insns, "insns", None);
stage!(cfg, "cfg", None);
stage!(coverage, "coverage", None);
stage!(ir, "ir", None);
stage!(llvm_start, "llvm", Some("_start"));
stage!(llvm_sum, "llvm", Some("sum"));
stage!(llvm_choose, "llvm", Some("choose"));
stage!(llvm_increment, "llvm", Some("increment"));
stage!(llvm_half, "llvm", Some("half"));
stage!(asm_sum, "asm", Some("sum"));

#[test]
fn the_program_behaves_as_under_qemu() {
    let program = program();
    let expected = run_qemu(&program, &Run::default());
    assert_eq!(expected.status, 42);
    for flags in [&["-O0"][..], &["-O1"], &["-O2"], &["-O3"], &["--no-lift"]] {
        let translated = translate(&program, flags).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(run_translated(&translated, &Run::default()), expected, "{flags:?}");
    }
}

#[test]
fn the_output_does_not_depend_on_the_number_of_jobs() {
    let program = ours("hello.c", Libc::Musl, &["-O2"]);
    let bytes = |jobs: &str| {
        std::fs::read(translate(&program, &["--jobs", jobs]).unwrap_or_else(|e| panic!("{e}"))).unwrap()
    };
    assert!(bytes("1") == bytes("2"));
}
