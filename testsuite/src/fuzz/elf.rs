//! Small ELF files made from nothing: a program of one segment around given code, and one with everything that the loader
//! and the discovery of code read (sections, symbols, relocations, unwind and jump tables). Ground for mutations.

/// Where programs made here are linked.
pub const BASE: u64 = 0x40_0000;

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

/// ELF header and program headers; what follows in the file begins at `64 + 56 * headers.len()`.
pub fn headers(kind: u16, entry: u64, headers: &[Header]) -> Vec<u8> {
    let mut f = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    f.extend_from_slice(&kind.to_le_bytes());
    f.extend_from_slice(&183u16.to_le_bytes());
    f.extend_from_slice(&1u32.to_le_bytes());
    for v in [entry, 64, 0] {
        f.extend_from_slice(&v.to_le_bytes());
    }
    f.extend_from_slice(&0u32.to_le_bytes());
    for v in [64, 56, headers.len() as u16, 64, 0, 0] {
        f.extend_from_slice(&v.to_le_bytes());
    }
    for h in headers {
        f.extend_from_slice(&h.kind.to_le_bytes());
        f.extend_from_slice(&h.flags.to_le_bytes());
        for v in [h.offset, h.vaddr, h.vaddr, h.filesz, h.memsz, h.align] {
            f.extend_from_slice(&v.to_le_bytes());
        }
    }
    f
}

/// A static program of one readable, executable segment whose entry is the first of `words`.
pub fn tiny(words: &[u32]) -> Vec<u8> {
    let start = 64 + 56;
    let size = start + 4 * words.len() as u64;
    let mut f = headers(2, BASE + start, &[Header::load(5, 0, BASE, size)]);
    f.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    f
}

/// Calls, a loop, a jump table, its data: linked at [`BASE`] + 0x1000. Exits with status 0.
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

/// Offsets in [`CODE`] of its functions, and their sizes.
const FUNCTIONS: [(&str, u64, u64); 3] = [("_start", 0, 0x28), ("sum", 0x28, 0x1c), ("choose", 0x44, 0x44)];

/// The file under construction: sections' bytes by place.
struct Rich {
    file: Vec<u8>,
    sections: Vec<[u64; 10]>,
    names: Vec<u8>,
}

impl Rich {
    /// Appends a section; gives its file offset. The numbers are type, flags, address (0: not loaded), link, entry size.
    fn section(&mut self, name: &str, bytes: &[u8], [kind, flags, addr, link, entsize]: [u64; 5]) -> u64 {
        self.file.resize(self.file.len().next_multiple_of(8), 0);
        let offset = self.file.len() as u64;
        self.file.extend_from_slice(bytes);
        let at = self.names.len() as u64;
        self.names.extend_from_slice(name.as_bytes());
        self.names.push(0);
        let addr = if addr == 0 { 0 } else { BASE + offset };
        self.sections.push([at, kind, flags, addr, offset, bytes.len() as u64, link, 0, 8, entsize]);
        offset
    }
}

