//! Libraries that were translated with the program: gives the guest's dynamic linker the places that they were translated for, and
//! lets their functions be entered once they are there. Takes `mmap` requests and changes of the address space.
//!
//! A library *sleeps* until text of its segments may be executed in its place and is what it was translated from; until then, and
//! for ever if another version is mapped, what lies there is code without a translation. Awake, it is watched as the program's
//! own text is (`polycode`).

use crate::access;
use crate::hostcall::{check, syscall};
use crate::image::Loaded;
use crate::mem::{AddressSpace, EXEC, MapRequest, PAGE, WRITE, page_down, page_up};
use crate::polycode;
use crate::trace::Topic;
use abi::LibraryDesc;
use std::ops::Range;
use std::sync::atomic::{AtomicI32, Ordering};

/// The file that was opened last.
static OPENED: AtomicI32 = AtomicI32::new(-1);

/// An open file: what a dynamic linker maps next, if it reserves an aligned range first.
pub fn opened(fd: i64) {
    if fd >= 0 {
        OPENED.store(fd as i32, Ordering::Relaxed);
    }
}

/// Run-time address and length of all its segments, in whole pages.
fn span(image: &Loaded, l: &LibraryDesc) -> (u64, u64) {
    let end = image.library_segments(l).last().map_or(l.base, |s| s.vaddr + s.memsz);
    (l.base.wrapping_add(image.bias), page_up(end - l.base).unwrap_or(0))
}

/// Link-time address behind what may be reserved for it (see [`place`]).
pub fn end(image: &Loaded, l: &LibraryDesc) -> u64 {
    l.base + span(image, l).1 + 2 * l.align
}

/// True if the file begins as that of the library does.
pub fn is_same_file(image: &Loaded, l: &LibraryDesc, fd: i32) -> bool {
    let mut head = [0u8; PAGE as usize];
    let args = [fd as u64, head.as_mut_ptr() as u64, PAGE, 0, 0, 0];
    let file = image.library_file(l);
    let size = file.len().min(head.len());
    check(syscall(libc::SYS_pread64, args)).is_ok_and(|n| n as usize >= size) && head[..size] == file[..size]
}

/// Where to put what `request` lets the system place: the place of a library of the length, if the request is for its file. Dynamic
/// linkers map a file with the length of all its segments, or, for an alignment beyond a page's, first reserve that and
/// the alignment, or twice the alignment if that is more (glibc).
pub fn place(image: &Loaded, request: &MapRequest) -> Option<u64> {
    const PLACED: i32 = libc::MAP_SHARED | libc::MAP_FIXED | libc::MAP_FIXED_NOREPLACE;
    if image.libraries().is_empty() || request.addr != 0 || request.flags as i32 & PLACED != 0 {
        return None;
    }
    let len = page_up(request.len)?;
    let fd = match request.fd {
        -1 if request.prot == 0 => OPENED.load(Ordering::Relaxed),
        fd if fd >= 0 && request.offset == 0 => fd,
        _ => return None,
    };
    let fits = |l: &&LibraryDesc| {
        let (_, span) = span(image, l);
        let wanted = if request.fd >= 0 { span } else { (span + l.align).max(2 * l.align) };
        wanted == len
    };
    let found = image.libraries().iter().filter(fits).find(|l| is_same_file(image, l, fd))?;
    Some(span(image, found).0)
}

/// The place of the library whose file has these bytes.
pub fn place_of(image: &Loaded, bytes: &[u8]) -> Option<u64> {
    let same = |l: &&LibraryDesc| bytes.starts_with(image.library_file(l));
    image.libraries().iter().find(same).map(|l| span(image, l).0)
}

/// Wakes libraries whose text is in its place now, and cannot be written. The caller holds `polycode`'s lock, the range has
/// changed.
pub(crate) fn wake(image: &Loaded, mem: &AddressSpace, changed: &Range<u64>) {
    for l in image.libraries().iter().filter(|l| !image.is_awake(l)) {
        let touched = image.library_text(l).any(|t| t.start < changed.end && changed.start < t.end);
        if touched && is_in_place(image, l, mem) {
            if !polycode::put_in(image, l) {
                return;
            }
            l.active.store(1, Ordering::Release);
            crate::trace!(
                Topic::Load,
                "{} at {:#x}: as translated",
                image.library_name(l).to_string_lossy(),
                span(image, l).0
            );
        }
    }
}

fn is_in_place(image: &Loaded, l: &LibraryDesc, mem: &AddressSpace) -> bool {
    let file = image.library_file(l);
    image.library_segments(l).iter().filter(|s| s.prot & EXEC != 0).all(|s| {
        let start = s.vaddr.wrapping_add(image.bias);
        // Comparison is by words.
        let len = s.filesz & !3;
        let Some(bytes) = file.get(s.offset as usize..(s.offset + len) as usize) else { return false };
        let mut at = page_down(start);
        while at < start + len {
            match mem.query(at) {
                Some(v) if v.prot & (EXEC | WRITE) == EXEC => at = v.end,
                _ => return false,
            }
        }
        access::same(start, bytes)
    })
}
