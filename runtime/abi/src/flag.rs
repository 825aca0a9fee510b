//! Lazy flags: lifted code notes what set N, Z, C and V (two stores, as a rule) instead of computing four bits that hardly
//! anybody reads. A description is a word in `GuestState::flag_kind` with operands in `flag_a` and `flag_b`, in the word or
//! in guest registers; this module says what each means. The runtime settles a description into `GuestState::nzcv` whenever
//! lifted code comes back.
//!
//! AArch32's logical instructions and shifts write N and Z, or these and C, and keep the rest. They leave `flag_kind` as it is and
//! describe what they write in `flag_sign` (N and Z) and `flag_carry` (C), with operands of their own. An instruction that
//! writes all four makes both [`BYTES`], which says there that the flags are as `flag_kind` describes.
//!
//! FPSCR's own N, Z, C and V, which AArch32's comparisons of floating-point numbers write, are [`FLOAT`] or [`BYTES`] in `fp_flag_kind`.

use crate::GuestState;

/// `GuestState::nzcv` holds the flags.
pub const BYTES: u32 = 0;
/// Of a − b.
pub const SUB: u32 = 1;
/// Of a subtraction whose difference is a and whose subtrahend is b.
pub const DIFFERENCE: u32 = 2;
/// Of an addition whose sum is a and one of whose addends is b.
pub const SUM: u32 = 3;
/// Of the bitwise result a: C = V = 0.
pub const LOGIC: u32 = 4;
/// Of the floating-point comparison of the numbers whose bits a and b are, in the present mode of FPCR: what writes FPCR
/// settles the flags before.
pub const FLOAT: u32 = 5;
/// N, Z, C, V are bits 11, 10, 9, 8 of the description.
pub const KNOWN: u32 = 6;
/// Of `flag_carry` only: C is bit b of a.
pub const BIT: u32 = 7;
/// The part of a description that is one of the kinds above.
pub const KIND: u32 = 7;
/// Added to a kind: operands have 64 bits, not 32.
pub const WIDE: u32 = 8;
/// Added to a kind: b is the description shifted right by [`IMMEDIATE_SHIFT`], not in `flag_b`.
pub const IMMEDIATE: u32 = 16;
/// See [`IMMEDIATE`].
pub const IMMEDIATE_SHIFT: u32 = 8;
/// Added to an integer kind: a is what general-purpose register holds whose number (31: the stack pointer) is in the five
/// bits from [`A_SHIFT`] on. Such words do not leave a lifted function but to the runtime, with all registers in the state.
pub const A_REGISTER: u32 = 32;
/// As [`A_REGISTER`], for b, from [`B_SHIFT`] on.
pub const B_REGISTER: u32 = 64;
/// See [`A_REGISTER`].
pub const A_SHIFT: u32 = 8;
/// See [`B_REGISTER`]. With [`A_REGISTER`], an immediate operand stands here.
pub const B_SHIFT: u32 = 13;

/// b, if it is in the description.
pub const fn immediate(description: u32) -> Option<u32> {
    match (description & IMMEDIATE, description & A_REGISTER) {
        (0, _) => None,
        (_, 0) => Some(description >> IMMEDIATE_SHIFT),
        _ => Some(description >> B_SHIFT),
    }
}

/// The number of the register that holds a, or b.
pub const fn register(description: u32, b: bool) -> Option<u32> {
    let (bit, shift) = if b { (B_REGISTER, B_SHIFT) } else { (A_REGISTER, A_SHIFT) };
    if description & bit == 0 { None } else { Some(description >> shift & 31) }
}

/// The description of the same with operands in `flag_a` and `flag_b`.
pub const fn without_registers(description: u32) -> u32 {
    if description & (A_REGISTER | B_REGISTER) == 0 {
        return description;
    }
    let kind = description & (KIND | WIDE | IMMEDIATE);
    match immediate(description) {
        Some(k) => kind | k << IMMEDIATE_SHIFT,
        None => kind,
    }
}

/// FPCR.FZ: subnormal operands are zeros.
pub const FPCR_FZ: u32 = 1 << 24;
/// FPCR.RMode, 0 for rounding to nearest.
pub const FPCR_RMODE: u32 = 3 << 22;
/// FPSR.IXC: Inexact has been raised.
pub const FPSR_IXC: u32 = 1 << 4;

