//! Random instructions from the encoding table as guest programs. Takes rows and a seed, gives an assembly table for
//! `guest/insn-cases.c`, which executes each instruction on several states and prints what it changed: one program, run
//! under qemu-user and in every engine.

use crate::compare::{Outcome, Run, run_qemu, run_translated, translate};
use crate::guest::{Libc, build_all};
use crate::{store, temporary};
use isa::a64::Row;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

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
/// that points to its buffer. Registers are below `registers`, or 31.
pub fn word(row: &Row, registers: u32, random: &mut Random) -> u32 {
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
        if r != 31 {
            r %= registers.min(30);
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
    if row.name.contains("(literal") {
        // From nearby text, or far below the program; its data changes with what the engines print.
        let near = (random.word() & 31).wrapping_sub(16);
        w = w & !(0x7ffff << 5) | (if w >> 22 & 3 == 0 { 0x40000 } else { near & 0x7ffff }) << 5;
    }
    if row.name.starts_with("DC ") || row.name.starts_with("IC ") {
        w = w & !31 | (16 + (w & 7));
    }
    w
}

/// What reads and writes flags and modes, without its register: NZCV, FPCR, FPSR; CFINV, XAFLAG, AXFLAG.
const SYSTEM: [u32; 9] = [
    0xd53b_4200,
    0xd51b_4200,
    0xd53b_4400,
    0xd51b_4400,
    0xd53b_4420,
    0xd51b_4420,
    0xd500_401f,
    0xd500_403f,
    0xd500_405f,
];

/// A random sequence in few registers, so that instructions meet each other's results. Nothing that is undefined, traps,
/// or where qemu differs; and no accesses, whose base registers would be overwritten.
pub fn sequence(length: usize, random: &mut Random) -> Vec<u32> {
    static ROWS: LazyLock<Vec<&Row>> = LazyLock::new(|| {
        let fit = |r: &&Row| r.bits().1 >> 25 & 5 != 4 && r.bits().1 >> 26 != 0x35 && r.name != "FJCVTZS";
        isa::a64::rows().filter(fit).collect()
    });
    let mut words = Vec::new();
    while words.len() < length {
        let choice = random.word() as usize;
        let w = match choice % 24 {
            0 => match SYSTEM[choice / 24 % SYSTEM.len()] {
                w if w & 31 == 31 => w,
                // Of FPSR and FPCR only what AArch64 has; qemu's processor knows AArch32, too. AND Xt, Xt, #….
                w @ (0xd51b_4400 | 0xd51b_4420) => {
                    let t = random.word() % 5;
                    words.push(if w == 0xd51b_4420 { 0x9240_6c00 } else { 0x926a_1000 } | t << 5 | t);
                    w | t
                }
                w => w | (random.word() % 5),
            },
            _ => word(ROWS[choice / 24 % ROWS.len()], 5, random),
        };
        let known = isa::a64::decode(w).is_some_and(|r| EXCLUDED.iter().all(|e| e.0 != r.name));
        let usable = w >> 26 == 0x35 || known && isa::a64::is_defined(w);
        if usable && excused(w, "", " signal 4 ").is_none() {
            words.push(w);
        }
    }
    words
}

/// The assembly table for these cases, each of one word or more.
pub fn table(cases: &[Vec<u32>]) -> String {
    let mut s = String::from("\t.text\n");
    for (i, words) in cases.iter().enumerate() {
        let _ = writeln!(s, "\t.type c{i}, %function\nc{i}:");
        for w in words {
            let _ = writeln!(s, "\t.inst 0x{w:08x}");
        }
        let _ = writeln!(s, "\tret\n\t.size c{i}, . - c{i}");
    }
    let _ = writeln!(s, "\t.section .rodata\n\t.balign 8\n\t.global case_count, case_entry, case_word");
    let _ = writeln!(s, "case_count: .quad {}\ncase_entry:", cases.len());
    for i in 0..cases.len() {
        let _ = writeln!(s, "\t.quad c{i}");
    }
    s.push_str("case_word:\n");
    for (i, words) in cases.iter().enumerate() {
        let _ = writeln!(s, "\t.word 0x{:08x}", if words.len() == 1 { words[0] } else { i as u32 });
    }
    s
}

/// Builds the case program with this assembly table.
pub fn build_table(text: &str) -> PathBuf {
    let dir = store().join("cases");
    std::fs::create_dir_all(&dir).expect("the store can be written");
    let path = dir.join(format!("cases-{:016x}.s", crate::guest::content_hash(text.as_bytes())));
    if !path.exists() {
        let temp = temporary(&path);
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

/// Where qemu 7.2 differs from the architecture or from the features that xlate announces: the reason.
pub fn excused(w: u32, qemu: &str, engine: &str) -> Option<&'static str> {
    let row = isa::a64::decode(w)?;
    let sigbus = engine.contains(" signal 7 ");
    match row.name {
        "SYS" | "SYSL" | "MSR (immediate)" => Some("qemu -cpu max has more features than we announce"),
        "DC ZVA" => Some("qemu -cpu max has another block size"),
        "DC CVAP" | "DC CVADP" => Some("undefined in qemu's user mode, in spite of its announcement"),
        n if sigbus && n.starts_with("LDAP") => Some("qemu does not check their alignment"),
        n if sigbus && n.starts_with("ST") && n.contains('X') && !qemu.contains("signal") => {
            Some("the alignment is checked before the monitor")
        }
        "FCVTZU (vector, fixed-point)" if engine.contains("signal 4") && w & 0x2078_fc00 == 0x2000_fc00 => {
            Some("cmode 1111 with o2 and op is unallocated; qemu executes it")
        }
        "FCVTZS (scalar SIMD, fixed-point)" if w & 0x0060_0000 == 0 => {
            Some("qemu puts the sign of the half-width result above it")
        }
        "FJCVTZS" if fpcr(engine) >> 24 & 1 == 1 => {
            Some("FPToFixedJS clears Z for a subnormal that FZ makes zero; qemu does not")
        }
        _ => None,
    }
}

/// The program's report in lines, each with the FPCR of the run in front of what changed.
pub fn lines(o: &Outcome) -> Vec<String> {
    // Linux reports undefined instructions as ILL_ILLOPC, qemu as ILL_ILLOPN.
    String::from_utf8_lossy(&o.stdout)
        .lines()
        .map(|l| l.replace("signal 4 code 2", "signal 4 code 1"))
        .collect()
}

fn fpcr(line: &str) -> u32 {
    line.split(['/', ' ']).nth(1).and_then(|f| u32::from_str_radix(f, 16).ok()).unwrap_or(0)
}

/// Runs the program of `cases` under qemu and in an engine with these arguments; gives the lines that differ, as
/// (case, qemu's, engine's), without those that are excused.
pub fn differences(
    cases: &[Vec<u32>],
    engine: usize,
    args: &[&str],
) -> Result<Vec<(usize, String, String)>, String> {
    let (name, flags, env) = ENGINES[engine];
    let program = build_table(&table(cases));
    let run =
        Run { args: args.to_vec(), timeout: Some(std::time::Duration::from_secs(600)), ..Run::default() };
    let expected = qemu(&program, &run);
    let translated = translate(&program, flags)?;
    let got = run_translated(&translated, &Run { env: vec![("XLATE_ENGINE", env)], ..run });
    let (e, g) = (lines(&expected), lines(&got));
    if expected.status != 0 || got.status != 0 || e.len() != g.len() {
        return Err(format!(
            "{name}: qemu ends with {expected:?}\nafter {:?}\nengine with {got:?}\nafter {:?}",
            e.last(),
            g.last()
        ));
    }
    let states = (e.len() / cases.len().max(1)).max(1);
    let pairs = e.into_iter().zip(g).enumerate().filter(|(_, (e, g))| e != g);
    Ok(pairs
        .map(|(line, (e, g))| (line / states, e, g))
        .filter(|(case, e, g)| cases[*case].len() > 1 || excused(cases[*case][0], e, g).is_none())
        .collect())
}

/// qemu with the features that xlate advertises, as far as it lets them be chosen.
pub fn qemu(program: &Path, run: &Run) -> Outcome {
    let mut run = run.clone();
    run.env.push(("QEMU_CPU", "max,sve=off,pauth=off"));
    run_qemu(program, &run)
}

/// A readable line for each word: the row and the disassembly.
pub fn describe(words: &[u32]) -> String {
    let line = |w: &u32| {
        let row = isa::a64::decode(*w).map_or("unallocated", |r| r.name);
        format!("{w:08x} {} [{row}]", disassemble(*w))
    };
    words.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn disassemble(w: u32) -> String {
    isa::a64::decode::disassemble(w, ir::GuestAddr(0))
}
