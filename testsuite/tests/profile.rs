//! Learning: code that no search finds, run once with XLATE_PROFILE, is lifted by the next translation, after which next to
//! nothing is interpreted (as XLATE_STATS counts it); profiles of several processes, of a killed one, damaged ones, and
//! those of other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testsuite::guest::{Libc, Target, ours_for};
use testsuite::{compare, store, tools};

/// The guest, stripped, and its translation without a profile.
fn program() -> (PathBuf, PathBuf) {
    program_for(Target::A64)
}

fn program_for(target: Target) -> (PathBuf, PathBuf) {
    // Nor do unwind tables say where functions are.
    let flags = ["-O2", "-s", "-fno-crossjumping", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"];
    let program = ours_for(target, "learn.c", Libc::Musl, &flags);
    let translated = compare::translate(&program, &["-O1"]).unwrap_or_else(|e| panic!("{e}"));
    (program, translated)
}

/// An empty directory of that name.
fn directory(name: &str) -> PathBuf {
    let dir = store().join("profile").join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

struct Ran {
    status: Option<i32>,
    stdout: String,
    stderr: String,
    interpreted: u64,
}

fn run(program: &Path, args: &[&str], profile: Option<&Path>) -> Ran {
    let mut c = Command::new(program);
    c.args(args).env("XLATE_STATS", "1").stdin(Stdio::null());
    // What is not in ahead-of-time code is to be interpreted, which counts exactly.
    c.env("XLATE_JIT_THRESHOLD", "0");
    if let Some(p) = profile {
        c.env("XLATE_PROFILE", p);
    }
    let out = c.output().unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    let count = |l: &str| {
        let rest = l.strip_prefix("xlate: stats: interpreter: ")?.split_once("; ")?.1;
        rest.split(' ').next()?.parse::<u64>().ok()
    };
    Ran {
        status: out.status.code(),
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        interpreted: stderr.lines().find_map(count).unwrap_or(u64::MAX),
        stderr,
    }
}

/// Translates with profiles; gives what was said.
fn learn(program: &Path, profiles: &[&Path], out: &Path) -> String {
    let mut c = Command::new(tools::xlate());
    c.arg(program).args(["-O1", "--stats", "-o"]).arg(out).env("XLATE_CACHE", store().join("functions"));
    for p in profiles {
        c.arg("--profile").arg(p);
    }
    let result = c.output().unwrap();
    let said = String::from_utf8_lossy(&result.stderr).into_owned();
    assert!(result.status.success(), "{said}");
    said
}

#[test]
fn one_run_is_enough() {
    one_run(Target::A64, &["goto", "switch", "pointers", "handlers", "jumps"]);
}

/// GCC makes few blocks of `jumps`, because of conditional instructions.
#[test]
fn one_run_is_enough_t32() {
    one_run(Target::T32, &["goto", "switch", "pointers", "handlers"]);
}

fn one_run(target: Target, modes: &[&str]) {
    let (program, first) = program_for(target);
    let dir = directory(&format!("one-{target:?}"));
    let (profile, second) = (dir.join("profile"), dir.join("learnt"));
    let before: Vec<Ran> = modes.iter().map(|m| run(&first, &[m, "1000"], Some(&profile))).collect();
    let said = learn(&program, &[&profile], &second);
    for (mode, before) in modes.iter().zip(before) {
        let after = run(&second, &[mode, "1000"], Some(&dir.join("more")));
        println!(
            "{mode}: {} instructions interpreted, {} with the profile",
            before.interpreted, after.interpreted
        );
        assert_eq!((before.status, after.status), (Some(0), Some(0)), "{mode}: {}", after.stderr);
        assert_eq!(before.stdout, after.stdout, "{mode}");
        let expected =
            Command::new(target.qemu()).arg(&program).args([mode, "1000"]).output().unwrap().stdout;
        assert_eq!(after.stdout.as_bytes(), expected, "{mode}");
        assert!(before.interpreted > 1000, "{mode}: {}", before.stderr);
        assert!(after.interpreted <= 20, "{mode}: {}\n{said}", after.stderr);
    }
    assert!(said.contains("findings for this file, 0 for others\n"), "{said}");
    assert!(said.lines().any(|l| l.starts_with("profile ")), "{said}");
}

#[test]
fn processes_write_to_one_file_at_once() {
    let (program, first) = program();
    let dir = directory("processes");
    let (profile, second) = (dir.join("profile"), dir.join("learnt"));
    let ran = run(&first, &["processes"], Some(&profile));
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "done 0\n"), "{}", ran.stderr);
    let text = std::fs::read_to_string(&profile).unwrap();
    assert!(text.ends_with('\n') && text.lines().all(|l| abi::profile::parse(l).is_some()), "{text}");
    learn(&program, &[&profile], &second);
    let after = run(&second, &["all"], None);
    assert!(after.interpreted <= 100, "{}", after.stderr);
}

