//! Runs tests, many of them in one program: each is compiled to an object whose only visible symbol is its renamed `main`,
//! and a small driver calls the one whose number it is given, so that each test still has a process of its own. Takes
//! tests, gives verdicts. A test that does not pass under qemu this way is tried again as a program of its own.

use super::{Engine, Setup, Test, Verdict};
use crate::compare::{Outcome, Run, run_qemu, run_translated, translate};
use crate::guest::{Libc, Target, build_for, checked, content_hash, object};
use crate::{store, temporary};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// qemu's processor without what we do not announce, as far as it can be switched off.
const fn cpu(target: Target) -> &'static str {
    match target {
        Target::A64 => "max,sve=off,sme=off,pauth=off",
        Target::A32 | Target::T32 => "max",
    }
}

/// Compiled test, ready to be linked with others.
struct Object<'a> {
    index: usize,
    test: &'a Test,
    path: PathBuf,
    symbol: String,
    libc: Libc,
}

/// Runs `tests`: their verdicts, in their order.
pub fn run(tests: &[Test], setup: &Setup) -> Vec<super::Outcome> {
    let mut verdicts: Vec<Option<Vec<Verdict>>> = vec![None; tests.len()];
    let mut alone = Vec::new();
    let mut objects = Vec::new();
    let compiled: Vec<_> = tests.par_iter().enumerate().map(|(i, t)| (i, compile(i, t, setup))).collect();
    for (i, result) in compiled {
        match result {
            Ok(Some(o)) => objects.push(o),
            Ok(None) => alone.push(i),
            Err(why) => verdicts[i] = Some(everywhere(setup, Verdict::NoOracle(why))),
        }
    }
    let groups = groups(objects, setup.group);
    let grouped: Vec<(usize, Option<Vec<Verdict>>)> =
        groups.par_iter().flat_map(|g| run_group(g, setup)).collect();
    for (i, verdict) in grouped {
        match verdict {
            Some(v) => verdicts[i] = Some(v),
            None => alone.push(i),
        }
    }
    let singles: Vec<_> = alone.par_iter().map(|&i| (i, run_alone(&tests[i], setup))).collect();
    for (i, verdict) in singles {
        verdicts[i] = Some(verdict);
    }
    let done = verdicts.into_iter().map(|v| v.expect("invariant: each test has a verdict"));
    tests.iter().map(|t| t.name.clone()).zip(done).collect()
}

/// The same verdict in all engines.
fn everywhere(setup: &Setup, verdict: Verdict) -> Vec<Verdict> {
    vec![verdict; setup.engines.len()]
}

/// The test's object; `None` if it needs its own program, an error if there is no way to run it.
fn compile<'a>(index: usize, test: &'a Test, setup: &Setup) -> Result<Option<Object<'a>>, String> {
    if let Some(why) = &test.unsuitable {
        return Err(format!("not for this machine: {why}"));
    }
    if test.alone {
        return Ok(None);
    }
    // Some need headers that musl has not.
    let with = |libc| compile_with(setup.target, libc, index, test);
    with(setup.libc).or_else(|_| with(Libc::Glibc)).map(Some)
}

fn compile_with<'a>(target: Target, libc: Libc, index: usize, test: &'a Test) -> Result<Object<'a>, String> {
    let hash = content_hash(format!("{target:?} {:?} {:?} {:?}", libc, test.sources, test.flags).as_bytes());
    let symbol = format!("xlate_test_{hash:016x}");
    let dir = store().join("torture-objects");
    std::fs::create_dir_all(&dir).map_err(|e| e.to_string())?;
    let path = dir.join(format!("{hash:016x}.o"));
    if !path.exists() {
        let temp = temporary(&path);
        object(target, &test.sources, libc, &test.flags, &temp).map_err(|e| does_not_compile(&e))?;
        let renamed = temporary(&path);
        let mut objcopy = Command::new(target.binutil("objcopy"));
        objcopy
            .arg(format!("--redefine-sym=main={symbol}"))
            .arg(format!("--keep-global-symbol={symbol}"))
            .arg(&temp)
            .arg(&renamed);
        let result = checked(&mut objcopy);
        let _ = std::fs::remove_file(&temp);
        result?;
        // Only whole files have that name: others may want the same.
        std::fs::rename(&renamed, &path).map_err(|e| e.to_string())?;
    }
    Ok(Object { index, test, path, symbol, libc })
}

