//! Signal frames of 32-bit ARM programs, as an arm64 kernel writes and reads them for such (`arch/arm64/kernel/signal32.c`,
//! arm's `uapi/asm/sigcontext.h`, `asm/ucontext.h`). Takes guest state and signal information, gives bytes on the guest's
//! stack, and the reverse; takes a place apart into address and CPSR, and puts it together. Knows no host signal.

use super::frame::{FaultInfo, Restored};
use super::{Action, AltStack, SigInfo, SigSet, info32};
use crate::access::{copy_from_guest, copy_to_guest, read};
use crate::hostcall::Errno;
use crate::vectors;
use abi::GuestState;
use ir::GuestAddr;
use isa::a32::Place;

/// First address that is not the guest's.
const TASK_SIZE: u64 = 1 << 32;

// struct sigframe { struct ucontext uc; unsigned long retcode[2]; }, from the context on.
const FLAGS: usize = 0;
const STACK: usize = 8;
const ERROR_CODE: usize = 24;
const OLD_MASK: usize = 28;
const REGS: usize = 32;
const SP: usize = 84;
const LR: usize = 88;
const PC: usize = 92;
const CPSR: usize = 96;
const FAULT_ADDRESS: usize = 100;
const MASK: usize = 104;
const VFP: usize = 232;
const VFP_REGS: usize = VFP + 8;
const FPSCR: usize = VFP_REGS + 256;
const FPEXC: usize = FPSCR + 8;
const VFP_END: usize = VFP + VFP_SIZE;
const SIZE: usize = 752;
/// `struct siginfo`, before the context of an `rt_sigframe`.
const INFO: usize = info32::SIZE;

const VFP_MAGIC: u32 = 0x5646_5001;
const VFP_SIZE: usize = 288;
/// FPEXC.EN.
const FPEXC_ENABLED: u32 = 1 << 30;
/// `uc_flags` of a frame without siginfo.
const OLD_FRAME: u32 = 0x5ac3_c35a;

/// What of FPSCR the kernel takes from a frame: condition flags and what is cumulative, and control.
const FPSCR_STATUS: u32 = 0xf800_009f;
const FPSCR_CONTROL: u32 = 0x07f7_9f00;
/// FPSCR.STRIDE and FPSCR.LEN.
const FPSCR_VECTORS: u32 = 0x0037_0000;

const CPSR_T: u32 = 1 << 5;
const CPSR_E: u32 = 1 << 9;
const CPSR_MODE: u32 = 0x1f;
const CPSR_USER: u32 = 0x10;
/// Masks of asynchronous aborts, interrupts and fast interrupts, which a program never has set.
const CPSR_MASKS: u32 = 7 << 6;

/// CPSR as the guest sees it at `s.pc`.
pub fn cpsr(s: &GuestState) -> u32 {
    let place = Place::from(GuestAddr(s.pc));
    let flag = |v: u8, bit: u32| (v as u32 & 1) << bit;
    let nzcv: u32 = s.nzcv.iter().zip(0..).map(|(f, i)| flag(*f, 31 - i)).sum();
    let ge: u32 = s.a32_flags[..4].iter().zip(16..).map(|(f, i)| flag(*f, i)).sum();
    let it = (place.it as u32 & 3) << 25 | (place.it as u32 >> 2) << 10;
    let t = if place.thumb { CPSR_T } else { 0 };
    let e = if s.big_endian != 0 { CPSR_E } else { 0 };
    nzcv | flag(s.a32_flags[4], 27) | it | ge | e | t | CPSR_USER
}

/// Takes flags and state from a CPSR, and the address of the next instruction.
fn set_cpsr(s: &mut GuestState, cpsr: u32, pc: u32) {
    let flag = |bit: u32| (cpsr >> bit & 1) as u8;
    for (i, f) in s.nzcv.iter_mut().enumerate() {
        *f = flag(31 - i as u32);
    }
    s.a32_flags[4] = flag(27);
    for (i, f) in s.a32_flags[..4].iter_mut().enumerate() {
        *f = flag(16 + i as u32);
    }
    s.big_endian = (cpsr & CPSR_E != 0) as u8;
    let thumb = cpsr & CPSR_T != 0;
    let it = if thumb { (cpsr >> 25 & 3 | cpsr >> 10 << 2 & 0xfc) as u8 } else { 0 };
    // Returning from an exception clears the bits that an address of the state cannot have.
    let addr = if thumb { pc & !1 } else { pc & !3 };
    s.pc = GuestAddr::from(Place { addr, thumb, it, passed: false }).0;
}

