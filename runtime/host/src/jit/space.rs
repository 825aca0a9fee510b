//! Memory of one generation of compiled code, what its regions refer to, and where their accesses are.
//!
//! # Safety
//! See the module above: places are written before their number says that they are there, and stay until no thread is in the generation.
#![allow(unsafe_code)]

use super::stubs::unlinked;
use crate::hostcall::{check, syscall};
use ir::TypedOp;
use jit::{Arena, Atomic, Link};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

/// Memory for code is mapped in pieces of this size.
pub(super) const CHUNK: u64 = 1 << 20;

/// What the fault handler needs of a region.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) accesses: *const (u32, u64),
    pub(super) count: usize,
}

/// Address space for one generation, and its regions by address, for the fault handler. Bounds are set once.
pub(super) struct Slot {
    pub(super) start: AtomicU64,
    pub(super) end: AtomicU64,
    pub(super) places: AtomicPtr<Place>,
    pub(super) count: AtomicUsize,
}

/// Generations whose memory is in use at most: the present one, and those that threads have not left yet.
pub(super) const SLOTS: usize = 4;

pub(super) static SLOT: [Slot; SLOTS] = [const {
    Slot {
        start: AtomicU64::new(0),
        end: AtomicU64::new(0),
        places: AtomicPtr::new(std::ptr::null_mut()),
        count: AtomicUsize::new(0),
    }
}; SLOTS];

/// What regions refer to by address. Boxes, so that it stays where it is.
#[derive(Default)]
#[allow(clippy::vec_box)]
pub(super) struct Things {
    pub(super) links: Vec<Box<Link>>,
    pub(super) ops: HashMap<String, Box<TypedOp>>,
    pub(super) atomics: Vec<Box<Atomic>>,
    pub(super) accesses: Vec<Box<[(u32, u64)]>>,
    pub(super) counters: Vec<Box<AtomicI32>>,
}

impl Arena for Things {
    fn link(&mut self, pc: u64) -> u64 {
        self.links.push(Box::new(Link { host: AtomicU64::new(unlinked()), pc: AtomicU64::new(pc) }));
        &raw const **self.links.last().expect("invariant: just pushed") as u64
    }

    fn typed_op(&mut self, op: TypedOp) -> u64 {
        &raw const **self.ops.entry(format!("{op:?}")).or_insert_with(|| Box::new(op)) as u64
    }

    fn atomic(&mut self, op: Atomic) -> u64 {
        if let Some(a) = self.atomics.iter().find(|a| ***a == op) {
            return &raw const **a as u64;
        }
        self.atomics.push(Box::new(op));
        &raw const **self.atomics.last().expect("invariant: just pushed") as u64
    }

    fn counter(&mut self, n: i32) -> u64 {
        self.counters.push(Box::new(AtomicI32::new(n)));
        &raw const **self.counters.last().expect("invariant: just pushed") as u64
    }
}

/// What a generation's code stands in and refers to.
pub(super) struct Space {
    /// Index of its slot.
    pub(super) slot: usize,
    /// Where code is executed: address space only, but for the chunks.
    pub(super) base: u64,
    pub(super) size: u64,
    /// Bytes of it that chunks take, or took.
    pub(super) mapped: u64,
    /// Bytes of it used.
    pub(super) used: u64,
    /// Writable address − executable address of the last chunk.
    pub(super) writable: u64,
    /// Addresses and sizes of what is mapped writable.
    pub(super) views: Vec<(u64, u64)>,
    pub(super) things: Things,
}

pub(super) fn map(size: u64, prot: i32) -> Option<u64> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    check(syscall(libc::SYS_mmap, [0, size, prot as u64, flags as u64, u64::MAX, 0])).ok()
}

impl Space {
    pub(super) fn new(slot: usize, size: u64, most: usize) -> Option<Space> {
        let s = &SLOT[slot];
        if s.start.load(Ordering::Relaxed) == 0 {
            let base = map(size, libc::PROT_NONE)?;
            let places =
                map((most * size_of::<Place>()) as u64, libc::PROT_READ | libc::PROT_WRITE)? as *mut Place;
            s.places.store(places, Ordering::Release);
            s.end.store(base + size, Ordering::Release);
            s.start.store(base, Ordering::Release);
        }
        let base = s.start.load(Ordering::Relaxed);
        let (views, things) = (Vec::new(), Things::default());
        Some(Space { slot, base, size, mapped: 0, used: 0, writable: 0, views, things })
    }

    /// Gives the memory back: no thread is in it.
    pub(super) fn free(self) {
        SLOT[self.slot].count.store(0, Ordering::Release);
        // Children of a fork may still be executing what was there: their memory is the same.
        for (at, size) in self.views {
            syscall(libc::SYS_munmap, [at, size, 0, 0, 0, 0]);
        }
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED) as u64;
        syscall(libc::SYS_mmap, [self.base, self.size, libc::PROT_NONE as u64, flags, u64::MAX, 0]);
    }

    /// Maps memory for at least `least` bytes more; false if there is none.
    pub(super) fn add_chunk(&mut self, least: u64) -> bool {
        let at = self.mapped;
        let size = least.next_multiple_of(CHUNK).min(self.size - at);
        if size < least {
            return false;
        }
        let rw = (libc::PROT_READ | libc::PROT_WRITE) as u64;
        let flags = (libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as u64;
        let Ok(view) = check(syscall(libc::SYS_mmap, [0, size, rw, flags, u64::MAX, 0])) else {
            return false;
        };
        // The same memory once more (an old size of 0 asks for that), over the address space that is kept for it.
        let how = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as u64;
        let code = check(syscall(libc::SYS_mremap, [view, 0, size, how, self.base + at, 0]));
        let rx = (libc::PROT_READ | libc::PROT_EXEC) as u64;
        if code.and_then(|c| check(syscall(libc::SYS_mprotect, [c, size, rx, 0, 0, 0]))).is_err() {
            syscall(libc::SYS_munmap, [view, size, 0, 0, 0, 0]);
            return false;
        }
        self.views.push((view, size));
        self.writable = view.wrapping_sub(self.base + at);
        (self.used, self.mapped) = (at, at + size);
        true
    }
}

/// For the fault handler: the guest address of the access at that host address, if it is one of compiled code.
/// Async-signal-safe.
pub fn guest_pc(rip: u64) -> Option<u64> {
    let slot = SLOT.iter().find(|s| {
        let start = s.start.load(Ordering::Acquire);
        start != 0 && (start..s.end.load(Ordering::Acquire)).contains(&rip)
    })?;
    let n = slot.count.load(Ordering::Acquire);
    // SAFETY: so many were written; those of a region that a thread is in do not change.
    let places = unsafe { std::slice::from_raw_parts(slot.places.load(Ordering::Acquire), n) };
    let p = &places[places.partition_point(|p| p.end <= rip)..].first()?;
    // SAFETY: as above.
    let accesses = unsafe { std::slice::from_raw_parts(p.accesses, p.count) };
    let offset = rip.checked_sub(p.start)? as u32;
    accesses.binary_search_by_key(&offset, |a| a.0).ok().map(|i| accesses[i].1)
}
