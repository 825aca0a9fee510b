//! gcc's tests that run, and qemu's own: a sample by default, all of them with `cargo xtask test --full`. One test function per corpus and
//! level of gcc. Levels -O0 and -O2 run in all three engines: translated, compiled at run time and interpreted.

use testsuite::guest::{Libc, Target};
use testsuite::torture::{Corpus, Engine, Setup, Test, Verdict, judge, run};

/// Runs all, of which `all` at least must pass, or a sample of `some`, beginning somewhere else for each configuration.
fn check(corpus: Corpus, level: &str, engines: &[Engine<'static>], all: usize, some: usize) {
    check_for(Target::A64, corpus, level, engines, all, some);
}

/// As [`check`], for any instruction set.
fn check_for(
    target: Target,
    corpus: Corpus,
    level: &str,
    engines: &[Engine<'static>],
    all: usize,
    some: usize,
) {
    let tests = corpus.tests(level, target);
    let (chosen, least): (Vec<_>, usize) = if testsuite::full() {
        (tests, all)
    } else {
        let step = tests.len() / some;
        let salt = |s: &str| s.bytes().map(usize::from).sum::<usize>();
        let offset = (salt(level) + 7 * salt(engines[0].name)) % step;
        (tests.into_iter().skip(offset).step_by(step).collect(), some * 4 / 5)
    };
    let setup = Setup { target, libc: Libc::Musl, engines: engines.to_vec(), group: 60 };
    judge(&format!("{corpus:?} {target:?} {level}"), &run(&chosen, &setup), engines, least);
}

/// All three must give qemu's result.
fn check_engines(corpus: Corpus, level: &str, all: usize, some: usize) {
    check(corpus, level, &[Engine::lifted(), Engine::run_time(), Engine::interpreter()], all, some);
}

#[test]
fn execute_at_o0() {
    check_engines(Corpus::Execute, "-O0", 1600, 60);
}

#[test]
fn execute_at_o1() {
    check(Corpus::Execute, "-O1", &[Engine::lifted()], 1600, 60);
}

#[test]
fn execute_at_o2() {
    check_engines(Corpus::Execute, "-O2", 1600, 60);
}

#[test]
fn execute_at_o3() {
    check(Corpus::Execute, "-O3", &[Engine::lifted()], 1600, 60);
}

#[test]
fn execute_at_os() {
    check(Corpus::Execute, "-Os", &[Engine::lifted()], 1600, 60);
}

#[test]
fn execute_at_o2_translated_without_optimisation() {
    check(Corpus::Execute, "-O2", &[Engine::unoptimised()], 1600, 60);
}

/// 32-bit, in all three.
fn check_arm(target: Target, level: &str) {
    let engines = [Engine::lifted(), Engine::run_time(), Engine::interpreter()];
    check_for(target, Corpus::Execute, level, &engines, 1600, 40);
}

#[test]
fn execute_for_a32() {
    check_arm(Target::A32, "-O2");
}

#[test]
fn execute_for_t32() {
    check_arm(Target::T32, "-O2");
}

#[test]
fn execute_for_a32_with_neon() {
    check_arm(Target::A32, "-O3 -mfpu=neon-vfpv4 -march=armv7ve+simd");
}

#[test]
fn builtins() {
    check_engines(Corpus::Builtins, "-O2", 50, 10);
}

#[test]
fn aarch64() {
    check_engines(Corpus::Aarch64, "", 380, 20);
}

#[test]
fn aapcs64_at_o0() {
    check_engines(Corpus::Aapcs64, "-O0", 65, 10);
}

#[test]
fn aapcs64_at_o2() {
    check_engines(Corpus::Aapcs64, "-O2", 65, 10);
}

#[test]
fn advsimd_at_o0() {
    check_engines(Corpus::AdvSimd, "-O0", 300, 10);
}

#[test]
fn advsimd_at_o1() {
    check(Corpus::AdvSimd, "-O1", &[Engine::lifted()], 300, 10);
}

#[test]
fn advsimd_at_o2() {
    check_engines(Corpus::AdvSimd, "-O2", 300, 20);
}

/// The same tests for 32-bit programs.
#[test]
fn advsimd_for_aarch32() {
    let engines = [Engine::lifted(), Engine::run_time(), Engine::interpreter()];
    for (target, one) in [(Target::A32, 0), (Target::T32, 1)] {
        let engines = if testsuite::full() { &engines[..] } else { &engines[one..=one] };
        check_for(target, Corpus::AdvSimd, "-O2", engines, 149, 6);
    }
}

#[test]
fn advsimd_at_o3() {
    check(Corpus::AdvSimd, "-O3", &[Engine::lifted()], 300, 10);
}

#[test]
fn advsimd_at_os() {
    check(Corpus::AdvSimd, "-Os", &[Engine::lifted()], 300, 10);
}

#[test]
fn vect() {
    check_engines(Corpus::Vect, "", 900, 20);
}

/// qemu's own tests, every `step`th, at least `least` of which must pass: by default without those that take long or need
/// time to pass; with `--full` all, of which `all` must pass.
fn tcg(target: Target, engines: &[Engine<'static>], step: usize, least: usize, all: usize) {
    let mut tests = Corpus::Tcg.tests("", target);
    let least = if testsuite::full() {
        all
    } else {
        let slow = ["linux-test", "/signals", "testthread"];
        tests.retain(|t| t.unsuitable.is_none() && !slow.iter().any(|n| t.name.contains(n)));
        tests = tests.into_iter().step_by(step).collect();
        least
    };
    let setup = Setup { target, libc: Libc::Musl, engines: engines.to_vec(), group: 60 };
    judge(&format!("Tcg {target:?}"), &run(&tests, &setup), engines, least);
}

#[test]
fn tcg_optimised() {
    tcg(Target::A64, &[Engine::lifted()], 2, 7, 18);
}

#[test]
fn tcg_in_other_engines() {
    tcg(Target::A64, &[Engine::unoptimised(), Engine::run_time(), Engine::interpreter()], 1, 14, 18);
}

#[test]
fn tcg_for_aarch32() {
    let engines = [Engine::run_time(), Engine::interpreter(), Engine::unoptimised()];
    for target in [Target::A32, Target::T32] {
        tcg(target, if testsuite::full() { &engines } else { &engines[..2] }, 5, 3, 19);
    }
}

/// That tests which share a program are told apart: each prints its name, and some do not pass under qemu.
#[test]
fn each_test_of_a_program_is_called() {
    let dir = testsuite::store().join("torture-own");
    std::fs::create_dir_all(&dir).expect("the store can be written");
    let tests: Vec<Test> = (0..6)
        .map(|n| {
            let source = dir.join(format!("own-{n}.c"));
            // What `shared` is differs between them, and none sees another's.
            let text = format!(
                "#include <stdio.h>\nint shared = {n};\nint get(void) {{ return shared; }}\n\
                 int main(void) {{ printf(\"%d\\n\", get()); return get() % 3 == 2; }}\n"
            );
            std::fs::write(&source, text).expect("the store can be written");
            Test {
                name: n.to_string(),
                sources: vec![source],
                flags: vec!["-O1".into()],
                unsuitable: (n == 4).then(|| "made so".into()),
                alone: n == 3,
            }
        })
        .collect();
    let engines = vec![Engine::unoptimised(), Engine::run_time()];
    let setup = Setup { target: Target::A64, libc: Libc::Musl, engines, group: 4 };
    for (n, (name, verdicts)) in run(&tests, &setup).into_iter().enumerate() {
        assert_eq!(name, n.to_string());
        assert_eq!(verdicts[0], verdicts[1], "{name}");
        let verdict = verdicts[0].clone();
        match n {
            2 | 5 => assert!(
                matches!(&verdict, Verdict::NoOracle(why) if why.contains(&format!("status 1 stdout \"{n}\\n\""))),
                "{verdict:?}"
            ),
            4 => assert_eq!(verdict, Verdict::NoOracle("not for this machine: made so".into())),
            _ => assert_eq!(verdict, Verdict::Pass),
        }
    }
}
