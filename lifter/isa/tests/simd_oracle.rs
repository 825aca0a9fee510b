//! The meaning of every floating-point, Advanced SIMD and cryptographic encoding against qemu: random words of each row
//! with random registers, executed by `ir::eval` here and by `testsuite/guest/insn-oracle.c` under qemu-aarch64.
//!
//! `XLATE_SEED` changes the random numbers, `XLATE_WORDS` the number of words for each row (64), `XLATE_ROWS` restricts
//! the rows to those whose name contains it.

use ir::eval::{Bits, FpEnv, eval};
use ir::{Builder, GuestAddr, Inst, SysReg, Value};
use isa::a64::{self, Feature, Outcome, Row, reg};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A small deterministic generator (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }

    fn pick(&mut self, from: &[u64]) -> u64 {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Numbers of each width at which something changes.
const SPECIAL_8: &[u64] =
    &[0, 1, 2, 7, 8, 9, 0x7f, 0x80, 0x81, 0xff, 0xf8, 0xf9, 0xc0, 0x40, 0x1f, 0x20, 0xe0];
const SPECIAL_16: &[u64] = &[
    0, 1, 0x3ff, 0x400, 0x401, 0x3c00, 0x3800, 0x3bff, 0x3c01, 0x4000, 0x7bff, 0x7c00, 0x7c01, 0x7e00,
    0x7fff, 0x8000, 0x8001, 0xffff, 0xfc00, 0xfd55, 0xfe01, 0xbc00, 0x5bff, 0x77ff, 0x7800, 0x4200, 0x3e00,
    0x4100, 0xb800, 0x0200,
];
const SPECIAL_32: &[u64] = &[
    0,
    1,
    0x007f_ffff,
    0x0080_0000,
    0x0080_0001,
    0x3f80_0000,
    0x3f00_0000,
    0x3f7f_ffff,
    0x3f80_0001,
    0x4000_0000,
    0x7f7f_ffff,
    0x7f80_0000,
    0x7f80_0001,
    0x7fc0_0000,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_ffff,
    0xff80_0000,
    0xffa5_5555,
    0xffc0_0001,
    0xbf80_0000,
    0x4f00_0000,
    0x4eff_ffff,
    0x4f80_0000,
    0xcf00_0000,
    0xcf00_0001,
    0x3fc0_0000,
    0x4020_0000,
    0x477f_e000,
    0x477f_f000,
    0x3880_0000,
    0x387f_ffff,
    0x3300_0000,
    0x3300_0001,
    0xbf00_0000,
    0x0040_0000,
    0x5f00_0000,
    0x5eff_ffff,
    0x2000_0000,
    0x1fc0_0000,
    0x7e80_0000,
    0x7f00_0000,
    0x4b00_0001,
    0xcaff_ffff,
];
const SPECIAL_64: &[u64] = &[
    0,
    1,
    0x000f_ffff_ffff_ffff,
    0x0010_0000_0000_0000,
    0x0010_0000_0000_0001,
    0x3ff0_0000_0000_0000,
    0x3fe0_0000_0000_0000,
    0x3fef_ffff_ffff_ffff,
    0x3ff0_0000_0000_0001,
    0x4000_0000_0000_0000,
    0x7fef_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0x7ff8_0000_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0x8000_0000_0000_0001,
    0xffff_ffff_ffff_ffff,
    0xfff0_0000_0000_0000,
    0xfff5_5555_5555_5555,
    0xfff8_0000_0000_0001,
    0xbff0_0000_0000_0000,
    0x41e0_0000_0000_0000,
    0x41df_ffff_ffc0_0000,
    0x41df_ffff_ffe0_0000,
    0xc1e0_0000_0000_0000,
    0xc1e0_0000_0010_0000,
    0xc1e0_0000_0020_0000,
    0x43e0_0000_0000_0000,
    0x43df_ffff_ffff_ffff,
    0xc3e0_0000_0000_0000,
    0x43f0_0000_0000_0000,
    0x3ff8_0000_0000_0000,
    0x4004_0000_0000_0000,
    0x47ef_ffff_e000_0000,
    0x47ef_ffff_f000_0000,
    0x3810_0000_0000_0000,
    0x380f_ffff_ffff_ffff,
    0x36a0_0000_0000_0000,
    0x3690_0000_0000_0001,
    0xbfe0_0000_0000_0000,
    0x40ef_fe00_0000_0000,
    0x40ef_fc00_0000_0000,
    0x2000_0000_0000_0000,
    0x1ff8_0000_0000_0000,
];

fn element(random: &mut Random, bits: u32) -> u64 {
    let special = match bits {
        8 => SPECIAL_8,
        16 => SPECIAL_16,
        32 => SPECIAL_32,
        _ => SPECIAL_64,
    };
    let mask = u64::MAX >> (64 - bits);
    let base = match random.below(8) {
        0..=2 => random.pick(special),
        3 => random.pick(special) ^ 1 << (bits - 1),
        4 => random.pick(special).wrapping_add(random.below(3)).wrapping_sub(1),
        // Floats of moderate size, which neither overflow nor vanish.
        5 => {
            let (exponent, fraction) = match bits {
                16 => (15 - 4 + random.below(9), 10),
                32 => (127 - 20 + random.below(60), 23),
                64 => (1023 - 40 + random.below(120), 52),
                _ => (0, 4),
            };
            exponent << fraction | random.next() & ((1 << fraction) - 1) | random.next() << (bits - 1)
        }
        6 => random.below(64).wrapping_sub(32),
        _ => random.next(),
    };
    base & mask
}

fn vector(random: &mut Random) -> u128 {
    let bits = 8 << random.below(4) as u32;
    let mut v = 0;
    for i in 0..128 / bits {
        v |= u128::from(element(random, bits)) << (i * bits);
    }
    v
}

/// Guest state of one case, in the oracle's layout.
#[derive(Clone, PartialEq)]
struct State {
    x: [u64; 31],
    nzcv: u64,
    fpcr: u64,
    fpsr: u64,
    v: [u128; 32],
}

const RECORD: usize = 816;

impl State {
    fn random(random: &mut Random) -> State {
        // Rounding modes, then FZ, DN, FZ16, AHP, each in some of the cases.
        let mut fpcr = random.below(4) << 22;
        for bit in [24, 25, 19, 26] {
            fpcr |= u64::from(random.below(6) == 0) << bit;
        }
        State {
            x: std::array::from_fn(|_| {
                let bits = 32 << random.below(2);
                element(random, bits as u32) | if bits == 32 { random.next() << 32 } else { 0 }
            }),
            nzcv: random.below(16) << 28,
            fpcr,
            fpsr: 0,
            v: std::array::from_fn(|_| vector(random)),
        }
    }

    fn write(&self, word: u32, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend(word.to_le_bytes());
        out.extend([0; 4]);
        self.x.iter().for_each(|x| out.extend(x.to_le_bytes()));
        for v in [0x1000_0800, self.nzcv, self.fpcr, self.fpsr, 0, 0] {
            out.extend(v.to_le_bytes());
        }
        self.v.iter().for_each(|v| out.extend(v.to_le_bytes()));
        assert_eq!(out.len() - start, RECORD);
    }

    /// The signal and the state in a record.
    fn read(record: &[u8]) -> (u32, State) {
        let u64_at = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().unwrap());
        let state = State {
            x: std::array::from_fn(|i| u64_at(8 + 8 * i)),
            nzcv: u64_at(264),
            fpcr: u64_at(272),
            fpsr: u64_at(280),
            v: std::array::from_fn(|i| {
                u128::from(u64_at(304 + 16 * i)) | u128::from(u64_at(312 + 16 * i)) << 64
            }),
        };
        (u64_at(0).wrapping_shr(32) as u32, state)
    }

    /// Executes lifted straight-line code.
    fn execute(&mut self, insts: &[Inst]) {
        let mut env = FpEnv { fpcr: self.fpcr as u32, fpsr: self.fpsr as u32 };
        let mut values: Vec<Option<Bits>> = Vec::new();
        let info = |r: ir::Reg| a64::FILE.info(r).ty;
        for inst in insts {
            let value = |v: Value| values[v.0 as usize].expect("operand");
            values.push(match *inst {
                Inst::Mark(_) => None,
                Inst::Const { ty, bits } => Some(Bits { ty, bits }),
                Inst::Get(r) => Some(Bits { ty: info(r), bits: self.get(r) }),
                Inst::Set(r, v) => {
                    let bits = value(v).bits;
                    self.set(r, bits, &mut env);
                    None
                }
                Inst::Pure { op, ty, args } => {
                    let args: Vec<Bits> = args[..op.arity()].iter().map(|v| value(*v)).collect();
                    Some(Bits { ty, bits: eval(op, ty, &args, &mut env) })
                }
                Inst::ReadSys(SysReg::Fpcr) => Some(Bits { ty: ir::Type::I64, bits: u128::from(self.fpcr) }),
                ref other => panic!("{other:?} in a data operation"),
            });
            self.fpsr |= u64::from(env.fpsr);
        }
    }

    fn get(&self, r: ir::Reg) -> u128 {
        match r {
            reg::N | reg::Z | reg::C | reg::V => u128::from(self.nzcv >> (31 - (r.0 - reg::N.0)) & 1),
            reg::QC => u128::from(self.fpsr >> 27 & 1),
            _ if r.0 < 31 => u128::from(self.x[r.0 as usize]),
            _ => self.v[(r.0 - reg::v(0).0) as usize],
        }
    }

    fn set(&mut self, r: ir::Reg, v: u128, env: &mut FpEnv) {
        match r {
            reg::N | reg::Z | reg::C | reg::V => {
                let bit = 31 - (r.0 - reg::N.0);
                self.nzcv = self.nzcv & !(1 << bit) | (v as u64) << bit;
            }
            reg::QC => env.fpsr |= (v as u32) << 27,
            _ if r.0 < 31 => self.x[r.0 as usize] = v as u64,
            _ => self.v[(r.0 - reg::v(0).0) as usize] = v,
        }
    }

    /// What differs, for a person.
    fn difference(&self, qemu: &State, before: &State) -> String {
        let mut s = String::new();
        for i in 0..31 {
            if self.x[i] != qemu.x[i] {
                s += &format!(" x{i}: was {:x}, qemu {:x}, here {:x};", before.x[i], qemu.x[i], self.x[i]);
            }
        }
        for i in 0..32 {
            if self.v[i] != qemu.v[i] {
                s += &format!(
                    " v{i}: was {:032x}, qemu {:032x}, here {:032x};",
                    before.v[i], qemu.v[i], self.v[i]
                );
            }
        }
        for (name, a, b) in [("nzcv", self.nzcv, qemu.nzcv), ("fpsr", self.fpsr, qemu.fpsr)] {
            if a != b {
                s += &format!(" {name}: qemu {b:x}, here {a:x};");
            }
        }
        s
    }
}

