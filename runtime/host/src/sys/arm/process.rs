//! Processes: calls that arm64 has in other forms, vectors of 32-bit pointers for `execve`, sets of processors, and the calls that
//! only arm has. Takes calls, gives r0.

use super::event::Bits;
use super::layout::{RLIMIT, TIME};
use crate::hostcall::{self, Errno};
use crate::mem::{PAGE, page_down};
use crate::sys::shape::{Buffer, Dir, Part, with};
use crate::sys::{Call, err, exec, guest, identity, limits, process, ret};
use crate::{jit, polycode, signal};

/// `fork`.
pub fn fork(c: &mut Call<'_>) -> i64 {
    process::clone_of(c, 0)
}

/// `vfork`.
pub fn vfork(c: &mut Call<'_>) -> i64 {
    process::clone_of(c, (libc::CLONE_VM | libc::CLONE_VFORK) as u64)
}

/// `execve`.
pub fn execve(c: &mut Call<'_>) -> i64 {
    widened(c, 1, exec::execve)
}

/// `execveat`.
pub fn execveat(c: &mut Call<'_>) -> i64 {
    widened(c, 2, exec::execveat)
}

/// With the two vectors from argument `i` on in the host's form. They lie in the thread, since a call that succeeds does not come
/// back to free them.
fn widened(c: &mut Call<'_>, i: usize, inner: fn(&mut Call<'_>) -> i64) -> i64 {
    let vectors = [c.args[i], c.args[i + 1]];
    let mut all = std::mem::take(&mut c.thread.exec.wide);
    all.clear();
    let mut starts = [0; 2];
    for (start, at) in starts.iter_mut().zip(vectors) {
        *start = all.len();
        match guest::read_pointers(at, 4) {
            Ok(p) => all.extend(p),
            Err(e) => return e.as_return(),
        }
        all.push(0);
    }
    c.thread.exec.wide = all;
    for (k, start) in starts.iter().enumerate() {
        c.args[i + k] = c.thread.exec.wide[*start..].as_ptr() as u64;
    }
    inner(c)
}

/// `times`: ticks modulo 2³².
pub fn times(c: &mut Call<'_>) -> i64 {
    let r = c.forward();
    if (-4095..0).contains(&r) { r } else { r as u32 as i64 }
}

/// `sysinfo`: sizes in units that make them fit.
pub fn sysinfo(c: &mut Call<'_>) -> i64 {
    let mut b = Buffer::new();
    let r = c.host([b.at(), 0, 0, 0, 0, 0]);
    if r < 0 { r } else { ret(guest::copy_to_guest(c.args[0], &short_info(&b)).map(|()| 0)) }
}

fn short_info(b: &Buffer) -> [u8; 64] {
    const RAM: usize = 32;
    const SWAP: usize = 64;
    const UNIT: usize = 104;
    let mut unit = b.word(UNIT) as u32;
    let mut shift = 0;
    if b.word(RAM) >> 32 != 0 || b.word(SWAP) >> 32 != 0 {
        while u64::from(unit) < PAGE {
            unit <<= 1;
            shift += 1;
        }
    }
    let mut s = [0; 64];
    let mut put = |at: usize, v: u64| s[at..at + 4].copy_from_slice(&(v as u32).to_le_bytes());
    put(0, b.word(0));
    for i in 0..3 {
        put(4 + 4 * i, b.word(8 + 8 * i));
    }
    for i in 0..6 {
        put(16 + 4 * i, b.word(RAM + 8 * i) >> shift);
    }
    put(40, b.word(80) & 0xffff);
    put(44, b.word(88) >> shift);
    put(48, b.word(96) >> shift);
    put(52, unit as u64);
    s
}

/// `ugetrlimit`.
pub fn getrlimit(c: &mut Call<'_>) -> i64 {
    with(c, &[Part { arg: 1, dir: Dir::Out, shape: &RLIMIT }], limits::getrlimit)
}

/// `setrlimit`.
pub fn setrlimit(c: &mut Call<'_>) -> i64 {
    with(c, &[Part { arg: 1, dir: Dir::In, shape: &RLIMIT }], limits::setrlimit)
}

/// Largest set of processors that is looked at.
const SET_MAX: u64 = 1 << 16;

