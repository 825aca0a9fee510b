//! Signal frames as the arm64 kernel writes and reads them (`arch/arm64/kernel/signal.c`, `uapi/asm/sigcontext.h`).
//! Takes guest state and signal information, gives bytes on the guest's stack, and the reverse. Knows no host signal.

use super::{Action, AltStack, SigInfo, SigSet};
use crate::access::{copy_from_guest, copy_to_guest, read, write};
use crate::hostcall::Errno;
use crate::mem::TASK_SIZE_64;
use abi::GuestState;

// struct rt_sigframe { siginfo_t info; ucontext_t uc; }
const UC: usize = 128;
const UC_STACK: usize = UC + 16;
const UC_SIGMASK: usize = UC + 40;
/// `uc_mcontext`: after 1024 bits of signal mask, 16-byte aligned.
const MCONTEXT: usize = UC + 176;
const REGS: usize = MCONTEXT + 8;
const SP: usize = REGS + 31 * 8;
const PC: usize = SP + 8;
const PSTATE: usize = PC + 8;
const RECORDS: usize = MCONTEXT + 288;
const RECORDS_SIZE: usize = 4096;
/// Size of the whole frame.
pub const FRAME_SIZE: usize = RECORDS + RECORDS_SIZE;

const FPSIMD_MAGIC: u32 = 0x4650_8001;
const FPSIMD_SIZE: usize = 528;
const ESR_MAGIC: u32 = 0x4553_5201;
const EXTRA_MAGIC: u32 = 0x4558_5401;

const _: () = assert!(FRAME_SIZE == 4688);

/// PSTATE as the guest sees it: N, Z, C, V in bits 31–28.
pub fn pstate(s: &GuestState) -> u64 {
    s.nzcv.iter().enumerate().map(|(i, f)| (*f as u64 & 1) << (31 - i)).sum()
}

/// What a synchronous fault adds to its frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FaultInfo {
    /// `fault_address`.
    pub address: u64,
    /// ESR_EL1 of the exception, 0 for none.
    pub esr: u64,
}

/// Writes the frame for a handler of `action` and makes `s` begin it. `saved` is the mask that returning restores.
pub fn push(
    s: &mut GuestState,
    alt: &mut AltStack,
    action: &Action,
    info: &SigInfo,
    saved: SigSet,
    fault: FaultInfo,
    trampoline: u64,
) -> Result<(), Errno> {
    let top = if action.has(libc::SA_ONSTACK) && alt.size != 0 && !alt.contains(s.sp) {
        alt.sp.wrapping_add(alt.size)
    } else {
        s.sp
    };
    let record = top.wrapping_sub(16) & !15;
    let frame = record.wrapping_sub(FRAME_SIZE as u64);

    let mut f = [0u8; RECORDS + FPSIMD_SIZE + 16 + 8];
    let mut put = |at: usize, v: u64| f[at..at + 8].copy_from_slice(&v.to_le_bytes());
    if action.has(libc::SA_SIGINFO) {
        put(0, info.signo as u32 as u64 | (info.errno as u32 as u64) << 32);
        put(8, info.code as u32 as u64 | (info.pad as u32 as u64) << 32);
        for (i, w) in info.rest.iter().enumerate() {
            put(16 + 8 * i, *w);
        }
    }
    put(UC_STACK, alt.sp);
    put(UC_STACK + 8, alt.flags as u64);
    put(UC_STACK + 16, alt.size);
    put(UC_SIGMASK, saved);
    put(MCONTEXT, fault.address);
    for (i, x) in s.x.iter().enumerate() {
        put(REGS + 8 * i, *x);
    }
    put(SP, s.sp);
    put(PC, s.pc);
    put(PSTATE, pstate(s));
    put(RECORDS, FPSIMD_MAGIC as u64 | (FPSIMD_SIZE as u64) << 32);
    put(RECORDS + 8, exec::fpsr(s) as u64 | (s.fpcr as u64) << 32);
    for (i, v) in s.v.iter().enumerate() {
        put(RECORDS + 16 + 16 * i, v[0]);
        put(RECORDS + 24 + 16 * i, v[1]);
    }
    if fault.esr != 0 {
        put(RECORDS + FPSIMD_SIZE, ESR_MAGIC as u64 | 16 << 32);
        put(RECORDS + FPSIMD_SIZE + 8, fault.esr);
        put(RECORDS + FPSIMD_SIZE + 16, 0);
    }
    copy_to_guest(frame, &f)?;
    write(record, [s.x[29], s.x[30]])?;

    // The exclusive monitor does not survive an exception.
    s.excl_size = 0;
    s.x[0] = info.signo as u64;
    if action.has(libc::SA_SIGINFO) {
        s.x[1] = frame;
        s.x[2] = frame + UC as u64;
    }
    s.x[29] = record;
    s.x[30] = if action.flags & super::action::SA_RESTORER != 0 { action.restorer } else { trampoline };
    s.sp = frame;
    s.pc = action.handler;
    if alt.flags & super::SS_AUTODISARM != 0 {
        *alt = AltStack::NONE;
    }
    Ok(())
}