const FEATURES: &[Feature] = &[
    Feature::Fp,
    Feature::AdvSimd,
    Feature::Fp16,
    Feature::Rdm,
    Feature::Aes,
    Feature::Sha1,
    Feature::Sha256,
    Feature::Sha512,
    Feature::Sha3,
    Feature::DotProd,
    Feature::JsCvt,
    Feature::Fcma,
    Feature::Fhm,
    Feature::FrintTs,
    Feature::I8mm,
];

/// Loads and stores (bits 27 and 25 are 1 and 0) are tested elsewhere.
fn is_memory(row: &Row) -> bool {
    row.bits().1 >> 25 & 5 == 4
}

fn rows() -> impl Iterator<Item = &'static Row> {
    let only = std::env::var("XLATE_ROWS").unwrap_or_default();
    a64::rows().filter(move |r| FEATURES.contains(&r.feature) && !is_memory(r) && r.name.contains(&only))
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// Words of each row, with random operand bits.
fn words(random: &mut Random) -> Vec<(&'static Row, u32)> {
    let per_row = number("XLATE_WORDS", 64);
    let mut words = Vec::new();
    for row in rows() {
        let (mask, value) = row.bits();
        for _ in 0..per_row {
            let word = value | random.next() as u32 & !mask;
            if a64::decode(word).is_some_and(|r| r.name == row.name) {
                words.push((row, word));
            }
        }
    }
    words
}

