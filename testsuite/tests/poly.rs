//! Text that was translated ahead of time and changes: `guest/poly.c` does it in every way, and checks what is executed. Each
//! case must hold in every engine, and must not when changes are ignored, or it would show nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;
use testsuite::compare::{Outcome, Run, run_qemu, run_translated, translate};
use testsuite::full;
use testsuite::guest::{Libc, Target, build_all, build_for};

const SIGALRM: i32 = 14;

const OPTIMISED: &[&str] = &["-O2"];
const QUICK: &[&str] = &["-O0"];

/// Cases that qemu-user 7.2 gets wrong: it executes stale code through double mappings, does not see writes through
/// `/proc/self/mem` and `process_vm_writev`.
const QEMU_FAILS: [&str; 5] = ["alias", "alias_line", "shared", "mem", "vm"];

fn guest(target: Target, sources: [&str; 2]) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest");
    let sources = sources.map(|s| dir.join(s));
    build_for(target, &[&sources[0], &sources[1]], Libc::Musl, &["-O1"]).unwrap_or_else(|e| panic!("{e}"))
}

fn cases(program: &Path) -> Vec<String> {
    let all = run_qemu(program, &Run::default());
    String::from_utf8(all.stdout).expect("names").lines().map(str::to_owned).collect()
}

fn run(program: &Path, case: &str, env: Vec<(&'static str, &'static str)>) -> Outcome {
    run_translated(program, &Run { args: vec![case], env, ..Run::default() })
}

