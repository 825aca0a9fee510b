//! The cache directory: compiled functions and whole programs, named by hashes of what they were made from, and the
//! command that shows and clears it. A cache that cannot be used costs a warning and time, never a translation.
//!
//! `functions/xx/…` holds a file per function: magic, checksum, contents. A file is written under another name and then
//! renamed, so that whoever reads sees nothing or a whole one; what a crash or a bad disk leaves fails its checksum, is
//! not there, and is replaced. `programs/` holds executables of `xlate run`. `usage` holds the number of bytes added
//! since files were last counted and that count; it is rewritten under a lock by whoever adds something. When it exceeds
//! the limit, all files are looked at and those unused for longest go.

use crate::output;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use pipeline::{Key, Store};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

const MAGIC: &[u8; 8] = b"xlfunc1\n";
const HEADER: usize = MAGIC.len() + blake3::OUT_LEN;
const DEFAULT_MAX: u64 = 2 << 30;
/// A file's time of use is renewed only if it is older than this, so that most uses write nothing.
const USE_GRAIN: Duration = Duration::from_secs(3600);
/// Unfinished files older than this belong to a process that is gone.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Where the cache is and how large it may get.
#[derive(Args, Clone)]
pub(crate) struct CacheArgs {
    /// Directory of compiled functions [default: $XLATE_CACHE, else $XDG_CACHE_HOME/xlate, else ~/.cache/xlate].
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    cache: Option<PathBuf>,
    /// Keep nothing, and take nothing that was kept.
    #[arg(long)]
    no_cache: bool,
    /// Most bytes that the cache may hold, as in 500M or 4G [default: $XLATE_CACHE_MAX, else 2G].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    cache_max: Option<u64>,
}

/// `xlate cache`
#[derive(Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print the directory and nothing else.
    #[arg(long)]
    dir: bool,
    /// Another directory than the default one.
    #[arg(long, value_name = "DIR", global = true)]
    cache: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    /// Remove everything from the cache.
    Clear,
}

impl CacheArgs {
    /// The options that say the same to `xlate run` for the programs that a program executes; their directory may be another.
    pub(crate) fn inherited(&self) -> Vec<OsString> {
        let mut options: Vec<OsString> = Vec::new();
        if let Some(dir) = &self.cache {
            let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.clone());
            options.extend(["--cache".into(), dir.into_os_string()]);
        }
        options.extend(self.no_cache.then(|| "--no-cache".into()));
        options.extend(self.cache_max.map(|n| format!("--cache-max={n}").into()));
        options
    }
}

fn size(text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1u64 << 30,
        "T" | "TB" | "TIB" => 1 << 40,
        _ => bail!("`{text}` is not a size; write bytes, or a number with K, M, G or T"),
    };
    let n: u64 = digits.parse().with_context(|| format!("`{text}` is not a size"))?;
    n.checked_mul(unit).with_context(|| format!("`{text}` is too large"))
}

impl CacheArgs {
    /// The cache that was asked for; `None` without one. Nothing is created yet.
    pub(crate) fn open(&self) -> Result<Option<Cache>> {
        if self.no_cache {
            return Ok(None);
        }
        let max = match (self.cache_max, std::env::var("XLATE_CACHE_MAX")) {
            (Some(n), _) => n,
            (None, Ok(text)) if !text.is_empty() => size(&text).context("XLATE_CACHE_MAX")?,
            (None, _) => DEFAULT_MAX,
        };
        Ok(directory(self.cache.as_deref()).map(|dir| Cache {
            dir,
            max,
            added: AtomicU64::new(0),
            files: AtomicU64::new(0),
            off: AtomicBool::new(false),
        }))
    }
}

/// The cache's directory; `None` if nothing says where the user's files are.
fn directory(asked: Option<&Path>) -> Option<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    asked
        .map(Path::to_path_buf)
        .or_else(|| var("XLATE_CACHE"))
        .or_else(|| var("XDG_CACHE_HOME").filter(|p| p.is_absolute()).map(|p| p.join("xlate")))
        .or_else(|| {
            std::env::home_dir()
                .filter(|h| !h.as_os_str().is_empty())
                .map(|home| home.join(".cache").join("xlate"))
        })
}

