//! The demonstration: from a bare machine to a real ARM program running natively.

use crate::packages::{target_dir, unpack};
use crate::{Result, cargo, setup, step};
use std::process::Command;

/// Installs, builds, translates Debian's busybox for arm64 and runs it.
pub fn run() -> Result<()> {
    setup::run(setup::Need::Build)?;
    step(&mut cargo(&["build", "--release", "--package", "xlate"]))?;
    let xlate = target_dir().join("release/xlate");
    let dir = target_dir().join("demo");
    unpack("arm64", &dir, &["busybox-static".to_string()])?;
    let busybox = ["bin/busybox", "usr/bin/busybox"]
        .map(|p| dir.join(p))
        .into_iter()
        .find(|p| p.exists())
        .ok_or("the package busybox-static:arm64 has no bin/busybox")?;
    let out = dir.join("busybox.x86");
    step(Command::new(&xlate).arg(&busybox).arg("-o").arg(&out).arg("--stats"))?;
    step(Command::new(&out).args(["uname", "-sm"]))?;
    step(Command::new(&out).args([
        "sh",
        "-c",
        "seq 1 100000 | awk '{ s += $1 } END { print \"sum of 1..100000:\", s }'",
    ]))?;
    println!("xtask: {} is an arm64 program that now runs as native x86-64 code", out.display());
    Ok(())
}