/// FPSCR.
pub fn fpscr(s: &GuestState) -> u32 {
    let nzcv: u32 = s.fp_nzcv.iter().zip(0..).map(|(f, i)| (*f as u32 & 1) << (31 - i)).sum();
    nzcv | exec::fpsr(s) & FPSCR_STATUS & !(0xf << 28) | s.fpcr & FPSCR_CONTROL
}

fn set_fpscr(s: &mut GuestState, v: u32) {
    for (i, f) in s.fp_nzcv.iter_mut().enumerate() {
        *f = (v >> (31 - i) & 1) as u8;
    }
    exec::set_fpsr(s, v & FPSCR_STATUS & !(0xf << 28));
    exec::set_fpcr(s, v & FPSCR_CONTROL);
}

/// Writes the frame for a handler of `action` and makes `s` begin it. `saved` is the mask that returning restores; the code to
/// return to is at `vectors`, if the action names none.
pub fn push(
    s: &mut GuestState,
    alt: &mut AltStack,
    action: &Action,
    info: &SigInfo,
    saved: SigSet,
    fault: FaultInfo,
) -> Result<(), Errno> {
    const WRITE: u64 = 1 << 6;
    /// FSR.WnR.
    const FSR_WRITE: u32 = 1 << 11;
    let with_info = action.has(libc::SA_SIGINFO);
    let top = if action.has(libc::SA_ONSTACK) && alt.size != 0 && !alt.contains(s.sp) {
        alt.sp.wrapping_add(alt.size)
    } else {
        s.sp
    } as u32;
    let size = SIZE + if with_info { INFO } else { 0 };
    let frame = (top.wrapping_sub(size as u32) & !7) as u64;
    if frame + size as u64 > TASK_SIZE {
        return Err(Errno(libc::EFAULT));
    }
    let mut f = [0u8; INFO + VFP_END + 4];
    let context = if with_info { INFO } else { 0 };
    let mut put = |at: usize, v: u32| f[context + at..][..4].copy_from_slice(&v.to_le_bytes());
    if with_info {
        put(STACK, alt.sp as u32);
        put(STACK + 4, alt.flags);
        put(STACK + 8, alt.size as u32);
    } else {
        put(FLAGS, OLD_FRAME);
    }
    put(ERROR_CODE, if fault.esr & WRITE != 0 { FSR_WRITE } else { 0 });
    put(FAULT_ADDRESS, fault.address as u32);
    put(OLD_MASK, saved as u32);
    for i in 0..13 {
        put(REGS + 4 * i, s.x[i] as u32);
    }
    put(SP, s.sp as u32);
    put(LR, s.x[14] as u32);
    put(PC, Place::from(GuestAddr(s.pc)).addr);
    put(CPSR, cpsr(s));
    put(MASK, saved as u32);
    put(MASK + 4, (saved >> 32) as u32);
    put(VFP, VFP_MAGIC);
    put(VFP + 4, VFP_SIZE as u32);
    for (i, d) in s.v[..16].iter().flatten().enumerate() {
        put(VFP_REGS + 8 * i, *d as u32);
        put(VFP_REGS + 8 * i + 4, (*d >> 32) as u32);
    }
    put(FPSCR, fpscr(s));
    put(FPEXC, FPEXC_ENABLED);
    put(VFP_END, 0);
    if with_info {
        f[..INFO].copy_from_slice(&info32::to_guest(info));
    }
    copy_to_guest(frame, &f[..context + VFP_END + 4])?;

    // The exclusive monitor does not survive an exception.
    s.excl_size = 0;
    s.x[0] = info.signo as u32 as u64;
    if with_info {
        s.x[1] = frame;
        s.x[2] = frame + INFO as u64;
    }
    let thumb = action.handler & 1 != 0;
    s.x[14] = match action.flags & super::action::SA_RESTORER {
        0 => vectors::sigreturn(thumb, with_info),
        _ => action.restorer as u32 as u64,
    };
    s.sp = frame;
    // What the kernel calls PSR_f is cleared, N to Q, and IT; GE stays. Data are little-endian, and there are no vectors.
    s.big_endian = 0;
    exec::set_fpcr(s, s.fpcr & !FPSCR_VECTORS);
    s.nzcv = [0; 4];
    s.a32_flags[4] = 0;
    s.pc = GuestAddr::from(Place::from(GuestAddr(action.handler as u32 as u64))).0;
    if alt.flags & super::SS_AUTODISARM != 0 {
        *alt = AltStack::NONE;
    }
    Ok(())
}

