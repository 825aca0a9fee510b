//! Accesses to guest memory that survive a fault. Takes guest addresses, gives values or what the fault was. Each
//! access is an assembly routine at a known place; the fault handler moves execution to the routine's way out.
//!
//! # Safety
//! The routines read and write any address. Within the guest's memory that is their purpose; a guest of the same
//! width as the host shares the address space with the runtime, and an address outside the guest's areas is as
//! reachable for it through lifted code. The routines use no stack, so that leaving them is a plain return.
#![allow(unsafe_code)]

use crate::hostcall::Errno;
use crate::thread;
use std::arch::global_asm;

/// A fault, as the host reported it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccessFault {
    /// SIGSEGV or SIGBUS.
    pub signal: i32,
    /// `si_code`: SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR …
    pub code: i32,
    /// The faulting address.
    pub addr: u64,
}

// Every routine gives 0, or 1 after a fault (through xl_access_fault); results go to *rsi … as documented.
global_asm!(
    ".macro xl_routine name",
    ".globl \\name",
    ".hidden \\name",
    ".p2align 4",
    "\\name:",
    ".endm",
    ".globl xl_access_begin",
    ".hidden xl_access_begin",
    "xl_access_begin:",
    // loads: rdi address, rsi where the 16-byte result goes (cleared by the caller)
    "xl_routine xl_load1",
    "movzx eax, byte ptr [rdi]",
    "jmp 2f",
    "xl_routine xl_load2",
    "movzx eax, word ptr [rdi]",
    "jmp 2f",
    "xl_routine xl_load4",
    "mov eax, dword ptr [rdi]",
    "jmp 2f",
    "xl_routine xl_load8",
    "mov rax, qword ptr [rdi]",
    "2:",
    "mov qword ptr [rsi], rax",
    "xor eax, eax",
    "ret",
    "xl_routine xl_load16",
    "test dil, 15",
    "jnz 3f",
    "movdqa xmm0, xmmword ptr [rdi]",
    "jmp 4f",
    "3:",
    "movdqu xmm0, xmmword ptr [rdi]",
    "4:",
    "movdqu xmmword ptr [rsi], xmm0",
    "xor eax, eax",
    "ret",
    // stores: rdi address, rsi value (low), rdx high
    "xl_routine xl_store1",
    "mov byte ptr [rdi], sil",
    "xor eax, eax",
    "ret",
    "xl_routine xl_store2",
    "mov word ptr [rdi], si",
    "xor eax, eax",
    "ret",
    "xl_routine xl_store4",
    "mov dword ptr [rdi], esi",
    "xor eax, eax",
    "ret",
    "xl_routine xl_store8",
    "mov qword ptr [rdi], rsi",
    "xor eax, eax",
    "ret",
    "xl_routine xl_store16",
    "movq xmm0, rsi",
    "movq xmm1, rdx",
    "punpcklqdq xmm0, xmm1",
    "test dil, 15",
    "jnz 3f",
    "movdqa xmmword ptr [rdi], xmm0",
    "xor eax, eax",
    "ret",
    "3:",
    "movdqu xmmword ptr [rdi], xmm0",
    "xor eax, eax",
    "ret",
    // compare and swap: rdi address, rsi *mut [u64; 2] in: expected, out: old; rdx new
    "xl_routine xl_cas1",
    "mov rax, [rsi]",
    "lock cmpxchg byte ptr [rdi], dl",
    "movzx eax, al",
    "jmp 2f",
    "xl_routine xl_cas2",
    "mov rax, [rsi]",
    "lock cmpxchg word ptr [rdi], dx",
    "movzx eax, ax",
    "jmp 2f",
    "xl_routine xl_cas4",
    "mov rax, [rsi]",
    "lock cmpxchg dword ptr [rdi], edx",
    "mov eax, eax",
    "jmp 2f",
    "xl_routine xl_cas8",
    "mov rax, [rsi]",
    "lock cmpxchg qword ptr [rdi], rdx",
    "2:",
    "mov [rsi], rax",
    "xor eax, eax",
    "ret",
    // rdi, rsi: rdx bytes (a multiple of 2) compared; gives 0 if equal
    "xl_routine xl_same",
    "2:",
    "cmp rdx, 8",
    "jb 3f",
    "mov rax, qword ptr [rdi]",
    "cmp rax, qword ptr [rsi]",
    "jne 4f",
    "add rdi, 8",
    "add rsi, 8",
    "sub rdx, 8",
    "jmp 2b",
    "3:",
    "test edx, 4",
    "jz 5f",
    "mov eax, dword ptr [rdi]",
    "cmp eax, dword ptr [rsi]",
    "jne 4f",
    "add rdi, 4",
    "add rsi, 4",
    "5:",
    "test edx, 2",
    "jz 6f",
    "mov ax, word ptr [rdi]",
    "cmp ax, word ptr [rsi]",
    "jne 4f",
    "6:",
    "xor eax, eax",
    "ret",
    "4:",
    "mov eax, 1",
    "ret",
    // rdi to, rsi from, rdx bytes; gives the bytes not copied
    "xl_routine xl_copy",
    "mov rcx, rdx",
    "rep movsb",
    "mov rax, rcx",
    "ret",
    ".globl xl_access_end",
    ".hidden xl_access_end",
    "xl_access_end:",
    "xl_access_fault:",
    "mov eax, 1",
    "ret",
    "xl_copy_fault:",
    "mov rax, rcx",
    "ret",
    // rbx is the caller's and holds half of the new value: its own range, because it must come back.
    ".globl xl_cas16",
    ".hidden xl_cas16",
    "xl_cas16:", // as above; rdx new low, rcx new high
    "mov r10, rbx",
    "mov r8, rdx",
    "mov r9, rcx",
    "mov rax, [rsi]",
    "mov rdx, [rsi + 8]",
    "mov rbx, r8",
    "mov rcx, r9",
    "xl_cas16_insn:",
    "lock cmpxchg16b xmmword ptr [rdi]",
    "mov rbx, r10",
    "mov [rsi], rax",
    "mov [rsi + 8], rdx",
    "xor eax, eax",
    "ret",
    "xl_cas16_fault:",
    "mov rbx, r10",
    "mov eax, 1",
    "ret",
    ".purgem xl_routine",
    ".pushsection .data.rel.ro.xl_access, \"aw\", @progbits",
    ".p2align 3",
    ".globl xl_access_ranges",
    ".hidden xl_access_ranges",
    "xl_access_ranges:",
    ".quad xl_copy, xl_access_end, xl_copy_fault",
    ".quad xl_access_begin, xl_copy, xl_access_fault",
    ".quad xl_cas16_insn, xl_cas16_insn + 1, xl_cas16_fault",
    // No access, but an instruction that faults where the kernel lacks what it asks for (see `hostcall`).
    ".quad xl_compat_insn, xl_compat_insn + 1, xl_compat_fault",
    ".popsection",
);

