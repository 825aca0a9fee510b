//! Precise exceptions and asynchronous signals in lifted code: guest programs whose handlers look at every register of
//! the interrupted code. Faults are compared with qemu-user line by line and, where qemu departs from Linux, checked by the
//! program itself; see `guest/faults.c`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testsuite::compare::{Outcome, Run, run_qemu, run_translated, translate};
use testsuite::guest::{Libc, Target, build_for};
use testsuite::{full, tools};

const OPTIMISED: (&[&str], &str) = (&["-O2"], "auto");
const QUICK: (&[&str], &str) = (&["-O0"], "auto");
const INTERPRETED: (&[&str], &str) = (&["-O0", "--no-lift"], "interp");
const COMPILED: (&[&str], &str) = (&["-O0", "--no-lift"], "jit");
const ENGINES: [(&[&str], &str); 4] = [INTERPRETED, COMPILED, QUICK, OPTIMISED];

fn guest(sources: &[&str], flags: &[&str]) -> PathBuf {
    guest_for(Target::A64, sources, flags)
}

fn guest_for(target: Target, sources: &[&str], flags: &[&str]) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest");
    let paths: Vec<PathBuf> = sources.iter().map(|s| dir.join(s)).collect();
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    build_for(target, &paths, Libc::Musl, flags).unwrap_or_else(|e| panic!("{e}"))
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

/// Runs the program in each of the engines.
fn in_engines(
    program: &Path,
    engines: &[(&[&str], &str)],
    args: &[&str],
    check: impl Fn(&Outcome, &dyn std::fmt::Debug),
) {
    for (flags, engine) in engines {
        let translated = translate(program, flags).unwrap_or_else(|e| panic!("{e}"));
        let timeout = Some(Duration::from_secs(if full() { 1200 } else { 120 }));
        let run = Run { args: args.to_vec(), env: vec![("XLATE_ENGINE", engine)], timeout, ..Run::default() };
        check(&run_translated(&translated, &run), flags);
    }
}

/// For programs whose last line counts checks and failures.
fn no_failures(out: &Outcome, flags: &dyn std::fmt::Debug) {
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status == 0 && text.ends_with(" checks, 0 failures\n"), "{flags:?}: {out:?}");
}

/// Alternate stacks, flags, changed contexts, jumps, overflow, bad frames: what Linux does, by the program's own checks.
#[test]
fn signals_follow_the_rules_of_linux() {
    in_engines(&guest(&["sigrules.c"], &["-O2"]), &ENGINES, &[], no_failures);
}

/// The runtime's test of frames, in lifted code.
#[test]
fn frames_of_lifted_code() {
    let program = guest(&["../../runtime/rt/tests/guest/frames.c"], &["-O1"]);
    in_engines(&program, &[QUICK, OPTIMISED], &[], no_failures);
}

/// Runs `async.c` with loops in each of the engines: `lines` of output, each without a violation.
fn asynchronous(target: Target, loops: &str, per_loop: &str, lines: usize) {
    let program = guest_for(target, &["async.c", loops], &["-O2"]);
    let per_loop = if full() { "20000" } else { per_loop };
    in_engines(&program, &ENGINES, &[per_loop], |out, flags| {
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let good = text.lines().filter(|l| l.ends_with(": interrupted often, 0 violations")).count();
        assert!(out.status == 0 && good == lines, "{target:?} {flags:?}: {out:?}");
    });
}

/// Loops in which the pc says which registers must be equal, interrupted thousands of times.
#[test]
fn asynchronous_signals_find_exact_states() {
    asynchronous(Target::A64, "async-loops.S", "500", 25);
}

/// The same, and the states of IT blocks.
#[test]
fn asynchronous_signals_find_exact_states_aarch32() {
    for target in [Target::A32, Target::T32] {
        asynchronous(target, "async-loops32.S", "100", 27);
    }
}

/// Signals against blocking calls: none is lost, and each call restarts or not as it should.
#[test]
fn blocking_calls_lose_no_signal() {
    let few: [(Target, &[_], _); 3] = [
        (Target::A64, &[OPTIMISED], "1700"),
        (Target::A32, &[QUICK], "100"),
        (Target::T32, &[INTERPRETED], "100"),
    ];
    for (target, engines, per_call) in few {
        let program = guest_for(target, &["blocking.c"], &["-O2"]);
        let (engines, per_call) = if full() { (&ENGINES[..], "20000") } else { (engines, per_call) };
        in_engines(&program, engines, &[per_call], |out, flags| {
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            let good = |l: &&str| l.ends_with(", 0 wrong") && !l.contains("LOST");
            let good = text.lines().filter(good).count();
            assert!(out.status == 0 && good == 14, "{target:?} {flags:?}: {out:?}");
        });
    }
}

/// Signals cost nothing while none comes: an optimised loop reads no memory but what the guest's loop reads.
#[test]
fn loops_do_not_poll() {
    let loops = ["async-loops.S", "async-loops32.S", "async-loops32.S"];
    let targets = [Target::A64, Target::A32, Target::T32].into_iter().zip(loops);
    let functions = [("tight", 0), ("tight_sum", 1)];
    for ((target, loops), (function, accesses)) in targets.flat_map(|t| functions.map(|f| (t, f))) {
        let program = guest_for(target, &["async.c", loops], &["-O2"]);
        let mut xlate = Command::new(tools::xlate());
        xlate.arg("inspect").arg(&program).args(["--emit", "asm", "--function", function]);
        let out = xlate.output().expect("xlate runs");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let body = loop_body(&text).unwrap_or_else(|| panic!("no loop in {function}: {text}"));
        // In AT&T syntax the last operand is what is written; `lea` reads nothing.
        let reads = body.iter().filter(|l| {
            let l = l.trim();
            let reading = l.rfind('(').is_some_and(|at| l[at..].contains(',') && !l.ends_with(')'));
            reading && !l.starts_with("lea") || l.starts_with("cmp") && l.contains('(')
        });
        let reads: Vec<_> = reads.collect();
        assert_eq!(reads.len(), accesses, "{function} reads {reads:?}: {body:?}");
        assert!(!body.iter().any(|l| l.contains("call")), "{function}: {body:?}");
        let instructions = body.iter().filter(|l| l.starts_with('\t') && !l.starts_with("\t.")).count();
        assert!((4..=14).contains(&instructions), "{function}: {body:?}");
    }
}

/// The lines of the innermost loop: from a label to the last conditional jump back to it, without what goes to other
/// sections.
fn loop_body(asm: &str) -> Option<Vec<&str>> {
    let lines: Vec<&str> = asm.lines().collect();
    let backward = |end: usize| {
        let label = lines[end].trim().strip_prefix('j')?.split_whitespace().nth(1)?;
        let start = lines[..end].iter().rposition(|l| l.strip_suffix(':') == Some(label))?;
        (!lines[end].contains("jmp")).then_some((start, end))
    };
    let (start, end) = (0..lines.len()).filter_map(backward).min_by_key(|(a, b)| b - a)?;
    let mut elsewhere = false;
    let inside = lines[start..=end].iter().copied().filter(|l| {
        if l.contains(".section") {
            elsewhere = !l.contains("xl_text");
        }
        !elsewhere && !l.trim().starts_with('#')
    });
    Some(inside.collect())
}
