//! Real programs: what is read from them, and that no damage to them makes the loader panic, hang or eat memory.

mod support;

use image::{FloatAbi, Image, identify, load, load_library};
use isa::Isa;
use std::ffi::CString;

const SOURCE: &str = r#"
#include <stdio.h>
static int twice(int x) { return 2 * x; }
int (*table[])(int) = { twice };
__attribute__((constructor)) static void early(void) { puts("early"); }
int main(int argc, char **argv) { printf("%d\n", table[argc - 1](4)); return 0; }
"#;

fn addr(i: &Image, name: &str) -> u64 {
    i.symbols.iter().find(|s| s.name == name).unwrap_or_else(|| panic!("{name}")).addr
}

#[test]
fn static_program() {
    let bytes = support::compile(SOURCE, &["-O1", "-static", "-fno-pie", "-no-pie", "-Wl,--build-id"]);
    let i = load("static", bytes.clone()).expect("loads");
    assert!(!i.position_independent && !i.exec_stack && i.build_id.is_some());
    assert!(i.init.contains(&addr(&i, "early")));
    assert!(i.is_text(addr(&i, "main")) && !i.is_text(addr(&i, "table")));
    assert!(i.unwind.iter().any(|r| r.start == addr(&i, "main")), "main has unwind information");
    assert!(i.mapping.iter().any(|m| m.code) && i.mapping.windows(2).all(|w| w[0].addr < w[1].addr));
    assert!(!i.pointers.is_empty(), "IRELATIVE relocations of a static glibc");
    assert_eq!(i.diagnostics, [""; 0]);

    // Without section headers: the same segments, and unwind ranges where the program headers lead to them.
    let mut bare = support::strip(&bytes, &["-s"]);
    bare[0x28..0x30].fill(0);
    let b = load("bare", bare).expect("loads");
    assert_eq!(b.segments.len(), i.segments.len());
    assert!(b.is_text(addr(&i, "main")) && b.symbols.is_empty());
    assert!(i.text_exact && !b.text_exact);
}

#[test]
fn static_pie() {
    for packed in ["-Wl,-z,nopack-relative-relocs", "-Wl,-z,pack-relative-relocs"] {
        // Old linkers warn of the option and go on without it.
        let bytes = support::compile(SOURCE, &["-O1", "-static-pie", "-fpie", packed]);
        let i = load("pie", bytes).expect("loads");
        assert!(i.position_independent);
        let table = addr(&i, "table");
        assert!(i.pointers.iter().any(|p| p.at == table && p.target == addr(&i, "twice")), "{packed}");
        assert!(i.init.contains(&addr(&i, "early")));
        assert!(i.unwind.iter().any(|r| r.start == addr(&i, "main")));
    }
}

#[test]
fn static_program_for_aarch32() {
    for (state, bit) in [("-mthumb", 1), ("-marm", 0)] {
        let args = ["-O1", "-static", "-fno-pie", "-no-pie", "-fexceptions", "-Wl,--build-id", state];
        let bytes = support::compile32(SOURCE, &args);
        let i = load("static", bytes.clone()).expect("loads");
        assert_eq!((i.isa, i.float_abi), (isa::Isa::A32, image::FloatAbi::Hard));
        assert!(!i.position_independent && !i.exec_stack && i.build_id.is_some());
        let main = addr(&i, "main");
        assert_eq!(main & 1, bit, "{state}: the state is part of the address");
        assert!(i.is_text(main) && !i.is_text(addr(&i, "table")));
        assert!(i.init.contains(&addr(&i, "early")));
        let mark = i.mapping.iter().rfind(|m| m.addr <= main).expect("a mapping symbol before main");
        assert!(mark.code && mark.thumb == (bit == 1), "{state}: {mark:?}");
        assert!(i.mapping.iter().any(|m| !m.code) && i.mapping.windows(2).all(|w| w[0].addr < w[1].addr));
        // Entries that say the same are merged, so that not every function has one.
        assert!(i.starts.len() > 20, "{state}: {} functions in the exception index", i.starts.len());
        assert!(!i.pointers.is_empty(), "IRELATIVE relocations of a static glibc");
        assert!(i.pointers.iter().all(|p| i.is_text(p.target)), "their addends stand in place");
        assert_eq!(i.diagnostics, [""; 0]);

        // Without section headers: the same segments, and function starts where the program headers lead to them.
        let mut bare = support::strip32(&bytes, &["-s"]);
        bare[0x20..0x24].fill(0);
        let b = load("bare", bare).expect("loads");
        assert_eq!(b.segments.len(), i.segments.len());
        assert!(b.is_text(main) && b.symbols.is_empty() && b.starts.len() > 20);
        assert!(i.text_exact && !b.text_exact);
    }
}

