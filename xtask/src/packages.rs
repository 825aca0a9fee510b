//! Fetches Debian packages of another architecture without touching the machine's package state: apt gets directories
//! of its own under the target directory. Takes package names, gives an unpacked tree.

use crate::{Result, root, step};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Downloads `packages` for arm64 (each once; kept in the target directory) and unpacks them into `dir`.
pub fn unpack(dir: &Path, packages: &[String]) -> Result<()> {
    let store = target_dir().join("packages");
    let lists = store.join("state/lists/partial");
    let debs = store.join("arm64");
    for d in [&lists, &debs, &store.join("cache/archives/partial"), &dir.to_path_buf()] {
        std::fs::create_dir_all(d).map_err(|e| format!("cannot create {}: {e}", d.display()))?;
    }
    for package in packages {
        if find(&debs, package).is_none() {
            if !store.join("updated").exists() {
                step(apt(&store).args(["-q", "update"]))?;
                let _ = std::fs::write(store.join("updated"), "");
            }
            step(apt(&store).args(["-q", "download", &format!("{package}:arm64")]).current_dir(&debs))?;
        }
        let deb =
            find(&debs, package).ok_or_else(|| format!("apt-get downloaded no file for {package}:arm64"))?;
        step(Command::new("dpkg-deb").arg("-x").arg(deb).arg(dir))?;
    }
    Ok(())
}

fn apt(store: &Path) -> Command {
    let mut c = Command::new("apt-get");
    for option in [
        format!("Dir::State={}", store.join("state").display()),
        format!("Dir::Cache={}", store.join("cache").display()),
        "Dir::State::status=/dev/null".to_string(),
        "APT::Architecture=arm64".to_string(),
        "APT::Architectures::=arm64".to_string(),
        "APT::Sandbox::User=".to_string(),
        "Acquire::Languages=none".to_string(),
    ] {
        c.arg("-o").arg(option);
    }
    c
}

fn find(debs: &Path, package: &str) -> Option<PathBuf> {
    let prefix = format!("{package}_");
    std::fs::read_dir(debs)
        .ok()?
        .filter_map(|e| e.ok())
        .find(|e| e.file_name().to_string_lossy().starts_with(&prefix))
        .map(|e| e.path())
}

/// Cargo's target directory.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
