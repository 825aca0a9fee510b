//! `.eh_frame` → the address ranges of functions. Found by its section or, in files without section headers, through
//! PT_GNU_EH_FRAME. A damaged table gives what stands before the damage.

use crate::elf::{Header, Program, Table, bytes};
use crate::sections::{section_headers, section_name};
use crate::{Image, Range};
use gimli::{
    BaseAddresses, CieOrFde, EhFrame, EhFrameHdr, EndianSlice, LittleEndian as Little, Pointer, UnwindSection,
};
use object::elf;

/// Reads the ranges of all FDEs that lie in text.
pub(crate) fn read(image: &mut Image, header: &Header, headers: &Table<'_, Program>) {
    let file = image.file.clone();
    let mut tables: Vec<(u64, u64)> = Vec::new();
    let hdr = headers.iter().find(|h| h.kind == elf::PT_GNU_EH_FRAME);
    if let Some(addr) = hdr.and_then(|h| table_of_index(image, h.vaddr, h.filesz)) {
        if let Some(s) = image.segment_at(addr) {
            tables.push((addr, s.file_backed().end.saturating_sub(addr)));
        }
    } else if let Some(s) = named_section(image, header, &file) {
        tables.push(s);
    }
    for (addr, size) in tables {
        let Some(bytes) = image.bytes_at(addr, size) else {
            image.diagnostics.push(format!("unwind table at 0x{addr:x} lies outside the file, ignored"));
            continue;
        };
        let (mut ranges, problem) = frames(bytes, addr, image.word_size() as u8);
        ranges.retain(|r| {
            r.start < r.end
                && image.isa.is_aligned(r.start)
                && image.is_text(r.start)
                && image.is_text(r.end - 1)
        });
        image.unwind.append(&mut ranges);
        if let Some(p) = problem {
            image.diagnostics.push(format!("unwind table at 0x{addr:x}: {p}; the rest of it ignored"));
        }
    }
    image.unwind.sort();
    image.unwind.dedup();
}

/// Where the index that PT_GNU_EH_FRAME names says that the table is.
fn table_of_index(image: &Image, addr: u64, size: u64) -> Option<u64> {
    let bytes = image.bytes_at(addr, size)?;
    let bases = BaseAddresses::default().set_eh_frame_hdr(addr);
    match EhFrameHdr::new(bytes, Little).parse(&bases, image.word_size() as u8).ok()?.eh_frame_ptr() {
        Pointer::Direct(p) => Some(p),
        Pointer::Indirect(_) => None,
    }
}

/// Address and size of the section `.eh_frame`.
fn named_section(image: &mut Image, header: &Header, file: &[u8]) -> Option<(u64, u64)> {
    let sections = section_headers(image, header, file);
    let names = sections.get(header.shstrndx)?;
    let names = bytes(file, names.offset, names.size)?;
    sections.iter().find(|s| section_name(s, names) == Some(b".eh_frame")).map(|s| (s.addr, s.size))
}

fn frames(bytes: &[u8], addr: u64, word: u8) -> (Vec<Range>, Option<String>) {
    let mut table: EhFrame<EndianSlice<'_, Little>> = EhFrame::new(bytes, Little);
    table.set_address_size(word);
    let bases = BaseAddresses::default().set_eh_frame(addr);
    let mut ranges = Vec::new();
    let mut entries = table.entries(&bases);
    loop {
        match entries.next() {
            Ok(Some(CieOrFde::Fde(partial))) => {
                // One bad FDE (of an unknown CIE, say) does not spoil its neighbours: lengths frame them.
                if let Ok(f) = partial.parse(EhFrame::cie_from_offset) {
                    let start = f.initial_address();
                    ranges.push(Range { start, end: start.saturating_add(f.len()) });
                }
            }
            Ok(Some(CieOrFde::Cie(_))) => {}
            Ok(None) => return (ranges, None),
            Err(e) => return (ranges, Some(e.to_string())),
        }
    }
}