fn longs(values: &[u64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// A position-independent program with sections, both symbol tables, relocations of all kinds, an initialiser array, notes
/// and unwind tables. (For reading, not for running: it lies in one segment that may be written and executed.)
pub fn rich() -> Vec<u8> {
    const HEADERS: usize = 5;
    let text = 0x1000u64;
    let place = |offset: u64| BASE + offset;
    let mut r = Rich { file: vec![0; text as usize], sections: vec![[0; 10]], names: vec![0] };
    let code: Vec<u8> = CODE.iter().flat_map(|w| w.to_le_bytes()).collect();
    r.section(".text", &code, [1, 6, 1, 0, 0]);
    let mut names = b"\0$x\0$d\0data\0".to_vec();
    let mut symbols = vec![0; 24];
    let mut symbol = |name: u32, info: u8, value: u64, size: u64| {
        symbols.extend_from_slice(&name.to_le_bytes());
        symbols.extend_from_slice(&[info, 0, 1, 0]);
        symbols.extend_from_slice(&value.to_le_bytes());
        symbols.extend_from_slice(&size.to_le_bytes());
    };
    symbol(1, 0, place(text), 0);
    symbol(4, 0, place(text + 0x88), 0);
    symbol(7, 1, place(text + 0x8c), 4);
    for (name, offset, size) in FUNCTIONS {
        symbol(names.len() as u32, 0x12, place(text + offset), size);
        names.extend_from_slice(name.as_bytes());
        names.push(0);
    }
    r.section(".symtab", &symbols, [2, 0, 0, 3, 24]);
    r.section(".strtab", &names, [3, 0, 0, 0, 0]);
    let dynsym = r.section(".dynsym", &symbols, [11, 2, 1, 5, 24]);
    let dynstr = r.section(".dynstr", &names, [3, 2, 1, 0, 0]);
    let init = r.section(".init_array", &longs(&[place(text + 0x28), 0]), [14, 3, 1, 0, 8]);
    // RELATIVE, IRELATIVE, and ABS64 against symbol 5.
    let functions = [place(text + 0x28), place(text + 0x44)];
    let rela = longs(&[
        place(init) + 8,
        1027,
        functions[1],
        place(init),
        1032,
        functions[0],
        place(init) + 8,
        5 << 32 | 257,
        0,
    ]);
    let rela_size = rela.len() as u64;
    let rela = r.section(".rela.dyn", &rela, [4, 2, 1, 4, 24]);
    let relr = r.section(".relr.dyn", &longs(&[place(init), 3]), [19, 2, 1, 0, 8]);
    let dynamic = longs(&[
        5,
        place(dynstr),
        6,
        place(dynsym),
        10,
        names.len() as u64,
        7,
        place(rela),
        8,
        rela_size,
        9,
        24,
        36,
        place(relr),
        35,
        16,
        25,
        place(init),
        27,
        16,
        12,
        place(text + 0x28),
        0,
        0,
    ]);
    let dynamic_size = dynamic.len() as u64;
    let dynamic = r.section(".dynamic", &dynamic, [6, 3, 1, 5, 16]);
    let note = b"\x04\0\0\0\x08\0\0\0\x03\0\0\0GNU\0\x01\x02\x03\x04\x05\x06\x07\x08";
    let note_at = r.section(".note.gnu.build-id", note, [7, 2, 1, 0, 0]);
    let frame_at = (r.file.len() as u64).next_multiple_of(8);
    let mut frame = eh_frame(text, frame_at);
    frame.resize(frame.len().next_multiple_of(8), 0);
    let frame_size = frame.len() as u64;
    r.section(".eh_frame", &frame, [1, 2, 1, 0, 0]);
    // Version 1, pointer to the table as sdata4 relative to itself, no search table.
    let hdr_at = frame_at + frame_size;
    let mut hdr = vec![1, 0x1b, 0xff, 0xff];
    hdr.extend_from_slice(&(frame_at.wrapping_sub(hdr_at + 4) as u32).to_le_bytes());
    r.section(".eh_frame_hdr", &hdr, [1, 2, 1, 0, 0]);
    r.names.extend_from_slice(b".shstrtab\0");
    let strings = r.names.clone();
    r.section(".shstrtab", &strings, [3, 0, 0, 0, 0]);
    r.file.resize(r.file.len().next_multiple_of(8), 0);
    let (size, shoff, shnum) = (r.file.len() as u64, r.file.len() as u64, r.sections.len() as u16);
    for s in &r.sections {
        // sh_name, sh_type are words; so are sh_link, sh_info.
        let halves = |a: u64, b: u64| a | b << 32;
        let row = [halves(s[0], s[1]), s[2], s[3], s[4], s[5], halves(s[6], s[7]), s[8], s[9]];
        r.file.extend_from_slice(&longs(&row));
    }
    let other =
        |kind: u32, offset: u64, size: u64| Header { kind, ..Header::load(4, offset, place(offset), size) };
    let list: [Header; HEADERS] = [
        Header { memsz: size + 0x2000, ..Header::load(7, 0, BASE, size) },
        other(2, dynamic, dynamic_size),
        other(4, note_at, note.len() as u64),
        other(0x6474_e550, hdr_at, 8),
        Header { flags: 6, ..other(0x6474_e551, 0, 0) },
    ];
    let head = headers(3, place(text), &list);
    r.file[..head.len()].copy_from_slice(&head);
    r.file[40..48].copy_from_slice(&shoff.to_le_bytes());
    r.file[60..62].copy_from_slice(&shnum.to_le_bytes());
    r.file[62..64].copy_from_slice(&(shnum - 1).to_le_bytes());
    r.file
}

/// A CIE with pc-relative pointers, and an FDE for each function; the table stands at `at` in file and memory alike.
fn eh_frame(text: u64, at: u64) -> Vec<u8> {
    let mut f = vec![16, 0, 0, 0, 0, 0, 0, 0, 1, b'z', b'R', 0, 4, 0x78, 30, 1, 0x1b, 12, 31, 0];
    for (_, offset, size) in FUNCTIONS {
        let here = f.len() as u64;
        f.extend_from_slice(&16u32.to_le_bytes());
        f.extend_from_slice(&(here as u32 + 4).to_le_bytes());
        f.extend_from_slice(&((text + offset).wrapping_sub(at + here + 8) as u32).to_le_bytes());
        f.extend_from_slice(&(size as u32).to_le_bytes());
        f.extend_from_slice(&[0; 4]);
    }
    f.extend_from_slice(&[0; 4]);
    f
}

#[cfg(test)]
mod tests {
    #[test]
    fn everything_in_the_rich_file_is_read() {
        let image = image::load("rich", super::rich()).unwrap();
        assert_eq!(image.diagnostics, Vec::<String>::new());
        assert!(image.position_independent && image.text_exact && !image.exec_stack);
        assert_eq!((image.symbols.len(), image.mapping.len(), image.unwind.len()), (4, 2, 3));
        assert_eq!(image.pointers.len(), 3, "{:?}", image.pointers);
        assert_eq!(image.build_id.as_deref(), Some(&[1, 2, 3, 4, 5, 6, 7, 8][..]));
        assert!(!image.init.is_empty());
        let program = cfg::discover(&image, &cfg::Options::default());
        assert_eq!((program.functions.len(), program.jump_tables), (3, 1), "{}", program.report());
    }
}