/// `sched_setaffinity`.
pub fn sched_setaffinity(c: &mut Call<'_>) -> i64 {
    let len = (c.args[1] as u32 as u64).min(SET_MAX);
    match Bits::read(c.args[2], len as usize) {
        Ok(mut b) => {
            let (at, size) = b.place();
            c.host([c.args[0], size, at, 0, 0, 0])
        }
        Err(e) => e.as_return(),
    }
}

/// `sched_getaffinity`: gives the size of the kernel's set.
pub fn sched_getaffinity(c: &mut Call<'_>) -> i64 {
    let len = (c.args[1] as u32 as u64).min(SET_MAX);
    if !len.is_multiple_of(4) {
        return err(libc::EINVAL);
    }
    let mut b = Bits::new(len as usize);
    let (at, size) = b.place();
    match c.host([c.args[0], size, at, 0, 0, 0]) {
        r if r < 0 => r,
        r => {
            let n = (r as u64).min(len);
            ret(b.write(c.args[2], n as usize).map(|()| n))
        }
    }
}

/// Bytes of a set of memory nodes of which the guest says that it has `bits`.
fn node_bytes(bits: u64) -> Result<usize, Errno> {
    match bits.saturating_sub(1) {
        b if b > 8 * PAGE => Err(Errno(libc::EINVAL)),
        b => Ok(b.div_ceil(32) as usize * 4),
    }
}

