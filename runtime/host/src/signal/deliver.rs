//! Delivery: from a waiting signal to a running guest handler, or to the end of the process. Takes the thread between
//! two guest instructions; follows the kernel's `get_signal`, `handle_signal` and `force_sig_info` (`kernel/signal.c`,
//! `arch/arm64/kernel/signal.c`).
//!
//! # Safety
//! Reads the slot of the waiting signal while `waiting` is set, when no handler writes it.
#![allow(unsafe_code)]

use super::frame::{self, FaultInfo};
use super::frame32;
use super::host::{self, die_by, hold, release, resend, set_host_mask};
use super::{Action, SIG_DFL, SIG_IGN, SigInfo, SigSet, UNBLOCKABLE, bit};
use crate::hostcall::{ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS};
use crate::sys;
use crate::thread::Thread;
use crate::trace::Topic;
use abi::GuestState;
use ir::GuestAddr;
use isa::Isa;
use isa::a32::Place;
use std::sync::atomic::Ordering;

/// Number of `restart_syscall`.
const NR_RESTART_SYSCALL: u64 = 128;
/// The same for arm.
const NR_RESTART_SYSCALL_32: u64 = 0;

/// A system call that has just been executed and may have to be restarted.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// x0 or r0 before the call.
    pub x0: u64,
    /// Address of the instruction.
    pub pc: u64,
}

/// Takes the next signal that the guest handles and that is not blocked.
fn next(t: &mut Thread) -> Option<(SigInfo, Action)> {
    loop {
        let blocked = t.signals.temporary.unwrap_or(t.signals.mask);
        let info = match t.shared.waiting.load(Ordering::Relaxed) {
            0 => match host::take_held(t, !blocked) {
                Some(info) => {
                    host::block_host();
                    info
                }
                None => {
                    if nothing_to_deliver(t, blocked) {
                        return None;
                    }
                    continue;
                }
            },
            _ => {
                // SAFETY: a signal waits, so the slot is set, and handlers leave it alone.
                let info = unsafe { *t.shared.waiting_info.get() };
                release(t.shared);
                info
            }
        };
        // The host's mask is full here.
        let special = UNBLOCKABLE.contains(&info.signo);
        if blocked & bit(info.signo) != 0 {
            if special {
                hold(t.shared, &info)
            } else {
                resend(&info)
            }
            set_host_mask(t);
            continue;
        }
        let action = t.actions.take_for_delivery(info.signo);
        if action.is_caught() {
            return Some((info, action));
        } else if !special {
            // The disposition changed since it came: the host's is the same, and does what is due.
            resend(&info);
        } else if action.handler == SIG_DFL {
            die_by(&info);
        }
        set_host_mask(t);
    }
}

/// Stops looking for signals, unless one is to be delivered: those held are blocked, until the mask changes.
pub fn nothing_to_deliver(t: &Thread, blocked: SigSet) -> bool {
    host::set_pending(t.shared, false);
    let new = t.shared.for_process.set.load(Ordering::Relaxed) != 0;
    let nothing = !new && t.shared.waiting.load(Ordering::Relaxed) == 0 && host::held(t) & !blocked == 0;
    if !nothing {
        host::set_pending(t.shared, true);
    }
    nothing
}

/// Makes `s` begin the handler, mask and all. The host's mask is full on entry and right on return.
fn begin(t: &mut Thread, s: &mut GuestState, info: &SigInfo, action: &Action) {
    let saved = t.signals.mask;
    let now = t.signals.temporary.take().unwrap_or(saved);
    crate::trace!(
        Topic::Signal,
        "signal {} (code {}) at {:#x} → handler {:#x}",
        info.signo,
        info.code,
        s.pc,
        action.handler
    );
    let (alt, fault) = (&mut t.signals.alt, t.signals.last_fault);
    let pushed = match t.process.isa() {
        Isa::A64 => frame::push(s, alt, action, info, saved, fault, t.process.trampoline),
        Isa::A32 => frame32::push(s, alt, action, info, saved, fault),
    };
    if pushed.is_err() {
        // The stack cannot take the frame: SIGSEGV, and if that was it, the end.
        let segv = SigInfo { signo: libc::SIGSEGV, code: 0x80, ..SigInfo::default() };
        if info.signo == libc::SIGSEGV {
            die_by(&segv);
        }
        return force(t, s, &segv);
    }
    crate::profile::handler(t.process, s.pc);
    let mut mask = now | action.mask;
    if !action.has(libc::SA_NODEFER) {
        mask |= bit(info.signo);
    }
    t.signals.mask = mask;
    set_host_mask(t);
    recheck_held(t);
}

