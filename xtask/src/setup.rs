//! Installs the system packages that building and testing need, on Debian 12+ and Ubuntu 24.04+. Takes what for, says
//! what it does, does nothing if all is there. Other systems are told what to install.

use crate::{Result, step};
use std::process::Command;

/// What the machine must be able to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Build `xlate`, translate and link.
    Build,
    /// Run the tests, too.
    Test,
}

/// LLVM as a library, and a C compiler as the linker.
const BUILD: &[&str] = &[
    "gcc",
    "libc6-dev",
    "llvm-19-dev",
    "libpolly-19-dev",
    "zlib1g-dev",
    "libzstd-dev",
    "libxml2-dev",
    "libffi-dev",
];

/// Cross compilers and cross libraries for guest programs, a second compiler, the oracle, second disassemblers, gcc's torture tests, Go.
const TEST: &[&str] = &[
    "gcc-aarch64-linux-gnu",
    "g++-aarch64-linux-gnu",
    "musl-tools",
    "libc6-dev-arm64-cross",
    "binutils-aarch64-linux-gnu",
    "gcc-arm-linux-gnueabihf",
    "g++-arm-linux-gnueabihf",
    "libc6-dev-armhf-cross",
    "clang-19",
    "llvm-19",
    "qemu-user-static",
    "gcc-12-source",
    "xz-utils",
    "bzip2",
    "golang-go",
];

/// Installs what is missing.
pub fn run(need: Need) -> Result<()> {
    let mut wanted = BUILD.to_vec();
    if need == Need::Test {
        wanted.extend(TEST);
    }
    let missing: Vec<&str> = wanted.into_iter().filter(|p| !installed(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if Command::new("apt-get").arg("--version").output().is_err() {
        return Err(format!(
            "this system has no apt-get; install the equivalents of these Debian packages and call again: {}",
            missing.join(" ")
        ));
    }
    println!("xtask: installing system packages: {}", missing.join(" "));
    crate::packages::update(|| root_command("apt-get"));
    step(
        root_command("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["-q", "install", "-y", "--no-install-recommends"])
            .args(missing),
    )
}

fn installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f", "${Status}", package])
        .output()
        .is_ok_and(|o| o.stdout.ends_with(b"install ok installed"))
}

fn root_command(program: &str) -> Command {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
    if is_root {
        Command::new(program)
    } else {
        let mut c = Command::new("sudo");
        c.arg(program);
        c
    }
}
