//! Files: open flags, `struct stat`, and the calls that carry them. Takes calls, gives x0.

use super::guest::{self, PATH_MAX};
use super::layout::{HostStat, Stat, open_flags_from_host, open_flags_to_host};
use super::table::Interrupt;
use super::{Call, err, procfs, ret};
use crate::hostcall::{self, Errno};

/// Forwards with the flags at argument `i` converted.
fn with_flags(c: &Call<'_>, i: usize) -> i64 {
    let mut a = c.args;
    a[i] = open_flags_to_host(a[i] as u32 as u64);
    c.host(a)
}

/// `openat`.
pub fn openat(c: &mut Call<'_>) -> i64 {
    if let Some(r) = procfs::open(c, c.int(0), c.args[1], c.args[2] as u32) {
        return r;
    }
    with_flags(c, 2)
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
    bytes[..8].copy_from_slice(&open_flags_to_host(flags).to_le_bytes());
    let a = c.args;
    c.host([a[0], a[1], bytes.as_ptr() as u64, a[3], 0, 0])
}

/// `open_by_handle_at`.
pub fn open_by_handle_at(c: &mut Call<'_>) -> i64 {
    with_flags(c, 2)
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
    c.forward()
}

fn stat_with(call: impl FnOnce(u64) -> i64, to: u64) -> i64 {
    let mut buffer = HostStat::default();
    let r = call(buffer.as_mut_ptr() as u64);
    if r < 0 {
        return r;
    }
    ret(guest::write(to, Stat::from_host(&buffer)).map(|()| 0))
}

/// `fstat`.
pub fn fstat(c: &mut Call<'_>) -> i64 {
    stat_with(|b| c.host([c.args[0], b, 0, 0, 0, 0]), c.args[1])
}

/// `newfstatat`.
pub fn newfstatat(c: &mut Call<'_>) -> i64 {
    let a = c.args;
    stat_with(|b| hostcall::syscall(libc::SYS_newfstatat, [a[0], a[1], b, a[3], 0, 0]), a[2])
}

/// True if the descriptor is a socket on which a time limit is set: its calls are then not restarted.
pub fn has_time_limit(fd: i32) -> bool {
    [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO].into_iter().any(|option| {
        let mut limit = [0u64; 2];
        let mut len = 16u32;
        let at = [limit.as_mut_ptr() as u64, &raw mut len as u64];
        let args = [fd as u64, libc::SOL_SOCKET as u64, option as u64, at[0], at[1], 0];
        hostcall::syscall(libc::SYS_getsockopt, args) == 0 && limit != [0, 0]
    })
}

/// The file name at a guest address.
pub fn path(at: u64) -> Result<Vec<u8>, Errno> {
    guest::read_cstr(at, PATH_MAX)
}
