//! `vfork`: a child that runs in the parent's memory while the parent waits (CLONE_VM | CLONE_VFORK: `vfork` and
//! `posix_spawn` of C libraries, which tell errors through that memory). The child is a guest thread of its own, with
//! its own stack for lifted code, on the host stack below the waiting parent's frames.
//!
//! # Safety
//! The parent does not run until the child has executed a program or ended, so the child may use the parent's host
//! stack below its frames, its thread pointer and its locks (none is held across the call). The child never returns.
#![allow(unsafe_code)]

use super::process::{self, CloneArgs};
use super::table::Row;
use super::{Call, identity, limits};
use crate::hostcall::Errno;
use crate::signal::{self, ThreadSignals};
use crate::thread::{self, Thread};
use abi::GuestState;
use std::arch::asm;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

/// Threads of children that are gone, for the next ones: what is leaked is at most as many as ever nested.
static SPARE: Mutex<Vec<Spare>> = Mutex::new(Vec::new());

/// A thread that no host thread runs as.
struct Spare(&'static mut Thread);

// SAFETY: whoever takes it out is its only user.
unsafe impl Send for Spare {}

/// A thread with a stack of its own for lifted code. Changes the current thread; the caller changes it back.
fn new_thread(like: &Thread) -> Result<&'static mut Thread, Errno> {
    let (top, limit) = crate::entry::new_stack()?;
    let state = GuestState { stack_limit: limit, stack_limit_real: limit, ..GuestState::default() };
    let mut t = Thread::new(like.process, state, like.signals.mask);
    t.lifted_stack = top;
    Ok(Box::leak(t))
}

/// Makes `child` what the kernel makes of a copy of `parent`.
fn inherit(child: &mut Thread, parent: &Thread, registers: &GuestState) {
    // SAFETY: the child's state is not in use.
    let s = unsafe { &mut *child.shared.state };
    let own = (s.thread, s.stack_limit_real);
    *s = registers.clone();
    (s.thread, s.stack_limit_real) = own;
    s.stack_limit = s.stack_limit_real;
    (s.resume, s.pending, s.in_lifted) = (0, 0, 0);
    child.shared.waiting.store(0, Ordering::Relaxed);
    child.shared.held.store(0, Ordering::Relaxed);
    // The alternate stack stays: the kernel takes it away only from children that run beside their parent.
    child.signals = ThreadSignals { alt: parent.signals.alt, ..ThreadSignals::new(parent.signals.mask) };
}

/// The `clone` for `args`, with all host signals blocked on entry.
pub(super) fn start(c: &mut Call<'_>, args: &CloneArgs) -> i64 {
    let parent = c.thread.shared;
    let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let child = match spare.map_or_else(|| new_thread(c.thread), |s| Ok(s.0)) {
        Ok(t) => t,
        Err(e) => {
            thread::set_current(parent);
            signal::set_host_mask(c.thread);
            return e.as_return();
        }
    };
    thread::set_current(parent);
    inherit(child, c.thread, c.state);
    // What the child changes for itself alone, though it lies in shared memory.
    let actions = c.thread.process.actions.snapshot();
    let (kept, personality) = (limits::kept(), identity::personality_cache());
    let at = std::ptr::from_mut(child);
    let start = Start { child: at, args, row: c.row };
    let r = process::host_clone(args, |nr, a| clone_and_run(nr, a, &start));
    thread::set_current(parent);
    c.thread.process.actions.restore(actions);
    limits::restore(kept);
    identity::set_personality_cache(personality);
    signal::set_host_mask(c.thread);
    SPARE.lock().unwrap_or_else(PoisonError::into_inner).push(Spare(child));
    r
}

/// What the child begins with.
struct Start<'a> {
    child: *mut Thread,
    args: &'a CloneArgs,
    row: &'static Row,
}

/// The host call; the child goes on in [`run_child`] below this frame.
fn clone_and_run(nr: i64, a: [u64; 6], start: &Start<'_>) -> i64 {
    let ret: i64;
    // SAFETY: see the module's heading. Without `nostack` the compiler keeps nothing below the stack pointer.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov rdi, r12",
            "and rsp, -16",
            "call {run}",
            "ud2",
            "2:",
            run = sym run_child,
            inlateout("rax") nr => ret,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3], in("r8") a[4], in("r9") a[5],
            in("r12") start,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    ret
}

extern "C" fn run_child(start: &Start<'_>) -> ! {
    // SAFETY: the leaked thread that `start` prepared, used by nobody else; its state is not in use yet.
    let (child, state) = unsafe { (&mut *start.child, &mut *(*start.child).shared.state) };
    thread::set_current(child.shared);
    state.x[0] = 0;
    process::set_child_registers(
        &mut Call { thread: child, state, row: start.row, args: [0; 6] },
        start.args,
    );
    signal::after_fork_child(child);
    // SAFETY: as above; the references made here end before.
    unsafe { crate::dispatch::run(start.child) }
}
