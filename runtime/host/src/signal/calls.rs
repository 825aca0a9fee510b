//! The system calls that deal with signals. Takes guest arguments, gives what the call returns (negative error numbers).
//! Calls that only send (`kill` …) or wait on file descriptors need nothing from here but masks.
//!
//! # Safety
//! Reads the slot of the waiting signal under a full host mask.
#![allow(unsafe_code)]

use super::deliver::recheck_held;
use super::frame;
use super::host::{block_host, host_mask, set_host_mask, take_held};
use super::{
    Action, AltStack, FaultInfo, SS_AUTODISARM, SigSet, UNBLOCKABLE, UNBLOCKABLE_SET, UNCATCHABLE_SET, bit,
};
use crate::access::{SEGV_ACCERR, SEGV_MAPERR, copy_to_guest, read, write};
use crate::hostcall::{ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS, Errno, check, safe_syscall, syscall};
use crate::thread::Thread;
use crate::trace::Topic;
use abi::GuestState;
use std::sync::atomic::Ordering;

const EINVAL: Errno = Errno(libc::EINVAL);
const MINSIGSTKSZ: u64 = 5120;

fn result(r: Result<u64, Errno>) -> i64 {
    match r {
        Ok(v) => v as i64,
        Err(e) => e.as_return(),
    }
}

fn set_size(size: u64) -> Result<(), Errno> {
    if size == 8 { Ok(()) } else { Err(EINVAL) }
}

/// `rt_sigaction`.
pub fn rt_sigaction(t: &mut Thread, sig: u64, new: u64, old: u64, size: u64) -> i64 {
    result((|| {
        set_size(size)?;
        let words = if new != 0 { Some(read::<[u64; 4]>(new)?) } else { None };
        let sig = sig as i32;
        if !(1..=64).contains(&sig) || (words.is_some() && UNCATCHABLE_SET & bit(sig) != 0) {
            return Err(EINVAL);
        }
        let before = match words {
            None => t.actions.get(sig),
            Some(w) => {
                let a = Action::from_words(w);
                // No signal of that number may be half-way in while the host's disposition changes.
                block_host();
                let before = t.actions.set(sig, a);
                set_host_mask(t);
                before
            }
        };
        if old != 0 {
            write(old, before.to_words())?;
        }
        Ok(0)
    })())
}

/// `rt_sigprocmask`.
pub fn rt_sigprocmask(t: &mut Thread, how: u64, set: u64, old: u64, size: u64) -> i64 {
    result((|| {
        set_size(size)?;
        let before = t.signals.mask;
        if set != 0 {
            let set = read::<SigSet>(set)? & !UNCATCHABLE_SET;
            let mask = match how as i32 {
                libc::SIG_BLOCK => before | set,
                libc::SIG_UNBLOCK => before & !set,
                libc::SIG_SETMASK => set,
                _ => return Err(EINVAL),
            };
            block_host();
            if came_before(t) {
                return Ok(-ERESTARTNOINTR as u64);
            }
            set_mask(t, mask);
        }
        if old != 0 {
            write(old, before)?;
        }
        Ok(0)
    })())
}

/// Under [`block_host`]: true if a signal came before the call that is about to change the mask. It is delivered first, and
/// the call begins again: the new mask could block it, when it was another thread's to take.
fn came_before(t: &Thread) -> bool {
    t.shared.waiting.load(Ordering::Relaxed) != 0
}

/// Sets the guest's mask.
pub fn set_mask(t: &mut Thread, mask: SigSet) {
    block_host();
    t.signals.mask = mask & !UNCATCHABLE_SET;
    set_host_mask(t);
    recheck_held(t);
}

/// `rt_sigpending`.
pub fn rt_sigpending(t: &mut Thread, set: u64, size: u64) -> i64 {
    if size > 8 {
        return EINVAL.as_return();
    }
    let mut pending: SigSet = 0;
    syscall(libc::SYS_rt_sigpending, [&raw mut pending as u64, 8, 0, 0, 0, 0]);
    pending |= t.shared.held.load(Ordering::Relaxed);
    match t.shared.waiting.load(Ordering::Relaxed) {
        0 => {}
        sig => pending |= bit(sig),
    }
    pending &= t.signals.mask;
    result(copy_to_guest(set, &pending.to_le_bytes()[..size as usize]).map(|()| 0))
}

/// Puts a mask in force until the end of the present system call, as `ppoll`, `pselect6`, `epoll_pwait` do, and gives
/// the mask that the host call is to be given. A signal that the mask lets through and that waits already makes
/// [`safe_syscall`] return at once.
pub fn set_temporary_mask(t: &mut Thread, mask: SigSet) -> SigSet {
    let mask = mask & !UNCATCHABLE_SET;
    t.signals.temporary = Some(mask);
    if t.shared.held.load(Ordering::Relaxed) & !mask != 0 {
        super::host::set_pending(t.shared, true);
    }
    host_mask(mask)
}

