//! Files: 64-bit arguments in pairs of registers, offsets and structures of 32-bit programs, user ids of 16 bits. Takes calls,
//! gives r0.

use super::layout::{FLOCK, IOVEC, LONG, STAT, STATFS, STATFS64};
use crate::hostcall::{self, Errno, syscall};
use crate::sys::shape::Buffer;
use crate::sys::table::{Arg, Interrupt};
use crate::sys::{Call, err, file, guest, ret};

/// O_LARGEFILE of arm.
const O_LARGEFILE: u64 = 0o400000;
/// Largest file offset of a call without 64-bit offsets.
const OFFSET_MAX: u64 = i32::MAX as u64;
const AT_FDCWD: u64 = libc::AT_FDCWD as i64 as u64;

/// The host's arguments: pairs are one word, padding is none.
fn joined(c: &Call<'_>) -> [u64; 6] {
    let mut out = [0; 6];
    let mut n = 0;
    for (i, kind) in c.row.args.iter().enumerate() {
        let v = match kind {
            Arg::Skip => continue,
            Arg::Pair => c.args[i] | c.args[i + 1] << 32,
            _ => c.args[i],
        };
        out[n] = v;
        n += 1;
    }
    out
}

/// A call whose pairs become words.
pub fn pairs(c: &mut Call<'_>) -> i64 {
    c.host(joined(c))
}

/// `arm_fadvise64_64`: the advice comes second, so that both pairs are aligned.
pub fn fadvise(c: &mut Call<'_>) -> i64 {
    let [fd, advice, offset, len, ..] = joined(c);
    c.host([fd, offset, len, advice, 0, 0])
}

/// `sync_file_range2`: so do the flags.
pub fn sync_file_range(c: &mut Call<'_>) -> i64 {
    let [fd, flags, offset, len, ..] = joined(c);
    c.host([fd, offset, len, flags, 0, 0])
}

/// `_llseek`: descriptor, high and low word, where the result goes, whence.
pub fn llseek(c: &mut Call<'_>) -> i64 {
    let [fd, high, low, to, whence, _] = c.args;
    match c.host([fd, high << 32 | low, whence, 0, 0, 0]) {
        r if r < 0 => r,
        r => ret(guest::write(to, r).map(|()| 0)),
    }
}

/// `lseek`: the position moves even if it cannot be told.
pub fn lseek(c: &mut Call<'_>) -> i64 {
    match c.forward() {
        r if r > OFFSET_MAX as i64 => err(libc::EOVERFLOW),
        r => r,
    }
}

/// A transfer: counts that are negative to a 32-bit program are refused.
pub fn transfer(c: &mut Call<'_>) -> i64 {
    if c.args[2] > i32::MAX as u64 {
        return err(libc::EINVAL);
    }
    c.host(joined(c))
}

/// `send`, `recv`: without an address.
pub fn without_address(c: &mut Call<'_>) -> i64 {
    let [fd, at, len, flags, ..] = c.args;
    c.host([fd, at, len, flags, 0, 0])
}

/// `openat`: a file too long for 32-bit offsets needs O_LARGEFILE.
pub fn openat(c: &mut Call<'_>) -> i64 {
    let flags = c.args[2];
    let fd = file::openat(c);
    if fd < 0 || flags & (O_LARGEFILE | libc::O_PATH as u64) != 0 || !is_large(fd as u64) {
        return fd;
    }
    syscall(libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0]);
    err(libc::EOVERFLOW)
}

fn is_large(fd: u64) -> bool {
    let mut b = Buffer::new();
    let r = syscall(libc::SYS_fstat, [fd, b.at(), 0, 0, 0, 0]);
    r == 0 && b.word(24) as u32 & libc::S_IFMT == libc::S_IFREG && b.word(48) > OFFSET_MAX
}

/// `open`.
pub fn open(c: &mut Call<'_>) -> i64 {
    let [path, flags, mode, ..] = c.args;
    c.args = [AT_FDCWD, path, flags, mode, 0, 0];
    openat(c)
}

/// `creat`.
pub fn creat(c: &mut Call<'_>) -> i64 {
    let [path, mode, ..] = c.args;
    c.args = [AT_FDCWD, path, (libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC) as u64, mode, 0, 0];
    openat(c)
}

