//! `siginfo_t` of 32-bit programs. Takes the host's and gives the guest's, and the reverse: which member of the union counts
//! follows from signal and code, as in the kernel's `siginfo_layout` (`kernel/signal.c`).

use super::SigInfo;

/// Size on both sides.
pub const SIZE: usize = 128;

/// A member's fields: guest offset and size, host offset and size. All narrow by cutting and widen by 0, but for times.
type Fields = &'static [(usize, usize, usize, usize)];

const KILL: Fields = &[(12, 4, 16, 4), (16, 4, 20, 4)];
const TIMER: Fields = &[(12, 4, 16, 4), (16, 4, 20, 4), (20, 4, 24, 8), (24, 4, 32, 4)];
const QUEUE: Fields = &[(12, 4, 16, 4), (16, 4, 20, 4), (20, 4, 24, 8)];
const CHILD: Fields = &[(12, 4, 16, 4), (16, 4, 20, 4), (20, 4, 24, 4), (24, 4, 32, 8), (28, 4, 40, 8)];
const FAULT: Fields = &[(12, 4, 16, 8)];
const FAULT_LSB: Fields = &[(12, 4, 16, 8), (16, 2, 24, 2)];
const FAULT_BOUNDS: Fields = &[(12, 4, 16, 8), (20, 4, 32, 8), (24, 4, 40, 8)];
const FAULT_KEY: Fields = &[(12, 4, 16, 8), (20, 4, 32, 4)];
const PERF: Fields = &[(12, 4, 16, 8), (16, 4, 24, 8), (20, 4, 32, 4), (24, 4, 36, 4)];
const POLL: Fields = &[(12, 4, 16, 8), (16, 4, 24, 4)];
const SYSTEM: Fields = &[(12, 4, 16, 8), (16, 4, 24, 4), (20, 4, 28, 4)];

/// Which member of the union counts.
fn fields(signo: i32, code: i32) -> Fields {
    const SI_KERNEL: i32 = 0x80;
    const SI_SIGIO: i32 = -5;
    const BUS_MCEERR_AR: i32 = 4;
    const BUS_MCEERR_AO: i32 = 5;
    const SEGV_BNDERR: i32 = 3;
    const SEGV_PKUERR: i32 = 4;
    const TRAP_PERF: i32 = 6;
    const POLL_CODES: i32 = 6;
    match code {
        1..SI_KERNEL => match (signo, code) {
            (libc::SIGBUS, BUS_MCEERR_AR | BUS_MCEERR_AO) => FAULT_LSB,
            (libc::SIGSEGV, SEGV_BNDERR) => FAULT_BOUNDS,
            (libc::SIGSEGV, SEGV_PKUERR) => FAULT_KEY,
            (libc::SIGTRAP, TRAP_PERF) => PERF,
            (libc::SIGILL | libc::SIGFPE | libc::SIGSEGV | libc::SIGBUS | libc::SIGTRAP, _) => FAULT,
            (libc::SIGCHLD, _) => CHILD,
            (libc::SIGSYS, _) => SYSTEM,
            (_, ..=POLL_CODES) => POLL,
            _ => KILL,
        },
        libc::SI_TIMER => TIMER,
        SI_SIGIO => POLL,
        _ if code < 0 => QUEUE,
        _ => KILL,
    }
}

fn host_bytes(i: &SigInfo) -> [u8; SIZE] {
    let mut b = [0; SIZE];
    let head = [i.signo, i.errno, i.code, i.pad];
    for (to, v) in b.chunks_exact_mut(4).zip(head) {
        to.copy_from_slice(&v.to_le_bytes());
    }
    for (to, v) in b[16..].chunks_exact_mut(8).zip(i.rest) {
        to.copy_from_slice(&v.to_le_bytes());
    }
    b
}

/// The guest's bytes.
pub fn to_guest(info: &SigInfo) -> [u8; SIZE] {
    let (host, mut guest) = (host_bytes(info), [0; SIZE]);
    guest[..12].copy_from_slice(&host[..12]);
    for &(to, n, from, _) in fields(info.signo, info.code) {
        guest[to..to + n].copy_from_slice(&host[from..from + n]);
    }
    guest
}

/// The guest's bytes of what the kernel gave in its own form.
pub fn of_host(host: &[u8; SIZE]) -> [u8; SIZE] {
    to_guest(&SigInfo::from_bytes(host))
}

/// The host's bytes.
pub fn to_host(guest: &[u8; SIZE]) -> [u8; SIZE] {
    let word = |at: usize| i32::from_le_bytes(guest[at..at + 4].try_into().expect("invariant: 4 bytes"));
    let mut host = [0; SIZE];
    host[..12].copy_from_slice(&guest[..12]);
    for &(from, n, to, _) in fields(word(0), word(8)) {
        host[to..to + n].copy_from_slice(&guest[from..from + n]);
    }
    host
}

impl SigInfo {
    /// As it lies in memory.
    pub fn from_bytes(b: &[u8; SIZE]) -> SigInfo {
        let int = |at: usize| i32::from_le_bytes(b[at..at + 4].try_into().expect("invariant: 4 bytes"));
        let mut rest = [0; 14];
        for (w, b) in rest.iter_mut().zip(b[16..].chunks_exact(8)) {
            *w = u64::from_le_bytes(b.try_into().expect("invariant: chunks of 8"));
        }
        SigInfo { signo: int(0), errno: int(4), code: int(8), pad: int(12), rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(b: &[u8; SIZE], at: usize) -> u32 {
        u32::from_le_bytes(b[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn members_move() {
        let mut i = SigInfo { signo: libc::SIGSEGV, code: 1, ..SigInfo::default() };
        i.rest[0] = 0x1234_5678;
        let g = to_guest(&i);
        assert_eq!((word(&g, 0), word(&g, 8), word(&g, 12)), (11, 1, 0x1234_5678));
        assert_eq!(SigInfo::from_bytes(&to_host(&g)), i);
        // rt_sigqueueinfo: pid, uid, value.
        let mut i = SigInfo { signo: 34, code: libc::SI_QUEUE, ..SigInfo::default() };
        i.rest[..2].copy_from_slice(&[7 | 8 << 32, 9]);
        let g = to_guest(&i);
        assert_eq!((word(&g, 12), word(&g, 16), word(&g, 20)), (7, 8, 9));
        assert_eq!(SigInfo::from_bytes(&to_host(&g)), i);
        let mut i = SigInfo { signo: libc::SIGCHLD, code: 1, ..SigInfo::default() };
        i.rest[..4].copy_from_slice(&[7 | 8 << 32, 3, 100, 200]);
        let g = to_guest(&i);
        assert_eq!(
            [12, 16, 20, 24, 28].map(|at| word(&g, at)),
            [7, 8, 3, 100, 200],
            "pid, uid, status, user time, system time"
        );
        assert_eq!(SigInfo::from_bytes(&to_host(&g)), i);
    }
}
