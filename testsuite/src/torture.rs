//! gcc's execution torture tests from Debian's `gcc-12-source`: builds each for AArch64, runs it under qemu-user, and if it
//! passes there expects it to pass translated. Takes the tests' directory, gives one verdict per test.

use crate::compare::{Run, run_qemu, run_translated, translate};
use crate::guest::{Libc, build};
use crate::store;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What became of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Passes under qemu and translated.
    Pass,
    /// Not for this target, does not compile or does not pass under qemu: no oracle.
    NoOracle(String),
    /// Passes under qemu, but not translated.
    Fail(String),
}

/// How to build, translate and run.
#[derive(Clone, Debug)]
pub struct Setup<'a> {
    /// Flags for the cross compiler.
    pub cflags: Vec<&'a str>,
    /// C library.
    pub libc: Libc,
    /// Flags for `xlate`.
    pub xflags: Vec<&'a str>,
    /// Environment of the translated program.
    pub env: Vec<(&'a str, &'a str)>,
}

/// All tests, sorted: `execute/*.c` and `execute/ieee/*.c`.
pub fn tests() -> Vec<PathBuf> {
    let dir = sources();
    let mut all = Vec::new();
    for sub in ["", "ieee"] {
        for entry in std::fs::read_dir(dir.join(sub)).expect("the torture tests were unpacked").flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|e| e == "c") {
                all.push(path);
            }
        }
    }
    all.sort();
    all
}

/// Unpacks the tests once.
fn sources() -> PathBuf {
    let dir = store().join("torture");
    let execute = dir.join("execute");
    if !dir.join(".unpacked").exists() {
        let lock = std::fs::File::create(store().join("torture.lock")).expect("the store can be written");
        lock.lock().expect("the lock file can be locked");
        if !dir.join(".unpacked").exists() {
            let archive = std::fs::read_dir("/usr/src/gcc-12")
                .expect("the package gcc-12-source is installed (`cargo xtask setup --test`)")
                .flatten()
                .map(|e| e.path())
                .find(|p| {
                    p.to_string_lossy().ends_with(".tar.xz") && p.to_string_lossy().contains("/gcc-12.")
                })
                .expect("gcc-12-source holds an archive");
            std::fs::create_dir_all(&dir).expect("the store can be written");
            let ok = Command::new("tar")
                .arg("-xJf")
                .arg(archive)
                .arg("-C")
                .arg(&dir)
                .args(["--wildcards", "--strip-components=4", "*/gcc/testsuite/gcc.c-torture/execute/*"])
                .status()
                .is_ok_and(|s| s.success());
            assert!(ok && execute.is_dir(), "gcc-12-source could not be unpacked");
            std::fs::write(dir.join(".unpacked"), "").expect("the store can be written");
        }
    }
    execute
}

/// Runs `tests`, two at a time or as many as there are cores.
pub fn run(tests: &[PathBuf], setup: &Setup) -> Vec<(PathBuf, Verdict)> {
    tests.par_iter().map(|t| (t.clone(), run_one(t, setup))).collect()
}

/// Builds, runs and judges one test.
pub fn run_one(test: &Path, setup: &Setup) -> Verdict {
    let text = String::from_utf8_lossy(&std::fs::read(test).unwrap_or_default()).into_owned();
    let extra = dg_options(&text);
    let mut flags: Vec<&str> = vec!["-w"];
    flags.extend(&setup.cflags);
    flags.extend(extra.iter().map(String::as_str));
    let program = match build(test, setup.libc, &flags) {
        Ok(p) => p,
        Err(e) => {
            return Verdict::NoOracle(format!("does not compile: {}", e.lines().last().unwrap_or_default()));
        }
    };
    let run = Run { timeout: Some(Duration::from_secs(120)), env: setup.env.clone(), ..Run::default() };
    let expected = run_qemu(&program, &run);
    if expected.status != 0 {
        return Verdict::NoOracle(format!("under qemu: {expected:?}"));
    }
    let translated = match translate(&program, &setup.xflags) {
        Ok(t) => t,
        Err(e) => return Verdict::Fail(e),
    };
    let got = run_translated(&translated, &run);
    // Thousands of them would fill the disk.
    let _ = std::fs::remove_file(&translated);
    let _ = translated.parent().map(std::fs::remove_dir);
    let same_output = got == expected || got.status == expected.status && prints_addresses(test);
    if same_output { Verdict::Pass } else { Verdict::Fail(format!("{got:?} instead of {expected:?}")) }
}

/// Output that differs from run to run: `return-addr.c` prints addresses of its stack.
fn prints_addresses(test: &Path) -> bool {
    test.file_name().is_some_and(|n| n == "return-addr.c")
}

/// Options that the test asks for in its `dg-options` and `dg-additional-options` comments without a condition.
fn dg_options(text: &str) -> Vec<String> {
    let mut options = Vec::new();
    for line in text.lines().filter(|l| l.contains("dg-options") || l.contains("dg-additional-options")) {
        let quoted: Vec<&str> = line.split('"').collect();
        let conditional = quoted.get(2).is_some_and(|rest| rest.contains("target"));
        if let (Some(list), false) = (quoted.get(1), conditional) {
            options.extend(list.split_whitespace().map(str::to_string));
        }
    }
    options
}

/// Prints failures and counts, and fails if there is a failure or too few passed.
pub fn judge(results: &[(PathBuf, Verdict)], at_least: usize) {
    let passed = results.iter().filter(|r| r.1 == Verdict::Pass).count();
    let failures: Vec<String> = results
        .iter()
        .filter_map(|(t, v)| match v {
            Verdict::Fail(why) => {
                Some(format!("{}: {why}", t.file_name().unwrap_or_default().to_string_lossy()))
            }
            _ => None,
        })
        .collect();
    println!(
        "torture: {passed} passed, {} failed, {} without oracle",
        failures.len(),
        results.len() - passed - failures.len()
    );
    assert!(
        failures.is_empty(),
        "{} tests fail that pass under qemu:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(passed >= at_least, "only {passed} tests passed, expected at least {at_least}");
}
