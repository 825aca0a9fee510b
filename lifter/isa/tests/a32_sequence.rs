//! Runs of several AArch32 instructions mean what the instructions mean one by one: conditions made of operands instead of
//! flags, selections instead of branches, IT blocks. Random sequences of instructions that only compute are lifted both ways and
//! executed by `ir::eval` from the same random states. That single ones are right is `a32_oracle`'s affair.
//!
//! `XLATE_SEED` and `XLATE_RANDOM` (sequences) vary the choice.

mod common;

use common::machine::{Fault, Guest, Machine};
use common::number;
use common::random::Random;
use ir::{Align, GuestAddr, Inst, Reg, RegFile};
use isa::a32::{self, FILE, Place, Row, Set};
use isa::{Exit, Run};

const START: u32 = 0x1000;
const LENGTH: usize = 10;

/// The registers by index.
#[derive(Clone, PartialEq, Debug)]
struct Registers(Vec<u128>);

impl Guest for Registers {
    const FILE: &'static RegFile = &FILE;

    fn get(&self, r: Reg) -> u128 {
        self.0[r.0 as usize]
    }

    fn set(&mut self, r: Reg, v: u128) {
        self.0[r.0 as usize] = v;
    }

    fn memory(&mut self, _: u64, _: u32, _: Align, _: bool) -> Result<&mut [u8], Fault> {
        unreachable!("the instructions only compute")
    }
}

impl Registers {
    fn random(random: &mut Random) -> Registers {
        let value = |info: &ir::RegInfo| match info.ty.bits() {
            1 => u128::from(random.next() & 1),
            // General registers; few values, so that comparisons find equal ones.
            64 if info.ty.is_int() => match random.below(3) {
                0 => random.below(3).wrapping_sub(1) as u32 as u128,
                1 => random.interesting() as u32 as u128,
                _ => u128::from(random.next() as u32),
            },
            _ => u128::from(random.next()),
        };
        Registers(FILE.regs.iter().map(value).collect())
    }
}

/// Code from `START` on.
struct Bytes(Vec<u8>);

impl isa::Code for Bytes {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        let bytes = self.bytes(pc, 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    fn half(&self, pc: GuestAddr) -> Option<u16> {
        let bytes = self.bytes(pc, 2)?;
        Some(u16::from_le_bytes(bytes.try_into().ok()?))
    }
}

impl Bytes {
    fn bytes(&self, pc: GuestAddr, len: usize) -> Option<&[u8]> {
        let at = (pc.0 as u32).checked_sub(START)? as usize;
        self.0.get(at..at + len)
    }

    fn end(&self) -> GuestAddr {
        GuestAddr(u64::from(START) + self.0.len() as u64)
    }