/// What a frame restores besides registers.
#[derive(Clone, Copy, Debug)]
pub struct Restored {
    /// The signal mask, if it could be read.
    pub mask: Option<SigSet>,
    /// `uc_stack`; `None` for a frame that the kernel rejects.
    pub alt: Option<AltStack>,
}

/// Reads the frame at `s.sp` into `s`. Of a frame that the kernel rejects it takes what the kernel takes: nothing if it
/// is misaligned or out of reach, else the mask and the general-purpose registers, 0 where they cannot be read.
pub fn pop(s: &mut GuestState) -> Restored {
    let frame = s.sp;
    let rejected = Restored { mask: None, alt: None };
    if frame & 15 != 0 || frame.checked_add(FRAME_SIZE as u64).is_none_or(|end| end > TASK_SIZE_64) {
        return rejected;
    }
    let mut f = [0u8; RECORDS];
    let readable = copy_from_guest(&mut f, frame).is_ok();
    if !readable {
        for (i, word) in f.chunks_exact_mut(8).enumerate() {
            let v = read::<u64>(frame + 8 * i as u64).unwrap_or(0);
            word.copy_from_slice(&v.to_le_bytes());
        }
    }
    let get = |at: usize| u64::from_le_bytes(f[at..at + 8].try_into().expect("invariant: 8 bytes"));
    let mask = read(frame + UC_SIGMASK as u64).ok();
    for (i, x) in s.x.iter_mut().enumerate() {
        *x = get(REGS + 8 * i);
    }
    s.sp = get(SP);
    s.pc = get(PC);
    let pstate = get(PSTATE);
    for (i, flag) in s.nzcv.iter_mut().enumerate() {
        *flag = (pstate >> (31 - i) & 1) as u8;
    }
    s.excl_size = 0;
    // valid_user_regs: EL0, 64-bit, interrupts on. Bits that user space cannot set are ignored by the kernel.
    let valid = readable && pstate & 0x3df == 0;
    let Some(fp) = valid.then(|| fpsimd_record(frame)).flatten() else {
        return Restored { mask, ..rejected };
    };
    let word = |at: usize| u64::from_le_bytes(fp[at..at + 8].try_into().expect("invariant: 8 bytes"));
    exec::set_fpsr(s, word(8) as u32);
    exec::set_fpcr(s, (word(8) >> 32 & isa::a64::FPCR_MASK) as u32);
    for (i, v) in s.v.iter_mut().enumerate() {
        *v = [word(16 + 16 * i), word(24 + 16 * i)];
    }
    let alt = AltStack { sp: get(UC_STACK), size: get(UC_STACK + 16), flags: get(UC_STACK + 8) as u32 };
    Restored { mask, alt: Some(alt) }
}

/// Finds the FPSIMD record among the frame's records, which must be well-formed up to the terminator.
fn fpsimd_record(frame: u64) -> Option<[u8; FPSIMD_SIZE]> {
    let base = frame + RECORDS as u64;
    let (mut base, mut limit, mut at) = (base, RECORDS_SIZE, 0);
    let (mut found, mut extra) = (None, false);
    loop {
        if limit - at < 8 {
            return None;
        }
        let [magic, size]: [u32; 2] = read(base + at as u64).ok()?;
        let size = size as usize;
        if limit - at < size {
            return None;
        }
        match magic {
            0 => return if size == 0 { found } else { None },
            FPSIMD_MAGIC => {
                if size < FPSIMD_SIZE || found.is_some() {
                    return None;
                }
                let mut f = [0u8; FPSIMD_SIZE];
                copy_from_guest(&mut f, base + at as u64).ok()?;
                found = Some(f);
            }
            ESR_MAGIC => {}
            EXTRA_MAGIC => {
                // Records go on elsewhere: { head, datap, size, reserved[3] }, followed by a terminator.
                if extra || size < 32 || limit - at - size < 16 {
                    return None;
                }
                let [data, bytes]: [u64; 2] = read(base + at as u64 + 8).ok()?;
                let end: [u32; 2] = read(base + (at + size) as u64).ok()?;
                let bytes = bytes as u32 as usize;
                // The kernel demands that the data follow the terminator directly.
                if end != [0, 0]
                    || data != base + (at + size) as u64 + 16
                    || !bytes.is_multiple_of(16)
                    || bytes > 1 << 20
                {
                    return None;
                }
                (base, limit, at, extra) = (data, bytes, 0, true);
                continue;
            }
            _ => return None,
        }
        if size < 16 || !size.is_multiple_of(16) {
            return None;
        }
        at += size;
    }
}
