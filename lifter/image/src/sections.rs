//! Section headers → text ranges, symbols, mapping symbols, initialisers, build id. Sections are hints: a program runs
//! without them, so whatever is damaged or contradicts the segments is left out with a diagnostic.

use crate::load::{LE, at, slice};
use crate::{Image, Mapping, Range, Symbol};
use object::LittleEndian;
use object::elf::{self, FileHeader64, NoteHeader64, ProgramHeader64, SectionHeader64, Sym64};

type Header = SectionHeader64<LittleEndian>;

/// Reads what the section headers say; without (usable) ones, text is what executable segments hold.
pub(crate) fn read(
    image: &mut Image,
    header: &FileHeader64<LittleEndian>,
    headers: &[ProgramHeader64<LittleEndian>],
    arrays: &mut Vec<Range>,
) {
    let file = image.file.clone();
    let sections = section_headers(image, header, &file);
    text(image, sections, headers);
    for (i, s) in sections.iter().enumerate() {
        match s.sh_type.get(LE) {
            elf::SHT_SYMTAB | elf::SHT_DYNSYM => {
                let strings = sections.get(s.sh_link.get(LE) as usize);
                let strings =
                    strings.and_then(|t| slice::<u8>(&file, t.sh_offset.get(LE), t.sh_size.get(LE)));
                let count = s.sh_size.get(LE) / size_of::<Sym64<LittleEndian>>() as u64;
                match slice(&file, s.sh_offset.get(LE), count) {
                    Some(symbols) => {
                        if strings.is_none() {
                            image.diagnostics.push(format!("section {i}: symbols without a string table"));
                        }
                        add_symbols(image, symbols, strings.unwrap_or(&[]));
                    }
                    None => image
                        .diagnostics
                        .push(format!("section {i}: symbols beyond the end of the file ignored")),
                }
            }
            elf::SHT_INIT_ARRAY | elf::SHT_FINI_ARRAY | elf::SHT_PREINIT_ARRAY => {
                add_array(image, arrays, s.sh_addr.get(LE), s.sh_size.get(LE));
            }
            _ => {}
        }
    }
    crt_sections(image, header, sections, &file);
    for h in headers.iter().filter(|h| h.p_type.get(LE) == elf::PT_NOTE) {
        build_id(image, &file, h.p_offset.get(LE), h.p_filesz.get(LE));
    }
    for s in sections.iter().filter(|s| s.sh_type.get(LE) == elf::SHT_NOTE) {
        build_id(image, &file, s.sh_offset.get(LE), s.sh_size.get(LE));
    }
}

/// The section headers, empty if there are none or they are damaged.
pub(crate) fn section_headers<'a>(
    image: &mut Image,
    header: &FileHeader64<LittleEndian>,
    file: &'a [u8],
) -> &'a [Header] {
    let offset = header.e_shoff.get(LE);
    if offset == 0 {
        return &[];
    }
    let mut problem =
        |p: &str| image.diagnostics.push(format!("section headers at offset 0x{offset:x} ignored: {p}"));
    if usize::from(header.e_shentsize.get(LE)) != size_of::<Header>() {
        problem("wrong e_shentsize");
        return &[];
    }
    // More than 65279 sections: the count stands in the first one.
    let count = match header.e_shnum.get(LE) {
        0 => at::<Header>(file, offset).map_or(0, |s| s.sh_size.get(LE)),
        n => u64::from(n),
    };
    slice(file, offset, count).unwrap_or_else(|| {
        problem("beyond the end of the file");
        &[]
    })
}

fn text(image: &mut Image, sections: &[Header], headers: &[ProgramHeader64<LittleEndian>]) {
    let wanted = elf::SHF_ALLOC.0 | elf::SHF_EXECINSTR.0;
    for (i, s) in sections.iter().enumerate() {
        let (start, size) = (s.sh_addr.get(LE), s.sh_size.get(LE));
        if s.sh_flags.get(LE).0 & wanted != wanted || size == 0 || s.sh_type.get(LE) != elf::SHT_PROGBITS {
            continue;
        }
        let inside = image
            .segment_at(start)
            .is_some_and(|g| g.exec && size <= g.file_backed().end.saturating_sub(start));
        if inside {
            image.text.push(Range { start, end: start + size });
        } else {
            image.diagnostics.push(format!("section {i}: not inside an executable segment, ignored"));
        }
    }
    normalize(&mut image.text);
    if !image.is_text(image.entry) {
        if !image.text.is_empty() {
            image
                .diagnostics
                .push("section headers do not cover the entry: taking whole segments as text".to_owned());
        }
        image.text =
            image.segments.iter().filter(|s| s.exec && s.filesz > 0).map(|s| s.file_backed()).collect();
        image.text_exact = false;
        exclude_tables(image, headers);
    }
    limit_span(image);
}

