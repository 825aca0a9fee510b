//! Support for tests that need real guest programs: builds them with the cross compiler, fetches them from Debian's
//! packages, runs them translated and under qemu-user, and compares. A missing tool is an error that says how to
//! install it, never a skipped test.

pub mod bench;
pub mod cases;
pub mod compare;
pub mod fuzz;
pub mod guest;
pub mod insns;
pub mod own_file;
pub mod packages;
pub mod pages;
pub mod pty;
pub mod tools;
pub mod torture;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

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

/// A name beside `path` that no other thread or process uses, for writing before renaming.
pub fn temporary(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().expect("invariant: a file has a name").to_string_lossy();
    let (pid, n) = (std::process::id(), COUNT.fetch_add(1, Relaxed));
    path.with_file_name(format!(".{pid}-{n}-{name}"))
}
