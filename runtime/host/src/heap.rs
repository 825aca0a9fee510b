//! The runtime's own memory: where it lies, and the allocator that outputs use. Takes sizes, gives memory far from where
//! the kernel puts what the guest maps, so that a guest that unmaps a range and maps it again finds it free. The
//! allocator is not the C library's because `fork` has to hold its lock: a child of a process with threads goes on
//! allocating, and the C library makes its own usable there only in its own `fork`, which cannot express every `clone`.
//!
//! # Safety
//! Implements [`GlobalAlloc`] by a port of dlmalloc, one call at a time.
#![allow(unsafe_code)]

use crate::hostcall::{Errno, check, syscall};
use dlmalloc::Dlmalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where the runtime's memory is asked for: in the middle of the gap between programs and the kernel's mappings.
const FAR: u64 = 0x6100_0000_0000;
/// From here on the kernel chooses.
const FAR_END: u64 = 0x7000_0000_0000;

static NEXT: AtomicU64 = AtomicU64::new(FAR);

/// Maps anonymous memory for the runtime.
pub fn map(size: u64, prot: i32, flags: i32) -> Result<u64, Errno> {
    const PAGE: u64 = crate::mem::PAGE;
    let at = NEXT.fetch_add(size.next_multiple_of(PAGE), Ordering::Relaxed);
    let hint = if at < FAR_END { at } else { 0 };
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    check(syscall(libc::SYS_mmap, [hint, size, prot as u64, flags as u64, u64::MAX, 0]))
}

/// Gives back what [`map`] gave.
pub fn unmap(at: u64, size: u64) {
    syscall(libc::SYS_munmap, [at, size, 0, 0, 0, 0]);
}

/// The system as the allocator sees it.
struct Pages;

// SAFETY: memory comes from the kernel and belongs to nobody else.
unsafe impl dlmalloc::Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        match map(size as u64, libc::PROT_READ | libc::PROT_WRITE, 0) {
            Ok(at) => (at as *mut u8, size, 0),
            Err(_) => (std::ptr::null_mut(), 0, 0),
        }
    }

    fn remap(&self, ptr: *mut u8, old: usize, new: usize, can_move: bool) -> *mut u8 {
        let flags = if can_move { libc::MREMAP_MAYMOVE } else { 0 };
        let r = syscall(libc::SYS_mremap, [ptr as u64, old as u64, new as u64, flags as u64, 0, 0]);
        check(r).map_or(std::ptr::null_mut(), |at| at as *mut u8)
    }

    fn free_part(&self, ptr: *mut u8, old: usize, new: usize) -> bool {
        unmap(ptr as u64 + new as u64, (old - new) as u64);
        true
    }

    fn free(&self, ptr: *mut u8, size: usize) -> bool {
        unmap(ptr as u64, size as u64);
        true
    }

    fn can_release_part(&self, _flags: u32) -> bool {
        true
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        crate::mem::PAGE as usize
    }
}

static HEAP: Mutex<Dlmalloc<Pages>> = Mutex::new(Dlmalloc::new_with_allocator(Pages));

/// The allocator of outputs.
#[derive(Debug)]
pub struct Heap;

/// Nothing is allocated or freed while this lives; to be held across `fork`.
pub struct Held {
    _guard: MutexGuard<'static, Dlmalloc<Pages>>,
}

fn lock() -> MutexGuard<'static, Dlmalloc<Pages>> {
    HEAP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stops allocation.
pub fn hold() -> Held {
    Held { _guard: lock() }
}

// SAFETY: dlmalloc's methods have the contracts of these, under the lock.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, l: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { lock().malloc(l.size(), l.align()) }
    }

    unsafe fn alloc_zeroed(&self, l: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { lock().calloc(l.size(), l.align()) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, l: Layout) {
        // SAFETY: as the caller promises.
        unsafe { lock().free(ptr, l.size(), l.align()) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, l: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { lock().realloc(ptr, l.size(), l.align(), size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_far_and_reusable() {
        let at = map(1 << 20, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_NORESERVE).unwrap();
        assert!((FAR..FAR_END).contains(&at));
        unmap(at, 1 << 20);
        let sizes = [1usize, 24, 4096, 300_000, 5 << 20];
        let layout = |size| Layout::from_size_align(size, 16).unwrap();
        // SAFETY: every pointer is used within its layout and freed once.
        unsafe {
            let all: Vec<*mut u8> = sizes.iter().map(|s| Heap.alloc_zeroed(layout(*s))).collect();
            for (p, s) in all.iter().zip(sizes) {
                assert!((*p as usize).is_multiple_of(16) && *p.add(s - 1) == 0);
                p.write_bytes(7, s);
            }
            let grown = Heap.realloc(all[4], layout(sizes[4]), 9 << 20);
            assert_eq!(*grown.add(sizes[4] - 1), 7);
            Heap.dealloc(grown, layout(9 << 20));
            for (p, s) in all.iter().zip(sizes).take(4) {
                Heap.dealloc(*p, layout(s));
            }
        }
    }
}
