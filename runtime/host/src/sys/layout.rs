//! Layouts and flag encodings in which arm64 (the generic ABI) and x86-64 differ. Takes values of one side, gives those
//! of the other; does no call. Everything not named here is the same on both: time, sockets, terminals, file locks,
//! statfs, rusage, siginfo, sigaction, sigevent, IPC but for semaphores.

/// `struct stat` of arm64 (asm-generic/stat.h).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Stat {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device file.
    pub rdev: u64,
    pad1: u64,
    /// Bytes.
    pub size: i64,
    /// Preferred block size.
    pub blksize: i32,
    pad2: i32,
    /// 512-byte blocks.
    pub blocks: i64,
    /// Access time: seconds, nanoseconds.
    pub atime: [i64; 2],
    /// Modification time.
    pub mtime: [i64; 2],
    /// Change time.
    pub ctime: [i64; 2],
    unused: [u32; 2],
}

/// `struct stat` of x86-64 (asm/stat.h).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct HostStat {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Links.
    pub nlink: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    pad: u32,
    /// Device number of a device file.
    pub rdev: u64,
    /// Bytes.
    pub size: i64,
    /// Preferred block size.
    pub blksize: i64,
    /// 512-byte blocks.
    pub blocks: i64,
    /// Access time: seconds, nanoseconds.
    pub atime: [i64; 2],
    /// Modification time.
    pub mtime: [i64; 2],
    /// Change time.
    pub ctime: [i64; 2],
    unused: [u64; 3],
}

impl HostStat {
    /// Where the kernel is to write it.
    pub fn at(&mut self) -> u64 {
        &raw mut *self as u64
    }
}

impl Stat {
    /// From the host's.
    pub fn from_host(h: &HostStat) -> Stat {
        Stat {
            dev: h.dev,
            ino: h.ino,
            // The kernel's own count of links has 32 bits.
            nlink: h.nlink as u32,
            mode: h.mode,
            uid: h.uid,
            gid: h.gid,
            rdev: h.rdev,
            pad1: 0,
            size: h.size,
            blksize: h.blksize as i32,
            pad2: 0,
            blocks: h.blocks,
            atime: h.atime,
            mtime: h.mtime,
            ctime: h.ctime,
            unused: [0; 2],
        }
    }
}

/// `struct epoll_event` of arm64: naturally aligned.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct EpollEvent {
    /// Event bits.
    pub events: u32,
    pad: u32,
    /// The caller's word.
    pub data: u64,
}

/// `struct epoll_event` of x86-64: packed.
pub type HostEpollEvent = [u32; 3];

impl EpollEvent {
    /// From the host's.
    pub fn from_host(h: &HostEpollEvent) -> EpollEvent {
        EpollEvent { events: h[0], pad: 0, data: h[1] as u64 | (h[2] as u64) << 32 }
    }

    /// To the host's.
    pub fn to_host(self) -> HostEpollEvent {
        [self.events, self.data as u32, (self.data >> 32) as u32]
    }
}

/// `struct ipc64_perm`, the same on both.
pub type IpcPerm = [u64; 6];

/// `struct semid64_ds` of arm64 (asm-generic/sembuf.h).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct SemidDs {
    /// Permissions.
    pub perm: IpcPerm,
    /// Last semop.
    pub otime: i64,
    /// Last change.
    pub ctime: i64,
    /// Number of semaphores.
    pub nsems: u64,
    unused: [u64; 2],
}

/// `struct semid64_ds` of x86-64 (asm/sembuf.h).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct HostSemidDs {
    perm: IpcPerm,
    otime: i64,
    unused1: u64,
    ctime: i64,
    unused2: u64,
    nsems: u64,
    unused: [u64; 2],
}

impl SemidDs {
    /// From the host's.
    pub fn from_host(h: &HostSemidDs) -> SemidDs {
        SemidDs { perm: h.perm, otime: h.otime, ctime: h.ctime, nsems: h.nsems, unused: [0; 2] }
    }

    /// To the host's.
    pub fn to_host(self) -> HostSemidDs {
        HostSemidDs {
            perm: self.perm,
            otime: self.otime,
            ctime: self.ctime,
            nsems: self.nsems,
            ..HostSemidDs::default()
        }
    }
}

/// Open flags of arm64 that have another value on x86-64: name, arm64, x86-64.
pub const OPEN_FLAGS: [(&str, u64, u64); 4] = [
    ("O_DIRECTORY", 0o40000, 0o200000),
    ("O_NOFOLLOW", 0o100000, 0o400000),
    ("O_DIRECT", 0o200000, 0o40000),
    ("O_LARGEFILE", 0o400000, 0o100000),
];
const OPEN_MOVED: u64 = 0o740000;

