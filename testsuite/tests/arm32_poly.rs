//! A32 and T32 text that was translated ahead of time and changes, and code written at run time: `guest/poly32.c` checks what is
//! executed. Each case must hold in every engine, and those that change translated text must not when changes are ignored.

use std::path::Path;
use testsuite::compare::{Run, run_qemu, run_translated, translate};
use testsuite::guest::{Libc, Target, build_for};

/// Cases that are right without invalidation, too: the code is never translated ahead of time.
const NEVER_STALE: [&str; 1] = ["written"];

fn check(target: Target) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest");
    let sources = [dir.join("poly32.c"), dir.join("poly32.S")];
    let program = build_for(target, &[&sources[0], &sources[1]], Libc::Musl, &["-O1"]);
    let program = program.unwrap_or_else(|e| panic!("{e}"));
    let all = run_qemu(&program, &Run { cpu: Some("max"), ..Run::default() });
    let cases = String::from_utf8(all.stdout).expect("names");
    assert!(cases.lines().count() >= 17, "{cases}");
    let mut wrong = Vec::new();
    for flags in [&["-O0"], &["-O2"]] {
        let translated = translate(&program, flags).unwrap_or_else(|e| panic!("{e}"));
        for case in cases.lines() {
            let run = |name, value| {
                run_translated(
                    &translated,
                    &Run { args: vec![case], env: vec![(name, value)], ..Run::default() },
                )
            };
            for engine in ["auto", "jit", "interp"] {
                let got = run("XLATE_ENGINE", engine);
                if got.status != 0 || !got.stdout.is_empty() {
                    wrong.push(format!("{case} {flags:?} {engine}: {got:?}"));
                }
            }
            let stale = run("XLATE_NO_INVALIDATION", "1");
            if stale.status == 0 && !NEVER_STALE.contains(&case) {
                wrong.push(format!("{case} {flags:?}: holds without invalidation"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn changed_text_is_not_executed_stale_a32() {
    check(Target::A32);
}

#[test]
fn changed_text_is_not_executed_stale_t32() {
    check(Target::T32);
}
