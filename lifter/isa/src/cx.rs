//! The context in which one instruction is lifted, as far as the instruction sets share it: the builder, the address, what is
//! known of the flags; and the bit fields of encodings.

use crate::Exit;
use crate::cond::FlagSource;
use ir::{Builder, GuestAddr};

/// The word is UNDEFINED.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Undefined;

/// Result of a lift function: `Ok(None)` goes on behind the instruction, `Ok(Some(exit))` ends the run.
pub type Lift = Result<Option<Exit>, Undefined>;

/// Context of one instruction.
pub struct Cx<'b, 'r> {
    /// The block under construction.
    pub b: &'b mut Builder<'r>,
    /// Address of the instruction (AArch32: with its state, see [`crate::a32::Place`]).
    pub pc: GuestAddr,
    /// What set the flags, if it was in this run: see [`Cx::condition`]. Whoever writes flags must set or clear it.
    pub flags: &'b mut Option<FlagSource>,
}

/// Bits `hi..=lo` of a word.
pub const fn bits(word: u32, hi: u32, lo: u32) -> u32 {
    (word >> lo) & (u32::MAX >> (31 - (hi - lo)))
}

/// Bit `n` of a word.
pub const fn bit(word: u32, n: u32) -> bool {
    word >> n & 1 != 0
}

/// Bits `hi..=lo` sign-extended.
pub const fn sbits(word: u32, hi: u32, lo: u32) -> i64 {
    let width = hi - lo + 1;
    ((bits(word, hi, lo) as i64) << (64 - width)) >> (64 - width)
}
