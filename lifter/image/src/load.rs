//! File header and program headers → the [`Image`]'s memory layout. What the kernel would need to run the program is
//! checked here and refused if wrong; everything else (sections, symbols, relocations, unwind tables) is read by the
//! other files, which ignore damage.

use crate::elf::{Class, Header, Program, Table};
use crate::{Dynamic, Error, Feature, FloatAbi, Image, Segment, exidx, relocs, sections, unwind};
use isa::Isa;
use object::elf;
use std::ffi::{CStr, CString};
use std::sync::Arc;

/// User addresses end here on AArch64 with 48-bit addresses, and on x86-64 one bit earlier: the smaller counts.
const ADDRESS_LIMIT: u64 = 1 << 47;

/// Where the page of helpers begins that Linux maps for AArch32 programs.
const ADDRESS_LIMIT_32: u64 = 0xffff_0000;

/// All segments together; leaves room for stack, heap and mappings.
const MEMORY_LIMIT: u64 = 1 << 46;

/// As the kernel: program headers fit in 64 KiB.
const MAX_HEADERS: u64 = 65536;

struct Refuse<'a>(&'a str);

impl Refuse<'_> {
    fn unsupported<T>(&self, feature: Feature, field: &'static str, offset: u64) -> Result<T, Error> {
        Err(Error::Unsupported { file: self.0.to_owned(), feature, field, offset })
    }

    fn malformed<T>(&self, field: &'static str, offset: u64, problem: impl Into<String>) -> Result<T, Error> {
        Err(Error::Malformed { file: self.0.to_owned(), field, offset, problem: problem.into() })
    }
}

/// What a file is read as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// What the kernel starts.
    Program,
    /// What is loaded into a program: a shared library, or the dynamic linker.
    Library,
}

/// Reads an AArch64 or AArch32 Linux executable. `name` is for messages. Never panics, and takes time and memory in proportion to
/// the file's size, whatever the bytes are.
pub fn load(name: &str, bytes: impl Into<Arc<[u8]>>) -> Result<Image, Error> {
    read(name, bytes.into(), Role::Program)
}

/// As [`load`], for a shared library or a dynamic linker: ET_DYN only; [`Image::entry`] is what the file says, which may be
/// anything, and DT_NEEDED needs no PT_INTERP.
pub fn load_library(name: &str, bytes: impl Into<Arc<[u8]>>) -> Result<Image, Error> {
    read(name, bytes.into(), Role::Library)
}

/// The instruction set and the float ABI that an ELF header names; `None` if [`load`] and [`load_library`] would refuse it. The first
/// 64 bytes of a file are enough.
pub fn identify(bytes: &[u8]) -> Option<(Isa, FloatAbi)> {
    let (isa, header) = check_header(&Refuse(""), "", bytes).ok()?;
    Some((isa, float_abi(isa, header.flags)))
}

fn read(name: &str, file: Arc<[u8]>, role: Role) -> Result<Image, Error> {
    let no = Refuse(name);
    let (isa, header) = check_header(&no, name, &file)?;
    if role == Role::Library && header.kind != elf::ET_DYN {
        return no.unsupported(Feature::Fixed, "e_type", 16);
    }
    let phoff = header.phoff;
    let headers = program_headers(&no, &header, &file)?;
    let mut image = Image {
        name: name.to_owned(),
        isa,
        float_abi: float_abi(isa, header.flags),
        file: file.clone(),
        position_independent: header.kind == elf::ET_DYN,
        entry: header.entry,
        phdr: 0,
        phnum: header.phnum,
        phent: header.class.program_size(),
        exec_stack: true,
        segments: Vec::new(),
        text: Vec::new(),
        text_exact: true,
        symbols: Vec::new(),
        mapping: Vec::new(),
        unwind: Vec::new(),
        starts: Vec::new(),
        pointers: Vec::new(),
        init: Vec::new(),
        linker: None,
        dynamic: Dynamic::default(),
        build_id: None,
        diagnostics: Vec::new(),
    };
    let fields = header.class.offsets();
    for (i, h) in headers.iter().enumerate() {
        let offset = phoff + image.phent * i as u64;
        match h.kind {
            elf::PT_LOAD if h.memsz != 0 => image.segments.push(segment(&no, isa, &h, offset, &file)?),
            elf::PT_LOAD if h.filesz != 0 => {
                return no.malformed("p_memsz", offset + fields.p_memsz, "less than p_filesz");
            }
            // The kernel takes the first.
            elf::PT_INTERP if image.linker.is_none() => match linker(&no, &h, offset, &file) {
                Ok(path) => image.linker = Some(path),
                // Read for programs only.
                Err(e) if role == Role::Library => image.diagnostics.push(e.to_string()),
                Err(e) => return Err(e),
            },
            elf::PT_GNU_STACK => image.exec_stack = h.flags & elf::PF_X.0 != 0,
            _ => {}
        }
    }
    check_layout(&no, &mut image, &header)?;
    let entry = match check_entry(&no, &image) {
        Ok(()) => Some(image.entry),
        Err(_) if role == Role::Library => None,
        Err(e) => return Err(e),
    };
    let table = image.phent * image.phnum;
    image.phdr = image
        .segments
        .iter()
        .find(|s| s.offset <= phoff && phoff + table <= s.offset + s.filesz)
        .map_or(0, |s| s.vaddr + (phoff - s.offset));

    let mut arrays = Vec::new();
    sections::read(&mut image, &header, &headers, entry, &mut arrays);
    let needed = relocs::read(&mut image, &header, &headers, &mut arrays);
    if let Some(offset) = needed.filter(|_| role == Role::Program && image.linker.is_none()) {
        return no.unsupported(Feature::Needed, "DT_NEEDED", offset);
    }
    unwind::read(&mut image, &header, &headers);
    if isa == Isa::A32 {
        exidx::read(&mut image, &header, &headers);
    }
    sections::finish(&mut image, &arrays);
    Ok(image)
}

