//! Each kind of file that is refused, with the message a user sees.

mod support;

use image::{Error, Feature, load};
use support::{minimal, minimal32};

fn put(f: &mut [u8], at: usize, bytes: &[u8]) {
    f[at..at + bytes.len()].copy_from_slice(bytes);
}

fn message(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut f = minimal();
    change(&mut f);
    load("prog", f).expect_err("refused").to_string()
}

#[test]
fn the_minimal_file_loads() {
    let i = load("prog", minimal()).expect("loads");
    assert_eq!((i.entry, i.phdr, i.phnum, i.segments.len()), (0x40_0080, 0x40_0040, 1, 1));
    assert!(i.exec_stack, "no PT_GNU_STACK");
    assert_eq!(i.text, [image::Range { start: 0x40_0078, end: 0x40_0088 }]);
    assert_eq!(i.u32_at(0x40_0084), Some(0xd400_0001));
    assert_eq!(i.u32_at(0x40_0088), None);
    assert_eq!(i.diagnostics, [""; 0]);
}

#[test]
fn refusals_name_field_offset_and_remedy() {
    assert!(matches!(load("prog", Vec::new()), Err(Error::NotElf { .. })));
    let cases: [(&str, String); 19] = [
        (
            "prog: AArch32 (32-bit ARM) programs in 64-bit files are not supported (e_ident[EI_CLASS] at offset 0x4)",
            message(|f| put(f, 18, &[40])),
        ),
        ("machine 62 is x86-64, as translated programs are, not ARM", message(|f| put(f, 18, &[62]))),
        ("machine 8 is not ARM", message(|f| put(f, 18, &[8]))),
        ("ILP32", message(|f| put(f, 4, &[1]))),
        (
            "this is an object file, not a program (e_type at offset 0x10); link it first",
            message(|f| put(f, 16, &[1])),
        ),
        ("core dump", message(|f| put(f, 16, &[4]))),
        ("PT_INTERP at offset 0x40: the path of the dynamic linker", message(|f| put(f, 64, &[3]))),
        ("e_phoff at offset 0x20: the program headers lie beyond", message(|f| put(f, 32, &[0xff, 0xff]))),
        ("e_phoff at offset 0x20", message(|f| put(f, 32, &[0xff; 8]))),
        ("e_phnum at offset 0x38: 65535 program headers", message(|f| put(f, 56, &[0xff, 0xff]))),
        ("e_phentsize at offset 0x36", message(|f| put(f, 54, &[57]))),
        (
            "p_filesz at offset 0x60: the segment lies beyond the end",
            message(|f| put(f, 97, &[1, 0, 0, 0, 0, 0, 0, 0, 2])),
        ),
        ("p_memsz at offset 0x68: less than p_filesz", message(|f| put(f, 104, &[1]))),
        ("is no user address", message(|f| put(f, 104 + 6, &[1]))),
        ("p_vaddr at offset 0x50: not congruent", message(|f| put(f, 80, &[4]))),
        ("p_align at offset 0x70: 0x3000 is no power", message(|f| put(f, 113, &[0x30]))),
        ("e_entry at offset 0x18: 0x400082 is not a multiple of 4", message(|f| put(f, 24, &[0x82]))),
        ("0x400090 is not in an executable segment", message(|f| put(f, 24, &[0x90]))),
        ("0x400080 is not in an executable segment", message(|f| put(f, 68, &[6]))),
    ];
    for (want, got) in cases {
        assert!(got.contains(want), "{got:?} does not contain {want:?}");
    }
    // Big-endian files have e_machine the other way round.
    let big = message(|f| {
        put(f, 5, &[2]);
        put(f, 16, &[0, 2, 0, 183]);
    });
    assert!(big.contains("-mlittle-endian"), "{big}");
    assert!(message(|f| f.truncate(40)).contains("the file ends inside the ELF header"));
}

fn message32(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut f = minimal32();
    change(&mut f);
    load("prog", f).expect_err("refused").to_string()
}

#[test]
fn refusals_of_32_bit_programs() {
    let i = load("prog", minimal32()).expect("loads");
    assert_eq!((i.isa, i.float_abi, i.entry), (isa::Isa::A32, image::FloatAbi::Hard, 0x1_0054));
    assert_eq!((i.phdr, i.phnum, i.phent), (0x1_0034, 1, 32));
    assert_eq!(i.text, [image::Range { start: 0x1_0054, end: 0x1_005c }]);
    // Thumb state at the entry.
    let mut thumb = minimal32();
    put(&mut thumb, 24, &[0x57]);
    assert_eq!(load("prog", thumb).expect("loads").entry, 0x1_0057);

    let cases: [(&str, String); 12] = [
        ("programs for the old ABI of AArch32", message32(|f| put(f, 39, &[0]))),
        ("(e_flags at offset 0x24); build the program for the EABI", message32(|f| put(f, 39, &[0]))),
        ("big-endian programs are not supported (e_flags (EF_ARM_BE8)", message32(|f| put(f, 38, &[0x80]))),
        ("ILP32", message32(|f| put(f, 18, &[183]))),
        ("e_phnum at offset 0x2c: 65535", message32(|f| put(f, 44, &[0xff, 0xff]))),
        ("e_phentsize at offset 0x2a: 33 instead of 32", message32(|f| put(f, 42, &[33]))),
        ("e_phoff at offset 0x1c", message32(|f| put(f, 28, &[0xff; 4]))),
        ("e_entry at offset 0x18: 0x10056 is not a multiple of 4", message32(|f| put(f, 24, &[0x56]))),
        (
            "p_filesz at offset 0x44: the segment lies beyond the end",
            message32(|f| put(f, 69, &[1, 0, 0, 0, 2])),
        ),
        ("p_memsz at offset 0x48: less than p_filesz", message32(|f| put(f, 72, &[1]))),
        (
            "p_vaddr at offset 0x3c: 0xffff0000 + 0x5c is no user address",
            message32(|f| {
                put(f, 60, &0xffff_0000u32.to_le_bytes());
            }),
        ),
        ("p_align at offset 0x50: 0x3000 is no power", message32(|f| put(f, 81, &[0x30]))),
    ];
    for (want, got) in cases {
        assert!(got.contains(want), "{got:?} does not contain {want:?}");
    }
}

#[test]
fn overlapping_segments_are_refused() {
    let mut f = minimal();
    put(&mut f, 56, &[2]);
    let header = f[64..120].to_vec();
    f.resize(0x1000, 0);
    f[120..176].copy_from_slice(&header);
    let e = load("prog", f).expect_err("refused").to_string();
    assert!(e.contains("segments at 0x400000 and 0x400000 overlap"), "{e}");
}

#[test]
fn libraries_and_objects_are_refused() {
    let f = support::compile("int main(void) { return 0; }", &["-O1"]);
    let image = load("dyn", f).expect("loads");
    assert_eq!(image.linker.as_deref(), Some(c"/lib/ld-linux-aarch64.so.1"));
    // What the linkage table's relocations refer to is in other files, but `main` and the like are not.
    assert!(image.position_independent && !image.pointers.is_empty());
    let f = support::compile("int f(void) { return 0; }", &["-O1", "-shared"]);
    assert!(matches!(load("so", f), Err(Error::Unsupported { .. })));
    let f = support::compile("int f(void) { return 0; }", &["-c"]);
    assert!(matches!(load("o", f), Err(Error::Unsupported { feature: Feature::Relocatable, .. })));
}
