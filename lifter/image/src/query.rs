//! Questions to an [`Image`]: which segment holds an address, what bytes stand there, whether it is code.

use crate::{Image, Range, Segment};
use isa::Isa;

impl Range {
    /// True if `addr` lies in it.
    pub const fn contains(&self, addr: u64) -> bool {
        self.start <= addr && addr < self.end
    }

    /// Number of bytes.
    pub const fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// True if it holds no byte.
    pub const fn is_empty(&self) -> bool {
        self.end <= self.start
    }
}

impl Segment {
    /// Addresses that have bytes in the file.
    pub const fn file_backed(&self) -> Range {
        Range { start: self.vaddr, end: self.vaddr + self.filesz }
    }

    /// All its addresses.
    pub const fn range(&self) -> Range {
        Range { start: self.vaddr, end: self.vaddr + self.memsz }
    }
}

/// The range of sorted disjoint `ranges` that holds `addr`.
pub(crate) fn find(ranges: &[Range], addr: u64) -> Option<&Range> {
    let i = ranges.partition_point(|r| r.start <= addr);
    ranges[..i].last().filter(|r| r.contains(addr))
}

impl Image {
    /// The segment that holds `addr`, zero-filled tail included.
    pub fn segment_at(&self, addr: u64) -> Option<&Segment> {
        let i = self.segments.partition_point(|s| s.vaddr <= addr);
        self.segments[..i].last().filter(|s| s.range().contains(addr))
    }

    /// The `len` bytes at `addr`, if the file gives all of them (the zero-filled tail of a segment is not in the file).
    pub fn bytes_at(&self, addr: u64, len: u64) -> Option<&[u8]> {
        let s = self.segment_at(addr)?;
        let at = addr - s.vaddr;
        if at.checked_add(len)? > s.filesz {
            return None;
        }
        let at = usize::try_from(s.offset + at).ok()?;
        self.file.get(at..at.checked_add(usize::try_from(len).ok()?)?)
    }

    /// The little-endian word at `addr`.
    pub fn u32_at(&self, addr: u64) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes_at(addr, 4)?.try_into().ok()?))
    }

    /// The little-endian doubleword at `addr`.
    pub fn u64_at(&self, addr: u64) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes_at(addr, 8)?.try_into().ok()?))
    }

    /// Bytes of an address: 8 or 4.
    pub const fn word_size(&self) -> u64 {
        match self.isa {
            Isa::A64 => 8,
            Isa::A32 => 4,
        }
    }

    /// The address that stands at `addr`.
    pub fn word_at(&self, addr: u64) -> Option<u64> {
        match self.isa {
            Isa::A64 => self.u64_at(addr),
            Isa::A32 => self.u32_at(addr).map(u64::from),
        }
    }

    /// True if `addr` lies in [`Image::text`].
    pub fn is_text(&self, addr: u64) -> bool {
        find(&self.text, addr).is_some()
    }
}
