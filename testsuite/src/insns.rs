//! Random instructions from the encoding table as guest programs. Takes rows and a seed, gives an assembly table for
//! `guest/insn-cases.c`, which executes each instruction on several states and prints what it changed: one program, run
//! under qemu-user and in every engine.

use crate::compare::{Outcome, Run, run_qemu, run_translated, translate};
use crate::guest::{Libc, build_all};
use crate::store;
use isa::a64::Row;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Encodings that these programs cannot execute alone, with the reason.
pub const EXCLUDED: &[(&str, &str)] = &[
    ("B", "leaves the case"),
    ("BL", "leaves the case"),
    ("B.cond", "leaves the case"),
    ("CBZ", "leaves the case"),
    ("CBNZ", "leaves the case"),
    ("TBZ", "leaves the case"),
    ("TBNZ", "leaves the case"),
    ("BR", "leaves the case"),
    ("BLR", "leaves the case"),
    ("RET", "leaves the case"),
    ("SVC", "a system call by whatever number x8 holds"),
    ("HLT", "semihosting in qemu"),
    ("MRS", "identification and counters differ from qemu's; tested by hand"),
    ("MSR (register)", "writes the thread pointer"),
];

/// A small generator (xorshift), so that a seed names a program for ever.
pub struct Random(pub u64);

impl Random {
    /// Next 32 bits.
    pub fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }
}

/// A random word of `row` that the case program can execute: no link register, and for accesses a base register
/// that points to its buffer.
pub fn word(row: &Row, random: &mut Random) -> u32 {
    let (mask, value) = row.bits();
    let letters: Vec<char> = row.pattern.chars().filter(|c| *c != ' ').collect();
    let field = |hi: usize, letter: char| letters[31 - hi..36 - hi].iter().all(|c| *c == letter);
    let mut w = value | random.word() & !mask;
    let memory = w >> 25 & 5 == 4;
    for (hi, names) in [(4, "dt"), (9, "n"), (14, "aut"), (20, "ms")] {
        if !names.chars().any(|l| field(hi, l)) {
            continue;
        }
        let shift = hi - 4;
        let mut r = w >> shift & 31;
        if r == 30 {
            r = 29;
        }
        if memory && hi == 9 {
            r = 16 + r % 8;
        } else if memory && field(hi, 'm') && r != 31 {
            r %= 8;
        } else if memory && (16..24).contains(&r) {
            r -= 16;
        }
        w = w & !(31 << shift) | r << shift;
    }
    if row.name.starts_with("DC ") || row.name.starts_with("IC ") {
        w = w & !31 | 16 + (w & 7);
    }
    w
}

/// The assembly table for `words`.
pub fn table(words: &[u32]) -> String {
    let mut s = String::from("\t.text\n");
    for (i, w) in words.iter().enumerate() {
        let _ = writeln!(s, "\t.type c{i}, %function\nc{i}:\t.inst 0x{w:08x}\n\tret\n\t.size c{i}, 8");
    }
    let _ = writeln!(s, "\t.section .rodata\n\t.balign 8\n\t.global case_count, case_entry, case_word");
    let _ = writeln!(s, "case_count: .quad {}\ncase_entry:", words.len());
    for i in 0..words.len() {
        let _ = writeln!(s, "\t.quad c{i}");
    }
    s.push_str("case_word:\n");
    for w in words {
        let _ = writeln!(s, "\t.word 0x{w:08x}");
    }
    s
}

/// Builds the case program for `words`.
pub fn program(words: &[u32]) -> PathBuf {
    let dir = store().join("cases");
    std::fs::create_dir_all(&dir).expect("the store can be written");
    let text = table(words);
    let path = dir.join(format!("cases-{:016x}.s", crate::guest::content_hash(text.as_bytes())));
    if !path.exists() {
        let temp = path.with_extension(format!("tmp{}", std::process::id()));
        std::fs::write(&temp, text)
            .and_then(|()| std::fs::rename(&temp, &path))
            .expect("the store can be written");
    }
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest/insn-cases.c");
    build_all(&[&main, &path], Libc::Musl, &["-O1", "-w"]).unwrap_or_else(|e| panic!("{e}"))
}

/// An engine: a name, flags for `xlate`, and `XLATE_ENGINE`.
pub const ENGINES: &[(&str, &[&str], &str)] = &[
    ("interpreter", &["-O0", "--no-lift"], "interp"),
    ("llvm -O0", &["-O0"], "auto"),
    ("llvm -O2", &["-O2"], "auto"),
];

/// Runs the program of `words` under qemu and in an engine with these arguments; gives the lines that differ, as
/// (qemu's, engine's), at most `limit`.
pub fn differences(
    words: &[u32],
    engine: usize,
    args: &[&str],
    limit: usize,
) -> Result<Vec<(String, String)>, String> {
    let (name, flags, env) = ENGINES[engine];
    let program = program(words);
    let run =
        Run { args: args.to_vec(), timeout: Some(std::time::Duration::from_secs(300)), ..Run::default() };
    let expected = qemu(&program, &run);
    let translated = translate(&program, flags)?;
    let got = run_translated(&translated, &Run { env: vec![("XLATE_ENGINE", env)], ..run });
    if expected.status != 0 || got.status != 0 {
        return Err(format!("{name}: status {} instead of {}: {:?}", got.status, expected.status, got));
    }
    let text = |o: &Outcome| String::from_utf8_lossy(&o.stdout).into_owned();
    let (e, g) = (text(&expected), text(&got));
    let pairs = e.lines().zip(g.lines().chain(std::iter::repeat("")));
    Ok(pairs.filter(|(a, b)| a != b).take(limit).map(|(a, b)| (a.to_string(), b.to_string())).collect())
}

/// qemu with the features that xlate advertises, as far as it lets them be chosen.
fn qemu(program: &Path, run: &Run) -> Outcome {
    let mut run = run.clone();
    run.env.push(("QEMU_CPU", "max,sve=off,pauth=off"));
    run_qemu(program, &run)
}

/// A readable line for a word: the row and the disassembly.
pub fn describe(w: u32) -> String {
    let row = isa::a64::decode(w).map_or("unallocated", |r| r.name);
    format!("{w:08x} {} [{row}]", isa::a64::decode::disassemble(w, ir::GuestAddr(0)))
}
