//! Memory files: descriptors of bytes that the runtime has, as a file opened for reading. Takes an open descriptor and
//! puts such a file in its place, so that numbers are given out as `open` gives them.

use crate::hostcall::{Errno, check, syscall};
use std::ffi::CStr;

/// What is opened.
pub struct MemoryFile<'a> {
    /// Its name in `/proc/self/maps` and `/proc/self/fd`, behind `/memfd:`.
    pub name: &'a CStr,
    /// Its content.
    pub bytes: &'a [u8],
    /// When it says to have been modified: seconds, nanoseconds; `None` for now.
    pub mtime: Option<[i64; 2]>,
}

impl MemoryFile<'_> {
    /// Makes descriptor `fd` one of this file, as if opened with the host's `flags`, of which those of the access mode are 0. Takes
    /// one further descriptor for the time of the call. After an error `fd` is what it was.
    pub fn replace(&self, fd: u64, flags: u64) -> Result<(), Errno> {
        let close_on_exec = flags & libc::O_CLOEXEC as u64;
        let put = |from: u64| {
            let r = check(syscall(libc::SYS_dup3, [from, fd, close_on_exec, 0, 0, 0])).map(drop);
            syscall(libc::SYS_close, [from, 0, 0, 0, 0, 0]);
            r
        };
        put(self.make()?)?;
        // The description that wrote the file can go on writing; opened anew it is as `open` makes it.
        let path = format!("/proc/thread-self/fd/{fd}\0");
        let at = libc::AT_FDCWD as i64 as u64;
        let again = [at, path.as_ptr() as u64, flags | libc::O_CLOEXEC as u64, 0, 0, 0];
        match check(syscall(libc::SYS_openat, again)) {
            Ok(read_only) => put(read_only),
            // Without /proc, or without a descriptor to spare, it has to do: its seals keep the content.
            Err(_) => check(syscall(libc::SYS_lseek, [fd, 0, libc::SEEK_SET as u64, 0, 0, 0])).map(drop),
        }
    }

    /// A new descriptor of the finished file.
    fn make(&self) -> Result<u64, Errno> {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        let create = |flags: u32| {
            check(syscall(libc::SYS_memfd_create, [self.name.as_ptr() as u64, flags as u64, 0, 0, 0, 0]))
        };
        // Systems may refuse memory files that could be executed; kernels before 6.3 know no others.
        let fd = match create(flags | libc::MFD_NOEXEC_SEAL) {
            Err(Errno(libc::EINVAL)) => create(flags),
            r => r,
        }?;
        self.fill(fd).map(|()| fd).inspect_err(|_| {
            syscall(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
        })
    }

    fn fill(&self, fd: u64) -> Result<(), Errno> {
        // Writing beyond the limit would send SIGXFSZ.
        let mut limit = [0u64; 2];
        check(syscall(
            libc::SYS_getrlimit,
            [libc::RLIMIT_FSIZE as u64, limit.as_mut_ptr() as u64, 0, 0, 0, 0],
        ))?;
        if self.bytes.len() as u64 > limit[0] {
            return Err(Errno(libc::EFBIG));
        }
        let mut done = 0;
        while done < self.bytes.len() {
            let rest = &self.bytes[done..];
            let args = [fd, rest.as_ptr() as u64, rest.len() as u64, 0, 0, 0];
            done += check(syscall(libc::SYS_write, args))? as usize;
        }
        if let Some([seconds, nanoseconds]) = self.mtime {
            let times = [0, libc::UTIME_OMIT, seconds, nanoseconds];
            check(syscall(libc::SYS_utimensat, [fd, 0, times.as_ptr() as u64, 0, 0, 0]))?;
        }
        let seals = libc::F_SEAL_WRITE | libc::F_SEAL_GROW | libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL;
        check(syscall(libc::SYS_fcntl, [fd, libc::F_ADD_SEALS as u64, seals as u64, 0, 0, 0])).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_descriptor_can_be_replaced() {
        let mut f = std::fs::File::open("/dev/null").unwrap();
        let fd = f.as_raw_fd() as u64;
        let file = MemoryFile { name: c"maps", bytes: b"text", mtime: Some([12, 34]) };
        file.replace(fd, (libc::O_NONBLOCK | libc::O_CLOEXEC) as u64).unwrap();
        assert_eq!(std::io::read_to_string(&f).unwrap(), "text");
        let control = |command: i32| syscall(libc::SYS_fcntl, [fd, command as u64, 0, 0, 0, 0]) as i32;
        assert_eq!(control(libc::F_GETFL) & (libc::O_ACCMODE | libc::O_NONBLOCK), libc::O_NONBLOCK);
        assert_eq!(control(libc::F_GETFD), libc::FD_CLOEXEC);
        use std::os::unix::fs::MetadataExt;
        let m = f.metadata().unwrap();
        assert_eq!((m.mtime(), m.mtime_nsec(), m.len()), (12, 34, 4));
        assert!(f.write(b"x").is_err());
        let again = std::fs::OpenOptions::new().write(true).open(format!("/proc/self/fd/{fd}"));
        assert!(again.and_then(|mut f| f.write(b"x")).is_err(), "sealed");
    }
}
