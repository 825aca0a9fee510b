//! ELF bytes → [`Image`]: segments, symbols, mapping symbols, relocations, unwind ranges, needed libraries. The only crate that sees ELF
//! (through `object`). It trusts no field of the file: sizes and offsets are checked before use.

mod build_id;
mod display;
mod elf;
mod error;
mod exidx;
mod load;
mod moved;
mod needed;
mod query;
mod relocs;
mod sections;
mod unwind;

pub use build_id::build_id;
pub use error::{Error, Feature};
pub use load::{identify, load, load_library};

use isa::Isa;
use std::ffi::CString;
use std::sync::Arc;

/// A guest program as loaded from its file.
#[derive(Clone, Debug)]
pub struct Image {
    /// Name for messages: the file's path.
    pub name: String,
    /// The instruction set of the program; AArch32's code addresses have bit 0 set in Thumb state.
    pub isa: Isa,
    /// How floating-point arguments are passed.
    pub float_abi: FloatAbi,
    /// The whole file.
    pub file: Arc<[u8]>,
    /// True for ET_DYN (static PIE): addresses are relative to a base chosen at load time.
    pub position_independent: bool,
    /// Entry address.
    pub entry: u64,
    /// Address of the loaded program headers, 0 if not loaded; number; size of one.
    pub phdr: u64,
    /// Number of program headers.
    pub phnum: u64,
    /// Size of a program header.
    pub phent: u64,
    /// PT_GNU_STACK asks for an executable stack, or is missing.
    pub exec_stack: bool,
    /// PT_LOAD segments by address, not overlapping.
    pub segments: Vec<Segment>,
    /// Executable sections' address ranges (or, without section headers, executable segments' file-backed ranges).
    pub text: Vec<Range>,
    /// True if `text` comes from section headers; else it may hold read-only data, too.
    pub text_exact: bool,
    /// Function and object symbols, static and dynamic, by address; mapping symbols are not among them.
    pub symbols: Vec<Symbol>,
    /// `$x` / `$a` / `$t` / `$d` mapping symbols by address.
    pub mapping: Vec<Mapping>,
    /// Function ranges of `.eh_frame` FDEs, by address.
    pub unwind: Vec<Range>,
    /// AArch32: where functions begin according to `.ARM.exidx`, `.init` and `.fini`, which do not say their state; by address.
    pub starts: Vec<u64>,
    /// Addresses written into data by relocations (RELATIVE, IRELATIVE, RELR, and ABS64, ABS32, GLOB_DAT and JUMP_SLOT against
    /// symbols of this file), by where they stand.
    pub pointers: Vec<Pointer>,
    /// `.init_array`, `.fini_array`, `.preinit_array` entries, DT_INIT, DT_FINI.
    pub init: Vec<u64>,
    /// Path of the dynamic linker that starts the program (PT_INTERP); `None` for static programs.
    pub linker: Option<CString>,
    /// The files that the dynamic linker loads with it, and where it looks for them.
    pub dynamic: Dynamic,
    /// Build id, if any.
    pub build_id: Option<Vec<u8>>,
    /// What was damaged in the file and therefore ignored; none of it is needed to run the program.
    pub diagnostics: Vec<String>,
}

/// What the dynamic section says about other files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// DT_NEEDED: names or paths of libraries, in their order; none is empty.
    pub needed: Vec<CString>,
    /// DT_SONAME: the name by which others need this file.
    pub soname: Option<CString>,
    /// DT_RPATH: directories, separated by colons, for what this file needs, and for what that needs in turn.
    pub rpath: Option<CString>,
    /// DT_RUNPATH: directories, separated by colons, for what this file needs.
    pub runpath: Option<CString>,
}

/// How a program passes floating-point arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatAbi {
    /// In floating-point registers.
    Hard,
    /// In general registers.
    Soft,
    /// The file does not say.
    Unknown,
}

/// An address range, end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// First byte.
    pub start: u64,
    /// Behind the last byte.
    pub end: u64,
}

/// A PT_LOAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Address.
    pub vaddr: u64,
    /// Bytes in memory.
    pub memsz: u64,
    /// Offset in the file.
    pub offset: u64,
    /// Bytes in the file.
    pub filesz: u64,
    /// p_align: 0, 1 or a power of two.
    pub align: u64,
    /// Readable.
    pub read: bool,
    /// Writable.
    pub write: bool,
    /// Executable.
    pub exec: bool,
}

/// A symbol. A function's address in Thumb state has bit 0 set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Name (lossy UTF-8).
    pub name: String,
    /// Address.
    pub addr: u64,
    /// Size, 0 if unknown.
    pub size: u64,
    /// True for functions (STT_FUNC, STT_GNU_IFUNC), false for objects and the rest.
    pub function: bool,
}

/// Kind of bytes from an address on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Address.
    pub addr: u64,
    /// True for `$x`, `$a` and `$t`, false for `$d`.
    pub code: bool,
    /// True for `$t`.
    pub thumb: bool,
}

/// A relocated pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// Where it stands.
    pub at: u64,
    /// What it points to.
    pub target: u64,
}
