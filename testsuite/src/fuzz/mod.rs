//! Fuzz targets as functions: each takes any bytes and must return; a panic, an abort or a hang is a bug of the code under
//! test. `testsuite/fuzz` runs them under libFuzzer, `tests/robust.rs` runs a bounded, seeded number of each.

mod code;
pub mod elf;
mod image;
pub mod instructions;
pub mod mutate;
mod text;

pub use code::{emit, interp, lift};
pub use image::{examine, image};
pub use text::ir_text;

use crate::guest::Target as Guest;
use crate::insns::Random;

/// A target: name and body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] =
    &[("image", image), ("lift", lift), ("emit", emit), ("ir-text", ir_text), ("interp", interp)];

/// `length` random bytes: input number `seed` of a target's bounded run.
pub fn input(seed: u64, length: usize) -> Vec<u8> {
    // Seeds that differ in one bit must not begin alike.
    let mut random = Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for _ in 0..4 {
        random.word();
    }
    (0..length.div_ceil(4)).flat_map(|_| random.word().to_le_bytes()).take(length).collect()
}

/// Bytes as a source of choices; zeros when they are used up, so that every choice has an end.
pub struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    /// From the bytes given to a target.
    pub fn new(bytes: &'a [u8]) -> Source<'a> {
        Source(bytes)
    }

    /// True if nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes not yet used.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        let n = N.min(self.0.len());
        out[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        out
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    /// A word.
    pub fn word(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    /// A doubleword.
    pub fn long(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.word() as usize % n.max(1)
    }

    /// One of the instruction sets.
    pub fn guest(&mut self) -> Guest {
        Guest::ALL[usize::from(self.byte()) % Guest::ALL.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_differ_and_repeat() {
        assert_eq!(input(3, 40), input(3, 40));
        assert_ne!(input(3, 40), input(4, 40));
        assert_eq!(input(0, 7).len(), 7);
    }
}
