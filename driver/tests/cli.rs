//! The command line: exit statuses, messages, and that nothing is lost. Needs no guest program but the few bytes of one
//! made here.

mod support;

use support::{elf, files, message, tiny, xlate};

#[test]
fn a_tiny_program_is_translated_and_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (arm, out) = (dir.path().join("tiny"), dir.path().join("out"));
    std::fs::write(&arm, tiny()).unwrap();
    xlate().arg(&arm).arg("-o").arg(&out).assert().success();
    assert_eq!(std::process::Command::new(&out).status().unwrap().code(), Some(42));
    assert_eq!(files(dir.path()), ["out", "tiny"]);
    // Without -o the name is derived.
    xlate().arg(&arm).assert().success();
    assert_eq!(files(dir.path()), ["out", "tiny", "tiny.x86"]);
}

#[test]
fn outputs_are_executable_as_far_as_the_umask_lets() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (arm, out) = (dir.path().join("tiny"), dir.path().join("out"));
    std::fs::write(&arm, tiny()).unwrap();
    xlate().arg(&arm).arg("-o").arg(&out).assert().success();
    // An ordinary new file has 0666 as the umask lets.
    let mode = |p: &std::path::Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
    let readable = mode(&arm) & 0o444;
    assert_eq!(mode(&out), mode(&arm) | readable >> 2);
}

#[test]
fn statistics_are_json_on_stdout() {
    let dir = tempfile::tempdir().unwrap();
    let arm = dir.path().join("tiny");
    std::fs::write(&arm, tiny()).unwrap();
    let out = xlate().arg(&arm).args(["--stats", "--json", "--strict"]).output().unwrap();
    assert_eq!(out.status.code(), Some(0));
    let stats: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(stats["guest_instructions"], 3);
    assert_eq!(stats["fallbacks"], 0);
}

#[test]
fn run_uses_the_cache_and_concurrent_runs_agree() {
    let dir = tempfile::tempdir().unwrap();
    let arm = dir.path().join("tiny");
    std::fs::write(&arm, tiny()).unwrap();
    let run = |args: &[&str]| {
        let mut c = xlate();
        c.arg("run").args(args).arg(&arm).env("XDG_CACHE_HOME", dir.path()).env_remove("XLATE_CACHE");
        c
    };
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| run(&[]).assert().code(42));
        }
    });
    let cached = files(&dir.path().join("xlate/programs"));
    assert_eq!(cached.iter().filter(|f| !f.ends_with(".lock")).count(), 1, "{cached:?}");
    run(&[]).assert().code(42);
    // Without a cache nothing is left behind.
    run(&["--no-cache"]).env("XDG_CACHE_HOME", dir.path().join("other")).assert().code(42);
    assert_eq!(files(dir.path()), ["tiny", "xlate"]);
}

/// `ls --help` is asked of ls.
#[test]
fn options_behind_the_program_are_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let arm = dir.path().join("tiny");
    std::fs::write(&arm, tiny()).unwrap();
    for arguments in [&["--help"][..], &["-v", "-O9"], &["file", "--sysroot"], &["--no-such", "--", "-h"]] {
        xlate().args(["run", "-O0"]).arg(&arm).args(arguments).assert().code(42);
    }
    let (status, text) = message(xlate().arg("run").arg("--no-such").arg(&arm));
    assert!(status == Some(2) && text.contains("--no-such"), "{text}");
    assert_eq!(message(xlate().arg("run")).0, Some(2));
}

