//! File header and program headers → the [`Image`]'s memory layout. What the kernel would need to run the program is
//! checked here and refused if wrong; everything else (sections, symbols, relocations, unwind tables) is read by the
//! other files, which ignore damage.

use crate::{Error, Feature, Image, Segment, relocs, sections, unwind};
use object::LittleEndian;
use object::elf::{self, FileHeader64, ProgramHeader64};
use object::pod::{self, Pod};
use std::sync::Arc;

/// Byte order of all typed reads.
pub(crate) const LE: LittleEndian = LittleEndian;

/// User addresses end here on AArch64 with 48-bit addresses, and on x86-64 one bit earlier: the smaller counts.
const ADDRESS_LIMIT: u64 = 1 << 47;

/// All segments together; leaves room for stack, heap and mappings.
const MEMORY_LIMIT: u64 = 1 << 46;

/// As the kernel: program headers fit in 64 KiB.
const MAX_HEADERS: u64 = 65536 / 56;

/// A value of type `T` at `offset`.
pub(crate) fn at<T: Pod>(file: &[u8], offset: u64) -> Option<&T> {
    let bytes = file.get(usize::try_from(offset).ok()?..)?;
    pod::from_bytes(bytes).ok().map(|(v, _)| v)
}

/// `count` values of type `T` at `offset`.
pub(crate) fn slice<T: Pod>(file: &[u8], offset: u64, count: u64) -> Option<&[T]> {
    let bytes = file.get(usize::try_from(offset).ok()?..)?;
    pod::slice_from_bytes(bytes, usize::try_from(count).ok()?).ok().map(|(v, _)| v)
}

struct Refuse<'a>(&'a str);

impl Refuse<'_> {
    fn unsupported<T>(&self, feature: Feature, field: &'static str, offset: u64) -> Result<T, Error> {
        Err(Error::Unsupported { file: self.0.to_owned(), feature, field, offset })
    }

    fn malformed<T>(&self, field: &'static str, offset: u64, problem: impl Into<String>) -> Result<T, Error> {
        Err(Error::Malformed { file: self.0.to_owned(), field, offset, problem: problem.into() })
    }
}

/// Reads an AArch64 Linux executable. `name` is for messages. Never panics, and takes time and memory in proportion to
/// the file's size, whatever the bytes are.
pub fn load(name: &str, bytes: impl Into<Arc<[u8]>>) -> Result<Image, Error> {
    let file: Arc<[u8]> = bytes.into();
    let no = Refuse(name);
    let header = check_header(&no, name, &file)?;
    let phoff = header.e_phoff.get(LE);
    let headers = program_headers(&no, header, &file)?;
    let mut image = Image {
        name: name.to_owned(),
        file: file.clone(),
        position_independent: header.e_type.get(LE) == elf::ET_DYN,
        entry: header.e_entry.get(LE),
        phdr: 0,
        phnum: headers.len() as u64,
        phent: size_of::<ProgramHeader64<LittleEndian>>() as u64,
        exec_stack: true,
        segments: Vec::new(),
        text: Vec::new(),
        text_exact: true,
        symbols: Vec::new(),
        mapping: Vec::new(),
        unwind: Vec::new(),
        pointers: Vec::new(),
        init: Vec::new(),
        build_id: None,
        diagnostics: Vec::new(),
    };
    for (i, h) in headers.iter().enumerate() {
        let offset = phoff + 56 * i as u64;
        match h.p_type.get(LE) {
            elf::PT_LOAD if h.p_memsz.get(LE) != 0 => image.segments.push(segment(&no, h, offset, &file)?),
            elf::PT_LOAD if h.p_filesz.get(LE) != 0 => {
                return no.malformed("p_memsz", offset + 40, "less than p_filesz");
            }
            elf::PT_INTERP => return no.unsupported(Feature::Interpreter, "PT_INTERP", offset),
            elf::PT_GNU_STACK => image.exec_stack = h.p_flags.get(LE).0 & elf::PF_X.0 != 0,
            _ => {}
        }
    }
    check_layout(&no, &mut image, phoff)?;
    let table = size_of::<ProgramHeader64<LittleEndian>>() as u64 * image.phnum;
    image.phdr = image
        .segments
        .iter()
        .find(|s| s.offset <= phoff && phoff + table <= s.offset + s.filesz)
        .map_or(0, |s| s.vaddr + (phoff - s.offset));

    let mut arrays = Vec::new();
    sections::read(&mut image, header, headers, &mut arrays);
    if let Some(offset) = relocs::read(&mut image, header, headers, &mut arrays) {
        return no.unsupported(Feature::Needed, "DT_NEEDED", offset);
    }
    unwind::read(&mut image, header, headers);
    sections::finish(&mut image, &arrays);
    Ok(image)
}

