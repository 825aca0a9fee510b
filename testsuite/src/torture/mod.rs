//! gcc's execution tests from Debian's `gcc-12-source`: builds each for AArch64, runs it under qemu-user, and if it passes
//! there expects it to pass translated. Takes tests of a corpus, gives one verdict per test. Many tests share a program
//! (see `group`), because most of a small program's translation is its C library.

pub mod corpus;
pub mod dg;
pub mod group;
pub mod target;

pub use corpus::{Corpus, Test};
pub use group::run;

use crate::guest::Libc;

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

/// How to link, translate and run.
#[derive(Clone, Debug)]
pub struct Setup<'a> {
    /// C library.
    pub libc: Libc,
    /// Flags for `xlate`.
    pub xflags: Vec<&'a str>,
    /// Environment of the translated program.
    pub env: Vec<(&'a str, &'a str)>,
    /// Tests in one program.
    pub group: usize,
}

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
    /// Counts `results`.
    pub fn of(results: &[(String, Verdict)]) -> Self {
        let mut c = Counts::default();
        for (_, verdict) in results {
            match verdict {
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
pub fn judge(what: &str, results: &[(String, Verdict)], at_least: usize) {
    let counts = Counts::of(results);
    println!("{what}: {counts}");
    let failures: Vec<String> = results
        .iter()
        .filter_map(|(t, v)| match v {
            Verdict::Fail(why) => Some(format!("{t}: {why}")),
            Verdict::Pass | Verdict::NoOracle(_) => None,
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} tests fail that pass under qemu:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(counts.passed >= at_least, "only {} tests passed, expected at least {at_least}", counts.passed);
}