#[test]
fn static_pie_for_aarch32() {
    // Debian's glibc for armhf has no start code for static PIE.
    let source = "static int twice(int x) { return 2 * x; } int (*table[])(int) = { twice };
        __attribute__((constructor)) static void early(void) { table[0](1); }
        void _start(void) { for (;;) table[0](2); }";
    let bytes = support::compile32(
        source,
        &["-O1", "-static", "-Wl,-pie", "-fpie", "-mthumb", "-nostdlib", "-Wl,--no-dynamic-linker"],
    );
    let i = load("pie", bytes).expect("loads");
    assert!(i.position_independent);
    let (table, twice) = (addr(&i, "table"), addr(&i, "twice"));
    assert!(i.pointers.iter().any(|p| p.at == table && p.target == twice && twice & 1 == 1));
    assert!(i.init.contains(&addr(&i, "early")));
}

const LIBRARY: &str = "static int twice(int x) { return 2 * x; } int (*table[])(int) = { twice };
    __attribute__((constructor)) static void early(void) { table[0](1); }
    int f(int x) { return table[0](x); }";

fn strings(list: &[&str]) -> Vec<CString> {
    list.iter().map(|s| CString::new(*s).expect("no NUL")).collect()
}

#[test]
fn shared_libraries() {
    let args = [
        "-O1",
        "-shared",
        "-fPIC",
        "-nostartfiles",
        "-Wl,-soname,libf.so.1,-rpath,$ORIGIN/../lib:/opt/lib,--enable-new-dtags",
        "-Wl,--no-as-needed",
        "-lm",
    ];
    for (bytes, isa) in
        [(support::compile(LIBRARY, &args), Isa::A64), (support::compile32(LIBRARY, &args), Isa::A32)]
    {
        assert_eq!(identify(&bytes[..64]), Some((isa, FloatAbi::Hard)));
        assert!(load("libf", bytes.clone()).is_err(), "no program");
        let i = load_library("libf", bytes.clone()).expect("loads");
        assert!(i.isa == isa && i.position_independent && i.entry == 0 && i.linker.is_none());
        assert_eq!(i.dynamic.needed, strings(&["libm.so.6", "libc.so.6"]));
        assert_eq!(i.dynamic.soname.as_deref(), Some(c"libf.so.1"));
        assert_eq!(i.dynamic.runpath.as_deref(), Some(c"$ORIGIN/../lib:/opt/lib"));
        assert_eq!(i.dynamic.rpath, None);
        assert!(i.text_exact && i.is_text(addr(&i, "f")) && !i.is_text(0));
        assert!(i.init.contains(&addr(&i, "early")));
        let (table, twice) = (addr(&i, "table"), addr(&i, "twice"));
        assert!(i.pointers.iter().any(|p| p.at == table && p.target == twice));
        assert_eq!(i.diagnostics, [""; 0]);

        // Without section headers: address 0 is no entry, so that the headers are no text.
        let mut bare = bytes.clone();
        let e_shoff = if isa == Isa::A64 { 0x28..0x30 } else { 0x20..0x24 };
        bare[e_shoff].fill(0);
        let b = load_library("bare", bare).expect("loads");
        assert!(!b.text_exact && b.is_text(addr(&i, "f")) && !b.is_text(0));
        assert_eq!(b.dynamic, i.dynamic);
    }
    let old = "-Wl,-rpath,/opt/lib,--disable-new-dtags";
    let i = load("dyn", support::compile(SOURCE, &["-O1", old])).expect("loads");
    assert_eq!(i.dynamic.needed, strings(&["libc.so.6"]));
    assert_eq!((i.dynamic.rpath.as_deref(), i.dynamic.runpath), (Some(c"/opt/lib"), None));
    let fixed = support::compile("int main(void) { return 0; }", &["-O1", "-no-pie", "-fno-pie"]);
    let e = load_library("fixed", fixed).expect_err("refused").to_string();
    assert!(e.contains("a program at fixed addresses, not a shared library"), "{e}");
}

/// File offset and value of each entry of the dynamic section of a little-endian 64-bit file.
fn dynamics(bytes: &[u8]) -> Vec<(usize, u64)> {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let headers = (0..).map(|i| word(32) as usize + 56 * i);
    let at = headers.into_iter().find(|&h| bytes[h..h + 4] == [2, 0, 0, 0]).expect("PT_DYNAMIC");
    let (offset, size) = (word(at + 8) as usize, word(at + 32) as usize);
    (offset..offset + size).step_by(16).map(|o| (o, word(o))).collect()
}

