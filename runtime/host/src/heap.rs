//! The runtime's own memory: where it lies, and the allocator that outputs use. Takes sizes, gives memory far from where
//! the kernel puts what the guest maps, so that a guest that unmaps a range and maps it again finds it free. The
//! allocator is not the C library's because `fork` has to hold its lock: a child of a process with threads goes on
//! allocating, and the C library makes its own usable there only in its own `fork`, which cannot express every `clone`.
//!
//! Small blocks go through lists that each thread has of its own: lifting and compiling at run time allocate some hundred million times a
//! minute, and the lock took more of it than dlmalloc.
//!
//! # Safety
//! Implements [`GlobalAlloc`] by a port of dlmalloc, one call at a time. Blocks in a list are free, and as large as their class; lists
//! belong to a thread pointer, and signal handlers allocate nothing.
#![allow(unsafe_code)]

use crate::hostcall::{Errno, check, syscall};
use dlmalloc::Dlmalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
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

/// Sizes of small blocks: multiples of 16 up to 256, then four of each power of two, up to 4,096.
const CLASSES: usize = 32;
const SMALL: usize = 4096;
const ALIGN: usize = 16;
/// Bytes in a list at most, and blocks where these are large.
const KEPT: usize = 16 << 10;
const KEPT_BLOCKS: usize = 8;
/// Bytes that are fetched at once for an empty list.
const FETCHED: usize = 1024;

/// The class of blocks of that size and alignment, if they are small.
fn class(size: usize, align: usize) -> Option<usize> {
    if align > ALIGN || size > SMALL {
        return None;
    }
    Some(match size {
        0..=256 => size.saturating_sub(1) / 16,
        _ => {
            let log2 = (size - 1).ilog2() as usize;
            16 + 4 * (log2 - 8) + ((size - 1) >> (log2 - 2) & 3)
        }
    })
}

/// Bytes of that class's blocks.
fn class_size(class: usize) -> usize {
    match class {
        0..16 => 16 * (class + 1),
        _ => (5 + class % 4) << ((class - 16) / 4 + 6),
    }
}

/// Free blocks of a class, each with the address of the next in its first word.
#[derive(Clone, Copy)]
struct List {
    first: *mut *mut u8,
    blocks: usize,
}

impl List {
    fn take(&mut self, class: usize) -> *mut u8 {
        if self.first.is_null() {
            let size = class_size(class);
            let mut heap = lock();
            for _ in 0..(FETCHED / size).max(1) {
                // SAFETY: under the lock, with an alignment that every block has.
                let block = unsafe { heap.malloc(size, ALIGN) };
                if block.is_null() {
                    break;
                }
                self.put(block);
            }
        }
        let block = self.first;
        if !block.is_null() {
            // SAFETY: a free block of this list.
            self.first = unsafe { block.read() }.cast();
            self.blocks -= 1;
        }
        block.cast()
    }

    fn put(&mut self, block: *mut u8) {
        let block: *mut *mut u8 = block.cast();
        // SAFETY: free, aligned, and no smaller than a word.
        unsafe { block.write(self.first.cast()) };
        self.first = block;
        self.blocks += 1;
    }

    /// Gives half of the blocks back if there are many.
    fn trim(&mut self, class: usize) {
        let most = (KEPT / class_size(class)).max(KEPT_BLOCKS);
        if self.blocks <= most {
            return;
        }
        let mut heap = lock();
        while self.blocks > most / 2 {
            let block = self.take(class);
            // SAFETY: from this heap, under its lock; nobody uses it.
            unsafe { heap.free(block, class_size(class), ALIGN) };
        }
    }
}

thread_local! {
    static LISTS: UnsafeCell<[List; CLASSES]> =
        const { UnsafeCell::new([List { first: std::ptr::null_mut(), blocks: 0 }; CLASSES]) };
}

/// The calling thread's list of that class.
fn with_list<T>(class: usize, f: impl FnOnce(&mut List) -> T) -> T {
    // SAFETY: the thread's own, for the time of a call that does not come back here.
    LISTS.with(|lists| f(unsafe { &mut (&mut *lists.get())[class] }))
}