/// `never_stale` are the cases that are right without invalidation, too.
fn check(program: &Path, never_stale: &[&str]) {
    let cases = cases(program);
    assert!(cases.len() >= 25, "{cases:?}");
    let mut wrong = Vec::new();
    for case in &cases {
        let under_qemu = run_qemu(program, &Run { args: vec![case], ..Run::default() });
        if under_qemu.status != 0 && !QEMU_FAILS.contains(&case.as_str()) {
            wrong.push(format!("{case} under qemu: {under_qemu:?}"));
        }
    }
    for flags in [QUICK, OPTIMISED] {
        let translated = translate(program, flags).unwrap_or_else(|e| panic!("{e}"));
        for case in &cases {
            for engine in ["auto", "interp"] {
                let got = run(&translated, case, vec![("XLATE_ENGINE", engine)]);
                if got.status != 0 || !got.stdout.is_empty() {
                    wrong.push(format!("{case} {flags:?} {engine}: {got:?}"));
                }
            }
            let stale = run(&translated, case, vec![("XLATE_NO_INVALIDATION", "1")]);
            if stale.status == 0 && !never_stale.contains(&case.as_str()) {
                wrong.push(format!("{case} {flags:?}: holds without invalidation"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn changed_text_is_not_executed_stale() {
    check(&guest(Target::A64, ["poly.c", "poly-code.S"]), &["data"]);
}

/// Threads are in the code that another changes: `guest/poly-threads.c`. Where they would never come out by themselves, the case must
/// not end while nobody calls them.
fn threads_in_changed_text(target: Target, code: &str, ways: &[(&[&str], &str)]) {
    const NEVER_LEAVE: [&str; 4] = ["loop", "clean", "outer", "probe_inside"];
    let program = guest(target, ["poly-threads.c", code]);
    let cases = cases(&program);
    assert!(cases.len() >= 8, "{cases:?}");
    let rounds = if full() { "3000" } else { "4" };
    let mut wrong = Vec::new();
    for &(flags, engine) in ways {
        let translated = translate(&program, flags).unwrap_or_else(|e| panic!("{e}"));
        for case in &cases {
            let env = vec![("XLATE_ENGINE", engine)];
            let timeout = Some(Duration::from_secs(if full() { 1800 } else { 120 }));
            let got = run_translated(
                &translated,
                &Run { args: vec![case, rounds], env, timeout, ..Run::default() },
            );
            if got.status != 0 || !got.stdout.is_empty() || !got.stderr.is_empty() {
                wrong.push(format!("{case} {flags:?} {engine}: {got:?}"));
            }
            if engine == "interp"
                || target != Target::A64 && !full()
                || flags == QUICK && engine == "auto"
                || !NEVER_LEAVE.contains(&case.as_str())
            {
                continue;
            }
            let env = vec![("XLATE_ENGINE", engine), ("XLATE_NO_INVALIDATION", "threads")];
            let got =
                run_translated(&translated, &Run { args: vec![case, rounds, "1"], env, ..Run::default() });
            if got.status != -SIGALRM {
                wrong.push(format!("{case} {flags:?} {engine}: nobody is called: {got:?}"));
            }
        }
        if flags != OPTIMISED {
            continue;
        }
        // The first of three calls meets the trap, which stands there because there was another thread.
        let env = vec![("XLATE_TRACE", "dispatch")];
        let got = run_translated(&translated, &Run { args: vec!["alone"], env, ..Run::default() });
        let calls = String::from_utf8_lossy(&got.stderr).matches(" becomes a call").count();
        if got.status != 0 || calls != 1 {
            wrong.push(format!("{flags:?}: {calls} traps became calls"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const ALL_WAYS: [(&[&str], &str); 4] =
    [(OPTIMISED, "auto"), (QUICK, "jit"), (QUICK, "auto"), (QUICK, "interp")];

#[test]
fn threads_in_changed_text_a64() {
    threads_in_changed_text(Target::A64, "poly-threads-code.S", &ALL_WAYS);
}

#[test]
fn threads_in_changed_text_aarch32() {
    for (target, one) in [(Target::A32, 0), (Target::T32, 1)] {
        let ways = if full() { &ALL_WAYS[..] } else { &ALL_WAYS[one..=one] };
        threads_in_changed_text(target, "poly-threads-code32.S", ways);
    }
}

/// Code written at run time that changes without cache maintenance: `guest/poly-forget.c`. In the run-time compiler, each case must not
/// hold while such code does not look at itself.
#[test]
fn forgotten_maintenance() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest");
    let program =
        build_all(&[&dir.join("poly-forget.c")], Libc::Glibc, &["-O1"]).unwrap_or_else(|e| panic!("{e}"));
    let cases = cases(&program);
    assert!(cases.len() >= 10, "{cases:?}");
    let translated = translate(&program, QUICK).unwrap_or_else(|e| panic!("{e}"));
    let mut wrong = Vec::new();
    for case in &cases {
        for engine in ["auto", "jit", "interp"] {
            let got = run(&translated, case, vec![("XLATE_ENGINE", engine)]);
            if got.status != 0 || !got.stdout.is_empty() || !got.stderr.is_empty() {
                wrong.push(format!("{case} {engine}: {got:?}"));
            }
        }
        let env = vec![("XLATE_ENGINE", "jit"), ("XLATE_NO_INVALIDATION", "writes")];
        let stale = run_translated(&translated, &Run { args: vec![case, "1"], env, ..Run::default() });
        if stale.status == 0 {
            wrong.push(format!("{case}: holds without looking"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Generated code whose branches get other targets, `guest/relink.c`: as it says, and without compiling anything anew.
#[test]
fn branches_get_other_targets() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest");
    let program =
        build_all(&[&dir.join("relink.c")], Libc::Glibc, &["-O1"]).unwrap_or_else(|e| panic!("{e}"));
    let cases = cases(&program);
    assert!(cases.len() >= 10, "{cases:?}");
    let translated = translate(&program, QUICK).unwrap_or_else(|e| panic!("{e}"));
    let mut wrong = Vec::new();
    for case in &cases {
        for (engine, again) in [("auto", ""), ("auto", "50"), ("jit", ""), ("interp", "")] {
            // What is compiled at once does not tell what else is executed: all targets are in it.
            let threshold = if engine == "jit" { "1" } else { "20" };
            let env = vec![
                ("XLATE_ENGINE", engine),
                ("XLATE_JIT_THRESHOLD", threshold),
                ("XLATE_JIT_AGAIN", again),
                ("XLATE_STATS", "1"),
            ];
            let rounds = match (full(), case.as_str()) {
                (true, _) => "20000",
                (false, "threads") => "100",
                (false, _) => "400",
            };
            let timeout = Some(Duration::from_secs(600));
            let got = run_translated(
                &translated,
                &Run { args: vec![case, rounds], env, timeout, ..Run::default() },
            );
            let stats = String::from_utf8_lossy(&got.stderr).into_owned();
            let count = |what: &str| {
                let before = stats.split(what).next().unwrap_or_default();
                before.rsplit(' ').next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0)
            };
            let relinked = engine != "auto"
                || ["threads", "bne_to_b"].contains(&case.as_str())
                || count(" branches relinked") > 150 && count(" regions") < 60;
            if got.status != 0 || !got.stdout.is_empty() || !relinked {
                wrong.push(format!("{case} {engine} {again}: {got:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A text segment that is writable and executable: text can change from the first instruction on.
#[test]
fn writable_text_segment() {
    let program = guest(Target::A64, ["poly.c", "poly-code.S"]);
    let mut file = std::fs::read(&program).expect("a built program");
    // The flags of the first program header, which is the text's.
    const FLAGS: usize = 64 + 4;
    const PF_W: u8 = 2;
    assert_eq!((file[FLAGS - 4], file[FLAGS]), (1, 5), "PT_LOAD, R and X");
    file[FLAGS] |= PF_W;
    let writable = program.with_file_name("poly-writable");
    let fresh = program.with_file_name(format!("poly-writable.{}", std::process::id()));
    std::fs::write(&fresh, file).expect("a file");
    std::fs::set_permissions(&fresh, std::fs::metadata(&program).expect("a program").permissions())
        .expect("its owner");
    std::fs::rename(&fresh, &writable).expect("its place");
    // Literals are loaded where they are not constants.
    check(&writable, &["data", "literals"]);
}
