//! Debian's busybox for arm64, and for armhf: each applet of `cases/busybox.txt` at real work, translated and under qemu-user: standard
//! output, standard error and exit status are the same.

use rayon::prelude::*;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};
use testsuite::compare::{Outcome, Run, run_qemu, run_translated, translate};
use testsuite::full;
use testsuite::packages::{busybox, busybox_armhf};
use testsuite::tools::{qemu, qemu_arm};

/// Files of the work directory.
fn populate(dir: &Path) {
    let write = |name: &str, data: &[u8]| {
        std::fs::write(dir.join(name), data).expect("the work directory is writable")
    };
    write("words.txt", b"banana\napple\ncherry\nbanana\ndate\nelder berry\nApple pie\n");
    write("sorted.txt", b"apple\nbanana\nbanana\ncherry\ndate\n");
    write("numbers.txt", b"10\n9\n100\n-3\n2.5\n77\n0\n42\n");
    write("table.txt", b"a:3\nb:1\nb:20\nc:5\n");
    write("tabs.txt", b"a\tb\n        c\n");
    let binary: Vec<u8> = (0..3000u32).map(|i| ((i * i) >> 3) as u8).collect();
    write("binary.bin", &binary);
    let big: String = (0..20_000).map(|i| format!("line {i} of {}\n", i * 7919 % 1013)).collect();
    write("big.txt", big.as_bytes());
    // "hello xz\n" as made by xz.
    write("data.xz", HELLO_XZ);
    std::fs::create_dir(dir.join("sub")).expect("the work directory is writable");
    write("sub/one", b"pattern here\n");
    write("sub/two", b"nothing\n");
    symlink("words.txt", dir.join("link")).expect("the work directory is writable");
    // The same times in both runs: archives and listings show them. A directory comes after what is in it.
    let entries = |folder: &Path| -> Vec<_> {
        let entries = std::fs::read_dir(folder).expect("the directory can be read");
        entries.flatten().map(|entry| entry.path()).collect()
    };
    for path in [entries(&dir.join("sub")), entries(dir), vec![dir.to_path_buf()]].concat() {
        let file = std::fs::File::open(path).expect("the file was just made");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000))
            .expect("the file is ours");
    }
}

const HELLO_XZ: &[u8] = &[
    0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01, 0x16,
    0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0x01, 0x00, 0x08, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x20, 0x78,
    0x7a, 0x0a, 0x00, 0x00, 0x00, 0x00, 0xc1, 0x49, 0x3a, 0xfa, 0x63, 0x52, 0x14, 0x5a, 0x00, 0x01, 0x21,
    0x09, 0x6c, 0x18, 0xc5, 0xd5, 0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
];

/// Splits a line of `cases/busybox.txt`: arguments as a shell would (quotes only), and the text after ` <`.
fn parse(line: &str) -> (Vec<String>, Vec<u8>) {
    let (mut args, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), c) => word.push(c),
            (None, '\'') => (quote, any) = (Some(c), true),
            (None, ' ') => {
                if any || !word.is_empty() {
                    args.push(std::mem::take(&mut word));
                }
                any = false;
            }
            (None, '<') if word.is_empty() && !any => {
                return (args, chars.as_str().replace("\\n", "\n").replace("\\t", "\t").into_bytes());
            }
            (None, c) => word.push(c),
        }
    }
    if any || !word.is_empty() {
        args.push(word);
    }
    (args, Vec::new())
}

/// Cases; a line within quotes continues.
fn cases() -> Vec<String> {
    let text = include_str!("../cases/busybox.txt");
    let mut cases: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        if open {
            let last = cases.last_mut().expect("invariant: a case is open");
            last.push('\n');
            last.push_str(line);
        } else {
            cases.push(line.to_string());
        }
        open ^= line.matches('\'').count() % 2 == 1;
    }
    cases
}

