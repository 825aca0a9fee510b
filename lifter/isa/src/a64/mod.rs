//! AArch64: the register file, decoding and lifting. Takes instruction words, gives IR and control flow; knows neither
//! where the words come from nor which engine runs the result.

mod cx;
mod regs;
mod table;

// Instruction groups, as the Arm ARM orders them (C4.1).
mod atomic;
mod branch;
mod fp;
mod integer_imm;
mod integer_reg;
mod loadstore;
pub(crate) mod loadstore_struct;
pub(crate) mod simd;
mod system;

pub mod decode;
pub mod features;

pub use crate::cond::{Compare, FlagSource};
pub use cx::{Cx, Lift, Undefined};
pub use integer_imm::bit_mask_immediate;
pub use regs::{FILE, reg};
pub use system::FPCR_MASK;
pub use table::{Feature, Row, decode, rows};

/// The encoding rows of each group.
static GROUPS: &[&[Row]] = &[
    integer_imm::ROWS,
    branch::ROWS,
    system::ROWS,
    loadstore::ROWS,
    loadstore_struct::ROWS,
    atomic::ROWS,
    integer_reg::ROWS,
    fp::ROWS,
    simd::ROWS,
];

/// True for the groups of integer, memory, branch and system instructions: all but data processing in SIMD&FP registers.
pub fn is_integer_row(row: &Row) -> bool {
    // op0, bits 28:25, is x111 for the others.
    let (mask, value) = row.bits();
    value & mask & 0x0e00_0000 != 0x0e00_0000
}

use crate::{Code, Exit, Flow, Run};
use ir::{Builder, GuestAddr, Term, TrapKind};

/// Builds the tables that decoding needs and otherwise builds when it is first asked.
pub fn prepare() {
    let _ = decode(0);
}

/// What lifting one instruction gave.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Outcome {
    /// The run goes on behind it.
    Next,
    /// The run ends with it.
    End(Exit),
}

/// Lifts the instruction `word` at `pc`: appends its mark and IR to `b`.
pub fn lift_insn(b: &mut Builder<'_>, word: u32, pc: GuestAddr) -> Outcome {
    lift_next(b, word, pc, &mut None)
}

/// Lifts one instruction of a run; `flags` says what set the flags before it in the same run.
fn lift_next(b: &mut Builder<'_>, word: u32, pc: GuestAddr, flags: &mut Option<FlagSource>) -> Outcome {
    b.mark(pc);
    let start = b.len();
    let lifted = match decode(word) {
        Some(row) => (row.lift)(&mut Cx { b, pc, flags }, word),
        None => Err(Undefined),
    };
    match lifted {
        Ok(None) => Outcome::Next,
        Ok(Some(exit)) => Outcome::End(exit),
        Err(Undefined) => {
            b.truncate(start);
            Outcome::End(Exit::Trap { kind: TrapKind::Undefined, pc })
        }
    }
}

/// Lifts the straight run that begins at `pc` and ends before `end`, after `max_insns` instructions, or at the first
/// instruction that transfers control. A word that cannot be fetched ends it with `Exit::Next` there (if it is not
/// the first; the first gives `Fallback`).
pub fn lift_run(code: &dyn Code, pc: GuestAddr, end: GuestAddr, max_insns: usize) -> Run {
    let mut b = Builder::new(&FILE, pc);
    let mut flags = None;
    let mut at = pc;
    let mut exit = None;
    for _ in 0..max_insns.max(1) {
        let Some(word) = code.word(at) else { break };
        let outcome = lift_next(&mut b, word, at, &mut flags);
        at = at.offset(4);
        if let Outcome::End(e) = outcome {
            exit = Some(e);
            break;
        }
        if at >= end {
            break;
        }
    }
    let exit = exit.unwrap_or(if at == pc { Exit::Fallback { pc } } else { Exit::Next(at) });
    let len = (at.0.wrapping_sub(pc.0) as u32).max(4);
    // The block's own terminator is a placeholder: a run's exit names addresses, which the caller turns into blocks.
    let block = b.finish(Term::Fallback { pc });
    Run { pc, len, insts: block.insts, exit }
}

/// Control flow of the instruction `word` at `pc`. `Trap` for unallocated words; a word of an allocated encoding with
/// reserved operand values counts as `Next` here (see [`is_defined`] for the exact, slower question).
pub fn flow(word: u32, pc: GuestAddr) -> Flow {
    match word >> 24 {
        0x14..=0x17 => Flow::Jump(branch::target26(word, pc)),
        0x94..=0x97 => Flow::Call(branch::target26(word, pc)),
        0x34 | 0x35 | 0xb4 | 0xb5 => Flow::Branch(branch::target19(word, pc)),
        0x36 | 0x37 | 0xb6 | 0xb7 => Flow::Branch(branch::target14(word, pc)),
        0x54 => match word & 0x1f {
            0..=13 => Flow::Branch(branch::target19(word, pc)),
            14 | 15 => Flow::Jump(branch::target19(word, pc)),
            _ => Flow::Trap,
        },
        0xd4 => match word & 0xffe0_001f {
            0xd400_0001 => Flow::Syscall,
            _ => Flow::Trap,
        },
        0xd6 | 0xd7 => match word & 0xffff_fc1f {
            0xd61f_0000 if word >> 5 & 31 == 30 => Flow::Return,
            0xd61f_0000 => Flow::Indirect,
            0xd63f_0000 => Flow::IndirectCall,
            0xd65f_0000 => Flow::Return,
            _ => Flow::Trap,
        },
        _ => match decode(word) {
            Some(_) => Flow::Next,
            None => Flow::Trap,
        },
    }
}

/// False of instructions that surely access no memory.
pub fn may_access(word: u32) -> bool {
    // Loads and stores; cache maintenance.
    word & 0x0a00_0000 == 0x0800_0000 || word & 0xfff8_0000 == 0xd508_0000
}

/// Where the direct branch `new` at `pc` goes, if it is `old` but for that.
pub fn retargeted(old: u32, new: u32, pc: GuestAddr) -> Option<GuestAddr> {
    let rest = match old >> 24 {
        0x14..=0x17 | 0x94..=0x97 => 0xfc00_0000,
        0x34 | 0x35 | 0xb4 | 0xb5 | 0x54 => 0xff00_001f,
        0x36 | 0x37 | 0xb6 | 0xb7 => 0xfff8_001f,
        _ => return None,
    };
    match flow(new, pc) {
        Flow::Jump(to) | Flow::Call(to) | Flow::Branch(to) if (old ^ new) & rest == 0 => Some(to),
        _ => None,
    }
}

/// True unless executing `word` at EL0 is an undefined instruction: what lifting it finds.
pub fn is_defined(word: u32) -> bool {
    let mut b = Builder::new(&FILE, GuestAddr(0));
    !matches!(
        lift_insn(&mut b, word, GuestAddr(0)),
        Outcome::End(Exit::Trap { kind: TrapKind::Undefined, .. })
    )
}
