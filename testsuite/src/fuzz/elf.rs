//! Small ELF files made from nothing, 64-bit ones for A64 and 32-bit ones for A32 and T32: a program of one segment around given
//! code, and one with everything that the loader and the discovery of code read (sections, symbols, relocations, unwind and
//! jump tables). Ground for mutations.

use crate::guest::Target;
use isa::Isa;

/// Where programs made here are linked.
pub const BASE: u64 = 0x40_0000;

/// Where the text of a rich file begins, from the beginning of the file.
pub const TEXT: usize = 0x1000;

/// Bytes of the structures in a file for an instruction set: those of ELFCLASS64 or ELFCLASS32.
pub struct Sizes {
    /// ELF header.
    pub file: u64,
    /// Program header.
    pub program: u64,
    /// Section header.
    pub section: u64,
    /// Symbol.
    pub symbol: u64,
    /// Address, offset or size.
    pub word: u64,
}

impl Sizes {
    /// Those of files for `isa`.
    pub const fn of(isa: Isa) -> Sizes {
        match isa {
            Isa::A64 => Sizes { file: 64, program: 56, section: 64, symbol: 24, word: 8 },
            Isa::A32 => Sizes { file: 52, program: 32, section: 40, symbol: 16, word: 4 },
        }
    }

    /// Where in the file stands what follows `headers` program headers.
    pub const fn behind(&self, headers: usize) -> u64 {
        self.file + self.program * headers as u64
    }
}

/// A PT_LOAD or other program header.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// p_type.
    pub kind: u32,
    /// p_flags.
    pub flags: u32,
    /// p_offset.
    pub offset: u64,
    /// p_vaddr.
    pub vaddr: u64,
    /// p_filesz.
    pub filesz: u64,
    /// p_memsz.
    pub memsz: u64,
    /// p_align.
    pub align: u64,
}

impl Header {
    /// A PT_LOAD of file bytes.
    pub const fn load(flags: u32, offset: u64, vaddr: u64, size: u64) -> Header {
        Header { kind: 1, flags, offset, vaddr, filesz: size, memsz: size, align: 0x1000 }
    }
}

/// The bytes of numbers, least significant first.
struct Fields {
    isa: Isa,
    bytes: Vec<u8>,
}

impl Fields {
    fn new(isa: Isa) -> Fields {
        Fields { isa, bytes: Vec::new() }
    }