    fn push(&mut self, row: Set, word: u32) {
        match row {
            Set::T16 => self.0.extend((word as u16).to_le_bytes()),
            Set::T32 => {
                self.0.extend(((word >> 16) as u16).to_le_bytes());
                self.0.extend((word as u16).to_le_bytes());
            }
            Set::A32 | Set::Both => self.0.extend(word.to_le_bytes()),
        }
    }
}

/// True if the run does nothing but compute.
fn computes(run: &Run) -> bool {
    let pure = |i: &Inst| {
        matches!(i, Inst::Mark(_) | Inst::Const { .. } | Inst::CodeAddr(_) | Inst::Get(_) | Inst::Set(..))
            || matches!(i, Inst::Pure { op, .. } if !op.uses_fp_env())
    };
    matches!(run.exit, Exit::Next(_)) && run.insts.iter().all(pure)
}

/// A word of the row that computes where it stands.
fn word(random: &mut Random, row: &Row, at: Place) -> Option<u32> {
    let (mask, value) = row.bits();
    let width = if row.set == Set::T16 { 0xffff } else { u32::MAX };
    let mut word = (value | random.next() as u32 & !mask) & width;
    if row.conditional() {
        word = word & 0x0fff_ffff | 14 << 28;
    }
    let mut one = Bytes(Vec::new());
    one.push(row.set, word);
    let at = Place { addr: START, ..at }.tested();
    let run = a32::lift_run(&one, at.into(), one.end(), 1);
    (run.len == one.0.len() as u32 && computes(&run)).then_some(word)
}

/// A random sequence.
fn sequence(random: &mut Random, rows: &[&'static Row], thumb: bool) -> Bytes {
    let mut code = Bytes(Vec::new());
    let mut it = 0;
    let conditions = [random.below(14) as u32, random.below(14) as u32];
    while code.0.len() < LENGTH * 4 || it != 0 {
        let at = Place { addr: START + code.0.len() as u32, thumb, it, passed: false };
        if thumb && it == 0 && random.below(4) == 0 {
            it = (random.pick(&conditions) << 4) as u8 | (1 + random.below(15)) as u8;
            code.push(Set::T16, 0xbf00 | u32::from(it));
            continue;
        }
        if it == 0 && random.below(6) == 0 {
            // CMP Rn, Rm; SBCS Rd, Rn, Rm: a comparison of 64 bits.
            let [d, n, m, high_n, high_m] = std::array::from_fn(|_| random.below(13) as u32);
            let (set, cmp, sbcs) = if thumb {
                (Set::T32, 0xebb0_0f00, 0xeb70_0000 | d << 8)
            } else {
                (Set::A32, 0xe150_0000, 0xe0d0_0000 | d << 12)
            };
            code.push(set, cmp | n << 16 | m);
            code.push(set, sbcs | high_n << 16 | high_m);
            continue;
        }
        let row = random.pick(rows);
        let Some(mut word) = word(random, row, at) else { continue };
        if row.conditional() && random.below(3) != 0 {
            let cond = random.pick(&conditions) ^ random.below(2) as u32;
            word = word & 0x0fff_ffff | cond << 28;
        }
        code.push(row.set, word);
        it = at.next(0).it;
    }
    code
}

/// Executes the code, at most `step` instructions a run; the registers behind it, and the number of runs.
fn execute(code: &Bytes, thumb: bool, before: &Registers, step: usize) -> (Registers, usize) {
    let mut m = Machine::new(before.clone(), 0, 0);
    let mut at = GuestAddr::from(Place { addr: START, thumb, it: 0, passed: false });
    for runs in 0..1000 {
        if u64::from(Place::from(at).addr) >= code.end().0 {
            return (m.guest, runs);
        }
        let run = a32::lift_run(code, at, code.end(), step);
        let errors = ir::verify_insts(&run.insts, &FILE);
        assert!(errors.is_empty(), "{errors:?}");
        assert!(m.run(&run.insts).is_ok());
        at = match run.exit {
            Exit::Next(a) => a,
            Exit::Branch { cond, then, els } => {
                if m.value(cond) != 0 {
                    then
                } else {
                    els
                }
            }
            exit => panic!("{exit:?} at {at}"),
        };
    }
    panic!("no end")
}

fn check(thumb: bool) {
    let mut random = Random::seeded(number("XLATE_SEED", 1));
    // Each row as often as another; those that set flags once more.
    let mut rows: Vec<&Row> = Vec::new();
    for row in a32::rows() {
        let here = if thumb { matches!(row.set, Set::T16 | Set::T32) } else { row.set == Set::A32 };
        let probe = Place { addr: START, thumb, it: 0, passed: false };
        if !here || row.name == "IT" || !(0..20).any(|_| word(&mut random, row, probe).is_some()) {
            continue;
        }
        let flags =
            ["CMP", "CMN", "TST", "TEQ", "SUBS", "ADDS", "SBCS", "MOVS"].iter().any(|n| row.name.contains(n));
        rows.extend(std::iter::repeat_n(row, if flags { 6 } else { 1 }));
    }
    assert!(rows.len() > 200);
    let mut together = 0;
    let count = number("XLATE_RANDOM", 1500);
    for _ in 0..count {
        let code = sequence(&mut random, &rows, thumb);
        let steps = execute(&code, thumb, &Registers::random(&mut random), 1).1;
        for _ in 0..3 {
            let before = Registers::random(&mut random);
            let (single, _) = execute(&code, thumb, &before, 1);
            let (joined, runs) = execute(&code, thumb, &before, usize::MAX);
            together += (runs < steps) as u64;
            for (i, info) in FILE.regs.iter().enumerate() {
                assert!(
                    single.0[i] == joined.0[i],
                    "{} is {:x}, in one run {:x}: {:02x?}\nfrom {before:x?}",
                    info.name,
                    single.0[i],
                    joined.0[i],
                    code.0
                );
            }
        }
    }
    assert!(together > count, "few runs have more than one instruction");
}

#[test]
fn a32_runs_are_their_instructions() {
    check(false);
}

#[test]
fn thumb_runs_are_their_instructions() {
    check(true);
}
