//! Processes and threads: `clone` in its forms, `exit`. Takes calls, gives x0; the child of a clone returns from the same
//! handler, as it does from the kernel.

use super::{Call, err, guest, memory, vfork};
use crate::hostcall::{self, ERESTARTNOINTR, Errno};
use crate::signal::{self, Action};
use crate::trace::Topic;

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
    fn for_clone(&self) -> Option<[u64; 6]> {
        let pidfd = self.flags & flag(libc::CLONE_PIDFD) != 0;
        let parent = self.flags & flag(libc::CLONE_PARENT_SETTID) != 0;
        let new = self.flags & !(u32::MAX as u64) != 0 || self.flags & CSIGNAL != 0;
        if new || self.exit_signal > CSIGNAL || self.set_tid != [0, 0] || (pidfd && parent) {
            return None;
        }
        let at = if pidfd { self.pidfd } else { self.parent_tid };
        Some([self.flags | self.exit_signal, 0, at, self.child_tid, 0, 0])
    }

    /// `struct clone_args` for the host.
    fn for_clone3(&self) -> [u64; 11] {
        [
            self.flags,
            self.pidfd,
            self.child_tid,
            self.parent_tid,
            self.exit_signal,
            0,
            0,
            0,
            self.set_tid[0],
            self.set_tid[1],
            self.cgroup,
        ]
    }
}

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
    if args.flags & VM != 0 && args.flags & (VFORK | THREAD) != VFORK {
        crate::trace!(Topic::Syscall, "clone with flags {:#x}: threads are not supported yet", args.flags);
        return err(libc::EAGAIN);
    }
    // A signal noted but not delivered is the parent's: as the kernel, begin again after it.
    signal::block_host();
    if c.state.pending != 0 {
        signal::set_host_mask(c.thread);
        return -ERESTARTNOINTR;
    }
    if args.flags & VM != 0 {
        return vfork::start(c, args);
    }
    let r = host_clone(args, hostcall::syscall);
    if r == 0 {
        after_fork_child(c, args);
    } else {
        signal::set_host_mask(c.thread);
    }
    r
}

/// Calls the host's `clone` or `clone3` through `call`. The host keeps its own stack and thread pointer.
pub(super) fn host_clone(args: &CloneArgs, call: impl FnOnce(i64, [u64; 6]) -> i64) -> i64 {
    let kept = CloneArgs { flags: args.flags & !(flag(libc::CLONE_SETTLS) | CLONE_CLEAR_SIGHAND), ..*args };
    match kept.for_clone() {
        Some(a) => call(libc::SYS_clone, a),
        None => {
            let words = kept.for_clone3();
            call(libc::SYS_clone3, [words.as_ptr() as u64, size_of_val(&words) as u64, 0, 0, 0, 0])
        }
    }
}

/// What is the child's own in every form of clone. Its signal mask and id are set by the caller.
pub(super) fn set_child_registers(c: &mut Call<'_>, args: &CloneArgs) {
    if args.stack != 0 {
        c.state.sp = args.stack;
    }
    if args.flags & flag(libc::CLONE_SETTLS) != 0 {
        c.state.tpidr = args.tls;
    }
    // An open exclusive access does not survive the way through the kernel.
    c.state.excl_size = 0;
    c.thread.robust_list = (0, 0);
    c.thread.clear_child_tid =
        if args.flags & flag(libc::CLONE_CHILD_CLEARTID) != 0 { args.child_tid } else { 0 };
    if args.flags & CLONE_CLEAR_SIGHAND != 0 {
        let actions = &c.thread.process.actions;
        for sig in (1..=64).filter(|s| actions.get(*s).is_caught()) {
            actions.set(sig, Action::default());
        }
    }
}

fn after_fork_child(c: &mut Call<'_>, args: &CloneArgs) {
    memory::unlock_in_child();
    set_child_registers(c, args);
    crate::jit::after_fork_child();
    signal::after_fork_child(c.thread);
}

/// `exit`: the only thread, so far, ends the process with its status.
pub fn exit(c: &mut Call<'_>) -> i64 {
    hostcall::syscall(libc::SYS_exit, c.args)
}

/// `exit_group`.
pub fn exit_group(c: &mut Call<'_>) -> i64 {
    if c.thread.process.options.stats {
        crate::jit::print_stats(c.thread.interp.executed());
    }
    hostcall::syscall(libc::SYS_exit_group, c.args)
}

/// `set_tid_address`.
pub fn set_tid_address(c: &mut Call<'_>) -> i64 {
    c.thread.clear_child_tid = c.args[0];
    c.forward()
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
        assert_eq!(a.for_clone().unwrap()[0], VM | VFORK | libc::SIGCHLD as u64);
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
