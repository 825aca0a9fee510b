//! Debian packages for arm64, armhf (T32) and armel (A32), fetched by `cargo xtask packages` and unpacked once.

use crate::{root, store};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The tree of `package` for arm64.
pub fn unpacked(package: &str) -> PathBuf {
    unpacked_for("arm64", package)
}

/// The tree of `package` for `arch`.
pub fn unpacked_for(arch: &str, package: &str) -> PathBuf {
    let packages = store().join("packages");
    let dir = if arch == "arm64" { packages.join(package) } else { packages.join(arch).join(package) };
    once(&dir, ".unpacked", &["--arch", arch], package);
    dir
}

/// Has `cargo xtask packages` fill `dir`, unless that was done: then the file `mark` is there.
fn once(dir: &Path, mark: &str, flags: &[&str], package: &str) {
    static LOCK: Mutex<()> = Mutex::new(());
    let done = dir.join(mark);
    let _guard = LOCK.lock().unwrap_or_else(|e| e.into_inner());
    if !done.exists() {
        // Other test processes may want it, too.
        let lock = std::fs::File::create(store().join("packages.lock")).expect("the store can be written");
        lock.lock().expect("the lock file can be locked");
        if !done.exists() {
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args(["run", "--quiet", "--package", "xtask", "--target-dir"]).arg(store().join("xtask"));
            cargo.args(["--", "packages"]).args(flags).arg(dir).arg(package).current_dir(root());
            cargo.env_remove("CARGO_TARGET_DIR").stdout(std::process::Stdio::null());
            assert!(
                cargo.status().expect("cargo starts").success(),
                "package {package} ({}) cannot be had",
                flags.join(" ")
            );
            std::fs::write(&done, "").expect("the store can be written");
        }
    }
}

/// The directory with the files of a source package.
pub fn source(package: &str) -> PathBuf {
    let dir = store().join("packages/source").join(package);
    once(&dir, ".downloaded", &["--source"], package);
    dir
}

/// The busybox binary of Debian's `busybox-static` for arm64.
pub fn busybox() -> PathBuf {
    let dir = unpacked("busybox-static");
    first(&dir, &["bin/busybox", "usr/bin/busybox"])
}

/// The busybox binary of Debian's `busybox-static` for armhf.
pub fn busybox_armhf() -> PathBuf {
    let dir = unpacked_for("armhf", "busybox-static");
    first(&dir, &["bin/busybox", "usr/bin/busybox"])
}

/// The first of `names` that exists below `dir`.
pub fn first(dir: &Path, names: &[&str]) -> PathBuf {
    names
        .iter()
        .map(|n| dir.join(n))
        .find(|p| p.exists())
        .unwrap_or_else(|| panic!("none of {names:?} in {}", dir.display()))
}
