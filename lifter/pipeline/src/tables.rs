//! Writes the object with everything that is data: the image description, the dispatch and resume tables, the segments
//! and the guest file itself. Takes what the stages found, gives ELF bytes; the formats are those of `abi`.

use crate::libraries::Placed;
use crate::{Error, Layout};
use abi::{CodeRange, FunctionEntry, ImageDesc, LibraryDesc, ResumeEntry, SegmentDesc, symbol};
use cfg::Found;
use emit_llvm::ResumePoint;
use image::{Image, Range};
use ir::{Function, GuestAddr};
use object::write::{Object, Relocation, StandardSection, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope, elf,
};
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::mem::offset_of;

/// Name of the dispatch table, which lifted code looks up.
const DISPATCH: &str = "xl_dispatch";

/// The lifted code: functions, with what each was made of, and where they can be entered.
pub(crate) struct Code<'a> {
    pub functions: &'a [Function],
    pub shapes: &'a [Found],
    pub literals: &'a [Vec<Range>],
    pub resume: &'a [ResumePoint],
}

/// The guest's files.
pub(crate) struct Guest<'a> {
    pub image: &'a Image,
    pub libraries: &'a [Placed],
    /// The directory with the ARM system's files, if one was named.
    pub sysroot: Option<&'a CStr>,
}

/// The object.
pub(crate) fn write(
    guest: &Guest<'_>,
    layout: &Layout,
    emit: &emit_llvm::Options,
    code: &Code<'_>,
) -> Result<Vec<u8>, Error> {
    let image = guest.image;
    let mut w = Writer {
        obj: Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little),
        externs: HashMap::new(),
    };
    let own = guest.libraries.first().map_or(u64::MAX, |l| l.base);
    w.dispatch(layout, code.functions.iter().filter(|f| f.entry.0 < own))?;
    w.resume(layout, code.resume)?;
    let ranges = w.functions(image, layout, code)?;
    w.segments("xl_segments", image);
    w.file("xl_file", &image.file);
    w.text(
        "xl_identity",
        &CString::new(crate::profile::identity(image)).expect("invariant: no NUL in names"),
    );
    let paths = [("xl_linker", image.linker.as_deref()), ("xl_sysroot", guest.sysroot)];
    for (name, path) in paths.into_iter().filter_map(|(n, p)| Some((n, p?))) {
        w.text(name, path);
    }
    w.libraries(guest.libraries, code.functions)?;
    let counts = [code.resume.len(), code.functions.len(), ranges, guest.libraries.len()];
    w.description(image, layout, emit, counts)?;
    let note = w.obj.add_section(Vec::new(), b".note.GNU-stack".to_vec(), SectionKind::Other);
    w.obj.append_section_data(note, &[], 1);
    w.obj.write().map_err(|e| Error::Tables(e.to_string()))
}

struct Writer {
    obj: Object<'static>,
    externs: HashMap<String, SymbolId>,
}

impl Writer {
    /// A section with one hidden symbol at its start.
    fn section(
        &mut self,
        section: &str,
        kind: SectionKind,
        name: &str,
        data: Vec<u8>,
        align: u64,
    ) -> object::write::SectionId {
        let id = self.obj.add_section(Vec::new(), section.as_bytes().to_vec(), kind);
        let symbol = self.symbol(name, SymbolSection::Section(id), data.len() as u64, false);
        self.obj.set_section_data(id, data, align);
        self.externs.insert(name.to_string(), symbol);
        id
    }

