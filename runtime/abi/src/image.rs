//! Formats of the tables in an output. Pointers are host pointers, relocated by the host's loader.

/// Description of a translated guest program, in an output under the name `xl_image`.
#[repr(C)]
pub struct ImageDesc {
    /// [`IMAGE_MAGIC`].
    pub magic: u64,
    /// [`crate::ABI_HASH`] of the translator.
    pub abi_hash: u64,
    /// Instruction set: an `isa::Isa` as number, 0 AArch64, 1 AArch32.
    pub isa: u32,
    /// 1 if the image may be loaded anywhere (ET_DYN).
    pub position_independent: u32,
    /// Link-time entry address.
    pub entry: u64,
    /// Link-time address of the program headers, 0 if they are not loaded (AT_PHDR).
    pub phdr: u64,
    /// Number of program headers (AT_PHNUM).
    pub phnum: u64,
    /// Size of one (AT_PHENT).
    pub phent: u64,
    /// 1 if the guest asks for an executable stack (PT_GNU_STACK).
    pub exec_stack: u64,
    /// The whole guest file, page-aligned in the output file and in memory.
    pub file: *const u8,
    /// Its length in bytes.
    pub file_len: u64,
    /// Segments to map, by address.
    pub segments: *const SegmentDesc,
    /// Their number.
    pub segment_count: u64,
    /// Link-time address of the first word that `dispatch` covers.
    pub text_base: u64,
    /// Bytes covered; a multiple of 4.
    pub text_size: u64,
    /// One i32 per 4 bytes of text (AArch32: per byte, bit 0 of addresses being the state): host entry − address of the table, 0
    /// if no lifted function begins there; see [`LibraryDesc`].
    pub dispatch: *const i32,
    /// Resume points, sorted by `guest`.
    pub resume: *const ResumeEntry,
    /// Their number.
    pub resume_count: u64,
    /// Checkpoints, sorted by host address of the access.
    pub checkpoints: *const CheckpointEntry,
    /// End of the checkpoints.
    pub checkpoints_end: *const CheckpointEntry,
    /// Instructions that not every host has.
    pub host_sites: *const HostSite,
    /// Their end.
    pub host_sites_end: *const HostSite,
    /// Floating-point instructions that can underflow, and are not among those.
    pub float_sites: *const SoftWay,
    /// Their end.
    pub float_sites_end: *const SoftWay,
    /// First byte of lifted code.
    pub code: *const u8,
    /// End of lifted code.
    pub code_end: *const u8,
    /// Guest registers in the hot slots, by their numbers in the instruction set's register file.
    pub hot: [u8; crate::HOT_GPRS + crate::HOT_VECS],
    /// Unused, zero.
    pub reserved: [u8; 6],
    /// `xl_enter` of this image (see [`crate::symbol::ENTER`]).
    pub enter: *const u8,
    /// What the guest file is called in profiles (see [`crate::profile`]), NUL-terminated.
    pub identity: *const u8,
    /// A lifted function that only leaves to the dispatcher: `exit` says why.
    pub leave: *const u8,
    /// Lifted functions, sorted by `guest`.
    pub functions: *const FunctionEntry,
    /// Their number.
    pub function_count: u64,
    /// Their code, function by function.
    pub ranges: *const CodeRange,
    /// Number of all ranges.
    pub range_count: u64,
    /// Path of the guest's dynamic linker, NUL-terminated; null for static programs.
    pub linker: *const u8,
    /// The directory under which the guest's files are looked for first, NUL-terminated; null if none was named.
    pub sysroot: *const u8,
    /// Libraries that were translated with the program, by address, behind it and one another.
    pub libraries: *const LibraryDesc,
    /// Their number.
    pub library_count: u64,
}

/// A library, or the dynamic linker, that was translated with the program. Its functions are among the image's; the dispatch table
/// has none of them until the library is where `base` says.
#[repr(C)]
pub struct LibraryDesc {
    /// Path that it was translated from, NUL-terminated.
    pub name: *const u8,
    /// Its file up to the end of the last segment.
    pub file: *const u8,
    /// Bytes of that.
    pub file_len: u64,
    /// Its segments, by address; addresses are those of its place, offsets those of `file`.
    pub segments: *const SegmentDesc,
    /// Their number.
    pub segment_count: u64,
    /// Link-time address of its place, in the program's terms; a multiple of `align`.
    pub base: u64,
    /// The largest alignment that its segments ask for, in bytes, but at least 64 KiB and at most 2 MiB.
    pub align: u64,
    /// Index of its first function.
    pub first_function: u64,
    /// Number of its functions.
    pub function_count: u64,
    /// 1 once it is mapped there, with the text that it was translated from, and its functions are in the dispatch table.
    pub active: core::sync::atomic::AtomicU64,
}

