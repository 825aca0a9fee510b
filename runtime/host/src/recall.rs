//! Calls threads out of host code: where lifted code has changed, or compiled code is to be given back, other threads may be in
//! it. Keeps the threads that share the guest's memory; makes them come to their dispatchers, which look at what is valid now.
//! Knows nothing of what they are called out of.
//!
//! A thread is called by its `pending` word, as by a signal of the guest's: compiled code looks at it at entries and loop heads,
//! soft operations and system calls at their end. Lifted code does not look, so a thread in it gets a host signal, too, which
//! brings it to its next checkpoint. Nobody waits for anybody: what a caller has done before is seen by whoever enters later.
//!
//! The host signal is one of those that the runtime never blocks, with a code that no guest's has. Where a guest could notice it
//! (an interrupted call, the same signal sent to the same thread by the guest) it is made not to.
//!
//! # Safety
//! A member's state lives until it is taken out, under the lock that callers hold. Its words are written and read as signal
//! handlers do.
#![allow(unsafe_code)]

use crate::fault::{self, Context};
use crate::hostcall::{check, syscall};
use crate::signal::{SigInfo, host};
use crate::thread::{self, Shared};
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The signal: programs send it least.
pub const SIGNAL: i32 = libc::SIGFPE;
/// Its `si_code`.
const CODE: i32 = -0x786c;

/// A thread, or another task in the same memory.
struct Member {
    shared: &'static Shared,
    process: i32,
    thread: i32,
}

// SAFETY: of what is shared, only atomic words and words of the state are used here, as signal handlers do.
unsafe impl Send for Member {}

static MEMBERS: Mutex<Vec<Member>> = Mutex::new(Vec::new());
/// Their number.
static COUNT: AtomicU32 = AtomicU32::new(0);

type Guard = MutexGuard<'static, Vec<Member>>;

/// Nobody is called, begins or ends while this lives; to be held across `fork`.
pub struct Held(Guard);

