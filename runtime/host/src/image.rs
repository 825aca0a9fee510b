//! The translated program's tables: which guest addresses have lifted code, and which guest instruction a host address
//! belongs to. Takes the output's `ImageDesc`, gives lookups that are safe to call in a signal handler.
//!
//! # Safety
//! The description and its tables are written by the translator into read-only data of the output and relocated by the
//! host's loader; `ABI_HASH` guards their layout. They are trusted: whoever can change them can change the code, too.
#![allow(unsafe_code)]

use abi::{CheckpointEntry, ImageDesc, ResumeEntry, SegmentDesc};

/// The program as loaded.
#[derive(Clone, Copy)]
pub struct Loaded {
    /// Its description.
    pub desc: &'static ImageDesc,
    /// Run-time address − link-time address.
    pub bias: u64,
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

impl Loaded {
    /// The segments, by address.
    pub fn segments(&self) -> &'static [SegmentDesc] {
        slice(self.desc.segments, self.desc.segment_count)
    }

    /// The guest file.
    pub fn file(&self) -> &'static [u8] {
        slice(self.desc.file, self.desc.file_len)
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
        if offset >= self.desc.text_size || !offset.is_multiple_of(4) {
            return None;
        }
        let table = slice(self.desc.dispatch, self.desc.text_size / 4);
        match table.get((offset / 4) as usize) {
            Some(0) | None => {}
            Some(&d) => {
                let host = (self.desc.dispatch as u64).wrapping_add_signed(d as i64);
                return Some(Entry { host, resume: 0 });
            }
        }
        let points = slice(self.desc.resume, self.desc.resume_count);
        let p: &'static ResumeEntry =
            &points[points.binary_search_by_key(&(offset as u32), |p| p.guest).ok()?];
        let host = (&raw const p.function as u64).wrapping_add_signed(p.function as i64);
        Some(Entry { host, resume: p.index + 1 })
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
        Some((self.desc.text_base.wrapping_add(c.guest as u64).wrapping_add(self.bias), label))
    }
}
