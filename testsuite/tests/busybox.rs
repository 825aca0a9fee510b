//! Debian's busybox for arm64: each applet of `cases/busybox.txt` at real work, translated and under qemu-user: standard
//! output, standard error and exit status are the same.

use rayon::prelude::*;
use std::os::unix::fs::symlink;
use std::path::Path;
use testsuite::compare::{Outcome, Run, run_qemu, run_translated, translate};
use testsuite::packages::busybox;

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
    let binary: Vec<u8> = (0..3000u32).map(|i| (i * i >> 3) as u8).collect();
    write("binary.bin", &binary);
    let big: String = (0..20_000).map(|i| format!("line {i} of {}\n", i * 7919 % 1013)).collect();
    write("big.txt", big.as_bytes());
    // "hello xz\n" as made by xz.
    write("data.xz", HELLO_XZ);
    std::fs::create_dir(dir.join("sub")).expect("the work directory is writable");
    write("sub/one", b"pattern here\n");
    write("sub/two", b"nothing\n");
    symlink("words.txt", dir.join("link")).expect("the work directory is writable");
}

const HELLO_XZ: &[u8] = &[
    0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x01, 0x69, 0x22, 0xde, 0x36, 0x02, 0x00, 0x21, 0x01, 0x16,
    0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0x01, 0x00, 0x08, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x20, 0x78,
    0x7a, 0x0a, 0x00, 0x00, 0x00, 0x00,
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

fn in_fresh_directory(case: &str, run: impl Fn(&Run) -> Outcome) -> Outcome {
    let (args, stdin) = parse(case);
    let dir = tempfile::tempdir().expect("a temporary directory");
    // The same path in both runs, because some applets print it.
    let work = dir.path().join("work");
    std::fs::create_dir(&work).expect("the directory is new");
    populate(&work);
    let path = "/usr/bin:/bin";
    let mut out = run(&Run {
        args: args.iter().map(String::as_str).collect(),
        stdin: &stdin,
        env: vec![("PATH", path), ("LC_ALL", "C"), ("TZ", "UTC")],
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
    let arm = busybox();
    let native = translate(&arm, &[]).unwrap_or_else(|e| panic!("{e}"));
    let results: Vec<(String, Outcome, Outcome)> = cases()
        .into_par_iter()
        .map(|case| {
            let expected = in_fresh_directory(&case, |run| run_qemu(&arm, run));
            let got = in_fresh_directory(&case, |run| run_translated(&native, run));
            (case, expected, got)
        })
        .collect();
    let applets: std::collections::BTreeSet<&str> =
        results.iter().filter(|r| r.1 == r.2).filter_map(|r| r.0.split(' ').next()).collect();
    let wrong: Vec<String> = results
        .iter()
        .filter(|(_, e, g)| e != g)
        .map(|(case, e, g)| format!("{case}\n  qemu       {e:?}\n  translated {g:?}"))
        .collect();
    println!("busybox: {} cases, {} applets the same", results.len() - wrong.len(), applets.len());
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), results.len(), wrong.join("\n"));
    assert!(applets.len() >= 60, "only {} applets", applets.len());
}