    fn raw(mut self, bytes: &[u8]) -> Fields {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn halves<const N: usize>(self, values: [u16; N]) -> Fields {
        values.iter().fold(self, |f, v| f.raw(&v.to_le_bytes()))
    }

    fn words<const N: usize>(self, values: [u32; N]) -> Fields {
        values.iter().fold(self, |f, v| f.raw(&v.to_le_bytes()))
    }

    /// Addresses, offsets and sizes, of the class's width.
    fn longs<const N: usize>(self, values: [u64; N]) -> Fields {
        let width = Sizes::of(self.isa).word as usize;
        values.iter().fold(self, |f, v| f.raw(&v.to_le_bytes()[..width]))
    }
}

/// ELF header and program headers; what follows in the file begins at [`Sizes::behind`] them.
pub fn headers(isa: Isa, kind: u16, entry: u64, headers: &[Header]) -> Vec<u8> {
    let sizes = Sizes::of(isa);
    // EM_AARCH64; EM_ARM of EABI version 5 with floating-point arguments in registers.
    let (class, machine, flags) = match isa {
        Isa::A64 => (2, 183, 0),
        Isa::A32 => (1, 40, 0x0500_0400),
    };
    let mut f = Fields::new(isa)
        .raw(b"\x7fELF")
        .raw(&[class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        .halves([kind, machine])
        .words([1])
        .longs([entry, sizes.file, 0])
        .words([flags])
        .halves([sizes.file as u16, sizes.program as u16, headers.len() as u16])
        .halves([sizes.section as u16, 0, 0]);
    for h in headers {
        f = match isa {
            Isa::A64 => {
                f.words([h.kind, h.flags]).longs([h.offset, h.vaddr, h.vaddr, h.filesz, h.memsz, h.align])
            }
            Isa::A32 => f
                .words([h.kind])
                .longs([h.offset, h.vaddr, h.vaddr, h.filesz, h.memsz])
                .words([h.flags])
                .longs([h.align]),
        };
    }
    f.bytes
}

/// A static program of one readable, executable segment whose entry is the beginning of `text`.
pub fn tiny(target: Target, text: &[u8]) -> Vec<u8> {
    let start = Sizes::of(target.isa()).behind(1);
    let entry = BASE + start + u64::from(target == Target::T32);
    let mut f = headers(target.isa(), 2, entry, &[Header::load(5, 0, BASE, start + text.len() as u64)]);
    f.extend_from_slice(text);
    f
}

/// Calls, a loop, a jump table, its data: linked at [`BASE`] + [`TEXT`]. Exits with status 0.
pub const CODE: [u32; 36] = [
    0x1000_0460, // adr x0, 40108c <data>
    0xd280_0081, // mov x1, #0x4
    0x9400_0008, // bl 401028 <sum>
    0xd280_0040, // mov x0, #0x2
    0x9400_000d, // bl 401044 <choose>
    0x1000_0181, // adr x1, 401044 <choose>
    0xd63f_0020, // blr x1
    0xd280_0ba8, // mov x8, #0x5d
    0xd400_0001, // svc #0x0
    0x0000_0000, // udf #0
    0xd280_0002, // mov x2, #0x0
    0xf840_8403, // ldr x3, [x0], #8
    0x8b03_0042, // add x2, x2, x3
    0xf100_0421, // subs x1, x1, #0x1
    0x54ff_ffa1, // b.ne 40102c <sum+0x4>
    0xaa02_03e0, // mov x0, x2
    0xd65f_03c0, // ret
    0xf100_0c1f, // cmp x0, #0x3
    0x5400_01c8, // b.hi 401080 <choose+0x3c>
    0x1000_01e1, // adr x1, 401088 <table>
    0x3860_6822, // ldrb w2, [x1, x0]
    0x1000_0063, // adr x3, 401060 <choose+0x1c>
    0x8b22_8863, // add x3, x3, w2, sxtb #2
    0xd61f_0060, // br x3
    0xd280_00a0, // mov x0, #0x5
    0xd65f_03c0, // ret
    0xd280_00e0, // mov x0, #0x7
    0xd65f_03c0, // ret
    0xd280_0280, // mov x0, #0x14
    0xd65f_03c0, // ret
    0xd280_03c0, // mov x0, #0x1e
    0xd65f_03c0, // ret
    0xd280_0000, // mov x0, #0x0
    0xd65f_03c0, // ret
    0x0604_0200, // .word 0x06040200
    0x0000_0001, // .word 0x00000001
];

/// The same in A32 and T32, with a jump table of each. Exits with status 0.
pub const CODE32: [u32; 42] = [
    0xe28f_009c, // add r0, pc, #156
    0xe3a0_1004, // mov r1, #4
    0xeb00_0007, // bl 2c <sum>
    0xe3a0_0002, // mov r0, #2
    0xfa00_001a, // blx 80 <choose>
    0xe300_0001, // movw r0, #1
    0xeb00_000a, // bl 48 <pick>
    0xe3a0_0000, // mov r0, #0
    0xe3a0_7001, // mov r7, #1
    0xef00_0000, // svc 0x00000000
    0xe7f0_00f0, // udf #0
    0xe3a0_2000, // mov r2, #0
    0xe490_3004, // ldr r3, [r0], #4
    0xe082_2003, // add r2, r2, r3
    0xe251_1001, // subs r1, r1, #1
    0x1aff_fffb, // bne 30 <sum+0x4>
    0xe1a0_0002, // mov r0, r2
    0xe12f_ff1e, // bx lr
    0xe350_0002, // cmp r0, #2
    0x908f_f100, // addls pc, pc, r0, lsl #2
    0xea00_0008, // b 78 <pick+0x30>
    0xea00_0001, // b 60 <pick+0x18>
    0xea00_0002, // b 68 <pick+0x20>
    0xea00_0003, // b 70 <pick+0x28>
    0xe3a0_0001, // mov r0, #1
    0xe12f_ff1e, // bx lr
    0xe3a0_0002, // mov r0, #2
    0xe12f_ff1e, // bx lr
    0xe3a0_0004, // mov r0, #4
    0xe12f_ff1e, // bx lr
    0xe3e0_0000, // mvn r0, #0
    0xe12f_ff1e, // bx lr
    0xd80d_2803, // cmp r0, #3; bhi.n a0 <table+0x18>
    0xf000_e8df, // tbb [pc, r0]
    0x0c0a_0402, // .word 0x0c0a0402
    0x4770_2005, // movs r0, #5; bx lr
    0xbf0c_2801, // cmp r0, #1; ite eq
    0xf500_2007, // moveq r0, #7; addne.w r0, r0, #256
    0x4770_7080, // bx lr
    0x4770_2014, // movs r0, #20; bx lr
    0x4770_2000, // movs r0, #0; bx lr
    0x0000_0001, // .word 0x00000001
];

/// What stands where in the text of a rich file. Offsets of T32 functions have bit 0 set.
struct Contents {
    text: &'static [u32],
    /// Functions and their sizes.
    functions: &'static [(&'static str, u64, u64)],
    /// Mapping symbols.
    marks: &'static [(&'static str, u64)],
    /// An object of a word.
    data: u64,
}

