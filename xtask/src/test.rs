//! The test command, the generated pages, and the benchmark.

use crate::{Result, cargo, setup, step, tidy};

/// Installs what is missing, checks formatting, lints and layering, and runs every test.
pub fn run(full: bool) -> Result<()> {
    setup::run(setup::Need::Test)?;
    step(&mut cargo(&["fmt", "--all", "--check"]))?;
    tidy::run()?;
    step(&mut cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    step(cargo(&["doc", "--quiet", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    let mut tests = cargo(&["test", "--workspace"]);
    if full {
        tests.env("XLATE_TEST_FULL", "1");
    }
    step(&mut tests)
}

/// Writes the generated pages, or with `check` fails if one is not current.
pub fn docs(check: bool) -> Result<()> {
    let mut c = cargo(&["run", "--quiet", "--package", "xlate-testsuite", "--bin", "pages", "--"]);
    if check {
        c.arg("--check");
    }
    step(&mut c)
}

/// Runs the benchmark.
pub fn bench(args: &[String]) -> Result<()> {
    setup::run(setup::Need::Test)?;
    step(&mut cargo(&["build", "--release", "--package", "xlate"]))?;
    step(
        cargo(&["run", "--release", "--quiet", "--package", "xlate-testsuite", "--bin", "bench", "--"])
            .args(args),
    )
}