// SAFETY: blocks come from dlmalloc, whose methods have the contracts of these, under the lock; small ones by way of a list.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, l: Layout) -> *mut u8 {
        match class(l.size(), l.align()) {
            Some(class) => with_list(class, |list| list.take(class)),
            // SAFETY: as the caller promises.
            None => unsafe { lock().malloc(l.size(), l.align()) },
        }
    }

    unsafe fn alloc_zeroed(&self, l: Layout) -> *mut u8 {
        if class(l.size(), l.align()).is_none() {
            // SAFETY: as the caller promises.
            return unsafe { lock().calloc(l.size(), l.align()) };
        }
        // SAFETY: as the caller promises; a block of that size.
        unsafe {
            let block = self.alloc(l);
            if !block.is_null() {
                block.write_bytes(0, l.size());
            }
            block
        }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, l: Layout) {
        match class(l.size(), l.align()) {
            Some(class) => with_list(class, |list| {
                list.put(ptr);
                list.trim(class);
            }),
            // SAFETY: as the caller promises.
            None => unsafe { lock().free(ptr, l.size(), l.align()) },
        }
    }

    unsafe fn realloc(&self, ptr: *mut u8, l: Layout, size: usize) -> *mut u8 {
        let (before, after) = (class(l.size(), l.align()), class(size, l.align()));
        if before.is_some() && before == after {
            return ptr;
        }
        // SAFETY: as the caller promises; blocks are as large as asked for.
        unsafe {
            if before.is_none() && after.is_none() {
                return lock().realloc(ptr, l.size(), l.align(), size);
            }
            let block = self.alloc(Layout::from_size_align_unchecked(size, l.align()));
            if !block.is_null() {
                std::ptr::copy_nonoverlapping(ptr, block, l.size().min(size));
                self.dealloc(ptr, l);
            }
            block
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_a_class_are_as_large_as_what_is_asked_for() {
        for size in 0..=SMALL {
            let class = class(size, ALIGN).expect("small");
            assert!(class_size(class) >= size.max(1), "{size}");
            assert!(class == 0 || class_size(class - 1) < size, "{size}: the next smaller would do");
        }
        assert_eq!((class(SMALL, ALIGN), class_size(CLASSES - 1)), (Some(CLASSES - 1), SMALL));
        assert_eq!((class(SMALL + 1, 1), class(1, 2 * ALIGN)), (None, None));
    }

    /// Blocks hold what was written while they change their size, also from one kind to the other, and are given to one at a time.
    #[test]
    fn blocks_keep_their_contents() {
        let fill = |block: *mut u8, from: usize, to: usize, seed: usize| {
            // SAFETY: a block of at least `to` bytes.
            (from..to).for_each(|i| unsafe { block.add(i).write((i * 7 + seed) as u8) });
        };
        let layout = |size| Layout::from_size_align(size, 8).expect("a layout");
        let mut blocks: Vec<(*mut u8, usize)> = Vec::new();
        let mut random = 1usize;
        for turn in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let size = 1 + (random >> 33) % if turn % 8 == 0 { 9000 } else { 400 };
            let n = (random >> 20) % 256;
            // SAFETY: blocks of this allocator with the layouts that they have.
            unsafe {
                if n >= blocks.len() {
                    let block = Heap.alloc_zeroed(layout(size));
                    assert!((0..size).all(|i| block.add(i).read() == 0));
                    fill(block, 0, size, blocks.len());
                    blocks.push((block, size));
                    continue;
                }
                let (block, old) = blocks[n];
                assert!((0..old).all(|i| block.add(i).read() == (i * 7 + n) as u8));
                let block = Heap.realloc(block, layout(old), size);
                fill(block, old.min(size), size, n);
                assert_eq!(block as usize % 8, 0);
                blocks[n] = (block, size);
            }
        }
        for (block, size) in blocks {
            // SAFETY: as above.
            unsafe { Heap.dealloc(block, layout(size)) };
        }
    }
}