const A64: Contents = Contents {
    text: &CODE,
    functions: &[("_start", 0, 0x28), ("sum", 0x28, 0x1c), ("choose", 0x44, 0x44)],
    marks: &[("$x", 0), ("$d", 0x88)],
    data: 0x8c,
};

const A32: Contents = Contents {
    text: &CODE32,
    functions: &[("_start", 0, 0x2c), ("sum", 0x2c, 0x1c), ("choose", 0x81, 0x24), ("pick", 0x48, 0x38)],
    marks: &[("$a", 0), ("$t", 0x80), ("$d", 0x88), ("$t", 0x8c), ("$d", 0xa4)],
    data: 0xa4,
};

/// A section header, but for its name, place and size.
#[derive(Clone, Copy, Default)]
struct Section {
    kind: u32,
    flags: u64,
    loaded: bool,
    link: u32,
    entsize: u64,
}

/// The file under construction: sections' bytes by place.
struct Rich {
    isa: Isa,
    file: Vec<u8>,
    /// Section headers.
    sections: Vec<u8>,
    names: Vec<u8>,
}

impl Rich {
    /// Appends a section; gives its file offset.
    fn section(&mut self, name: &str, bytes: &[u8], s: Section) -> u64 {
        self.file.resize(self.file.len().next_multiple_of(8), 0);
        let offset = self.file.len() as u64;
        self.file.extend_from_slice(bytes);
        let addr = if s.loaded { BASE + offset } else { 0 };
        let header = Fields::new(self.isa)
            .words([self.names.len() as u32, s.kind])
            .longs([s.flags, addr, offset, bytes.len() as u64])
            .words([s.link, 0])
            .longs([8, s.entsize]);
        self.sections.extend(header.bytes);
        self.names.extend_from_slice(name.as_bytes());
        self.names.push(0);
        offset
    }
}

/// Symbols of the file whose text begins at `text`, and their names: mapping symbols, the object, functions.
fn symbols(isa: Isa, contents: &Contents, text: u64) -> (Vec<u8>, Vec<u8>) {
    let mut names = vec![0];
    let mut f = Fields::new(isa).raw(&vec![0; Sizes::of(isa).symbol as usize]);
    let marks = contents.marks.iter().map(|&(name, at)| (name, 0, at, 0));
    let functions = contents.functions.iter().map(|&(name, at, size)| (name, 0x12, at, size));
    for (name, info, at, size) in marks.chain([("data", 1, contents.data, 4)]).chain(functions) {
        let (at_name, value) = (names.len() as u32, text + at);
        f = match isa {
            Isa::A64 => f.words([at_name]).raw(&[info, 0, 1, 0]).longs([value, size]),
            Isa::A32 => f.words([at_name]).longs([value, size]).raw(&[info, 0, 1, 0]),
        };
        names.extend_from_slice(name.as_bytes());
        names.push(0);
    }
    (f.bytes, names)
}