/// Bytes from the first to the last address of text that are always allowed.
const SPAN: u64 = 16 << 20;

/// Leaves text that lies far from the entry's to the interpreter: tables of outputs cover everything in between.
fn limit_span(image: &mut Image) {
    let total: u64 = image.text.iter().map(Range::len).sum();
    let limit = SPAN + 8 * total;
    let text = &image.text;
    let first = text.iter().position(|r| r.contains(image.entry)).unwrap_or(0);
    let (mut low, mut high) = (first, first + 1);
    loop {
        let fits = |low: usize, high: usize| text[high - 1].end - text[low].start <= limit;
        let left = low.checked_sub(1).filter(|&l| fits(l, high)).map(|l| text[low].start - text[l].end);
        let right = (high < text.len() && fits(low, high + 1)).then(|| text[high].start - text[high - 1].end);
        match (left, right) {
            (None, None) => break,
            (Some(l), r) if r.is_none_or(|r| l <= r) => low -= 1,
            _ => high += 1,
        }
    }
    for r in text[..low].iter().chain(text.get(high..).unwrap_or(&[])) {
        let (start, end) = (r.start, r.end);
        let text = format!("text at 0x{start:x}–0x{end:x} lies too far from the entry: it is interpreted");
        image.diagnostics.push(text);
    }
    image.text.truncate(high);
    image.text.drain(..low.min(image.text.len()));
}

/// Takes out of segment-wide text what program headers say is data: the headers themselves and the unwind table index.
fn exclude_tables(image: &mut Image, headers: &[ProgramHeader64<LittleEndian>]) {
    let mut out: Vec<Range> = Vec::new();
    if let Some(s) = image.segments.iter().find(|s| s.exec && s.offset == 0) {
        let end = s.vaddr + (64 + image.phnum * image.phent).min(s.filesz);
        out.push(Range { start: s.vaddr, end });
    }
    for h in headers {
        let data = matches!(
            h.p_type.get(LE),
            elf::PT_NOTE | elf::PT_GNU_EH_FRAME | elf::PT_DYNAMIC | elf::PT_TLS | elf::PT_GNU_PROPERTY
        );
        if let (true, Some(end)) = (data, h.p_vaddr.get(LE).checked_add(h.p_filesz.get(LE))) {
            out.push(Range { start: h.p_vaddr.get(LE), end: end.next_multiple_of(4) });
        }
    }
    let entry = image.entry;
    out.retain(|r| !r.contains(entry));
    subtract(&mut image.text, out);
}

/// Sorts ranges and merges those that touch, so that they are disjoint.
pub(crate) fn normalize(ranges: &mut Vec<Range>) {
    ranges.sort();
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for r in ranges.drain(..) {
        match merged.last_mut() {
            Some(l) if r.start <= l.end => l.end = l.end.max(r.end),
            _ => merged.push(r),
        }
    }
    *ranges = merged;
}

/// Removes `holes` from sorted disjoint `ranges`.
pub(crate) fn subtract(ranges: &mut Vec<Range>, mut holes: Vec<Range>) {
    normalize(&mut holes);
    let mut left = Vec::with_capacity(ranges.len());
    for r in ranges.iter() {
        let mut start = r.start;
        let first = holes.partition_point(|h| h.end <= r.start);
        for h in holes[first..].iter().take_while(|h| h.start < r.end) {
            if h.start > start {
                left.push(Range { start, end: h.start });
            }
            start = start.max(h.end);
        }
        if start < r.end {
            left.push(Range { start, end: r.end });
        }
    }
    *ranges = left;
}

/// Adds the defined symbols of a table.
pub(crate) fn add_symbols(image: &mut Image, symbols: &[Sym64<LittleEndian>], strings: &[u8]) {
    // Tables share string tails, but only damaged ones make more of them than this.
    let mut budget = 4 * strings.len() + 4096;
    let most = image.file.len() / size_of::<Sym64<LittleEndian>>();
    for s in symbols {
        if budget == 0 || image.symbols.len() + image.mapping.len() > most {
            image.diagnostics.push("symbols overlap each other: the rest of their table ignored".to_owned());
            return;
        }
        let addr = s.st_value.get(LE);
        let name = strings.get(s.st_name.get(LE) as usize..).unwrap_or(&[]);
        // Names longer than that exist only in damaged files, where many of them would share one long tail.
        let name = &name[..name.len().min(1 << 14)];
        let name = name.split(|&b| b == 0).next().unwrap_or(&[]);
        let kind = s.st_info.st_type();
        let mapping = match name {
            [b'$', k @ (b'x' | b'd'), rest @ ..] if rest.is_empty() || rest[0] == b'.' => Some(*k == b'x'),
            _ => None,
        };
        let defined = s.st_shndx.get(LE) != elf::SHN_UNDEF && s.st_shndx.get(LE) != elf::SHN_ABS;
        if !defined || image.segment_at(addr).is_none() {
            continue;
        }
        if let Some(code) = mapping {
            image.mapping.push(Mapping { addr, code });
            continue;
        }
        let function = kind == elf::STT_FUNC || kind == elf::STT_GNU_IFUNC;
        if name.is_empty() || !(function || kind == elf::STT_OBJECT || kind == elf::STT_NOTYPE) {
            continue;
        }
        budget = budget.saturating_sub(name.len());
        let size = s.st_size.get(LE);
        let size = if addr.checked_add(size).is_some_and(|e| image.segment_at(e.saturating_sub(1)).is_some())
        {
            size
        } else {
            0
        };
        image.symbols.push(Symbol { name: String::from_utf8_lossy(name).into_owned(), addr, size, function });
    }
}