/// N, Z, C and V as described, with that FPCR.
pub fn values(description: u32, a: u64, b: u64, fpcr: u32) -> [bool; 4] {
    let wide = description & WIDE != 0;
    let b = immediate(description).map_or(b, u64::from);
    let bit = a >> (b & 63) & 1 != 0;
    // Shifting 32-bit operands to the top makes sign, order and overflow those of 64 bits.
    let top = |v: u64| if wide { v } else { v << 32 };
    let (a, b) = (top(a), top(b));
    let sub = |a: u64, b: u64| {
        let r = a.wrapping_sub(b);
        [(r as i64) < 0, r == 0, a >= b, (a as i64).overflowing_sub(b as i64).1]
    };
    match description & KIND {
        SUB => sub(a, b),
        DIFFERENCE => sub(a.wrapping_add(b), b),
        SUM => {
            let addend = a.wrapping_sub(b);
            [(a as i64) < 0, a == 0, a < b, (addend as i64).overflowing_add(b as i64).1]
        }
        LOGIC => [(a as i64) < 0, a == 0, false, false],
        FLOAT => {
            let (infinity, normal) = if wide { (0x7ff0 << 48, 1 << 52) } else { (0x7f80 << 48, 1 << 55) };
            compare(a, b, infinity, if fpcr & FPCR_FZ != 0 { normal } else { 0 })
        }
        BIT => [false, false, bit, false],
        _ => [11, 10, 9, 8].map(|bit| description >> bit & 1 != 0),
    }
}

/// Compares bits, because a host comparison would raise exceptions; magnitudes below `least` are zero.
fn compare(a: u64, b: u64, infinity: u64, least: u64) -> [bool; 4] {
    let magnitude = |v: u64| v << 1 >> 1;
    if magnitude(a) > infinity || magnitude(b) > infinity {
        return [false, false, true, true];
    }
    let flushed = |v: u64| if magnitude(v) < least { 0 } else { magnitude(v) as i64 };
    let order = |v: u64| if (v as i64) < 0 { -flushed(v) } else { flushed(v) };
    let (a, b) = (order(a), order(b));
    [a < b, a == b, a >= b, false]
}

impl GuestState {
    /// Writes `nzcv` and `fp_nzcv` as the words describe the flags, and makes these [`BYTES`].
    pub fn settle_flags(&mut self) {
        self.settle_fp_flags();
        if self.flag_kind != BYTES {
            self.nzcv = self.described(self.flag_kind, self.flag_a, self.flag_b);
            self.flag_kind = BYTES;
        }
        if self.flag_sign != BYTES {
            let [n, z, ..] = self.described(self.flag_sign, self.flag_sign_a, 0);
            self.nzcv[..2].copy_from_slice(&[n, z]);
            self.flag_sign = BYTES;
        }
        if self.flag_carry != BYTES {
            self.nzcv[2] = self.described(self.flag_carry, self.flag_carry_a, 0)[2];
            self.flag_carry = BYTES;
        }
    }

    /// Writes `fp_nzcv` as `fp_flag_kind` describes FPSCR's flags, and makes this [`BYTES`].
    pub fn settle_fp_flags(&mut self) {
        if self.fp_flag_kind != BYTES {
            self.fp_nzcv = self.described(self.fp_flag_kind, self.fp_flag_a, self.fp_flag_b);
            self.fp_flag_kind = BYTES;
        }
    }

