//! The translated program's tables: which guest addresses have lifted code, and which guest instruction a host address
//! belongs to. Takes the output's `ImageDesc`, gives lookups that are safe to call in a signal handler.
//!
//! # Safety
//! The description and its tables are written by the translator into read-only data of the output and relocated by the
//! host's loader; `ABI_HASH` guards their layout. They are trusted: whoever can change them can change the code, too.
#![allow(unsafe_code)]

use crate::mem::EXEC;
use abi::{CheckpointEntry, CodeRange, FunctionEntry, ImageDesc, LibraryDesc, ResumeEntry, SegmentDesc};
use std::ffi::CStr;
use std::ops::Range;
use std::sync::atomic::{AtomicI32, Ordering};

/// The program as loaded.
#[derive(Clone, Copy)]
pub struct Loaded {
    /// Its description.
    pub desc: &'static ImageDesc,
    /// Run-time address − link-time address.
    pub bias: u64,
    /// Its instruction set.
    pub isa: isa::Isa,
}

// SAFETY: the tables are constant.
unsafe impl Send for Loaded {}
// SAFETY: as above.
unsafe impl Sync for Loaded {}

/// A way into lifted code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Host address of the function.
    pub host: u64,
    /// 0, or 1 + the index of its resume point.
    pub resume: u32,
}

fn slice<T>(first: *const T, len: u64) -> &'static [T] {
    if first.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: see the module's heading.
    unsafe { std::slice::from_raw_parts(first, len as usize) }
}

fn text(at: *const u8) -> Option<&'static CStr> {
    // SAFETY: see the module's heading; texts end with NUL.
    (!at.is_null()).then(|| unsafe { CStr::from_ptr(at.cast()) })
}

