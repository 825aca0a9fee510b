//! Many small objects → one: sections of a name are joined in order, and calls between functions are settled, so that the
//! linker has little left to do. Takes ELF objects as LLVM writes them for one function each, gives ELF bytes.

use object::read::elf::ElfFile64;
use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _,
    RelocationFlags, RelocationTarget, SectionFlags, SectionIndex, SectionKind, SymbolFlags, SymbolIndex,
    SymbolKind, SymbolScope, elf,
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

/// One object, parsed and checked.
pub(crate) struct Piece<'d> {
    sections: Vec<PieceSection<'d>>,
    symbols: Vec<PieceSymbol>,
}

struct PieceSection<'d> {
    name: String,
    ty: elf::SectionType,
    flags: elf::SectionFlags,
    align: u64,
    data: &'d [u8],
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

impl<'d> Piece<'d> {
    /// Parses the object `bytes`.
    pub(crate) fn parse(bytes: &'d [u8]) -> Result<Piece<'d>, Error> {
        let file: ElfFile64<'d, LittleEndian> = ElfFile64::parse(bytes)?;
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
            index.insert(s.index(), sections.len());
            sections.push((
                s.index(),
                PieceSection {
                    name: s.name()?.to_string(),
                    ty: sh_type,
                    flags: sh_flags,
                    align: s.align().max(1),
                    data: s.data()?,
                    relocations: Vec::new(),
                },
            ));
        }
        for (i, s) in &mut sections {
            for (offset, r) in file.section_by_index(*i)?.relocations() {
                let (RelocationFlags::Elf { r_type }, RelocationTarget::Symbol(symbol)) =
                    (r.flags(), r.target())
                else {
                    return Err(Error::Malformed(format!("relocation at {offset:#x} of {}", s.name)));
                };
                let target = target(&file, symbol, &index)?;
                if offset.checked_add(4).is_none_or(|end| end > s.data.len() as u64) {
                    return Err(Error::Malformed(format!("relocation at {offset:#x} of {}", s.name)));
                }
                s.relocations.push(PieceRelocation { offset, ty: r_type, addend: r.addend(), target });
            }
        }
        let mut symbols = Vec::new();
        for s in file.symbols().filter(|s| s.is_global() && s.is_definition()) {
            let section = s.section_index().and_then(|i| index.get(&i));
            let &section =
                section.ok_or_else(|| Error::Malformed(format!("symbol {}", s.name().unwrap_or("?"))))?;
            symbols.push(PieceSymbol {
                name: s.name()?.to_string(),
                section,
                value: s.address(),
                size: s.size(),
                kind: s.kind(),
            });
        }
        Ok(Piece { sections: sections.into_iter().map(|s| s.1).collect(), symbols })
    }
}

fn target(
    file: &ElfFile64<'_, LittleEndian>,
    symbol: SymbolIndex,
    index: &HashMap<SectionIndex, usize>,
) -> Result<PieceTarget, Error> {
    let s = file.symbol_by_index(symbol)?;
    if s.is_undefined() {
        return Ok(PieceTarget::Name(s.name()?.to_string()));
    }
    match s.section_index().and_then(|i| index.get(&i)) {
        Some(&i) => Ok(PieceTarget::Local(i, s.address())),
        None => Err(Error::Malformed(format!("symbol {}", s.name()?))),
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
    pub(crate) fn add(&mut self, piece: Piece<'_>) {
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

    fn append(&mut self, s: &PieceSection<'_>) -> Place {
        // The linker cannot merge what relocations name by section and offset; equal constants are found here.
        let flags = elf::SectionFlags(s.flags.0 & !(elf::SHF_MERGE.0 | elf::SHF_STRINGS.0));
        let key = (s.name.clone(), s.ty.0, flags.0);
        let section = *self.by_name.entry(key).or_insert_with(|| {
            let (name, ty) = (s.name.clone(), s.ty);
            self.sections.push(Joined { name, ty, flags, align: 1, data: Vec::new() });
            self.sections.len() - 1
        });
        let constant = flags == elf::SHF_ALLOC && s.relocations.is_empty() && s.name.starts_with(".rodata");
        if constant && let Some(&offset) = self.constants.get(&(section, s.data.to_vec())) {
            return Place { section, offset };
        }
        let joined = &mut self.sections[section];
        joined.align = joined.align.max(s.align);
        let offset = joined.data.len().next_multiple_of(s.align as usize);
        let filler = if flags & elf::SHF_EXECINSTR == elf::SHF_EXECINSTR { FILLER } else { 0 };
        joined.data.resize(offset, filler);
        joined.data.extend_from_slice(s.data);
        if constant {
            self.constants.insert((section, s.data.to_vec()), offset as u64);
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

    fn error(bytes: &[u8]) -> String {
        Piece::parse(bytes).err().expect("malformed").to_string()
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
            m.add(Piece::parse(o).unwrap());
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
}