/// `mbind`, `set_mempolicy`, `migrate_pages`: the sets at these arguments, the number of bits being at that one.
fn with_nodes<const N: usize>(
    c: &mut Call<'_>,
    sets: [usize; N],
    bits: usize,
    inner: fn(&mut Call<'_>) -> i64,
) -> i64 {
    let given = c.args;
    let mut kept = Vec::new();
    for i in sets {
        if given[i] == 0 {
            continue;
        }
        match node_bytes(given[bits]).and_then(|n| Bits::read(given[i], n)) {
            Ok(mut b) => {
                // The host reads whole words; it is given one even for none.
                if b.place().1 == 0 {
                    b = Bits::new(8);
                }
                c.args[i] = b.place().0;
                kept.push(b);
            }
            Err(e) => return e.as_return(),
        }
    }
    inner(c)
}

/// `mbind`.
pub fn mbind(c: &mut Call<'_>) -> i64 {
    with_nodes(c, [3], 4, crate::sys::memory::ranged)
}

/// `set_mempolicy`.
pub fn set_mempolicy(c: &mut Call<'_>) -> i64 {
    with_nodes(c, [1], 2, |c| c.forward())
}

/// `migrate_pages`.
pub fn migrate_pages(c: &mut Call<'_>) -> i64 {
    with_nodes(c, [2, 3], 1, |c| c.forward())
}

/// `get_mempolicy`.
pub fn get_mempolicy(c: &mut Call<'_>) -> i64 {
    let [mode, to, bits, at, flags, _] = c.args;
    if to == 0 {
        return c.forward();
    }
    match node_bytes(bits) {
        Ok(n) => {
            let mut b = Bits::new(n.max(8));
            let place = b.place().0;
            match c.host([mode, place, bits, at, flags, 0]) {
                r if r < 0 => r,
                r => ret(b.write(to, n).map(|()| r as u64)),
            }
        }
        Err(e) => e.as_return(),
    }
}

/// `move_pages`: a vector of addresses.
pub fn move_pages(c: &mut Call<'_>) -> i64 {
    const MOST: u64 = 1 << 20;
    let [pid, count, pages, nodes, status, flags] = c.args;
    if count > MOST {
        return err(libc::E2BIG);
    }
    let mut wide = vec![0u64; count as usize];
    for (i, w) in wide.iter_mut().enumerate() {
        match guest::read::<u32>(pages + 4 * i as u64) {
            Ok(p) => *w = p as u64,
            Err(e) => return e.as_return(),
        }
    }
    c.host([pid, count, wide.as_ptr() as u64, nodes, status, flags])
}

/// `prctl`.
pub fn prctl(c: &mut Call<'_>) -> i64 {
    const PR_GET_TID_ADDRESS: i32 = 40;
    if c.int(0) != PR_GET_TID_ADDRESS {
        return identity::prctl(c);
    }
    // The host writes a pointer of its own size.
    let mut b = Buffer::new();
    match c.host([c.args[0], b.at(), c.args[2], c.args[3], c.args[4], 0]) {
        r if r < 0 => r,
        _ => ret(guest::write(c.args[1], b.word(0) as u32).map(|()| 0)),
    }
}

/// `sched_rr_get_interval`.
pub fn sched_rr_get_interval(c: &mut Call<'_>) -> i64 {
    with(c, &[Part { arg: 1, dir: Dir::Out, shape: &TIME }], |c| c.forward())
}

/// `mmap2`: the offset counts units of 4096 bytes.
pub fn mmap2(c: &mut Call<'_>) -> i64 {
    c.args[5] *= PAGE;
    crate::sys::memory::mmap(c)
}

/// Size of `struct robust_list_head`.
const ROBUST_HEAD: u64 = 12;

/// `set_robust_list`: the kernel walks the list when the thread ends, so it has to know that its pointers have 32 bits, which only
/// its interface for 32-bit programs can say. Without that, robust mutexes of a thread that dies are not given on.
pub fn set_robust_list(c: &mut Call<'_>) -> i64 {
    if c.args[1] != ROBUST_HEAD {
        return err(libc::EINVAL);
    }
    hostcall::compat(hostcall::I386_SET_ROBUST_LIST, c.args).unwrap_or(0)
}

/// `get_robust_list`.
pub fn get_robust_list(c: &mut Call<'_>) -> i64 {
    hostcall::compat(hostcall::I386_GET_ROBUST_LIST, c.args).unwrap_or(err(libc::ENOSYS))
}

/// `io_uring_setup`: vectors and messages in its rings are of the program that set it up.
pub fn io_uring_setup(c: &mut Call<'_>) -> i64 {
    hostcall::compat(hostcall::I386_IO_URING_SETUP, c.args).unwrap_or(err(libc::ENOSYS))
}

/// `breakpoint`: SIGTRAP at the call.
pub fn breakpoint(c: &mut Call<'_>) -> i64 {
    const TRAP_BRKPT: i32 = 1;
    c.state.pc = c.thread.process.isa().system_call_before(c.state.pc, c.state.nzcv);
    c.thread.signals.no_restart = true;
    signal::trap(c.thread, c.state, libc::SIGTRAP, TRAP_BRKPT);
    0
}

/// `cacheflush`: code in the range may have changed.
pub fn cacheflush(c: &mut Call<'_>) -> i64 {
    let [start, end, flags, ..] = c.args;
    if end < start || flags != 0 {
        return err(libc::EINVAL);
    }
    let from = page_down(start);
    if start < end {
        polycode::flushed(start, end - start);
        jit::invalidate(start, end - start);
    }
    if start < end && !c.thread.process.mem.is_guest(from, end - from) {
        return err(libc::EFAULT);
    }
    0
}

/// `set_tls`.
pub fn set_tls(c: &mut Call<'_>) -> i64 {
    c.state.tpidrro = c.args[0];
    0
}

/// `get_tls`.
pub fn get_tls(c: &mut Call<'_>) -> i64 {
    c.state.tpidrro as i64
}

/// The host's call, structures apart.
pub fn forward(c: &mut Call<'_>) -> i64 {
    c.forward()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_scaled() {
        let mut b = Buffer::new();
        let mut put = |at: usize, v: u64| b.0[at..at + 8].copy_from_slice(&v.to_le_bytes());
        put(0, 77);
        put(32, 5 << 32);
        put(40, 1 << 32);
        put(80, 300);
        put(104, 1);
        let s = short_info(&b);
        let word = |at: usize| u32::from_le_bytes(s[at..at + 4].try_into().unwrap());
        assert_eq!([0, 16, 20, 40, 52].map(word), [77, 5 << 20, 1 << 20, 300, 4096]);
        b.0[32..40].copy_from_slice(&(1u64 << 20).to_le_bytes());
        assert_eq!(short_info(&b)[16..20], (1u32 << 20).to_le_bytes());
    }

    #[test]
    fn vectors_of_pointers() {
        let v = [5u32, 6, 0, 7];
        assert_eq!(guest::read_pointers(v.as_ptr() as u64, 4), Ok(vec![5, 6]));
        assert_eq!(guest::read_pointers(0, 4), Ok(vec![]));
    }
}