impl Loaded {
    /// The segments, by address.
    pub fn segments(&self) -> &'static [SegmentDesc] {
        slice(self.desc.segments, self.desc.segment_count)
    }

    /// The guest file.
    pub fn file(&self) -> &'static [u8] {
        slice(self.desc.file, self.desc.file_len)
    }

    /// What the guest file is called in profiles.
    pub fn identity(&self) -> &'static str {
        text(self.desc.identity).and_then(|t| t.to_str().ok()).unwrap_or_default()
    }

    /// Path of the program's dynamic linker; `None` for static programs.
    pub fn linker(&self) -> Option<&'static CStr> {
        text(self.desc.linker)
    }

    /// The directory with the ARM system's files, if the translation named one.
    pub fn sysroot(&self) -> Option<&'static CStr> {
        text(self.desc.sysroot)
    }

    /// Libraries that were translated with the program, by address.
    pub fn libraries(&self) -> &'static [LibraryDesc] {
        slice(self.desc.libraries, self.desc.library_count)
    }

    /// Where the library was found when it was translated.
    pub fn library_name(&self, l: &LibraryDesc) -> &'static CStr {
        text(l.name).unwrap_or_default()
    }

    /// The library's file, as far as it is loaded.
    pub fn library_file(&self, l: &LibraryDesc) -> &'static [u8] {
        slice(l.file, l.file_len)
    }

    /// The library's segments, by address.
    pub fn library_segments(&self, l: &LibraryDesc) -> &'static [SegmentDesc] {
        slice(l.segments, l.segment_count)
    }

    /// The run-time ranges in which the library has code.
    pub fn library_text(&self, l: &LibraryDesc) -> impl Iterator<Item = Range<u64>> {
        self.executable(self.library_segments(l))
    }

    fn executable(&self, segments: &'static [SegmentDesc]) -> impl Iterator<Item = Range<u64>> {
        let at = |s: &SegmentDesc| s.vaddr.wrapping_add(self.bias);
        segments.iter().filter(|s| s.prot & EXEC != 0).map(move |s| at(s)..at(s) + s.memsz)
    }

    /// True if the library's functions can be entered.
    pub fn is_awake(&self, l: &LibraryDesc) -> bool {
        l.active.load(Ordering::Acquire) != 0
    }

    /// True unless the code there is of a library whose functions cannot be entered. By offset from `text_base`.
    pub fn is_in_use(&self, offset: u32) -> bool {
        let libraries = self.libraries();
        let at = self.desc.text_base + u64::from(offset);
        let l = libraries.partition_point(|l| l.base <= at).checked_sub(1).map(|i| &libraries[i]);
        l.is_none_or(|l| self.is_awake(l))
    }

    /// True if the program has code in the range, or a library; with `awake`, one whose functions can be entered.
    pub fn has_code_in(&self, range: &Range<u64>, awake: bool) -> bool {
        let inside = |t: Range<u64>| t.start < range.end && range.start < t.end;
        let mut libraries = self.libraries().iter().filter(|l| !awake || self.is_awake(l));
        self.executable(self.segments()).any(inside) || libraries.any(|l| self.library_text(l).any(inside))
    }

    fn checkpoints(&self) -> &'static [CheckpointEntry] {
        let (a, b) = (self.desc.checkpoints as usize, self.desc.checkpoints_end as usize);
        slice(self.desc.checkpoints, (b.saturating_sub(a) / size_of::<CheckpointEntry>()) as u64)
    }

    /// True if lifted code has any checkpoint; without (`--unsafe-no-checkpoints`) its faults cannot be delivered.
    pub fn has_checkpoints(&self) -> bool {
        !self.checkpoints().is_empty()
    }

    /// How lifted code can be entered at the run-time guest address, if it can.
    pub fn entry(&self, pc: u64) -> Option<Entry> {
        let offset = pc.wrapping_sub(self.bias).wrapping_sub(self.desc.text_base);
        if offset >= self.desc.text_size || !offset.is_multiple_of(self.unit()) {
            return None;
        }
        match self.dispatch(offset as u32).load(Ordering::Acquire) {
            0 => {}
            d => {
                let host = (self.desc.dispatch as u64).wrapping_add_signed(d as i64);
                return Some(Entry { host, resume: 0 });
            }
        }
        if !self.is_in_use(offset as u32) {
            return None;
        }
        let points = self.resume_points();
        let p = &points[points.binary_search_by_key(&(offset as u32), |p| p.guest).ok()?];
        let function = Self::resume_function(p);
        match function.load(Ordering::Acquire) {
            // Of a function whose guest code has changed.
            0 => None,
            f => {
                let host = (function.as_ptr() as u64).wrapping_add_signed(f as i64);
                Some(Entry { host, resume: p.index + 1 })
            }
        }
    }

    /// Bytes of text for each entry of the dispatch table.
    fn unit(&self) -> u64 {
        match self.isa {
            isa::Isa::A64 => 4,
            isa::Isa::A32 => 1,
        }
    }

    /// The dispatch entry of the instruction at that offset from `text_base`, which the table covers.
    pub fn dispatch(&self, offset: u32) -> &'static AtomicI32 {
        assert!(u64::from(offset) < self.desc.text_size);
        // SAFETY: in the table, which `polycode` alone changes, through this type.
        unsafe {
            AtomicI32::from_ptr(self.desc.dispatch.add(offset as usize / self.unit() as usize).cast_mut())
        }
    }

    /// The resume points by guest address. Their functions are to be read with [`Loaded::resume_function`].
    pub fn resume_points(&self) -> &'static [ResumeEntry] {
        slice(self.desc.resume, self.desc.resume_count)
    }

    /// Where the host entry stands: 0 if the function's guest code has changed.
    pub fn resume_function(p: &'static ResumeEntry) -> &'static AtomicI32 {
        // SAFETY: as in `dispatch`.
        unsafe { AtomicI32::from_ptr((&raw const p.function).cast_mut()) }
    }

    /// The lifted functions by guest address.
    pub fn functions(&self) -> &'static [FunctionEntry] {
        slice(self.desc.functions, self.desc.function_count)
    }

    /// The guest code that the function of that index was made of.
    pub fn code_of(&self, index: usize) -> &'static [CodeRange] {
        let all = slice(self.desc.ranges, self.desc.range_count);
        let first = |i: usize| self.functions().get(i).map_or(all.len(), |f| f.first as usize);
        all.get(first(index)..first(index + 1)).unwrap_or(&[])
    }

    /// Bytes of text in the guest's files, by offset from `text_base`; none where they have none.
    pub fn original(&self, range: CodeRange) -> &'static [u8] {
        let at = self.desc.text_base + range.start as u64;
        let bytes = |segments: &'static [SegmentDesc], file: &'static [u8]| {
            let s = segments.iter().find(|s| (s.vaddr..s.vaddr + s.filesz).contains(&at))?;
            let from = (s.offset + (at - s.vaddr)) as usize;
            file.get(from..from + range.len as usize)
        };
        let library = |l| bytes(self.library_segments(l), self.library_file(l));
        let own = bytes(self.segments(), self.file());
        own.or_else(|| self.libraries().iter().find_map(library)).unwrap_or(&[])
    }

    /// The run-time range of the text that the tables cover.
    pub fn text(&self) -> std::ops::Range<u64> {
        let start = self.desc.text_base.wrapping_add(self.bias);
        start..start + self.desc.text_size
    }

    /// True if the host address is in lifted code.
    pub fn is_lifted(&self, rip: u64) -> bool {
        (self.desc.code as u64..self.desc.code_end as u64).contains(&rip)
    }

    /// The checkpoint whose access is at the host address: run-time guest pc and host label (0: none).
    pub fn checkpoint(&self, rip: u64) -> Option<(u64, u64)> {
        let all = self.checkpoints();
        let at = |c: &CheckpointEntry| (&raw const c.access as u64).wrapping_add_signed(c.access as i64);
        let c = &all[all.binary_search_by_key(&rip, at).ok()?];
        let label = match c.label {
            0 => 0,
            l => (&raw const c.label as u64).wrapping_add_signed(l as i64),
        };
        let guest = u64::from(c.guest) | u64::from(c.state) << 32;
        Some((self.desc.text_base.wrapping_add(guest).wrapping_add(self.bias), label))
    }
}
