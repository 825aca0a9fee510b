//! gcc's execution tests from Debian's `gcc-12-source`, and qemu's own from its source package: builds each for AArch64, runs it under qemu-user, and if it passes
//! there expects it to pass translated. Takes tests of a corpus, gives one verdict per test. Many tests share a program
//! (see `group`), because most of a small program's translation is its C library.

pub mod corpus;
pub mod dg;
pub mod group;
pub mod target;
pub mod tcg;

pub use corpus::{Corpus, Test};
pub use group::run;

use crate::guest::{Libc, Target};

/// What became of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Passes under qemu and translated.
    Pass,
    /// Not for this target, does not compile or does not pass under qemu: no oracle.
    NoOracle(String),
    /// Passes under qemu, but not translated.
    Fail(String),
}

/// How to translate and run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Engine<'a> {
    /// What it is called in results.
    pub name: &'a str,
    /// Flags for `xlate`.
    pub xflags: Vec<&'a str>,
    /// Environment of the translated program.
    pub env: Vec<(&'a str, &'a str)>,
}

impl Engine<'static> {
    /// Translated ahead of time and optimised.
    pub fn lifted() -> Self {
        Engine { name: "lifted", xflags: vec!["-O2"], env: vec![] }
    }

    /// Translated ahead of time without optimisation.
    pub fn unoptimised() -> Self {
        Engine { name: "unoptimised", xflags: vec!["-O0"], env: vec![] }
    }

    /// Compiled at run time.
    pub fn run_time() -> Self {
        Engine { name: "jit", xflags: vec!["-O0", "--no-lift"], env: vec![("XLATE_ENGINE", "jit")] }
    }

    /// Interpreted.
    pub fn interpreter() -> Self {
        Engine { name: "interp", xflags: vec!["-O0", "--no-lift"], env: vec![("XLATE_ENGINE", "interp")] }
    }
}

/// How to link and run.
#[derive(Clone, Debug)]
pub struct Setup<'a> {
    /// What the tests are compiled for.
    pub target: Target,
    /// C library.
    pub libc: Libc,
    /// Each test is run in all of these.
    pub engines: Vec<Engine<'a>>,
    /// Tests in one program.
    pub group: usize,
}

/// A test's name and its verdict in each engine, in their order.
pub type Outcome = (String, Vec<Verdict>);

/// Counts of verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// [`Verdict::Pass`].
    pub passed: usize,
    /// [`Verdict::Fail`].
    pub failed: usize,
    /// [`Verdict::NoOracle`].
    pub without_oracle: usize,
}

impl Counts {
    /// Counts the results of one engine.
    pub fn of(results: &[Outcome], engine: usize) -> Self {
        let mut c = Counts::default();
        for (_, verdicts) in results {
            match &verdicts[engine] {
                Verdict::Pass => c.passed += 1,
                Verdict::Fail(_) => c.failed += 1,
                Verdict::NoOracle(_) => c.without_oracle += 1,
            }
        }
        c
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} without oracle", self.passed, self.failed, self.without_oracle)
    }
}

/// Prints counts, and fails if there is a failure or too few passed.
pub fn judge(what: &str, results: &[Outcome], engines: &[Engine], at_least: usize) {
    let mut failures = Vec::new();
    let mut counts = Vec::new();
    for (n, engine) in engines.iter().enumerate() {
        let count = Counts::of(results, n);
        println!("{what} {}: {count}", engine.name);
        counts.push((engine.name, count.passed));
        failures.extend(results.iter().filter_map(|(t, v)| match &v[n] {
            Verdict::Fail(why) => Some(format!("{t} {}: {why}", engine.name)),
            Verdict::Pass | Verdict::NoOracle(_) => None,
        }));
    }
    assert!(
        failures.is_empty(),
        "{} tests fail that pass under qemu:\n{}",
        failures.len(),
        failures.join("\n")
    );
    for (name, passed) in counts {
        assert!(passed >= at_least, "{name}: only {passed} tests passed, expected at least {at_least}");
    }
}
