//! The dynamic section and relocation tables → [`Image::pointers`], initialisers and dynamic symbols. Static programs
//! without a dynamic section have their IRELATIVE relocations in a section. What is damaged is left out.

use crate::load::{LE, slice};
use crate::sections::{add_array, add_symbols, section_headers};
use crate::{Image, Pointer, Range};
use object::LittleEndian;
use object::elf::{self, Dyn64, FileHeader64, ProgramHeader64, Rela64, Sym64};

/// What a dynamic section says, addresses and sizes in bytes.
#[derive(Default)]
struct Dynamic {
    symtab: u64,
    strtab: u64,
    strsz: u64,
    tables: [(u64, u64); 2],
    relr: (u64, u64),
    arrays: [(u64, u64); 3],
    init: Vec<u64>,
}

/// Reads everything that relocations and the dynamic section tell. `Some(offset)` if the program needs shared
/// libraries: where in the file it says so.
pub(crate) fn read(
    image: &mut Image,
    header: &FileHeader64<LittleEndian>,
    headers: &[ProgramHeader64<LittleEndian>],
    arrays: &mut Vec<Range>,
) -> Option<u64> {
    let file = image.file.clone();
    let mut d = Dynamic::default();
    if let Some(h) = headers.iter().find(|h| h.p_type.get(LE) == elf::PT_DYNAMIC) {
        let (offset, size) = (h.p_offset.get(LE), h.p_filesz.get(LE));
        let Some(entries) = slice::<Dyn64<LittleEndian>>(&file, offset, size / 16) else {
            image.diagnostics.push("dynamic section beyond the end of the file ignored".to_owned());
            return None;
        };
        if let Some(i) = entries
            .iter()
            .take_while(|e| e.d_tag.get(LE) != elf::DT_NULL)
            .position(|e| e.d_tag.get(LE) == elf::DT_NEEDED)
        {
            return Some(offset + 16 * i as u64);
        }
        d = dynamic(entries);
    }
    let symbols = symbols(image, &d, &file);
    for (addr, size) in d.tables.into_iter().filter(|t| t.1 != 0) {
        let count = size / size_of::<Rela64<LittleEndian>>() as u64;
        let rela = rest(image, &file, addr).and_then(|r| slice(&file[..r.end], r.start as u64, count));
        match rela {
            Some(rela) => relocations(image, rela, symbols),
            None => {
                image.diagnostics.push(format!("relocations at 0x{addr:x} lie outside the file, ignored"))
            }
        }
    }
    packed(image, d.relr);
    for (addr, size) in d.arrays {
        if size != 0 {
            add_array(image, arrays, addr, size);
        }
    }
    image.init.extend(d.init);
    // Without a dynamic section, allocated relocation sections are what the start code applies.
    if d.tables.iter().all(|t| t.1 == 0) {
        for s in section_headers(image, header, &file) {
            let allocated = s.sh_flags.get(LE).0 & elf::SHF_ALLOC.0 != 0;
            if s.sh_type.get(LE) == elf::SHT_RELA && allocated {
                let count = s.sh_size.get(LE) / size_of::<Rela64<LittleEndian>>() as u64;
                if let Some(rela) = slice(&file, s.sh_offset.get(LE), count) {
                    relocations(image, rela, &[]);
                }
            }
        }
    }
    None
}

fn dynamic(entries: &[Dyn64<LittleEndian>]) -> Dynamic {
    let mut d = Dynamic::default();
    for e in entries {
        let v = e.d_val.get(LE);
        match e.d_tag.get(LE) {
            elf::DT_NULL => break,
            elf::DT_SYMTAB => d.symtab = v,
            elf::DT_STRTAB => d.strtab = v,
            elf::DT_STRSZ => d.strsz = v,
            elf::DT_RELA => d.tables[0].0 = v,
            elf::DT_RELASZ => d.tables[0].1 = v,
            elf::DT_JMPREL => d.tables[1].0 = v,
            elf::DT_PLTRELSZ => d.tables[1].1 = v,
            elf::DT_RELR => d.relr.0 = v,
            elf::DT_RELRSZ => d.relr.1 = v,
            elf::DT_INIT_ARRAY => d.arrays[0].0 = v,
            elf::DT_INIT_ARRAYSZ => d.arrays[0].1 = v,
            elf::DT_FINI_ARRAY => d.arrays[1].0 = v,
            elf::DT_FINI_ARRAYSZ => d.arrays[1].1 = v,
            elf::DT_PREINIT_ARRAY => d.arrays[2].0 = v,
            elf::DT_PREINIT_ARRAYSZ => d.arrays[2].1 = v,
            elf::DT_INIT | elf::DT_FINI => d.init.push(v),
            _ => {}
        }
    }
    d
}

