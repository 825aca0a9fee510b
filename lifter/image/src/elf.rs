//! The structures of ELF files of both classes, read into one form, so that the rest of the crate need not ask which class a
//! file has. Takes bytes at offsets that may be anything; what does not fit gives `None`.

use object::LittleEndian;
use object::elf::{self, FileHeader32, FileHeader64};
use object::pod::{self, Pod};
use object::read::elf::{
    Dyn as _, FileHeader as Typed, NoteHeader as _, ProgramHeader as _, Rel as _, Rela as _,
    SectionHeader as _, Sym as _,
};

/// Byte order of all typed reads.
const LE: LittleEndian = LittleEndian;
type File32 = FileHeader32<LittleEndian>;
type File64 = FileHeader64<LittleEndian>;

/// A value of type `T` at `offset`.
fn at<T: Pod>(file: &[u8], offset: u64) -> Option<&T> {
    let bytes = file.get(usize::try_from(offset).ok()?..)?;
    pod::from_bytes(bytes).ok().map(|(v, _)| v)
}

/// The `size` bytes at `offset`.
pub(crate) fn bytes(file: &[u8], offset: u64, size: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    file.get(start..start.checked_add(usize::try_from(size).ok()?)?)
}

/// ELFCLASS32 or ELFCLASS64.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    Elf32,
    Elf64,
}

/// The file header behind `e_ident`.
#[derive(Clone, Copy)]
pub(crate) struct Header {
    pub class: Class,
    pub kind: elf::FileType,
    pub flags: u32,
    pub entry: u64,
    pub phoff: u64,
    pub phentsize: u64,
    pub phnum: u64,
    pub shoff: u64,
    pub shentsize: u64,
    pub shnum: u64,
    pub shstrndx: usize,
}

/// A program header.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub kind: elf::ProgramType,
    pub flags: u32,
    pub offset: u64,
    pub vaddr: u64,
    pub filesz: u64,
    pub memsz: u64,
    pub align: u64,
}

/// A section header.
#[derive(Clone, Copy)]
pub(crate) struct Section {
    pub name: u32,
    pub kind: elf::SectionType,
    pub flags: u64,
    pub addr: u64,
    pub offset: u64,
    pub size: u64,
    pub link: usize,
}

/// A symbol.
#[derive(Clone, Copy)]
pub(crate) struct Sym {
    pub name: u32,
    pub kind: elf::SymbolType,
    pub shndx: elf::SymbolSection,
    pub value: u64,
    pub size: u64,
}

/// An entry of the dynamic section.
#[derive(Clone, Copy)]
pub(crate) struct Dynamic {
    pub tag: elf::DynamicTag,
    pub value: u64,
}

/// A relocation.
#[derive(Clone, Copy)]
pub(crate) struct Relocation {
    pub at: u64,
    pub symbol: usize,
    pub kind: elf::RelocationType,
    /// `None`: in place.
    pub addend: Option<i64>,
}

/// Where the fields that messages name stand, in the file header and in a program header.
pub(crate) struct Offsets {
    pub e_phoff: u64,
    pub e_phentsize: u64,
    pub e_phnum: u64,
    pub p_vaddr: u64,
    pub p_filesz: u64,
    pub p_memsz: u64,
    pub p_align: u64,
}

/// Some structures in a row.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a, T> {
    bytes: &'a [u8],
    size: usize,
    read: fn(&[u8]) -> Option<T>,
}

impl<'a, T> Table<'a, T> {
    /// A table of nothing.
    pub(crate) fn empty() -> Self {
        Table { bytes: &[], size: 1, read: |_| None }
    }

    fn new(bytes: Option<&'a [u8]>, size: usize, read: fn(&[u8]) -> Option<T>) -> Option<Self> {
        Some(Table { bytes: bytes?, size, read })
    }

