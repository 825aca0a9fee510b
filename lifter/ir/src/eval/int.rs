//! Scalar integer operations on the low `n` bits of a `u128`. Takes operands that are zero above bit `n − 1` and gives
//! results that are, too; every operation is total.

use crate::op::{IntBin, IntCmp, IntUn};

/// The mask of the low `n` bits.
const fn mask(n: u32) -> u128 {
    if n >= 128 { u128::MAX } else { (1 << n) - 1 }
}

/// The low `n` bits as a signed number.
pub const fn sext(v: u128, n: u32) -> i128 {
    let pad = 128 - n;
    ((v << pad) as i128) >> pad
}

/// High half of the unsigned 256-bit product, by halves.
fn umulh128(a: u128, b: u128) -> u128 {
    let (a0, a1) = (a as u64 as u128, a >> 64);
    let (b0, b1) = (b as u64 as u128, b >> 64);
    let mid = a1 * b0 + ((a0 * b0) >> 64);
    let mid2 = a0 * b1 + mid as u64 as u128;
    a1 * b1 + (mid >> 64) + (mid2 >> 64)
}

/// `IntBin` on `n`-bit operands.
pub fn binary(op: IntBin, n: u32, a: u128, b: u128) -> u128 {
    let (sa, sb) = (sext(a, n), sext(b, n));
    let wide = match op {
        IntBin::Add => a.wrapping_add(b),
        IntBin::Sub => a.wrapping_sub(b),
        IntBin::Mul => a.wrapping_mul(b),
        IntBin::UMulHi if n <= 64 => (a * b) >> n,
        IntBin::UMulHi => umulh128(a, b),
        IntBin::SMulHi if n <= 64 => ((sa * sb) >> n) as u128,
        // The unsigned product counts a negative operand 2ⁿ too high.
        IntBin::SMulHi => {
            umulh128(a, b).wrapping_sub(if sa < 0 { b } else { 0 }).wrapping_sub(if sb < 0 { a } else { 0 })
        }
        IntBin::UDiv => a.checked_div(b).unwrap_or(0),
        IntBin::SDiv if sb == 0 => 0,
        IntBin::SDiv => sa.wrapping_div(sb) as u128,
        IntBin::And => a & b,
        IntBin::Or => a | b,
        IntBin::Xor => a ^ b,
        IntBin::Shl if b >= n as u128 => 0,
        IntBin::Shl => a << b,
        IntBin::Lshr if b >= n as u128 => 0,
        IntBin::Lshr => a >> b,
        IntBin::Ashr => (sa >> b.min(n as u128 - 1)) as u128,
        IntBin::Rotr => {
            let r = (b % n as u128) as u32;
            if r == 0 { a } else { a >> r | a << (n - r) }
        }
        IntBin::SMin => sa.min(sb) as u128,
        IntBin::SMax => sa.max(sb) as u128,
        IntBin::UMin => a.min(b),
        IntBin::UMax => a.max(b),
    };
    wide & mask(n)
}

/// `IntUn` on an `n`-bit operand.
pub fn unary(op: IntUn, n: u32, a: u128) -> u128 {
    let pad = 128 - n;
    match op {
        IntUn::Not => !a & mask(n),
        IntUn::Neg => a.wrapping_neg() & mask(n),
        IntUn::Clz => (a.leading_zeros() - pad) as u128,
        IntUn::Cls => {
            let s = sext(a, n);
            (((s ^ (s >> 127)) as u128).leading_zeros() - pad - 1) as u128
        }
        IntUn::Ctz => a.trailing_zeros().min(n) as u128,
        IntUn::Rbit => a.reverse_bits() >> pad,
        IntUn::Bswap if n < 8 => a,
        IntUn::Bswap => a.swap_bytes() >> pad,
        IntUn::Popcnt => a.count_ones() as u128,
    }
}

/// `IntCmp` on `n`-bit operands.
pub fn compare(op: IntCmp, n: u32, a: u128, b: u128) -> bool {
    let (sa, sb) = (sext(a, n), sext(b, n));
    match op {
        IntCmp::Eq => a == b,
        IntCmp::Ne => a != b,
        IntCmp::Ult => a < b,
        IntCmp::Ule => a <= b,
        IntCmp::Ugt => a > b,
        IntCmp::Uge => a >= b,
        IntCmp::Slt => sa < sb,
        IntCmp::Sle => sa <= sb,
        IntCmp::Sgt => sa > sb,
        IntCmp::Sge => sa >= sb,
    }
}

/// Carry out of the `n`-bit sum a + b + carry.
pub fn carry_out(n: u32, a: u128, b: u128, carry: u128) -> bool {
    let (s, c1) = a.overflowing_add(b);
    let (s, c2) = s.overflowing_add(carry);
    if n >= 128 { c1 | c2 } else { s >> n != 0 }
}

/// Signed overflow of the `n`-bit sum a + b + carry.
pub fn overflow(n: u32, a: u128, b: u128, carry: u128) -> bool {
    let s = a.wrapping_add(b).wrapping_add(carry);
    ((a ^ s) & (b ^ s)) >> (n - 1) & 1 != 0
}
