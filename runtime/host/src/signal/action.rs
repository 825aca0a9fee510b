//! Signal dispositions of the process. Takes what the guest asks for, keeps it, and gives the host a disposition of
//! the same effect, so that parents, tracers and the kernel's default actions see the truth. Knows no frames.

use super::host::{HostAction, host_action};
use super::{SigSet, UNBLOCKABLE, UNCATCHABLE_SET, bit};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// `sa_handler`: the default action.
pub const SIG_DFL: u64 = 0;
/// `sa_handler`: ignore.
pub const SIG_IGN: u64 = 1;

/// `struct sigaction` of the arm64 kernel interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Action {
    /// `SIG_DFL`, `SIG_IGN`, or the guest address of the handler.
    pub handler: u64,
    /// SA_* flags.
    pub flags: u64,
    /// Return code, if SA_RESTORER.
    pub restorer: u64,
    /// Signals blocked while the handler runs.
    pub mask: SigSet,
}

/// Flag: `restorer` is set.
pub const SA_RESTORER: u64 = 0x0400_0000;

/// Flags that are kept. Linux forgets all others, so that programs can find out what there is; SA_EXPOSE_TAGBITS, which
/// programs look for in this way, is among those that are not there.
const KNOWN_FLAGS: u64 = (libc::SA_NOCLDSTOP
    | libc::SA_NOCLDWAIT
    | libc::SA_SIGINFO
    | libc::SA_ONSTACK
    | libc::SA_RESTART
    | libc::SA_NODEFER
    | libc::SA_RESETHAND) as u32 as u64
    | SA_RESTORER;

impl Action {
    /// As the words lie in guest memory.
    pub fn from_words(w: [u64; 4]) -> Action {
        Action { handler: w[0], flags: w[1] & KNOWN_FLAGS, restorer: w[2], mask: w[3] & !UNCATCHABLE_SET }
    }

    /// The words in guest memory.
    pub fn to_words(self) -> [u64; 4] {
        [self.handler, self.flags, self.restorer, self.mask]
    }

    /// True if the flag (a `libc::SA_*`) is set.
    pub fn has(&self, flag: i32) -> bool {
        self.flags & flag as u32 as u64 != 0
    }

    /// True if a guest handler runs.
    pub fn is_caught(&self) -> bool {
        self.handler > SIG_IGN
    }
}

/// Dispositions of all signals, of a process or of several (CLONE_SIGHAND).
pub struct Actions(Mutex<[Action; 64]>);

/// No disposition changes while this lives; to be held across `fork`.
pub struct Held<'a> {
    _guard: MutexGuard<'a, [Action; 64]>,
}

impl Actions {
    /// Those that the process inherited: ignored signals stay ignored.
    pub fn inherited() -> Actions {
        let mut all = [Action::default(); 64];
        for sig in 1..=64 {
            if host_action(sig, None).is_ok_and(|a| a.handler == SIG_IGN) {
                all[sig as usize - 1].handler = SIG_IGN;
            }
        }
        Actions(Mutex::new(all))
    }

    fn lock(&self) -> MutexGuard<'_, [Action; 64]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disposition of `sig` (1–64).
    pub fn get(&self, sig: i32) -> Action {
        self.lock()[sig as usize - 1]
    }

    /// Sets it, for the host, too; gives the old one.
    pub fn set(&self, sig: i32, new: Action) -> Action {
        Actions::put(&mut self.lock(), sig, new)
    }

    fn put(all: &mut [Action; 64], sig: i32, new: Action) -> Action {
        if !UNBLOCKABLE.contains(&sig) {
            // Cannot fail: the number is valid and not SIGKILL or SIGSTOP, which the caller refuses.
            let _ = host_action(sig, Some(HostAction::for_guest(&new)));
        }
        std::mem::replace(&mut all[sig as usize - 1], new)
    }

    /// Takes the disposition for a delivery: SA_RESETHAND puts the default back.
    pub fn take_for_delivery(&self, sig: i32) -> Action {
        let mut all = self.lock();
        let a = all[sig as usize - 1];
        if a.is_caught() && a.has(libc::SA_RESETHAND) {
            Actions::put(&mut all, sig, Action { handler: SIG_DFL, ..a });
        }
        a
    }

    /// The same dispositions, for another process in the same memory.
    pub fn copy(of: &Actions) -> Actions {
        Actions(Mutex::new(*of.lock()))
    }

    /// Stops changes.
    pub fn hold(&self) -> Held<'_> {
        Held { _guard: self.lock() }
    }

    /// Ignored signals, as a set.
    pub fn ignored(&self) -> SigSet {
        let all = self.lock();
        (1..=64).filter(|s| all[*s as usize - 1].handler == SIG_IGN).map(bit).sum()
    }
}
