//! Processes and threads: `clone` in its forms, `exit`. Takes calls, gives x0. The host's `clone` gets the guest's flags, so
//! what is shared, written, woken and refused is the kernel's decision. A child with memory of its own returns from the
//! same handler, as it does from the kernel; one in the same memory begins in [`begin`], on stacks of its own.
//!
//! # Safety
//! A thread that is made here is nobody's until the host's `clone` has made its host thread, and then this one's alone. If
//! there is none, or if it has ended while its parent waited, it is the parent's to free.
#![allow(unsafe_code)]

use super::{Call, Limits, err, guest, memory};
use crate::context::{self, Context};
use crate::hostcall::{self, ERESTARTNOINTR, Errno};
use crate::recall;
use crate::signal::{self, Action, Actions};
use crate::thread::{self, Thread};
use crate::{heap, mem};
use abi::GuestState;
use isa::Isa;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
/// Only `clone3` has it: in `clone` the bit belongs to the exit signal.
const CLONE_NEWTIME: u64 = 0x80;
const CSIGNAL: u64 = 0xff;

const fn flag(f: i32) -> u64 {
    f as u32 as u64
}

const VM: u64 = flag(libc::CLONE_VM);
const VFORK: u64 = flag(libc::CLONE_VFORK);
const THREAD: u64 = flag(libc::CLONE_THREAD);
const SIGHAND: u64 = flag(libc::CLONE_SIGHAND);
const SETTLS: u64 = flag(libc::CLONE_SETTLS);
const CLEARTID: u64 = flag(libc::CLONE_CHILD_CLEARTID);

/// `struct clone_args` (linux/sched.h), which `clone` fills from its registers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct CloneArgs {
    /// CLONE_… without exit signal.
    pub flags: u64,
    /// Where to put a pidfd.
    pub pidfd: u64,
    /// For CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID.
    pub child_tid: u64,
    /// For CLONE_PARENT_SETTID.
    pub parent_tid: u64,
    /// Signal to the parent at the end.
    pub exit_signal: u64,
    /// The child's stack pointer, 0 for the parent's.
    pub stack: u64,
    /// For CLONE_SETTLS.
    pub tls: u64,
    set_tid: [u64; 2],
    cgroup: u64,
}

impl CloneArgs {
    /// Host arguments of `clone` (flags, stack, parent, child, tls: not arm64's order), if it can express the call.
    /// The stack is given by its top.
    fn for_clone(&self) -> Option<[u64; 6]> {
        let pidfd = self.flags & flag(libc::CLONE_PIDFD) != 0;
        let parent = self.flags & flag(libc::CLONE_PARENT_SETTID) != 0;
        let new = self.flags & !(u32::MAX as u64) != 0 || self.flags & CSIGNAL != 0;
        if new || self.exit_signal > CSIGNAL || self.set_tid != [0, 0] || (pidfd && parent) {
            return None;
        }
        let at = if pidfd { self.pidfd } else { self.parent_tid };
        Some([self.flags | self.exit_signal, self.stack, at, self.child_tid, self.tls, 0])
    }

    /// `struct clone_args` for the host.
    fn for_clone3(&self) -> [u64; 11] {
        [
            self.flags,
            self.pidfd,
            self.child_tid,
            self.parent_tid,
            self.exit_signal,
            self.stack.saturating_sub(LEAST_STACK),
            LEAST_STACK.min(self.stack),
            self.tls,
            self.set_tid[0],
            self.set_tid[1],
            self.cgroup,
        ]
    }
}

/// What `clone3` is told of a stack's size: only its end counts.
const LEAST_STACK: u64 = mem::PAGE;

/// `clone`: on arm64 the thread pointer comes before the child's id.
pub fn clone(c: &mut Call<'_>) -> i64 {
    let [flags, stack, parent_tid, tls, child_tid, _] = c.args;
    let flags = flags as u32 as u64;
    let args = CloneArgs {
        flags: flags & !CSIGNAL,
        pidfd: parent_tid,
        child_tid,
        parent_tid,
        exit_signal: flags & CSIGNAL,
        stack,
        tls,
        ..CloneArgs::default()
    };
    if args.flags & flag(libc::CLONE_PIDFD) != 0 && args.flags & flag(libc::CLONE_PARENT_SETTID) != 0 {
        return err(libc::EINVAL);
    }
    start(c, &args)
}

