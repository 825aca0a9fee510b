//! Sockets: messages with vectors and control data of 32-bit programs, and options that are times or hold pointers. Takes calls,
//! gives r0.

use super::file::vector;
use super::layout::{MSGHDR, TIME, TIME64};
use crate::hostcall::Errno;
use crate::sys::shape::{Buffer, Shape};
use crate::sys::table::Interrupt;
use crate::sys::{Call, err, guest, ret};

/// Headers of control data: length, level, type.
const HEAD: (usize, usize) = (12, 16);
/// Longest control data the kernel takes by default is far less.
const CONTROL_MAX: u64 = 1 << 20;
/// Size of `struct mmsghdr`: message header and length.
const MANY: (u64, usize) = (32, 64);

/// Payloads that are made of longs: level, type, and how many there are.
const LONGS: [(i32, i32, usize); 3] = [
    (libc::SOL_SOCKET, 29, 2), // SO_TIMESTAMP_OLD
    (libc::SOL_SOCKET, 35, 2), // SO_TIMESTAMPNS_OLD
    (libc::SOL_SOCKET, 37, 6), // SO_TIMESTAMPING_OLD
];

fn int(b: &[u8], at: usize) -> i32 {
    i32::from_le_bytes(b[at..at + 4].try_into().expect("invariant: 4 bytes"))
}

/// Control data from the guest in the host's form.
fn control_to_host(guest: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut out = Vec::with_capacity(guest.len() * 2);
    let mut at = 0;
    while at + HEAD.0 <= guest.len() {
        let len = int(guest, at) as u32 as usize;
        if len < HEAD.0 || len > guest.len() - at {
            return Err(Errno(libc::EINVAL));
        }
        out.extend(((len - HEAD.0 + HEAD.1) as u64).to_le_bytes());
        out.extend_from_slice(&guest[at + 4..at + len]);
        out.resize(out.len().next_multiple_of(8), 0);
        at += len.next_multiple_of(4);
    }
    Ok(out)
}

/// Control data from the host in the guest's form, and whether some of it found no room.
fn control_to_guest(host: &[u8], room: usize) -> (Vec<u8>, bool) {
    let mut out: Vec<u8> = Vec::with_capacity(room);
    let mut at = 0;
    while at + HEAD.1 <= host.len() {
        let len = u64::from_le_bytes(host[at..at + 8].try_into().expect("invariant: 8 bytes")) as usize;
        if len < HEAD.1 || len > host.len() - at {
            break;
        }
        let (level, kind) = (int(host, at + 8), int(host, at + 12));
        let data = &host[at + HEAD.1..at + len];
        let longs = LONGS.iter().any(|l| (l.0, l.1) == (level, kind) && data.len() == 8 * l.2);
        let data: Vec<u8> = match longs {
            true => data.chunks_exact(8).flat_map(|w| w[..4].to_vec()).collect(),
            false => data.to_vec(),
        };
        let left = room - out.len();
        if left < HEAD.0 {
            return (out, true);
        }
        let fits = data.len().min(left - HEAD.0);
        out.extend(((HEAD.0 + fits) as u32).to_le_bytes());
        out.extend_from_slice(&host[at + 8..at + 16]);
        out.extend_from_slice(&data[..fits]);
        if fits < data.len() {
            return (out, true);
        }
        out.resize(out.len().next_multiple_of(4).min(room), 0);
        at += len.next_multiple_of(8);
    }
    (out, false)
}

/// A message header of the guest, with what it points to in the host's form.
struct Message {
    header: Buffer,
    _vector: Vec<[u64; 2]>,
    control: Vec<u8>,
    /// Where the guest wants control data, and how much.
    wants: (u64, u64),
}

const NAME_LEN: usize = 8;
const VECTOR: usize = 16;
const COUNT: usize = 24;
const CONTROL: usize = 32;
const CONTROL_LEN: usize = 40;
const FLAGS: usize = 48;

impl Message {
    fn set(&mut self, at: usize, v: u64) {
        self.header.0[at..at + 8].copy_from_slice(&v.to_le_bytes());
    }

    fn read(at: u64, sends: bool) -> Result<Message, Errno> {
        let mut header = Buffer::new();
        MSGHDR.read(at, &mut header.0)?;
        let count = header.word(COUNT);
        if count > 1024 {
            return Err(Errno(libc::EMSGSIZE));
        }
        let vector = vector(header.word(VECTOR), count)?;
        let wants = (header.word(CONTROL), header.word(CONTROL_LEN));
        if wants.1 > CONTROL_MAX && sends {
            return Err(Errno(libc::ENOBUFS));
        }
        let control = match wants {
            (0, _) | (_, 0) => Vec::new(),
            (from, len) if sends => {
                let mut bytes = vec![0; len as usize];
                guest::copy_from_guest(&mut bytes, from)?;
                control_to_host(&bytes)?
            }
            // Headers and alignment take at most twice the room.
            (_, len) => vec![0; 2 * len.min(CONTROL_MAX) as usize + HEAD.1],
        };
        let place = (vector.as_ptr() as u64, control.as_ptr() as u64);
        let mut m = Message { header, _vector: vector, control, wants };
        m.set(VECTOR, place.0);
        m.set(CONTROL, if m.control.is_empty() { 0 } else { place.1 });
        m.set(CONTROL_LEN, m.control.len() as u64);
        Ok(m)
    }