/// `ImageDesc::magic`: "xlateimg".
pub const IMAGE_MAGIC: u64 = u64::from_le_bytes(*b"xlateimg");

/// A PT_LOAD of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct SegmentDesc {
    /// Link-time address.
    pub vaddr: u64,
    /// Size in memory.
    pub memsz: u64,
    /// Offset in the guest file.
    pub offset: u64,
    /// Bytes in the guest file.
    pub filesz: u64,
    /// PROT_READ 1 | PROT_WRITE 2 | PROT_EXEC 4, as the guest sees it.
    pub prot: u32,
    /// Unused, zero.
    pub reserved: u32,
}

/// A guest address at which a lifted function can be entered in its middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ResumeEntry {
    /// Link-time address − `ImageDesc::text_base`.
    pub guest: u32,
    /// Index for `GuestState::resume` (which takes it plus 1).
    pub index: u32,
    /// Host entry of the function − address of this field.
    pub function: i32,
}

/// A lifted function, and which guest code it was made of: the ranges from `first` up to the next function's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct FunctionEntry {
    /// Link-time address of its entry − `ImageDesc::text_base`.
    pub guest: u32,
    /// Host entry − address of this field.
    pub host: i32,
    /// Index of its first range.
    pub first: u32,
}

/// Guest code: words that follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CodeRange {
    /// Link-time address − `ImageDesc::text_base`.
    pub start: u32,
    /// Bytes.
    pub len: u32,
}

/// A recoverable guest access (or empty checkpoint) in lifted code.
///
/// At a host fault at `access`, or for an asynchronous signal when execution is about to execute it, the handler sets
/// `GuestState::pc` from `guest` and `GuestState::exit` to `Checkpoint`, and continues at `label`, whose code puts the
/// guest state of that point in order and returns `EXIT_PC`. With `label` = 0 the state is already complete in
/// `GuestState` (commit before access), and the handler leaves to the dispatcher's frame directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CheckpointEntry {
    /// Host address of the access − address of this field.
    pub access: i32,
    /// Host address of the fault label − address of this field; 0 for none.
    pub label: i32,
    /// Link-time address of the guest instruction − `ImageDesc::text_base`, bits 31:0.
    pub guest: u32,
    /// Bits 63:32 of the instruction's address: of AArch32's its state (see `isa::a32::Place`), else 0.
    pub state: u32,
}

/// An instruction of lifted code, and the code there that leaves its operation to the evaluator instead, as where the
/// instruction traps under FPCR.FZ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct SoftWay {
    /// Host address of the instruction − address of this field.
    pub site: i32,
    /// Host address of the code that leaves the operation to the evaluator − address of this field.
    pub soft: i32,
}

/// Instructions beyond x86-64-v2 that lifted code uses where the host has them. Each is a bit of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum HostFeature {
    /// FMA3, and AVX for the VEX encoding.
    Fma = 1 << 0,
    /// AES-NI.
    Aes = 1 << 1,
    /// PCLMULQDQ.
    Pclmul = 1 << 2,
    /// The SHA extensions.
    Sha = 1 << 3,
}

impl HostFeature {
    /// All of them, with their names in the environment variable `XLATE_HOST_WITHOUT`.
    pub const ALL: [(HostFeature, &str); 4] = [
        (HostFeature::Fma, "fma"),
        (HostFeature::Aes, "aes"),
        (HostFeature::Pclmul, "pclmul"),
        (HostFeature::Sha, "sha"),
    ];
}

/// Instructions of lifted code, together at least five bytes, that only hosts with a feature have: on others the runtime writes
/// a `jmp rel32` to the other way over them, before anything runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct HostSite {
    /// The instructions, and what does without them.
    pub way: SoftWay,
    /// The [`HostFeature`].
    pub feature: u32,
}

impl SoftWay {
    /// Host addresses of the instruction and of the other code. To be called on the entry in its table.
    pub fn addresses(&self) -> (u64, u64) {
        let at = |field: &i32| (field as *const i32 as u64).wrapping_add_signed(*field as i64);
        (at(&self.site), at(&self.soft))
    }
}

/// An operation that lifted code leaves to the runtime's evaluator: rare ones, and the exact repair of a NaN result.
/// Lives in writable data of the output.
#[derive(Debug)]
#[repr(C)]
pub struct SoftOp {
    /// NUL-terminated text: `<result type> <mnemonic>` as in the IR's text form, for example `f64 fadd.d`, or
    /// `read.fpcr`, `write.fpcr`, `read.fpsr`, `write.fpsr`, `read.counter`, `read.endian`, `ic.ivau`.
    pub text: *const u8,
    /// 0 until first used; then the runtime's parsed form.
    pub parsed: core::sync::atomic::AtomicU64,
}
