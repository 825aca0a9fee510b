//! Our own guest programs, interpreted, translated at one or two levels, and under qemu-user: the same output and status.

use testsuite::compare::{Run, run_qemu, run_translated, translate};
use testsuite::full;
use testsuite::guest::{Libc, Target, ours, ours_for};

const OPTIMISED: (&[&str], &str) = (&["-O2"], "auto");
const QUICK: (&[&str], &str) = (&["-O0"], "auto");
const INTERPRETED: (&[&str], &str) = (&["-O0", "--no-lift"], "interp");
const COMPILED: (&[&str], &str) = (&["-O0", "--no-lift"], "jit");

/// Programs with glibc or libstdc++ are ten and more times larger than those with musl; optimising them has its place
/// in the full run.
fn engines(libc: Libc) -> &'static [(&'static [&'static str], &'static str)] {
    if libc == Libc::Musl || full() {
        &[INTERPRETED, COMPILED, QUICK, OPTIMISED]
    } else {
        &[INTERPRETED, COMPILED, QUICK]
    }
}

fn check(source: &str, libc: Libc, flags: &[&str], run: &Run) {
    let program = ours(source, libc, flags);
    let expected = run_qemu(&program, run);
    for (xflags, engine) in engines(libc) {
        let translated = translate(&program, xflags).unwrap_or_else(|e| panic!("{e}"));
        let mut run = run.clone();
        run.env.push(("XLATE_ENGINE", engine));
        assert_eq!(run_translated(&translated, &run), expected, "{source} {flags:?} {xflags:?}");
    }
}

macro_rules! program {
    ($name:ident, $source:literal, $libc:ident, $flags:expr) => {
        #[test]
        fn $name() {
            check($source, Libc::$libc, $flags, &Run::default());
        }
    };
}

#[test]
fn hello() {
    check("hello.c", Libc::Musl, &["-O2"], &Run { args: vec!["a", "b c"], ..Run::default() });
}

/// Code that changes, with caches of all sizes: qemu does not see what is written through another mapping, so the program
/// checks itself.
fn changing_code(target: Target, ways: &[(&[&str], &str)]) {
    let program = ours_for(target, "changing.c", Libc::Musl, &["-O2"]);
    for (xflags, engine) in ways {
        let translated = translate(&program, xflags).unwrap_or_else(|e| panic!("{e}"));
        let caches: &[&str] = if *engine == "jit" { &["67108864", "20000", "200000"] } else { &["67108864"] };
        for cache in caches {
            let env = vec![("XLATE_ENGINE", *engine), ("XLATE_JIT_CACHE", *cache)];
            let out = run_translated(&translated, &Run { env, ..Run::default() });
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            assert!(
                out.status == 0 && text.ends_with(" checks, 0 failures\n"),
                "{target:?} {xflags:?} {cache}: {out:?}"
            );
        }
    }
}

#[test]
fn changing() {
    changing_code(Target::A64, &[INTERPRETED, COMPILED, QUICK]);
    for target in [Target::A32, Target::T32] {
        changing_code(target, if full() { &[INTERPRETED, COMPILED, QUICK] } else { &[COMPILED, QUICK] });
    }
}

/// Jumps to frames that are still there leave the callers' frames alone: the dispatcher is needed for what signals do only.
#[test]
fn jumps() {
    let targets: &[Target] =
        if full() { &[Target::A64, Target::A32, Target::T32] } else { &[Target::A64, Target::T32] };
    for &target in targets {
        let program = ours_for(target, "jumps.c", Libc::Musl, &["-O2"]);
        for (xflags, engine) in [INTERPRETED, QUICK, OPTIMISED] {
            let translated = translate(&program, xflags).unwrap_or_else(|e| panic!("{e}"));
            for args in [vec![], vec!["signals"]] {
                let expected = run_qemu(&program, &Run { args: args.clone(), ..Run::default() });
                let env = vec![("XLATE_ENGINE", engine), ("XLATE_STATS", "1")];
                let out = run_translated(&translated, &Run { args: args.clone(), env, ..Run::default() });
                let said = String::from_utf8_lossy(&out.stderr).into_owned();
                assert_eq!((out.status, out.stdout), (0, expected.stdout), "{target:?} {xflags:?} {said}");
                let entered = said.split_once("entered ").and_then(|(_, s)| s.split_once(" times"));
                let entered: u32 = entered.and_then(|(n, _)| n.parse().ok()).expect("counts");
                assert!(!args.is_empty() || entered < 10, "{target:?} {xflags:?} {said}");
            }
        }
    }
}

#[test]
fn own_file() {
    testsuite::own_file::check(Target::A64, &[INTERPRETED, COMPILED, QUICK]);
}

program!(hello_glibc, "hello.c", Glibc, &["-O2"]);
program!(hello_static_pie, "hello.c", Glibc, &["-O2", "-static-pie"]);
program!(setjmp, "setjmp.c", Musl, &["-O2"]);
program!(setjmp_glibc, "setjmp.c", Glibc, &["-O2"]);
program!(recursion, "recursion.c", Musl, &["-O1"]);
program!(signals, "signals.c", Musl, &["-O2"]);
program!(signals_glibc, "signals.c", Glibc, &["-O0"]);
program!(process, "process.c", Glibc, &["-O2"]);
program!(process_musl, "process.c", Musl, &["-O2"]);
program!(files, "files.c", Glibc, &["-O2", "-w"]);
program!(files_musl, "files.c", Musl, &["-O2", "-w"]);
program!(floats, "floats.c", Glibc, &["-O1", "-frounding-math"]);
program!(flush, "flush.c", Musl, &["-O2"]);
program!(generated, "generated.c", Musl, &["-O2"]);
program!(contexts, "contexts.c", Glibc, &["-O2"]);
program!(exceptions, "exceptions.cc", Glibc, &["-O2", "-lstdc++"]);
program!(atomics, "atomics.c", Musl, &["-O2"]);
program!(atomics_lse, "atomics.c", Musl, &["-O2", "-march=armv8.1-a"]);