/// An id of 16 bits as one of 32, −1 meaning the same in both.
fn wide_id(id: u64) -> u64 {
    match id & 0xffff {
        0xffff => 0xffff_ffff,
        id => id,
    }
}

/// An id that 16 bits may not hold.
fn narrow_id(id: u64) -> u64 {
    const OVERFLOW: u64 = 65534;
    if id > 0xffff { OVERFLOW } else { id }
}

/// A call whose arguments from the first on are 16-bit ids.
pub fn ids(c: &mut Call<'_>) -> i64 {
    c.host(c.args.map(wide_id))
}

/// A call whose arguments from the second on are 16-bit ids.
pub fn ids_of_file(c: &mut Call<'_>) -> i64 {
    let [file, user, group, ..] = c.args;
    c.host([file, wide_id(user), wide_id(group), 0, 0, 0])
}

/// A call that gives an id.
pub fn id(c: &mut Call<'_>) -> i64 {
    match c.forward() {
        r if r < 0 => r,
        r => narrow_id(r as u64) as i64,
    }
}

/// `setfsuid`, `setfsgid`: take and give an id.
pub fn set_id(c: &mut Call<'_>) -> i64 {
    c.args[0] = wide_id(c.args[0]);
    id(c)
}

/// `getresuid`, `getresgid`: three pointers to ids.
pub fn three_ids(c: &mut Call<'_>) -> i64 {
    let mut ids = [0u32; 3];
    let at = ids.as_mut_ptr() as u64;
    match c.host([at, at + 4, at + 8, 0, 0, 0]) {
        r if r < 0 => r,
        r => {
            let put = |i: usize| guest::write(c.args[i], narrow_id(ids[i] as u64) as u16);
            ret(put(0).and_then(|()| put(1)).and_then(|()| put(2)).map(|()| r as u64))
        }
    }
}

/// Most supplementary groups (NGROUPS_MAX).
const GROUPS: usize = 65536;

/// `getgroups`.
pub fn getgroups(c: &mut Call<'_>) -> i64 {
    let n = c.int(0);
    if !(0..=GROUPS as i32).contains(&n) {
        return err(libc::EINVAL);
    }
    let mut ids = vec![0u32; n as usize];
    let r = c.host([n as u64, ids.as_mut_ptr() as u64, 0, 0, 0, 0]);
    if r <= 0 || n == 0 {
        return r;
    }
    let bytes: Vec<u8> =
        ids.iter().take(r as usize).flat_map(|g| (narrow_id(*g as u64) as u16).to_le_bytes()).collect();
    ret(guest::copy_to_guest(c.args[1], &bytes).map(|()| r as u64))
}

/// `setgroups`.
pub fn setgroups(c: &mut Call<'_>) -> i64 {
    let n = c.args[0] as u32 as usize;
    if n > GROUPS {
        return err(libc::EINVAL);
    }
    let mut bytes = vec![0u8; 2 * n];
    if let Err(e) = guest::copy_from_guest(&mut bytes, c.args[1]) {
        return e.as_return();
    }
    let ids: Vec<u32> =
        bytes.chunks_exact(2).map(|b| wide_id(u16::from_le_bytes([b[0], b[1]]) as u64) as u32).collect();
    c.host([n as u64, ids.as_ptr() as u64, 0, 0, 0, 0])
}

/// `stat`, `lstat`, `fstat` with the structure that has no 64-bit field.
pub fn stat(c: &mut Call<'_>) -> i64 {
    let mut b = Buffer::new();
    let r = c.host([c.args[0], b.at(), 0, 0, 0, 0]);
    if r < 0 {
        return r;
    }
    let own = &c.thread.process.own;
    let written = own.correct_at(b.at()).and_then(|()| old_stat(&b));
    ret(written.and_then(|s| guest::copy_to_guest(c.args[1], &s)).map(|()| 0))
}

/// `stat64`, `lstat64`, `fstat64`, the structure being in the host's form.
pub fn stat64(c: &mut Call<'_>) -> i64 {
    correct(c, 1)
}

/// `fstatat64`, in the same form.
pub fn fstatat64(c: &mut Call<'_>) -> i64 {
    correct(c, 2)
}

