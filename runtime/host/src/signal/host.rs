//! The host side of signals: the handler that runs for every host signal the guest could see, masks, and what changes
//! around `fork` and `execve`. Takes host signal frames; notes asynchronous signals, moves synchronous faults to their
//! checkpoints. Knows no guest frame.
//!
//! # Safety
//! The handler is async-signal-safe: it allocates nothing, takes no lock, and touches only `Shared`, the guest state's
//! engine words and the image's constant tables. It runs with all signals blocked on a stack of its own.
#![allow(unsafe_code)]

use super::{Action, Group, SIG_DFL, SIG_IGN, SigInfo, SigSet, UNBLOCKABLE, UNBLOCKABLE_SET, bit};
use crate::fault::{self, Context};
use crate::heap;
use crate::hostcall::{self, Errno, check, syscall};
use crate::recall;
use crate::thread::{self, Kept, Shared, Thread};
use crate::trace::{self, Topic};
use std::arch::global_asm;
use std::sync::atomic::{AtomicU32, Ordering};

/// `struct sigaction` of the x86-64 kernel interface.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct HostAction {
    /// SIG_DFL, SIG_IGN or a host address.
    pub handler: u64,
    flags: u64,
    restorer: u64,
    mask: u64,
}

global_asm!(
    ".globl xl_host_restorer",
    ".hidden xl_host_restorer",
    "xl_host_restorer:",
    "mov eax, 15", // rt_sigreturn
    "syscall",
    "ud2",
);

unsafe extern "C" {
    fn xl_host_restorer();
}

impl HostAction {
    fn ours(flags: u64) -> HostAction {
        let f: unsafe extern "C" fn(i32, *mut SigInfo, *mut libc::ucontext_t) = on_signal;
        let base = (libc::SA_SIGINFO | libc::SA_ONSTACK) as u64 | super::action::SA_RESTORER;
        HostAction {
            handler: f as usize as u64,
            flags: base | flags,
            restorer: xl_host_restorer as *const () as u64,
            mask: !0,
        }
    }

    /// The host's disposition for a guest's.
    pub fn for_guest(a: &Action) -> HostAction {
        // These act in the kernel when a child stops or ends.
        let flags = a.flags & (libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT) as u64;
        match a.handler {
            SIG_DFL | SIG_IGN => HostAction { handler: a.handler, flags, ..HostAction::default() },
            _ => HostAction::ours(flags),
        }
    }
}

/// Reads and, if `new` is given, sets the host's disposition. Goes past libc, which keeps some real-time signals for
/// itself that a guest's libc needs.
pub fn host_action(sig: i32, new: Option<HostAction>) -> Result<HostAction, Errno> {
    let mut old = HostAction::default();
    let p = new.as_ref().map_or(std::ptr::null(), |n| n as *const HostAction);
    check(syscall(libc::SYS_rt_sigaction, [sig as u64, p as u64, &raw mut old as u64, 8, 0, 0]))?;
    Ok(old)
}

/// Size of the stack for host signal handlers.
const HANDLER_STACK: u64 = 256 * 1024;

/// Makes a stack for signal handlers and gives its lowest address.
pub fn new_handler_stack() -> Result<u64, Errno> {
    let at = heap::map(HANDLER_STACK, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_NORESERVE)?;
    // An inaccessible page below turns an overflow into a fault instead of damage.
    check(syscall(libc::SYS_mprotect, [at, 4096, 0, 0, 0, 0]))?;
    Ok(at)
}

/// Gives back what [`new_handler_stack`] gave.
pub fn free_handler_stack(at: u64) {
    heap::unmap(at, HANDLER_STACK);
}

/// Makes the calling thread's signal handlers run on that stack.
pub fn use_handler_stack(at: u64) {
    let (sp, size) = (at + 4096, HANDLER_STACK as usize - 4096);
    let stack = libc::stack_t { ss_sp: sp as *mut _, ss_flags: 0, ss_size: size };
    // Cannot fail: the size is enough, and no handler runs.
    syscall(libc::SYS_sigaltstack, [&raw const stack as u64, 0, 0, 0, 0, 0]);
}