#[test]
fn a_killed_process_leaves_what_it_found() {
    let (program, first) = program();
    let dir = directory("killed");
    let (profile, second) = (dir.join("profile"), dir.join("learnt"));
    assert_eq!(run(&first, &["killed"], Some(&profile)).status, None);
    learn(&program, &[&profile], &second);
    for mode in ["goto", "switch"] {
        let after = run(&second, &[mode], None);
        assert!(after.interpreted <= 20, "{}", after.stderr);
    }
}

#[test]
fn damaged_and_foreign_profiles() {
    let (program, first) = program();
    let dir = directory("damaged");
    let (profile, second) = (dir.join("profile"), dir.join("learnt"));
    let (other, nothing) = (dir.join("other"), dir.join("nothing"));
    run(&first, &["goto"], Some(&profile));
    let good = std::fs::read_to_string(&profile).unwrap();
    let id = good.split(' ').nth(1).unwrap();

    // Torn lines, other formats, bytes that are no text, places that are no code: the rest holds.
    let mut bad = good.clone().into_bytes();
    bad.extend_from_slice(&good.as_bytes()[..good.len() / 2]);
    bad.extend_from_slice(b"\n\xff\xfe\0\nxlate-profile-2 a b c\n\n");
    for kind in ["call", "jump", "return", "resume"] {
        for target in [0, 3, 0x40_0001, u64::MAX, u64::MAX - 3] {
            bad.extend_from_slice(
                format!("xlate-profile-1 {id} {kind} {target:#x} {target:#x}\n").as_bytes(),
            );
        }
    }
    bad.extend_from_slice(b"xlate-profile-1 build-id:00 call 0x0 0x400000\nxlate-pro");
    std::fs::write(&profile, bad).unwrap();
    let said = learn(&program, &[&profile], &second);
    assert!(said.contains("warning: profile: ") && said.contains(" 1 for others, "), "{said}");
    let after = run(&second, &["goto"], None);
    assert!(after.status == Some(0) && after.interpreted <= 20, "{}", after.stderr);

    std::fs::write(&other, good.replace(id, "build-id:00")).unwrap();
    std::fs::write(&nothing, "").unwrap();
    let said = learn(&program, &[&other, &nothing], &second);
    let lines = good.lines().count();
    assert!(
        said.contains(&format!("warning: profile: 0 findings for this file, {lines} for others\n")),
        "{said}"
    );
    assert_eq!(
        std::fs::read(&second).unwrap(),
        std::fs::read(&first).unwrap(),
        "a profile of another program changes nothing"
    );
}

#[test]
fn every_place_as_a_finding() {
    // The worst profile: it says of every fourth byte that it was called, jumped to, returned to.
    let (program, first) = program();
    let dir = directory("everything");
    let (profile, second) = (dir.join("profile"), dir.join("learnt"));
    run(&first, &["goto"], Some(&profile));
    let text = std::fs::read_to_string(&profile).unwrap();
    let (id, finding) = abi::profile::parse(text.lines().next().unwrap()).unwrap();
    let near = finding.target & !0xfff;
    let lines: String = (0..300u64)
        .map(|i| {
            let kind = abi::profile::Kind::ALL[i as usize % 4];
            let finding =
                abi::profile::Finding { kind, source: near + 4 * (i * 7 % 300), target: near + 4 * i };
            abi::profile::Line { identity: id, finding }.to_string()
        })
        .collect();
    std::fs::write(&profile, lines).unwrap();
    learn(&program, &[&profile], &second);
    let (a, b) = (run(&first, &["all", "20"], None), run(&second, &["all", "20"], None));
    assert_eq!((a.status, &a.stdout), (b.status, &b.stdout), "{}", b.stderr);
}

#[test]
fn files_that_cannot_be_written() {
    let (_, first) = program();
    let dir = directory("unwritable");
    for path in [dir.clone(), dir.join("missing/file")] {
        let ran = run(&first, &["goto", "10"], Some(&path));
        assert_eq!((ran.status, ran.stdout.starts_with("goto ")), (Some(0), true));
        assert_eq!(ran.stderr.matches("XLATE_PROFILE").count(), 1, "{}", ran.stderr);
    }
    let mut c = Command::new(tools::xlate());
    let out = c.arg(&first).arg("--profile").arg(dir.join("missing")).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
}