type LoadFn = unsafe extern "C" fn(u64, *mut [u64; 2]) -> u64;
type StoreFn = unsafe extern "C" fn(u64, u64, u64) -> u64;

unsafe extern "C" {
    fn xl_load1(addr: u64, out: *mut [u64; 2]) -> u64;
    fn xl_load2(addr: u64, out: *mut [u64; 2]) -> u64;
    fn xl_load4(addr: u64, out: *mut [u64; 2]) -> u64;
    fn xl_load8(addr: u64, out: *mut [u64; 2]) -> u64;
    fn xl_load16(addr: u64, out: *mut [u64; 2]) -> u64;
    fn xl_store1(addr: u64, lo: u64, hi: u64) -> u64;
    fn xl_store2(addr: u64, lo: u64, hi: u64) -> u64;
    fn xl_store4(addr: u64, lo: u64, hi: u64) -> u64;
    fn xl_store8(addr: u64, lo: u64, hi: u64) -> u64;
    fn xl_store16(addr: u64, lo: u64, hi: u64) -> u64;
    fn xl_cas1(addr: u64, old: *mut [u64; 2], new: u64) -> u64;
    fn xl_cas2(addr: u64, old: *mut [u64; 2], new: u64) -> u64;
    fn xl_cas4(addr: u64, old: *mut [u64; 2], new: u64) -> u64;
    fn xl_cas8(addr: u64, old: *mut [u64; 2], new: u64) -> u64;
    fn xl_cas16(addr: u64, old: *mut [u64; 2], new_lo: u64, new_hi: u64) -> u64;
    fn xl_same(a: u64, b: u64, len: u64) -> u64;
    fn xl_copy(to: u64, from: u64, len: u64) -> u64;
    static xl_access_ranges: [[u64; 3]; 4];
}