/// The lifted instruction; `None` if it is undefined.
fn lift(word: u32) -> Option<Vec<Inst>> {
    let pc = GuestAddr(0x2000_0000);
    let mut b = Builder::new(&a64::FILE, pc);
    match a64::lift_insn(&mut b, word, pc) {
        Outcome::Next => Some(b.finish(ir::Term::Fallback { pc }).insts),
        Outcome::End(_) => None,
    }
}

/// Where qemu is wrong, with the reason. `excused` tells whether that explains a difference.
fn excused(row: &Row, word: u32, before: &State, here: Option<&State>, qemu: &State) -> bool {
    let n = (word >> 5 & 31) as usize;
    let d = (word & 31) as usize;
    match (row.name, here) {
        // cmode 1111 with o2 and op is unallocated (LLVM agrees); qemu executes it.
        ("FCVTZU (vector, fixed-point)", None) => word & 0x2078_fc00 == 0x2000_fc00,
        // qemu puts the sign of the half-width result above it.
        ("FCVTZS (scalar SIMD, fixed-point)", Some(here)) => {
            word & 0x0060_0000 == 0 && here.v[d] == qemu.v[d] & 0xffff
        }
        // The manual's FPToFixedJS clears Z for a subnormal that FZ makes zero; qemu up to 7.2 does not.
        ("FJCVTZS", Some(here)) => {
            before.fpcr >> 24 & 1 == 1
                && before.v[n] as u64 & 0x7ff0_0000_0000_0000 == 0
                && State { nzcv: qemu.nzcv, ..here.clone() } == *qemu
        }
        _ => false,
    }
}

