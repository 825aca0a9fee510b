//! Guest signals: dispositions, masks, frames and delivery. Takes host signals and guest system calls, makes guest
//! handlers run at exact guest states. A signal that arrives is only noted by the host handler; it is delivered by the
//! dispatcher or at the end of a system call.
//!
//! One signal waits at a time: while it does, the host blocks all others (save those that a fault can raise), so the
//! host kernel does the queueing, and order and loss are Linux's own.

mod action;
mod calls;
mod deliver;
mod frame;
mod frame32;
mod group;
pub mod host;
pub mod info32;

pub use action::{Action, Actions, SIG_DFL, SIG_IGN};
pub use calls::*;
pub use deliver::{Restart, deliver, fault, instruction, trap};
pub use frame::FaultInfo;
pub use group::Group;
pub use host::{
    after_exec_failed, after_fork_child, before_exec, block_host, install_handlers, is_pending, set_host_mask,
};

/// Signals that the host must never block: faults of lifted code and single steps raise them.
pub const UNBLOCKABLE: [i32; 5] = [libc::SIGILL, libc::SIGTRAP, libc::SIGBUS, libc::SIGFPE, libc::SIGSEGV];

/// A set of signals: bit n − 1 for signal n.
pub type SigSet = u64;

/// The set with that signal alone.
pub const fn bit(sig: i32) -> SigSet {
    1 << (sig - 1)
}

/// These, as a set.
pub const UNBLOCKABLE_SET: SigSet =
    bit(libc::SIGILL) | bit(libc::SIGTRAP) | bit(libc::SIGBUS) | bit(libc::SIGFPE) | bit(libc::SIGSEGV);

/// SIGKILL and SIGSTOP, which no mask contains.
const UNCATCHABLE_SET: SigSet = bit(libc::SIGKILL) | bit(libc::SIGSTOP);

/// `siginfo_t`, whose layout arm64 and x86-64 share.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct SigInfo {
    /// Signal number.
    pub signo: i32,
    /// `si_errno`.
    pub errno: i32,
    /// `si_code`.
    pub code: i32,
    /// Padding.
    pub pad: i32,
    /// The union; its first word is `si_addr`, or `si_pid` and `si_uid`.
    pub rest: [u64; 14],
}

const _: () = assert!(size_of::<SigInfo>() == 128);

/// `stack_t` as the guest set it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AltStack {
    /// Base.
    pub sp: u64,
    /// Size, 0 if there is none.
    pub size: u64,
    /// SS_DISABLE, SS_ONSTACK, SS_AUTODISARM as passed in.
    pub flags: u32,
}

impl AltStack {
    const NONE: AltStack = AltStack { sp: 0, size: 0, flags: libc::SS_DISABLE as u32 };

    /// True if `sp` lies on it.
    fn contains(&self, sp: u64) -> bool {
        // With SS_AUTODISARM the stack is disarmed while in use, so nothing counts as being on it.
        self.flags & SS_AUTODISARM == 0 && sp > self.sp && sp - self.sp <= self.size
    }
}

/// Flag of `sigaltstack`: disarm on delivery.
pub const SS_AUTODISARM: u32 = 1 << 31;

/// Signal state of a thread that its handlers do not touch.
#[derive(Debug)]
pub struct ThreadSignals {
    /// The guest's mask.
    pub mask: SigSet,
    /// Mask in force until the end of this system call (`rt_sigsuspend`, `ppoll` …); a handler that runs sees it, its
    /// frame saves `mask`.
    pub temporary: Option<SigSet>,
    /// What `rt_sigtimedwait` waits for of the signals that the host cannot block: the thread takes them though it may
    /// block them.
    pub waits_for: SigSet,
    /// Alternate stack.
    pub alt: AltStack,
    /// What the last fault left for signal frames. Linux never takes it back: frames of later signals show it, too.
    pub last_fault: FaultInfo,
    /// True during a system call that must not be restarted whatever it returns (`rt_sigreturn`).
    pub no_restart: bool,
}

impl ThreadSignals {
    /// With that mask.
    pub fn new(mask: SigSet) -> Self {
        ThreadSignals {
            mask: mask & !UNCATCHABLE_SET,
            temporary: None,
            waits_for: 0,
            alt: AltStack::NONE,
            last_fault: FaultInfo::default(),
            no_restart: false,
        }
    }
}