    /// Gives the guest what a receiving call wrote.
    fn write(&self, at: u64) -> Result<(), Errno> {
        let mut flags = self.header.word(FLAGS) as u32;
        let filled = (self.header.word(CONTROL_LEN) as usize).min(self.control.len());
        let (control, cut) = control_to_guest(&self.control[..filled], self.wants.1 as usize);
        if cut {
            flags |= libc::MSG_CTRUNC as u32;
        }
        guest::copy_to_guest(self.wants.0, &control)?;
        guest::write(at + 4, self.header.word(NAME_LEN) as u32)?;
        guest::write(at + 20, [control.len() as u32, flags])
    }
}

/// `sendmsg`.
pub fn sendmsg(c: &mut Call<'_>) -> i64 {
    match Message::read(c.args[1], true) {
        Ok(mut m) => c.host([c.args[0], m.header.at(), c.args[2], 0, 0, 0]),
        Err(e) => e.as_return(),
    }
}

/// `recvmsg`.
pub fn recvmsg(c: &mut Call<'_>) -> i64 {
    let at = c.args[1];
    match Message::read(at, false) {
        Ok(mut m) => match c.host([c.args[0], m.header.at(), c.args[2], 0, 0, 0]) {
            r if r < 0 => r,
            r => ret(m.write(at).map(|()| r as u64)),
        },
        Err(e) => e.as_return(),
    }
}

/// The messages of `sendmmsg` and `recvmmsg`, with the array for the host.
fn many(c: &Call<'_>, sends: bool) -> Result<(Vec<Message>, Vec<[u64; 8]>), Errno> {
    const MOST: u64 = 1024;
    let count = (c.args[2] as u32 as u64).min(MOST);
    let mut messages = Vec::new();
    for i in 0..count {
        match Message::read(c.args[1] + i * MANY.0, sends) {
            Ok(m) => messages.push(m),
            // What comes before is sent.
            Err(e) if messages.is_empty() => return Err(e),
            Err(_) => break,
        }
    }
    let array = messages
        .iter()
        .map(|m| {
            let mut words = [0; MANY.1 / 8];
            for (i, w) in words.iter_mut().take(7).enumerate() {
                *w = m.header.word(8 * i);
            }
            words
        })
        .collect();
    Ok((messages, array))
}

/// `sendmmsg`.
pub fn sendmmsg(c: &mut Call<'_>) -> i64 {
    let (messages, mut array) = match many(c, true) {
        Ok(m) => m,
        Err(e) => return e.as_return(),
    };
    let r = c.host([c.args[0], array.as_mut_ptr() as u64, array.len() as u64, c.args[3], 0, 0]);
    drop(messages);
    for (i, words) in array.iter().take(r.max(0) as usize).enumerate() {
        if guest::write(c.args[1] + i as u64 * MANY.0 + 28, words[7] as u32).is_err() {
            return if i == 0 { err(libc::EFAULT) } else { i as i64 };
        }
    }
    r
}

fn receive_many(c: &mut Call<'_>, time: &Shape) -> i64 {
    let mut limit = Buffer::new();
    if c.args[4] != 0
        && let Err(e) = time.read(c.args[4], &mut limit.0)
    {
        return e.as_return();
    }
    let (mut messages, mut array) = match many(c, false) {
        Ok(m) => m,
        Err(e) => return e.as_return(),
    };
    let at = if c.args[4] == 0 { 0 } else { limit.at() };
    let r = c.host([c.args[0], array.as_mut_ptr() as u64, array.len() as u64, c.args[3], at, 0]);
    for (i, (m, words)) in messages.iter_mut().zip(&array).take(r.max(0) as usize).enumerate() {
        for (k, w) in words.iter().take(7).enumerate() {
            m.set(8 * k, *w);
        }
        let to = c.args[1] + i as u64 * MANY.0;
        if m.write(to).and_then(|()| guest::write(to + 28, words[7] as u32)).is_err() {
            return if i == 0 { err(libc::EFAULT) } else { i as i64 };
        }
    }
    if r > 0 && at != 0 {
        // What is left of the time; as the kernel, silent about a failure.
        let _ = time.write(c.args[4], &limit.0);
    }
    r
}

/// `recvmmsg`.
pub fn recvmmsg(c: &mut Call<'_>) -> i64 {
    receive_many(c, &TIME)
}

/// `recvmmsg_time64`.
pub fn recvmmsg_time64(c: &mut Call<'_>) -> i64 {
    receive_many(c, &TIME64)
}

