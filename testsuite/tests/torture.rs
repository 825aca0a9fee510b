//! gcc's torture tests: a sample by default, all of them with `cargo xtask test --full`.

use testsuite::guest::Libc;
use testsuite::torture::{Setup, judge, run, tests};

fn check(cflags: &[&str], xflags: &[&str], env: &[(&'static str, &'static str)], offset: usize) {
    let all = tests();
    let (chosen, at_least): (Vec<_>, usize) = if testsuite::full() {
        let n = all.len() * 9 / 10;
        (all, n)
    } else {
        (all.into_iter().skip(offset).step_by(28).collect(), 50)
    };
    let setup =
        Setup { cflags: cflags.to_vec(), libc: Libc::Musl, xflags: xflags.to_vec(), env: env.to_vec() };
    judge(&run(&chosen, &setup), at_least);
}

#[test]
fn at_o0() {
    check(&["-O0"], &[], &[], 0);
}

#[test]
fn at_o2() {
    check(&["-O2"], &[], &[], 7);
}

#[test]
fn at_o2_translated_without_optimisation() {
    check(&["-O2"], &["-O0"], &[], 14);
}

#[test]
fn at_o2_interpreted() {
    check(&["-O2"], &["-O0", "--no-lift"], &[("XLATE_ENGINE", "interp")], 21);
}