/// For the fault handler: where to go on if a fault at `rip` is one of a routine of this file. Async-signal-safe.
pub fn fixup(rip: u64) -> Option<u64> {
    // SAFETY: constant data, defined above.
    let ranges = unsafe { &xl_access_ranges };
    ranges.iter().find(|r| (r[0]..r[1]).contains(&rip)).map(|r| r[2])
}

/// The fault that the handler noted, for the access at `addr`.
fn noted(addr: u64) -> AccessFault {
    let (signal, code, at) = thread::current().map_or((libc::SIGSEGV, SEGV_MAPERR, addr), |t| t.fault.get());
    // A non-canonical address raises #GP, which tells no address: nothing is mapped there.
    if code == SI_KERNEL {
        AccessFault { signal, code: SEGV_MAPERR, addr }
    } else {
        AccessFault { signal, code, addr: at }
    }
}

/// `si_code` of a fault at an address that is not mapped.
pub const SEGV_MAPERR: i32 = 1;
/// `si_code` of a fault by protection.
pub const SEGV_ACCERR: i32 = 2;
/// `si_code` of a misaligned access.
pub const BUS_ADRALN: i32 = 1;
const SI_KERNEL: i32 = 0x80;

/// Loads 1, 2, 4, 8 or 16 bytes; atomic if aligned.
pub fn load(addr: u64, size: u32) -> Result<u128, AccessFault> {
    let f: LoadFn = match size {
        1 => xl_load1,
        2 => xl_load2,
        4 => xl_load4,
        8 => xl_load8,
        _ => xl_load16,
    };
    let mut out = [0u64; 2];
    // SAFETY: a fault of the routine is recovered; `out` is ours.
    match unsafe { f(addr, &mut out) } {
        0 => Ok(out[0] as u128 | (out[1] as u128) << 64),
        _ => Err(noted(addr)),
    }
}

/// Stores 1, 2, 4, 8 or 16 bytes; atomic if aligned. Nothing is stored at a fault.
pub fn store(addr: u64, size: u32, value: u128) -> Result<(), AccessFault> {
    let f: StoreFn = match size {
        1 => xl_store1,
        2 => xl_store2,
        4 => xl_store4,
        8 => xl_store8,
        _ => xl_store16,
    };
    loop {
        // SAFETY: a fault of the routine is recovered; the address is the guest's business.
        if unsafe { f(addr, value as u64, (value >> 64) as u64) } == 0 {
            return Ok(());
        }
        let fault = noted(addr);
        if !opened(&fault) {
            return Err(fault);
        }
    }
}

/// Atomic compare and swap of 1, 2, 4, 8 or 16 bytes at an aligned address, sequentially consistent; gives the old
/// value. Needs write permission even if it fails.
pub fn cas(addr: u64, size: u32, expected: u128, new: u128) -> Result<u128, AccessFault> {
    let (lo, hi) = (new as u64, (new >> 64) as u64);
    loop {
        let mut old = [expected as u64, (expected >> 64) as u64];
        // SAFETY: as in `store`; `old` is ours.
        let r = unsafe {
            match size {
                1 => xl_cas1(addr, &mut old, lo),
                2 => xl_cas2(addr, &mut old, lo),
                4 => xl_cas4(addr, &mut old, lo),
                8 => xl_cas8(addr, &mut old, lo),
                _ => xl_cas16(addr, &mut old, lo, hi),
            }
        };
        if r == 0 {
            let hi = if size == 16 { old[1] } else { 0 };
            return Ok(old[0] as u128 | (hi as u128) << 64);
        }
        let fault = noted(addr);
        if !opened(&fault) {
            return Err(fault);
        }
    }
}

/// True if the fault is that of writing to guarded text, which can be written now: the access is to be tried again.
fn opened(f: &AccessFault) -> bool {
    (f.signal, f.code) == (libc::SIGSEGV, SEGV_ACCERR) && crate::polycode::open(f.addr)
}

/// True if guest memory at `addr` holds exactly `bytes`, whose number is a multiple of 4.
pub fn same(addr: u64, bytes: &[u8]) -> bool {
    // SAFETY: reads only; a fault of the routine is recovered.
    unsafe { xl_same(addr, bytes.as_ptr() as u64, bytes.len() as u64) == 0 }
}

/// Reads code or data of any length; the fault if it cannot be read.
pub fn read_bytes(from: u64, to: &mut [u8]) -> Result<(), AccessFault> {
    copy_from_guest(to, from).map_err(|_| noted(from))
}

const EFAULT: Errno = Errno(libc::EFAULT);

