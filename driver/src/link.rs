//! Links objects and the embedded runtime into a static PIE with the system's C compiler driver. Takes object
//! bytes, gives a file; everything temporary lies in a directory that goes away.

use crate::interrupt::{self, Temporary};
use crate::output;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// The runtime as one object, made by the build script.
static RUNTIME: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/xlate_rt.o"));

/// What gcc's driver sets for the programs that it executes, as far as another driver would obey.
const OF_COMPILER_DRIVERS: [&str; 6] = [
    "COLLECT_GCC",
    "COLLECT_GCC_OPTIONS",
    "COLLECT_LTO_WRAPPER",
    "COMPILER_PATH",
    "GCC_EXEC_PREFIX",
    "LIBRARY_PATH",
];

/// A directory that goes with its two halves, and when a signal ends the tool.
pub(crate) fn temporary_directory() -> Result<(Temporary, tempfile::TempDir)> {
    let make = || {
        tempfile::Builder::new()
            .prefix("xlate-")
            .tempdir()
            .context("cannot create a temporary directory; set TMPDIR to one with room")
    };
    Temporary::new(make, |d| d.path())
}

/// Links `objects` (kept in order: tables rely on it) to the executable `output`. `for_guest`: the environment is a guest program's,
/// whose `CC` may be a compiler for ARM.
pub(crate) fn link(objects: &[Vec<u8>], output: &Path, verbose: bool, for_guest: bool) -> Result<()> {
    let (_temporary, dir) = temporary_directory()?;
    let write = |name: String, bytes: &[u8]| -> Result<std::path::PathBuf> {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).with_context(|| {
            format!("{}: cannot be written; set TMPDIR to a directory with room", path.display())
        })?;
        Ok(path)
    };
    let cc = std::env::var_os("CC").filter(|_| !for_guest).unwrap_or_else(|| "cc".into());
    let mut command = Command::new(&cc);
    if std::env::var_os("PATH").is_none() {
        // In an empty environment a compiler driver does not find its own parts.
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    }
    if for_guest || std::env::var_os("COLLECT_GCC").is_some() {
        // A guest, or a compiler driver that executes an ARM compiler or linker, says by them where the latter's parts are.
        for name in OF_COMPILER_DRIVERS {
            command.env_remove(name);
        }
    }
    // The compiler driver's own temporary files go with the directory, however it ends.
    command.env("TMPDIR", dir.path());
    command
        .args(["-static-pie", "-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,-z,noexecstack", "-o"])
        .arg(output);
    for (i, object) in objects.iter().enumerate() {
        command.arg(write(format!("{i:05}.o"), object)?);
    }
    command.arg(write("xlate_rt.o".into(), RUNTIME)?);
    if verbose {
        output::message(format_args!("xlate: {command:?}\n"));
    }
    let out = match interrupt::output(&mut command) {
        Ok(out) => out,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => bail!(
            "the linker `{}` was not found; install a C compiler (Debian: apt-get install gcc libc6-dev) or name one in CC",
            cc.to_string_lossy()
        ),
        Err(e) => bail!("the linker `{}` could not be started: {e}", cc.to_string_lossy()),
    };
    if !out.status.success() {
        bail!(
            "the linker `{}` failed ({}):\n{}",
            cc.to_string_lossy(),
            out.status,
            String::from_utf8_lossy(&out.stderr)
        );
    }
    Ok(())
}
