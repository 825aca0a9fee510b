//! The tables of AArch32 against LLVM's disassembler: random words of A32, T16 and T32, and every word of the cross compiler's
//! C and C++ libraries and of programs compiled for A32. Both must say the same of what is an instruction, and call it the same.
//!
//! `XLATE_SEED` and `XLATE_RANDOM` (words of each set) vary the choice, `XLATE_SHOW` is the number of differences shown.

mod common;

use common::random::Random;
use common::{Directory, a32_options, disassembled, number};
use ir::GuestAddr;
use isa::Exit;
use isa::a32::{self, Place};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn place(thumb: bool) -> Place {
    Place { addr: 0x1000, thumb, it: 0, passed: false }
}

/// The bytes of a word as they lie in memory.
fn bytes(thumb: bool, word: u32) -> Vec<u8> {
    match thumb {
        false => word.to_le_bytes().to_vec(),
        true if word >> 16 == 0 => (word as u16).to_le_bytes().to_vec(),
        true => [(word >> 16) as u16, word as u16].map(u16::to_le_bytes).concat(),
    }
}

/// LLVM's opinion of a word.
#[derive(Clone, PartialEq, Debug)]
enum Opinion {
    /// Its mnemonic, without conditions made out.
    Allocated(String),
    /// Unpredictable: allocated with operands that are not allowed.
    Doubtful,
    Unallocated,
}

/// LLVM's opinions of words.
fn llvm(thumb: bool, words: &[u32]) -> Vec<Opinion> {
    let mut text = String::new();
    for w in words {
        let bytes: Vec<String> = bytes(thumb, *w).iter().map(|b| format!("{b:#04x}")).collect();
        // In brackets: what is wrong is not taken up again in its middle.
        text += &format!("[{}]\n", bytes.join(" "));
    }
    let (stdout, messages) = disassembled(&a32_options(thumb), text);
    let mut opinions = vec![None; words.len()];
    for (line, message) in messages {
        let invalid = message.contains("invalid instruction");
        opinions[line] = Some(if invalid { Opinion::Unallocated } else { Opinion::Doubtful });
    }
    // One line for each that is not invalid, warned of or not, behind directives.
    let mut lines = stdout.lines().filter(|l| l.starts_with('\t') && !l.starts_with("\t."));
    for o in &mut opinions {
        if *o != Some(Opinion::Unallocated) {
            let line = lines.next().expect("LLVM shows every instruction");
            let mnemonic = line.trim().split(['\t', ' ']).next().unwrap_or_default().to_string();
            o.get_or_insert(Opinion::Allocated(mnemonic));
        }
    }
    assert_eq!(lines.next(), None, "LLVM shows nothing else");
    opinions.into_iter().flatten().collect()
}

/// One word as code.
struct Word(Vec<u8>);

impl isa::Code for Word {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        let mut bytes = [0; 4];
        let from = self.0.get((pc.0 as usize).checked_sub(0x1000)?..)?;
        let n = from.len().min(4);
        bytes[..n].copy_from_slice(&from[..n]);
        (n > 0).then(|| u32::from_le_bytes(bytes))
    }
}

/// The row that a word is an instruction of.
fn ours(thumb: bool, word: u32) -> Option<&'static str> {
    let at = place(thumb);
    let row = a32::decode(at, word).row?;
    let run = a32::lift_run(&Word(bytes(thumb, word)), at.tested().into(), GuestAddr(0x1004), 1);
    // UDF is one, although it is undefined.
    let undefined = matches!(run.exit, Exit::Trap { kind: ir::TrapKind::Undefined, .. });
    (!undefined || row.name.starts_with("UDF")).then_some(row.name)
}

const CONDITIONS: [&str; 17] =
    ["", "eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"];