fn correct(c: &Call<'_>, to: usize) -> i64 {
    match c.forward() {
        r if r < 0 || c.args[to] == 0 => r,
        _ => ret(c.thread.process.own.correct_at(c.args[to]).map(|()| 0)),
    }
}

/// `readlink`.
pub fn readlink(c: &mut Call<'_>) -> i64 {
    file::read_link_to(c, [libc::AT_FDCWD as i64 as u64, c.args[0]], c.args[1], c.args[2])
}

/// The old structure, or EOVERFLOW.
fn old_stat(b: &Buffer) -> Result<[u8; 64], Errno> {
    /// 8 bits each of major and minor number.
    fn device(d: u64) -> Result<u16, Errno> {
        let (major, minor) = (d >> 8 & 0xfff, d & 0xff | d >> 12 & 0xfff00);
        if major > 0xff || minor > 0xff {
            return Err(Errno(libc::EOVERFLOW));
        }
        Ok((major << 8 | minor) as u16)
    }
    let mut s = [0; 64];
    if b.word(48) > OFFSET_MAX {
        return Err(Errno(libc::EOVERFLOW));
    }
    STAT.to_guest(&b.0, &mut s)?;
    let mut put = |at: usize, v: &[u8]| s[at..at + v.len()].copy_from_slice(v);
    put(0, &device(b.word(0))?.to_le_bytes());
    put(16, &device(b.word(40))?.to_le_bytes());
    put(12, &(narrow_id(b.word(24) >> 32) as u16).to_le_bytes());
    put(14, &(narrow_id(b.word(32) & 0xffff_ffff) as u16).to_le_bytes());
    put(20, &(b.word(48) as u32).to_le_bytes());
    // What does not fit of these is lost in the kernel, too.
    put(28, &(b.word(64) as u32).to_le_bytes());
    for i in 0..6 {
        put(32 + 4 * i, &(b.word(72 + 8 * i) as u32).to_le_bytes());
    }
    Ok(s)
}

/// `statfs`, `fstatfs`.
pub fn statfs(c: &mut Call<'_>) -> i64 {
    let mut b = Buffer::new();
    let r = c.host([c.args[0], b.at(), 0, 0, 0, 0]);
    if r < 0 {
        return r;
    }
    let mut s = [0; 64];
    ret((|| {
        STATFS.to_guest(&b.0, &mut s)?;
        // Numbers of files; −1 for unknown.
        for (at, from) in [(20, 40), (24, 48)] {
            let n = b.word(from);
            if n >> 32 != 0 && n != u64::MAX {
                return Err(Errno(libc::EOVERFLOW));
            }
            s[at..at + 4].copy_from_slice(&(n as u32).to_le_bytes());
        }
        guest::copy_to_guest(c.args[1], &s).map(|()| 0)
    })())
}

/// `statfs64`, `fstatfs64`: the size of the structure comes second, and may count padding.
pub fn statfs64(c: &mut Call<'_>) -> i64 {
    let [file, size, to, ..] = c.args;
    if size != STATFS64.guest as u64 && size != STATFS64.guest as u64 + 4 {
        return err(libc::EINVAL);
    }
    let mut b = Buffer::new();
    let r = c.host([file, b.at(), 0, 0, 0, 0]);
    if r < 0 { r } else { ret(STATFS64.write(to, &b.0).map(|()| 0)) }
}

const F_GETLK64: i32 = 12;
const F_SETLK64: i32 = 13;
const F_SETLKW64: i32 = 14;

/// `fcntl64`: `struct flock64` is the host's `struct flock`.
pub fn fcntl64(c: &mut Call<'_>) -> i64 {
    let command = match c.int(1) {
        F_GETLK64 => libc::F_GETLK,
        F_SETLK64 => libc::F_SETLK,
        F_SETLKW64 => libc::F_SETLKW,
        libc::F_GETLK | libc::F_SETLK | libc::F_SETLKW => return lock(c),
        other => other,
    };
    c.args[1] = command as u64;
    file::fcntl(c)
}

/// `fcntl`, which has no long locks.
pub fn fcntl(c: &mut Call<'_>) -> i64 {
    match c.int(1) {
        F_GETLK64 | F_SETLK64 | F_SETLKW64 | libc::F_OFD_GETLK | libc::F_OFD_SETLK | libc::F_OFD_SETLKW => {
            err(libc::EINVAL)
        }
        _ => fcntl64(c),
    }
}

