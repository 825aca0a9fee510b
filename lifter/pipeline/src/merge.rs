//! Many small objects → one: sections of a name are joined in order, and calls between functions are settled, so that the
//! linker has little left to do. Takes ELF objects as LLVM writes them for one function each, gives ELF bytes.

use object::read::elf::ElfFile64;
use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _,
    RelocationFlags, RelocationTarget, SectionFlags, SectionIndex, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope, elf,
};
use std::collections::HashMap;

/// What fills the room between functions: `int3`.
const FILLER: u8 = 0xcc;

/// Why an object could not be taken or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Not an object, or one with something that no emitted function has.
    #[error("not an object of one function: {0}")]
    Malformed(String),
    /// The joined object could not be written.
    #[error("{0}")]
    Write(object::write::Error),
}

impl From<object::read::Error> for Error {
    fn from(e: object::read::Error) -> Self {
        Error::Malformed(e.to_string())
    }
}

/// What an external symbol stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    /// A symbol of the joined object, or of another one.
    Name(String),
    /// A number.
    Value(u64),
}

/// Says what stands in one object.
pub(crate) trait Symbols {
    /// What a symbol stands for; `None` if there is no such symbol.
    fn meaning(&self, name: &str) -> Option<Meaning>;
    /// A checkpoint entry's word as the runtime reads it, of what the emitter wrote.
    fn checkpoint(&self, word: u32) -> Option<u32>;
}

/// One object, parsed and checked, with its numbers filled in.
pub(crate) struct Piece {
    sections: Vec<PieceSection>,
    symbols: Vec<PieceSymbol>,
}

struct PieceSection {
    name: String,
    ty: elf::SectionType,
    flags: elf::SectionFlags,
    align: u64,
    /// Distance from a multiple of `align`.
    phase: u64,
    data: Vec<u8>,
    relocations: Vec<PieceRelocation>,
}

struct PieceRelocation {
    offset: u64,
    ty: elf::RelocationType,
    addend: i64,
    target: PieceTarget,
}

enum PieceTarget {
    /// Section of the piece and offset in it.
    Local(usize, u64),
    /// A symbol of another piece.
    Name(String),
}

/// A global symbol that the piece defines.
struct PieceSymbol {
    name: String,
    section: usize,
    value: u64,
    size: u64,
    kind: SymbolKind,
}

type File<'d> = ElfFile64<'d, LittleEndian>;

impl Piece {
    /// Parses an object.
    pub(crate) fn new(bytes: &[u8], f: &dyn Symbols) -> Result<Piece, Error> {
        let file: File<'_> = ElfFile64::parse(bytes)?;
        let mut index: HashMap<SectionIndex, usize> = HashMap::new();
        let mut sections = Vec::new();
        for s in file.sections() {
            let SectionFlags::Elf { sh_type, sh_flags } = s.flags() else {
                return Err(Error::Malformed("not ELF".into()));
            };
            if sh_flags & elf::SHF_ALLOC == elf::SectionFlags::default() || s.size() == 0 {
                continue;
            }
            if sh_type == elf::SHT_NOBITS || sh_flags & elf::SHF_GROUP != elf::SectionFlags::default() {
                return Err(Error::Malformed(format!("section {}", s.name()?)));
            }
            let (align, data) = (s.align().max(1), s.data()?.to_vec());
            let code = sh_flags & elf::SHF_EXECINSTR == elf::SHF_EXECINSTR;
            let phase = if code && align == emit_llvm::LINE as u64 { emit_llvm::phase(&data) } else { 0 };
            index.insert(s.index(), sections.len());
            sections.push((
                s.index(),
                PieceSection {
                    name: s.name()?.to_string(),
                    ty: sh_type,
                    flags: sh_flags,
                    align,
                    phase: phase as u64,
                    data,
                    relocations: Vec::new(),
                },
            ));
        }
        for (i, s) in &mut sections {
            s.relocate(&file, *i, &index, f)?;
            if s.name == abi::symbol::CHECKPOINT_SECTION {
                s.place_checkpoints(f)?;
            }
        }
        let mut symbols = Vec::new();
        for s in file.symbols().filter(|s| s.is_global() && s.is_definition()) {
            let section = s.section_index().and_then(|i| index.get(&i));
            let (Some(&section), Some(Meaning::Name(name))) = (section, f.meaning(s.name()?)) else {
                return Err(Error::Malformed(format!("symbol {}", s.name()?)));
            };
            symbols.push(PieceSymbol { name, section, value: s.address(), size: s.size(), kind: s.kind() });
        }
        Ok(Piece { sections: sections.into_iter().map(|s| s.1).collect(), symbols })
    }
}

