//! Real programs that generate code while they run, and Go's runtime: LuaJIT, libtcc, PCRE2 and libffi from Debian's packages for
//! arm64 and armhf, each with a main of ours. What they print is what they print under qemu-user, in each engine.

use std::path::{Path, PathBuf};
use std::time::Duration;
use testsuite::compare::{Outcome, Run, run_qemu, run_translated, translate};
use testsuite::full;
use testsuite::guest::{Target, go, with_package};

const AUTO: &[&str] = &["auto"];
const ALL: &[&str] = &["auto", "interp", "jit"];

/// The instruction sets of the libraries in Debian's packages.
const PACKAGED: [Target; 2] = [Target::A64, Target::T32];

fn run<'a>(args: &[&'a str], engine: &'a str) -> Run<'a> {
    let env = vec![("XLATE_ENGINE", engine)];
    Run { args: args.to_vec(), env, timeout: Some(Duration::from_secs(600)), ..Run::default() }
}

/// What the program does under qemu.
fn expected(program: &Path, args: &[&str]) -> Outcome {
    let expected = run_qemu(program, &run(args, "auto"));
    assert_eq!((expected.status, expected.stderr.len()), (0, 0), "{args:?} under qemu: {expected:?}");
    expected
}

/// Runs with `args` in `engines`, as under qemu.
fn check(target: Target, program: &Path, args: &[&str], engines: &[&str]) {
    check_against(&expected(program, args), target, program, args, engines);
}

/// Runs with `args` in `engines`, translated at -O0, which serves all engines; in the full run in all engines and at -O2, too. 32-bit
/// programs are translated in the full run only: what they generate is executed the same way without.
fn check_against(expected: &Outcome, target: Target, program: &Path, args: &[&str], engines: &[&str]) {
    let same = |flags: &[&str], engine: &str| {
        let translated = translate(program, flags).unwrap_or_else(|e| panic!("{e}"));
        let got: Outcome = run_translated(&translated, &run(args, engine));
        assert_eq!(got, *expected, "{} {args:?} {flags:?} {engine}", program.display());
    };
    let quick: &[&str] = if full() || target == Target::A64 { &["-O0"] } else { &["-O0", "--no-lift"] };
    for engine in if full() { ALL } else { engines } {
        same(quick, engine);
    }
    if full() {
        same(&["-O2"], "auto");
    }
}

fn script(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest/gens").join(name);
    path.to_str().expect("the workspace's path is text").to_string()
}

fn luajit(target: Target) -> PathBuf {
    with_package(target, "gens/luajit.c", "libluajit-5.1-dev", "libluajit-5.1.a", "luajit-2.1")
}

/// Errors, hooks, flushed and aborted traces, callbacks, garbage; and programs whose traces run long.
fn luajit_scripts(target: Target) {
    let program = luajit(target);
    check(target, &program, &[&script("corners.lua")], &["auto", "interp"]);
    check(target, &program, &[&script("speed.lua")], AUTO);
}

#[test]
fn luajit_a64() {
    luajit_scripts(Target::A64);
}

/// LuaJIT generates A32, whatever it is compiled to.
#[test]
fn luajit_t32() {
    luajit_scripts(Target::T32);
}

#[test]
fn go_runtime() {
    for target in [Target::A64, Target::A32] {
        let program = go(target, "gens/work.go");
        if full() || target == Target::A64 {
            check(target, &program, &[], AUTO);
        }
        check(target, &program, &["channels", "panics", "stacks"], &["interp", "jit"]);
    }
}

/// The program compares PCRE2's compiler with its interpreter, too.
#[test]
fn pcre2() {
    for target in PACKAGED {
        let program = with_package(target, "gens/pcre2.c", "libpcre2-dev", "libpcre2-8.a", "");
        check(target, &program, &[], AUTO);
        check(target, &program, &["1", "1"], &["interp"]);
    }
}

#[test]
fn libffi() {
    for target in PACKAGED {
        let program = with_package(target, "gens/ffi.c", "libffi-dev", "libffi.a", "");
        check(target, &program, &[], ALL);
    }
}

/// The same output from both: qemu takes for undefined what libtcc generates for 32-bit processors, a CMP with something in the field
/// of the result register, which should be zero and which processors ignore.
#[test]
fn libtcc() {
    let [a64, t32] = PACKAGED.map(|t| with_package(t, "gens/tcc.c", "libtcc-dev", "libtcc.a", ""));
    let expected = expected(&a64, &[]);
    for (target, program) in PACKAGED.into_iter().zip([a64, t32]) {
        check_against(&expected, target, &program, &[], ALL);
    }
}
