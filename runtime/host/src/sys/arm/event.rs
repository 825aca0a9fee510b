//! Waiting: sets of descriptors in words of 32 bits, and `futex`, whose fourth argument is a time for some operations only. Takes
//! calls, gives r0.

use super::layout::{TIME, TIME64};
use crate::hostcall::Errno;
use crate::sys::shape::{Dir, Part, Shape, with};
use crate::sys::{Call, err, event, guest};

/// More descriptors than a process can have by default; the kernel looks at no more than it has.
const DESCRIPTORS_MAX: i32 = 1 << 20;

/// Bytes of a set of `n` bits in words of `word` bytes.
fn set_size(n: usize, word: usize) -> usize {
    n.div_ceil(8 * word) * word
}

/// With the three sets in memory of ours: the host's words are longer than what the guest has.
fn with_sets(c: &mut Call<'_>, inner: impl FnOnce(&mut Call<'_>) -> i64) -> i64 {
    let n = c.int(0);
    if n < 0 {
        return err(libc::EINVAL);
    }
    let n = n.min(DESCRIPTORS_MAX) as usize;
    let (short, long) = (set_size(n, 4), set_size(n, 8));
    let guest_args = c.args;
    let mut sets = vec![0u8; 3 * long];
    for i in 0..3 {
        let at = guest_args[1 + i];
        if at == 0 || n == 0 {
            continue;
        }
        let set = &mut sets[i * long..][..long];
        if let Err(e) = guest::copy_from_guest(&mut set[..short], at) {
            return e.as_return();
        }
        c.args[1 + i] = set.as_mut_ptr() as u64;
    }
    c.args[0] = n as u64;
    let r = inner(c);
    c.args[..4].copy_from_slice(&guest_args[..4]);
    if r >= 0 && n != 0 {
        for i in 0..3 {
            let at = guest_args[1 + i];
            if at != 0 && guest::copy_to_guest(at, &sets[i * long..][..short]).is_err() {
                return err(libc::EFAULT);
            }
        }
    }
    r
}

/// `_newselect`.
pub fn select(c: &mut Call<'_>) -> i64 {
    with_sets(c, |c| c.forward())
}

/// `pselect6`.
pub fn pselect6(c: &mut Call<'_>) -> i64 {
    with_sets(c, event::pselect6)
}

/// `epoll_wait`.
pub fn epoll_wait(c: &mut Call<'_>) -> i64 {
    (c.args[4], c.args[5]) = (0, 0);
    event::epoll_pwait(c)
}

fn timed(c: &mut Call<'_>, shape: &'static Shape) -> i64 {
    const FUTEX_LOCK_PI2: i32 = 13;
    match c.int(1) & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) {
        libc::FUTEX_WAIT
        | libc::FUTEX_LOCK_PI
        | FUTEX_LOCK_PI2
        | libc::FUTEX_WAIT_BITSET
        | libc::FUTEX_WAIT_REQUEUE_PI => with_part(c, Part { arg: 3, dir: Dir::In, shape }, event::futex),
        // Else it is a number.
        _ => event::futex(c),
    }
}

fn with_part(c: &mut Call<'_>, part: Part, inner: fn(&mut Call<'_>) -> i64) -> i64 {
    with(c, &[part], inner)
}

/// `futex`.
pub fn futex(c: &mut Call<'_>) -> i64 {
    timed(c, &TIME)
}

/// `futex_time64`.
pub fn futex_time64(c: &mut Call<'_>) -> i64 {
    timed(c, &TIME64)
}

/// Sets of bits that the host reads and writes in words of 64: processors and memory nodes.
pub struct Bits {
    words: Vec<u64>,
    bytes: usize,
}

impl Bits {
    /// A set of that many bytes for the guest.
    pub fn new(bytes: usize) -> Bits {
        Bits { words: vec![0; bytes.div_ceil(8)], bytes }
    }

    /// The guest's.
    pub fn read(at: u64, bytes: usize) -> Result<Bits, Errno> {
        let mut b = Bits::new(bytes);
        let mut raw = vec![0; b.words.len() * 8];
        guest::copy_from_guest(&mut raw[..bytes], at)?;
        for (w, r) in b.words.iter_mut().zip(raw.chunks_exact(8)) {
            *w = u64::from_le_bytes(r.try_into().expect("invariant: chunks of 8"));
        }
        Ok(b)
    }

    /// Gives the guest `bytes` of it, at most as many as it has.
    pub fn write(&self, at: u64, bytes: usize) -> Result<(), Errno> {
        let raw: Vec<u8> = self.words.iter().flat_map(|w| w.to_le_bytes()).collect();
        guest::copy_to_guest(at, &raw[..bytes.min(self.bytes)])
    }

    /// Address and size for the host.
    pub fn place(&mut self) -> (u64, u64) {
        (self.words.as_mut_ptr() as u64, self.words.len() as u64 * 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_bits() {
        assert_eq!((set_size(0, 4), set_size(1, 4), set_size(33, 4), set_size(33, 8)), (0, 4, 8, 8));
        let raw = [1u8, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let mut b = Bits::read(raw.as_ptr() as u64, raw.len()).unwrap();
        assert_eq!(b.place().1, 16);
        let mut back = [0u8; 13];
        b.write(back.as_mut_ptr() as u64, 16).unwrap();
        assert_eq!((&back[..12], back[12]), (&raw[..], 0));
    }
}
