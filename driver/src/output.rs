//! Output files that are whole or not there: written under a temporary name in the same directory, then renamed. And what
//! goes to the standard streams, whose failure is no panic.

use crate::interrupt::{self, Temporary};
use anyhow::{Context, Result, bail};
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// An output in the making; dropped unfinished, it leaves nothing behind.
pub(crate) struct Output {
    temp: TempPath,
    target: PathBuf,
    _temporary: Temporary,
}

impl Output {
    /// Reserves a temporary name beside `target`, which is to be made from `input`.
    pub(crate) fn create(input: &Path, target: &Path) -> Result<Output> {
        check_target(input, target)?;
        let dir = match target.parent() {
            Some(d) if !d.as_os_str().is_empty() => d,
            _ => Path::new("."),
        };
        let make = || {
            // As for any program the linker makes: executable by all whom the umask lets.
            let mode = Permissions::from_mode(0o777);
            let mut builder = tempfile::Builder::new();
            let temp = builder.prefix(".xlate-").permissions(mode).tempfile_in(dir).with_context(|| {
                format!("{}: cannot write into this directory; choose another with -o", dir.display())
            })?;
            Ok(temp.into_temp_path())
        };
        let (temporary, temp) = Temporary::new(make, |t| t)?;
        Ok(Output { temp, target: target.to_path_buf(), _temporary: temporary })
    }

    /// The temporary file.
    pub(crate) fn path(&self) -> &Path {
        &self.temp
    }

    /// Gives the file its name. Returns its size in bytes.
    pub(crate) fn finish(self) -> Result<u64> {
        let name = self.target.display();
        let _hold = interrupt::hold();
        let size = std::fs::metadata(&self.temp).with_context(|| name.to_string())?.len();
        self.temp.persist(&self.target).with_context(|| format!("{name}: cannot be written"))?;
        Ok(size)
    }
}

/// Refuses what a rename over it would destroy: the input, devices, pipes.
fn check_target(input: &Path, target: &Path) -> Result<()> {
    let name = target.display();
    if let Ok(meta) = std::fs::metadata(target) {
        if meta.is_dir() {
            bail!("{name}: is a directory; name a file with -o");
        }
        if !meta.is_file() {
            bail!("{name}: is not a regular file; name one, or a new one, with -o");
        }
        if std::fs::metadata(input).is_ok_and(|i| (i.dev(), i.ino()) == (meta.dev(), meta.ino())) {
            bail!("{name}: is the input itself; name another file with -o");
        }
    }
    Ok(())
}

/// Writes data to standard output. That nobody reads to the end is no error.
pub(crate) fn data(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => bail!("stdout: {e}"),
        _ => Ok(()),
    }
}

/// Writes a message, whole lines, to standard error, if that can be done.
pub(crate) fn message(text: std::fmt::Arguments<'_>) {
    let _ = std::io::stderr().lock().write_all(format!("{text}").as_bytes());
}