/// True if LLVM's mnemonic `theirs` is one of our row's: `ADD, ADDS (immediate)` is `add`, `addseq.w`.
fn same_name(row: &str, theirs: &str) -> bool {
    let theirs = theirs.split('.').next().unwrap_or_default();
    let names = row.split(" (").next().unwrap_or(row);
    names.split(',').any(|n| {
        let name = n.split_whitespace().next().unwrap_or_default().to_lowercase();
        let rest = theirs.strip_prefix(name.as_str());
        rest.is_some_and(|r| {
            CONDITIONS.contains(&r) || r.strip_prefix('s').is_some_and(|r| CONDITIONS.contains(&r))
        })
    })
}

/// Where LLVM is of another opinion: a prefix of our row's name, a prefix of its mnemonic, the reason.
const ALIASES: &[(&str, &str, &str)] = &[
    ("MOV", "lsl", "MOV of a shifted register"),
    ("MOV", "lsr", "MOV of a shifted register"),
    ("MOV", "asr", "MOV of a shifted register"),
    ("MOV", "ror", "MOV of a shifted register"),
    ("MOV", "rrx", "MOV of a shifted register"),
    ("MOV", "movw", "one row name for both"),
    ("ADD", "addw", "T4's name"),
    ("SUB", "subw", "T4's name"),
    ("LDRT", "ldr.w", "with PC as base it means LDR (literal), as the lifter knows"),
    ("LDRBT", "ldrb.w", "with PC as base it means LDRB (literal)"),
    ("LDRHT", "ldrh.w", "with PC as base it means LDRH (literal)"),
    ("LDRSBT", "ldrsb.w", "with PC as base it means LDRSB (literal)"),
    ("LDRSHT", "ldrsh.w", "with PC as base it means LDRSH (literal)"),
    ("ADR", "add", "ADR is ADD with PC"),
    ("ADR", "sub", "ADR is SUB with PC"),
    ("PLD (literal)", "pldw", "there is no PLDW (literal): its bit 22 should be 1"),
    ("NOP-compatible hint", "hint", "its name"),
    ("UDF", "trap", "an alias for UDF #254"),
    ("UDF", "__brkdiv0", "an alias for UDF #249"),
    ("VLDM", "vldm", "the form is not in our name"),
    ("VLDM", "fldm", "its old name"),
    ("VSTM", "vstm", "the form is not in our name"),
    ("VSTM", "fstm", "its old name"),
    ("CRC32", "crc32", "the size is not in our name"),
    ("IT", "it", "then and else are not in our name"),
    ("STM", "stm<und>", "LLVM fails to show the base among the registers"),
    ("LDM", "pop", "LDM SP!"),
    ("LDR", "pop", "LDR Rt, [SP], #4"),
    ("STM", "push", "STMDB SP!"),
    ("STR", "push", "STR Rt, [SP, #-4]!"),
    ("VLDM", "vpop", "VLDM SP!"),
    ("VSTM", "vpush", "VSTMDB SP!"),
];

/// How the two differ on a word, if they do.
fn difference(thumb: bool, word: u32, theirs: &Opinion) -> Option<String> {
    let row = ours(thumb, word);
    match (row, theirs) {
        (None, Opinion::Unallocated | Opinion::Doubtful) | (Some(_), Opinion::Doubtful) => None,
        (Some(row), Opinion::Allocated(name)) if same_name(row, name) => None,
        (Some(row), Opinion::Allocated(name))
            if ALIASES.iter().any(|(r, n, _)| row.starts_with(r) && name.starts_with(n)) =>
        {
            None
        }
        (Some(row), Opinion::Allocated(name)) => Some(format!("{row} / {name}")),
        (Some(_), Opinion::Unallocated) if !as_it_should_be(thumb, word) => None,
        // Hints that nobody has a name for, and CPS that changes nothing: unpredictable.
        (Some(row), Opinion::Unallocated)
            if ["emory hint", "PLD (literal", "CPS"].iter().any(|p| row.contains(p)) =>
        {
            None
        }
        // Armv8 has them no more.
        (Some("SWP" | "SWPB"), Opinion::Unallocated) => None,
        // LLVM has them without a condition only.
        (Some(row), Opinion::Unallocated)
            if !thumb && word >> 28 != 14 && (row.starts_with("CRC32") || matches!(row, "UDF" | "BKPT")) =>
        {
            None
        }
        // SP in the list: unpredictable.
        (Some(row), Opinion::Unallocated) if thumb && row.starts_with("STM") && word >> 13 & 1 == 1 => None,
        // FLDMX and FSTMX of D16 and above: unpredictable.
        (Some(row), Opinion::Unallocated)
            if (row.starts_with("VLDM") || row.starts_with("VSTM")) && word & 0xf01 == 0xb01 =>
        {
            None
        }
        (Some(row), Opinion::Unallocated) => Some(format!("{row} / unallocated")),
        (None, Opinion::Allocated(name)) => {
            let row = a32::decode(place(thumb), word).row.map_or("no row", |r| r.name);
            Some(format!("undefined ({row}) / {name}"))
        }
    }
}

