//! Threads: guest programs that check themselves, interpreted and translated, against what Linux does. (qemu 7.2 knows no
//! robust lists and not every form of clone, so it is not asked.)

use std::time::Duration;
use testsuite::compare::{Run, run_translated, translate};
use testsuite::full;
use testsuite::guest::{Libc, Target, ours, ours_for};

const OPTIMISED: (&[&str], &str) = (&["-O2"], "auto");
const QUICK: (&[&str], &str) = (&["-O0"], "auto");
const INTERPRETED: (&[&str], &str) = (&["-O0", "--no-lift"], "interp");
const COMPILED: (&[&str], &str) = (&["-O0", "--no-lift"], "jit");

/// What `threads.c` prints, by test.
const EXPECTED: &[(&str, &str)] = &[
    ("basic", "sum 95, local 5, destructors 20, once 1\ndeep 300\ndeeper 3000\ndetached\n"),
    ("many", "1000 at once: 499500\n"),
    ("turn", "in turn\n"),
    ("mutex", "normal 80000\nrecursive 80000\nerrorcheck 80000\n"),
    ("pi", "inherit 80000\n"),
    ("robust", "robust\n"),
    ("sync", "produced 5997000, consumed 5997000, left 0\nwritten 2000\nserial 50\n"),
    ("shared", "shared 2020000\n"),
    (
        "cancel",
        "cancelled 0: 1, handlers 101\ncancelled 1: 1, handlers 101\ncancelled 2: 1, handlers 101\n\
         cancelled 3: 1, handlers 101\ncancelled 4: 1, handlers 101\ncancelled 5: 1, handlers 101\n\
         cancelled 6: 1, handlers 101\ncancelled 7: 1, handlers 101\ncancelled 8: 1, handlers 101\n",
    ),
    ("signals", "by thread: 1 100 1 100, other 0\nwaited for 1015\npending 1 1\nthen 2\nfaults 2000\n"),
    ("timers", "own timers 1 1 1\ntimers\n"),
    (
        "ends",
        "end 0: 900\nend 2: 300\nend 3: 9\nend 4: b\nexecuted: 1 thread, leader 1\nend 5: 0\nend 6: 6\n",
    ),
    ("leader", "after the initial thread\n"),
    ("processes", "spawned 60\n"),
    ("clone", "clone\n"),
    ("proc", "Name:\tsecond\nThreads:\t2\nnames first second\ntasks 2\n"),
    ("ids", "ids 4\n"),
    ("atomics", "64 -11072 -40000 100000 fffff 0 39996 40000 80000\n"),
];