/// A position-independent program with sections, both symbol tables, relocations of all kinds, an initialiser array, notes
/// and unwind tables. (For reading, not for running: it lies in one segment that may be written and executed.)
pub fn rich(isa: Isa) -> Vec<u8> {
    let text = TEXT as u64;
    let place = |offset: u64| BASE + offset;
    let sizes = Sizes::of(isa);
    let contents = match isa {
        Isa::A64 => A64,
        Isa::A32 => A32,
    };
    let null = vec![0; sizes.section as usize];
    let mut r = Rich { isa, file: vec![0; TEXT], sections: null, names: vec![0] };
    let code: Vec<u8> = contents.text.iter().flat_map(|w| w.to_le_bytes()).collect();
    r.section(".text", &code, Section { kind: 1, flags: 6, loaded: true, ..Section::default() });
    let (symbols, names) = symbols(isa, &contents, place(text));
    let table = Section { kind: 2, link: 3, entsize: sizes.symbol, ..Section::default() };
    let strings = Section { kind: 3, ..Section::default() };
    r.section(".symtab", &symbols, table);
    r.section(".strtab", &names, strings);
    let loaded = |kind, link, entsize| Section { kind, flags: 2, loaded: true, link, entsize };
    let dynsym = r.section(".dynsym", &symbols, loaded(11, 5, sizes.symbol));
    let dynstr = r.section(".dynstr", &names, loaded(3, 0, 0));
    let functions = [contents.functions[1], contents.functions[2]].map(|f| place(text + f.1));
    let word = sizes.word;
    let array = Fields::new(isa).longs([functions[0], if isa == Isa::A64 { 0 } else { functions[1] }, 0]);
    let init = place(r.section(".init_array", &array.bytes, loaded(14, 0, word)));
    // RELATIVE, IRELATIVE, and ABS64 or ABS32 against a function's symbol; addends of 32-bit programs are in place.
    let symbol = 2 + contents.marks.len() as u64;
    let (relocations, kind) = match isa {
        Isa::A64 => {
            let relative = [init + word, 1027, functions[1], init, 1032, functions[0]];
            (Fields::new(isa).longs(relative).longs([init + word, symbol << 32 | 257, 0]), 4)
        }
        Isa::A32 => {
            let all = [init + word, 23, init, 160, init + 2 * word, symbol << 8 | 2];
            (Fields::new(isa).longs(all), 9)
        }
    };
    let rel_size = relocations.bytes.len() as u64;
    let rel_entry = rel_size / 3;
    let rel = r.section(".rel.dyn", &relocations.bytes, loaded(kind, 4, rel_entry));
    let packed = Fields::new(isa).longs([init, 3]);
    let relr = r.section(".relr.dyn", &packed.bytes, loaded(19, 0, word));
    // DT_RELA, DT_RELASZ, DT_RELAENT, or DT_REL and so on.
    let tag = if isa == Isa::A64 { 7 } else { 17 };
    let dynamic = Fields::new(isa)
        .longs([5, place(dynstr), 6, place(dynsym), 10, names.len() as u64])
        .longs([tag, place(rel), tag + 1, rel_size, tag + 2, rel_entry])
        .longs([36, place(relr), 35, 2 * word, 25, init, 27, 2 * word])
        .longs([12, functions[0], 0, 0]);
    let dynamic_size = dynamic.bytes.len() as u64;
    let dynamic = r.section(".dynamic", &dynamic.bytes, Section { flags: 3, ..loaded(6, 5, 2 * word) });
    let note = b"\x04\0\0\0\x08\0\0\0\x03\0\0\0GNU\0\x01\x02\x03\x04\x05\x06\x07\x08";
    let note_at = r.section(".note.gnu.build-id", note, loaded(7, 0, 0));
    let (unwind_kind, unwind_at, unwind_size) = unwind(&mut r, &contents);
    r.names.extend_from_slice(b".shstrtab\0");
    let all_names = r.names.clone();
    r.section(".shstrtab", &all_names, strings);
    r.file.resize(r.file.len().next_multiple_of(8), 0);
    let (size, count) = (r.file.len() as u64, (r.sections.len() as u64 / sizes.section) as u16);
    let other =
        |kind: u32, offset: u64, size: u64| Header { kind, ..Header::load(4, offset, place(offset), size) };
    let list = [
        Header { memsz: size + 0x2000, ..Header::load(7, 0, BASE, size) },
        other(2, dynamic, dynamic_size),
        other(4, note_at, note.len() as u64),
        other(unwind_kind, unwind_at, unwind_size),
        Header { flags: 6, ..other(0x6474_e551, 0, 0) },
    ];
    let head = headers(isa, 3, place(text), &list);
    r.file[..head.len()].copy_from_slice(&head);
    // e_shoff; e_shnum and e_shstrndx, which are the last.
    let (shoff, shnum) = (24 + 2 * word as usize, sizes.file as usize - 4);
    r.file[shoff..][..4].copy_from_slice(&(size as u32).to_le_bytes());
    r.file[shnum..][..2].copy_from_slice(&count.to_le_bytes());
    r.file[shnum + 2..][..2].copy_from_slice(&(count - 1).to_le_bytes());
    r.file.extend(r.sections);
    r.file
}