/// `clone3`.
pub fn clone3(c: &mut Call<'_>) -> i64 {
    match read_clone_args(c.args[0], c.args[1]) {
        Ok(args) => start(c, &args),
        Err(e) => e.as_return(),
    }
}

/// A child as of `fork` or `vfork`, with these flags.
pub fn clone_of(c: &mut Call<'_>, flags: u64) -> i64 {
    start(c, &CloneArgs { flags, exit_signal: libc::SIGCHLD as u64, ..CloneArgs::default() })
}

fn read_clone_args(at: u64, size: u64) -> Result<CloneArgs, Errno> {
    const FIRST_VERSION: u64 = 64;
    const FIELDS: usize = 11;
    if size > crate::mem::PAGE {
        return Err(Errno(libc::E2BIG));
    }
    if size < FIRST_VERSION {
        return Err(Errno(libc::EINVAL));
    }
    let mut bytes = vec![0u8; (size as usize).max(FIELDS * 8)];
    guest::copy_from_guest(&mut bytes[..size as usize], at)?;
    if bytes[FIELDS * 8..].iter().any(|b| *b != 0) {
        return Err(Errno(libc::E2BIG));
    }
    let mut w = [0u64; FIELDS];
    for (w, b) in w.iter_mut().zip(bytes.chunks_exact(8)) {
        *w = u64::from_le_bytes(b.try_into().expect("invariant: chunks of 8"));
    }
    let [flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, tids, tids_len, cgroup] =
        w;
    // CLONE_DETACHED and an exit signal in the flags are errors here.
    let bad_flags = flags & (flag(libc::CLONE_DETACHED) | (CSIGNAL & !CLONE_NEWTIME)) != 0;
    let known = u32::MAX as u64 | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;
    let both = flag(libc::CLONE_SIGHAND) | CLONE_CLEAR_SIGHAND;
    if bad_flags || flags & !known != 0 || flags & both == both || exit_signal > CSIGNAL {
        return Err(Errno(libc::EINVAL));
    }
    if (stack == 0) != (stack_size == 0) {
        return Err(Errno(libc::EINVAL));
    }
    let stack = stack.wrapping_add(stack_size);
    Ok(CloneArgs {
        flags,
        pidfd,
        child_tid,
        parent_tid,
        exit_signal,
        stack,
        tls,
        set_tid: [tids, tids_len],
        cgroup,
    })
}

fn start(c: &mut Call<'_>, args: &CloneArgs) -> i64 {
    // A signal noted but not delivered is the parent's: as the kernel, begin again after it.
    signal::block_host();
    if c.state.pending != 0 {
        signal::set_host_mask(c.thread);
        return -ERESTARTNOINTR;
    }
    let r = if args.flags & VM != 0 {
        c.state.seen_by_others = 1;
        in_same_memory(c, args)
    } else {
        fork(c, args)
    };
    if r != 0 {
        signal::set_host_mask(c.thread);
    }
    r
}

/// Calls the host's `clone` or `clone3` through `call`, with the stack and thread pointer of `args` as the host's.
fn host_clone(args: &CloneArgs, call: impl FnOnce(i64, [u64; 6]) -> i64) -> i64 {
    // Dispositions are cleared by the child: the host's have to stay where faults need them.
    let kept = CloneArgs { flags: args.flags & !CLONE_CLEAR_SIGHAND, ..*args };
    match kept.for_clone() {
        Some(a) => call(libc::SYS_clone, a),
        None => {
            let words = kept.for_clone3();
            call(libc::SYS_clone3, [words.as_ptr() as u64, size_of_val(&words) as u64, 0, 0, 0, 0])
        }
    }
}

