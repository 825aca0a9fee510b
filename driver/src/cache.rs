//! `xlate run`: a content-addressed cache of translations, and execution of one. The key covers the program, the
//! options, the runtime and the translator itself; entries are renamed into place, so concurrent runs see whole files.

use crate::{CommonArgs, RunArgs, link, load, translate};
use anyhow::{Context, Result, bail};
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn run(args: &RunArgs) -> Result<u8> {
    let program = translated(&args.input, &args.common)?;
    let name = args.argv0.as_deref().unwrap_or(args.input.as_os_str());
    let error = Command::new(&program).arg0(name).args(&args.args).exec();
    bail!(
        "{}: the translated program {} could not be started: {error}",
        args.input.display(),
        program.display()
    );
}

/// The translation of `input`, from the cache or made now.
fn translated(input: &Path, common: &CommonArgs) -> Result<PathBuf> {
    let image = load(input, common)?;
    let key = key(&image.file, common)?;
    let dir = directory()?;
    std::fs::create_dir_all(&dir).with_context(|| {
        format!("{}: the cache directory cannot be created; set XDG_CACHE_HOME", dir.display())
    })?;
    let _ = std::fs::set_permissions(&dir, Permissions::from_mode(0o700));
    let entry = dir.join(&key);
    if entry.exists() {
        return Ok(entry);
    }
    // Whoever comes second waits instead of translating again. The lock goes with the process, however it ends.
    let lock_path = dir.join(format!("{key}.lock"));
    let lock =
        File::create(&lock_path).with_context(|| format!("{}: cannot be created", lock_path.display()))?;
    lock.lock().with_context(|| format!("{}: cannot be locked", lock_path.display()))?;
    if !entry.exists() {
        translate::to_file(input, &entry, common)?;
    }
    let _ = std::fs::remove_file(&lock_path);
    Ok(entry)
}

fn directory() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|v| Path::new(v).is_absolute()) {
        Some(v) => PathBuf::from(v),
        None => match std::env::home_dir().filter(|h| !h.as_os_str().is_empty()) {
            Some(home) => home.join(".cache"),
            None => bail!("no cache directory: neither XDG_CACHE_HOME nor HOME is set; set one"),
        },
    };
    Ok(base.join("xlate"))
}

fn key(program: &[u8], common: &CommonArgs) -> Result<String> {
    let exe = std::env::current_exe()
        .and_then(std::fs::read)
        .context("xlate cannot read itself for its cache's key")?;
    let mut h = blake3::Hasher::new();
    h.update(blake3::hash(&exe).as_bytes());
    h.update(link::runtime_hash().as_bytes());
    h.update(blake3::hash(program).as_bytes());
    h.update(format!("{:?}", common.options()).as_bytes());
    Ok(h.finalize().to_hex().to_string())
}
