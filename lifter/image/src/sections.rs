//! Section headers → text ranges, symbols, mapping symbols, initialisers, build id. Sections are hints: a program runs
//! without them, so whatever is damaged or contradicts the segments is left out with a diagnostic.

use crate::elf::{Class, Header, Program, Section, Sym, Table, bytes, note};
use crate::{Image, Mapping, Range, Symbol};
use isa::Isa;
use object::elf;

/// Reads what the section headers say; without (usable) ones, text is what executable segments hold. `entry` is where the file's
/// code begins, `None` for libraries that do not say.
pub(crate) fn read(
    image: &mut Image,
    header: &Header,
    headers: &Table<'_, Program>,
    entry: Option<u64>,
    arrays: &mut Vec<Range>,
) {
    let file = image.file.clone();
    let sections = section_headers(image, header, &file);
    text(image, &sections, headers, entry);
    for (i, s) in sections.iter().enumerate() {
        match s.kind {
            elf::SHT_SYMTAB | elf::SHT_DYNSYM => {
                let strings = sections.get(s.link).and_then(|t| bytes(&file, t.offset, t.size));
                match header.class.symbols(&file, s.offset, s.size) {
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
                add_array(image, arrays, s.addr, s.size);
            }
            _ => {}
        }
    }
    crt_sections(image, header, &sections, &file);
    for h in headers.iter().filter(|h| h.kind == elf::PT_NOTE) {
        build_id(image, &file, h.offset, h.filesz);
    }
    for s in sections.iter().filter(|s| s.kind == elf::SHT_NOTE) {
        build_id(image, &file, s.offset, s.size);
    }
}

/// The section headers, empty if there are none or they are damaged.
pub(crate) fn section_headers<'a>(image: &mut Image, header: &Header, file: &'a [u8]) -> Table<'a, Section> {
    let offset = header.shoff;
    if offset == 0 {
        return Table::empty();
    }
    let mut problem =
        |p: &str| image.diagnostics.push(format!("section headers at offset 0x{offset:x} ignored: {p}"));
    let size = header.class.section_size();
    if header.shentsize != size {
        problem("wrong e_shentsize");
        return Table::empty();
    }
    // More than 65279 sections: the count stands in the first one.
    let count = match header.shnum {
        0 => {
            let first = header.class.sections(file, offset, size).and_then(|t| t.get(0));
            first.map_or(0, |s| s.size)
        }
        n => n,
    };
    let table = count.checked_mul(size).and_then(|size| header.class.sections(file, offset, size));
    table.unwrap_or_else(|| {
        problem("beyond the end of the file");
        Table::empty()
    })
}

/// The name of a section, `names` being the section of names.
pub(crate) fn section_name<'a>(s: &Section, names: &'a [u8]) -> Option<&'a [u8]> {
    names.get(s.name as usize..)?.split(|&b| b == 0).next()
}

