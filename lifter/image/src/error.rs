//! Why a file cannot be translated. Every message names the file, the field with its offset, what is wrong with it, and
//! what to do. "Unsupported" (a sound file of a kind not handled) and "malformed" are separate variants.

use object::elf;

/// A reason to refuse a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not an ELF file at all.
    #[error(
        "{file}: not an ELF file (e_ident at offset 0x0 is not \\x7fELF); give an ELF file for AArch64 or AArch32 Linux"
    )]
    NotElf {
        /// The file's name.
        file: String,
    },
    /// A sound file of a kind that is not handled.
    #[error("{file}: {feature} ({field} at offset 0x{offset:x}); {}", feature.remedy())]
    Unsupported {
        /// The file's name.
        file: String,
        /// What is not handled.
        feature: Feature,
        /// The ELF field that says so.
        field: &'static str,
        /// The field's file offset.
        offset: u64,
    },
    /// The file contradicts itself or the ELF specification in what is needed to load it.
    #[error(
        "{file}: {field} at offset 0x{offset:x}: {problem}; the file is damaged or truncated: get it again"
    )]
    Malformed {
        /// The file's name.
        file: String,
        /// The ELF field.
        field: &'static str,
        /// The field's file offset.
        offset: u64,
        /// What is wrong with it.
        problem: String,
    },
}

/// Kinds of files that are not handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// 32-bit ARM with the ABI from before the EABI.
    Oabi,
    /// An ELF class or machine of neither kind; the number is e_machine.
    Machine(u16),
    /// Big-endian.
    BigEndian,
    /// ET_REL.
    Relocatable,
    /// ET_CORE.
    Core,
    /// Another e_type.
    FileType(u16),
    /// DT_NEEDED without PT_INTERP.
    Needed,
    /// ET_DYN without an entry.
    SharedObject,
    /// ET_EXEC where a library is wanted.
    Fixed,
    /// 32-bit class with an AArch64 machine.
    Ilp32,
    /// 64-bit class with a 32-bit ARM machine.
    Arm64Class,
}

impl Feature {
    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Feature::Oabi => "build the program for the EABI (for example arm-linux-gnueabi-gcc -static)",
            Feature::Machine(_) | Feature::FileType(_) => "give an ELF file for AArch64 or AArch32 Linux",
            Feature::Arm64Class => "build it with an arm-linux-gnueabihf or aarch64-linux-gnu toolchain",
            Feature::BigEndian => "build the program little-endian (-mlittle-endian)",
            Feature::Relocatable => "link it first (for example aarch64-linux-gnu-gcc -static)",
            Feature::Core => "give the executable that dumped it",
            Feature::Needed => "link it as a program, with a dynamic linker, or statically (-static)",
            Feature::Fixed => "give a shared library (linked with -shared)",
            Feature::SharedObject => "give the program that uses it",
            Feature::Ilp32 => "build it with -mabi=lp64",
        }
    }
}

impl std::fmt::Display for Feature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Feature::Oabi => {
                f.write_str("programs for the old ABI of AArch32 (32-bit ARM) are not supported")
            }
            Feature::Arm64Class => {
                f.write_str("AArch32 (32-bit ARM) programs in 64-bit files are not supported")
            }
            Feature::Machine(m) if *m == elf::EM_X86_64.0 => {
                f.write_str("machine 62 is x86-64, as translated programs are, not ARM")
            }
            Feature::Machine(m) => write!(f, "machine {m} is not ARM"),
            Feature::BigEndian => f.write_str("big-endian programs are not supported"),
            Feature::Relocatable => f.write_str("this is an object file, not a program"),
            Feature::Core => f.write_str("this is a core dump, not a program"),
            Feature::FileType(t) => write!(f, "ELF file type {t} is not a program"),
            Feature::Needed => f.write_str(
                "this needs shared libraries, but names no dynamic linker (PT_INTERP) to load them",
            ),
            Feature::Fixed => f.write_str("this is a program at fixed addresses, not a shared library"),
            Feature::SharedObject => f.write_str("this is a shared library, not a program"),
            Feature::Ilp32 => f.write_str("ILP32 programs are not supported"),
        }
    }
}