    pub(crate) fn get(&self, i: usize) -> Option<T> {
        let start = i.checked_mul(self.size)?;
        (self.read)(self.bytes.get(start..start.checked_add(self.size)?)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = T> + use<'a, T> {
        let read = self.read;
        self.bytes.chunks_exact(self.size).filter_map(read)
    }
}

fn header<E: Typed<Endian = LittleEndian>>(file: &[u8], class: Class) -> Option<Header> {
    let h: &E = at(file, 0)?;
    Some(Header {
        class,
        kind: h.e_type(LE),
        flags: h.e_flags(LE).0,
        entry: h.e_entry(LE).into(),
        phoff: h.e_phoff(LE).into(),
        phentsize: h.e_phentsize(LE).into(),
        phnum: h.e_phnum(LE).into(),
        shoff: h.e_shoff(LE).into(),
        shentsize: h.e_shentsize(LE).into(),
        shnum: h.e_shnum(LE).into(),
        shstrndx: h.e_shstrndx(LE).0 as usize,
    })
}

fn program<E: Typed<Endian = LittleEndian>>(bytes: &[u8]) -> Option<Program> {
    let h: &E::ProgramHeader = at(bytes, 0)?;
    Some(Program {
        kind: h.p_type(LE),
        flags: h.p_flags(LE).0,
        offset: h.p_offset(LE).into(),
        vaddr: h.p_vaddr(LE).into(),
        filesz: h.p_filesz(LE).into(),
        memsz: h.p_memsz(LE).into(),
        align: h.p_align(LE).into(),
    })
}

fn section<E: Typed<Endian = LittleEndian>>(bytes: &[u8]) -> Option<Section> {
    let h: &E::SectionHeader = at(bytes, 0)?;
    Some(Section {
        name: h.sh_name(LE),
        kind: h.sh_type(LE),
        flags: h.sh_flags(LE).0,
        addr: h.sh_addr(LE).into(),
        offset: h.sh_offset(LE).into(),
        size: h.sh_size(LE).into(),
        link: h.sh_link(LE) as usize,
    })
}

fn symbol<E: Typed<Endian = LittleEndian>>(bytes: &[u8]) -> Option<Sym> {
    let s: &E::Sym = at(bytes, 0)?;
    Some(Sym {
        name: s.st_name(LE),
        kind: s.st_type(),
        shndx: s.st_shndx(LE),
        value: s.st_value(LE).into(),
        size: s.st_size(LE).into(),
    })
}

fn dynamic<E: Typed<Endian = LittleEndian>>(bytes: &[u8]) -> Option<Dynamic> {
    let d: &E::Dyn = at(bytes, 0)?;
    Some(Dynamic { tag: d.d_tag(LE), value: d.d_val(LE).into() })
}

fn rela<E: Typed<Endian = LittleEndian>>(bytes: &[u8]) -> Option<Relocation> {
    let r: &E::Rela = at(bytes, 0)?;
    Some(Relocation {
        at: r.r_offset(LE).into(),
        symbol: r.r_sym(LE, false) as usize,
        kind: r.r_type(LE, false),
        addend: Some(r.r_addend(LE).into()),
    })
}

fn rel<E: Typed<Endian = LittleEndian>>(bytes: &[u8]) -> Option<Relocation> {
    let r: &E::Rel = at(bytes, 0)?;
    Some(Relocation {
        at: r.r_offset(LE).into(),
        symbol: r.r_sym(LE) as usize,
        kind: r.r_type(LE),
        addend: None,
    })
}

/// A method of [`Class`] that gives a table of one kind of structure.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident, $read:ident, $typed:ident, $T:ty) => {
        $(#[$doc])*
        pub(crate) fn $name(self, file: &[u8], offset: u64, size: u64) -> Option<Table<'_, $T>> {
            let bytes = bytes(file, offset, size);
            match self {
                Class::Elf32 => Table::new(bytes, size_of::<<File32 as Typed>::$typed>(), $read::<File32>),
                Class::Elf64 => Table::new(bytes, size_of::<<File64 as Typed>::$typed>(), $read::<File64>),
            }
        }
    };
}

impl Class {
    /// Bytes of a word.
    pub(crate) const fn word(self) -> u64 {
        match self {
            Class::Elf32 => 4,
            Class::Elf64 => 8,
        }
    }

    /// The file header.
    pub(crate) fn header(self, file: &[u8]) -> Option<Header> {
        match self {
            Class::Elf32 => header::<File32>(file, self),
            Class::Elf64 => header::<File64>(file, self),
        }
    }

    /// Size of the file header.
    pub(crate) const fn header_size(self) -> u64 {
        match self {
            Class::Elf32 => size_of::<File32>() as u64,
            Class::Elf64 => size_of::<File64>() as u64,
        }
    }

    /// Size of a program header.
    pub(crate) const fn program_size(self) -> u64 {
        match self {
            Class::Elf32 => size_of::<<File32 as Typed>::ProgramHeader>() as u64,
            Class::Elf64 => size_of::<<File64 as Typed>::ProgramHeader>() as u64,
        }
    }

    /// Size of a section header.
    pub(crate) const fn section_size(self) -> u64 {
        match self {
            Class::Elf32 => size_of::<<File32 as Typed>::SectionHeader>() as u64,
            Class::Elf64 => size_of::<<File64 as Typed>::SectionHeader>() as u64,
        }
    }

    /// Size of a symbol.
    pub(crate) const fn symbol_size(self) -> u64 {
        match self {
            Class::Elf32 => size_of::<<File32 as Typed>::Sym>() as u64,
            Class::Elf64 => size_of::<<File64 as Typed>::Sym>() as u64,
        }
    }

    /// Size of an entry of the dynamic section.
    pub(crate) const fn dynamic_size(self) -> u64 {
        2 * self.word()
    }

    table!(
        /// Program headers in `size` bytes at `offset`.
        programs, program, ProgramHeader, Program
    );
    table!(
        /// Section headers.
        sections, section, SectionHeader, Section
    );
    table!(
        /// Symbols.
        symbols, symbol, Sym, Sym
    );
    table!(
        /// Entries of a dynamic section.
        dynamics, dynamic, Dyn, Dynamic
    );
    table!(
        /// Relocations with addends.
        relas, rela, Rela, Relocation
    );
    table!(
        /// Relocations whose addends are in place.
        rels, rel, Rel, Relocation
    );

    /// Where fields stand.
    pub(crate) const fn offsets(self) -> &'static Offsets {
        match self {
            Class::Elf32 => &Offsets {
                e_phoff: 28,
                e_phentsize: 42,
                e_phnum: 44,
                p_vaddr: 8,
                p_filesz: 16,
                p_memsz: 20,
                p_align: 28,
            },
            Class::Elf64 => &Offsets {
                e_phoff: 32,
                e_phentsize: 54,
                e_phnum: 56,
                p_vaddr: 16,
                p_filesz: 32,
                p_memsz: 40,
                p_align: 48,
            },
        }
    }
}

/// Sizes of name and descriptor, and the type, of the note that `bytes` begin with; both classes have the same.
pub(crate) fn note(bytes: &[u8]) -> Option<(usize, usize, elf::NoteType)> {
    let h: &<File64 as Typed>::NoteHeader = at(bytes, 0)?;
    Some((h.n_namesz(LE) as usize, h.n_descsz(LE) as usize, h.n_type(LE)))
}
