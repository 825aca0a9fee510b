//! `.ARM.exidx`, the index of AArch32's unwind tables → where functions begin. Found by its section or, in files without
//! section headers, through PT_ARM_EXIDX. The index says neither a function's state nor its end: entries that say the same
//! are merged by linkers, so that the next entry may stand several functions on.

use crate::Image;
use crate::elf::{Header, Program, Table};
use crate::sections::section_headers;
use object::elf;

/// Bytes of an entry: the function, and how to unwind it, both as 31-bit offsets from where they stand.
const ENTRY: usize = 8;

/// Reads the starts of functions that lie in text.
pub(crate) fn read(image: &mut Image, header: &Header, headers: &Table<'_, Program>) {
    let file = image.file.clone();
    let sections = section_headers(image, header, &file);
    let named = sections.iter().find(|s| s.kind == elf::SHT_ARM_EXIDX).map(|s| (s.addr, s.size));
    let of_header = || headers.iter().find(|h| h.kind == elf::PT_ARM_EXIDX).map(|h| (h.vaddr, h.filesz));
    let Some((addr, size)) = named.or_else(of_header) else { return };
    let Some(bytes) = image.bytes_at(addr, size) else {
        image.diagnostics.push(format!("exception index at 0x{addr:x} lies outside the file, ignored"));
        return;
    };
    let starts: Vec<u64> = bytes
        .chunks_exact(ENTRY)
        .enumerate()
        .filter_map(|(i, e)| {
            let word = u32::from_le_bytes(e[..4].try_into().ok()?);
            // Bit 31 is 0; bits 30:0 are signed.
            let offset = (word << 1) as i32 >> 1;
            let at = (addr + (i * ENTRY) as u64) as u32;
            (word >> 31 == 0).then(|| u64::from(at.wrapping_add_signed(offset)))
        })
        .filter(|&a| image.is_text(a))
        .collect();
    image.starts.extend(starts);
}