/// Reads the frame at `s.sp` into `s`; `with_info`: it is an `rt_sigframe`. As [`super::frame::pop`] for what the kernel rejects.
pub fn pop(s: &mut GuestState, with_info: bool) -> Restored {
    let frame = s.sp as u32 as u64;
    let rejected = Restored { mask: None, alt: None };
    let context = frame + if with_info { INFO as u64 } else { 0 };
    if frame & 7 != 0 || context + SIZE as u64 > TASK_SIZE {
        return rejected;
    }
    let mut f = [0u8; VFP];
    let readable = copy_from_guest(&mut f, context).is_ok();
    if !readable {
        for (word, at) in f.chunks_exact_mut(4).zip((context..).step_by(4)) {
            word.copy_from_slice(&read::<u32>(at).unwrap_or(0).to_le_bytes());
        }
    }
    let get = |at: usize| u32::from_le_bytes(f[at..at + 4].try_into().expect("invariant: 4 bytes"));
    let mask = read(context + MASK as u64).ok();
    for i in 0..13 {
        s.x[i] = get(REGS + 4 * i) as u64;
    }
    s.sp = get(SP) as u64;
    s.x[14] = get(LR) as u64;
    let cpsr = get(CPSR);
    set_cpsr(s, cpsr, get(PC));
    s.excl_size = 0;
    let valid = readable && cpsr & CPSR_MODE == CPSR_USER && cpsr & CPSR_MASKS == 0;
    let mut vfp = [0u8; VFP_SIZE];
    if !valid || copy_from_guest(&mut vfp, context + VFP as u64).is_err() {
        return Restored { mask, ..rejected };
    }
    let word = |at: usize| u32::from_le_bytes(vfp[at - VFP..][..4].try_into().expect("invariant: 4 bytes"));
    if (word(VFP), word(VFP + 4)) != (VFP_MAGIC, VFP_SIZE as u32) {
        return Restored { mask, ..rejected };
    }
    for (i, d) in s.v[..16].iter_mut().flatten().enumerate() {
        *d = word(VFP_REGS + 8 * i) as u64 | (word(VFP_REGS + 8 * i + 4) as u64) << 32;
    }
    set_fpscr(s, word(FPSCR));
    let alt = AltStack { sp: get(STACK) as u64, size: get(STACK + 8) as u64, flags: get(STACK + 4) };
    Restored { mask, alt: Some(alt) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_flags_go_through_cpsr() {
        let place = Place { addr: 0x8004, thumb: true, it: 0b0100_1101, passed: true };
        let mut s = GuestState { pc: GuestAddr::from(place).0, nzcv: [1, 0, 1, 0], ..GuestState::default() };
        s.a32_flags = [1, 0, 0, 1, 1];
        s.big_endian = 1;
        let v = cpsr(&s);
        assert_eq!(v & 0xf8ff_03ff, 0xa809_0230);
        assert_eq!((v >> 25 & 3, v >> 10 & 0x3f), (1, 0b01_0011));
        let mut t = GuestState::default();
        set_cpsr(&mut t, v, 0x8004);
        assert_eq!(Place::from(GuestAddr(t.pc)), Place { passed: false, ..place });
        assert_eq!((t.nzcv, t.a32_flags, t.big_endian), (s.nzcv, s.a32_flags, s.big_endian));
        set_cpsr(&mut t, CPSR_USER, 0x8007);
        assert_eq!(t.pc, 0x8004);
    }

    #[test]
    fn frames_are_the_kernels() {
        assert_eq!((FPSCR, FPEXC, VFP_END), (496, 504, 520));
        assert_eq!(FPSCR_STATUS & FPSCR_CONTROL, 0);
        let s = GuestState {
            fp_nzcv: [0, 1, 1, 0],
            fpcr: 0x0340_0000,
            fpsr: 0x0800_0011,
            ..GuestState::default()
        };
        assert_eq!(fpscr(&s), 0x6b40_0011);
    }
}
