//! Files: open flags, `struct stat`, and the calls that carry them. Takes calls, gives x0.

use super::guest::{self, PATH_MAX};
use super::layout::{HostStat, Stat, open_flags_from_host, open_flags_to_host};
use super::own::{EXE, OwnFile, VIEW};
use super::table::Interrupt;
use super::{Call, err, procfs, ret};
use crate::hostcall::{self, Errno};
use crate::libraries;
use std::ffi::CStr;

/// Forwards with the flags at argument `i` converted.
fn with_flags(c: &Call<'_>, i: usize) -> i64 {
    let mut a = c.args;
    a[i] = open_flags_to_host(a[i] as u32 as u64);
    c.host(a)
}

/// The same for a call that opens a file.
fn open_with_flags(c: &Call<'_>, i: usize) -> i64 {
    let fd = with_flags(c, i);
    libraries::opened(fd);
    c.thread.process.own.opened(fd, open_flags_to_host(c.args[i]))
}

/// `openat`.
pub fn openat(c: &mut Call<'_>) -> i64 {
    if let Some(r) = procfs::open(c, c.int(0), c.args[1], c.args[2] as u32) {
        return r;
    }
    open_with_flags(c, 2)
}

/// `openat2`: the flags stand in `struct open_how`.
pub fn openat2(c: &mut Call<'_>) -> i64 {
    let (how, size) = (c.args[2], c.args[3] as usize);
    // Smaller or oversized structures are for the kernel to judge; a longer one is valid if the rest is zero.
    if !(24..=4096).contains(&size) {
        return c.forward();
    }
    let mut bytes = vec![0u8; size];
    if let Err(e) = guest::copy_from_guest(&mut bytes, how) {
        return e.as_return();
    }
    let flags = u64::from_le_bytes(bytes[..8].try_into().expect("invariant: 8 bytes"));
    let resolve = u64::from_le_bytes(bytes[16..24].try_into().expect("invariant: 8 bytes"));
    if resolve == 0
        && let Some(r) = procfs::open(c, c.int(0), c.args[1], flags as u32)
    {
        return r;
    }
    let flags = open_flags_to_host(flags);
    bytes[..8].copy_from_slice(&flags.to_le_bytes());
    let a = c.args;
    let fd = c.host([a[0], a[1], bytes.as_ptr() as u64, a[3], 0, 0]);
    c.thread.process.own.opened(fd, flags)
}

/// `open_by_handle_at`.
pub fn open_by_handle_at(c: &mut Call<'_>) -> i64 {
    open_with_flags(c, 2)
}

/// `pipe2`: O_DIRECT asks for packets.
pub fn pipe2(c: &mut Call<'_>) -> i64 {
    with_flags(c, 1)
}

/// `mq_open`.
pub fn mq_open(c: &mut Call<'_>) -> i64 {
    with_flags(c, 1)
}

/// `fanotify_init`: the second word is for the files that events open.
pub fn fanotify_init(c: &mut Call<'_>) -> i64 {
    with_flags(c, 1)
}

/// `fcntl`.
pub fn fcntl(c: &mut Call<'_>) -> i64 {
    match c.int(1) {
        libc::F_GETFL => match c.host_as(Interrupt::Never, c.args) {
            r if r < 0 => r,
            r => open_flags_from_host(r as u64) as i64,
        },
        libc::F_SETFL => {
            let a = c.args;
            c.host_as(Interrupt::Never, [a[0], a[1], open_flags_to_host(a[2] as u32 as u64), 0, 0, 0])
        }
        libc::F_SETLKW | libc::F_OFD_SETLKW => c.forward(),
        _ => c.host_as(Interrupt::Never, c.args),
    }
}

/// `ioctl`: the generic requests and their structures are the same on both.
pub fn ioctl(c: &mut Call<'_>) -> i64 {
    /// `_IOC_TYPE` of KVM, whose structures describe the machine.
    const KVM: u64 = 0xae;
    if c.args[1] >> 8 & 0xff == KVM {
        return err(libc::ENOTTY);
    }
    match c.args[1] as u32 as libc::Ioctl {
        // Waiting for output to drain ends with EINTR in any case (drivers/tty/tty_io.c).
        libc::TCSBRK | libc::TCSBRKP => c.host_as(Interrupt::Eintr, c.args),
        _ => c.forward(),
    }
}

fn stat_with(own: &OwnFile, call: impl FnOnce(u64) -> i64, to: u64) -> i64 {
    let mut buffer = HostStat::default();
    let r = call(buffer.at());
    if r < 0 {
        return r;
    }
    own.correct(&mut buffer);
    ret(guest::write(to, Stat::from_host(&buffer)).map(|()| 0))
}

/// `fstat`.
pub fn fstat(c: &mut Call<'_>) -> i64 {
    stat_with(&c.thread.process.own, |b| c.host([c.args[0], b, 0, 0, 0, 0]), c.args[1])
}

/// `newfstatat`.
pub fn newfstatat(c: &mut Call<'_>) -> i64 {
    let a = c.args;
    let call = |b| hostcall::syscall(libc::SYS_newfstatat, [a[0], a[1], b, a[3], 0, 0]);
    stat_with(&c.thread.process.own, call, a[2])
}