/// The file's bytes from `addr` to the end of its segment.
fn rest(image: &Image, file: &[u8], addr: u64) -> Option<std::ops::Range<usize>> {
    let s = image.segment_at(addr)?;
    let from = s.offset + (addr - s.vaddr);
    let to = s.offset + s.filesz;
    (from <= to && to <= file.len() as u64).then_some(from as usize..to as usize)
}

/// The dynamic symbol table. Nothing records its length; the string table usually follows it at once.
fn symbols<'a>(image: &mut Image, d: &Dynamic, file: &'a [u8]) -> &'a [Sym64<LittleEndian>] {
    if d.symtab == 0 {
        return &[];
    }
    let Some(mut range) = rest(image, file, d.symtab) else { return &[] };
    if d.strtab > d.symtab {
        let len = usize::try_from(d.strtab - d.symtab).unwrap_or(usize::MAX);
        range.end = range.end.min(range.start.saturating_add(len));
    }
    let count = range.len() as u64 / size_of::<Sym64<LittleEndian>>() as u64;
    let symbols = slice(file, range.start as u64, count).unwrap_or(&[]);
    if image.symbols.is_empty() && d.strtab > d.symtab {
        let strings = rest(image, file, d.strtab).map_or(&[][..], |r| &file[r]);
        let strings = &strings[..strings.len().min(usize::try_from(d.strsz).unwrap_or(usize::MAX))];
        add_symbols(image, symbols, strings);
    }
    symbols
}

fn relocations(image: &mut Image, rela: &[Rela64<LittleEndian>], symbols: &[Sym64<LittleEndian>]) {
    // Sections of a damaged file may name one table many times.
    let most = image.file.len() / 8;
    for r in rela {
        if image.pointers.len() >= most {
            image.diagnostics.push("more relocations than the file has words: the rest ignored".to_owned());
            return;
        }
        let (at, info, addend) = (r.r_offset.get(LE), r.r_info.get(LE), r.r_addend.get(LE));
        let base = match elf::RelocationType(info as u32) {
            elf::R_AARCH64_RELATIVE | elf::R_AARCH64_IRELATIVE => 0,
            elf::R_AARCH64_ABS64 | elf::R_AARCH64_GLOB_DAT | elf::R_AARCH64_JUMP_SLOT => {
                match symbols.get((info >> 32) as usize) {
                    Some(s) if s.st_shndx.get(LE) != elf::SHN_UNDEF => s.st_value.get(LE),
                    _ => continue,
                }
            }
            _ => continue,
        };
        let target = base.wrapping_add_signed(addend);
        if image.segment_at(at).is_some() && image.segment_at(target).is_some() {
            image.pointers.push(Pointer { at, target });
        }
    }
}

/// DT_RELR: an address, then bitmaps of the 63 words that follow; the addends are in place.
fn packed(image: &mut Image, (addr, size): (u64, u64)) {
    if size == 0 {
        return;
    }
    let Some(words) = image.bytes_at(addr, size) else {
        image.diagnostics.push(format!("packed relocations at 0x{addr:x} lie outside the file, ignored"));
        return;
    };
    let most = image.file.len() / 8;
    let mut found = Vec::new();
    let mut next = 0u64;
    let mut add = |at: u64| {
        if let Some(target) = image.u64_at(at).filter(|&t| image.segment_at(t).is_some()) {
            found.push(Pointer { at, target });
        }
        found.len() < most
    };
    'words: for word in words.chunks_exact(8) {
        let word = u64::from_le_bytes(word.try_into().expect("invariant: chunk of 8"));
        if word & 1 == 0 {
            if !add(word) {
                break;
            }
            next = word.wrapping_add(8);
            continue;
        }
        for bit in 1..64 {
            if word >> bit & 1 != 0 && !add(next.wrapping_add(8 * (bit - 1))) {
                break 'words;
            }
        }
        next = next.wrapping_add(8 * 63);
    }
    image.pointers.append(&mut found);
}
