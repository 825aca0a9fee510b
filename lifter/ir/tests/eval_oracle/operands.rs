//! Random operands with many special ones among them: floating-point classes and boundaries, integer extremes, small
//! differences between operands.

use super::In;

/// xorshift64*.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }
}

/// An FPCR: any rounding mode; FZ, DN, AHP, FZ16 each in a third of the cases.
pub fn fpcr(rng: &mut Rng) -> u32 {
    let mut v = (rng.below(4) << 22) as u32;
    for bit in [24, 25, 26, 19] {
        if rng.below(3) == 0 {
            v |= 1 << bit;
        }
    }
    v
}

/// One element.
fn element(rng: &mut Rng, width: u32) -> u64 {
    let mask = u64::MAX >> (64 - width);
    let frac = match width {
        16 => 10,
        32 => 23,
        64 => 52,
        _ => width / 2,
    };
    let exp_mask = (1u64 << (width - 1 - frac)) - 1;
    let sign = (rng.below(2)) << (width - 1);
    let random = rng.next();
    let few_bits =
        1u64 << rng.below(width as u64) | if rng.below(2) == 0 { 0 } else { 1 << rng.below(width as u64) };
    let frac_bits = match rng.below(5) {
        0 => 0,
        1 => (1 << frac) - 1,
        2 => few_bits & ((1 << frac) - 1),
        3 => (few_bits.wrapping_neg()) & ((1 << frac) - 1),
        _ => random & ((1 << frac) - 1),
    };
    let bias = exp_mask / 2;
    let exp = match rng.below(9) {
        0 => 0,
        1 => exp_mask,
        2 => 1 + rng.below(3),
        3 => exp_mask.wrapping_sub(1 + rng.below(3)) & exp_mask,
        // Near one, and near the widths of integers.
        4 | 5 => (bias + rng.below(6)).wrapping_sub(3) & exp_mask,
        6 => (bias + [0, 7, 15, 16, 31, 32, 63, 64][rng.below(8) as usize]) & exp_mask,
        _ => random >> 32 & exp_mask,
    };
    let v = match rng.below(12) {
        0 => random,
        1 => rng.below(4),
        2 => rng.below(4).wrapping_neg(),
        3 => (1 << (width - 1)) + rng.below(3) - 1,
        4 => few_bits,
        // Shift amounts around the widths.
        5 => [0, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128][rng.below(15) as usize],
        6 => [1u64, 7, 8, 9, 16, 17, 32, 33, 64, 65][rng.below(10) as usize].wrapping_neg(),
        _ => sign | exp << frac | frac_bits,
    };
    v & mask
}

fn vector(rng: &mut Rng, width: u32) -> u128 {
    (0..128 / width).fold(0, |v, i| v | (element(rng, width) as u128) << (i * width))
}

/// Operands of one case.
pub fn input(rng: &mut Rng, width: u32) -> In {
    let mut v = std::array::from_fn(|_| vector(rng, width));
    match rng.below(8) {
        0 => v[2] = v[1],
        1 => v[2] = v[1] ^ (1u128 << rng.below(128)),
        // Cancellation in a fused multiply-add.
        2 => v[3] = v[1],
        3 => v[0] = v[1],
        _ => {}
    }
    let width = [32, 64][rng.below(2) as usize];
    In { v, x: std::array::from_fn(|_| element(rng, width)) }
}