fn oracle() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testsuite/guest/insn-oracle.c");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("insn-oracle");
    let status = Command::new("aarch64-linux-gnu-gcc")
        .args(["-O1", "-static", "-o"])
        .arg(&program)
        .arg(source)
        .status()
        .expect("aarch64-linux-gnu-gcc (xtask setup installs it)");
    assert!(status.success());
    program
}

/// Runs the records under qemu.
fn ask(records: Vec<u8>) -> Vec<u8> {
    let mut child = Command::new("qemu-aarch64-static")
        .args(["-cpu", "max"])
        .arg(oracle())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("qemu-aarch64-static (xtask setup installs it)");
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &records));
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    out.stdout
}

#[test]
fn every_row_lifts_to_valid_ir() {
    let mut random = Random(number("XLATE_SEED", 1) | 1);
    for (row, word) in words(&mut random) {
        if let Some(insts) = lift(word) {
            let errors = ir::verify_insts(&insts, &a64::FILE);
            assert!(errors.is_empty(), "{} {word:08x}: {errors:?}", row.name);
        }
    }
}

#[test]
fn agrees_with_qemu() {
    let mut random = Random(number("XLATE_SEED", 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let cases: Vec<(&Row, u32, State)> =
        words(&mut random).into_iter().map(|(row, word)| (row, word, State::random(&mut random))).collect();
    let mut records = Vec::with_capacity(cases.len() * RECORD);
    for (_, word, state) in &cases {
        state.write(*word, &mut records);
    }
    let answers = ask(records);
    assert_eq!(answers.len(), cases.len() * RECORD, "the oracle died");
    let mut failures: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    for ((row, word, before), record) in cases.iter().zip(answers.chunks(RECORD)) {
        let (signal, qemu) = State::read(record);
        let what = match (lift(*word), signal) {
            (None, 4) => continue,
            (None, 0) if excused(row, *word, before, None, &qemu) => continue,
            (None, s) => format!("undefined here, signal {s} in qemu"),
            (Some(_), s) if s != 0 => format!("signal {s} in qemu"),
            (Some(insts), _) => {
                let mut here = before.clone();
                here.execute(&insts);
                if here == qemu || excused(row, *word, before, Some(&here), &qemu) {
                    continue;
                }
                here.difference(&qemu, before)
            }
        };
        let operands: String = [word & 31, word >> 5 & 31, word >> 16 & 31]
            .iter()
            .map(|n| format!(" v{n}={:032x}", before.v[*n as usize]))
            .collect();
        failures
            .entry(row.name)
            .or_insert_with(|| (0, format!("{word:08x} fpcr {:x}:{what}\n      {operands}", before.fpcr)))
            .0 += 1;
    }
    let report: Vec<String> =
        failures.iter().map(|(name, (n, s))| format!("{name}: {n} ×, as {s}")).collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases in {} rows\n{}",
        failures.values().map(|f| f.0).sum::<usize>(),
        cases.len(),
        failures.len(),
        report.join("\n")
    );
}

/// Conditions that use the operands of the comparison before them mean the same as those that read the flags.
#[test]
fn fused_conditions_agree_with_flags() {
    struct Words(Vec<u32>);
    impl isa::Code for Words {
        fn word(&self, pc: GuestAddr) -> Option<u32> {
            self.0.get((pc.0 / 4) as usize).copied()
        }
    }
    let mut random = Random(number("XLATE_SEED", 1) << 8 | 1);
    let compares: Vec<&Row> = a64::rows()
        .filter(|r| ["FCMP", "FCMPE", "FCCMP", "FCCMPE"].iter().any(|n| r.name.starts_with(n)))
        .collect();
    for _ in 0..4000 {
        let row = compares[random.below(compares.len() as u64) as usize];
        let (mask, value) = row.bits();
        let precision = [0, 1, 3][random.below(3) as usize] << 22;
        let compare = value | random.next() as u32 & !mask & !(3 << 22) | precision;
        // FCSEL D0, D1, D2, cond and FCCMP D1, D2, #nzcv, cond: both read it.
        let cond = random.below(16) as u32;
        let select = 0x1e62_0c20 | cond << 12;
        let again = 0x1e62_0420 | cond << 12 | random.below(16) as u32;
        let words = vec![compare, select, again, select];
        let before = State::random(&mut random);
        let (mut fused, mut plain) = (before.clone(), before.clone());
        let end = GuestAddr(4 * words.len() as u64);
        fused.execute(&a64::lift_run(&Words(words.clone()), GuestAddr(0), end, usize::MAX).insts);
        for w in words {
            plain.execute(&lift(w).expect("allocated"));
        }
        assert!(fused == plain, "{} {compare:08x}, {cond}: {}", row.name, fused.difference(&plain, &before));
    }
}
