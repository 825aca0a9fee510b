//! AArch64: the register file, decoding and lifting.

mod cx;
mod regs;
mod table;

// Instruction groups, as the Arm ARM orders them (C4.1).
mod fp;
mod integer;
mod simd;

pub use cx::{Cx, FlagSource, Lift, Undefined};
pub use regs::{FILE, reg};
pub use table::{Feature, Row, decode, rows};

/// The encoding rows of each group.
static GROUPS: &[&[Row]] = &[integer::ROWS, fp::ROWS, simd::ROWS];

use crate::{Code, Exit, Flow, Run};
use ir::{Builder, GuestAddr};

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
    let _ = (b, word);
    Outcome::End(Exit::Fallback { pc })
}

/// Lifts the straight run that begins at `pc` and ends before `end`, after `max_insns` instructions, or at the first
/// instruction that transfers control. A word that cannot be fetched ends it with `Exit::Next` there (if it is not
/// the first; the first gives `Fallback`).
pub fn lift_run(code: &dyn Code, pc: GuestAddr, end: GuestAddr, max_insns: usize) -> Run {
    let _ = (code, end, max_insns);
    Run { pc, len: 4, insts: Vec::new(), exit: Exit::Fallback { pc } }
}

/// Control flow of the instruction `word` at `pc`.
pub fn flow(word: u32, pc: GuestAddr) -> Flow {
    let _ = (word, pc);
    Flow::Trap
}