/// False for a word with other bits than the manual says that should be there: LLVM takes them for unallocated.
fn as_it_should_be(thumb: bool, word: u32) -> bool {
    let insn = a32::decode(place(thumb), word);
    let Some(row) = insn.row else { return true };
    let letters = row.pattern.chars().filter(|c| *c != ' ').rev().enumerate();
    let mut bits = letters.map(|(i, c)| (c, insn.word >> i & 1));
    bits.all(|(c, bit)| !(c == 'z' && bit == 1 || c == 'o' && bit == 0))
}

/// Compares words; the differences, by kind.
fn compare(thumb: bool, words: &[u32], excused: impl Fn(u32, &str) -> bool) -> BTreeMap<String, Vec<u32>> {
    let mut kinds = BTreeMap::<String, Vec<u32>>::new();
    for (w, theirs) in words.iter().zip(llvm(thumb, words)) {
        if let Some(d) = difference(thumb, *w, &theirs).filter(|d| !excused(*w, d)) {
            kinds.entry(d).or_default().push(*w);
        }
    }
    kinds
}

fn report(title: &str, kinds: &BTreeMap<String, Vec<u32>>) -> String {
    let mut text = String::new();
    for (kind, words) in kinds.iter().take(number("XLATE_SHOW", 40) as usize) {
        text += &format!("{title}: {kind}: {} ×, as {:08x}\n", words.len(), words[0]);
    }
    text
}

#[test]
fn random_words_are_llvms() {
    let n = number("XLATE_RANDOM", 4000);
    let mut random = Random::seeded(number("XLATE_SEED", 1));
    let mut text = String::new();
    let mut a32 = BTreeSet::new();
    let mut t32 = BTreeSet::new();
    for _ in 0..n {
        let w = random.next() as u32;
        a32.insert(w | 0xe000_0000 & (random.next() as u32 & 1).wrapping_neg());
        t32.insert(w | 0xe800_0000 | (random.next() as u32 % 3 + 1) << 27);
    }
    let t16: Vec<u32> = (0..0xe800).collect();
    for (title, thumb, words) in [
        ("A32", false, a32.into_iter().collect::<Vec<_>>()),
        ("T16", true, t16),
        ("T32", true, t32.into_iter().collect()),
    ] {
        // What operands are allowed is the oracle's affair; coprocessors other than 10, 11 and 15 have nobody.
        let operands = |w: u32, d: &str| {
            let coprocessor = w >> 24 & 15 >= 12 && (w >> 8 & 15 < 10 || (12..15).contains(&(w >> 8 & 15)));
            d.starts_with("undefined (") && !d.starts_with("undefined (no row") || coprocessor
        };
        text += &report(title, &compare(thumb, &words, operands));
    }
    assert!(text.is_empty(), "ours / LLVM's:\n{text}");
}

fn u16_at(b: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([b[at], b[at + 1]]))
}

fn u32_at(b: &[u8], at: usize) -> usize {
    u16_at(b, at) | u16_at(b, at + 2) << 16
}

