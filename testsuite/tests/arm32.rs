//! Our own guest programs as 32-bit ones, A32 and T32: interpreted, compiled at run time, and translated at one or two levels,
//! they do what they do under qemu-arm.

use testsuite::compare::{Run, run_qemu, run_translated, translate};
use testsuite::full;
use testsuite::guest::{Libc, Target, ours_for};

fn check(source: &str, libc: Libc, flags: &[&str], run: &Run) {
    // We announce an Armv8 processor in 32-bit state; qemu-arm's default is an Armv7 one.
    let run = &Run { cpu: Some("max"), ..run.clone() };
    for target in [Target::A32, Target::T32] {
        let program = ours_for(target, source, libc, flags);
        let mut expected = run_qemu(&program, run);
        // qemu gives 32-bit programs offsets of 64 bits in directories, on some file systems, which `readdir` refuses.
        expected.stdout =
            String::from_utf8_lossy(&expected.stdout).replace("entries 0\n", "entries 12\n").into();
        let mut ways: Vec<(&[&str], &str)> =
            vec![(&["-O0", "--no-lift"], "interp"), (&["-O0", "--no-lift"], "jit"), (&["-O0"], "auto")];
        if libc == Libc::Musl || full() {
            ways.push((&["-O2"], "auto"));
        }
        for (xflags, engine) in ways {
            let translated = translate(&program, xflags).unwrap_or_else(|e| panic!("{e}"));
            let mut run = run.clone();
            run.env.push(("XLATE_ENGINE", engine));
            let got = run_translated(&translated, &run);
            assert_eq!(got, expected, "{source} {target:?} {flags:?} {xflags:?} {engine}");
        }
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

program!(hello_glibc, "hello.c", Glibc, &["-O2"]);
program!(hello_static_pie, "hello.c", Glibc, &["-O2", "-static-pie"]);
program!(setjmp, "setjmp.c", Musl, &["-O2"]);
program!(recursion, "recursion.c", Musl, &["-O1"]);
program!(process, "process.c", Glibc, &["-O2"]);
program!(process_musl, "process.c", Musl, &["-O2"]);
program!(files, "files.c", Glibc, &["-O2", "-w"]);
program!(atomics, "atomics.c", Musl, &["-O2", "-march=armv8-a+simd"]);
program!(contexts, "contexts.c", Glibc, &["-O2"]);
program!(floats, "floats32.c", Glibc, &["-O2", "-mfpu=neon-vfpv4", "-mfp16-format=ieee"]);
program!(flush, "flush.c", Musl, &["-O2", "-march=armv8-a+simd"]);
program!(vectors, "vectors32.c", Musl, &["-O1", "-mfpu=neon-fp-armv8"]);
program!(addresses, "wrap32.c", Musl, &["-O2"]);
program!(exceptions, "exceptions.cc", Glibc, &["-O2", "-lstdc++"]);

#[test]
fn own_file() {
    for target in [Target::A32, Target::T32] {
        testsuite::own_file::check(target, &[(&["-O0", "--no-lift"], "jit")]);
    }
}

/// A program that checks itself, because qemu has some of what it does wrong. `ways`: options of the translator and the engine.
fn check_itself(target: Target, source: &str, libc: Libc, flags: &[&str], ways: &[(&[&str], &'static str)]) {
    let program = ours_for(target, source, libc, flags);
    for &(xflags, engine) in ways {
        let translated = translate(&program, xflags).unwrap_or_else(|e| panic!("{e}"));
        let out = run_translated(&translated, &Run { env: vec![("XLATE_ENGINE", engine)], ..Run::default() });
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let right = out.status == 0 && text.ends_with(" checks, 0 failures\n");
        assert!(right, "{source} {target:?} {xflags:?} {engine}: {out:?}");
    }
}

const INTERPRETED: (&[&str], &str) = (&["-O0", "--no-lift"], "interp");
const COMPILED: (&[&str], &str) = (&["-O0", "--no-lift"], "jit");

#[test]
fn kernel_interface() {
    for target in [Target::A32, Target::T32] {
        let mut ways = vec![INTERPRETED, COMPILED];
        if full() || target == Target::T32 {
            ways.push((&["-O0"], "auto"));
        }
        check_itself(target, "kernel32.c", Libc::Glibc, &["-O1"], &ways);
    }
}

/// Short vectors and big-endian data, to which lifted code comes and goes.
#[test]
fn modes() {
    let ways: [(&[&str], &str); 4] = [INTERPRETED, COMPILED, (&["-O0"], "auto"), (&["-O2"], "auto")];
    let some = if full() { ways.len() } else { 2 };
    check_itself(Target::A32, "modes32.c", Libc::Musl, &["-O1"], &ways[..some]);
    check_itself(Target::T32, "modes32.c", Libc::Musl, &["-O1"], &ways);
}