fn lock() -> Guard {
    MEMBERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stops changes.
pub fn hold() -> Held {
    Held(lock())
}

impl Held {
    /// In the child of a `fork`, which has one thread.
    pub fn after_fork_child(mut self) {
        self.0.clear();
        if let Some(shared) = thread::current() {
            shared.called.store(0, Ordering::Relaxed);
            add(&mut self.0, shared);
        }
    }
}

fn add(members: &mut Guard, shared: &'static Shared) {
    let (process, thread) = (syscall(libc::SYS_getpid, [0; 6]) as i32, thread::gettid());
    members.push(Member { shared, process, thread });
    COUNT.store(members.len() as u32, Ordering::SeqCst);
}

/// The calling thread is about to run code of the guest.
pub fn enter(shared: &'static Shared) {
    add(&mut lock(), shared);
}

/// That thread will run no more code, or is gone. What was sent to the calling one has arrived when this returns, or will at its
/// next system call.
pub fn leave(shared: &Shared) {
    let mut members = lock();
    members.retain(|m| !std::ptr::eq(m.shared, shared));
    COUNT.store(members.len() as u32, Ordering::SeqCst);
}

/// True if only the calling thread runs in the guest's memory.
pub fn alone() -> bool {
    COUNT.load(Ordering::SeqCst) <= 1
}

/// On all processors that run a thread of ours: what was stored before is seen by instructions executed later, and as instructions;
/// what those threads stored before is seen here.
fn barrier() {
    const SYNC_CORE: u64 = 1 << 5;
    const REGISTER_SYNC_CORE: u64 = 1 << 6;
    const GLOBAL: u64 = 1;
    let membarrier = |command: u64| check(syscall(libc::SYS_membarrier, [command, 0, 0, 0, 0, 0])).is_ok();
    let done = membarrier(SYNC_CORE) || (membarrier(REGISTER_SYNC_CORE) && membarrier(SYNC_CORE));
    if !done {
        // Kernels before 4.16.
        membarrier(GLOBAL);
    }
}

fn others(members: &Guard) -> impl Iterator<Item = &Member> {
    let own = thread::current().map_or(std::ptr::null(), std::ptr::from_ref);
    members.iter().filter(move |m| !std::ptr::eq(m.shared, own))
}

/// For tests of the tests: nobody is called.
fn ignored() -> bool {
    thread::try_process().is_some_and(|p| p.options.no_recall)
}

/// Has every other thread drop its frames of lifted code, and leave compiled code.
pub fn everybody() {
    if alone() || ignored() {
        return;
    }
    let members = lock();
    for m in others(&members) {
        host::set_pending(m.shared, true);
    }
    barrier();
    // Who is not in lifted code now finds what was changed, or the word, when it enters or goes on.
    for m in others(&members).filter(|m| fault::in_lifted(m.shared)) {
        m.shared.called.store(1, Ordering::SeqCst);
        let info = SigInfo { signo: SIGNAL, code: CODE, ..SigInfo::default() };
        let args = [m.process as u64, m.thread as u64, SIGNAL as u64, &raw const info as u64, 0, 0];
        if check(syscall(libc::SYS_rt_tgsigqueueinfo, args)).is_err() {
            // It has ended, or has become another user's.
            m.shared.called.store(0, Ordering::SeqCst);
        }
    }
}

/// True if no other thread is in lifted code: who enters it from now on sees what was stored before.
pub fn nobody_in_lifted() -> bool {
    if alone() {
        return true;
    }
    let members = lock();
    barrier();
    !others(&members).any(|m| fault::in_lifted(m.shared))
}

/// Has every other thread leave compiled code if it is in any. What it could enter was taken away before.
pub fn from_compiled() {
    if alone() || ignored() {
        return;
    }
    fence(Ordering::SeqCst);
    let members = lock();
    for m in others(&members).filter(|m| m.shared.compiled.load(Ordering::SeqCst) != 0) {
        host::set_pending(m.shared, true);
    }
}

/// The oldest generation of compiled code that a thread may be in; 0 if none is in any.
pub fn oldest() -> u64 {
    fence(Ordering::SeqCst);
    let mut members = lock();
    let own = syscall(libc::SYS_getpid, [0; 6]) as i32;
    let inside = |m: &Member| m.shared.compiled.load(Ordering::SeqCst);
    // A process in our memory that was killed did not say so.
    members.retain(|m| inside(m) == 0 || m.process == own || exists(m));
    COUNT.store(members.len() as u32, Ordering::SeqCst);
    members.iter().map(inside).filter(|g| *g != 0).min().unwrap_or(0)
}

fn exists(m: &Member) -> bool {
    let r = syscall(libc::SYS_tgkill, [m.process as u64, m.thread as u64, 0, 0, 0, 0]);
    r != -(libc::ESRCH as i64)
}

/// To be held while the guest sends [`SIGNAL`] to the thread of that id: the kernel keeps one of a kind, and drops what comes
/// while ours is under way.
pub fn hold_for_signal(thread: i32) -> Held {
    /// A thread that does not run for so long will not be sent what it has ours of: it blocks all signals.
    const ROUNDS: u32 = 10_000;
    for _ in 0..ROUNDS {
        let members = lock();
        let m = members.iter().find(|m| m.thread == thread);
        if m.is_none_or(|m| m.shared.called.load(Ordering::SeqCst) == 0) {
            return Held(members);
        }
        drop(members);
        syscall(libc::SYS_sched_yield, [0; 6]);
    }
    hold()
}

/// For the signal handler: true if the signal is of this module.
pub fn is_call(info: &SigInfo) -> bool {
    info.signo == SIGNAL && info.code == CODE
}

/// In the signal handler: lifted code goes to its next checkpoint, a system call that was interrupted begins again.
pub fn called(shared: &Shared, ctx: &mut Context<'_>) {
    shared.called.store(0, Ordering::SeqCst);
    ctx.begin_call_again();
    fault::to_checkpoint(shared, ctx);
}
