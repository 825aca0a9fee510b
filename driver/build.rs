//! Builds the runtime's static library, which `xlate` embeds, with a cargo of its own: a target directory of its own
//! avoids the lock of the build that runs this script. So `cargo build` or `cargo install` alone give a working `xlate`.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("invariant: cargo sets OUT_DIR"));
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("invariant: the driver lies in the workspace");
    for dir in ["runtime", "lifter/ir", "lifter/isa", "Cargo.toml", "Cargo.lock"] {
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
    let library = target.join("runtime/libxlate_rt.a");
    std::fs::copy(&library, out.join("libxlate_rt.a")).expect("invariant: the build above made the library");
}