/// In the first thread of the process: gives it a stack for handlers, and installs those for faults.
pub fn install_handlers() -> Result<(), Errno> {
    use_handler_stack(new_handler_stack()?);
    for sig in UNBLOCKABLE {
        host_action(sig, Some(HostAction::ours(0)))?;
    }
    Ok(())
}

/// Sets the host's mask of this thread and gives the old one.
pub fn swap_host_mask(mask: SigSet) -> SigSet {
    let mut old: SigSet = 0;
    let args = [libc::SIG_SETMASK as u64, &raw const mask as u64, &raw mut old as u64, 8, 0, 0];
    syscall(libc::SYS_rt_sigprocmask, args);
    old
}

/// The mask that the host gets for a guest mask.
pub const fn host_mask(guest: SigSet) -> SigSet {
    guest & !UNBLOCKABLE_SET
}

/// Blocks all signals that can be blocked, so that none changes what follows until [`set_host_mask`].
pub fn block_host() {
    swap_host_mask(!UNBLOCKABLE_SET);
}

/// Makes the host's mask the guest's, unless a signal waits, whose delivery will do it. Called under [`block_host`], or
/// the answer to whether one waits could change underneath.
pub fn set_host_mask(t: &Thread) {
    publish_mask(t);
    if t.shared.waiting.load(Ordering::Relaxed) == 0 {
        swap_host_mask(host_mask(t.signals.mask));
    }
}

/// Tells other threads which signals of the process this one takes; to be called whenever that may have changed.
pub fn publish_mask(t: &Thread) {
    let blocked = t.signals.temporary.unwrap_or(t.signals.mask) & UNBLOCKABLE_SET & !t.signals.waits_for;
    if t.shared.blocked.load(Ordering::Relaxed) != blocked {
        t.shared.blocked.store(blocked, Ordering::SeqCst);
        if t.group.pending() != 0 {
            t.group.retarget(t.shared);
        }
    }
}

/// Hands the process what the host gave to this thread for it.
pub fn settle(t: &Thread) {
    let kept = &t.shared.for_process;
    if kept.set.load(Ordering::Relaxed) == 0 {
        return;
    }
    kept.set.fetch_and(!Kept::LOOK, Ordering::Relaxed);
    while let Some(info) = take(kept, UNBLOCKABLE_SET) {
        t.group.add(&info);
    }
    t.group.retarget(t.shared);
}

/// After a signal ended a host call: true if that was one for the process, and this thread does not take it. On Linux it
/// would not have noticed.
pub fn was_for_others(t: &Thread) -> bool {
    let s = t.shared;
    if s.for_process.set.load(Ordering::Relaxed) == 0 || s.waiting.load(Ordering::Relaxed) != 0 {
        return false;
    }
    settle(t);
    held(t) & !t.signals.temporary.unwrap_or(t.signals.mask) == 0
}

/// Signals that the host cannot block and that wait for the thread or its process.
pub fn held(t: &Thread) -> SigSet {
    let s = t.shared;
    (s.own.set.load(Ordering::Relaxed) | s.for_process.set.load(Ordering::Relaxed)) & UNBLOCKABLE_SET
        | t.group.pending()
}

/// Takes one out of `set`, the thread's own first.
pub fn take_held(t: &Thread, set: SigSet) -> Option<SigInfo> {
    settle(t);
    take(&t.shared.own, set).or_else(|| t.group.take(set))
}

/// Forgets one that is ignored from now on.
pub fn discard_held(t: &Thread, sig: i32) {
    settle(t);
    t.shared.own.set.fetch_and(!bit(sig), Ordering::Relaxed);
    t.group.discard(sig);
}

/// The signals in a set.
pub fn bits(set: SigSet) -> impl Iterator<Item = i32> {
    (1..=64).filter(move |s| set & bit(*s) != 0)
}

