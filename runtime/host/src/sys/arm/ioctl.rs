//! `ioctl` of 32-bit programs. Requests name the size of their structure, so that most of those whose structures differ have
//! another number; they, and the older ones that do not say, are converted here where they are common, and are otherwise the host
//! kernel's to convert, if it offers its interface for 32-bit programs. Takes calls, gives r0.

use super::layout::WORD;
use crate::hostcall;
use crate::sys::shape::{Buffer, Dir, Part, with};
use crate::sys::{Call, err, file, guest, ret};

/// `_IOC_TYPE`.
const fn group(request: u32) -> u8 {
    (request >> 8) as u8
}

/// Arm's FIOQSIZE, whose generic number belongs to something else there.
const FIOQSIZE: u32 = 0x545e;
const HOST_FIOQSIZE: u32 = 0x5460;

/// Requests that name a long, though they mean an int: the guest's number and the host's.
const RENAMED: [(u32, u32); 8] = [
    (0x8004_6601, 0x8008_6601), // FS_IOC_GETFLAGS
    (0x4004_6602, 0x4008_6602), // FS_IOC_SETFLAGS
    (0x8004_7601, 0x8008_7601), // FS_IOC_GETVERSION
    (0x4004_7602, 0x4008_7602), // FS_IOC_SETVERSION
    (0x8004_1270, 0x8008_1270), // BLKBSZGET
    (0x4004_1271, 0x4008_1271), // BLKBSZSET
    (0x8004_1272, 0x8008_1272), // BLKGETSIZE64
    (FIOQSIZE, HOST_FIOQSIZE),
];

/// Requests that give a long: BLKGETSIZE, BLKRAGET, BLKFRAGET.
const GIVE_LONG: [u32; 3] = [0x1260, 0x1263, 0x1265];

const SIOCGIFCONF: u32 = 0x8912;
/// `struct ifreq`: a name of 16 bytes and a union.
const IFREQ: (usize, usize) = (32, 40);
const NAME: usize = 16;
/// Requests of network interfaces whose union holds no pointer and no long.
const INTERFACE: [u32; 36] = [
    0x8910, 0x8913, 0x8914, 0x8915, 0x8916, 0x8917, 0x8918, 0x8919, 0x891a, 0x891b, 0x891c, 0x891d, 0x891e,
    0x8921, 0x8922, 0x8923, 0x8924, 0x8925, 0x8926, 0x8927, 0x8929, 0x8930, 0x8931, 0x8932, 0x8933, 0x8934,
    0x8935, 0x8936, 0x8937, 0x8938, 0x8942, 0x8943, 0x8947, 0x8948, 0x8949, 0x8990,
];
/// Requests whose union is a pointer: SIOCETHTOOL, SIOCSHWTSTAMP, SIOCGHWTSTAMP, and those of bonding.
const INTERFACE_DATA: [u32; 5] = [0x8946, 0x89b0, 0x89b1, 0x8994, 0x8995];

/// `ioctl`.
pub fn ioctl(c: &mut Call<'_>) -> i64 {
    let request = c.args[1] as u32;
    if let Some((_, host)) = RENAMED.iter().find(|r| r.0 == request) {
        c.args[1] = *host as u64;
        return file::ioctl(c);
    }
    if GIVE_LONG.contains(&request) {
        return with(c, &[Part { arg: 2, dir: Dir::Out, shape: &WORD }], file::ioctl);
    }
    match request {
        SIOCGIFCONF => interfaces(c),
        r if INTERFACE.contains(&r) => interface(c, false),
        r if INTERFACE_DATA.contains(&r) => interface(c, true),
        // Terminals and files: the same in all interfaces.
        r if is_plain(r) => file::ioctl(c),
        _ => other(c),
    }
}

/// True for requests of the generic set ('T' without a size, and the like) that are known to be the same.
fn is_plain(request: u32) -> bool {
    const KVM: u8 = 0xae;
    matches!(group(request), b'T' | KVM)
}

fn other(c: &mut Call<'_>) -> i64 {
    match hostcall::compat(hostcall::I386_IOCTL, c.args) {
        Some(r) if r == err(libc::EINTR) => -hostcall::ERESTARTSYS,
        Some(r) => r,
        None => file::ioctl(c),
    }
}

/// A request with a `struct ifreq`.
fn interface(c: &mut Call<'_>, pointer: bool) -> i64 {
    let at = c.args[2];
    let mut b = [0u8; IFREQ.1];
    if let Err(e) = guest::copy_from_guest(&mut b[..IFREQ.0], at) {
        return e.as_return();
    }
    if pointer {
        b[NAME + 4..].fill(0);
    }
    c.args[2] = b.as_mut_ptr() as u64;
    match file::ioctl(c) {
        r if r < 0 || pointer => r,
        r => ret(guest::copy_to_guest(at, &b[..IFREQ.0]).map(|()| r as u64)),
    }
}

/// SIOCGIFCONF: `{ int len; struct ifreq *to; }`, to being null to ask for the length.
fn interfaces(c: &mut Call<'_>) -> i64 {
    const MOST: usize = 1 << 16;
    let at = c.args[2];
    let (len, to) = match guest::read::<[u32; 2]>(at) {
        Ok([len, to]) => (len as i32, to as u64),
        Err(e) => return e.as_return(),
    };
    let count = (len.max(0) as usize / IFREQ.0).min(MOST);
    let mut all = vec![0u8; count * IFREQ.1];
    let mut b = Buffer::new();
    b.0[..4].copy_from_slice(&(all.len() as i32).to_le_bytes());
    let place = if to == 0 { 0 } else { all.as_mut_ptr() as u64 };
    b.0[8..16].copy_from_slice(&place.to_le_bytes());
    c.args[2] = b.at();
    let r = file::ioctl(c);
    if r < 0 {
        return r;
    }
    let found = (b.word(0) as u32 as usize) / IFREQ.1;
    ret((|| {
        if to != 0 {
            for (i, one) in all.chunks_exact(IFREQ.1).take(found).enumerate() {
                guest::copy_to_guest(to + (i * IFREQ.0) as u64, &one[..IFREQ.0])?;
            }
        }
        guest::write(at, (found * IFREQ.0) as u32)?;
        Ok(r as u64)
    })())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        assert!(is_plain(libc::TCGETS as u32) && is_plain(libc::FIONREAD as u32));
        assert!(!is_plain(SIOCGIFCONF) && !is_plain(RENAMED[0].0));
        assert!(INTERFACE.windows(2).all(|w| w[0] < w[1]));
        assert!(INTERFACE.iter().all(|r| !INTERFACE_DATA.contains(r)));
    }
}