/// File locks of 32-bit offsets.
fn lock(c: &mut Call<'_>) -> i64 {
    let at = c.args[2];
    let mut b = Buffer::new();
    if let Err(e) = FLOCK.read(at, &mut b.0) {
        return e.as_return();
    }
    c.args[2] = b.at();
    let r = file::fcntl(c);
    c.args[2] = at;
    if r < 0 || c.int(1) != libc::F_GETLK {
        return r;
    }
    // A length beyond the longest file is as good as that.
    if b.word(16) as i64 > OFFSET_MAX as i64 {
        b.0[16..24].copy_from_slice(&OFFSET_MAX.to_le_bytes());
    }
    ret(FLOCK.write(at, &b.0).map(|()| r as u64))
}

/// `sendfile` with an offset of 32 bits, which is written back whenever it was read.
pub fn sendfile(c: &mut Call<'_>) -> i64 {
    let at = c.args[2];
    if at == 0 {
        return c.forward();
    }
    let mut b = Buffer::new();
    if let Err(e) = LONG.read(at, &mut b.0) {
        return e.as_return();
    }
    let r = c.host([c.args[0], c.args[1], b.at(), c.args[3], 0, 0]);
    match LONG.write(at, &b.0) {
        Err(e) if r >= 0 => e.as_return(),
        _ => r,
    }
}

/// `getdents64`: file systems number entries by hashes, which have 32 bits for those who ask as a 32-bit program; C libraries
/// refuse longer ones.
pub fn getdents64(c: &mut Call<'_>) -> i64 {
    hostcall::compat(hostcall::I386_GETDENTS64, c.args).unwrap_or_else(|| c.forward())
}

/// `getdents`: records with 32-bit inode number and offset.
pub fn getdents(c: &mut Call<'_>) -> i64 {
    hostcall::compat(hostcall::I386_GETDENTS, c.args).unwrap_or_else(|| shortened(c))
}

/// The same from the host's records.
fn shortened(c: &mut Call<'_>) -> i64 {
    /// The longest record of the host.
    const RECORD: usize = 280;
    let [fd, to, count, ..] = c.args;
    let room = (count as u32 as usize).min(1 << 20);
    let mut host = vec![0u8; room.max(RECORD)];
    let r = c.host([fd, host.as_mut_ptr() as u64, host.len() as u64, 0, 0, 0]);
    if r <= 0 {
        return r;
    }
    let (mut out, mut at, mut reached) = (Vec::with_capacity(room), 0, None);
    while at < r as usize {
        let record = &host[at..];
        let word = |i: usize| u64::from_le_bytes(record[i..i + 8].try_into().expect("invariant: 8 bytes"));
        let len = u16::from_le_bytes([record[16], record[17]]) as usize;
        match short_record(word(0), word(8), record[18], &record[19..len]) {
            Err(e) if out.is_empty() => return e.as_return(),
            Ok(short) if out.len() + short.len() <= room => out.extend(short),
            _ => break,
        }
        reached = Some(word(8));
        at += len;
    }
    if at < r as usize {
        // What did not fit is read again.
        let Some(next) = reached else { return err(libc::EINVAL) };
        syscall(libc::SYS_lseek, [fd, next, libc::SEEK_SET as u64, 0, 0, 0]);
    }
    ret(guest::copy_to_guest(to, &out).map(|()| out.len() as u64))
}

/// `struct linux_dirent`: inode, offset, length, name, and the type in the last byte.
fn short_record(inode: u64, offset: u64, kind: u8, name: &[u8]) -> Result<Vec<u8>, Errno> {
    let name = &name[..name.iter().position(|b| *b == 0).unwrap_or(name.len())];
    let inode = u32::try_from(inode).map_err(|_| Errno(libc::EOVERFLOW))?;
    let len = (10 + name.len() + 2).next_multiple_of(4);
    let mut out = Vec::with_capacity(len);
    out.extend(inode.to_le_bytes());
    out.extend((offset as u32).to_le_bytes());
    out.extend((len as u16).to_le_bytes());
    out.extend(name);
    out.resize(len - 1, 0);
    out.push(kind);
    Ok(out)
}

