//! The dynamic section and relocation tables → [`Image::pointers`], initialisers and dynamic symbols. Static programs
//! without a dynamic section have their IRELATIVE relocations in a section. What is damaged is left out.

use crate::elf::{self as file, Class, Header, Program, Relocation, Sym, Table};
use crate::sections::{add_array, add_symbols, little_endian, section_headers};
use crate::{Image, Pointer, Range, needed};
use isa::Isa;
use object::elf;

/// What a dynamic section says, addresses and sizes in bytes.
#[derive(Default)]
struct Dynamic {
    symtab: u64,
    strtab: u64,
    strsz: u64,
    rela: (u64, u64),
    rel: (u64, u64),
    /// Relocations of the procedure linkage table, and DT_PLTREL, which says what they are.
    plt: (u64, u64),
    plt_kind: u64,
    relr: (u64, u64),
    arrays: [(u64, u64); 3],
    init: Vec<u64>,
}

/// Reads everything that relocations and the dynamic section tell. `Some(offset)` if the program needs shared libraries:
/// where in the file it says so. What refers to symbols of theirs is left out.
pub(crate) fn read(
    image: &mut Image,
    header: &Header,
    headers: &Table<'_, Program>,
    arrays: &mut Vec<Range>,
) -> Option<u64> {
    let file = image.file.clone();
    let mut d = Dynamic::default();
    let mut needs = None;
    let mut entries = Table::empty();
    let class = header.class;
    if let Some(h) = headers.iter().find(|h| h.kind == elf::PT_DYNAMIC) {
        let Some(table) = class.dynamics(&file, h.offset, h.filesz) else {
            image.diagnostics.push("dynamic section beyond the end of the file ignored".to_owned());
            return None;
        };
        let mut used = table.iter().take_while(|e| e.tag != elf::DT_NULL);
        let first = used.position(|e| e.tag == elf::DT_NEEDED);
        needs = first.map(|i| h.offset + class.dynamic_size() * i as u64);
        entries = table;
        d = dynamic(entries);
    }
    let strings = strings(image, &d, &file);
    needed::read(image, entries, strings);
    let symbols = symbols(image, class, &d, strings, &file);
    let plt_rela = d.plt_kind == elf::DT_RELA.0 as u64 || (d.plt_kind == 0 && image.isa == Isa::A64);
    let tables = [(d.rela, true), (d.rel, false), (d.plt, plt_rela)];
    for ((addr, size), addends) in tables.into_iter().filter(|t| t.0.1 != 0) {
        let table = rest(image, &file, addr).and_then(|r| {
            let file = &file[..r.end];
            let start = r.start as u64;
            if addends { class.relas(file, start, size) } else { class.rels(file, start, size) }
        });
        match table {
            Some(table) => relocations(image, table, symbols),
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
    if tables.iter().all(|t| t.0.1 == 0) {
        for s in section_headers(image, header, &file).iter().filter(|s| s.flags & elf::SHF_ALLOC.0 != 0) {
            let table = match s.kind {
                elf::SHT_RELA => class.relas(&file, s.offset, s.size),
                elf::SHT_REL => class.rels(&file, s.offset, s.size),
                _ => None,
            };
            if let Some(table) = table {
                relocations(image, table, Table::empty());
            }
        }
    }
    needs
}

fn dynamic(entries: Table<'_, file::Dynamic>) -> Dynamic {
    let mut d = Dynamic::default();
    for e in entries.iter() {
        let v = e.value;
        match e.tag {
            elf::DT_NULL => break,
            elf::DT_SYMTAB => d.symtab = v,
            elf::DT_STRTAB => d.strtab = v,
            elf::DT_STRSZ => d.strsz = v,
            elf::DT_RELA => d.rela.0 = v,
            elf::DT_RELASZ => d.rela.1 = v,
            elf::DT_REL => d.rel.0 = v,
            elf::DT_RELSZ => d.rel.1 = v,
            elf::DT_JMPREL => d.plt.0 = v,
            elf::DT_PLTRELSZ => d.plt.1 = v,
            elf::DT_PLTREL => d.plt_kind = v,
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

/// The dynamic string table, empty if it is not there.
fn strings<'a>(image: &Image, d: &Dynamic, file: &'a [u8]) -> &'a [u8] {
    let range = (d.strtab != 0).then(|| rest(image, file, d.strtab)).flatten();
    let strings = range.map_or(&[][..], |r| &file[r]);
    &strings[..strings.len().min(usize::try_from(d.strsz).unwrap_or(usize::MAX))]
}

/// The dynamic symbol table. Nothing records its length; the string table usually follows it at once.
fn symbols<'a>(
    image: &mut Image,
    class: Class,
    d: &Dynamic,
    strings: &[u8],
    file: &'a [u8],
) -> Table<'a, Sym> {
    if d.symtab == 0 {
        return Table::empty();
    }
    let Some(mut range) = rest(image, file, d.symtab) else { return Table::empty() };
    if d.strtab > d.symtab {
        let len = usize::try_from(d.strtab - d.symtab).unwrap_or(usize::MAX);
        range.end = range.end.min(range.start.saturating_add(len));
    }
    let symbols = class.symbols(file, range.start as u64, range.len() as u64).unwrap_or_else(Table::empty);
    if image.symbols.is_empty() && d.strtab > d.symtab {
        add_symbols(image, symbols, strings);
    }
    symbols
}

/// What a relocation writes.
enum Writes {
    /// The addend, moved as the program is.
    Base,
    /// A symbol's address; with the addend.
    Symbol(bool),
    /// Nothing that is an address in this program.
    Other,
}

fn writes(isa: Isa, kind: elf::RelocationType) -> Writes {
    match (isa, kind) {
        (Isa::A64, elf::R_AARCH64_RELATIVE | elf::R_AARCH64_IRELATIVE) => Writes::Base,
        (Isa::A64, elf::R_AARCH64_ABS64 | elf::R_AARCH64_GLOB_DAT | elf::R_AARCH64_JUMP_SLOT) => {
            Writes::Symbol(true)
        }
        (Isa::A32, elf::R_ARM_RELATIVE | elf::R_ARM_IRELATIVE) => Writes::Base,
        (Isa::A32, elf::R_ARM_ABS32) => Writes::Symbol(true),
        // What stands in place is the address of the linkage table's stub, no addend.
        (Isa::A32, elf::R_ARM_GLOB_DAT | elf::R_ARM_JUMP_SLOT) => Writes::Symbol(false),
        _ => Writes::Other,
    }
}

fn relocations(image: &mut Image, table: Table<'_, Relocation>, symbols: Table<'_, Sym>) {
    // Sections of a damaged file may name one table many times.
    let most = image.file.len() / image.word_size() as usize;
    for r in table.iter() {
        if image.pointers.len() >= most {
            image.diagnostics.push("more relocations than the file has words: the rest ignored".to_owned());
            return;
        }
        let (base, with_addend) = match writes(image.isa, r.kind) {
            Writes::Base => (0, true),
            Writes::Symbol(with_addend) => match symbols.get(r.symbol) {
                Some(s) if s.shndx != elf::SHN_UNDEF => (s.value, with_addend),
                _ => continue,
            },
            Writes::Other => continue,
        };
        let addend = match r.addend {
            Some(a) => a as u64,
            None if with_addend => match image.word_at(r.at) {
                Some(w) => w,
                None => continue,
            },
            None => 0,
        };
        let target = match image.isa {
            Isa::A64 => base.wrapping_add(addend),
            Isa::A32 => u64::from(base.wrapping_add(addend) as u32),
        };
        if image.segment_at(r.at).is_some() && image.segment_at(target).is_some() {
            image.pointers.push(Pointer { at: r.at, target });
        }
    }
}

/// DT_RELR: an address, then bitmaps of the words that follow, one fewer than a word has bits; the addends are in place.
fn packed(image: &mut Image, (addr, size): (u64, u64)) {
    if size == 0 {
        return;
    }
    let Some(words) = image.bytes_at(addr, size) else {
        image.diagnostics.push(format!("packed relocations at 0x{addr:x} lie outside the file, ignored"));
        return;
    };
    let size = image.word_size();
    let bits = 8 * size;
    let most = image.file.len() / size as usize;
    let mut found = Vec::new();
    let mut next = 0u64;
    let mut add = |at: u64| {
        if let Some(target) = image.word_at(at).filter(|&t| image.segment_at(t).is_some()) {
            found.push(Pointer { at, target });
        }
        found.len() < most
    };
    'words: for word in words.chunks_exact(size as usize) {
        let word = little_endian(word);
        if word & 1 == 0 {
            if !add(word) {
                break;
            }
            next = word.wrapping_add(size);
            continue;
        }
        for bit in 1..bits {
            if word >> bit & 1 != 0 && !add(next.wrapping_add(size * (bit - 1))) {
                break 'words;
            }
        }
        next = next.wrapping_add(size * (bits - 1));
    }
    image.pointers.append(&mut found);
}
