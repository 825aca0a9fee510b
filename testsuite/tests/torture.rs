//! gcc's tests that run: a sample by default, all of them with `cargo xtask test --full`. One test function per corpus,
//! level of gcc and engine, so that a failure says which.

use testsuite::guest::Libc;
use testsuite::torture::{Corpus, Setup, Test, Verdict, judge, run};

/// How the translator and the runtime are called.
#[derive(Clone, Copy)]
enum Engine {
    Optimised,
    Unoptimised,
    Interpreter,
    RunTime,
}

/// Runs all, of which `all` at least must pass, or a sample of `some`, beginning somewhere else for each configuration.
fn check(corpus: Corpus, level: &str, engine: Engine, all: usize, some: usize) {
    let tests = corpus.tests(level);
    let (chosen, least): (Vec<_>, usize) = if testsuite::full() {
        (tests, all)
    } else {
        let step = tests.len() / some;
        let offset = (level.bytes().map(usize::from).sum::<usize>() + 7 * engine as usize) % step;
        (tests.into_iter().skip(offset).step_by(step).collect(), some * 4 / 5)
    };
    let (xflags, env) = match engine {
        Engine::Optimised => (vec![], vec![]),
        Engine::Unoptimised => (vec!["-O0"], vec![]),
        Engine::Interpreter => (vec!["-O0", "--no-lift"], vec![("XLATE_ENGINE", "interp")]),
        Engine::RunTime => (vec!["-O0", "--no-lift"], vec![("XLATE_ENGINE", "jit")]),
    };
    let setup = Setup { libc: Libc::Musl, xflags, env, group: 60 };
    judge(&format!("{corpus:?} {level}"), &run(&chosen, &setup), least);
}

#[test]
fn execute_compiled_at_run_time() {
    check(Corpus::Execute, "-O2", Engine::RunTime, 1600, 60);
}

#[test]
fn advsimd_compiled_at_run_time() {
    check(Corpus::AdvSimd, "-O2", Engine::RunTime, 310, 50);
}

#[test]
fn execute_at_o0() {
    check(Corpus::Execute, "-O0", Engine::Optimised, 1600, 60);
}

#[test]
fn execute_at_o1() {
    check(Corpus::Execute, "-O1", Engine::Optimised, 1600, 60);
}

#[test]
fn execute_at_o2() {
    check(Corpus::Execute, "-O2", Engine::Optimised, 1600, 60);
}

#[test]
fn execute_at_o3() {
    check(Corpus::Execute, "-O3", Engine::Optimised, 1600, 60);
}

#[test]
fn execute_at_os() {
    check(Corpus::Execute, "-Os", Engine::Optimised, 1600, 60);
}

#[test]
fn execute_at_o2_translated_without_optimisation() {
    check(Corpus::Execute, "-O2", Engine::Unoptimised, 1600, 60);
}

#[test]
fn execute_at_o2_interpreted() {
    check(Corpus::Execute, "-O2", Engine::Interpreter, 1600, 60);
}

#[test]
fn builtins() {
    check(Corpus::Builtins, "-O2", Engine::Optimised, 50, 10);
}

#[test]
fn aarch64() {
    check(Corpus::Aarch64, "", Engine::Optimised, 380, 20);
}

#[test]
fn aapcs64_at_o0() {
    check(Corpus::Aapcs64, "-O0", Engine::Optimised, 65, 10);
}

#[test]
fn aapcs64_at_o2() {
    check(Corpus::Aapcs64, "-O2", Engine::Optimised, 65, 10);
}

#[test]
fn advsimd_at_o0() {
    check(Corpus::AdvSimd, "-O0", Engine::Optimised, 300, 10);
}

#[test]
fn advsimd_at_o1() {
    check(Corpus::AdvSimd, "-O1", Engine::Optimised, 300, 10);
}

#[test]
fn advsimd_at_o2() {
    check(Corpus::AdvSimd, "-O2", Engine::Optimised, 300, 20);
}

#[test]
fn advsimd_at_o3() {
    check(Corpus::AdvSimd, "-O3", Engine::Optimised, 300, 10);
}

#[test]
fn advsimd_at_os() {
    check(Corpus::AdvSimd, "-Os", Engine::Optimised, 300, 10);
}

#[test]
fn advsimd_at_o2_interpreted() {
    check(Corpus::AdvSimd, "-O2", Engine::Interpreter, 300, 20);
}

#[test]
fn vect() {
    check(Corpus::Vect, "", Engine::Optimised, 900, 20);
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
    let setup = Setup { libc: Libc::Musl, xflags: vec!["-O0"], env: vec![], group: 4 };
    for (n, (name, verdict)) in run(&tests, &setup).into_iter().enumerate() {
        assert_eq!(name, n.to_string());
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