/// A directory of scripts that execute each applet under qemu. Busybox's shell executes `/proc/self/exe` for an applet;
/// under qemu that fails, and it goes on to what PATH has, which should not be the host's program of that name.
fn applets_under_qemu(arm: &Path, qemu: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let list = run_qemu(arm, &Run { args: vec!["--list"], ..Run::default() });
    for name in String::from_utf8_lossy(&list.stdout).lines() {
        let script = format!("#!/bin/sh\nexec {qemu} {} {name} \"$@\"\n", arm.display());
        let path = dir.path().join(name);
        std::fs::write(&path, script).expect("the directory is ours");
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("the file is ours");
    }
    dir
}

fn in_fresh_directory(case: &str, applets: &Path, run: impl Fn(&Run) -> Outcome) -> Outcome {
    let (args, stdin) = parse(case);
    let dir = tempfile::tempdir().expect("a temporary directory");
    // The same path in both runs, because some applets print it.
    let work = dir.path().join("work");
    std::fs::create_dir(&work).expect("the directory is new");
    populate(&work);
    let path = format!("{}:/usr/bin:/bin", applets.display());
    let mut out = run(&Run {
        args: args.iter().map(String::as_str).collect(),
        stdin: &stdin,
        env: vec![("PATH", &path), ("LC_ALL", "C"), ("TZ", "UTC")],
        dir: Some(work.clone()),
        ..Run::default()
    });
    let name = work.to_string_lossy().into_owned();
    for stream in [&mut out.stdout, &mut out.stderr] {
        let text = String::from_utf8_lossy(stream).replace(&name, "WORK");
        *stream = text.into_bytes();
    }
    out
}

#[test]
fn applets_do_what_they_do_under_qemu() {
    compare_applets(&busybox(), qemu(), &[]);
}

/// T32, stripped, hard-float.
#[test]
fn applets_for_armhf() {
    compare_applets(&busybox_armhf(), qemu_arm(), if full() { &[] } else { &["-O0"] });
}

/// Translates with `flags`, and runs all cases.
fn compare_applets(arm: &Path, emulator: &str, flags: &[&str]) {
    let native = translate(arm, flags).unwrap_or_else(|e| panic!("{e}"));
    let applets = applets_under_qemu(arm, emulator);
    let results: Vec<(String, Outcome, Outcome)> = cases()
        .into_par_iter()
        .map(|case| {
            let expected = in_fresh_directory(&case, applets.path(), |run| run_qemu(arm, run));
            let got = in_fresh_directory(&case, applets.path(), |run| run_translated(&native, run));
            (case, expected, got)
        })
        .collect();
    let same: std::collections::BTreeSet<&str> =
        results.iter().filter(|r| r.1 == r.2).filter_map(|r| r.0.split(' ').next()).collect();
    let wrong: Vec<String> = results
        .iter()
        .filter(|(_, e, g)| e != g)
        .map(|(case, e, g)| format!("{case}\n  qemu       {e:?}\n  translated {g:?}"))
        .collect();
    println!("busybox: {} cases, {} applets the same", results.len() - wrong.len(), same.len());
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), results.len(), wrong.join("\n"));
    assert!(same.len() >= 60, "only {} applets", same.len());
}

/// What qemu cannot show, because `/proc/self/exe` is qemu there.
#[test]
fn applets_execute_applets() {
    let native = translate(&busybox(), &[]).unwrap_or_else(|e| panic!("{e}"));
    let cases: [(&str, i32, &str); 5] = [
        ("env -i A=1 env", 0, "A=1\n"),
        (
            "sh -c 'ls *s.txt | xargs wc -l'",
            0,
            "        8 numbers.txt\n        2 tabs.txt\n        7 words.txt\n       17 total\n",
        ),
        ("timeout 5 basename /a/b", 0, "b\n"),
        ("timeout -s TERM 0.2 sleep 5", -15, ""),
        ("find sub -name one -exec md5sum {} +", 0, "6d03d0c8ad31eba6515b6f3bb80ea2bf  sub/one\n"),
    ];
    for (case, status, stdout) in cases {
        let got = in_fresh_directory(case, Path::new("/nowhere"), |run| run_translated(&native, run));
        assert_eq!((got.status, String::from_utf8_lossy(&got.stdout).as_ref()), (status, stdout), "{case}");
    }
}
