//! Fetches Debian packages of another architecture without touching the machine's package state: apt gets directories
//! of its own under the target directory. Takes package names, gives an unpacked tree, or a source package's files.

use crate::{Result, root, step};
use std::path::{Path, PathBuf};
use std::process::Command;

/// `[--arch ARCH | --source] DIR PACKAGE…`.
pub fn command(args: &[String]) -> Result<()> {
    if let [flag, dir, packages @ ..] = args
        && flag == "--source"
        && !packages.is_empty()
    {
        return sources(dir.as_ref(), packages);
    }
    let (arch, rest) = match args {
        [flag, arch, rest @ ..] if flag == "--arch" => (arch.as_str(), rest),
        rest => ("arm64", rest),
    };
    if !matches!(arch, "arm64" | "armhf" | "armel" | "amd64") {
        return Err(format!("packages: no architecture `{arch}`; use arm64, armhf, armel or amd64"));
    }
    match rest {
        [dir, packages @ ..] if !packages.is_empty() => unpack(arch, dir.as_ref(), packages),
        _ => Err("packages: name a directory and at least one package".into()),
    }
}

/// Downloads `packages` for `arch` (each once; kept in the target directory) and unpacks them into `dir`.
pub fn unpack(arch: &str, dir: &Path, packages: &[String]) -> Result<()> {
    let store = target_dir().join("packages");
    // Package lists of their own for each architecture.
    let state = store.join(if arch == "arm64" { "state".into() } else { format!("state-{arch}") });
    let lists = state.join("lists/partial");
    let updated = state.join("updated");
    let debs = store.join(arch);
    for d in [&lists, &debs, &store.join("cache/archives/partial"), &dir.to_path_buf()] {
        std::fs::create_dir_all(d).map_err(|e| format!("cannot create {}: {e}", d.display()))?;
    }
    for package in packages {
        if find(&debs, package).is_none() {
            if !updated.exists() {
                update(|| apt(arch, &store, &state));
                let _ = std::fs::write(&updated, "");
            }
            let name = format!("{package}:{arch}");
            step(apt(arch, &store, &state).args(["-q", "download", &name]).current_dir(&debs))?;
        }
        let deb =
            find(&debs, package).ok_or_else(|| format!("apt-get downloaded no file for {package}:{arch}"))?;
        step(Command::new("dpkg-deb").arg("-x").arg(deb).arg(dir))?;
    }
    Ok(())
}

/// Downloads the files of source packages into `dir`. The machine's own package sources need not name any: where they say
/// `deb`, apt is told `deb-src`.
fn sources(dir: &Path, packages: &[String]) -> Result<()> {
    let store = target_dir().join("packages");
    let state = store.join("state-source");
    let parts = state.join("parts");
    for d in [&state.join("lists/partial"), &parts, &store.join("cache/archives/partial"), &dir.to_path_buf()]
    {
        std::fs::create_dir_all(d).map_err(|e| format!("cannot create {}: {e}", d.display()))?;
    }
    let mut lists = vec![PathBuf::from("/etc/apt/sources.list")];
    lists.extend(
        std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|e| e.path()),
    );
    for list in lists {
        let (Ok(text), Some(name)) = (std::fs::read_to_string(&list), list.file_name()) else { continue };
        std::fs::write(parts.join(name), of_sources(&text))
            .map_err(|e| format!("{}: {e}", parts.display()))?;
    }
    let apt = || {
        let mut c = apt("amd64", &store, &state);
        c.arg("-o").arg("Dir::Etc::SourceList=/dev/null");
        c.arg("-o").arg(format!("Dir::Etc::SourceParts={}", parts.display()));
        c
    };
    update(apt);
    step(apt().args(["-q", "source", "--download-only"]).args(packages).current_dir(dir))
}

/// Fetches package lists. One that cannot be had (mirrors are out of step at times) is tried again, and then left out: the packages
/// may be in another.
pub fn update(apt: impl Fn() -> Command) {
    for _ in 0..3 {
        match step(apt().args(["-q", "update"])) {
            Ok(()) => return,
            Err(e) => eprintln!("xtask: {e}"),
        }
        std::thread::sleep(std::time::Duration::from_secs(5));
    }
    eprintln!("xtask: going on with the package lists that could be had");
}

/// A list of package sources, in either of apt's formats, that names those of source packages instead of the binary ones.
fn of_sources(text: &str) -> String {
    let line = |l: &str| match (l.strip_prefix("deb "), l.strip_prefix("Types:")) {
        (Some(rest), _) => format!("deb-src {rest}\n"),
        (None, Some(_)) => "Types: deb-src\n".to_string(),
        (None, None) => format!("{l}\n"),
    };
    text.lines().map(line).collect()
}

fn apt(arch: &str, store: &Path, state: &Path) -> Command {
    let mut c = Command::new("apt-get");
    for option in [
        format!("Dir::State={}", state.display()),
        format!("Dir::Cache={}", store.join("cache").display()),
        "Dir::State::status=/dev/null".to_string(),
        format!("APT::Architecture={arch}"),
        format!("APT::Architectures::={arch}"),
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
