//! Finds the programs that tests call.

use crate::root;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The `xlate` binary of this workspace: `XLATE_BIN`, or built now by cargo in the profile of the running test.
pub fn xlate() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(path) = std::env::var_os("XLATE_BIN") {
            return path.into();
        }
        // Test executables lie in <target>/<profile>/deps.
        let exe = std::env::current_exe().expect("a test knows its executable");
        let dir = exe.parent().and_then(|d| if d.ends_with("deps") { d.parent() } else { Some(d) });
        let dir = dir.expect("a test executable has a directory").to_path_buf();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--package", "xlate"]).current_dir(root());
        if dir.ends_with("release") {
            cargo.arg("--release");
        }
        let target = dir.parent().expect("a profile directory has a parent");
        cargo.arg("--target-dir").arg(target);
        assert!(cargo.status().expect("cargo starts").success(), "building xlate failed");
        dir.join("xlate")
    })
    .clone()
}

/// The first of `names` that can be started.
fn first(names: &[&str], package: &str) -> String {
    names
        .iter()
        .find(|n| Command::new(n).arg("--version").output().is_ok())
        .unwrap_or_else(|| panic!("none of {names:?} found; `cargo xtask setup --test` installs {package}"))
        .to_string()
}

/// qemu's user-mode emulator for AArch64.
pub fn qemu() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| first(&["qemu-aarch64-static", "qemu-aarch64"], "qemu-user-static"))
}

/// qemu's user-mode emulator for AArch32.
pub fn qemu_arm() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| first(&["qemu-arm-static", "qemu-arm"], "qemu-user-static"))
}

/// The cross compiler for AArch32.
pub fn cross_gcc_arm() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| first(&["arm-linux-gnueabihf-gcc"], "gcc-arm-linux-gnueabihf"))
}

/// The cross compiler.
pub fn cross_gcc() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| first(&["aarch64-linux-gnu-gcc"], "gcc-aarch64-linux-gnu"))
}

/// A program of the cross binutils, such as `ld`.
pub fn cross(program: &str) -> String {
    format!("aarch64-linux-gnu-{program}")
}

/// The cross disassembler.
pub fn cross_objdump() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| first(&["aarch64-linux-gnu-objdump"], "binutils-aarch64-linux-gnu"))
}

/// Go's compiler.
pub fn go() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| first(&["go"], "golang-go"))
}