impl PieceSection {
    /// Takes the section's relocations; those by numbers are done.
    fn relocate(
        &mut self,
        file: &File<'_>,
        section: SectionIndex,
        index: &HashMap<SectionIndex, usize>,
        f: &dyn Symbols,
    ) -> Result<(), Error> {
        for (offset, r) in file.section_by_index(section)?.relocations() {
            let malformed = || Error::Malformed(format!("relocation at {offset:#x} of {}", self.name));
            let (RelocationFlags::Elf { r_type: ty }, RelocationTarget::Symbol(symbol)) =
                (r.flags(), r.target())
            else {
                return Err(malformed());
            };
            let s = file.symbol_by_index(symbol)?;
            let addend = r.addend();
            let target = if s.is_undefined() {
                match f.meaning(s.name()?).ok_or_else(malformed)? {
                    Meaning::Name(name) => PieceTarget::Name(name),
                    Meaning::Value(v) => {
                        self.fill(offset, ty, v.wrapping_add_signed(addend))?;
                        continue;
                    }
                }
            } else {
                let i = s.section_index().and_then(|i| index.get(&i)).ok_or_else(malformed)?;
                PieceTarget::Local(*i, s.address())
            };
            if offset.checked_add(4).is_none_or(|end| end > self.data.len() as u64) {
                return Err(malformed());
            }
            self.relocations.push(PieceRelocation { offset, ty, addend, target });
        }
        Ok(())
    }

    /// Writes a number, which must fit.
    fn fill(&mut self, offset: u64, ty: elf::RelocationType, value: u64) -> Result<(), Error> {
        let fits = match ty {
            elf::R_X86_64_64 => true,
            elf::R_X86_64_32 => u32::try_from(value).is_ok(),
            elf::R_X86_64_32S => i32::try_from(value as i64).is_ok(),
            _ => false,
        };
        let n = if ty == elf::R_X86_64_64 { 8 } else { 4 };
        let at = usize::try_from(offset).ok().filter(|_| fits);
        let field = at.and_then(|at| self.data.get_mut(at..at.checked_add(n)?));
        match field {
            Some(field) => {
                field.copy_from_slice(&value.to_le_bytes()[..n]);
                Ok(())
            }
            None => Err(Error::Malformed(format!("{value:#x} at {offset:#x} of {}", self.name))),
        }
    }

    /// Turns the places in checkpoint entries to distances from the text's start.
    fn place_checkpoints(&mut self, f: &dyn Symbols) -> Result<(), Error> {
        let at = std::mem::offset_of!(abi::CheckpointEntry, guest);
        for entry in self.data.chunks_mut(size_of::<abi::CheckpointEntry>()) {
            let word = entry.get_mut(at..at + 4).and_then(|w| <&mut [u8; 4]>::try_from(w).ok());
            let Some((word, guest)) = word.and_then(|w| Some((f.checkpoint(u32::from_le_bytes(*w))?, w)))
            else {
                return Err(Error::Malformed("checkpoint entry".into()));
            };
            *guest = word.to_le_bytes();
        }
        Ok(())
    }
}