/// Copies guest memory into `to`; EFAULT if any of it cannot be read.
pub fn copy_from_guest(to: &mut [u8], from: u64) -> Result<(), Errno> {
    // SAFETY: writes only `to`; reading is recovered.
    if unsafe { xl_copy(to.as_mut_ptr() as u64, from, to.len() as u64) } == 0 { Ok(()) } else { Err(EFAULT) }
}

/// Copies `from` into guest memory; EFAULT if any of it cannot be written (what comes before is written).
pub fn copy_to_guest(to: u64, from: &[u8]) -> Result<(), Errno> {
    loop {
        // SAFETY: reads only `from`; writing is recovered, and the address is the guest's business.
        if unsafe { xl_copy(to, from.as_ptr() as u64, from.len() as u64) } == 0 {
            return Ok(());
        }
        if !opened(&noted(to)) {
            return Err(EFAULT);
        }
    }
}

/// Types that any bytes are a value of and that have no padding, so that they can be copied from and to the guest.
///
/// # Safety
/// Exactly that must hold.
pub unsafe trait Plain: Copy {}
// SAFETY: integers and arrays of such.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for i64 {}
// SAFETY: as above.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// Reads a value from guest memory.
pub fn read<T: Plain>(from: u64) -> Result<T, Errno> {
    let mut v = std::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: `v` is as long as said; `Plain` makes whatever arrives a value.
    unsafe {
        copy_from_guest(std::slice::from_raw_parts_mut(v.as_mut_ptr().cast(), size_of::<T>()), from)?;
        Ok(v.assume_init())
    }
}

/// Writes a value to guest memory.
pub fn write<T: Plain>(to: u64, value: T) -> Result<(), Errno> {
    // SAFETY: `Plain` has no padding, so all bytes are initialised.
    copy_to_guest(to, unsafe { std::slice::from_raw_parts((&raw const value).cast(), size_of::<T>()) })
}

/// Reads a NUL-terminated string of at most `max` bytes (the NUL not counted): ENAMETOOLONG if it is longer.
pub fn read_cstr(from: u64, max: usize) -> Result<Vec<u8>, Errno> {
    let mut out = Vec::new();
    let mut at = from;
    loop {
        // Up to the end of the page, beyond which nothing may be mapped.
        let n = (4096 - (at & 4095)).min(256) as usize;
        let mut chunk = [0u8; 256];
        copy_from_guest(&mut chunk[..n], at)?;
        if let Some(i) = chunk[..n].iter().position(|b| *b == 0) {
            out.extend_from_slice(&chunk[..i]);
            return if out.len() > max { Err(Errno(libc::ENAMETOOLONG)) } else { Ok(out) };
        }
        out.extend_from_slice(&chunk[..n]);
        if out.len() > max {
            return Err(Errno(libc::ENAMETOOLONG));
        }
        at += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_reach_memory() {
        let mut buf = [0u128; 2];
        let at = buf.as_mut_ptr() as u64;
        for size in [1u32, 2, 4, 8, 16] {
            let mask = if size == 16 { u128::MAX } else { (1 << (size * 8)) - 1 };
            let v = 0xfedc_ba98_7654_3210_0123_4567_89ab_cdef_u128 & mask;
            store(at, size, v).unwrap();
            assert_eq!(load(at, size).unwrap(), v);
            assert_eq!(cas(at, size, v, 5).unwrap(), v);
            assert_eq!(cas(at, size, v, 6).unwrap(), 5);
            assert_eq!(load(at, size).unwrap(), 5);
        }
        store(at + 1, 16, 7 << 64).unwrap();
        assert_eq!(load(at + 1, 16).unwrap(), 7 << 64);
        assert_eq!(read::<u64>(at + 9), Ok(7));
        assert_eq!(read_cstr(c"abc".as_ptr() as u64, 3), Ok(b"abc".to_vec()));
        assert_eq!(read_cstr(c"abc".as_ptr() as u64, 2), Err(Errno(libc::ENAMETOOLONG)));
    }

    /// Code of T32 has any even length.
    #[test]
    fn the_last_halfword_counts() {
        let memory: Vec<u8> = (0..32).collect();
        for len in (2..=30).step_by(2) {
            let mut bytes = memory.clone();
            // What stands behind does not count.
            bytes[len] ^= 1;
            assert!(same(memory.as_ptr() as u64, &bytes[..len]), "{len}");
            bytes[len - 1] ^= 1;
            assert!(!same(memory.as_ptr() as u64, &bytes[..len]), "{len}");
        }
    }
}