/// After a host call with a temporary mask gave `r`: true if a signal came before the kernel was entered. It came under the
/// thread's own mask, in which it is delivered; the call begins again.
pub fn not_begun(t: &mut Thread, r: i64) -> bool {
    let before = matches!(-r, ERESTARTSYS | ERESTARTNOINTR) && came_before(t);
    if before {
        t.signals.temporary = None;
    }
    before
}

/// `rt_sigsuspend`.
pub fn rt_sigsuspend(t: &mut Thread, set: u64, size: u64) -> i64 {
    result((|| {
        set_size(size)?;
        let mask = read::<SigSet>(set)?;
        let host = set_temporary_mask(t, mask);
        let r = safe_syscall(libc::SYS_rt_sigsuspend, [&raw const host as u64, 8, 0, 0, 0, 0]);
        if not_begun(t, r) {
            return Ok(-ERESTARTNOINTR as u64);
        }
        Ok(-ERESTARTNOHAND as u64)
    })())
}

/// `rt_sigtimedwait`.
pub fn rt_sigtimedwait(t: &mut Thread, set: u64, info: u64, timeout: u64, size: u64) -> i64 {
    result((|| {
        set_size(size)?;
        let wanted = read::<SigSet>(set)?;
        if timeout != 0 {
            read::<[u64; 2]>(timeout)?;
        }
        // Those that the host cannot block are the runtime's to find.
        if let Some(found) = take_held(t.shared, wanted & UNBLOCKABLE_SET) {
            if info != 0 {
                write(info, words(&found))?;
            }
            return Ok(found.signo as u64);
        }
        let r = safe_syscall(libc::SYS_rt_sigtimedwait, [set, info, timeout, 8, 0, 0]);
        // A signal it did not wait for: the kernel says EINTR, whatever SA_RESTART.
        check(if r == -ERESTARTSYS { -libc::EINTR as i64 } else { r })
    })())
}

fn words(info: &super::SigInfo) -> [u64; 16] {
    let mut w = [0; 16];
    w[0] = info.signo as u32 as u64 | (info.errno as u32 as u64) << 32;
    w[1] = info.code as u32 as u64 | (info.pad as u32 as u64) << 32;
    w[2..].copy_from_slice(&info.rest);
    w
}

/// `sigaltstack`.
pub fn sigaltstack(t: &mut Thread, s: &GuestState, new: u64, old: u64) -> i64 {
    result((|| {
        let new = if new != 0 { Some(read::<[u64; 3]>(new)?) } else { None };
        let before = t.signals.alt;
        let state = if before.size == 0 {
            libc::SS_DISABLE as u32
        } else if before.contains(s.sp) {
            libc::SS_ONSTACK as u32
        } else {
            0
        };
        if let Some([sp, flags, size]) = new {
            set_alt_stack(t, s.sp, AltStack { sp, size, flags: flags as u32 })?;
        }
        if old != 0 {
            write(old, [before.sp, (state | before.flags & SS_AUTODISARM) as u64, before.size])?;
        }
        Ok(0)
    })())
}

fn set_alt_stack(t: &mut Thread, sp: u64, new: AltStack) -> Result<(), Errno> {
    if t.signals.alt.size != 0 && t.signals.alt.contains(sp) {
        return Err(Errno(libc::EPERM));
    }
    let mode = (new.flags & !SS_AUTODISARM) as i32;
    t.signals.alt = match mode {
        libc::SS_DISABLE => AltStack { sp: 0, size: 0, flags: new.flags },
        0 | libc::SS_ONSTACK if new.size < MINSIGSTKSZ => return Err(Errno(libc::ENOMEM)),
        0 | libc::SS_ONSTACK => new,
        _ => return Err(EINVAL),
    };
    Ok(())
}

/// `rt_sigreturn`: all registers come from the frame at sp; a frame that the kernel would reject gives SIGSEGV. What is
/// returned is the restored x0, so that the caller may store it there as any result.
pub fn rt_sigreturn(t: &mut Thread, s: &mut GuestState) -> i64 {
    t.signals.no_restart = true;
    block_host();
    if came_before(t) {
        s.pc = s.pc.wrapping_sub(4);
        return s.x[0] as i64;
    }
    let frame_sp = s.sp;
    let restored = frame::pop(s);
    if let Some(mask) = restored.mask {
        set_mask(t, mask);
    }
    match restored.alt {
        Some(alt) => {
            crate::trace!(Topic::Signal, "return from a handler to {:#x}", s.pc);
            let _ = set_alt_stack(t, s.sp, alt);
        }
        None => {
            crate::trace!(Topic::Signal, "bad signal frame at {frame_sp:#x}");
            // `arm64_notify_segfault`: the stack pointer as it is by now, the code by whether anything lies above.
            let code = if t.process.mem.reaches(s.sp) { SEGV_ACCERR } else { SEGV_MAPERR };
            s.x[0] = 0;
            super::fault(t, s, libc::SIGSEGV, code, s.sp, FaultInfo::default());
        }
    }
    s.x[0] as i64
}

/// True for signals that the runtime keeps unblocked on the host whatever the guest's mask says.
pub fn is_special(sig: i32) -> bool {
    UNBLOCKABLE.contains(&sig)
}