/// The compiler's first complaint.
fn does_not_compile(message: &str) -> String {
    let line = message.lines().find(|l| l.contains("error:")).or(message.lines().last());
    format!("does not compile: {}", line.unwrap_or_default())
}

/// Groups of at most `size` whose C library and flags for the linker are the same.
fn groups(objects: Vec<Object>, size: usize) -> Vec<Vec<Object>> {
    let mut by_flags: BTreeMap<(bool, Vec<&str>), Vec<Object>> = BTreeMap::new();
    for o in objects {
        by_flags.entry((o.libc == Libc::Glibc, link_flags(o.test))).or_default().push(o);
    }
    let mut groups = Vec::new();
    for list in by_flags.into_values() {
        let mut group = Vec::new();
        for o in list {
            group.push(o);
            if group.len() == size.max(1) {
                groups.push(std::mem::take(&mut group));
            }
        }
        if !group.is_empty() {
            groups.push(group);
        }
    }
    groups
}

/// Flags that mean something when linking.
fn link_flags(test: &Test) -> Vec<&str> {
    let links = |f: &&str| {
        ["-l", "-Wl,", "-pthread", "-fopenmp", "-fgnu-tm"].iter().any(|p| f.starts_with(p))
            // These link start-up code that sets FPCR.
            || ["-ffast-math", "-Ofast", "-funsafe-math-optimizations"].contains(f)
    };
    test.flags.iter().map(String::as_str).filter(links).collect()
}

/// Runs a group; no verdicts for those that are to run alone.
fn run_group(group: &[Object], setup: &Setup) -> Vec<(usize, Option<Vec<Verdict>>)> {
    let program = match link(group, setup) {
        Ok(p) => p,
        Err(_) if group.len() > 1 => {
            let (a, b) = group.split_at(group.len() / 2);
            return [a, b].into_par_iter().flat_map(|half| run_group(half, setup)).collect();
        }
        Err(_) => return group.iter().map(|o| (o.index, None)).collect(),
    };
    let numbers: Vec<String> = (0..group.len()).map(|n| n.to_string()).collect();
    let expected: Vec<Outcome> =
        numbers.par_iter().map(|n| run_qemu(&program, &run_with(setup, None, vec![n.as_str()]))).collect();
    let translated = translate_all(&program, setup);
    let judge = |(n, o): (usize, &Object)| {
        let good = expected[n].status == 0;
        let args = vec![numbers[n].as_str()];
        (o.index, good.then(|| verdicts(o.test, setup, &translated, args, &expected[n])))
    };
    let result = group.par_iter().enumerate().map(judge).collect();
    discard(&translated);
    let _ = std::fs::remove_file(&program);
    result
}

/// The program for each engine; those of the same flags share one.
fn translate_all(program: &Path, setup: &Setup) -> Vec<Result<PathBuf, String>> {
    setup.engines.iter().map(|e| translate(program, &e.xflags)).collect()
}

/// Runs a test in each engine.
fn verdicts(
    test: &Test,
    setup: &Setup,
    translated: &[Result<PathBuf, String>],
    args: Vec<&str>,
    expected: &Outcome,
) -> Vec<Verdict> {
    let verdict = |(engine, program): (&Engine, &Result<PathBuf, String>)| match program {
        Err(e) => Verdict::Fail(e.clone()),
        Ok(p) => compare(test, &run_translated(p, &run_with(setup, Some(engine), args.clone())), expected),
    };
    setup.engines.iter().zip(translated).map(verdict).collect()
}