fn check_header<'a>(
    no: &Refuse<'_>,
    name: &str,
    file: &'a [u8],
) -> Result<&'a FileHeader64<LittleEndian>, Error> {
    if file.get(..4) != Some(&elf::ELFMAG) {
        return Err(Error::NotElf { file: name.to_owned() });
    }
    let (Some(&class), Some(&data)) = (file.get(4), file.get(5)) else {
        return no.malformed("e_ident", 0, "cut short");
    };
    let big = data == elf::ELFDATA2MSB.0;
    let half = |at: usize| match file.get(at..at + 2) {
        Some(&[a, b]) => Some(if big { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) }),
        _ => None,
    };
    let (Some(kind), Some(machine)) = (half(16), half(18)) else {
        return no.malformed("e_type", 16, "the file ends before it");
    };
    // The machine first: it says most about what the user has in hand.
    if machine == elf::EM_ARM.0 {
        return no.unsupported(Feature::AArch32, "e_machine", 18);
    }
    if machine != elf::EM_AARCH64.0 {
        return no.unsupported(Feature::Machine(machine), "e_machine", 18);
    }
    if class == elf::ELFCLASS32.0 {
        return no.unsupported(Feature::Ilp32, "e_ident[EI_CLASS]", 4);
    }
    if class != elf::ELFCLASS64.0 {
        return no.malformed("e_ident[EI_CLASS]", 4, format!("{class} is no class"));
    }
    if big {
        return no.unsupported(Feature::BigEndian, "e_ident[EI_DATA]", 5);
    }
    if data != elf::ELFDATA2LSB.0 {
        return no.malformed("e_ident[EI_DATA]", 5, format!("{data} is no byte order"));
    }
    match elf::FileType(kind) {
        elf::ET_EXEC | elf::ET_DYN => {}
        elf::ET_REL => return no.unsupported(Feature::Relocatable, "e_type", 16),
        elf::ET_CORE => return no.unsupported(Feature::Core, "e_type", 16),
        _ => return no.unsupported(Feature::FileType(kind), "e_type", 16),
    }
    match at::<FileHeader64<LittleEndian>>(file, 0) {
        Some(h) => Ok(h),
        None => no.malformed("e_ident", 0, "the file ends inside the ELF header"),
    }
}

fn program_headers<'a>(
    no: &Refuse<'_>,
    header: &FileHeader64<LittleEndian>,
    file: &'a [u8],
) -> Result<&'a [ProgramHeader64<LittleEndian>], Error> {
    let count = u64::from(header.e_phnum.get(LE));
    if count == 0 {
        return no.malformed("e_phnum", 56, "no program headers");
    }
    if count > MAX_HEADERS {
        return no.malformed("e_phnum", 56, format!("{count} program headers, more than Linux accepts"));
    }
    if usize::from(header.e_phentsize.get(LE)) != size_of::<ProgramHeader64<LittleEndian>>() {
        return no.malformed("e_phentsize", 54, format!("{} instead of 56", header.e_phentsize.get(LE)));
    }
    match slice(file, header.e_phoff.get(LE), count) {
        Some(s) => Ok(s),
        None => no.malformed("e_phoff", 32, "the program headers lie beyond the end of the file"),
    }
}

