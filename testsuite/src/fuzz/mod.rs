//! Fuzz targets as functions: each takes any bytes and must return; a panic, an abort or a hang is a bug of the code under
//! test. `testsuite/fuzz` runs them under libFuzzer, `tests/robust.rs` runs a bounded, seeded number of each.

mod code;
pub mod elf;
mod image;
pub mod mutate;
mod text;

pub use code::{emit, interp, lift};
pub use image::{examine, image};
pub use text::ir_text;

use crate::insns::Random;
use ir::GuestAddr;

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

    /// An A64 instruction word: anything, or mostly of an encoding that exists; branches mostly go to one of the `count`
    /// words around `index`.
    pub fn instruction(&mut self, index: usize, count: usize) -> u32 {
        let raw = self.word();
        let choice = self.byte();
        if choice < 16 {
            return raw;
        }
        let rows = rows();
        let (mask, value) = rows[usize::from(u16::from_le_bytes(self.take())) % rows.len()].bits();
        let word = value | raw & !mask;
        let delta = self.below(count) as i64 - index as i64;
        if choice & 7 == 0 { word } else { aim(word, delta) }
    }
}

fn rows() -> &'static [&'static isa::a64::Row] {
    static ROWS: std::sync::LazyLock<Vec<&isa::a64::Row>> =
        std::sync::LazyLock::new(|| isa::a64::rows().collect());
    &ROWS
}

/// `word` with its target, if it is a direct branch, `delta` words away.
pub fn aim(word: u32, delta: i64) -> u32 {
    use isa::Flow;
    let d = delta as u32;
    let (shift, bits) = match isa::a64::flow(word, GuestAddr(1 << 32)) {
        Flow::Jump(_) | Flow::Call(_) if word >> 24 & 0x7c == 0x14 => (0, 26),
        Flow::Branch(_) if word >> 24 & 0x7e == 0x36 => (5, 14),
        Flow::Branch(_) | Flow::Jump(_) => (5, 19),
        _ => return word,
    };
    let mask = ((1u32 << bits) - 1) << shift;
    word & !mask | d << shift & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_go_where_they_are_aimed() {
        for word in [0x1400_0000, 0x9412_3456, 0x5400_0001, 0x3500_0003, 0xb600_0001, 0x3780_0001] {
            for delta in [-3, 0, 1, 1000] {
                let target = GuestAddr((1u64 << 32).wrapping_add_signed(4 * delta));
                let flow = isa::a64::flow(aim(word, delta), GuestAddr(1 << 32));
                use isa::Flow::{Branch, Call, Jump};
                assert!(matches!(flow, Jump(t) | Branch(t) | Call(t) if t == target), "{word:#x} {flow:?}");
            }
        }
        assert_eq!(aim(0xd503_201f, 7), 0xd503_201f);
    }

    #[test]
    fn inputs_differ_and_repeat() {
        assert_eq!(input(3, 40), input(3, 40));
        assert_ne!(input(3, 40), input(4, 40));
        assert_eq!(input(0, 7).len(), 7);
    }
}