/// Most entries of a vector (UIO_MAXIOV).
const VECTOR_MAX: u64 = 1024;

/// A vector of addresses and lengths in the host's form.
pub fn vector(at: u64, count: u64) -> Result<Vec<[u64; 2]>, Errno> {
    if count > VECTOR_MAX {
        return Err(Errno(libc::EINVAL));
    }
    let mut out = Vec::with_capacity(count as usize);
    let mut b = Buffer::new();
    for i in 0..count {
        IOVEC.read(at + i * IOVEC.guest as u64, &mut b.0)?;
        if b.word(8) > i32::MAX as u64 {
            return Err(Errno(libc::EINVAL));
        }
        out.push([b.word(0), b.word(8)]);
    }
    Ok(out)
}

/// A call with a vector at its second argument and the number of entries at its third.
pub fn vectored(c: &mut Call<'_>) -> i64 {
    let mut a = joined(c);
    // `preadv2` and `pwritev2`: the host has a high word that it ignores before the flags.
    if c.row.args.len() == 6 {
        a[5] = c.args[5];
        a[4] = 0;
    }
    match vector(a[1], a[2] as u32 as u64) {
        Ok(v) => {
            a[1] = v.as_ptr() as u64;
            c.host(a)
        }
        Err(e) => e.as_return(),
    }
}

/// `process_vm_readv`, `process_vm_writev`: two vectors, the second with addresses of the other process.
pub fn process_vm(c: &mut Call<'_>) -> i64 {
    let [pid, ours, our_count, theirs, their_count, flags] = c.args;
    match vector(ours, our_count).and_then(|o| Ok((o, vector(theirs, their_count)?))) {
        Ok((o, t)) => {
            c.host([pid, o.as_ptr() as u64, o.len() as u64, t.as_ptr() as u64, t.len() as u64, flags])
        }
        Err(e) => e.as_return(),
    }
}

/// `process_madvise`.
pub fn process_madvise(c: &mut Call<'_>) -> i64 {
    match vector(c.args[1], c.args[2]) {
        Ok(v) => {
            c.args[1] = v.as_ptr() as u64;
            crate::sys::memory::process_madvise(c)
        }
        Err(e) => e.as_return(),
    }
}

/// `fanotify_mark`: the mask is a pair.
pub fn fanotify_mark(c: &mut Call<'_>) -> i64 {
    c.host_as(Interrupt::Never, joined(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn ids_of_16_bits() {
        assert_eq!((wide_id(0xffff), wide_id(0x1_0005)), (0xffff_ffff, 5));
        assert_eq!((narrow_id(0xffff), narrow_id(0x10000)), (0xffff, 65534));
    }

    #[test]
    fn the_old_structure() {
        let f = std::fs::File::open("/").unwrap();
        let m = f.metadata().unwrap();
        let mut b = Buffer::new();
        assert_eq!(syscall(libc::SYS_fstat, [f.as_raw_fd() as u64, b.at(), 0, 0, 0, 0]), 0);
        // Small enough, whatever the root is.
        b.0[0..8].copy_from_slice(&0x1234u64.to_le_bytes());
        b.0[8..16].copy_from_slice(&5u64.to_le_bytes());
        let s = old_stat(&b).unwrap();
        let half = |at: usize| u16::from_le_bytes([s[at], s[at + 1]]) as u64;
        let word = |at: usize| u32::from_le_bytes(s[at..at + 4].try_into().unwrap()) as u64;
        assert_eq!((half(0), word(4), half(8)), (0x1234, 5, m.mode() as u64 & 0xffff));
        assert_eq!((half(10), word(20), word(40)), (m.nlink(), m.size(), m.mtime() as u32 as u64));
        b.0[48..56].copy_from_slice(&(1u64 << 31).to_le_bytes());
        assert_eq!(old_stat(&b), Err(Errno(libc::EOVERFLOW)));
    }

    #[test]
    fn records_of_directories() {
        let r = short_record(7, 1 << 40 | 9, 8, b"abc\0\0\0").unwrap();
        assert_eq!(r, [7, 0, 0, 0, 9, 0, 0, 0, 16, 0, b'a', b'b', b'c', 0, 0, 8]);
        assert_eq!(short_record(1 << 32, 0, 0, b"a"), Err(Errno(libc::EOVERFLOW)));
    }
}