fn check_header(no: &Refuse<'_>, name: &str, file: &[u8]) -> Result<(Isa, Header), Error> {
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
    let (isa, wanted, other) = match elf::Machine(machine) {
        elf::EM_AARCH64 => (Isa::A64, elf::ELFCLASS64, (elf::ELFCLASS32, Feature::Ilp32)),
        elf::EM_ARM => (Isa::A32, elf::ELFCLASS32, (elf::ELFCLASS64, Feature::Arm64Class)),
        _ => return no.unsupported(Feature::Machine(machine), "e_machine", 18),
    };
    if class == other.0.0 {
        return no.unsupported(other.1, "e_ident[EI_CLASS]", 4);
    }
    if class != wanted.0 {
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
    let class = if isa == Isa::A64 { Class::Elf64 } else { Class::Elf32 };
    let Some(header) = class.header(file) else {
        return no.malformed("e_ident", 0, "the file ends inside the ELF header");
    };
    if isa == Isa::A32 {
        check_flags(no, header.flags)?;
    }
    Ok((isa, header))
}

/// Where e_flags stands in files for 32-bit ARM.
const E_FLAGS: u64 = 36;

fn check_flags(no: &Refuse<'_>, flags: u32) -> Result<(), Error> {
    if flags & elf::EF_ARM_BE8.0 != 0 {
        return no.unsupported(Feature::BigEndian, "e_flags (EF_ARM_BE8)", E_FLAGS);
    }
    if flags & elf::EF_ARM_EABIMASK == elf::EF_ARM_EABI_UNKNOWN.0 {
        return no.unsupported(Feature::Oabi, "e_flags", E_FLAGS);
    }
    Ok(())
}

fn float_abi(isa: Isa, flags: u32) -> FloatAbi {
    let eabi5 = flags & elf::EF_ARM_EABIMASK == elf::EF_ARM_EABI_VER5.0;
    match isa {
        Isa::A64 => FloatAbi::Hard,
        Isa::A32 if eabi5 && flags & elf::EF_ARM_ABI_FLOAT_HARD != 0 => FloatAbi::Hard,
        Isa::A32 if eabi5 && flags & elf::EF_ARM_ABI_FLOAT_SOFT != 0 => FloatAbi::Soft,
        Isa::A32 => FloatAbi::Unknown,
    }
}

fn program_headers<'a>(
    no: &Refuse<'_>,
    header: &Header,
    file: &'a [u8],
) -> Result<Table<'a, Program>, Error> {
    let (count, size, fields) = (header.phnum, header.class.program_size(), header.class.offsets());
    if count == 0 {
        return no.malformed("e_phnum", fields.e_phnum, "no program headers");
    }
    if count > MAX_HEADERS / size {
        let problem = format!("{count} program headers, more than Linux accepts");
        return no.malformed("e_phnum", fields.e_phnum, problem);
    }
    if header.phentsize != size {
        let problem = format!("{} instead of {size}", header.phentsize);
        return no.malformed("e_phentsize", fields.e_phentsize, problem);
    }
    match header.class.programs(file, header.phoff, count * size) {
        Some(t) => Ok(t),
        None => no.malformed("e_phoff", fields.e_phoff, "the program headers lie beyond the end of the file"),
    }
}