/// Adds the code addresses in an array of them, as the file has them; relocated ones come with the relocations.
pub(crate) fn add_array(image: &mut Image, arrays: &mut Vec<Range>, addr: u64, size: u64) {
    let range = Range { start: addr, end: addr.saturating_add(size) };
    // Sections and dynamic entries name the same arrays; overlapping ones are damage.
    if arrays.iter().any(|r| r.start < range.end && range.start < r.end) {
        return;
    }
    let Some(bytes) = image.bytes_at(addr, size) else {
        image.diagnostics.push(format!("initialiser array at 0x{addr:x} lies outside the file, ignored"));
        return;
    };
    let entries: Vec<u64> = bytes
        .chunks_exact(8)
        .map(|c| u64::from_le_bytes(c.try_into().expect("invariant: chunk of 8")))
        .collect();
    image.init.extend(entries);
    arrays.push(range);
}

/// `.init` and `.fini` are functions that no symbol need name (static programs have no DT_INIT).
fn crt_sections(image: &mut Image, header: &FileHeader64<LittleEndian>, sections: &[Header], file: &[u8]) {
    let names = sections.get(header.e_shstrndx.get(LE).0 as usize);
    let Some(names) = names.and_then(|s| slice::<u8>(file, s.sh_offset.get(LE), s.sh_size.get(LE))) else {
        return;
    };
    for s in sections {
        let name = names.get(s.sh_name.get(LE) as usize..).and_then(|n| n.split(|&b| b == 0).next());
        if matches!(name, Some(b".init" | b".fini")) {
            image.init.push(s.sh_addr.get(LE));
        }
    }
}

fn build_id(image: &mut Image, file: &[u8], offset: u64, size: u64) {
    let Some(mut bytes) = slice::<u8>(file, offset, size.min(1 << 16)) else { return };
    while image.build_id.is_none() {
        let Some(h) = at::<NoteHeader64<LittleEndian>>(bytes, 0) else { return };
        let (name, desc) = (h.n_namesz.get(LE) as usize, h.n_descsz.get(LE) as usize);
        let at_desc = 12 + name.next_multiple_of(4);
        let Some(body) = at_desc.checked_add(desc).and_then(|end| bytes.get(at_desc..end)) else { return };
        if h.n_type.get(LE) == elf::NT_GNU_BUILD_ID && bytes.get(12..16) == Some(b"GNU\0") && !body.is_empty()
        {
            image.build_id = Some(body.to_vec());
        }
        let Some(rest) = bytes.get((at_desc + desc).next_multiple_of(4)..) else { return };
        bytes = rest;
    }
}

/// Sorts and dedupes what several sources gave.
pub(crate) fn finish(image: &mut Image, arrays: &[Range]) {
    image
        .symbols
        .sort_by(|a, b| (a.addr, !a.function, &a.name, a.size).cmp(&(b.addr, !b.function, &b.name, b.size)));
    image.symbols.dedup();
    image.mapping.sort_by_key(|m| (m.addr, m.code));
    // Where both kinds stand at one address, code wins: an empty literal pool.
    image.mapping.dedup_by(|later, first| {
        let same = later.addr == first.addr;
        if same {
            first.code |= later.code;
        }
        same
    });
    image.pointers.sort_by_key(|p| (p.at, p.target));
    image.pointers.dedup();
    let relocated =
        image.pointers.iter().filter(|p| arrays.iter().any(|r| r.contains(p.at))).map(|p| p.target);
    image.init.extend(relocated.collect::<Vec<_>>());
    let mut init = std::mem::take(&mut image.init);
    init.retain(|&a| a % 4 == 0 && image.is_text(a));
    init.sort_unstable();
    init.dedup();
    image.init = init;
}
