//! Shifter operands and modified immediates (Arm ARM F2.3, F4.1): values with the carry that they give. A carry of `None`
//! means that C stays as it is.

use super::cx::Cx;
use super::reg;
use ir::{IntBin, IntCmp, PureOp, Type, Value};

/// Kinds of shift.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shift {
    /// LSL by 0–31.
    Lsl(u32),
    /// LSR by 1–32.
    Lsr(u32),
    /// ASR by 1–32.
    Asr(u32),
    /// ROR by 1–31.
    Ror(u32),
    /// Rotate right by one through C.
    Rrx,
}

/// DecodeImmShift.
pub const fn decode_imm_shift(kind: u32, imm5: u32) -> Shift {
    match (kind & 3, imm5) {
        (0, n) => Shift::Lsl(n),
        (1, 0) => Shift::Lsr(32),
        (1, n) => Shift::Lsr(n),
        (2, 0) => Shift::Asr(32),
        (2, n) => Shift::Asr(n),
        (_, 0) => Shift::Rrx,
        (_, n) => Shift::Ror(n),
    }
}

/// A32ExpandImm_C: value, and the carry if the rotation gives one.
pub const fn a32_expand_imm(imm12: u32) -> (u32, Option<bool>) {
    let value = (imm12 & 0xff).rotate_right(2 * (imm12 >> 8 & 15));
    let carry = if imm12 >> 8 & 15 == 0 { None } else { Some(value >> 31 != 0) };
    (value, carry)
}

/// T32ExpandImm_C of i:imm3:imm8.
pub const fn t32_expand_imm(imm12: u32) -> (u32, Option<bool>) {
    let byte = imm12 & 0xff;
    match imm12 >> 8 {
        0 => (byte, None),
        1 => (byte << 16 | byte, None),
        2 => (byte << 24 | byte << 8, None),
        3 => (byte << 24 | byte << 16 | byte << 8 | byte, None),
        _ => {
            let value = (0x80 | imm12 & 0x7f).rotate_right(imm12 >> 7 & 31);
            (value, Some(value >> 31 != 0))
        }
    }
}

impl Cx<'_, '_> {
    /// The i32 `v` shifted; its carry is made only if `carry` asks for it.
    pub fn shifted(&mut self, v: Value, shift: Shift, carry: bool) -> (Value, Option<Value>) {
        let (op, n) = match shift {
            Shift::Lsl(0) => return (v, None),
            Shift::Lsl(n) => (IntBin::Shl, n),
            Shift::Lsr(n) => (IntBin::Lshr, n),
            Shift::Asr(n) => (IntBin::Ashr, n),
            Shift::Ror(n) => (IntBin::Rotr, n),
            Shift::Rrx => {
                let half = self.b.shift_imm(IntBin::Lshr, v, 1);
                let c = self.b.get(reg::C);
                let c = self.b.zext_or_trunc(Type::I32, c);
                let top = self.b.shift_imm(IntBin::Shl, c, 31);
                let out = carry.then(|| self.bit_of(v, 0));
                return (self.b.bin(IntBin::Or, half, top), out);
            }
        };
        let out = carry.then(|| self.bit_of(v, if op == IntBin::Shl { 32 - n } else { n - 1 }));
        (self.b.shift_imm(op, v, n), out)
    }

    /// The i32 `v` shifted by the low byte of the i32 `amount`, `kind` as in bits 6:5 (LSL, LSR, ASR, ROR); carry as in
    /// [`Cx::shifted`], C itself if the amount is 0.
    pub fn shifted_by_register(
        &mut self,
        v: Value,
        kind: u32,
        amount: Value,
        carry: bool,
    ) -> (Value, Option<Value>) {
        let mask = self.i32(0xff);
        let n = self.b.bin(IntBin::And, amount, mask);
        let op = match kind & 3 {
            0 => IntBin::Shl,
            1 => IntBin::Lshr,
            2 => IntBin::Ashr,
            _ => IntBin::Rotr,
        };
        let result = self.b.bin(op, v, n);
        if !carry {
            return (result, None);
        }
        let one = self.i32(1);
        // One bit less shifted leaves the last bit out at the end: bit 31 or bit 0. Amounts of 33 and more give 0, or the sign.
        let less = self.b.sub(n, one);
        let last = match op {
            IntBin::Shl => {
                let v = self.b.bin(IntBin::Shl, v, less);
                self.b.shift_imm(IntBin::Lshr, v, 31)
            }
            IntBin::Rotr => self.b.shift_imm(IntBin::Lshr, result, 31),
            _ => self.b.bin(op, v, less),
        };
        let last = self.b.pure_ty(PureOp::Trunc, Type::I1, &[last]);
        let zero = self.i32(0);
        let none = self.b.cmp(IntCmp::Eq, n, zero);
        let c = self.b.get(reg::C);
        (result, Some(self.b.select(none, c, last)))
    }

    /// Bit `n` of an i32 as i1.
    pub fn bit_of(&mut self, v: Value, n: u32) -> Value {
        let v = self.b.shift_imm(IntBin::Lshr, v, n);
        self.b.pure_ty(PureOp::Trunc, Type::I1, &[v])
    }
}