fn text(image: &mut Image, sections: &Table<'_, Section>, headers: &Table<'_, Program>, entry: Option<u64>) {
    let wanted = elf::SHF_ALLOC.0 | elf::SHF_EXECINSTR.0;
    for (i, s) in sections.iter().enumerate() {
        let (start, size) = (s.addr, s.size);
        if s.flags & wanted != wanted || size == 0 || s.kind != elf::SHT_PROGBITS {
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
    let covered = entry.map_or(!image.text.is_empty(), |e| image.is_text(e));
    if !covered {
        if !image.text.is_empty() {
            image
                .diagnostics
                .push("section headers do not cover the entry: taking whole segments as text".to_owned());
        }
        image.text =
            image.segments.iter().filter(|s| s.exec && s.filesz > 0).map(|s| s.file_backed()).collect();
        image.text_exact = false;
        exclude_tables(image, headers, entry);
    }
    limit_span(image, entry);
}

/// Bytes from the first to the last address of text that are always allowed.
const SPAN: u64 = 16 << 20;

/// Leaves text that lies far from the entry's, or without an entry from the largest, to the interpreter: tables of outputs cover
/// everything in between.
fn limit_span(image: &mut Image, entry: Option<u64>) {
    let total: u64 = image.text.iter().map(Range::len).sum();
    let limit = SPAN + 8 * total;
    let text = &image.text;
    let largest = || (0..text.len()).max_by_key(|&i| text[i].len());
    let first = entry.and_then(|e| text.iter().position(|r| r.contains(e))).or_else(largest).unwrap_or(0);
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
        let text = format!("text at 0x{start:x}–0x{end:x} lies too far from the rest: it is interpreted");
        image.diagnostics.push(text);
    }
    image.text.truncate(high);
    image.text.drain(..low.min(image.text.len()));
}

/// Takes out of segment-wide text what program headers say is data: the headers themselves and the unwind table index.
fn exclude_tables(image: &mut Image, headers: &Table<'_, Program>, entry: Option<u64>) {
    let mut out: Vec<Range> = Vec::new();
    let header_size = match image.isa {
        Isa::A64 => Class::Elf64.header_size(),
        Isa::A32 => Class::Elf32.header_size(),
    };
    if let Some(s) = image.segments.iter().find(|s| s.exec && s.offset == 0) {
        let end = s.vaddr + (header_size + image.phnum * image.phent).min(s.filesz);
        out.push(Range { start: s.vaddr, end });
    }
    for h in headers.iter() {
        // PT_ARM_EXIDX has the number of another machine's header elsewhere.
        let exidx = image.isa == Isa::A32 && h.kind == elf::PT_ARM_EXIDX;
        let data = matches!(
            h.kind,
            elf::PT_NOTE | elf::PT_GNU_EH_FRAME | elf::PT_DYNAMIC | elf::PT_TLS | elf::PT_GNU_PROPERTY
        );
        if let (true, Some(end)) = (data || exidx, h.vaddr.checked_add(h.filesz)) {
            out.push(Range { start: h.vaddr, end: end.next_multiple_of(4) });
        }
    }
    out.retain(|r| entry.is_none_or(|e| !r.contains(e)));
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

/// The kind of bytes that a mapping symbol's name says: code, and in which state.
fn mapping(isa: Isa, name: &[u8]) -> Option<(bool, bool)> {
    let [b'$', kind, rest @ ..] = name else { return None };
    let marks = match (isa, *kind) {
        (_, b'd') => (false, false),
        (Isa::A64, b'x') | (Isa::A32, b'a') => (true, false),
        (Isa::A32, b't') => (true, true),
        _ => return None,
    };
    (rest.is_empty() || rest[0] == b'.').then_some(marks)
}

/// Adds the defined symbols of a table.
pub(crate) fn add_symbols(image: &mut Image, symbols: Table<'_, Sym>, strings: &[u8]) {
    // Tables share string tails, but only damaged ones make more of them than this.
    let mut budget = 4 * strings.len() + 4096;
    let class = if image.isa == Isa::A64 { Class::Elf64 } else { Class::Elf32 };
    let most = image.file.len() / class.symbol_size() as usize;
    for s in symbols.iter() {
        if budget == 0 || image.symbols.len() + image.mapping.len() > most {
            image.diagnostics.push("symbols overlap each other: the rest of their table ignored".to_owned());
            return;
        }
        let addr = s.value;
        let name = strings.get(s.name as usize..).unwrap_or(&[]);
        // Names longer than that exist only in damaged files, where many of them would share one long tail.
        let name = &name[..name.len().min(1 << 14)];
        let name = name.split(|&b| b == 0).next().unwrap_or(&[]);
        let defined = s.shndx != elf::SHN_UNDEF && s.shndx != elf::SHN_ABS;
        if !defined || image.segment_at(addr).is_none() {
            continue;
        }
        if let Some((code, thumb)) = mapping(image.isa, name) {
            image.mapping.push(Mapping { addr, code, thumb });
            continue;
        }
        let function = s.kind == elf::STT_FUNC || s.kind == elf::STT_GNU_IFUNC;
        if name.is_empty() || !(function || s.kind == elf::STT_OBJECT || s.kind == elf::STT_NOTYPE) {
            continue;
        }
        budget = budget.saturating_sub(name.len());
        let end = addr.checked_add(s.size);
        let size =
            if end.is_some_and(|e| image.segment_at(e.saturating_sub(1)).is_some()) { s.size } else { 0 };
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
    let word = image.word_size() as usize;
    let entries: Vec<u64> = bytes.chunks_exact(word).map(little_endian).collect();
    image.init.extend(entries);
    arrays.push(range);
}

/// The number that up to eight bytes are.
pub(crate) fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b))
}

/// `.init` and `.fini` are functions that no symbol need name (static programs have no DT_INIT).
fn crt_sections(image: &mut Image, header: &Header, sections: &Table<'_, Section>, file: &[u8]) {
    let names = sections.get(header.shstrndx);
    let Some(names) = names.and_then(|s| bytes(file, s.offset, s.size)) else { return };
    for s in sections.iter() {
        if matches!(section_name(&s, names), Some(b".init" | b".fini")) {
            // The section's address does not say the state.
            match image.isa {
                Isa::A64 => image.init.push(s.addr),
                Isa::A32 => image.starts.push(s.addr),
            }
        }
    }
}

fn build_id(image: &mut Image, file: &[u8], offset: u64, size: u64) {
    let Some(mut bytes) = bytes(file, offset, size.min(1 << 16)) else { return };
    while image.build_id.is_none() {
        let Some((name, desc, kind)) = note(bytes) else { return };
        let at_desc = 12 + name.next_multiple_of(4);
        let Some(body) = at_desc.checked_add(desc).and_then(|end| bytes.get(at_desc..end)) else { return };
        if kind == elf::NT_GNU_BUILD_ID && bytes.get(12..16) == Some(b"GNU\0") && !body.is_empty() {
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
    image.mapping.sort_by_key(|m| (m.addr, m.code, m.thumb));
    // Where both kinds stand at one address, code wins: an empty literal pool.
    image.mapping.dedup_by(|later, first| {
        let same = later.addr == first.addr;
        if same {
            first.code |= later.code;
            first.thumb |= later.thumb;
        }
        same
    });
    image.pointers.sort_by_key(|p| (p.at, p.target));
    image.pointers.dedup();
    let relocated =
        image.pointers.iter().filter(|p| arrays.iter().any(|r| r.contains(p.at))).map(|p| p.target);
    image.init.extend(relocated.collect::<Vec<_>>());
    let mut init = std::mem::take(&mut image.init);
    init.retain(|&a| image.isa.is_aligned(a) && image.is_text(a));
    init.sort_unstable();
    init.dedup();
    image.init = init;
    image.starts.sort_unstable();
    image.starts.dedup();
}