/// The cache of one run of the tool.
pub(crate) struct Cache {
    dir: PathBuf,
    max: u64,
    /// Bytes added by this run.
    added: AtomicU64,
    /// Files created by this run: a part of temporary names.
    files: AtomicU64,
    /// Set when writing failed: the user has been told, and no more is tried.
    off: AtomicBool,
}

impl Cache {
    /// Where the program of that key is kept; `None` if the directory cannot be made.
    pub(crate) fn program(&self, key: &str) -> Option<PathBuf> {
        let dir = self.dir.join("programs");
        match make(&self.dir).and_then(|()| make(&dir)) {
            Ok(()) => Some(dir.join(key)),
            Err(e) => {
                self.failed(&e);
                None
            }
        }
    }

    /// Notes that `path` was used now.
    pub(crate) fn touch(&self, path: &Path) {
        if let Ok(file) = File::open(path) {
            renew(&file);
        }
    }

    /// Counts `bytes` that were added, and makes room if they are too many.
    pub(crate) fn added(&self, bytes: u64) {
        self.added.fetch_add(bytes, Ordering::Relaxed);
        self.finish();
    }

    /// Tells the user, once, that the cache cannot be written.
    pub(crate) fn failed(&self, e: &std::io::Error) {
        if !self.off.swap(true, Ordering::Relaxed) {
            output::message(format_args!(
                "xlate: warning: {}: cannot be written ({e}): nothing is kept; choose another directory with --cache, or none with --no-cache\n",
                self.dir.display()
            ));
        }
    }

    /// Accounts for what this run added, and removes what was not used for longest if the cache is too large.
    pub(crate) fn finish(&self) {
        let added = self.added.swap(0, Ordering::Relaxed);
        if added > 0
            && !self.off.load(Ordering::Relaxed)
            && let Err(e) = self.account(added)
        {
            self.failed(&e);
        }
    }

    fn account(&self, added: u64) -> std::io::Result<()> {
        let mut usage = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.dir.join("usage"))?;
        usage.lock()?;
        let mut text = String::new();
        let before = usage.read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u64>().ok());
        // What is there is not known, the first time or after damage: count it.
        let total = before.map_or(u64::MAX, |b| b.saturating_add(added));
        let total = if total > self.max { evict(&self.dir, self.max)? } else { total };
        usage.set_len(0)?;
        usage.rewind()?;
        write!(usage, "{total}")
    }

    fn path(&self, key: &Key) -> PathBuf {
        let name = blake3::Hash::from_bytes(key.0).to_hex();
        self.dir.join("functions").join(&name[..2]).join(&name[2..])
    }

    fn write(&self, path: &Path, entry: &[u8]) -> std::io::Result<()> {
        let dir = path.parent().expect("invariant: entries lie in a directory");
        let n = self.files.fetch_add(1, Ordering::Relaxed);
        let temp = dir.join(format!(".{}-{n}", std::process::id()));
        let create = || File::options().write(true).create(true).truncate(true).open(&temp);
        let mut file = match create() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                for d in [&self.dir, &self.dir.join("functions"), dir] {
                    make(d)?;
                }
                create()?
            }
            other => other?,
        };
        let mut bytes = Vec::with_capacity(HEADER + entry.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(blake3::hash(entry).as_bytes());
        bytes.extend_from_slice(entry);
        let written = file.write_all(&bytes).and_then(|()| std::fs::rename(&temp, path));
        if written.is_err() {
            let _ = std::fs::remove_file(&temp);
        }
        self.added.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        written
    }
}

