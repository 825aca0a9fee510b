//! Static programs of Debian's arm64 packages, built by other people with other compilers and C libraries (glibc, musl,
//! klibc, dietlibc): interpreted, translated and under qemu-user they do the same.

use std::path::{Path, PathBuf};
use std::time::Duration;
use testsuite::compare::{Outcome, Run, run_qemu, run_translated, translate};
use testsuite::full;
use testsuite::guest::{Libc, ours};
use testsuite::packages::{first, unpacked};

type Engine = (&'static [&'static str], &'static str);

const OPTIMISED: Engine = (&["-O2"], "auto");
const QUICK: Engine = (&["-O0"], "auto");
const INTERPRETED: Engine = (&["-O0", "--no-lift"], "interp");

/// For programs of a hundred thousand instructions and more, lifted code has its place in the full run.
const LARGE: &[Engine] = &[INTERPRETED];
const LARGE_FULL: &[Engine] = &[INTERPRETED, QUICK, OPTIMISED];

fn large() -> &'static [Engine] {
    if full() { LARGE_FULL } else { LARGE }
}

fn program(package: &str, name: &str) -> PathBuf {
    first(&unpacked(package), &[name, &format!("usr/{name}")])
}

/// Runs in an empty directory of its own; gives the outcome and what files are there afterwards.
fn in_directory(
    run: &Run,
    program: &Path,
    start: fn(&Path, &Run) -> Outcome,
) -> (Outcome, Vec<(PathBuf, Vec<u8>)>) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let mut run = run.clone();
    run.dir = Some(dir.path().to_path_buf());
    run.timeout = Some(Duration::from_secs(120));
    run.env.extend([("LC_ALL", "C"), ("TERM", "dumb"), ("HOME", "/nonexistent")]);
    let mut outcome = start(program, &run);
    for text in [&mut outcome.stdout, &mut outcome.stderr] {
        let shown = String::from_utf8_lossy(text).into_owned();
        let shown = shown.replace(&*program.to_string_lossy(), "PROGRAM");
        *text = shown.replace(&*dir.path().to_string_lossy(), "DIRECTORY").into_bytes();
    }
    let mut files: Vec<_> = std::fs::read_dir(dir.path())
        .expect("the directory can be read")
        .flatten()
        .map(|e| (e.file_name().into(), std::fs::read(e.path()).unwrap_or_default()))
        .collect();
    files.sort();
    (outcome, files)
}

fn check(program: &Path, run: &Run, engines: &[Engine]) {
    let expected = in_directory(run, program, run_qemu);
    for (flags, engine) in engines {
        let translated = translate(program, flags).unwrap_or_else(|e| panic!("{e}"));
        let mut run = run.clone();
        run.env.push(("XLATE_ENGINE", engine));
        let got = in_directory(&run, &translated, run_translated);
        assert_eq!(got, expected, "{} {:?} {flags:?}", program.display(), run.args);
    }
}

fn shell(program: &Path, engines: &[Engine]) {
    let script = testsuite::root().join("testsuite/cases/shell.sh");
    let script = script.to_str().expect("the workspace's path is UTF-8");
    check(program, &Run { args: vec![script], ..Run::default() }, engines);
    let typed = b"echo in $((1+2))\nno_such 2>/dev/null\nexit 4\n";
    check(program, &Run { stdin: typed, ..Run::default() }, engines);
}

#[test]
fn mksh_with_musl() {
    shell(&program("mksh", "lib/aarch64-linux-musl/bin/mksh"), &[INTERPRETED, QUICK, OPTIMISED]);
}

#[test]
fn mksh_with_klibc() {
    shell(&program("mksh", "lib/klibc/bin/mksh"), &[INTERPRETED, QUICK]);
}

#[test]
fn mksh_with_dietlibc() {
    shell(&program("mksh", "lib/diet/bin/mksh"), &[INTERPRETED, QUICK]);
}

#[test]
fn bash() {
    shell(&program("bash-static", "bin/bash-static"), large());
}

#[test]
fn zsh() {
    shell(&program("zsh-static", "bin/zsh-static"), large());
}

#[test]
fn sash() {
    let input =
        b"-echo a b\n-pwd\n-ls -l /etc/passwd\n-cp /etc/passwd p\n-sum p\n-cmp /etc/passwd p\n-gzip p\n\
        -gunzip p.gz\n-find .\n-grep root p\n-mkdir d\n-mv p d/q\n-ls d\n-quit\n";
    check(&program("sash", "bin/sash"), &Run { stdin: input, ..Run::default() }, large());
}

#[test]
fn ldconfig() {
    // A static PIE.
    let ldconfig = program("libc-bin", "sbin/ldconfig");
    for args in [&["-p"][..], &["-N", "-X", "-v"], &["-C", "cache", "-n", "/nonexistent"], &["-V"]] {
        check(&ldconfig, &Run { args: args.to_vec(), ..Run::default() }, large());
    }
}

#[test]
fn e2fsck() {
    let e2fsck = program("e2fsck-static", "sbin/e2fsck.static");
    for args in [&["-V"][..], &["-n", "/nonexistent"], &["-n", "/etc/passwd"]] {
        check(&e2fsck, &Run { args: args.to_vec(), ..Run::default() }, large());
    }
}

#[test]
fn valgrind() {
    // A translator itself: it writes code and jumps there. It runs a program that uses most of C.
    let tool = program("valgrind", "libexec/valgrind/none-arm64-linux");
    let lib = tool.parent().expect("invariant: the tool lies in a directory").to_string_lossy().into_owned();
    let hello = ours("hello.c", Libc::Musl, &["-O2"]);
    let run = Run {
        args: vec!["-q", hello.to_str().expect("the store's path is UTF-8"), "a", "b c"],
        env: vec![("VALGRIND_LIB", &lib), ("VALGRIND_LAUNCHER", "/usr/bin/valgrind")],
        ..Run::default()
    };
    check(&tool, &run, large());
}