/// `statx`.
pub fn statx(c: &mut Call<'_>) -> i64 {
    let [directory, path, flags, mask, to, _] = c.args;
    // The inode tells the program's own file.
    let mask = mask | libc::STATX_INO as u64;
    match c.host([directory, path, flags, mask, to, 0]) {
        r if r < 0 => r,
        _ => ret(c.thread.process.own.correct_statx([directory, path, flags, mask, to]).map(|()| 0)),
    }
}

/// `readlinkat`.
pub fn readlinkat(c: &mut Call<'_>) -> i64 {
    read_link_to(c, [c.args[0], c.args[1]], c.args[2], c.args[3])
}

/// Forwards a call that reads a symbolic link, `link` in a directory, to `size` bytes at `to`. That of a descriptor of the program's own file
/// leads to it.
pub fn read_link_to(c: &Call<'_>, link: [u64; 2], to: u64, size: u64) -> i64 {
    let own = &c.thread.process.own;
    let put = |text: &CStr| {
        let text = &text.to_bytes()[..text.count_bytes().min(size as usize)];
        ret(guest::copy_to_guest(to, text).map(|()| text.len() as u64))
    };
    if size as i32 > 0
        && let Some(name) = own.link_to_name(link[0], link[1])
    {
        return put(name);
    }
    let (mut before, mut text) = ([0; VIEW.len()], [0; VIEW.len()]);
    let _ = guest::copy_from_guest(&mut before, to);
    let r = c.forward();
    let is_view =
        r == VIEW.len() as i64 && guest::copy_from_guest(&mut text, to).is_ok() && text == VIEW.as_bytes();
    if !is_view {
        return r;
    }
    // What is behind the shorter of the two texts is not written.
    match guest::copy_to_guest(to, &before) {
        Ok(()) if own.name().is_some() => own.name().map_or(r, put),
        Ok(()) => hostcall::syscall(libc::SYS_readlink, [EXE.as_ptr() as u64, to, size, 0, 0, 0]),
        Err(e) => e.as_return(),
    }
}

/// True if the call's descriptor is a socket on which a time limit is set for what the call does: then it is not
/// restarted.
pub fn has_time_limit(call: &str, fd: i32) -> bool {
    let receives = matches!(
        call,
        "read"
            | "readv"
            | "preadv2"
            | "recv"
            | "recvfrom"
            | "recvmsg"
            | "recvmmsg"
            | "recvmmsg_time64"
            | "accept"
            | "accept4"
            | "splice"
    );
    let option = if receives { libc::SO_RCVTIMEO } else { libc::SO_SNDTIMEO };
    let mut limit = [0u64; 2];
    let mut len = size_of_val(&limit) as u32;
    let at = [limit.as_mut_ptr() as u64, &raw mut len as u64];
    let args = [fd as u64, libc::SOL_SOCKET as u64, option as u64, at[0], at[1], 0];
    hostcall::syscall(libc::SYS_getsockopt, args) == 0 && limit != [0, 0]
}

/// The file name at a guest address.
pub fn path(at: u64) -> Result<Vec<u8>, Errno> {
    guest::read_cstr(at, PATH_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_limits_of_sockets() {
        let mut pair = [0i32; 2];
        let args = [libc::AF_UNIX as u64, libc::SOCK_STREAM as u64, 0, pair.as_mut_ptr() as u64, 0, 0];
        assert_eq!(hostcall::syscall(libc::SYS_socketpair, args), 0);
        assert!(!has_time_limit("read", pair[0]));
        let limit = [1u64, 0];
        let option = [libc::SOL_SOCKET as u64, libc::SO_RCVTIMEO as u64];
        let args = [pair[0] as u64, option[0], option[1], limit.as_ptr() as u64, 16, 0];
        assert_eq!(hostcall::syscall(libc::SYS_setsockopt, args), 0);
        assert!(has_time_limit("read", pair[0]) && !has_time_limit("write", pair[0]));
        assert!(!has_time_limit("read", -1));
        for fd in pair {
            hostcall::syscall(libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0]);
        }
    }

    #[test]
    fn stat_reaches_the_guest_in_its_layout() {
        let mut s = [0u64; 16];
        let nr = libc::SYS_newfstatat;
        let at = libc::AT_FDCWD as i64 as u64;
        let r = stat_with(
            &OwnFile::new(&[], c""),
            |b| hostcall::syscall(nr, [at, c"/".as_ptr() as u64, b, 0, 0, 0]),
            s.as_mut_ptr() as u64,
        );
        assert_eq!(r, 0);
        let m = std::fs::metadata("/").unwrap();
        use std::os::unix::fs::MetadataExt;
        assert_eq!((s[0], s[1]), (m.dev(), m.ino()));
        assert_eq!((s[2] as u32, s[2] >> 32), (m.mode(), m.nlink()));
        assert_eq!((s[6], s[8]), (m.size(), m.blocks()));
        assert_eq!(s[11] as i64, m.mtime());
    }
}
