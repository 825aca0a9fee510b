//! The program's own file. On the host it is the translated program, with the guest file inside; the guest is to find the guest
//! file, with whatever was appended to it and its debug information. Takes what the host kernel says about files, gives the guest's view:
//! opening the file gives a *view*, a memory file with the guest file's bytes, and its size is that of the guest file. Device
//! and inode tell it, by whatever name it goes (see docs/decisions/0036).

use super::guest::{self, PATH_MAX};
use super::layout::HostStat;
use super::memory_file::MemoryFile;
use crate::hostcall::{Errno, check, syscall};
use crate::mem::{PAGE, page_up};
use std::ffi::{CStr, CString};

/// The running program's file, as long as /proc is there.
pub const EXE: &CStr = c"/proc/self/exe";
/// What the kernel calls views: `/memfd:`, their name, and that they are in no directory.
pub const VIEW: &str = "/memfd:xlate-own-file (deleted)";
const VIEW_NAME: &CStr = c"xlate-own-file";

const AT_FDCWD: u64 = libc::AT_FDCWD as i64 as u64;

/// The output file on the host, and the guest file.
pub struct OwnFile {
    /// The guest file, where the host has mapped it.
    bytes: &'static [u8],
    /// Its name, if the output's is not the program's: what `/proc/self/exe` says.
    named: Option<CString>,
    /// Device and inode of the output file; `None` if the host does not tell.
    id: Option<(u64, u64)>,
    /// When the output file was modified, as it was at the start; views say the same.
    mtime: [i64; 2],
}

fn stat_at(directory: u64, path: u64, flags: u64) -> Result<HostStat, Errno> {
    let mut s = HostStat::default();
    check(syscall(libc::SYS_newfstatat, [directory, path, s.at(), flags, 0, 0])).map(|_| s)
}

impl OwnFile {
    /// The file of this process, which contains `bytes` and was executed as `name`.
    pub fn new(bytes: &'static [u8], name: &CStr) -> OwnFile {
        let stat = |path: &CStr| stat_at(AT_FDCWD, path.as_ptr() as u64, 0);
        let named = None;
        match stat(EXE).or_else(|_| stat(name)) {
            Ok(s) => OwnFile { bytes, named, id: Some((s.dev, s.ino)), mtime: s.mtime },
            Err(_) => OwnFile { bytes, named, id: None, mtime: [0; 2] },
        }
    }

    /// The same for a program whose own name is `named`, wherever its translation lies.
    pub fn named(self, named: Option<CString>) -> OwnFile {
        OwnFile { named, ..self }
    }

    /// The program's name, if it is not the output's.
    pub fn name(&self) -> Option<&CStr> {
        self.named.as_deref()
    }

    /// What a symbolic link says if it is the kernel's to the output, as `/proc/PID/exe`, and the program's name is another. Takes the
    /// directory's descriptor and the path's address.
    pub fn link_to_name(&self, directory: u64, path: u64) -> Option<&CStr> {
        let named = self.name()?;
        let says = |directory: u64, path: u64| {
            let mut text = [0u8; PATH_MAX + 1];
            let to = [directory, path, text.as_mut_ptr() as u64, text.len() as u64, 0, 0];
            let n = check(syscall(libc::SYS_readlinkat, to)).ok()?;
            Some(text[..n as usize].to_vec())
        };
        let device = |directory: u64, path: u64| {
            stat_at(directory, path, (libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH) as u64).map(|s| s.dev)
        };
        let exe = EXE.as_ptr() as u64;
        let same = says(directory, path)? == says(AT_FDCWD, exe)?
            && device(directory, path).ok()? == device(AT_FDCWD, exe).ok()?;
        same.then_some(named)
    }

    /// True if a path (its address) leads to the output file.
    pub fn is_output_at(&self, path: u64) -> bool {
        stat_at(AT_FDCWD, path, 0).is_ok_and(|s| self.is_output(s.dev, s.ino))
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// 512-byte blocks, on a file system with blocks as large as pages.
    fn blocks(&self) -> u64 {
        self.len().div_ceil(PAGE) * (PAGE / 512)
    }

    /// Host address of the guest file in the output.
    pub fn address(&self) -> u64 {
        self.bytes.as_ptr() as u64
    }

    fn is_output(&self, dev: u64, ino: u64) -> bool {
        self.id == Some((dev, ino))
    }

    /// False for nearly all files that are not views.
    fn may_be_view(&self, nlink: u64, size: u64) -> bool {
        nlink == 0 && size == self.len()
    }

    /// True for views of this process and of others that run the same file: files in no directory, of the guest file's size and the
    /// output file's age, which no file has by chance.
    fn is_view(&self, s: &HostStat) -> bool {
        let is_file = s.mode & libc::S_IFMT == libc::S_IFREG;
        self.may_be_view(s.nlink, s.size as u64) && is_file && s.mtime == self.mtime
    }

    /// The same for what a directory descriptor, a path (its address) and AT_… flags name.
    pub fn is_view_at(&self, directory: u64, path: u64, flags: u64) -> bool {
        stat_at(directory, path, flags).is_ok_and(|s| self.is_view(&s))
    }

    /// The result of an open that gave `fd`, or an error, with the host's `flags`: opened for reading, the program's own file is a
    /// view. EMFILE or ENFILE if there is no second descriptor for a moment, ENOMEM if there is no memory or RLIMIT_FSIZE forbids it.
    pub fn opened(&self, fd: i64, flags: u64) -> i64 {
        const NOT_READ: i32 = libc::O_ACCMODE | libc::O_PATH | libc::O_DIRECTORY;
        if fd < 0 || flags & NOT_READ as u64 != 0 || self.id.is_none() {
            return fd;
        }
        let mut s = HostStat::default();
        if syscall(libc::SYS_fstat, [fd as u64, s.at(), 0, 0, 0, 0]) != 0 || !self.is_output(s.dev, s.ino) {
            return fd;
        }
        match self.view(fd as u64, flags) {
            Ok(()) => fd,
            Err(e) => {
                syscall(libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0]);
                match e.0 {
                    libc::EMFILE | libc::ENFILE => e.as_return(),
                    _ => Errno(libc::ENOMEM).as_return(),
                }
            }
        }
    }

