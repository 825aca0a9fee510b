//! The system calls that deal with signals. Takes guest arguments, gives what the call returns (negative error numbers).
//! Calls that only send (`kill` …) or wait on file descriptors need nothing from here but masks.
//!
//! # Safety
//! Reads the slot of the waiting signal under a full host mask.
#![allow(unsafe_code)]

use super::deliver::{nothing_to_deliver, recheck_held};
use super::host::{self, block_host, host_mask, publish_mask, set_host_mask, take_held};
use super::{
    Action, AltStack, FaultInfo, SIG_IGN, SS_AUTODISARM, SigInfo, SigSet, UNBLOCKABLE, UNBLOCKABLE_SET,
    UNCATCHABLE_SET, bit,
};
use super::{frame, frame32};
use crate::access::{SEGV_ACCERR, SEGV_MAPERR, copy_to_guest, read, write};
use crate::hostcall::{ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS, Errno, check, safe_syscall, syscall};
use crate::thread::Thread;
use crate::trace::Topic;
use abi::GuestState;
use isa::Isa;
use std::sync::atomic::Ordering;

const EINVAL: Errno = Errno(libc::EINVAL);
const MINSIGSTKSZ: u64 = 5120;
/// The same for arm.
const MINSIGSTKSZ_32: u64 = 2048;

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
                if a.handler == SIG_IGN && UNBLOCKABLE.contains(&sig) {
                    host::discard_held(t, sig);
                }
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

/// True if there is a signal to be delivered.
fn is_due(t: &Thread) -> bool {
    came_before(t)
        || t.shared.for_process.set.load(Ordering::Relaxed) != 0
        || host::held(t) & !t.signals.mask != 0
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
    pending |= host::held(t);
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
    publish_mask(t);
    if host::held(t) & !mask != 0 {
        host::set_pending(t.shared, true);
    }
    host_mask(mask)
}

/// The thread's own mask again.
pub fn end_temporary_mask(t: &mut Thread) {
    t.signals.temporary = None;
    publish_mask(t);
}

/// Signals of those that the host cannot block which a temporary mask lets through: they end the call.
pub fn let_through(t: &Thread, mask: SigSet) -> bool {
    host::held(t) & t.signals.mask & !mask != 0
}

/// After a host call with a temporary mask gave `r`: true if a signal came before the kernel was entered. It came under the
/// thread's own mask, in which it is delivered; the call begins again.
pub fn not_begun(t: &mut Thread, r: i64) -> bool {
    let before = matches!(-r, ERESTARTSYS | ERESTARTNOINTR) && came_before(t);
    if before {
        end_temporary_mask(t);
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
        if wanted & UNBLOCKABLE_SET != 0 {
            t.signals.waits_for = wanted & UNBLOCKABLE_SET;
            publish_mask(t);
            let found = wait_with_held(t, wanted, timeout);
            t.signals.waits_for = 0;
            publish_mask(t);
            let found = found?;
            if info != 0 {
                write(info, words(&found))?;
            }
            return Ok(found.signo as u64);
        }
        let r = safe_syscall(libc::SYS_rt_sigtimedwait, [set, info, timeout, 8, 0, 0]);
        // A signal it did not wait for: the kernel says EINTR, whatever SA_RESTART.
        match r {
            // Called out for the runtime's own ends.
            r if r == -ERESTARTSYS && !is_due(t) => Ok(-ERESTARTNOINTR as u64),
            r if r == -ERESTARTSYS => Err(Errno(libc::EINTR)),
            r => check(r),
        }
    })())
}

/// Waits for signals of which the host cannot wait for some: they interrupt it.
fn wait_with_held(t: &mut Thread, wanted: SigSet, timeout: u64) -> Result<SigInfo, Errno> {
    let ours = wanted & UNBLOCKABLE_SET;
    let rest = wanted & !UNBLOCKABLE_SET;
    let end = match timeout {
        0 => None,
        at => Some(now() + nanoseconds(read::<[u64; 2]>(at)?)?),
    };
    loop {
        if let Some(found) = take_held(t, ours) {
            return Ok(found);
        }
        if !nothing_to_deliver(t, t.signals.mask & !ours) {
            if host::held(t) & ours != 0 || t.shared.for_process.set.load(Ordering::Relaxed) != 0 {
                continue;
            }
            // One that it did not wait for.
            return Err(Errno(libc::EINTR));
        }
        let left = end.map(|e| e.saturating_sub(now()));
        let left = left.map(|n| [(n / SECOND) as u64, (n % SECOND) as u64]);
        let limit = left.as_ref().map_or(0, |l| l.as_ptr() as u64);
        let mut found = SigInfo::default();
        let args = [&raw const rest as u64, &raw mut found as u64, limit, 8, 0, 0];
        match check(safe_syscall(libc::SYS_rt_sigtimedwait, args)) {
            Ok(_) => return Ok(found),
            Err(Errno(libc::EINTR | RESTARTSYS | RESTARTNOINTR)) => {}
            Err(e) => return take_held(t, ours).ok_or(e),
        }
    }
}