#[test]
fn a_program_gets_the_streams_and_ignored_signals_that_xlate_run_got() {
    let dir = tempfile::tempdir().unwrap();
    let arm = dir.path().join("asks");
    // Whether descriptor 1 is closed, SIGPIPE is ignored, SIGCHLD is ignored: bits 0, 1, 2 of the exit status.
    let code = [
        0xd280_0020,
        0xd280_0021,
        0xd280_0328,
        0xd400_0001, // fcntl(1, F_GETFD)
        0xaa00_03f3, // mov x19, x0
        0xd280_01a0,
        0xd280_0001,
        0xd101_03e2,
        0xd280_0103,
        0xd280_10c8,
        0xd400_0001, // rt_sigaction(13, 0, sp - 64, 8)
        0xf85c_0ff4, // ldr x20, [sp, #-64]!
        0xd280_0220,
        0xd280_0001,
        0x9100_03e2,
        0xd280_0103,
        0xd280_10c8,
        0xd400_0001, // rt_sigaction(17, 0, sp, 8)
        0xf940_03f5, // ldr x21, [sp]
        0xd37f_fe60,
        0xaa14_0400,
        0xaa15_0800,
        0xd280_0ba8,
        0xd400_0001, // exit(x19 < 0 | x20 << 1 | x21 << 2)
    ];
    std::fs::write(&arm, elf(&code)).unwrap();
    let run = |shell: &str| {
        let mut c = assert_cmd::Command::new("sh");
        c.arg("-c").arg(format!("{shell} \"$0\" run --no-cache \"$1\" $2"));
        c.arg(assert_cmd::cargo::cargo_bin!("xlate")).arg(&arm);
        c.output().unwrap().status.code()
    };
    assert_eq!(run("exec"), Some(0));
    assert_eq!(run("exec >&-"), Some(1));
    assert_eq!(run("trap '' PIPE; exec"), Some(2));
    assert_eq!(run("exec env --ignore-signal=CHLD"), Some(4));
}

/// gcc for ARM is a program that executes others, and tells them by variables where its parts are.
#[test]
fn variables_of_another_compiler_driver_are_not_obeyed() {
    let dir = tempfile::tempdir().unwrap();
    let (arm, out) = (dir.path().join("tiny"), dir.path().join("out"));
    std::fs::write(&arm, tiny()).unwrap();
    let mut c = xlate();
    c.arg(&arm).arg("-o").arg(&out).env("COLLECT_GCC", "gcc").env("GCC_EXEC_PREFIX", "/no/such/lib/gcc/");
    c.env("COMPILER_PATH", dir.path()).env("LIBRARY_PATH", dir.path());
    let (status, text) = message(&mut c);
    assert_eq!(status, Some(0), "{text}");
    // A program that another executes has that one's environment, and its CC is a compiler for ARM.
    let mut c = xlate();
    c.args(["run", "--no-cache", "--argv0", "other", "--"]).arg(&arm).env("CC", "/no/such/compiler");
    c.assert().code(42);
}

#[test]
fn bad_inputs_get_a_message_and_status_2() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("input");
    let mut arm32 = tiny();
    arm32[4] = 1;
    arm32[18] = 40;
    let mut big_endian = tiny();
    big_endian[5] = 2;
    big_endian[16..20].copy_from_slice(&[0, 2, 0, 183]);
    big_endian[20..24].copy_from_slice(&[0, 0, 0, 1]);
    let mut x86 = tiny();
    x86[18] = 62;
    let mut truncated = tiny();
    truncated.truncate(100);
    let mut dynamic = tiny();
    dynamic[64] = 3; // PT_INTERP
    let of_type = |e_type: u8| {
        let mut file = tiny();
        file[16] = e_type;
        file
    };
    let mut no_library = of_type(3);
    no_library[24..32].fill(0);
    let mut many = tiny();
    many[56..58].fill(0xff);
    let cases: [(&[u8], &str); 13] = [
        (&[0x7f], "ELF"),
        (&of_type(1), "link it"),
        (&of_type(4), "core"),
        (&of_type(9), "type 9"),
        (&no_library, "shared library"),
        (&many, "65535 program headers"),
        (b"", "ELF"),
        (b"#!/bin/sh\n", "ELF"),
        (&arm32, "AArch32"),
        (&big_endian, "endian"),
        (&x86, "AArch64"),
        (&truncated, "input"),
        (&dynamic, "dynamic linker"),
    ];
    for (bytes, expected) in cases {
        std::fs::write(&path, bytes).unwrap();
        let (status, text) = message(xlate().arg(&path));
        assert_eq!(status, Some(2), "{text}");
        assert!(text.contains(expected) && text.contains("input"), "{expected:?} is not in {text:?}");
        // What to do about it.
        assert!(text.contains("; "), "{text}");
        assert_eq!(files(dir.path()), ["input"], "{text}");
    }
    assert_eq!(message(xlate().arg("/does/not/exist")).0, Some(2));
    std::fs::write(&path, tiny()).unwrap();
    for sysroot in ["/does/not/exist", "/dev/null"] {
        let (status, text) = message(xlate().arg("--sysroot").arg(sysroot).arg(&path));
        assert!(status == Some(2) && text.contains(&format!("--sysroot {sysroot}: ")), "{text}");
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(message(xlate().arg(dir.path())).0, Some(2));
    assert_eq!(message(&mut xlate()).0, Some(2));
}

