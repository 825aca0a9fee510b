//! `XLATE_VERIFY=1`: right translations run as ever; of a wrong one, the first difference is reported with the instruction
//! and the register.

use std::os::unix::fs::PermissionsExt;
use testsuite::compare::{Run, run_qemu, run_translated, translate};
use testsuite::guest::{Libc, Target, ours_for};
use testsuite::packages::busybox;

fn verified() -> Run<'static> {
    Run { env: vec![("XLATE_VERIFY", "1")], ..Run::default() }
}

const TARGETS: [Target; 3] = [Target::A64, Target::A32, Target::T32];

#[test]
fn right_translations_pass() {
    for target in TARGETS {
        let program = ours_for(target, "verify.c", Libc::Musl, &["-O2"]);
        let expected = run_qemu(&program, &Run::default());
        for level in ["-O0", "-O2"] {
            let translated = translate(&program, &[level]).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(run_translated(&translated, &verified()), expected, "{target:?} {level}");
        }
    }
    let hello = ours_for(Target::A64, "hello.c", Libc::Musl, &["-O2"]);
    let translated = translate(&hello, &["-O2"]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(run_translated(&translated, &verified()), run_qemu(&hello, &Run::default()));
}

/// With everything compiled at run time.
fn compiled() -> Run<'static> {
    Run { env: vec![("XLATE_VERIFY", "1"), ("XLATE_ENGINE", "jit")], ..Run::default() }
}

#[test]
fn right_run_time_code_passes() {
    for target in TARGETS {
        let program = ours_for(target, "verify.c", Libc::Musl, &["-O2"]);
        let translated = translate(&program, &["--no-lift"]).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            run_translated(&translated, &compiled()),
            run_qemu(&program, &Run::default()),
            "{target:?}"
        );
    }
}

/// FPSR is the guest's while regions are compiled one by one, too: a shell has many of them, and no floating point.
#[test]
fn right_run_time_code_of_a_shell_passes() {
    let program = busybox();
    let args = vec!["sh", "-c", "i=0; while [ $i -lt 5 ]; do i=$((i+1)); done; echo $i"];
    let translated = translate(&program, &["--no-lift"]).unwrap_or_else(|e| panic!("{e}"));
    let expected = run_qemu(&program, &Run { args: args.clone(), ..Run::default() });
    assert_eq!(run_translated(&translated, &Run { args, ..compiled() }), expected);
}

/// Code that changes, compiled as if it did not.
#[test]
fn wrong_run_time_code_is_found() {
    let program = ours_for(Target::A64, "poly-forget.c", Libc::Glibc, &["-O1"]);
    let translated = translate(&program, &["--no-lift"]).unwrap_or_else(|e| panic!("{e}"));
    for case in ["patch", "inside", "loop", "data", "stack", "reads"] {
        let mut run = Run { args: vec![case], ..compiled() };
        assert_eq!(run_translated(&translated, &run).status, 0, "{case}");
        run.env.push(("XLATE_NO_INVALIDATION", "writes"));
        let found = run_translated(&translated, &run);
        let text = String::from_utf8_lossy(&found.stderr);
        assert_eq!(found.status, 2, "{case}: {text}");
        assert!(text.contains("in the interpreter, set by 0x"), "{case}: {text}");
    }
}

/// A constant that the guest makes by MOV and MOVK, and the host in one instruction, is changed in the output.
#[test]
fn a_wrong_translation_is_found() {
    for target in TARGETS {
        wrong_translation(target);
    }
}

fn wrong_translation(target: Target) {
    let program = ours_for(target, "verify.c", Libc::Musl, &["-O2"]);
    let translated = translate(&program, &["-O2"]).unwrap_or_else(|e| panic!("{e}"));
    let mut bytes = std::fs::read(&translated).expect("an output");
    let constant = 0x5eed_1234_u32.to_le_bytes();
    let places: Vec<usize> = (0..bytes.len() - 4).filter(|i| bytes[*i..*i + 4] == constant).collect();
    assert!(!places.is_empty(), "the constant is in the host code");
    for at in places {
        bytes[at] ^= 1;
    }
    let wrong = translated.with_extension("wrong");
    std::fs::write(&wrong, &bytes).expect("a place next to the output");
    std::fs::set_permissions(&wrong, std::fs::Permissions::from_mode(0o755)).expect("our own file");
    let silent = run_translated(&wrong, &Run::default());
    assert_eq!(silent.status, 0, "without verification nobody notices: {silent:?}");
    let found = run_translated(&wrong, &verified());
    let text = String::from_utf8_lossy(&found.stderr);
    assert_eq!(found.status, 2, "{text}");
    assert!(text.contains("translated code and interpreter differ at 0x"), "{text}");
    assert!(
        text.contains("0x5eed1235 in translated code, 0x5eed1234 in the interpreter, set by 0x"),
        "{text}"
    );
}