/// The path that PT_INTERP names, under the kernel's conditions (`load_elf_binary`).
fn linker(no: &Refuse<'_>, h: &Program, offset: u64, file: &[u8]) -> Result<CString, Error> {
    const PATH_MAX: u64 = 4096;
    let range = h.offset..h.offset.saturating_add(h.filesz);
    let bytes = (2..=PATH_MAX)
        .contains(&h.filesz)
        .then(|| file.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?))
        .flatten();
    match bytes.filter(|b| b.ends_with(&[0])).and_then(|b| CStr::from_bytes_until_nul(b).ok()) {
        Some(path) if !path.is_empty() => Ok(path.to_owned()),
        _ => no.malformed("PT_INTERP", offset, "the path of the dynamic linker is missing or not terminated"),
    }
}

fn segment(no: &Refuse<'_>, isa: Isa, h: &Program, offset: u64, file: &[u8]) -> Result<Segment, Error> {
    let (fields, limit) = match isa {
        Isa::A64 => (Class::Elf64.offsets(), ADDRESS_LIMIT),
        Isa::A32 => (Class::Elf32.offsets(), ADDRESS_LIMIT_32),
    };
    let flags = h.flags;
    let mut s = Segment {
        vaddr: h.vaddr,
        memsz: h.memsz,
        offset: h.offset,
        filesz: h.filesz,
        align: h.align,
        read: flags & elf::PF_R.0 != 0,
        write: flags & elf::PF_W.0 != 0,
        exec: flags & elf::PF_X.0 != 0,
    };
    if s.memsz < s.filesz {
        return no.malformed("p_memsz", offset + fields.p_memsz, "less than p_filesz");
    }
    if s.vaddr.checked_add(s.memsz).is_none_or(|end| end > limit) {
        return no.malformed(
            "p_vaddr",
            offset + fields.p_vaddr,
            format!("0x{:x} + 0x{:x} is no user address", s.vaddr, s.memsz),
        );
    }
    // A segment of zeros only may stand anywhere in the file, also behind its end.
    if s.filesz != 0 && s.offset.checked_add(s.filesz).is_none_or(|end| end > file.len() as u64) {
        return no.malformed(
            "p_filesz",
            offset + fields.p_filesz,
            "the segment lies beyond the end of the file",
        );
    }
    let align = h.align;
    if align > 1 && !align.is_power_of_two() {
        return no.malformed("p_align", offset + fields.p_align, format!("0x{align:x} is no power of two"));
    }
    // What mmap needs; a larger p_align that the rest contradicts does not stop the kernel.
    if s.filesz != 0 && s.vaddr % 4096 != s.offset % 4096 {
        return no.malformed(
            "p_vaddr",
            offset + fields.p_vaddr,
            "not congruent to p_offset modulo the page size",
        );
    }
    if s.filesz == 0 {
        s.offset = 0;
    }
    Ok(s)
}

fn check_layout(no: &Refuse<'_>, image: &mut Image, header: &Header) -> Result<(), Error> {
    let (phoff, fields) = (header.phoff, header.class.offsets());
    image.segments.sort_by_key(|s| s.vaddr);
    if image.segments.is_empty() {
        return no.malformed("e_phnum", fields.e_phnum, "no loadable segment");
    }
    for w in image.segments.windows(2) {
        if w[0].vaddr + w[0].memsz > w[1].vaddr {
            let problem = format!("segments at 0x{:x} and 0x{:x} overlap", w[0].vaddr, w[1].vaddr);
            return no.malformed("p_vaddr", phoff + fields.p_vaddr, problem);
        }
    }
    // Cannot overflow: segments are disjoint and below the address limit.
    if image.segments.iter().map(|s| s.memsz).sum::<u64>() > MEMORY_LIMIT {
        return no.malformed(
            "p_memsz",
            phoff + fields.p_memsz,
            "the segments together are larger than any address space",
        );
    }
    // Segments may share file bytes (a page of text and data), but not all of them: outputs would grow without bound.
    if image.segments.iter().map(|s| s.filesz).sum::<u64>() > 2 * image.file.len() as u64 + (1 << 20) {
        return no.malformed(
            "p_filesz",
            phoff + fields.p_filesz,
            "the segments use the same file bytes again and again",
        );
    }
    Ok(())
}

fn check_entry(no: &Refuse<'_>, image: &Image) -> Result<(), Error> {
    if image.position_independent && image.entry == 0 {
        return no.unsupported(Feature::SharedObject, "e_entry", 24);
    }
    let entry = image.entry;
    if !image.segments.iter().any(|s| s.exec && s.file_backed().contains(entry)) {
        return no.malformed("e_entry", 24, format!("0x{entry:x} is not in an executable segment"));
    }
    if !image.isa.is_aligned(entry) {
        return no.malformed("e_entry", 24, format!("0x{entry:x} is not a multiple of 4"));
    }
    Ok(())
}
