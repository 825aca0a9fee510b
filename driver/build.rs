//! Builds the runtime's static library with a cargo of its own (a target directory of its own avoids the lock of the
//! build that runs this script), then links what outputs need of it into one object, which `xlate` embeds: linking an
//! output with it takes a fifth of the time. So `cargo build` or `cargo install` alone give a working `xlate`.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("invariant: cargo sets OUT_DIR"));
    let driver = driver();
    let root = driver.parent().expect("invariant: the driver lies in the workspace");
    for dir in ["runtime", "lifter/ir", "lifter/flags", "lifter/isa", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", root.join(dir).display());
    }
    // One directory for all profiles and fingerprints of this script: the library is the same for all.
    let target =
        out.ancestors().nth(4).expect("invariant: OUT_DIR lies in the target directory").join("runtime");
    let mut cargo = Command::new(std::env::var_os("CARGO").expect("invariant: cargo sets CARGO"));
    cargo
        .args(["build", "--quiet", "--package", "xlate-rt", "--profile", "runtime", "--target-dir"])
        .arg(&target)
        .arg("--manifest-path")
        .arg(root.join("Cargo.toml"));
    // What cargo and clippy say to this script must not reach the inner build.
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy().into_owned();
        if name.starts_with("CARGO_") && name != "CARGO_HOME"
            || name.starts_with("RUSTC")
            || name == "RUSTFLAGS"
        {
            cargo.env_remove(key);
        }
    }
    let status = cargo.status().expect("invariant: cargo can be started from its build script");
    assert!(status.success(), "building the runtime library failed");
    join(&target.join("runtime/libxlate_rt.a"), &out);
}

/// This package's directory as cargo says it now: the script may have been compiled in another one that shares its target
/// directory.
fn driver() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").expect("invariant: cargo sets CARGO_MANIFEST_DIR").into()
}

/// Links the used part of `library` into `out/xlate_rt.o`, without debug information.
fn join(library: &Path, out: &Path) {
    let script = driver().join("runtime.ld");
    println!("cargo:rerun-if-changed={}", script.display());
    println!("cargo:rerun-if-env-changed=CC");
    let roots =
        [abi::symbol::MAIN, abi::symbol::SYSCALL, abi::symbol::SOFT_OP, abi::symbol::AGAIN, abi::symbol::RUN];
    let joined = out.join("joined.o");
    let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-r", "-nostdlib", "-Wl,--gc-sections,--strip-debug,--discard-all,-T"]).arg(script);
    cc.args(roots.map(|r| format!("-Wl,-u,{r}")));
    succeed(cc.arg("-o").arg(&joined).arg(library));
    // References of what was left out would pull in much of the C library, and global names could clash with it.
    let mut objcopy = Command::new("objcopy");
    objcopy.arg("--strip-unneeded").args(roots.map(|r| format!("--keep-global-symbol={r}")));
    succeed(objcopy.arg(&joined).arg(out.join("xlate_rt.o")));
}

fn succeed(command: &mut Command) {
    match command.status() {
        Ok(status) => assert!(status.success(), "{command:?} failed"),
        Err(e) => panic!("{command:?}: {e}; install a C compiler and binutils (Debian: apt-get install gcc)"),
    }
}