/// The words of an object file's text, by its mapping symbols: A32's, Thumb's.
fn text_words(elf: &[u8], into: &mut [BTreeSet<u32>; 2]) {
    let (table, size, count) = (u32_at(elf, 32), u16_at(elf, 46), u16_at(elf, 48));
    let header = |i: usize| table + i * size;
    let Some(symbols) = (0..count).map(header).find(|h| u32_at(elf, h + 4) == 2) else { return };
    let names = u32_at(elf, header(u32_at(elf, symbols + 24)) + 16);
    // Section, address, kind.
    let mut marks = BTreeSet::new();
    let (start, bytes) = (u32_at(elf, symbols + 16), u32_at(elf, symbols + 20));
    for s in (start..start + bytes).step_by(16) {
        let name = &elf[names + u32_at(elf, s)..];
        if name[0] == b'$' && matches!(name[1], b'a' | b't' | b'd') && matches!(name[2], 0 | b'.') {
            marks.insert((u16_at(elf, s + 14), u32_at(elf, s + 4), name[1]));
        }
    }
    let marks: Vec<_> = marks.into_iter().collect();
    for (i, &(section, from, kind)) in marks.iter().enumerate() {
        let h = header(section);
        // SHT_PROGBITS with SHF_EXECINSTR.
        if section >= count || u32_at(elf, h + 4) != 1 || u32_at(elf, h + 8) & 4 == 0 {
            continue;
        }
        let (base, offset, len) = (u32_at(elf, h + 12), u32_at(elf, h + 16), u32_at(elf, h + 20));
        let to = marks.get(i + 1).filter(|m| m.0 == section).map_or(base + len, |m| m.1);
        let code = &elf[offset + from - base..offset + to - base];
        let mut at = 0;
        while at + if kind == b'a' { 4 } else { 2 } <= code.len() {
            match kind {
                b'a' => {
                    into[0].insert(u32_at(code, at) as u32);
                    at += 4;
                }
                b't' if a32::is_wide(u16_at(code, at) as u16) && at + 4 <= code.len() => {
                    into[1].insert((u16_at(code, at) << 16 | u16_at(code, at + 2)) as u32);
                    at += 4;
                }
                b't' => {
                    into[1].insert(u16_at(code, at) as u32);
                    at += 2;
                }
                _ => break,
            }
        }
    }
}

/// The words of an archive's members.
fn archive_words(path: &Path, into: &mut [BTreeSet<u32>; 2]) {
    let file = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut at = 8;
    while at + 60 <= file.len() {
        let size: usize = String::from_utf8_lossy(&file[at + 48..at + 58]).trim().parse().expect("a size");
        let member = &file[at + 60..at + 60 + size];
        if member.starts_with(b"\x7fELF") {
            text_words(member, into);
        }
        at += 60 + size.next_multiple_of(2);
    }
}

/// C that has the compiler use much of the instruction set.
const ARITHMETIC: &str = r#"
#include <stdint.h>
#include <math.h>
#define LOOPS(T, N) \
    void add_##N(T *a, T *b, T *c) { for (int i = 0; i < 1024; i++) a[i] = b[i] + c[i] * b[i] - a[i]; } \
    T sum_##N(T *a, int n) { T s = 0; for (int i = 0; i < n; i++) s += a[i]; return s; } \
    T most_##N(T *a, int n) { T s = a[0]; for (int i = 0; i < n; i++) s = a[i] > s ? a[i] : s; return s; } \
    void mix_##N(T *a, T *b) { for (int i = 0; i < 256; i++) { a[2 * i] = b[4 * i]; a[2 * i + 1] = b[4 * i + 3]; } } \
    int order_##N(T a, T b) { return a < b ? -1 : a > b; }
