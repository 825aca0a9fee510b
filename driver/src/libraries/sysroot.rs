//! The directory with the ARM system's files, as the runtime will choose and use it (`runtime/host/src/sysroot.rs`). Takes the
//! guest's absolute paths, gives the host's.

use super::identify;
use image::Image;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The directory.
pub(super) struct Sysroot {
    /// Its name without symbolic links, and open; `None` if the host's root is the guest's.
    directory: Option<(PathBuf, OwnedFd)>,
}

impl Sysroot {
    /// The directory `given`, or else the one that XLATE_SYSROOT names, or else the usual one.
    pub(super) fn choose(program: &Image, given: Option<&Path>) -> Sysroot {
        let named: Option<OsString> = std::env::var_os("XLATE_SYSROOT").filter(|d| !d.is_empty());
        match given.or(named.as_deref().map(Path::new)) {
            Some(directory) => Sysroot::at(directory),
            None => Sysroot::usual(program),
        }
    }

    /// The host's root if the program's dynamic linker is there, or else where cross libraries lie.
    pub(super) fn usual(program: &Image) -> Sysroot {
        let root = Sysroot { directory: None };
        let Some(linker) = program.linker.as_deref() else { return root };
        let path = Path::new(OsStr::from_bytes(linker.to_bytes()));
        if identify(path).is_some_and(|(isa, _)| isa == program.isa) {
            return root;
        }
        let cross = abi::sysroot::cross(linker);
        cross.map_or(root, |directory| Sysroot::at(Path::new(OsStr::from_bytes(directory.to_bytes()))))
    }

    /// `directory`; the host's root if it cannot be opened.
    pub(super) fn at(directory: &Path) -> Sysroot {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |path: PathBuf| Some((openat(CWD, &path, flags, Mode::empty()).ok()?, path));
        let directory = directory.canonicalize().ok().filter(|d| d != Path::new("/")).and_then(open);
        Sysroot { directory: directory.map(|(fd, path)| (path, fd)) }
    }

    /// The host's name of the file that the guest calls `path`; it need not be there. `None` for relative paths: nobody knows
    /// where the program will be started.
    pub(super) fn resolve(&self, path: &Path) -> Option<PathBuf> {
        if !path.is_absolute() {
            return None;
        }
        let covered = abi::sysroot::covers(path.as_os_str().as_bytes());
        let inside = self.directory.as_ref().filter(|_| covered).and_then(|(name, fd)| {
            match openat2(fd, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT) {
                Ok(found) => std::fs::read_link(format!("/proc/self/fd/{}", found.as_raw_fd())).ok(),
                Err(Errno::NOSYS | Errno::PERM) => plain(name, path),
                Err(_) => None,
            }
        });
        Some(inside.unwrap_or_else(|| path.to_owned()))
    }

    /// What the guest calls the file whose name without symbolic links is `host`.
    pub(super) fn guest_name(&self, host: &Path) -> PathBuf {
        let inside = self.directory.as_ref().and_then(|(name, _)| host.strip_prefix(name).ok());
        let path = inside.map(|inside| Path::new("/").join(inside));
        path.filter(|p| abi::sysroot::covers(p.as_os_str().as_bytes())).unwrap_or_else(|| host.to_owned())
    }
}

/// For kernels and containers without openat2: symbolic links lead to where they do on the host.
pub(super) fn plain(directory: &Path, path: &Path) -> Option<PathBuf> {
    let joined = directory.join(path.strip_prefix("/").ok()?);
    joined.exists().then_some(joined)
}