impl Store for Cache {
    fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let mut file = File::open(self.path(key)).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let (magic, rest) = bytes.split_first_chunk::<{ MAGIC.len() }>()?;
        let (checksum, entry) = rest.split_first_chunk::<{ blake3::OUT_LEN }>()?;
        if magic != MAGIC || blake3::hash(entry) != *checksum {
            return None;
        }
        renew(&file);
        bytes.drain(..HEADER);
        Some(bytes)
    }

    fn put(&self, key: &Key, entry: &[u8]) {
        if self.off.load(Ordering::Relaxed) {
            return;
        }
        if let Err(e) = self.write(&self.path(key), entry) {
            self.failed(&e);
        }
    }
}

/// Creates a directory for the user alone; one that is there is as good.
fn make(dir: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Sets a file's time of last use; one that cannot be set matters little.
fn renew(file: &File) {
    let now = SystemTime::now();
    let old = file.metadata().and_then(|m| m.modified());
    if old.is_ok_and(|t| now.duration_since(t).is_ok_and(|age| age > USE_GRAIN)) {
        let _ = file.set_modified(now);
    }
}

/// A kept file.
struct Kept {
    used: SystemTime,
    bytes: u64,
    path: PathBuf,
}

/// All files that are kept; unfinished ones whose process is gone are removed on the way.
fn files(dir: &Path) -> Vec<Kept> {
    let mut all = Vec::new();
    let list = |d: &Path| std::fs::read_dir(d).into_iter().flatten().flatten();
    let shards = list(&dir.join("functions")).map(|e| e.path()).chain([dir.join("programs")]);
    for shard in shards {
        for entry in list(&shard) {
            let Ok(meta) = entry.metadata() else { continue };
            let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let path = entry.path();
            let unfinished = entry.file_name().as_encoded_bytes().starts_with(b".")
                || path.extension().is_some_and(|e| e == "lock");
            if !unfinished {
                all.push(Kept { used, bytes: meta.len(), path });
            } else if SystemTime::now().duration_since(used).is_ok_and(|age| age > ABANDONED) {
                let _ = std::fs::remove_file(&path);
            }
        }
    }
    all
}

/// Removes what was not used for longest until a fifth of `max` is free. Gives what is left, in bytes.
fn evict(dir: &Path, max: u64) -> std::io::Result<u64> {
    let mut all = files(dir);
    let mut total: u64 = all.iter().map(|k| k.bytes).sum();
    if total <= max {
        return Ok(total);
    }
    all.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
    for k in all {
        if total <= max / 5 * 4 {
            break;
        }
        match std::fs::remove_file(&k.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => total -= k.bytes,
        }
    }
    Ok(total)
}

pub(crate) fn command(args: &Command) -> Result<u8> {
    let Some(dir) = directory(args.cache.as_deref()) else {
        bail!(
            "no cache directory: none of XLATE_CACHE, XDG_CACHE_HOME and HOME is set; name one with --cache"
        );
    };
    match args.action {
        None if args.dir => output::data(&format!("{}\n", dir.display()))?,
        None => {
            let (programs, functions): (Vec<_>, Vec<_>) = files(&dir)
                .into_iter()
                .partition(|k| k.path.parent().is_some_and(|p| p.ends_with("programs")));
            let line = |what: &str, list: &[Kept]| {
                let mib = list.iter().map(|k| k.bytes).sum::<u64>() as f64 / f64::from(1 << 20);
                format!("{what:10} {:>8}  {mib:.1} MiB\n", list.len())
            };
            let (functions, programs) = (line("functions", &functions), line("programs", &programs));
            output::data(&format!("directory  {}\n{functions}{programs}", dir.display()))?;
        }
        Some(Action::Clear) => {
            for part in ["functions", "programs", "usage"].map(|p| dir.join(p)) {
                let removed =
                    if part.is_dir() { std::fs::remove_dir_all(&part) } else { std::fs::remove_file(&part) };
                match removed {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                        bail!("{}: cannot be removed: {e}", part.display())
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, n) in [("0", 0), ("512", 512), ("3k", 3072), ("500M", 500 << 20), ("2GiB", 2 << 30)] {
            assert_eq!(size(text).unwrap(), n);
        }
        for text in ["", "G", "1.5G", "-1", "3X", "99999999999T"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
