//! Output files that are whole or not there: written under a temporary name in the same directory, then renamed.

use anyhow::{Context, Result, bail};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// An output in the making; dropped unfinished, it leaves nothing behind.
pub(crate) struct Output {
    temp: TempPath,
    target: PathBuf,
}

impl Output {
    /// Reserves a temporary name beside `target`.
    pub(crate) fn create(target: &Path) -> Result<Output> {
        if target.is_dir() {
            bail!("{}: is a directory; name a file with -o", target.display());
        }
        let dir = match target.parent() {
            Some(d) if !d.as_os_str().is_empty() => d,
            _ => Path::new("."),
        };
        let temp = tempfile::Builder::new().prefix(".xlate-").tempfile_in(dir).with_context(|| {
            format!("{}: cannot write into this directory; choose another with -o", dir.display())
        })?;
        Ok(Output { temp: temp.into_temp_path(), target: target.to_path_buf() })
    }

    /// The temporary file.
    pub(crate) fn path(&self) -> &Path {
        &self.temp
    }

    /// Makes the file executable and gives it its name. Returns its size in bytes.
    pub(crate) fn finish(self) -> Result<u64> {
        let name = self.target.display().to_string();
        let size = std::fs::metadata(&self.temp).with_context(|| name.clone())?.len();
        std::fs::set_permissions(&self.temp, std::fs::Permissions::from_mode(0o755))
            .with_context(|| name.clone())?;
        self.temp.persist(&self.target).with_context(|| format!("{name}: cannot be written"))?;
        Ok(size)
    }
}
