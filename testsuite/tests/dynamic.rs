//! Dynamically linked programs: the program is translated ahead of time, its dynamic linker and libraries with it, or while it
//! runs.

use assert_cmd::Command;
use std::path::Path;
use testsuite::compare::{Run, run_qemu, run_translated, translate};
use testsuite::full;
use testsuite::guest::{Libc, Target, ours_for};

/// The program prints the same as under qemu, by each engine.
fn check(target: Target, source: &str, flags: &[&str], args: &[&str]) {
    let program = ours_for(target, source, Libc::Shared, flags);
    let mut run =
        Run { args: args.to_vec(), env: vec![("QEMU_LD_PREFIX", target.sysroot())], ..Run::default() };
    let expected = run_qemu(&program, &run);
    run.env.clear();
    const ALONE: &[&str] = &["-O2", "--libraries", "none"];
    let ways: &[(&[&str], &str)] = match full() {
        true => &[
            (&["-O0"], "auto"),
            (&["-O2"], "auto"),
            (ALONE, "auto"),
            (&["--no-lift"], "jit"),
            (&["--no-lift"], "interp"),
        ],
        false => &[(ALONE, "auto"), (&["--no-lift"], "interp")],
    };
    for (xflags, engine) in ways {
        let translated = translate(&program, xflags).unwrap_or_else(|e| panic!("{e}"));
        let run = Run { env: vec![("XLATE_ENGINE", *engine)], ..run.clone() };
        assert_eq!(
            run_translated(&translated, &run),
            expected,
            "{target:?} {source} {flags:?} {xflags:?} {engine}"
        );
    }
}

fn linked(target: Target) {
    let library = ours_for(target, "dynamic-lib.c", Libc::Shared, &["-O2", "-shared", "-fPIC"]);
    let library = library.display().to_string();
    // Both are positions that executables have.
    check(target, "dynamic.c", &["-O2", "-rdynamic"], &[&library]);
    check(target, "dynamic.c", &["-O1", "-no-pie", "-rdynamic", "-Wl,-z,now"], &[&library]);
    check(target, "exceptions.cc", &["-O2", "-lstdc++"], &[]);
    check(target, "setjmp.c", &["-O2"], &[]);
}

#[test]
fn a64() {
    linked(Target::A64);
    check(Target::A64, "threads.c", &["-O2"], &[]);
}

#[test]
fn a32() {
    linked(Target::A32);
}

#[test]
fn t32() {
    linked(Target::T32);
}

/// Calls of what has no translation run on top of the callers' frames, which go on when it returns.
fn calls(target: Target) {
    let library = ours_for(target, "calls-lib.c", Libc::Shared, &["-O2", "-shared", "-fPIC"]);
    let library = library.display().to_string();
    check(target, "calls.c", &["-O2", "-lpthread"], &[&library]);
    let program = ours_for(target, "calls.c", Libc::Shared, &["-O2", "-lpthread"]);
    let translated = translate(&program, &["-O2", "--libraries", "none"]).unwrap_or_else(|e| panic!("{e}"));
    let run = Run { args: vec![&library, "many"], env: vec![("XLATE_STATS", "1")], ..Run::default() };
    let out = run_translated(&translated, &run);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    let entered = said.split_once("entered ").and_then(|(_, s)| s.split_once(" times"));
    let entered: u32 = entered.and_then(|(n, _)| n.parse().ok()).expect("counts");
    // Of half a million calls.
    assert!(entered < 1000, "{target:?} {said}");
}

#[test]
fn calls_of_untranslated_code() {
    for target in [Target::A64, Target::T32] {
        calls(target);
    }
    if full() {
        calls(Target::A32);
    }
}