    fn symbol(&mut self, name: &str, section: SymbolSection, size: u64, weak: bool) -> SymbolId {
        let undefined = matches!(section, SymbolSection::Undefined);
        self.obj.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: 0,
            size,
            kind: if undefined { SymbolKind::Unknown } else { SymbolKind::Data },
            scope: SymbolScope::Linkage,
            weak,
            section,
            flags: SymbolFlags::None,
        })
    }

    fn named(&mut self, name: &str, weak: bool) -> SymbolId {
        if let Some(&id) = self.externs.get(name) {
            return id;
        }
        let id = self.symbol(name, SymbolSection::Undefined, 0, weak);
        self.externs.insert(name.to_string(), id);
        id
    }

    fn relocate(
        &mut self,
        section: object::write::SectionId,
        offset: u64,
        symbol: SymbolId,
        r_type: elf::RelocationType,
        addend: i64,
    ) -> Result<(), Error> {
        self.obj
            .add_relocation(
                section,
                Relocation { offset, symbol, addend, flags: RelocationFlags::Elf { r_type } },
            )
            .map_err(|e| Error::Tables(e.to_string()))
    }

    /// `i32 host entry − table` per unit of text, for these functions.
    fn dispatch<'f>(
        &mut self,
        layout: &Layout,
        functions: impl Iterator<Item = &'f Function>,
    ) -> Result<(), Error> {
        let data = vec![0; (layout.text_size / layout.unit * 4) as usize];
        let id = self.section(".rodata.xl_dispatch", SectionKind::ReadOnlyData, DISPATCH, data, 64);
        for f in functions {
            let offset = (f.entry.0 - layout.text_base) / layout.unit * 4;
            let symbol = self.named(&format!("{}{}", symbol::FUNCTION_PREFIX, f.name), false);
            // S + A − P with P = table + offset: A = offset leaves S − table.
            self.relocate(id, offset, symbol, elf::R_X86_64_PC32, offset as i64)?;
        }
        Ok(())
    }

    fn resume(&mut self, layout: &Layout, resume: &[ResumePoint]) -> Result<(), Error> {
        let mut points: Vec<&ResumePoint> = resume.iter().collect();
        points.sort_by(|a, b| (a.guest, &a.function).cmp(&(b.guest, &b.function)));
        let mut data = Vec::with_capacity(points.len() * size_of::<ResumeEntry>());
        for p in &points {
            data.extend_from_slice(&((p.guest.0 - layout.text_base) as u32).to_le_bytes());
            data.extend_from_slice(&p.index.to_le_bytes());
            data.extend_from_slice(&[0; 4]);
        }
        let id = self.section(".rodata.xl_resume", SectionKind::ReadOnlyData, "xl_resume", data, 8);
        for (i, p) in points.iter().enumerate() {
            let symbol = self.named(&p.function, false);
            let offset = (i * size_of::<ResumeEntry>() + offset_of!(ResumeEntry, function)) as u64;
            self.relocate(id, offset, symbol, elf::R_X86_64_PC32, 0)?;
        }
        Ok(())
    }

    /// Which guest code and literals each function was made of; gives the number of ranges.
    fn functions(&mut self, image: &Image, layout: &Layout, code: &Code<'_>) -> Result<usize, Error> {
        let mut order: Vec<_> = code.functions.iter().zip(code.shapes.iter().zip(code.literals)).collect();
        order.sort_by_key(|(f, _)| f.entry);
        let (mut data, mut ranges) = (Vec::new(), Vec::<u8>::new());
        let offset = |a: GuestAddr| (a.0 - layout.text_base) as u32;
        let put = |ranges: &mut Vec<u8>, start: u32, end: u32| {
            for word in [start, end - start] {
                ranges.extend_from_slice(&word.to_le_bytes());
            }
        };
        for (f, (found, literals)) in &order {
            let first = (ranges.len() / size_of::<CodeRange>()) as u32;
            for word in [offset(f.entry), 0, first] {
                data.extend_from_slice(&word.to_le_bytes());
            }
            // Bytes, whatever the state in which they are instructions.
            let bytes = |a: GuestAddr| offset(GuestAddr(image.isa.bytes_at(a.0)));
            for piece in found.shape.blocks.chunk_by(|a, b| bytes(a.end) == bytes(b.start)) {
                put(&mut ranges, bytes(piece[0].start), bytes(piece[piece.len() - 1].end));
            }
            for pool in literals.chunk_by(|a, b| b.start <= a.end) {
                let end = pool.iter().map(|l| l.end).max().unwrap_or(pool[0].end);
                put(&mut ranges, offset(GuestAddr(pool[0].start)), offset(GuestAddr(end)));
            }
        }
        let id = self.section(".rodata.xl_functions", SectionKind::ReadOnlyData, "xl_functions", data, 8);
        for (i, (f, _)) in order.iter().enumerate() {
            let symbol = self.named(&format!("{}{}", symbol::FUNCTION_PREFIX, f.name), false);
            let offset = (i * size_of::<FunctionEntry>() + offset_of!(FunctionEntry, host)) as u64;
            self.relocate(id, offset, symbol, elf::R_X86_64_PC32, 0)?;
        }
        let count = ranges.len() / size_of::<CodeRange>();
        self.section(".rodata.xl_ranges", SectionKind::ReadOnlyData, "xl_ranges", ranges, 8);
        Ok(count)
    }

    fn segments(&mut self, name: &str, image: &Image) {
        let mut data = Vec::new();
        for s in &image.segments {
            let prot = u32::from(s.read) | u32::from(s.write) << 1 | u32::from(s.exec) << 2;
            for word in [s.vaddr, s.memsz, s.offset, s.filesz, prot as u64] {
                data.extend_from_slice(&word.to_le_bytes());
            }
        }
        const { assert!(size_of::<SegmentDesc>() == 40) };
        self.section(&format!(".rodata.{name}"), SectionKind::ReadOnlyData, name, data, 8);
    }

    /// The program's is there whole, with debug information and what was appended, because the guest may read its own file. Page-aligned,
    /// so that the runtime maps the guest's segments straight from the output file.
    fn file(&mut self, name: &str, file: &[u8]) {
        const PAGE: usize = 4096;
        let len = file.len().next_multiple_of(PAGE);
        let mut data = Vec::with_capacity(len);
        data.extend_from_slice(file);
        data.resize(len, 0);
        self.section(&format!(".rodata.{name}"), SectionKind::ReadOnlyData, name, data, PAGE as u64);
    }

    /// Libraries, which the runtime marks when they are in their places.
    fn libraries(&mut self, libraries: &[Placed], functions: &[Function]) -> Result<(), Error> {
        const SIZE: usize = size_of::<LibraryDesc>();
        let mut entries: Vec<u64> = functions.iter().map(|f| f.entry.0).collect();
        entries.sort_unstable();
        let mut data = vec![0u8; SIZE * libraries.len()];
        for (i, l) in libraries.iter().enumerate() {
            let next = libraries.get(i + 1).map_or(u64::MAX, |l| l.base);
            let first = entries.partition_point(|e| *e < l.base);
            let count = entries.partition_point(|e| *e < next) - first;
            for (field, value) in [
                (offset_of!(LibraryDesc, file_len), l.image.loaded_bytes().len() as u64),
                (offset_of!(LibraryDesc, segment_count), l.image.segments.len() as u64),
                (offset_of!(LibraryDesc, base), l.base),
                (offset_of!(LibraryDesc, align), l.align),
                (offset_of!(LibraryDesc, first_function), first as u64),
                (offset_of!(LibraryDesc, function_count), count as u64),
            ] {
                data[SIZE * i + field..][..8].copy_from_slice(&value.to_le_bytes());
            }
        }
        let id = self.section(".data.xl_libraries", SectionKind::Data, "xl_libraries", data, 8);
        for (i, l) in libraries.iter().enumerate() {
            let [name, file, segments] = ["name", "file", "segments"].map(|n| format!("xl_library_{n}{i}"));
            let text: Vec<u8> = l.name.bytes().filter(|b| *b != 0).collect();
            self.text(&name, &CString::new(text).expect("invariant: no NUL is left"));
            self.file(&file, l.image.loaded_bytes());
            self.segments(&segments, &l.image);
            for (field, name) in [
                (offset_of!(LibraryDesc, name), name),
                (offset_of!(LibraryDesc, file), file),
                (offset_of!(LibraryDesc, segments), segments),
            ] {
                let target = self.named(&name, false);
                self.relocate(id, (SIZE * i + field) as u64, target, elf::R_X86_64_64, 0)?;
            }
        }
        Ok(())
    }

    /// A NUL-terminated text.
    fn text(&mut self, name: &str, text: &CStr) {
        let bytes = text.to_bytes_with_nul().to_vec();
        self.section(&format!(".rodata.{name}"), SectionKind::ReadOnlyData, name, bytes, 1);
    }

    fn description(
        &mut self,
        image: &Image,
        layout: &Layout,
        emit: &emit_llvm::Options,
        [resume, functions, ranges, libraries]: [usize; 4],
    ) -> Result<(), Error> {
        let mut data = vec![0u8; size_of::<ImageDesc>()];
        let mut put =
            |offset: usize, value: u64| data[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        put(offset_of!(ImageDesc, magic), abi::IMAGE_MAGIC);
        put(offset_of!(ImageDesc, abi_hash), abi::ABI_HASH);
        put(offset_of!(ImageDesc, isa), image.isa as u64 | u64::from(image.position_independent) << 32);
        put(offset_of!(ImageDesc, entry), image.entry);
        put(offset_of!(ImageDesc, phdr), image.phdr);
        put(offset_of!(ImageDesc, phnum), image.phnum);
        put(offset_of!(ImageDesc, phent), image.phent);
        put(offset_of!(ImageDesc, exec_stack), u64::from(image.exec_stack));
        put(offset_of!(ImageDesc, file_len), image.file.len() as u64);
        put(offset_of!(ImageDesc, segment_count), image.segments.len() as u64);
        put(offset_of!(ImageDesc, text_base), layout.text_base);
        put(offset_of!(ImageDesc, text_size), layout.text_size);
        put(offset_of!(ImageDesc, resume_count), resume as u64);
        put(offset_of!(ImageDesc, function_count), functions as u64);
        put(offset_of!(ImageDesc, range_count), ranges as u64);
        put(offset_of!(ImageDesc, library_count), libraries as u64);
        let hot = offset_of!(ImageDesc, hot);
        for (i, r) in emit.hot.gprs.iter().enumerate() {
            data[hot + i] = r.0 as u8;
        }
        for (i, r) in emit.hot.vecs.iter().enumerate() {
            data[hot + abi::HOT_GPRS + i] = r.0 as u8;
        }
        let id = self.obj.section_id(StandardSection::ReadOnlyDataWithRel);
        let at = self.obj.append_section_data(id, &data, 64);
        let symbol = self.symbol(symbol::IMAGE, SymbolSection::Section(id), data.len() as u64, false);
        self.obj.symbol_mut(symbol).value = at;
        for (field, name, weak) in [
            (offset_of!(ImageDesc, file), "xl_file", false),
            (offset_of!(ImageDesc, segments), "xl_segments", false),
            (offset_of!(ImageDesc, dispatch), DISPATCH, false),
            (offset_of!(ImageDesc, resume), "xl_resume", false),
            // Undefined, hence null, when no code was lifted.
            (offset_of!(ImageDesc, checkpoints), "__start_xl_ckpt", true),
            (offset_of!(ImageDesc, checkpoints_end), "__stop_xl_ckpt", true),
            (offset_of!(ImageDesc, host_sites), "__start_xl_host", true),
            (offset_of!(ImageDesc, host_sites_end), "__stop_xl_host", true),
            (offset_of!(ImageDesc, float_sites), "__start_xl_float", true),
            (offset_of!(ImageDesc, float_sites_end), "__stop_xl_float", true),
            (offset_of!(ImageDesc, code), "__start_xl_text", true),
            (offset_of!(ImageDesc, code_end), "__stop_xl_text", true),
            (offset_of!(ImageDesc, enter), symbol::ENTER, false),
            (offset_of!(ImageDesc, identity), "xl_identity", false),
            (offset_of!(ImageDesc, leave), symbol::LEAVE, false),
            (offset_of!(ImageDesc, functions), "xl_functions", false),
            (offset_of!(ImageDesc, ranges), "xl_ranges", false),
            (offset_of!(ImageDesc, libraries), "xl_libraries", false),
            // Null where there is none.
            (offset_of!(ImageDesc, linker), "xl_linker", true),
            (offset_of!(ImageDesc, sysroot), "xl_sysroot", true),
        ] {
            let target = self.named(name, weak);
            self.relocate(id, at + field as u64, target, elf::R_X86_64_64, 0)?;
        }
        Ok(())
    }
}