/// Appends the unwind tables; gives the program header that leads to them: its type, file offset and size.
fn unwind(r: &mut Rich, contents: &Contents) -> (u32, u64, u64) {
    let loaded = |kind, flags| Section { kind, flags, loaded: true, ..Section::default() };
    let at = (r.file.len() as u64).next_multiple_of(8);
    let relative = |to: u64, from: u64| to.wrapping_sub(from) as u32;
    match r.isa {
        Isa::A64 => {
            let mut frame = eh_frame(contents, at);
            frame.resize(frame.len().next_multiple_of(8), 0);
            r.section(".eh_frame", &frame, loaded(1, 2));
            // Version 1, pointer to the table as sdata4 relative to itself, no search table.
            let hdr_at = at + frame.len() as u64;
            let hdr = Fields::new(r.isa).raw(&[1, 0x1b, 0xff, 0xff]).words([relative(at, hdr_at + 4)]);
            (0x6474_e550, r.section(".eh_frame_hdr", &hdr.bytes, loaded(1, 2)), hdr.bytes.len() as u64)
        }
        Isa::A32 => {
            // Offsets of 31 bits from where they stand, sorted; EXIDX_CANTUNWIND.
            let mut starts: Vec<u64> = contents.functions.iter().map(|f| TEXT as u64 + (f.1 & !1)).collect();
            starts.sort_unstable();
            let index = starts.iter().zip((at..).step_by(8)).fold(Fields::new(r.isa), |f, (&start, here)| {
                f.words([relative(start, here) & 0x7fff_ffff, 1])
            });
            let size = index.bytes.len() as u64;
            (0x7000_0001, r.section(".ARM.exidx", &index.bytes, loaded(0x7000_0001, 0x82)), size)
        }
    }
}

/// A CIE with pc-relative pointers, and an FDE for each function; the table stands at `at` in file and memory alike.
fn eh_frame(contents: &Contents, at: u64) -> Vec<u8> {
    let mut f = vec![16, 0, 0, 0, 0, 0, 0, 0, 1, b'z', b'R', 0, 4, 0x78, 30, 1, 0x1b, 12, 31, 0];
    for (_, offset, size) in contents.functions {
        let here = f.len() as u64;
        f.extend_from_slice(&16u32.to_le_bytes());
        f.extend_from_slice(&(here as u32 + 4).to_le_bytes());
        f.extend_from_slice(&((TEXT as u64 + offset).wrapping_sub(at + here + 8) as u32).to_le_bytes());
        f.extend_from_slice(&(*size as u32).to_le_bytes());
        f.extend_from_slice(&[0; 4]);
    }
    f.extend_from_slice(&[0; 4]);
    f
}

#[cfg(test)]
mod tests {
    use isa::Isa;

    #[test]
    fn everything_in_the_rich_files_is_read() {
        for (isa, [mapping, unwind, starts, functions, tables]) in
            [(Isa::A64, [2, 3, 0, 3, 1]), (Isa::A32, [5, 0, 4, 4, 2])]
        {
            let image = image::load("rich", super::rich(isa)).unwrap();
            assert_eq!(image.diagnostics, Vec::<String>::new());
            assert!(image.position_independent && image.text_exact && !image.exec_stack);
            assert_eq!((image.symbols.len(), image.mapping.len()), (functions + 1, mapping));
            assert_eq!((image.unwind.len(), image.starts.len()), (unwind, starts));
            assert_eq!(image.pointers.len(), 3, "{:?}", image.pointers);
            assert_eq!(image.build_id.as_deref(), Some(&[1, 2, 3, 4, 5, 6, 7, 8][..]));
            assert!(!image.init.is_empty());
            let program = cfg::discover(&image, &cfg::Options::default());
            assert_eq!(
                (program.functions.len(), program.jump_tables),
                (functions, tables),
                "{}",
                program.report()
            );
        }
    }
}