/// A child with a copy of the memory: `fork`. No other thread is in the middle of anything that the child needs.
fn fork(c: &mut Call<'_>, args: &CloneArgs) -> i64 {
    // In this order; whoever else takes two of them does so, too.
    let contexts = context::hold();
    let compiler = crate::jit::hold();
    let text = crate::polycode::hold();
    let space = c.thread.process.mem.hold();
    let members = recall::hold();
    let actions = c.thread.actions.hold();
    let limits = c.thread.limits.hold();
    let group = c.thread.group.hold();
    let heap = heap::hold();
    // The host keeps its own stack and thread pointer.
    let host = CloneArgs { flags: args.flags & !SETTLS, stack: 0, tls: 0, ..*args };
    let r = host_clone(&host, hostcall::syscall);
    drop(heap);
    drop((group, limits, actions));
    if r == 0 {
        members.after_fork_child();
    } else {
        drop(members);
    }
    drop((space, text, compiler));
    if r == 0 {
        crate::jit::after_fork_child();
        contexts.after_fork_child(c.thread.context);
        memory::unlock_in_child();
        crate::stats::restart();
        set_child_registers(c.thread.process.isa(), c.state, args);
        if args.flags & CLONE_CLEAR_SIGHAND != 0 {
            clear_handlers(&c.thread.actions);
        }
        signal::after_fork_child(c.thread);
    }
    r
}

/// A child in the same memory: a thread; or a process, for which a parent that said CLONE_VFORK waits.
fn in_same_memory(c: &mut Call<'_>, args: &CloneArgs) -> i64 {
    let context = match context::take() {
        Ok(context) => context,
        Err(e) => return e.as_return(),
    };
    let child = prepare(c, args, context);
    context.set_thread(child);
    let (stack, tls) = context.place();
    let mut host = CloneArgs { flags: args.flags | SETTLS, stack, tls, ..*args };
    // A process may execute a program instead of ending, and does not come back to say so. Then its parent knows, if it
    // waits, or else the kernel tells by the word that it clears when a thread leaves the memory.
    let waits = args.flags & VFORK != 0;
    let tells = args.flags & (VFORK | THREAD | CLEARTID) == 0;
    if tells {
        (host.flags, host.child_tid) = (host.flags | CLEARTID, context.busy_word());
        // The word serves one purpose only: the id is written by the child itself.
        host.flags &= !flag(libc::CLONE_CHILD_SETTID);
    }
    if waits || tells {
        context.lend();
    }
    let before = signal::host::swap_host_mask(!0);
    // SAFETY: the arguments have VM and this context's place, whose thread is set.
    let r = host_clone(&host, |nr, a| unsafe { context.clone(nr, a) });
    signal::host::swap_host_mask(before);
    if r < 0 {
        // SAFETY: no host thread was made for it.
        unsafe { Thread::end(child) };
        context::give_back(context);
    } else if waits {
        context.take_back();
    } else if tells {
        context::give_back_later(context);
    }
    r
}

/// The thread that `clone` makes of the calling one.
fn prepare(c: &mut Call<'_>, args: &CloneArgs, context: &'static Context) -> *mut Thread {
    let mut state: GuestState = c.state.clone();
    state.x[0] = 0;
    set_child_registers(c.thread.process.isa(), &mut state, args);
    let child = c.thread.like(state, context);
    // SAFETY: just made.
    let child = unsafe { &mut *child };
    if args.flags & SIGHAND == 0 {
        child.actions = Arc::new(Actions::copy(&c.thread.actions));
    }
    if args.flags & THREAD == 0 {
        child.limits = Arc::new(Limits::copy(&c.thread.limits));
        child.group = Arc::default();
    }
    if args.flags & VFORK != 0 {
        // The alternate stack stays: the kernel takes it away only from children that run beside their parent.
        child.signals.alt = c.thread.signals.alt;
    }
    child.first.clear_handlers = args.flags & CLONE_CLEAR_SIGHAND != 0;
    child.first.set_tid = if args.flags & (VFORK | THREAD | CLEARTID) == 0
        && args.flags & flag(libc::CLONE_CHILD_SETTID) != 0
    {
        args.child_tid
    } else {
        0
    };
    child
}