    /// N, Z, C and V as described, with these operands where they are not in the description or in registers.
    fn described(&self, description: u32, a: u64, b: u64) -> [u8; 4] {
        let operand = |own: u64, b: bool| match register(description, b) {
            Some(31) => self.sp,
            Some(n) => self.x[n as usize],
            None => own,
        };
        values(description, operand(a, false), operand(b, true), self.fpcr).map(u8::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(description: u32, a: u64, b: u64) -> [bool; 4] {
        super::values(description, a, b, 0)
    }

    const EDGES: [u64; 12] = [
        0,
        1,
        2,
        0x7fff_ffff,
        0x8000_0000,
        0x8000_0001,
        0xffff_ffff,
        0x1_0000_0000,
        i64::MAX as u64,
        i64::MIN as u64,
        u64::MAX - 1,
        u64::MAX,
    ];

    #[test]
    fn integers() {
        for a in EDGES {
            for b in EDGES {
                let (r, borrow) = a.overflowing_sub(b);
                let v = (a as i64).overflowing_sub(b as i64).1;
                let sub = [(r as i64) < 0, r == 0, !borrow, v];
                assert_eq!(values(SUB | WIDE, a, b), sub);
                assert_eq!(values(DIFFERENCE | WIDE, r, b), sub);
                let (r, c) = a.overflowing_add(b);
                let v = (a as i64).overflowing_add(b as i64).1;
                assert_eq!(values(SUM | WIDE, r, b), [(r as i64) < 0, r == 0, c, v]);
                assert_eq!(values(LOGIC | WIDE, a, b), [(a as i64) < 0, a == 0, false, false]);

                let (x, y) = (a as u32, b as u32);
                let (r, borrow) = x.overflowing_sub(y);
                let v = (x as i32).overflowing_sub(y as i32).1;
                let sub = [(r as i32) < 0, r == 0, !borrow, v];
                // Upper halves do not count.
                assert_eq!(values(SUB, a, b), sub);
                assert_eq!(values(DIFFERENCE, r as u64 | 1 << 40, b), sub);
                let (r, c) = x.overflowing_add(y);
                let v = (x as i32).overflowing_add(y as i32).1;
                assert_eq!(values(SUM, r as u64, b), [(r as i32) < 0, r == 0, c, v]);
                if b < 1 << 24 {
                    let immediate = IMMEDIATE | (b as u32) << IMMEDIATE_SHIFT;
                    assert_eq!(values(SUB | immediate, a, 77), sub);
                    assert_eq!(values(SUB | WIDE | immediate, a, 77), values(SUB | WIDE, a, b));
                }
            }
        }
        assert_eq!(values(KNOWN | 0xa00, 1, 2), [true, false, true, false]);
    }

    #[test]
    fn operands_in_registers() {
        for a in EDGES {
            for b in EDGES {
                let mut s = GuestState { flag_a: 1, flag_b: 2, sp: b, ..GuestState::default() };
                s.x[17] = a;
                let kind = SUB | WIDE | A_REGISTER | 17 << A_SHIFT;
                s.flag_kind = kind | B_REGISTER | 31 << B_SHIFT;
                assert_eq!(without_registers(s.flag_kind), SUB | WIDE);
                s.settle_flags();
                assert_eq!(s.nzcv, values(SUB | WIDE, a, b).map(u8::from));
                s.flag_kind = kind | IMMEDIATE | 77 << B_SHIFT;
                assert_eq!(without_registers(s.flag_kind), SUB | WIDE | IMMEDIATE | 77 << IMMEDIATE_SHIFT);
                s.settle_flags();
                assert_eq!(s.nzcv, values(SUB | WIDE, a, 77).map(u8::from));
                s.flag_kind = SUM | B_REGISTER | 17 << B_SHIFT;
                s.settle_flags();
                assert_eq!(s.nzcv, values(SUM, 1, a).map(u8::from));
            }
        }
    }

    #[test]
    fn fpscr_has_its_own() {
        let (one, two) = (1f64.to_bits(), 2f64.to_bits());
        let mut s = GuestState {
            fp_flag_kind: FLOAT | WIDE,
            fp_flag_a: one,
            fp_flag_b: two,
            ..GuestState::default()
        };
        s.settle_flags();
        assert_eq!((s.fp_nzcv, s.fp_flag_kind, s.nzcv), ([1, 0, 0, 0], BYTES, [0; 4]));
    }

    #[test]
    fn parts_come_before_the_whole() {
        let mut s = GuestState { flag_kind: SUB, flag_a: 1, flag_b: 1, ..GuestState::default() };
        let whole = s.clone();
        s.settle_flags();
        assert_eq!(s.nzcv, [0, 1, 1, 0]);
        s = whole.clone();
        s.flag_sign = LOGIC | IMMEDIATE;
        s.flag_sign_a = 1 << 31;
        s.settle_flags();
        assert_eq!((s.nzcv, s.flag_kind, s.flag_sign), ([1, 0, 1, 0], BYTES, BYTES));
        s = whole;
        s.flag_carry = BIT | IMMEDIATE | A_REGISTER | 7 << A_SHIFT | 5 << B_SHIFT;
        s.x[7] = !(1 << 5);
        s.settle_flags();
        assert_eq!((s.nzcv, s.flag_carry), ([0, 1, 0, 0], BYTES));
        s.flag_carry = KNOWN | 1 << 9;
        s.settle_flags();
        assert_eq!(s.nzcv, [0, 1, 1, 0]);
    }

    #[test]
    fn floats() {
        let edges =
            [0.0, -0.0, 1.0, -1.0, f64::MIN_POSITIVE / 2.0, 1e300, f64::INFINITY, -f64::INFINITY, f64::NAN];
        let flags = |o: Option<std::cmp::Ordering>| match o {
            Some(o) => [o.is_lt(), o.is_eq(), o.is_ge(), false],
            None => [false, false, true, true],
        };
        for a in edges {
            for b in edges {
                assert_eq!(values(FLOAT | WIDE, a.to_bits(), b.to_bits()), flags(a.partial_cmp(&b)));
                let (a, b) = (a as f32, b as f32);
                assert_eq!(values(FLOAT, a.to_bits() as u64, b.to_bits() as u64), flags(a.partial_cmp(&b)));
            }
        }
    }
    #[test]
    fn subnormal_floats_are_zeros_with_fz() {
        let equal = [false, true, true, false];
        for (a, b) in [(1, 0), (1, 1 << 63 | 5), (0, (1 << 52) - 1)] {
            assert_eq!(super::values(FLOAT | WIDE, a, b, FPCR_FZ), equal);
            assert_ne!(values(FLOAT | WIDE, a, b), equal);
        }
        for (a, b) in [(1, 0), (1, 1 << 31 | 5), (0, (1 << 23) - 1)] {
            assert_eq!(super::values(FLOAT, a, b, FPCR_FZ), equal);
            assert_ne!(values(FLOAT, a, b), equal);
        }
        let less = [true, false, false, false];
        assert_eq!(super::values(FLOAT | WIDE, 1, 1 << 52, FPCR_FZ), less);
        assert_eq!(super::values(FLOAT, 1 << 31 | 1 << 23, 1, FPCR_FZ), less);
        assert_eq!(super::values(FLOAT, 1, 0x7fc0_0000, FPCR_FZ), [false, false, true, true]);
    }
}
