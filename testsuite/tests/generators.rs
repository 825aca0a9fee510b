//! Real programs that generate code while they run, and Go's runtime: LuaJIT, libtcc, PCRE2 and libffi from Debian's packages for
//! arm64, each with a main of ours. What they print is what they print under qemu-user, in each engine.

use std::path::{Path, PathBuf};
use std::time::Duration;
use testsuite::compare::{Outcome, Run, run_qemu, run_translated, translate};
use testsuite::full;
use testsuite::guest::{go, with_package};

const AUTO: &[&str] = &["auto"];
const ALL: &[&str] = &["auto", "interp", "jit"];

fn run<'a>(args: &[&'a str], engine: &'a str) -> Run<'a> {
    let env = vec![("XLATE_ENGINE", engine)];
    Run { args: args.to_vec(), env, timeout: Some(Duration::from_secs(600)), ..Run::default() }
}

/// Runs with `args` in `engines`, or in all of them; translated at -O0, which serves all engines, and in the full run at -O2.
fn check(program: &Path, args: &[&str], engines: &[&str]) {
    let expected = run_qemu(program, &run(args, "auto"));
    assert_eq!((expected.status, expected.stderr.len()), (0, 0), "{args:?} under qemu: {expected:?}");
    let same = |flags: &[&str], engine: &str| {
        let translated = translate(program, flags).unwrap_or_else(|e| panic!("{e}"));
        let got: Outcome = run_translated(&translated, &run(args, engine));
        assert_eq!(got, expected, "{} {args:?} {flags:?} {engine}", program.display());
    };
    for engine in if full() { ALL } else { engines } {
        same(&["-O0"], engine);
    }
    if full() {
        same(&["-O2"], "auto");
    }
}

fn script(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest/gens").join(name);
    path.to_str().expect("the workspace's path is text").to_string()
}

fn luajit() -> PathBuf {
    with_package("gens/luajit.c", "libluajit-5.1-dev", "libluajit-5.1.a", "luajit-2.1")
}

/// Errors, hooks, flushed and aborted traces, callbacks, garbage; and programs whose traces run long.
#[test]
fn luajit_scripts() {
    let program = luajit();
    check(&program, &[&script("corners.lua")], &["auto", "interp"]);
    check(&program, &[&script("speed.lua")], AUTO);
}

#[test]
fn go_runtime() {
    let program = go("gens/work.go");
    check(&program, &[], AUTO);
    check(&program, &["channels", "panics", "stacks"], &["interp", "jit"]);
}

/// The program compares PCRE2's compiler with its interpreter, too.
#[test]
fn pcre2() {
    let program = with_package("gens/pcre2.c", "libpcre2-dev", "libpcre2-8.a", "");
    check(&program, &[], AUTO);
    check(&program, &["1", "1"], &["interp"]);
}

#[test]
fn libffi() {
    check(&with_package("gens/ffi.c", "libffi-dev", "libffi.a", "aarch64-linux-gnu"), &[], ALL);
}

#[test]
fn libtcc() {
    check(&with_package("gens/tcc.c", "libtcc-dev", "libtcc.a", ""), &[], ALL);
}
