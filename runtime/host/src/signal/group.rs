//! Signals of the process among those that the host can never block (SIGSEGV …): `kill` sends them, and the host gives
//! each to a thread of its own choice, which may be one whose guest mask blocks it. Takes such signals and what each thread
//! blocks; keeps them until a thread takes them, as the kernel does with `shared_pending` (`complete_signal`,
//! `retarget_shared_pending` in `kernel/signal.c`). Used between guest instructions only, never by handlers.

use super::host::{self, bits};
use super::{SigInfo, SigSet, UNBLOCKABLE, bit};
use crate::thread::Shared;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the threads of a process (CLONE_THREAD) share.
#[derive(Default, Debug)]
pub struct Group {
    /// Pending signals, by bit. Changed under the lock.
    pending: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Default, Debug)]
struct Inner {
    /// Threads by id, the oldest first, and what each blocks.
    members: Vec<(i32, Arc<AtomicU64>)>,
    info: [SigInfo; 5],
}

/// Nothing changes while this lives; to be held across `fork`.
pub struct Held<'a> {
    _guard: MutexGuard<'a, Inner>,
}

impl Group {
    /// With that thread alone.
    pub fn of(tid: i32, s: &Shared) -> Arc<Group> {
        let group = Arc::new(Group::default());
        group.join(tid, s);
        group
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops changes.
    pub fn hold(&self) -> Held<'_> {
        Held { _guard: self.lock() }
    }

    /// A thread begins. What it blocks has been said in `s`.
    pub fn join(&self, tid: i32, s: &Shared) {
        self.lock().members.push((tid, s.blocked.clone()));
    }

    /// A thread ends: what it was to take is another's.
    pub fn leave(&self, tid: i32) {
        let mut inner = self.lock();
        inner.members.retain(|m| m.0 != tid);
        self.wake_for(&inner, self.pending());
    }

    /// Pending signals.
    pub fn pending(&self) -> SigSet {
        self.pending.load(Ordering::SeqCst)
    }

    /// Keeps a signal of which the calling thread knows that it was sent to the process. Like the kernel, one that is
    /// there already stays.
    pub fn add(&self, info: &SigInfo) {
        let Some(i) = UNBLOCKABLE.iter().position(|u| *u == info.signo) else { return };
        let mut inner = self.lock();
        if self.pending() & bit(info.signo) == 0 {
            inner.info[i] = *info;
            self.pending.fetch_or(bit(info.signo), Ordering::SeqCst);
        }
    }

    /// Takes a signal out of `set`.
    pub fn take(&self, set: SigSet) -> Option<SigInfo> {
        if self.pending() & set == 0 {
            return None;
        }
        let inner = self.lock();
        let sig = bits(self.pending() & set).next()?;
        let i = UNBLOCKABLE.iter().position(|u| *u == sig)?;
        self.pending.fetch_and(!bit(sig), Ordering::SeqCst);
        Some(inner.info[i])
    }

    /// Forgets a signal, which is ignored from now on.
    pub fn discard(&self, sig: i32) {
        let _inner = self.lock();
        self.pending.fetch_and(!bit(sig), Ordering::SeqCst);
    }

    /// After the calling thread has added a signal, or changed what it blocks: makes it, or else a thread that does not
    /// block them, look for what is pending.
    pub fn retarget(&self, s: &Shared) {
        let pending = self.pending();
        let blocked = s.blocked.load(Ordering::SeqCst);
        if pending & !blocked != 0 {
            host::set_pending(s, true);
        }
        if pending & blocked != 0 {
            self.wake_for(&self.lock(), pending & blocked);
        }
    }

    fn wake_for(&self, inner: &Inner, set: SigSet) {
        for sig in bits(set) {
            let takes = |m: &&(i32, Arc<AtomicU64>)| m.1.load(Ordering::SeqCst) & bit(sig) == 0;
            if let Some((tid, _)) = inner.members.iter().find(takes) {
                host::wake(*tid, sig);
            }
        }
    }
}