const RESTARTSYS: i32 = ERESTARTSYS as i32;
const RESTARTNOINTR: i32 = ERESTARTNOINTR as i32;
const SECOND: u128 = 1_000_000_000;

/// A `timespec` in nanoseconds.
fn nanoseconds([seconds, rest]: [u64; 2]) -> Result<u128, Errno> {
    if (seconds as i64) < 0 || rest as u128 >= SECOND {
        return Err(EINVAL);
    }
    Ok(seconds as u128 * SECOND + rest as u128)
}

/// The time since some moment.
fn now() -> u128 {
    let mut t = [0u64; 2];
    syscall(libc::SYS_clock_gettime, [libc::CLOCK_MONOTONIC as u64, t.as_mut_ptr() as u64, 0, 0, 0, 0]);
    t[0] as u128 * SECOND + t[1] as u128
}

/// `rt_tgsigqueueinfo`: on the host, nothing in what a thread of this process sends tells that it is for one thread.
pub fn rt_tgsigqueueinfo(group: u64, thread: u64, sig: u64, info: u64) -> i64 {
    let ours = group as i32 as i64 == syscall(libc::SYS_getpid, [0; 6]);
    if !ours || !UNBLOCKABLE.contains(&(sig as i32)) {
        return syscall(libc::SYS_rt_tgsigqueueinfo, [group, thread, sig, info, 0, 0]);
    }
    match read::<[u64; 16]>(info) {
        Ok(mut words) => {
            host::mark_for_thread(&mut words);
            syscall(libc::SYS_rt_tgsigqueueinfo, [group, thread, sig, words.as_ptr() as u64, 0, 0])
        }
        Err(e) => e.as_return(),
    }
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

/// Smallest alternate stack.
fn least_stack(t: &Thread) -> u64 {
    match t.process.isa() {
        Isa::A64 => MINSIGSTKSZ,
        Isa::A32 => MINSIGSTKSZ_32,
    }
}

fn set_alt_stack(t: &mut Thread, sp: u64, new: AltStack) -> Result<(), Errno> {
    if t.signals.alt.size != 0 && t.signals.alt.contains(sp) {
        return Err(Errno(libc::EPERM));
    }
    let mode = (new.flags & !SS_AUTODISARM) as i32;
    t.signals.alt = match mode {
        libc::SS_DISABLE => AltStack { sp: 0, size: 0, flags: new.flags },
        0 | libc::SS_ONSTACK if new.size < least_stack(t) => return Err(Errno(libc::ENOMEM)),
        0 | libc::SS_ONSTACK => new,
        _ => return Err(EINVAL),
    };
    Ok(())
}

/// `rt_sigreturn`: all registers come from the frame at sp; a frame that the kernel would reject gives SIGSEGV. What is
/// returned is the restored x0, so that the caller may store it there as any result.
pub fn rt_sigreturn(t: &mut Thread, s: &mut GuestState) -> i64 {
    sigreturn(t, s, frame::pop, true)
}

/// The same for a 32-bit program: `rt_sigreturn`, or `sigreturn` from a frame without siginfo.
pub fn sigreturn32(t: &mut Thread, s: &mut GuestState, with_info: bool) -> i64 {
    sigreturn(t, s, |s| frame32::pop(s, with_info), with_info)
}

fn sigreturn(
    t: &mut Thread,
    s: &mut GuestState,
    pop: impl FnOnce(&mut GuestState) -> frame::Restored,
    with_alt: bool,
) -> i64 {
    t.signals.no_restart = true;
    block_host();
    if came_before(t) {
        s.pc = t.process.image.isa.system_call_before(s.pc, s.nzcv);
        return s.x[0] as i64;
    }
    let frame_sp = s.sp;
    let restored = pop(s);
    if let Some(mask) = restored.mask {
        set_mask(t, mask);
    }
    match restored.alt {
        Some(alt) => {
            crate::trace!(Topic::Signal, "return from a handler to {:#x}", s.pc);
            if with_alt {
                let _ = set_alt_stack(t, s.sp, alt);
            }
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