/// Objects being joined.
#[derive(Default)]
pub(crate) struct Merger {
    sections: Vec<Joined>,
    by_name: HashMap<(String, u32, u64), usize>,
    /// Constants that are there already: section and contents → offset.
    constants: HashMap<(usize, Vec<u8>), u64>,
    defined: HashMap<String, Place>,
    symbols: Vec<(Place, PieceSymbol)>,
    fixes: Vec<Fix>,
}

/// A section of the result.
struct Joined {
    name: String,
    ty: elf::SectionType,
    flags: elf::SectionFlags,
    align: u64,
    data: Vec<u8>,
}

/// Joined section and offset in it.
#[derive(Clone, Copy)]
struct Place {
    section: usize,
    offset: u64,
}

struct Fix {
    at: Place,
    ty: elf::RelocationType,
    addend: i64,
    target: Target,
}

enum Target {
    Place(Place),
    Name(String),
}

impl Merger {
    /// Appends a piece.
    pub(crate) fn add(&mut self, piece: Piece) {
        let places: Vec<Place> = piece.sections.iter().map(|s| self.append(s)).collect();
        let at = |section: usize, offset: u64| {
            let p: Place = places[section];
            Place { section: p.section, offset: p.offset + offset }
        };
        for s in piece.symbols {
            let place = at(s.section, s.value);
            self.defined.insert(s.name.clone(), place);
            self.symbols.push((place, s));
        }
        for (i, s) in piece.sections.into_iter().enumerate() {
            self.fixes.extend(s.relocations.into_iter().map(|r| Fix {
                at: at(i, r.offset),
                ty: r.ty,
                addend: r.addend,
                target: match r.target {
                    PieceTarget::Local(section, offset) => Target::Place(at(section, offset)),
                    PieceTarget::Name(name) => Target::Name(name),
                },
            }));
        }
    }

    fn append(&mut self, s: &PieceSection) -> Place {
        // The linker cannot merge what relocations name by section and offset; equal constants are found here.
        let flags = elf::SectionFlags(s.flags.0 & !(elf::SHF_MERGE.0 | elf::SHF_STRINGS.0));
        let key = (s.name.clone(), s.ty.0, flags.0);
        let section = *self.by_name.entry(key).or_insert_with(|| {
            let (name, ty) = (s.name.clone(), s.ty);
            self.sections.push(Joined { name, ty, flags, align: 1, data: Vec::new() });
            self.sections.len() - 1
        });
        let constant = flags == elf::SHF_ALLOC && s.relocations.is_empty() && s.name.starts_with(".rodata");
        if constant && let Some(&offset) = self.constants.get(&(section, s.data.clone())) {
            return Place { section, offset };
        }
        let joined = &mut self.sections[section];
        joined.align = joined.align.max(s.align);
        let (align, phase) = (s.align as usize, s.phase as usize);
        // The first multiple of the alignment and the phase that is behind what is there.
        let offset = (joined.data.len() + align - phase).next_multiple_of(align) - align + phase;
        let filler = if flags & elf::SHF_EXECINSTR == elf::SHF_EXECINSTR { FILLER } else { 0 };
        joined.data.resize(offset, filler);
        joined.data.extend_from_slice(&s.data);
        if constant {
            self.constants.insert((section, s.data.clone()), offset as u64);
        }
        Place { section, offset: offset as u64 }
    }