/// Makes dispositions and mask what the program executed next must find. Undone by [`after_exec_failed`].
pub fn before_exec(t: &Thread) {
    block_host();
    for sig in UNBLOCKABLE {
        // The kernel takes handlers away itself; until then other threads need them.
        if t.actions.get(sig).handler == SIG_IGN {
            let _ = host_action(sig, Some(HostAction { handler: SIG_IGN, ..HostAction::default() }));
        }
    }
    swap_host_mask(t.signals.mask);
    // What waits stays pending for the program; if that is not executed, it comes back through the handler.
    while let Some(info) = take(&t.shared.own, t.signals.mask & UNBLOCKABLE_SET) {
        resend(&info);
    }
    settle(t);
    while let Some(info) = t.group.take(t.signals.mask & UNBLOCKABLE_SET) {
        resend(&info);
    }
}

/// Takes back [`before_exec`].
pub fn after_exec_failed(t: &Thread) {
    for sig in UNBLOCKABLE {
        let _ = host_action(sig, Some(HostAction::ours(0)));
    }
    block_host();
    set_host_mask(t);
}

/// To be called in the child of a `fork` made under [`block_host`]: signals that wait are the parent's.
pub fn after_fork_child(t: &mut Thread) {
    t.tid = thread::gettid();
    t.shared.own.set.store(0, Ordering::Relaxed);
    t.shared.for_process.set.store(0, Ordering::Relaxed);
    t.group = Group::of(t.tid, t.shared);
    release(t.shared);
    set_host_mask(t);
}

/// Forgets the waiting signal. The host's mask is still full; the caller sets it next.
pub fn release(s: &Shared) {
    s.waiting.store(0, Ordering::Relaxed);
    let more = s.own.set.load(Ordering::Relaxed) | s.for_process.set.load(Ordering::Relaxed);
    set_pending(s, more != 0);
}

/// Tells engines and system calls whether to look for signals.
pub fn set_pending(s: &Shared, pending: bool) {
    // SAFETY: the state lives as long as what is shared; the word is read and written by its thread, the handler, engines, and
    // threads that call it (`recall`). An exchange, so that what is looked at behind it is not older.
    unsafe { AtomicU32::from_ptr(&raw mut (*s.state).pending) }.swap(pending as u32, Ordering::SeqCst);
}

/// True if a signal may have to be delivered.
pub fn is_pending(s: &Shared) -> bool {
    // SAFETY: as in `set_pending`.
    unsafe { (&raw const (*s.state).pending).read_volatile() != 0 }
}

/// Sends a signal with its information to this thread, through the kernel.
pub fn resend(info: &SigInfo) {
    let (pid, tid) = (syscall(libc::SYS_getpid, [0; 6]), thread::gettid());
    let args = [pid as u64, tid as u64, info.signo as u64, info as *const SigInfo as u64, 0, 0];
    if syscall(libc::SYS_rt_tgsigqueueinfo, args) < 0 {
        syscall(libc::SYS_tgkill, [pid as u64, tid as u64, info.signo as u64, 0, 0, 0]);
    }
}

// What the host hands on of a queued signal's information ends with the fourth word of the union, which no kind of queued
// signal uses. These two mark signals that the host's `si_code` cannot tell apart.
const MARK: usize = 3;
/// Sent to a thread: without this a queued signal is taken for one sent to the process.
const TO_THREAD: u64 = 0x786c_6174_6500_0001;
/// No signal, but the word that the process has one that this thread takes.
const LOOK: u64 = 0x786c_6174_6500_0002;

/// Marks the information of a signal that a thread of the process queues for another.
pub fn mark_for_thread(words: &mut [u64; 16]) {
    words[2 + MARK] = TO_THREAD;
}

/// Makes a thread of the process look for what is pending, which is `sig` at least.
pub fn wake(tid: i32, sig: i32) {
    let pid = syscall(libc::SYS_getpid, [0; 6]) as u64;
    let mut info = SigInfo { signo: sig, code: libc::SI_QUEUE, ..SigInfo::default() };
    info.rest[MARK] = LOOK;
    // If it has a signal of that number pending on the host, it will look all the same.
    syscall(libc::SYS_rt_tgsigqueueinfo, [pid, tid as u64, sig as u64, &raw const info as u64, 0, 0]);
}