#[test]
fn damaged_names_of_libraries_are_left_out() {
    let args = ["-O1", "-shared", "-fPIC", "-nostartfiles", "-Wl,-soname,libf.so.1,--no-as-needed", "-lm"];
    let rpath = format!("-Wl,-rpath,{},--enable-new-dtags", "/directory".repeat(20));
    let sound = support::compile(LIBRARY, &[&args[..], &[&rpath]].concat());
    let entries = dynamics(&sound);
    let at = |tag: u64| entries.iter().find(|e| e.1 == tag).expect("the entry").0;
    let put = |bytes: &mut Vec<u8>, at: usize, v: u64| bytes[at..at + 8].copy_from_slice(&v.to_le_bytes());
    // DT_NEEDED behind the string table; an empty one; no string table; a table that ends in the first name.
    let damage = [(at(1) + 8, u64::MAX, 1), (at(1) + 8, 0, 1), (at(5) + 8, 0, 4), (at(10) + 8, 2, 4)];
    for (at, value, damaged) in damage {
        let mut f = sound.clone();
        put(&mut f, at, value);
        let i = load_library("libf", f).expect("loads");
        let d = &i.dynamic;
        assert_eq!(d.needed.len() + d.soname.iter().len() + d.runpath.iter().len(), 4 - damaged, "{i}");
        let told = format!("{damaged} entries of the dynamic section name no file or directory, ignored");
        assert_eq!(i.diagnostics, [told]);
    }
    // One long string, needed by each entry of a large section.
    let mut f = sound.clone();
    let header = (0..).map(|i| 64 + 56 * i).find(|&h| f[h..h + 4] == [2, 0, 0, 0]).expect("PT_DYNAMIC");
    let name = u64::from_le_bytes(sound[at(29) + 8..at(29) + 16].try_into().expect("8 bytes"));
    let (tags, offset) = ([5, 10].map(at), f.len() as u64);
    for tag in tags {
        let entry = sound[tag..tag + 16].to_vec();
        f.extend(entry);
    }
    for _ in 0..1 << 18 {
        f.extend([1u64.to_le_bytes(), name.to_le_bytes()].concat());
    }
    let size = f.len() as u64 - offset;
    put(&mut f, header + 8, offset);
    put(&mut f, header + 32, size);
    let file = f.len();
    let i = load_library("libf", f).expect("loads");
    let total: usize = i.dynamic.needed.iter().map(|n| n.count_bytes() + 1).sum();
    assert!(total <= file && i.dynamic.needed.len() > 1000);
    assert_eq!(i.diagnostics, ["the dynamic section names more than the file holds: the rest ignored"]);
}

/// xorshift64*: repeatable, and good enough to place damage.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

#[test]
fn damage_never_panics() {
    let source = "__attribute__((used)) static int f(int x) { return x + 1; } int *p[3]; void __aeabi_unwind_cpp_pr0(void) {} void _start(void) { for (;;) f((long)p); }";
    let seeds = [
        support::minimal(),
        support::minimal32(),
        support::compile32(source, &["-O1", "-static", "-nostdlib", "-g0", "-funwind-tables"]),
        support::compile32(
            source,
            &["-O1", "-static", "-Wl,-pie", "-fpie", "-nostdlib", "-g0", "-Wl,--no-dynamic-linker"],
        ),
        support::compile(source, &["-O1", "-static", "-nostdlib", "-g0", "-funwind-tables"]),
        support::compile(source, &["-O1", "-static-pie", "-fpie", "-nostdlib", "-g0", "-Wl,--eh-frame-hdr"]),
        support::compile(LIBRARY, &["-O1", "-shared", "-fPIC", "-nostartfiles", "-g0"]),
        support::compile32(LIBRARY, &["-O1", "-shared", "-fPIC", "-nostartfiles", "-g0"]),
    ];
    let mut r = Random(0x9e37_79b9_7f4a_7c15);
    let interesting =
        [0u64, 1, 7, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 47, i64::MAX as u64, u64::MAX];
    let mut accepted = 0;
    for seed in &seeds {
        // Headers, section headers and tables are small parts of a file: damage goes there more often.
        let shoff = match seed[4] {
            1 => u32::from_le_bytes(seed[0x20..0x24].try_into().expect("4 bytes")) as usize,
            _ => u64::from_le_bytes(seed[0x28..0x30].try_into().expect("8 bytes")) as usize,
        };
        let hot = [0..0x200.min(seed.len()), shoff..seed.len(), 0..seed.len()];
        for _ in 0..3000 {
            let mut f = seed.clone();
            for _ in 0..=r.below(4) {
                let region = hot[r.below(3)].clone();
                let at = region.start + r.below(region.len().max(1));
                match r.below(3) {
                    0 => f[at.min(seed.len() - 1)] = r.next() as u8,
                    1 => {
                        let v = interesting[r.below(interesting.len())].to_le_bytes();
                        let at = at & !7;
                        let n = 8.min(f.len().saturating_sub(at));
                        f[at..at + n].copy_from_slice(&v[..n]);
                    }
                    _ => f[at.min(seed.len() - 1)] ^= 1 << r.below(8),
                }
            }
            if r.below(10) == 0 {
                f.truncate(r.below(f.len()));
            }
            let loaded = [load("damaged", f.clone()), load_library("damaged", f)];
            for i in loaded.into_iter().flatten() {
                accepted += 1;
                assert!(i.segments.iter().all(|s| s.offset + s.filesz <= i.file.len() as u64));
                assert!(i.text.iter().all(|t| i.segment_at(t.start).is_some() && t.start < t.end));
                assert!(i.symbols.len() + i.pointers.len() <= i.file.len());
                let names = i.dynamic.needed.iter().chain(&i.dynamic.soname);
                assert!(names.map(|n| n.count_bytes() + 1).sum::<usize>() <= i.file.len());
            }
        }
    }
    assert!(accepted > 100, "only {accepted} damaged files were accepted: the test tests nothing");
}
