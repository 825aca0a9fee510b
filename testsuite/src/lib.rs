//! Support for tests that need real guest programs: builds them with the cross compiler, fetches them from Debian's
//! packages, runs them translated and under qemu-user, and compares. A missing tool is an error that says how to
//! install it, never a skipped test.

pub mod compare;
pub mod guest;
pub mod insns;
pub mod packages;
pub mod pages;
pub mod pty;
pub mod tools;
pub mod torture;

use std::path::{Path, PathBuf};

/// The workspace's root directory.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("invariant: the test suite lies in the workspace")
}

/// Directory for everything that tests build or fetch; kept between runs.
pub fn store() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let dir = target.join("testsuite");
    std::fs::create_dir_all(&dir).expect("the target directory can be written");
    dir
}

/// True if every test program is asked for (`cargo xtask test --full`).
pub fn full() -> bool {
    std::env::var_os("XLATE_TEST_FULL").is_some()
}
