//! The directory with the ARM system's files, as qemu-user's `-L`: what the guest names by an absolute path is looked for there
//! first. Takes guest paths, gives host paths. Symbolic links there lead to where they would with that directory as root.

use crate::hostcall::{check, syscall};
use crate::image::Loaded;
use crate::linker;
use crate::sys::read_link;
use std::ffi::{CStr, CString};

/// The directory.
#[derive(Debug, Default)]
pub struct Sysroot {
    /// Empty if the host's root is the guest's.
    directory: CString,
}

impl Sysroot {
    /// The directory that XLATE_SYSROOT names, or else the one of the translation; or else the host's root if the program's dynamic
    /// linker is there, or where cross libraries lie.
    pub fn find(image: &Loaded, given: Option<String>) -> Sysroot {
        // The guest may change its directory.
        let given = given.filter(|g| !g.is_empty()).and_then(|g| std::path::absolute(g).ok());
        let given = given.and_then(|g| CString::new(g.into_os_string().into_encoded_bytes()).ok());
        Sysroot::new(given.or_else(|| image.sysroot().map(CStr::to_owned)).unwrap_or_else(|| usual(image)))
    }

    fn new(directory: CString) -> Sysroot {
        let is_root = directory.to_bytes().iter().all(|b| *b == b'/');
        Sysroot { directory: if is_root { CString::default() } else { directory } }
    }

    /// Its name; empty if the host's root is the guest's.
    pub fn directory(&self) -> &CStr {
        &self.directory
    }

    /// The host's name of a file that is there; `None` if the guest's name is the host's. With `nofollow`, a symbolic link at
    /// the end is the file.
    pub fn resolve(&self, path: &[u8], nofollow: bool) -> Option<CString> {
        if self.directory.is_empty() || !abi::sysroot::covers(path) {
            return None;
        }
        let path = CString::new(path).ok()?;
        self.in_root(&path, nofollow)
    }

    /// Lets the kernel walk the path, with the directory as root.
    fn in_root(&self, path: &CStr, nofollow: bool) -> Option<CString> {
        const RESOLVE_IN_ROOT: u64 = 0x10;
        let at = |c: &CStr| c.as_ptr() as u64;
        let flags = (libc::O_PATH | libc::O_CLOEXEC) as u64;
        let cwd = libc::AT_FDCWD as i64 as u64;
        let root = check(syscall(libc::SYS_openat, [cwd, at(&self.directory), flags, 0, 0, 0])).ok()?;
        let last = if nofollow { libc::O_NOFOLLOW as u64 } else { 0 };
        let how = [flags | last, 0, RESOLVE_IN_ROOT];
        let size = size_of_val(&how) as u64;
        let found = check(syscall(libc::SYS_openat2, [root, at(path), how.as_ptr() as u64, size, 0, 0]));
        let name = found.ok().and_then(|fd| {
            let name = read_link(format!("/proc/thread-self/fd/{fd}").as_bytes());
            syscall(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
            CString::new(name.ok()?).ok()
        });
        syscall(libc::SYS_close, [root, 0, 0, 0, 0, 0]);
        name
    }
}

/// Where the program's dynamic linker usually is.
fn usual(image: &Loaded) -> CString {
    let Some(path) = image.linker() else { return CString::default() };
    if linker::is_linker(path, image.isa) {
        return CString::default();
    }
    abi::sysroot::cross(path).map_or_else(CString::default, CStr::to_owned)
}

/// Which argument of a system call names a file that is to be found, not made, and whether a symbolic link is meant itself.
pub fn argument(call: &str, args: &[u64; 6]) -> Option<(usize, bool)> {
    const AT_SYMLINK_NOFOLLOW: u64 = libc::AT_SYMLINK_NOFOLLOW as u64;
    // O_NOFOLLOW of arm and arm64, asm/fcntl.h.
    const O_NOFOLLOW: u64 = 0o100000;
    Some(match call {
        "open" => (0, args[1] & O_NOFOLLOW != 0),
        "openat" => (1, args[2] & O_NOFOLLOW != 0),
        "access" | "stat" | "stat64" | "statfs" | "statfs64" | "execve" => (0, false),
        "lstat" | "lstat64" | "readlink" => (0, true),
        "faccessat" | "openat2" => (1, false),
        "readlinkat" => (1, true),
        "faccessat2" | "fstatat" | "newfstatat" | "fstatat64" => (1, args[3] & AT_SYMLINK_NOFOLLOW != 0),
        "statx" => (1, args[2] & AT_SYMLINK_NOFOLLOW != 0),
        "execveat" => (1, args[4] & AT_SYMLINK_NOFOLLOW != 0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{Arg, table};
    use isa::Isa;

    #[test]
    fn calls_name_their_paths() {
        for isa in [Isa::A64, Isa::A32] {
            let found: Vec<_> =
                table(isa).iter().filter_map(|r| Some((r, argument(r.name, &[0; 6])?))).collect();
            assert!(found.len() >= 9, "{isa:?}");
            let finds =
                |name: &str| ["stat", "open", "access", "readlink", "exec"].iter().any(|w| name.contains(w));
            for row in table(isa).iter().filter(|r| finds(r.name) && !r.name.starts_with("open_tree")) {
                let covered = found.iter().any(|(f, _)| f.name == row.name);
                assert!(covered || !row.args.contains(&Arg::Path), "{}", row.name);
            }
            for (row, (i, _)) in found {
                assert_eq!(row.args.get(i), Some(&Arg::Path), "{}", row.name);
            }
        }
    }

    #[test]
    fn paths_are_looked_for_in_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().canonicalize().unwrap();
        let name = |p: &str| Some(CString::new(at.join(p).into_os_string().into_encoded_bytes()).unwrap());
        std::fs::create_dir_all(at.join("usr/lib")).unwrap();
        std::fs::create_dir_all(at.join("tmp")).unwrap();
        std::fs::write(at.join("usr/lib/libx.so.1"), "x").unwrap();
        std::os::unix::fs::symlink("/usr/lib", at.join("lib")).unwrap();
        let root = Sysroot::new(name("").unwrap());
        assert_eq!(root.resolve(b"/usr/lib/libx.so.1", false), name("usr/lib/libx.so.1"));
        assert_eq!(root.resolve(b"//lib/../lib/libx.so.1", false), name("usr/lib/libx.so.1"));
        assert_eq!(
            (root.resolve(b"/lib", false), root.resolve(b"/lib", true)),
            (name("usr/lib"), name("lib"))
        );
        // Not there; not absolute; the host's in any case.
        for path in ["/usr/lib/libc.so.6", "usr/lib/libx.so.1", "", "/", "/tmp", "/../usr", "/./tmp"] {
            assert_eq!(root.resolve(path.as_bytes(), false), None, "{path}");
        }
        assert_eq!(Sysroot::new(c"//".to_owned()).resolve(b"/usr", false), None);
    }
}