/// Held signals may have become deliverable with a change of mask.
pub fn recheck_held(t: &Thread) {
    if host::held(t) & !t.signals.mask != 0 {
        host::set_pending(t.shared, true);
    }
}

/// Delivers what waits; to be called between two guest instructions, with `call` after a system call, whose restart
/// it decides. On return nothing waits that could be delivered, and `s` is what runs next. True if that is a handler.
pub fn deliver(t: &mut Thread, s: &mut GuestState, call: Option<Restart>) -> bool {
    let mut begun = false;
    let mut result = 0;
    let isa = t.process.isa();
    if let Some(c) = call.filter(|_| !std::mem::take(&mut t.signals.no_restart)) {
        result = -sys::result(isa, s);
        if matches!(result, ERESTARTSYS | ERESTARTNOINTR | ERESTARTNOHAND | ERESTART_RESTARTBLOCK) {
            let next_pc = s.pc;
            s.x[0] = c.x0;
            s.pc = c.pc;
            if let Some((info, action)) = next(t) {
                let again = match result {
                    ERESTARTSYS => action.has(libc::SA_RESTART),
                    ERESTARTNOINTR => true,
                    _ => false,
                };
                if !again {
                    sys::set_result(isa, s, -libc::EINTR as i64);
                    s.pc = next_pc;
                }
                begin(t, s, &info, &action);
                begun = true;
                result = 0;
            }
        }
    }
    while host::is_pending(t.shared) {
        let Some((info, action)) = next(t) else { break };
        if result == ERESTART_RESTARTBLOCK {
            result = 0;
        }
        begin(t, s, &info, &action);
        begun = true;
    }
    if result == ERESTART_RESTARTBLOCK {
        match isa {
            Isa::A64 => s.x[8] = NR_RESTART_SYSCALL,
            Isa::A32 => s.x[7] = NR_RESTART_SYSCALL_32,
        }
    }
    if t.signals.temporary.take().is_some() {
        // The call ended without a handler: the thread's own mask again, under which something may be deliverable.
        host::block_host();
        set_host_mask(t);
        recheck_held(t);
        while host::is_pending(t.shared) {
            let Some((info, action)) = next(t) else { break };
            begin(t, s, &info, &action);
            begun = true;
        }
    }
    begun
}

/// Makes the guest take a signal that it cannot put off: a fault of the instruction at `s.pc`, with what the frame says
/// of it.
pub fn fault(t: &mut Thread, s: &mut GuestState, signo: i32, code: i32, addr: u64, details: FaultInfo) {
    t.signals.last_fault = details;
    let mut info = SigInfo { signo, code, ..SigInfo::default() };
    info.rest[0] = addr;
    force(t, s, &info);
}

/// As [`fault`], for a debug exception at `s.pc`, which leaves the details of an earlier fault standing.
pub fn trap(t: &mut Thread, s: &mut GuestState, signo: i32, code: i32) {
    fault(t, s, signo, code, instruction(t, s), t.signals.last_fault);
}

/// The address of the next instruction, as the guest sees it: without its state.
pub fn instruction(t: &Thread, s: &GuestState) -> u64 {
    match t.process.isa() {
        Isa::A64 => s.pc,
        Isa::A32 => Place::from(GuestAddr(s.pc)).addr as u64,
    }
}

fn force(t: &mut Thread, s: &mut GuestState, info: &SigInfo) {
    let action = t.actions.take_for_delivery(info.signo);
    let blocked = t.signals.mask & bit(info.signo) != 0;
    crate::trace!(
        Topic::Fault,
        "signal {} (code {}, address {:#x}) by the instruction at {:#x}",
        info.signo,
        info.code,
        info.rest[0],
        s.pc
    );
    if blocked || action.handler == SIG_IGN || action.handler == SIG_DFL {
        die_by(info);
    }
    host::block_host();
    begin(t, s, info, &action);
}