/// The dynamic linker, the C library, and a library that is opened while the program runs are translated with the program: nothing
/// is left to do at run time. What is not as it was translated is not entered: another version of the library, and one that the
/// program changes.
fn ahead(target: Target, level: &str) {
    let program = ours_for(target, "libraries.c", Libc::Shared, &["-O2"]);
    let version = |flags: &[&str]| {
        let flags = [&["-O2", "-shared", "-fPIC"], flags].concat();
        ours_for(target, "libraries-lib.c", Libc::Shared, &flags).display().to_string()
    };
    // Without build ids they differ in the text only.
    let [first, second] = ["-DVALUE=1", "-DVALUE=2"].map(|v| version(&[v, "-Wl,--build-id=none"]));
    let third = version(&["-DVALUE=3"]);
    let translated = translate(&program, &[level, "--library", &first]).unwrap_or_else(|e| panic!("{e}"));
    let run = |args: &[&str], expected: &str| {
        let run = Run {
            args: args.to_vec(),
            env: vec![("XLATE_STATS", "1"), ("XLATE_TRACE", "load")],
            ..Run::default()
        };
        let out = run_translated(&translated, &run);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!((out.status, String::from_utf8_lossy(&out.stdout).as_ref()), (0, expected), "{said}");
        said
    };
    let said = run(&[&first, &first], "1000\n1000\n");
    let mapped = said.lines().filter(|l| l.ends_with(": as translated")).count();
    assert_eq!(mapped, 3, "{said}");
    assert!(said.contains(" 0 instructions, ") && said.contains(" 0 regions "), "{said}");
    for other in [&second, &third] {
        let said = run(
            &[other, &first, other],
            &format!("{0}\n1000\n{0}\n", if *other == second { 2000 } else { 3000 }),
        );
        assert!(!said.contains(" 0 instructions, "), "{said}");
    }
    run(&["patch", &first, &first], "1000\n9000 patched\n1000 as before\n1000\n");
}

#[test]
fn libraries_ahead_of_time_a64() {
    ahead(Target::A64, "-O2");
}

#[test]
fn libraries_ahead_of_time_t32() {
    ahead(Target::T32, "-O0");
}

/// `--sysroot` and XLATE_SYSROOT say where the libraries are; whatever else is there is found, too.
#[test]
fn sysroots() {
    let program = ours_for(Target::A64, "hello.c", Libc::Shared, &["-O2"]);
    let translated = translate(&program, &["--libraries", "none", "--sysroot", Target::A64.sysroot()])
        .unwrap_or_else(|e| panic!("{e}"));
    Command::new(&translated).assert().code(41);
    // The environment's counts; an absolute symbolic link leads where it would in there.
    let empty = tempfile::tempdir().unwrap();
    let missing = Command::new(&translated).env("XLATE_SYSROOT", empty.path()).assert().code(2);
    let text = String::from_utf8_lossy(&missing.get_output().stderr).into_owned();
    assert!(text.contains("/lib/ld-linux-aarch64.so.1") && text.contains("XLATE_SYSROOT"), "{text}");
    let lib = empty.path().join("lib");
    std::os::unix::fs::symlink("/real", &lib).unwrap();
    std::os::unix::fs::symlink(Target::A64.sysroot().to_string() + "/lib", empty.path().join("real"))
        .unwrap();
    Command::new(&translated).env("XLATE_SYSROOT", empty.path()).assert().code(2);
    std::fs::remove_file(empty.path().join("real")).unwrap();
    std::fs::create_dir(empty.path().join("real")).unwrap();
    for name in ["ld-linux-aarch64.so.1", "libc.so.6", "libm.so.6"] {
        std::fs::copy(format!("{}/lib/{name}", Target::A64.sysroot()), empty.path().join("real").join(name))
            .unwrap();
    }
    for (directory, name) in [(Path::new("/"), empty.path()), (empty.path(), Path::new("real/.."))] {
        Command::new(&translated).current_dir(directory).env("XLATE_SYSROOT", name).assert().code(41);
    }
}

