//! Whatever the input is, the tool answers: a bounded run of the fuzz targets, and systematic damage to real programs. No
//! panic, no abort, no hang, and messages that say what to do. (The long form: `XLATE_TEST_FULL`, or `testsuite/fuzz`.)

use testsuite::fuzz::{self, TARGETS, elf, mutate};
use testsuite::guest::{Libc, ours};

/// Names the input when something under test panics.
struct Naming<'a>(&'a dyn Fn() -> String);

impl Drop for Naming<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input was: {}", (self.0)());
        }
    }
}

/// Runs a target on `count` inputs, or twenty times as many.
fn run(name: &str, count: u64, length: usize) {
    let body = TARGETS.iter().find(|t| t.0 == name).expect("the target exists").1;
    let count = if testsuite::full() { 20 * count } else { count };
    for seed in 0..count {
        let _name = Naming(&|| format!("fuzz::input({seed}, {length}) of target {name}"));
        body(&fuzz::input(seed, length));
    }
}

#[test]
fn fuzz_image() {
    run("image", 3000, 600);
}

#[test]
fn fuzz_lift() {
    run("lift", 6000, 500);
}

#[test]
fn fuzz_emit() {
    run("emit", 150, 240);
}

#[test]
fn fuzz_ir_text() {
    run("ir-text", 6000, 300);
}

#[test]
fn fuzz_interp() {
    run("interp", 3000, 2000);
}

/// Loads and discovers every damaged form of `file`; gives how many loaded.
fn damaged(file: &[u8], every: usize) -> (usize, usize) {
    let forms = mutate::single_fields(file).step_by(every).chain(mutate::truncations(file));
    let (mut all, mut loaded) = (0, 0);
    for (what, bytes) in forms {
        let _name = Naming(&|| what.clone());
        all += 1;
        loaded += usize::from(fuzz::examine(bytes).is_some());
    }
    (all, loaded)
}

#[test]
fn damage_to_single_fields() {
    let (all, loaded) = damaged(&elf::rich(), 1);
    assert!(all > 2000 && loaded > all / 4 && loaded < all, "{loaded} of {all}");
}

#[test]
fn damage_to_real_programs() {
    let every = if testsuite::full() { 1 } else { 11 };
    let stages = std::fs::read(ours("stages.s", Libc::None, &[])).expect("it was built");
    let (all, loaded) = damaged(&stages, every);
    assert!(loaded > all / 10 && loaded < all, "{loaded} of {all}");
}
