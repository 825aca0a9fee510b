//! Precise exceptions and asynchronous signals in lifted code: guest programs whose handlers look at every register of
//! the interrupted code. Faults are compared with qemu-user line by line and, where qemu departs from Linux, checked by the
//! program itself; see `guest/faults.c`.

use std::path::{Path, PathBuf};
use testsuite::compare::{Run, run_qemu, run_translated, translate};
use testsuite::guest::{Libc, build_all};

const OPTIMISED: (&[&str], &str) = (&["-O2"], "auto");
const QUICK: (&[&str], &str) = (&["-O0"], "auto");
const INTERPRETED: (&[&str], &str) = (&["-O0", "--no-lift"], "interp");
const ENGINES: [(&[&str], &str); 3] = [INTERPRETED, QUICK, OPTIMISED];

fn guest(sources: &[&str], flags: &[&str]) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest");
    let paths: Vec<PathBuf> = sources.iter().map(|s| dir.join(s)).collect();
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    build_all(&paths, Libc::Musl, flags).unwrap_or_else(|e| panic!("{e}"))
}

/// The output's cases: a line that does not begin with a blank, and what follows it.
fn cases(output: &[u8]) -> Vec<(String, Vec<String>)> {
    let mut cases: Vec<(String, Vec<String>)> = Vec::new();
    for line in String::from_utf8_lossy(output).lines() {
        match cases.last_mut() {
            Some((_, lines)) if line.starts_with(' ') => lines.push(line.to_string()),
            _ => cases.push((line.to_string(), Vec::new())),
        }
    }
    cases
}

/// The words in which two lines differ.
fn difference(a: &str, b: &str) -> String {
    let words = a.split_whitespace().zip(b.split_whitespace()).enumerate();
    let different = words.filter(|(_, (a, b))| a != b).take(4);
    different.map(|(i, (a, b))| format!("word {i}: {a}, expected {b}")).collect::<Vec<_>>().join("; ")
}

#[test]
fn faults_in_hot_loops_are_exact() {
    let program = guest(&["faults.c", "faults-loops.S"], &["-O2"]);
    let run = Run::default();
    let expected = run_qemu(&program, &run);
    assert_eq!(expected.status, 0, "{expected:?}");
    let expected = cases(&expected.stdout);
    let faults = expected.iter().flat_map(|c| &c.1).filter(|l| l.contains("  signal ")).count();
    assert!(expected.len() >= 300 && faults >= 400, "{} cases, {faults} faults", expected.len());
    let mut wrong = Vec::new();
    for (flags, engine) in ENGINES {
        let translated = translate(&program, flags).unwrap_or_else(|e| panic!("{e}"));
        let mut run = run.clone();
        run.env.push(("XLATE_ENGINE", engine));
        let got = run_translated(&translated, &run);
        let got_cases = cases(&got.stdout);
        for ((name, lines), (other, want)) in got_cases.iter().zip(&expected) {
            assert_eq!(name, other, "{flags:?}: {got:?}");
            for (a, b) in lines.iter().zip(want).filter(|(a, b)| a != b) {
                wrong.push(format!("{flags:?} {name}: {}", difference(a, b)));
            }
            if lines.len() != want.len() {
                wrong.push(format!("{flags:?} {name}: {} lines, expected {}", lines.len(), want.len()));
            }
        }
        assert_eq!((got.status, got_cases.len()), (0, expected.len()), "{flags:?}: {got:?}");
        // What qemu does not do, by the program's own checks.
        run.args.push("checked");
        let got = run_translated(&translated, &run);
        let text = String::from_utf8_lossy(&got.stdout).into_owned();
        wrong.extend(text.lines().filter(|l| l.starts_with("WRONG")).map(|l| format!("{flags:?} {l}")));
        if got.status != 0 && wrong.is_empty() {
            wrong.push(format!("{flags:?}, checked: status {}", got.status));
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}