/// Open flags, arm64 → x86-64. All other bits stay, so that the host kernel judges unknown ones.
pub fn open_flags_to_host(f: u64) -> u64 {
    OPEN_FLAGS.iter().filter(|(_, g, _)| f & g != 0).fold(f & !OPEN_MOVED, |h, (_, _, bit)| h | bit)
}

/// Open flags, x86-64 → arm64.
pub fn open_flags_from_host(f: u64) -> u64 {
    OPEN_FLAGS.iter().filter(|(_, _, h)| f & h != 0).fold(f & !OPEN_MOVED, |g, (_, bit, _)| g | bit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};

    // Numbers are those of the kernel's headers, computed by a C compiler for each architecture.
    #[test]
    fn stat_layout() {
        assert_eq!(size_of::<Stat>(), 128);
        assert_eq!(size_of::<libc::stat>(), size_of::<HostStat>());
        for (have, want) in [
            (offset_of!(HostStat, nlink), offset_of!(libc::stat, st_nlink)),
            (offset_of!(HostStat, mode), offset_of!(libc::stat, st_mode)),
            (offset_of!(HostStat, uid), offset_of!(libc::stat, st_uid)),
            (offset_of!(HostStat, gid), offset_of!(libc::stat, st_gid)),
            (offset_of!(HostStat, rdev), offset_of!(libc::stat, st_rdev)),
            (offset_of!(HostStat, size), offset_of!(libc::stat, st_size)),
            (offset_of!(HostStat, blksize), offset_of!(libc::stat, st_blksize)),
            (offset_of!(HostStat, blocks), offset_of!(libc::stat, st_blocks)),
            (offset_of!(HostStat, atime), offset_of!(libc::stat, st_atime)),
            (offset_of!(HostStat, mtime), offset_of!(libc::stat, st_mtime)),
            (offset_of!(HostStat, ctime), offset_of!(libc::stat, st_ctime)),
        ] {
            assert_eq!(have, want);
        }
        for (have, want) in [
            (offset_of!(Stat, dev), 0),
            (offset_of!(Stat, ino), 8),
            (offset_of!(Stat, mode), 16),
            (offset_of!(Stat, nlink), 20),
            (offset_of!(Stat, uid), 24),
            (offset_of!(Stat, gid), 28),
            (offset_of!(Stat, rdev), 32),
            (offset_of!(Stat, size), 48),
            (offset_of!(Stat, blksize), 56),
            (offset_of!(Stat, blocks), 64),
            (offset_of!(Stat, atime), 72),
            (offset_of!(Stat, mtime), 88),
            (offset_of!(Stat, ctime), 104),
        ] {
            assert_eq!(have, want);
        }
    }

    #[test]
    fn epoll_and_sem_layouts() {
        assert_eq!((size_of::<EpollEvent>(), offset_of!(EpollEvent, data)), (16, 8));
        assert_eq!(size_of::<libc::epoll_event>(), size_of::<HostEpollEvent>());
        let e = EpollEvent { events: 5, pad: 0, data: 0x1234_5678_9abc_def0 };
        assert_eq!(EpollEvent::from_host(&e.to_host()), e);
        assert_eq!(
            (size_of::<SemidDs>(), offset_of!(SemidDs, ctime), offset_of!(SemidDs, nsems)),
            (88, 56, 64)
        );
        assert_eq!(
            (size_of::<HostSemidDs>(), offset_of!(HostSemidDs, ctime), offset_of!(HostSemidDs, nsems)),
            (104, 64, 80)
        );
        let s = SemidDs { otime: 1, ctime: 2, nsems: 3, perm: [4; 6], ..SemidDs::default() };
        assert_eq!(SemidDs::from_host(&s.to_host()), s);
    }

    #[test]
    fn open_flags() {
        for (guest, host) in [
            (0o40000, libc::O_DIRECTORY),
            (0o100000, libc::O_NOFOLLOW),
            (0o200000, libc::O_DIRECT),
            (0o400000, 0o100000), // glibc defines O_LARGEFILE as 0 for 64-bit programs
            (0o20040000, libc::O_TMPFILE),
            (0o2000000 | 0o1 | 0o100, libc::O_CLOEXEC | libc::O_WRONLY | libc::O_CREAT),
        ] {
            assert_eq!(open_flags_to_host(guest), host as u64);
            assert_eq!(open_flags_from_host(host as u64), guest);
        }
        assert_eq!(open_flags_to_host(u64::MAX), u64::MAX);
    }
}