    /// The joined object.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Error> {
        let fixes = self.settle();
        let mut obj = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let ids: Vec<SectionId> = self
            .sections
            .into_iter()
            .map(|s| {
                let kind = if s.flags & elf::SHF_EXECINSTR == elf::SHF_EXECINSTR {
                    SectionKind::Text
                } else {
                    SectionKind::Data
                };
                let id = obj.add_section(Vec::new(), s.name.into_bytes(), kind);
                obj.section_mut(id).flags = SectionFlags::Elf { sh_type: s.ty, sh_flags: s.flags };
                obj.set_section_data(id, s.data, s.align);
                id
            })
            .collect();
        let mut names: HashMap<String, SymbolId> = HashMap::new();
        for (place, s) in self.symbols {
            let id = obj.add_symbol(Symbol {
                name: s.name.clone().into_bytes(),
                value: place.offset,
                size: s.size,
                kind: s.kind,
                scope: SymbolScope::Linkage,
                weak: false,
                section: SymbolSection::Section(ids[place.section]),
                flags: SymbolFlags::None,
            });
            names.insert(s.name, id);
        }
        for fix in fixes {
            let (symbol, addend) = match fix.target {
                Target::Place(p) => (obj.section_symbol(ids[p.section]), fix.addend + p.offset as i64),
                Target::Name(name) => match names.get(&name) {
                    Some(&id) => (id, fix.addend),
                    None => {
                        let id = obj.add_symbol(Symbol {
                            name: name.clone().into_bytes(),
                            value: 0,
                            size: 0,
                            kind: SymbolKind::Unknown,
                            scope: SymbolScope::Linkage,
                            weak: false,
                            section: SymbolSection::Undefined,
                            flags: SymbolFlags::None,
                        });
                        names.insert(name, id);
                        (id, fix.addend)
                    }
                },
            };
            let flags = RelocationFlags::Elf { r_type: fix.ty };
            let relocation = Relocation { offset: fix.at.offset, symbol, addend, flags };
            obj.add_relocation(ids[fix.at.section], relocation).map_err(Error::Write)?;
        }
        let note = obj.add_section(Vec::new(), b".note.GNU-stack".to_vec(), SectionKind::Other);
        obj.append_section_data(note, &[], 1);
        obj.write().map_err(Error::Write)
    }

    /// Writes the distances within a section; gives the relocations that are left.
    fn settle(&mut self) -> Vec<Fix> {
        let mut left = Vec::new();
        for mut fix in std::mem::take(&mut self.fixes) {
            if let Target::Name(name) = &fix.target
                && let Some(&place) = self.defined.get(name)
            {
                fix.target = Target::Place(place);
            }
            match fix.target {
                Target::Place(p)
                    if p.section == fix.at.section
                        && matches!(fix.ty, elf::R_X86_64_PC32 | elf::R_X86_64_PLT32) =>
                {
                    let distance = p.offset as i64 + fix.addend - fix.at.offset as i64;
                    let at = fix.at.offset as usize;
                    // An output's code is smaller than 2 GiB, like its input.
                    self.sections[p.section].data[at..at + 4]
                        .copy_from_slice(&(distance as i32).to_le_bytes());
                }
                _ => left.push(fix),
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every name is its own, but for numbers behind `n`; checkpoints are ten further on.
    struct Plain;

    impl Symbols for Plain {
        fn meaning(&self, name: &str) -> Option<Meaning> {
            Some(match name.strip_prefix('n') {
                Some(n) => Meaning::Value(n.parse().ok()?),
                None => Meaning::Name(name.to_string()),
            })
        }

        fn checkpoint(&self, word: u32) -> Option<u32> {
            word.checked_add(10)
        }
    }

    fn error(bytes: &[u8]) -> String {
        Piece::new(bytes, &Plain).err().expect("malformed").to_string()
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(error(b"").contains("not an object"));
        assert!(error(b"\x7fELF\x02\x01\x01").contains("not an object"));
    }

    /// A function of eight bytes whose second half is the distance to `callee`, and a constant.
    fn object(name: &str, callee: &str) -> Vec<u8> {
        let mut obj = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let text = obj.add_section(Vec::new(), b"xl_text".to_vec(), SectionKind::Text);
        obj.append_section_data(text, &[0x90; 8], 16);
        let rodata = obj.add_section(Vec::new(), b".rodata.cst4".to_vec(), SectionKind::ReadOnlyData);
        obj.append_section_data(rodata, &[1, 2, 3, 4], 4);
        let symbol = |name: &str, section| Symbol {
            name: name.as_bytes().to_vec(),
            value: 0,
            size: 0,
            kind: SymbolKind::Text,
            scope: SymbolScope::Linkage,
            weak: false,
            section,
            flags: SymbolFlags::None,
        };
        obj.add_symbol(symbol(name, SymbolSection::Section(text)));
        let callee = obj.add_symbol(symbol(callee, SymbolSection::Undefined));
        let constant = obj.section_symbol(rodata);
        for (offset, symbol) in [(4, callee), (0, constant)] {
            let flags = RelocationFlags::Elf { r_type: elf::R_X86_64_PC32 };
            obj.add_relocation(text, Relocation { offset, symbol, addend: -4, flags }).unwrap();
        }
        obj.write().unwrap()
    }

    #[test]
    fn calls_are_settled_and_equal_constants_joined() {
        let mut m = Merger::default();
        let objects = [object("a", "b"), object("b", "elsewhere")];
        for o in &objects {
            m.add(Piece::new(o, &Plain).unwrap());
        }
        let bytes = m.finish().unwrap();
        let file: ElfFile64<'_, LittleEndian> = ElfFile64::parse(&*bytes).unwrap();
        let text = file.section_by_name("xl_text").unwrap();
        assert_eq!(text.data().unwrap().len(), 24);
        assert_eq!(text.data().unwrap()[4..8], 8i32.to_le_bytes(), "16 - 4 - 4");
        assert_eq!(text.data().unwrap()[8..16], [FILLER; 8]);
        assert_eq!(file.section_by_name(".rodata.cst4").unwrap().size(), 4);
        let offsets: Vec<u64> = text.relocations().map(|r| r.0).collect();
        assert_eq!(offsets, [0, 20, 16]);
    }

    /// A function of eight zeros with a relocation at its start, and a checkpoint.
    fn with_number(name: &str, ty: elf::RelocationType, addend: i64, checkpoint: u32) -> Vec<u8> {
        let mut obj = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let text = obj.add_section(Vec::new(), b"xl_text".to_vec(), SectionKind::Text);
        obj.append_section_data(text, &[0; 8], 16);
        let table = obj.add_section(Vec::new(), b"xl_ckpt".to_vec(), SectionKind::ReadOnlyData);
        obj.append_section_data(table, &[0; 8], 1);
        obj.append_section_data(table, &checkpoint.to_le_bytes(), 1);
        obj.append_section_data(table, &[0; 4], 1);
        let symbol = obj.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: 0,
            size: 0,
            kind: SymbolKind::Unknown,
            scope: SymbolScope::Linkage,
            weak: false,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        });
        let flags = RelocationFlags::Elf { r_type: ty };
        obj.add_relocation(text, Relocation { offset: 0, symbol, addend, flags }).unwrap();
        obj.write().unwrap()
    }

    #[test]
    fn numbers_are_filled_in_where_they_fit() {
        let filled = |name: &str, ty, addend| {
            let piece = Piece::new(&with_number(name, ty, addend, 7), &Plain).ok()?;
            assert_eq!(piece.sections[1].data[8..12], 17u32.to_le_bytes());
            Some(u64::from_le_bytes(piece.sections[0].data[..].try_into().unwrap()))
        };
        assert_eq!(filled("n5", elf::R_X86_64_64, -6), Some(u64::MAX));
        assert_eq!(filled("n5", elf::R_X86_64_32S, -6), Some(u32::MAX.into()));
        assert_eq!(filled("n5", elf::R_X86_64_32, -6), None);
        assert_eq!(filled("n4294967295", elf::R_X86_64_32, 0), Some(u32::MAX.into()));
        assert_eq!(filled("n4294967295", elf::R_X86_64_32S, 0), None);
        assert_eq!(filled("n5", elf::R_X86_64_PC32, 0), None);
        assert_eq!(filled("nothing", elf::R_X86_64_64, 0), None);
        assert!(Piece::new(&with_number("n5", elf::R_X86_64_64, 0, u32::MAX), &Plain).is_err());
    }
}