    /// Makes `fd`, which is of the output file, one of a view.
    fn view(&self, fd: u64, flags: u64) -> Result<(), Errno> {
        // Those that last; the memory file's name is a link, and its file system may know no direct access.
        const LEFT: i32 = libc::O_NOFOLLOW | libc::O_DIRECT;
        let kept = check(syscall(libc::SYS_fcntl, [fd, libc::F_GETFL as u64, 0, 0, 0, 0]))?;
        let kept = kept & !(LEFT as u64) | flags & libc::O_CLOEXEC as u64;
        let file = MemoryFile { name: VIEW_NAME, bytes: self.bytes, mtime: Some(self.mtime) };
        file.replace(fd, kept)?;
        // The pages read for it stay in the file's cache, not in this process.
        if let Some(len) = page_up(self.len()) {
            syscall(libc::SYS_madvise, [self.address(), len, libc::MADV_DONTNEED as u64, 0, 0, 0]);
        }
        Ok(())
    }

    /// What the guest sees of a file: a view is the program's own file, and that has the guest file's size.
    pub fn correct(&self, s: &mut HostStat) {
        if self.is_view(s)
            && let Ok(exe) = stat_at(AT_FDCWD, EXE.as_ptr() as u64, 0)
        {
            *s = exe;
        }
        if self.is_output(s.dev, s.ino) {
            (s.size, s.blocks) = (self.len() as i64, self.blocks() as i64);
        }
    }

    /// The same for a `struct stat` of the host at an address.
    pub fn correct_at(&self, at: u64) -> Result<(), Errno> {
        let mut s = guest::read(at)?;
        self.correct(&mut s);
        guest::write(at, s)
    }

    /// The same for the `struct statx` that a successful `statx` with these arguments has filled, STATX_INO being asked for.
    pub fn correct_statx(&self, [directory, path, flags, mask, at]: [u64; 5]) -> Result<(), Errno> {
        const NAMING: i32 = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW;
        let mut s: libc::statx = guest::read(at)?;
        // What was not asked for may be missing, such as the time.
        if self.may_be_view(s.stx_nlink.into(), s.stx_size)
            && self.is_view_at(directory, path, flags & NAMING as u64)
            && check(syscall(libc::SYS_statx, [AT_FDCWD, EXE.as_ptr() as u64, 0, mask, at, 0])).is_ok()
        {
            s = guest::read(at)?;
        }
        if self.is_output(libc::makedev(s.stx_dev_major, s.stx_dev_minor), s.stx_ino) {
            (s.stx_size, s.stx_blocks) = (self.len(), self.blocks());
            guest::write(at, s)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::AsRawFd;

    const GUEST: &[u8] = b"the guest file";

    /// This test's own executable as the output.
    fn own() -> OwnFile {
        OwnFile::new(GUEST, c"")
    }

    fn stat(f: &File) -> HostStat {
        stat_at(f.as_raw_fd() as u64, c"".as_ptr() as u64, libc::AT_EMPTY_PATH as u64).unwrap()
    }

    #[test]
    fn opened_for_reading_it_is_a_view() {
        let own = own();
        let mut f = File::open("/proc/self/exe").unwrap();
        let fd = f.as_raw_fd() as i64;
        assert_eq!(own.opened(fd, libc::O_CLOEXEC as u64), fd);
        let mut text = Vec::new();
        f.read_to_end(&mut text).unwrap();
        assert_eq!(text, GUEST);
        let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
        assert_eq!(link.to_str(), Some(VIEW));
        let (mut view, mut file) = (stat(&f), stat(&File::open("/proc/self/exe").unwrap()));
        own.correct(&mut view);
        assert_eq!((view.dev, view.ino, view.nlink), (file.dev, file.ino, file.nlink));
        assert_eq!((view.size, view.blocks), (GUEST.len() as i64, 8));
        own.correct(&mut file);
        view.atime = file.atime;
        assert_eq!(view, file);
    }

    #[test]
    fn others_stay_what_they_are() {
        let own = own();
        let f = File::open("/dev/null").unwrap();
        let fd = f.as_raw_fd() as i64;
        assert_eq!(own.opened(fd, 0), fd);
        assert_eq!(own.opened(-2, 0), -2);
        let before = stat(&f);
        let mut after = before;
        own.correct(&mut after);
        assert_eq!(before, after);
        let f = File::open("/proc/self/exe").unwrap();
        assert_eq!(own.opened(f.as_raw_fd() as i64, libc::O_PATH as u64), f.as_raw_fd() as i64);
        assert_ne!(f.metadata().unwrap().len(), GUEST.len() as u64, "no view");
    }
}
