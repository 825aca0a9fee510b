//! The meaning of every floating-point, Advanced SIMD and cryptographic encoding against qemu: random words of each row
//! with random registers, executed by `ir::eval` here and by `testsuite/guest/insn-oracle.c` under qemu-aarch64.
//!
//! `XLATE_SEED` changes the random numbers, `XLATE_WORDS` the number of words for each row (64), `XLATE_ROWS` restricts
//! the rows to those whose name contains it.

mod common;

use common::machine::{Fault, Guest, Machine, SIGSEGV};
use common::random::{Random, element, vector};
use common::{Directory, build, number};
use ir::{Align, Builder, GuestAddr, Inst, RegFile};
use isa::a64::{self, Feature, Outcome, Row, reg};
use std::collections::BTreeMap;

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
        let mut m = Machine::new(self.clone(), self.fpcr as u32, self.fpsr as u32);
        assert!(m.run(insts).is_ok(), "a data operation accesses no memory");
        let status = u64::from(m.env.fpsr);
        *self = m.guest;
        self.fpsr |= status;
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

impl Guest for State {
    const FILE: &'static RegFile = &a64::FILE;

    fn get(&self, r: ir::Reg) -> u128 {
        match r {
            reg::N | reg::Z | reg::C | reg::V => u128::from(self.nzcv >> (31 - (r.0 - reg::N.0)) & 1),
            reg::QC => u128::from(self.fpsr >> 27 & 1),
            _ if r.0 < 31 => u128::from(self.x[r.0 as usize]),
            _ => self.v[(r.0 - reg::v(0).0) as usize],
        }
    }

    fn set(&mut self, r: ir::Reg, v: u128) {
        match r {
            reg::N | reg::Z | reg::C | reg::V => {
                let bit = 31 - (r.0 - reg::N.0);
                self.nzcv = self.nzcv & !(1 << bit) | (v as u64) << bit;
            }
            reg::QC => self.fpsr = self.fpsr & !(1 << 27) | (v as u64) << 27,
            _ if r.0 < 31 => self.x[r.0 as usize] = v as u64,
            _ => self.v[(r.0 - reg::v(0).0) as usize] = v,
        }
    }

    fn memory(&mut self, addr: u64, _: u32, _: Align, _: bool) -> Result<&mut [u8], Fault> {
        Err(Fault(SIGSEGV, addr))
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

/// Runs the records under qemu.
fn ask(records: Vec<u8>) -> Vec<u8> {
    let dir = Directory::new("simd-oracle");
    let program = build("aarch64-linux-gnu-gcc", "insn-oracle.c", &[], &dir.0);
    common::ask("qemu-aarch64-static", &program, records).unwrap_or_else(|e| panic!("oracle: {e}"))
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