/// Time limits of a socket in the form of the 32-bit `struct timeval`.
const SO_RCVTIMEO: i32 = 20;
const SO_SNDTIMEO: i32 = 21;
const SO_ATTACH_FILTER: i32 = 26;
const SO_ATTACH_REUSEPORT_CBPF: i32 = 51;
/// `struct group_req` and `group_source_req`: an interface before one or two addresses, which are aligned otherwise.
const MCAST_JOIN_GROUP: i32 = 42;
const MCAST_LEAVE_SOURCE_GROUP: i32 = 47;
const ADDRESS: usize = 128;

/// `setsockopt`.
pub fn setsockopt(c: &mut Call<'_>) -> i64 {
    let [fd, level, name, at, len, _] = c.args;
    let (kind, size) = ((c.int(1), c.int(2)), c.int(4));
    let mut b = [0u8; 8 + 2 * ADDRESS];
    let read = |n: usize, to: &mut [u8]| match size as usize >= n && size > 0 {
        true => guest::copy_from_guest(&mut to[..n], at),
        false => Err(Errno(libc::EINVAL)),
    };
    let host_len = match kind {
        (libc::SOL_SOCKET, SO_RCVTIMEO | SO_SNDTIMEO) => read(8, &mut b).map(|()| {
            let guest = b;
            TIME.to_host(&guest, &mut b);
            16
        }),
        (libc::SOL_SOCKET, SO_ATTACH_FILTER | SO_ATTACH_REUSEPORT_CBPF) => read(8, &mut b).map(|()| {
            let program = int(&b, 4) as u32 as u64;
            b[2..8].fill(0);
            b[8..16].copy_from_slice(&program.to_le_bytes());
            16
        }),
        (libc::IPPROTO_IP | libc::IPPROTO_IPV6, MCAST_JOIN_GROUP..=MCAST_LEAVE_SOURCE_GROUP) => {
            let addresses = if matches!(kind.1, MCAST_JOIN_GROUP | 45) { 1 } else { 2 };
            read(4 + addresses * ADDRESS, &mut b).map(|()| {
                b.copy_within(4..4 + addresses * ADDRESS, 8);
                b[4..8].fill(0);
                8 + addresses * ADDRESS
            })
        }
        _ => return c.forward(),
    };
    match host_len {
        Ok(n) => c.host([fd, level, name, b.as_ptr() as u64, n as u64, 0]),
        Err(e) => match len {
            _ if e == Errno(libc::EFAULT) => e.as_return(),
            _ => err(libc::EINVAL),
        },
    }
}

/// `getsockopt`.
pub fn getsockopt(c: &mut Call<'_>) -> i64 {
    let [fd, level, name, to, len_at, _] = c.args;
    if c.int(1) != libc::SOL_SOCKET || !matches!(c.int(2), SO_RCVTIMEO | SO_SNDTIMEO) {
        return c.forward();
    }
    ret((|| {
        let len = guest::read::<i32>(len_at)?;
        if len < 0 {
            return Err(Errno(libc::EINVAL));
        }
        let mut b = Buffer::new();
        let mut host_len = 16u32;
        let at = b.at();
        match c.host_as(Interrupt::Never, [fd, level, name, at, &raw mut host_len as u64, 0]) {
            r if r < 0 => return Err(Errno(-r as i32)),
            _ => {}
        }
        let mut time = [0; 8];
        TIME.to_guest(&b.0, &mut time)?;
        let n = time.len().min(len as usize);
        guest::copy_to_guest(to, &time[..n])?;
        guest::write(len_at, n as u32)?;
        Ok(0)
    })())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_data_both_ways() {
        let mut guest = Vec::new();
        for (kind, data) in [(1u32, &[5u8, 0, 0, 0, 6, 0, 0, 0][..]), (2, &[1; 12])] {
            guest.extend((HEAD.0 as u32 + data.len() as u32).to_le_bytes());
            guest.extend((libc::SOL_SOCKET as u32).to_le_bytes());
            guest.extend(kind.to_le_bytes());
            guest.extend(data);
        }
        let host = control_to_host(&guest).unwrap();
        assert_eq!(host.len(), 24 + 32);
        assert_eq!(host[..8], 24u64.to_le_bytes());
        assert_eq!(control_to_guest(&host, 100), (guest.clone(), false));
        let (cut, is_cut) = control_to_guest(&host, 30);
        assert!(is_cut);
        assert_eq!(cut, guest[..20]);
        assert_eq!(control_to_host(&[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Errno(libc::EINVAL)));
    }

    #[test]
    fn times_in_control_data() {
        let mut host = 32u64.to_le_bytes().to_vec();
        host.extend((libc::SOL_SOCKET as u32).to_le_bytes());
        host.extend(29u32.to_le_bytes());
        host.extend(7u64.to_le_bytes());
        host.extend(8u64.to_le_bytes());
        let (g, _) = control_to_guest(&host, 100);
        assert_eq!((g.len(), int(&g, 0), int(&g, 12), int(&g, 16)), (20, 20, 7, 8));
    }
}