/// A thread begins, in its host thread, with all signals blocked.
pub fn begin(t: &mut Thread) {
    t.tid = thread::gettid();
    if std::mem::take(&mut t.first.clear_handlers) {
        clear_handlers(&t.actions);
    }
    match std::mem::take(&mut t.first.set_tid) {
        0 => {}
        // Like the kernel, which does not say that it could not.
        at => drop(guest::write(at, t.tid)),
    }
    t.group.join(t.tid, t.shared);
    recall::enter(t.shared);
    signal::set_host_mask(t);
}

fn clear_handlers(actions: &Actions) {
    for sig in (1..=64).filter(|s| actions.get(*s).is_caught()) {
        actions.set(sig, Action::default());
    }
}

/// What is the child's own in every form of clone.
fn set_child_registers(isa: Isa, s: &mut GuestState, args: &CloneArgs) {
    if args.stack != 0 {
        s.sp = args.stack;
        if isa == Isa::A32 {
            s.sp &= 0xffff_ffff;
        }
    }
    if args.flags & SETTLS != 0 {
        match isa {
            Isa::A64 => s.tpidr = args.tls,
            Isa::A32 => s.tpidrro = args.tls as u32 as u64,
        }
    }
    // An open exclusive access does not survive the way through the kernel.
    s.excl_size = 0;
}

/// `exit`: ends the thread. The kernel clears and wakes what `set_tid_address` and `set_robust_list` named.
pub fn exit(c: &mut Call<'_>) -> i64 {
    signal::host::swap_host_mask(!0);
    if c.thread.shared.waiting.load(Ordering::Relaxed) != 0 {
        // It came before.
        return -ERESTARTNOINTR;
    }
    // What the host told this thread for the process, others take.
    signal::host::settle(c.thread);
    c.thread.group.leave(c.thread.tid);
    recall::leave(c.thread.shared);
    match c.thread.context {
        // SAFETY: this never returns, so the call's references are not used any more.
        Some(context) => unsafe { context::leave(context, std::ptr::from_mut(c.thread), c.args[0]) },
        None => {
            crate::stats::report();
            hostcall::syscall(libc::SYS_exit, c.args)
        }
    }
}

/// `exit_group`.
pub fn exit_group(c: &mut Call<'_>) -> i64 {
    crate::stats::report();
    hostcall::syscall(libc::SYS_exit_group, c.args)
}

/// `ptrace`.
pub fn ptrace(_: &mut Call<'_>) -> i64 {
    err(libc::EPERM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_words(w: &[u64]) -> Result<CloneArgs, Errno> {
        read_clone_args(w.as_ptr() as u64, size_of_val(w) as u64)
    }

    #[test]
    fn clone3_arguments() {
        let mut w = [0u64; 12];
        w[0] = VM | VFORK;
        w[4] = libc::SIGCHLD as u64;
        w[5] = 0x10000;
        w[6] = 0x8000;
        let a = from_words(&w).unwrap();
        assert_eq!((a.stack, a.exit_signal), (0x18000, libc::SIGCHLD as u64));
        assert_eq!(a.for_clone().unwrap()[..2], [VM | VFORK | libc::SIGCHLD as u64, 0x18000]);
        w[11] = 1;
        assert_eq!(from_words(&w), Err(Errno(libc::E2BIG)));
        assert_eq!(from_words(&w[..7]), Err(Errno(libc::EINVAL)));
        w[6] = 0;
        assert_eq!(from_words(&w[..8]), Err(Errno(libc::EINVAL)));
        w[5] = 0;
        w[0] = CLONE_NEWTIME;
        assert_eq!(from_words(&w[..8]).unwrap().for_clone(), None, "only clone3 can say CLONE_NEWTIME");
    }

    #[test]
    fn forks_and_waits() {
        let args = CloneArgs { exit_signal: libc::SIGCHLD as u64, ..CloneArgs::default() };
        let pid = host_clone(&args, hostcall::syscall);
        if pid == 0 {
            hostcall::syscall(libc::SYS_exit_group, [7, 0, 0, 0, 0, 0]);
        }
        let mut status = 0i32;
        let r = hostcall::syscall(libc::SYS_wait4, [pid as u64, &raw mut status as u64, 0, 0, 0, 0]);
        assert_eq!((r, status), (pid, 7 << 8));
    }
}