/// An ARM program that an ARM program executes has the same sysroot.
#[test]
fn executed_programs() {
    let program = ours_for(Target::A64, "dynamic.c", Libc::Shared, &["-O2", "-rdynamic"]);
    let translated = translate(&program, &["--libraries", "none", "--sysroot", Target::A64.sysroot()])
        .unwrap_or_else(|e| panic!("{e}"));
    let cache = tempfile::tempdir().unwrap();
    let mut c = Command::new(&translated);
    c.arg("execute").arg(&program).env("XLATE", testsuite::tools::xlate()).env("XLATE_CACHE", cache.path());
    c.assert().success().stdout("other name\n");
    // `xlate run` need not be told which command it is.
    let mut c = Command::new(testsuite::tools::xlate());
    c.args(["run", "-O0", "--sysroot", Target::A64.sysroot()]).arg(&program).arg("execute").arg(&program);
    c.env("PATH", "/usr/bin:/bin").env_remove("XLATE").env("XLATE_CACHE", cache.path());
    c.assert().success().stdout("other name\n");
    // Options hold for what the program executes, too: the cache's place is not that of the environment.
    let mut c = Command::new(testsuite::tools::xlate());
    let mine = tempfile::tempdir().unwrap();
    c.args(["run", "--no-lift", "--cache"]).arg(mine.path()).args(["--sysroot", Target::A64.sysroot()]);
    c.arg(&program).arg("execute").arg(&program).env("XLATE_CACHE", mine.path().join("other"));
    c.assert().success().stdout("other name\n");
    assert!(!mine.path().join("other").exists());
    // The command is known without any environment, as behind `env -i` and logins.
    let mut c = Command::new(testsuite::tools::xlate());
    c.args(["run", "-O0", "--sysroot", Target::A64.sysroot()]).arg(&program).arg("execute").arg(&program);
    c.env_clear().env("XLATE_CACHE", cache.path());
    c.assert().success().stdout("other name\n");
}

/// What programs ask of a file is asked of the sysroot's, a symbolic link's own properties too.
#[test]
fn files_of_the_sysroot() {
    for target in [Target::A64, Target::T32] {
        let program = ours_for(target, "dynamic.c", Libc::Shared, &["-O2", "-rdynamic"]);
        let translated = translate(&program, &["--libraries", "none"]).unwrap_or_else(|e| panic!("{e}"));
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("lib")).unwrap();
        for name in std::fs::read_dir(target.sysroot().to_string() + "/lib").unwrap().flatten() {
            let text = name.file_name().into_string().unwrap();
            if text.starts_with("ld-")
                || ["libc.so.6", "libm.so.6", "libpthread.so.0"].contains(&text.as_str())
            {
                std::fs::copy(name.path(), root.path().join("lib").join(text)).unwrap();
            }
        }
        std::fs::write(root.path().join("only-there"), "").unwrap();
        std::os::unix::fs::symlink("/only-there", root.path().join("link")).unwrap();
        let mut c = Command::new(&translated);
        c.args(["find", "/link"]).env("XLATE_SYSROOT", root.path());
        c.assert().success().stdout("1 1 1 /only-there\n");
    }
}

/// The translation of `xlate run` lies in a cache. The program finds itself where it is, and the libraries beside it, also when it executes
/// itself; and nothing else in its environment.
#[test]
fn the_program_itself() {
    for target in [Target::A64, Target::T32] {
        let flags = ["-O2", "-Wl,-rpath,$ORIGIN"];
        let program = ours_for(target, "dynamic.c", Libc::Shared, &flags);
        let library = ours_for(target, "dynamic-lib.c", Libc::Shared, &["-O2", "-shared", "-fPIC"]);
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().canonicalize().unwrap().join("program");
        std::fs::copy(&program, &own).unwrap();
        std::fs::copy(&library, own.with_file_name("libbeside.so")).unwrap();
        std::os::unix::fs::symlink("program", own.with_file_name("link")).unwrap();
        let mut c = Command::new(testsuite::tools::xlate());
        c.args(["run", "-O0", "./link", "self"]).current_dir(dir.path());
        let own = own.display();
        let shown = format!("{own} 1 {own} 1111\nfound\n").repeat(2) + "library ends\n";
        c.env("XLATE_CACHE", dir.path().join("cache")).assert().success().stdout(shown);
    }
}