/// Ends the process by the default action of the signal, so that the parent sees it.
pub fn die_by(info: &SigInfo) -> ! {
    crate::trace!(
        Topic::Signal,
        "ending by signal {} (code {}, address {:#x})",
        info.signo,
        info.code,
        info.rest[0]
    );
    crate::stats::report();
    let _ = host_action(info.signo, Some(HostAction::default()));
    swap_host_mask(!bit(info.signo));
    resend(info);
    // The default action of a signal that is ignored or stops does not end the process; the caller knows better.
    trace::die(format_args!("internal error: signal {} did not end the process", info.signo))
}

/// The handler of all signals.
unsafe extern "C" fn on_signal(sig: i32, info: *mut SigInfo, uc: *mut libc::ucontext_t) {
    // SAFETY: the kernel passes valid pointers to its frame on this stack.
    let (info, mut ctx) = unsafe { (&*info, Context::new(&mut *uc)) };
    let synchronous = info.code > 0 && UNBLOCKABLE.contains(&sig);
    if recall::is_call(info) {
        if let Some(shared) = thread::current() {
            recall::called(shared, &mut ctx);
        }
        return;
    }
    let Some(shared) = thread::current() else {
        if synchronous {
            fault::runtime_bug(info, &ctx);
        }
        return resend_later(info);
    };
    if synchronous {
        fault::synchronous(shared, info, &mut ctx);
        return;
    }
    if UNBLOCKABLE.contains(&sig) {
        note(shared, info);
    } else {
        // SAFETY: nothing reads the slot while `waiting` is 0, and none of these signals comes while it is not.
        unsafe { *shared.waiting_info.get() = *info };
        shared.waiting.store(sig, Ordering::Relaxed);
        set_pending(shared, true);
        ctx.set_mask(!UNBLOCKABLE_SET);
    }
    fault::interrupt(shared, &mut ctx);
}

/// A signal for the process that met a thread of the runtime's own (none yet): to the main thread.
fn resend_later(info: &SigInfo) {
    let pid = syscall(libc::SYS_getpid, [0; 6]) as u64;
    let args = [pid, pid, info.signo as u64, info as *const SigInfo as u64, 0, 0];
    syscall(libc::SYS_rt_tgsigqueueinfo, args);
}

/// Keeps a signal that cannot be blocked on the host until the guest takes it.
fn note(s: &Shared, info: &SigInfo) {
    const SI_TKILL: i32 = -6;
    if info.code != SI_TKILL && info.rest[MARK] == LOOK {
        s.for_process.set.fetch_or(Kept::LOOK, Ordering::Relaxed);
    } else if info.code == SI_TKILL {
        keep(&s.own, info);
    } else if info.rest[MARK] == TO_THREAD {
        let mut info = *info;
        info.rest[MARK] = 0;
        keep(&s.own, &info);
    } else {
        keep(&s.for_process, info);
    }
    set_pending(s, true);
}

/// Keeps a signal that was sent to this thread, or came to it by a fault.
pub fn hold(s: &Shared, info: &SigInfo) {
    keep(&s.own, info);
    set_pending(s, true);
}

fn keep(kept: &Kept, info: &SigInfo) {
    if let Some(i) = UNBLOCKABLE.iter().position(|u| *u == info.signo) {
        if kept.set.load(Ordering::Relaxed) & bit(info.signo) == 0 {
            // SAFETY: only this thread and its handlers use the slots. Like the kernel, what is there already stays.
            unsafe { (*kept.info.get())[i] = *info };
        }
        kept.set.fetch_or(bit(info.signo), Ordering::Relaxed);
    }
}

/// Takes a signal out of `set`.
fn take(kept: &Kept, set: SigSet) -> Option<SigInfo> {
    let sig = bits(kept.set.load(Ordering::Relaxed) & set & UNBLOCKABLE_SET).next()?;
    let i = UNBLOCKABLE.iter().position(|u| *u == sig)?;
    // SAFETY: as in `keep`.
    let info = unsafe { (*kept.info.get())[i] };
    kept.set.fetch_and(!bit(sig), Ordering::Relaxed);
    Some(info)
}

/// For a system call that the handler must not let begin: see [`hostcall::interrupted_before_call`].
pub fn keep_from_kernel(ctx: &mut Context<'_>) {
    if let Some(out) = hostcall::interrupted_before_call(ctx.rip()) {
        ctx.set_rip(out);
    }
}
