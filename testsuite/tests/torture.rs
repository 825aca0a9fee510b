//! gcc's tests that run: a sample by default, all of them with `cargo xtask test --full`.

use testsuite::guest::Libc;
use testsuite::torture::{Corpus, Setup, judge, run};

/// How the translator and the runtime are called.
#[derive(Clone, Copy)]
enum Engine {
    Optimised,
    Unoptimised,
    Interpreter,
}

/// Runs every `step`th test from `offset` on, or all, of which nine tenths must have an oracle; `least` of the sample.
fn check(corpus: Corpus, level: &str, engine: Engine, (offset, step): (usize, usize), least: usize) {
    let all = corpus.tests(level);
    let (chosen, least): (Vec<_>, usize) = if testsuite::full() {
        (all, least * step * 9 / 10)
    } else {
        (all.into_iter().skip(offset).step_by(step).collect(), least)
    };
    let (xflags, env) = match engine {
        Engine::Optimised => (vec![], vec![]),
        Engine::Unoptimised => (vec!["-O0"], vec![]),
        Engine::Interpreter => (vec!["-O0", "--no-lift"], vec![("XLATE_ENGINE", "interp")]),
    };
    let setup = Setup { libc: Libc::Musl, xflags, env, group: 50 };
    judge(&format!("{corpus:?} {level}"), &run(&chosen, &setup), least);
}

#[test]
fn at_o0() {
    check(Corpus::Execute, "-O0", Engine::Optimised, (0, 28), 50);
}

#[test]
fn at_o2() {
    check(Corpus::Execute, "-O2", Engine::Optimised, (7, 28), 50);
}

#[test]
fn at_o2_translated_without_optimisation() {
    check(Corpus::Execute, "-O2", Engine::Unoptimised, (14, 28), 50);
}

#[test]
fn at_o2_interpreted() {
    check(Corpus::Execute, "-O2", Engine::Interpreter, (21, 28), 50);
}
