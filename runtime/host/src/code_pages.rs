//! Which guest pages hold code that an engine has compiled. Takes pages as code is compiled, and ranges of guest memory whose
//! code is no longer valid: because the guest says so (IC IVAU) or because it is mapped anew, unmapped or protected otherwise.
//! Tells then whether any compiled code may be concerned, fast where there is none.
//!
//! Writes are not watched: code that can be written looks at itself (`jit`), in case the guest does not say that it has changed.

use crate::mem::PAGE;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Pages with compiled code.
#[derive(Default)]
pub struct CodePages {
    /// Page number → how many pieces of code have bytes there.
    pages: Mutex<BTreeMap<u64, u32>>,
    /// Bounds of the addresses in `pages`, never narrowed: most changes of memory are elsewhere.
    low: AtomicU64,
    high: AtomicU64,
}

/// Nothing changes while this lives; to be held across `fork`.
pub struct Held<'a> {
    _guard: MutexGuard<'a, BTreeMap<u64, u32>>,
}

impl CodePages {
    /// Stops changes.
    pub fn hold(&self) -> Held<'_> {
        Held { _guard: self.lock() }
    }

    /// No pages.
    pub const fn new() -> Self {
        CodePages {
            pages: Mutex::new(BTreeMap::new()),
            low: AtomicU64::new(u64::MAX),
            high: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, u32>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn numbers(start: u64, len: u64) -> std::ops::RangeInclusive<u64> {
        start / PAGE..=start.saturating_add(len.max(1) - 1) / PAGE
    }

    /// There is compiled code of these bytes.
    pub fn add(&self, start: u64, len: u64) {
        self.low.fetch_min(start & !(PAGE - 1), Ordering::AcqRel);
        self.high.fetch_max(start.saturating_add(len) | (PAGE - 1), Ordering::AcqRel);
        let mut pages = self.lock();
        for p in Self::numbers(start, len) {
            *pages.entry(p).or_default() += 1;
        }
    }

    /// Takes back [`CodePages::add`].
    pub fn remove(&self, start: u64, len: u64) {
        let mut pages = self.lock();
        for p in Self::numbers(start, len) {
            if let Some(n) = pages.get_mut(&p) {
                *n -= 1;
                if *n == 0 {
                    pages.remove(&p);
                }
            }
        }
    }

    /// True if compiled code may have bytes in the range.
    pub fn any(&self, start: u64, len: u64) -> bool {
        if start > self.high.load(Ordering::Acquire)
            || start.saturating_add(len) <= self.low.load(Ordering::Acquire)
        {
            return false;
        }
        self.lock().range(Self::numbers(start, len)).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted() {
        let c = CodePages::new();
        assert!(!c.any(0, u64::MAX));
        c.add(0x1ff8, 16);
        c.add(0x2000, 4);
        assert!(c.any(0x1000, 1) && c.any(0x2fff, 1) && !c.any(0x3000, 0x1000) && !c.any(0, 0x1000));
        c.remove(0x1ff8, 16);
        assert!(!c.any(0x1000, 0x1000) && c.any(0x1000, 0x1001));
        c.remove(0x2000, 4);
        assert!(!c.any(0, u64::MAX));
    }
}