/// Runs every test of `threads.c` as built for that C library.
fn library(libc: Libc, flags: &[&str], engines: &[(&[&str], &'static str)]) {
    library_for(Target::A64, libc, flags, engines);
}

/// The same for any instruction set.
fn library_for(target: Target, libc: Libc, flags: &[&str], engines: &[(&[&str], &'static str)]) {
    let program = ours_for(target, "threads.c", libc, flags);
    for (xflags, engine) in engines {
        let translated = translate(&program, xflags).unwrap_or_else(|e| panic!("{e}"));
        for (test, expected) in EXPECTED {
            // musl 1.2.3 for arm cannot be cancelled asynchronously: its handler goes to code that pops what was not pushed.
            if *test == "cancel" && target != Target::A64 && libc == Libc::Musl {
                continue;
            }
            let mut args = vec![*test];
            args.extend(full().then_some("8"));
            let timeout = Some(Duration::from_secs(if full() { 600 } else { 120 }));
            let run = Run { args, env: vec![("XLATE_ENGINE", engine)], timeout, ..Run::default() };
            let out = run_translated(&translated, &run);
            let text = String::from_utf8_lossy(&out.stdout);
            assert!(
                out.status == 0 && text == *expected && out.stderr.is_empty(),
                "{target:?} {xflags:?} {test}: {out:?}"
            );
        }
    }
}

/// What programs for A32 and T32 are compiled with.
const AARCH32: &[&str] = &["-O2", "-w", "-march=armv8-a+simd"];

#[test]
fn aarch32() {
    let engines = [QUICK, OPTIMISED, INTERPRETED];
    for target in [Target::A32, Target::T32] {
        library_for(target, Libc::Musl, AARCH32, if full() { &engines } else { &engines[..1] });
        if full() {
            library_for(target, Libc::Glibc, AARCH32, &engines[..1]);
        }
    }
}

#[test]
fn glibc() {
    let engines = [INTERPRETED, COMPILED, QUICK, OPTIMISED];
    library(Libc::Glibc, &["-O2", "-w"], if full() { &engines } else { &engines[1..3] });
}

#[test]
fn musl() {
    library(Libc::Musl, &["-O2", "-w", "-march=armv8.1-a"], &[OPTIMISED, INTERPRETED]);
}

#[test]
fn musl_without_lse() {
    let engines = [QUICK, INTERPRETED, COMPILED, OPTIMISED];
    library(Libc::Musl, &["-O2", "-w"], if full() { &engines } else { &engines[..1] });
}

/// Flags of `xlate` with the engine, and the program's arguments.
type Ways<'a> = [((&'a [&'a str], &'a str), &'a [&'a str])];

/// Runs a program whose arguments depend on the engine.
fn run_each(source: &str, flags: &[&str], engines: &Ways<'_>, expected: &str) {
    run_each_for(Target::A64, source, flags, engines, expected);
}

/// The same for any instruction set.
fn run_each_for(target: Target, source: &str, flags: &[&str], engines: &Ways<'_>, expected: &str) {
    let program = ours_for(target, source, Libc::Musl, flags);
    for ((xflags, engine), args) in engines {
        let translated = translate(&program, xflags).unwrap_or_else(|e| panic!("{e}"));
        let timeout = Some(Duration::from_secs(if full() { 900 } else { 120 }));
        let run = Run { args: args.to_vec(), env: vec![("XLATE_ENGINE", engine)], timeout, ..Run::default() };
        let out = run_translated(&translated, &run);
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(
            out.status == 0 && text == expected && out.stderr.is_empty(),
            "{source} {target:?} {xflags:?} {engine}: {out:?}"
        );
    }
}

/// Outcomes that Arm's memory model forbids are never seen.
#[test]
fn litmus() {
    let rounds: [&[&str]; 4] = if full() {
        [&["200"], &["2000"], &["2000"], &["20000"]]
    } else {
        [&["3"], &["10"], &["10"], &["200"]]
    };
    let engines =
        [(INTERPRETED, rounds[0]), (COMPILED, rounds[1]), (QUICK, rounds[2]), (OPTIMISED, rounds[3])];
    run_each("litmus.c", &["-O2", "-march=armv8.1-a"], &engines, "37 tests\n");
}

#[test]
fn stress() {
    let args: &[&str] = if full() { &["32", "60"] } else { &["32", "3"] };
    let engines = [(INTERPRETED, args), (COMPILED, args), (QUICK, args), (OPTIMISED, args)];
    let some = [(COMPILED, args), (OPTIMISED, args)];
    run_each("stress.c", &["-O2", "-march=armv8.1-a"], if full() { &engines } else { &some }, "stress\n");
}

/// The parts of `signals-load.c`. userfaultfd is looked at where the host allows it.
const LOAD: &[&str] =
    &["process", "execute", "queue", "restart", "timers", "waiting", "jumps", "faults", "userfaultfd"];

/// Signals of the process and of threads, queues, restarts, timers, waiting, jumps, nesting, and faults on purpose (guard
/// pages, safepoints, null checks): what the program finds not as on Linux, it prints. (qemu 7.2 fails in three parts.)
fn under_load(target: Target, flags: &[&str], engines: &[(&[&str], &str)]) {
    let program = ours_for(target, "signals-load.c", Libc::Musl, flags);
    for (xflags, engine) in engines {
        let translated = translate(&program, xflags).unwrap_or_else(|e| panic!("{e}"));
        for part in LOAD {
            for _ in 0..if full() { 5 } else { 1 } {
                let run = Run {
                    args: vec![part],
                    env: vec![("XLATE_ENGINE", engine)],
                    timeout: Some(Duration::from_secs(600)),
                    ..Run::default()
                };
                let out = run_translated(&translated, &run);
                let expected = if *part == "execute" { "executed\n" } else { &format!("{part}\n") };
                let text = String::from_utf8_lossy(&out.stdout);
                assert!(
                    out.status == 0 && text == expected && out.stderr.is_empty(),
                    "{target:?} {xflags:?} {engine} {part}: {out:?}"
                );
            }
        }
    }
}

#[test]
fn signals_under_load() {
    let engines = [OPTIMISED, COMPILED, INTERPRETED, QUICK];
    under_load(Target::A64, &["-O2", "-march=armv8.1-a"], &engines[..if full() { 4 } else { 2 }]);
}

#[test]
fn signals_under_load_aarch32() {
    for (target, one) in [(Target::A32, QUICK), (Target::T32, COMPILED)] {
        let engines = [OPTIMISED, COMPILED, INTERPRETED, QUICK];
        under_load(target, AARCH32, if full() { &engines } else { std::slice::from_ref(&one) });
    }
}

/// Registers, memory and flags are exact in handlers in any thread; queued signals come all, in order.
#[test]
fn asynchronous() {
    let (args, expected): (&[&str], _) = if full() {
        (&["10000"], "queued 40000, violations 0, in the loop 1\n")
    } else {
        (&["2500"], "queued 10000, violations 0, in the loop 1\n")
    };
    let engines = [(INTERPRETED, args), (COMPILED, args), (QUICK, args), (OPTIMISED, args)];
    run_each("async-threads.c", &["-O2", "-march=armv8.1-a"], &engines, expected);
}

#[test]
fn asynchronous_aarch32() {
    for (target, one) in [(Target::A32, QUICK), (Target::T32, OPTIMISED)] {
        let (args, expected): (&[&str], _) = if full() {
            (&["10000"], "queued 40000, violations 0, in the loop 1\n")
        } else {
            (&["1000"], "queued 4000, violations 0, in the loop 1\n")
        };
        let all = [(INTERPRETED, args), (COMPILED, args), (QUICK, args), (OPTIMISED, args)];
        let one = [(one, args)];
        run_each_for(target, "async-threads.c", AARCH32, if full() { &all } else { &one }, expected);
    }
}

/// Threads meet in a code cache that holds a fraction of what they execute: generations of code begin and end all the time.
#[test]
fn small_caches() {
    let caches: &[&str] = if full() { &["20000", "40000", "65536"] } else { &["20000", "65536"] };
    let program = ours("threads.c", Libc::Musl, &["-O2", "-w", "-march=armv8.1-a"]);
    let translated = translate(&program, COMPILED.0).unwrap_or_else(|e| panic!("{e}"));
    for cache in caches {
        let mut cases = EXPECTED.iter().filter(|(test, _)| {
            full() || ["basic", "mutex", "sync", "signals", "processes", "atomics"].contains(test)
        });
        for (test, expected) in &mut cases {
            let env = vec![("XLATE_ENGINE", "jit"), ("XLATE_JIT_CACHE", *cache)];
            let timeout = Some(Duration::from_secs(120));
            let out = run_translated(&translated, &Run { args: vec![test], env, timeout, ..Run::default() });
            let text = String::from_utf8_lossy(&out.stdout);
            assert!(out.status == 0 && text == *expected && out.stderr.is_empty(), "{cache} {test}: {out:?}");
        }
    }
}

/// Who is killed in compiled code does not count as being in it.
#[test]
fn killed_in_compiled_code() {
    let program = ours("vfork-killed.c", Libc::Glibc, &["-O2"]);
    let translated = translate(&program, COMPILED.0).unwrap_or_else(|e| panic!("{e}"));
    let env = vec![("XLATE_ENGINE", "jit"), ("XLATE_JIT_CACHE", "65536"), ("XLATE_STATS", "1")];
    let timeout = Some(Duration::from_secs(120));
    let out = run_translated(&translated, &Run { env, timeout, ..Run::default() });
    let sum: u64 = 4 * 31 * (0..500).sum::<u64>();
    let text = String::from_utf8_lossy(&out.stdout);
    assert_eq!((out.status, &*text), (0, &*format!("killed 6, sum {sum}\n")), "{out:?}");
    let report = String::from_utf8_lossy(&out.stderr);
    assert!(report.contains(" flushes") && !report.contains("not all left"), "{report}");
}