/// Programs read their own file: data behind what ELF describes are part of it.
#[test]
fn the_output_contains_the_whole_file() {
    let dir = tempfile::tempdir().unwrap();
    let (arm, out) = (dir.path().join("tiny"), dir.path().join("out"));
    let mut program = tiny();
    program.extend((0..5000u32).map(|i| (i * i) as u8));
    std::fs::write(&arm, &program).unwrap();
    let (status, text) = message(xlate().arg(&arm).arg("-o").arg(&out).arg("--stats"));
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains(&format!("; {} of each are the guest file", program.len())), "{text}");
    let output = std::fs::read(&out).unwrap();
    // On pages of its own.
    let pages = output.chunks(4096).enumerate();
    let starts: Vec<usize> =
        pages.filter(|(_, page)| page.starts_with(&program[..4096])).map(|(i, _)| 4096 * i).collect();
    let [start] = starts[..] else { panic!("{starts:?}") };
    let end = start + program.len();
    assert_eq!(&output[start..end], program);
    assert!(output[end..end.next_multiple_of(4096)].iter().all(|b| *b == 0));
    // What it is now is said by name.
    let (status, text) = message(xlate().arg(&out));
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("x86-64"), "{text}");
}

#[test]
fn an_existing_output_survives_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let (arm, out) = (dir.path().join("tiny"), dir.path().join("out"));
    std::fs::write(&arm, tiny()).unwrap();
    std::fs::write(&out, "precious").unwrap();
    let (status, text) = message(xlate().arg(&arm).arg("-o").arg(&out).env("CC", "/no/such/compiler"));
    assert_eq!(status, Some(2));
    assert!(text.contains("/no/such/compiler") && text.contains("install"), "{text}");
    assert_eq!(std::fs::read(&out).unwrap(), b"precious");
    assert_eq!(files(dir.path()), ["out", "tiny"]);
    let (status, text) = message(xlate().arg(&arm).arg("-o").arg(dir.path().join("no/such/dir/out")));
    assert_eq!(status, Some(2));
    assert!(text.contains("no/such/dir"), "{text}");
}

#[test]
fn an_unknown_processor_is_told_with_those_known() {
    let dir = tempfile::tempdir().unwrap();
    let arm = dir.path().join("tiny");
    std::fs::write(&arm, tiny()).unwrap();
    for cpu in ["pentium99", "i386", "x86-64", ""] {
        let (status, text) = message(xlate().arg(&arm).args(["--target-cpu", cpu]));
        assert_eq!(status, Some(2), "{text}");
        assert!(text.contains("x86-64-v3"), "{text}");
    }
    for cpu in ["native", "x86-64-v3"] {
        xlate().arg(&arm).args(["--target-cpu", cpu]).assert().success();
    }
}

#[test]
fn help_shows_examples() {
    let out = xlate().arg("--help").output().unwrap();
    assert_eq!(out.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&out.stdout).contains("xlate inspect"));
}