/// Links a group's objects with a driver. The program is this setup's own: it is removed when it has run, which may be
/// while another setup's runs.
fn link(group: &[Object], setup: &Setup) -> Result<PathBuf, String> {
    let declared: Vec<&str> = group.iter().map(|o| o.symbol.as_str()).collect();
    let text = format!(
        "// {1:016x}\n#include <stdlib.h>\n\
         typedef int Main(int, char **, char **);\n\
         extern Main {0};\n\
         static Main *const tests[] = {{ {0} }};\n\
         int main(int argc, char **argv, char **envp)\n\
         {{\n  Main *test = tests[atoi(argv[1])];\n  argv[1] = 0;\n  return test(1, argv, envp);\n}}\n",
        declared.join(", "),
        setup_hash(setup),
    );
    let driver =
        store().join("torture-objects").join(format!("driver-{:016x}.c", content_hash(text.as_bytes())));
    std::fs::write(&driver, text).map_err(|e| e.to_string())?;
    let mut sources: Vec<&Path> = vec![&driver];
    sources.extend(group.iter().map(|o| o.path.as_path()));
    // What one test lacks shall not stop the others; it fails when it calls it.
    let mut flags = vec!["-w", "-O1", "-Wl,--unresolved-symbols=ignore-all"];
    flags.extend(link_flags(group[0].test));
    let result = build_for(setup.target, &sources, group[0].libc, &flags);
    let _ = std::fs::remove_file(&driver);
    result
}

/// Builds, runs and judges one test as a program of its own; with glibc if musl has not what it needs.
fn run_alone(test: &Test, setup: &Setup) -> Vec<Verdict> {
    let sources: Vec<&Path> = test.sources.iter().map(PathBuf::as_path).collect();
    let own = format!("-DXLATE_SETUP={:016x}", setup_hash(setup));
    let flags: Vec<&str> = test.flags.iter().chain([&own]).map(String::as_str).collect();
    let build = |libc| build_for(setup.target, &sources, libc, &flags);
    let program = match build(setup.libc).or_else(|_| build(Libc::Glibc)) {
        Ok(p) => p,
        Err(e) => return everywhere(setup, Verdict::NoOracle(does_not_compile(&e))),
    };
    let expected = run_qemu(&program, &run_with(setup, None, Vec::new()));
    let result = if expected.status != 0 {
        everywhere(setup, Verdict::NoOracle(format!("under qemu: {expected:?}")))
    } else {
        let translated = translate_all(&program, setup);
        let result = verdicts(test, setup, &translated, Vec::new(), &expected);
        discard(&translated);
        result
    };
    let _ = std::fs::remove_file(&program);
    result
}

fn setup_hash(setup: &Setup) -> u64 {
    content_hash(format!("{setup:?}").as_bytes())
}

/// In an engine or under qemu.
fn run_with<'a>(setup: &Setup, engine: Option<&Engine<'a>>, args: Vec<&'a str>) -> Run<'a> {
    let env = engine.map(|e| e.env.clone()).unwrap_or_default();
    // Some of gcc.dg take half a minute interpreted, on an idle machine.
    let interpreted = env.contains(&("XLATE_ENGINE", "interp"));
    let timeout = Some(Duration::from_secs(if interpreted { 900 } else { 120 }));
    Run { args, timeout, env, cpu: Some(cpu(setup.target)), ..Run::default() }
}

fn compare(test: &Test, got: &Outcome, expected: &Outcome) -> Verdict {
    if got == expected || got.status == expected.status && prints_what_varies(test) {
        Verdict::Pass
    } else {
        Verdict::Fail(format!("{got:?} instead of {expected:?}"))
    }
}

/// Output that differs from run to run: addresses, counts of a timer's signals, what several threads print.
fn prints_what_varies(test: &Test) -> bool {
    let these = [
        "/return-addr.c",
        "/pr94514.c",
        "/torture/matrix-2.c",
        "/signals.c",
        "/testthread.c",
        "/test-mmap.c",
        "/sysregs.c",
        "/commpage.c",
    ];
    these.iter().any(|n| test.name.contains(n))
}

/// Removes translations: thousands of them would fill the disk.
fn discard(translated: &[Result<PathBuf, String>]) {
    for path in translated.iter().flatten() {
        let _ = std::fs::remove_file(path);
        let _ = path.parent().map(std::fs::remove_dir);
    }
}