fn segment(
    no: &Refuse<'_>,
    h: &ProgramHeader64<LittleEndian>,
    offset: u64,
    file: &[u8],
) -> Result<Segment, Error> {
    let flags = h.p_flags.get(LE).0;
    let mut s = Segment {
        vaddr: h.p_vaddr.get(LE),
        memsz: h.p_memsz.get(LE),
        offset: h.p_offset.get(LE),
        filesz: h.p_filesz.get(LE),
        read: flags & elf::PF_R.0 != 0,
        write: flags & elf::PF_W.0 != 0,
        exec: flags & elf::PF_X.0 != 0,
    };
    if s.memsz < s.filesz {
        return no.malformed("p_memsz", offset + 40, "less than p_filesz");
    }
    if s.vaddr.checked_add(s.memsz).is_none_or(|end| end > ADDRESS_LIMIT) {
        return no.malformed(
            "p_vaddr",
            offset + 16,
            format!("0x{:x} + 0x{:x} is no user address", s.vaddr, s.memsz),
        );
    }
    // A segment of zeros only may stand anywhere in the file, also behind its end.
    if s.filesz != 0 && s.offset.checked_add(s.filesz).is_none_or(|end| end > file.len() as u64) {
        return no.malformed("p_filesz", offset + 32, "the segment lies beyond the end of the file");
    }
    let align = h.p_align.get(LE);
    if align > 1 && !align.is_power_of_two() {
        return no.malformed("p_align", offset + 48, format!("0x{align:x} is no power of two"));
    }
    // What mmap needs; a larger p_align that the rest contradicts does not stop the kernel.
    if s.filesz != 0 && s.vaddr % 4096 != s.offset % 4096 {
        return no.malformed("p_vaddr", offset + 16, "not congruent to p_offset modulo the page size");
    }
    if s.filesz == 0 {
        s.offset = 0;
    }
    Ok(s)
}

fn check_layout(no: &Refuse<'_>, image: &mut Image, phoff: u64) -> Result<(), Error> {
    image.segments.sort_by_key(|s| s.vaddr);
    if image.segments.is_empty() {
        return no.malformed("e_phnum", 56, "no loadable segment");
    }
    for w in image.segments.windows(2) {
        if w[0].vaddr + w[0].memsz > w[1].vaddr {
            let problem = format!("segments at 0x{:x} and 0x{:x} overlap", w[0].vaddr, w[1].vaddr);
            return no.malformed("p_vaddr", phoff + 16, problem);
        }
    }
    // Cannot overflow: segments are disjoint and below the address limit.
    if image.segments.iter().map(|s| s.memsz).sum::<u64>() > MEMORY_LIMIT {
        return no.malformed(
            "p_memsz",
            phoff + 40,
            "the segments together are larger than any address space",
        );
    }
    // Segments may share file bytes (a page of text and data), but not all of them: outputs would grow without bound.
    if image.segments.iter().map(|s| s.filesz).sum::<u64>() > 2 * image.file.len() as u64 + (1 << 20) {
        return no.malformed("p_filesz", phoff + 32, "the segments use the same file bytes again and again");
    }
    if image.position_independent && image.entry == 0 {
        return no.unsupported(Feature::SharedObject, "e_entry", 24);
    }
    let entry = image.entry;
    if !image.segments.iter().any(|s| s.exec && s.file_backed().contains(entry)) {
        return no.malformed("e_entry", 24, format!("0x{entry:x} is not in an executable segment"));
    }
    if !entry.is_multiple_of(4) {
        return no.malformed("e_entry", 24, format!("0x{entry:x} is not a multiple of 4"));
    }
    Ok(())
}