LOOPS(int8_t, i8) LOOPS(uint8_t, u8) LOOPS(int16_t, i16) LOOPS(uint16_t, u16) LOOPS(int32_t, i32)
LOOPS(uint32_t, u32) LOOPS(int64_t, i64) LOOPS(uint64_t, u64) LOOPS(float, f) LOOPS(double, d)
#define CONVERT(A, B, N) void convert_##N(A *a, B *b) { for (int i = 0; i < 512; i++) a[i] = (A)b[i]; }
CONVERT(int8_t, int16_t, a) CONVERT(int16_t, int32_t, b) CONVERT(int32_t, float, c) CONVERT(float, uint32_t, d)
CONVERT(double, float, e) CONVERT(float, double, f) CONVERT(int64_t, double, g) CONVERT(uint16_t, uint8_t, h)
int32_t high(int32_t a, int32_t b) { return (int64_t)a * b >> 32; }
int64_t wide(int64_t s, int32_t a, int32_t b) { return s + (int64_t)a * b; }
uint64_t uwide(uint64_t s, uint32_t a, uint32_t b) { return s + (uint64_t)a * b; }
int32_t halves(int32_t s, int16_t a, int16_t b) { return s + a * b; }
uint32_t bits(uint32_t a, uint32_t b) { return __builtin_bswap32(a) ^ (b >> 7 & 0x1ff) ^ __builtin_clz(a | 1) ^ __builtin_ctz(b | 1); }
uint16_t swapped(uint16_t a) { return __builtin_bswap16(a); }
struct fields { unsigned a : 5, b : 13, c : 14; };
void fields(struct fields *f, unsigned v) { f->b = v; f->c = v >> 3; }
uint64_t shifts(uint64_t a, int n) { return a << n ^ a >> (n & 7) ^ (int64_t)a >> 13; }
int quotient(int a, int b) { return a / b + a % 7; }
double roots(double a, float b) { return sqrt(a) + fabsf(b) + fma(a, a, b) - a / b; }
float rounded(float a) { return floorf(a) + truncf(a) + rintf(a) + fmaxf(a, 1); }
int many(int n) { switch (n) { case 0: return 5; case 1: return 77; case 2: return -4; case 3: return 9999; case 4: return 31; case 7: return 12; default: return n; } }
int atomics(int *p, int64_t *q, char *c) { return __sync_fetch_and_add(p, 3) + __atomic_exchange_n(q, 5, 5) + __sync_bool_compare_and_swap(c, 1, 2) + __atomic_load_n(p, 2); }
void stores(int *p, int64_t *q, short *h, int n) { while (n--) { *p++ = n; *q-- = n; h[n] = n; __atomic_store_n(p, n, 3); } }
"#;

fn gcc(args: &[&str]) -> String {
    let out = Command::new("arm-linux-gnueabihf-gcc").args(args).output();
    let out = out.expect("arm-linux-gnueabihf-gcc (xtask setup installs it)");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_string()
}

#[test]
fn real_text_is_llvms() {
    let mut words = [BTreeSet::new(), BTreeSet::new()];
    for library in ["libc.a", "libm.a", "libstdc++.a"] {
        archive_words(&PathBuf::from(gcc(&[&format!("-print-file-name={library}")])), &mut words);
    }
    // A32: what the compiler makes of these for several processors.
    let dir = Directory::new("a32-decode");
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testsuite/guest");
    let object = dir.0.join("object").display().to_string();
    let arithmetic = dir.0.join("arithmetic.c");
    std::fs::write(&arithmetic, ARITHMETIC).expect("the source is written");
    for source in [guest.join("files.c"), arithmetic] {
        let source = source.display().to_string();
        for (arch, level) in [
            ("-march=armv7-a+neon-vfpv4", "-O3"),
            ("-march=armv8-a+crc+simd", "-Os"),
            ("-march=armv6+fp", "-O2"),
        ] {
            gcc(&["-marm", arch, level, "-ffast-math", "-w", "-c", "-o", &object, &source]);
            text_words(&std::fs::read(&object).expect("an object file"), &mut words);
        }
    }
    let mut text = String::new();
    for (title, thumb, words) in [("A32", false, &words[0]), ("Thumb", true, &words[1])] {
        println!("{title}: {} different words", words.len());
        let words: Vec<u32> = words.iter().copied().collect();
        text += &report(title, &compare(thumb, &words, |_, _| false));
    }
    assert!(text.is_empty(), "ours / LLVM's:\n{text}");
}
