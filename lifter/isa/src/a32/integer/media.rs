//! Bits and bytes (Arm ARM F4.1.14–F4.1.20, F3.1.12, F3.1.16): extensions, packing, reversals, bit fields, leading zeros, CRC.

use super::data_thumb::imm5;
use super::{Registers, a32, no_pc, t32};
use crate::a32::cx::{Cx, Lift, Undefined, bit, bits};
use crate::a32::shift::Shift;
use crate::a32::table::{Row, row_table};
use ir::{Helper, IntBin, IntUn, PureOp, Type, Value};

/// Rows of A32. In patterns, `z` and `o` are bits that should be 0 and 1.
pub static A32: &[Row] = row_table! { A32:
    "SXTAB16" "cccc 01101000 nnnn dddd rr zz 0111 mmmm" Base |cx, w| extend(cx, a32(w), bits(w, 11, 10), true, Extend::Bytes);
    "SXTAB" "cccc 01101010 nnnn dddd rr zz 0111 mmmm" Base |cx, w| extend(cx, a32(w), bits(w, 11, 10), true, Extend::Byte);
    "SXTAH" "cccc 01101011 nnnn dddd rr zz 0111 mmmm" Base |cx, w| extend(cx, a32(w), bits(w, 11, 10), true, Extend::Half);
    "UXTAB16" "cccc 01101100 nnnn dddd rr zz 0111 mmmm" Base |cx, w| extend(cx, a32(w), bits(w, 11, 10), false, Extend::Bytes);
    "UXTAB" "cccc 01101110 nnnn dddd rr zz 0111 mmmm" Base |cx, w| extend(cx, a32(w), bits(w, 11, 10), false, Extend::Byte);
    "UXTAH" "cccc 01101111 nnnn dddd rr zz 0111 mmmm" Base |cx, w| extend(cx, a32(w), bits(w, 11, 10), false, Extend::Half);
    "SXTB16" "cccc 01101000 1111 dddd rr zz 0111 mmmm" Base |cx, w| extend(cx, a32(w), bits(w, 11, 10), true, Extend::Bytes);
    "SXTB" "cccc 01101010 1111 dddd rr zz 0111 mmmm" Base |cx, w| extend(cx, a32(w), bits(w, 11, 10), true, Extend::Byte);
    "SXTH" "cccc 01101011 1111 dddd rr zz 0111 mmmm" Base |cx, w| extend(cx, a32(w), bits(w, 11, 10), true, Extend::Half);
    "UXTB16" "cccc 01101100 1111 dddd rr zz 0111 mmmm" Base |cx, w| extend(cx, a32(w), bits(w, 11, 10), false, Extend::Bytes);
    "UXTB" "cccc 01101110 1111 dddd rr zz 0111 mmmm" Base |cx, w| extend(cx, a32(w), bits(w, 11, 10), false, Extend::Byte);
    "UXTH" "cccc 01101111 1111 dddd rr zz 0111 mmmm" Base |cx, w| extend(cx, a32(w), bits(w, 11, 10), false, Extend::Half);
    "PKHBT, PKHTB" "cccc 01101000 nnnn dddd iiiii t 01 mmmm" Base |cx, w| pack(cx, a32(w), bits(w, 11, 7), bit(w, 6));
    "REV" "cccc 01101011 oooo dddd oooo 0011 mmmm" Base |cx, w| rev(cx, a32(w));
    "REV16" "cccc 01101011 oooo dddd oooo 1011 mmmm" Base |cx, w| rev16(cx, a32(w));
    "RBIT" "cccc 01101111 oooo dddd oooo 0011 mmmm" Base |cx, w| unary(cx, a32(w), IntUn::Rbit);
    "REVSH" "cccc 01101111 oooo dddd oooo 1011 mmmm" Base |cx, w| revsh(cx, a32(w));
    "CLZ" "cccc 00010110 oooo dddd oooo 0001 mmmm" Base |cx, w| unary(cx, a32(w), IntUn::Clz);
    "SBFX" "cccc 0111101 wwwww dddd lllll 101 nnnn" Base |cx, w| extract_a32(cx, w, true);
    "UBFX" "cccc 0111111 wwwww dddd lllll 101 nnnn" Base |cx, w| extract_a32(cx, w, false);
    "BFI" "cccc 0111110 mmmmm dddd lllll 001 nnnn" Base insert_a32;
    "BFC" "cccc 0111110 mmmmm dddd lllll 001 1111" Base insert_a32;
    "CRC32" "cccc 00010 ss 0 nnnn dddd zz0z 0100 mmmm" Crc32 |cx, w| crc32(cx, a32(w), bits(w, 22, 21), false);
    "CRC32C" "cccc 00010 ss 0 nnnn dddd zz1z 0100 mmmm" Crc32 |cx, w| crc32(cx, a32(w), bits(w, 22, 21), true);
};

/// Rows of T32.
pub static T32: &[Row] = row_table! { T32:
    "SXTAH" "11111010 0000 nnnn 1111 dddd 1 z rr mmmm" Base |cx, w| extend(cx, t32(w), bits(w, 5, 4), true, Extend::Half);
    "UXTAH" "11111010 0001 nnnn 1111 dddd 1 z rr mmmm" Base |cx, w| extend(cx, t32(w), bits(w, 5, 4), false, Extend::Half);
    "SXTAB16" "11111010 0010 nnnn 1111 dddd 1 z rr mmmm" Base |cx, w| extend(cx, t32(w), bits(w, 5, 4), true, Extend::Bytes);
    "UXTAB16" "11111010 0011 nnnn 1111 dddd 1 z rr mmmm" Base |cx, w| extend(cx, t32(w), bits(w, 5, 4), false, Extend::Bytes);
    "SXTAB" "11111010 0100 nnnn 1111 dddd 1 z rr mmmm" Base |cx, w| extend(cx, t32(w), bits(w, 5, 4), true, Extend::Byte);
    "UXTAB" "11111010 0101 nnnn 1111 dddd 1 z rr mmmm" Base |cx, w| extend(cx, t32(w), bits(w, 5, 4), false, Extend::Byte);
    "SXTH" "11111010 0000 1111 1111 dddd 1 z rr mmmm" Base |cx, w| extend(cx, t32(w), bits(w, 5, 4), true, Extend::Half);
    "UXTH" "11111010 0001 1111 1111 dddd 1 z rr mmmm" Base |cx, w| extend(cx, t32(w), bits(w, 5, 4), false, Extend::Half);
    "SXTB16" "11111010 0010 1111 1111 dddd 1 z rr mmmm" Base |cx, w| extend(cx, t32(w), bits(w, 5, 4), true, Extend::Bytes);
    "UXTB16" "11111010 0011 1111 1111 dddd 1 z rr mmmm" Base |cx, w| extend(cx, t32(w), bits(w, 5, 4), false, Extend::Bytes);
    "SXTB" "11111010 0100 1111 1111 dddd 1 z rr mmmm" Base |cx, w| extend(cx, t32(w), bits(w, 5, 4), true, Extend::Byte);
    "UXTB" "11111010 0101 1111 1111 dddd 1 z rr mmmm" Base |cx, w| extend(cx, t32(w), bits(w, 5, 4), false, Extend::Byte);
    "PKHBT, PKHTB" "1110101 0110 0 nnnn z iii dddd ii t 0 mmmm" Base |cx, w| pack(cx, t32(w), imm5(w), bit(w, 5));
    "REV" "111110101001 mmmm 1111 dddd 1000 mmmm" Base |cx, w| rev(cx, t32(w));
    "REV16" "111110101001 mmmm 1111 dddd 1001 mmmm" Base |cx, w| rev16(cx, t32(w));
    "RBIT" "111110101001 mmmm 1111 dddd 1010 mmmm" Base |cx, w| unary(cx, t32(w), IntUn::Rbit);
    "REVSH" "111110101001 mmmm 1111 dddd 1011 mmmm" Base |cx, w| revsh(cx, t32(w));
    "CLZ" "111110101011 mmmm 1111 dddd 1000 mmmm" Base |cx, w| unary(cx, t32(w), IntUn::Clz);
    "SBFX" "11110z110100 nnnn 0 iii dddd ii z wwwww" Base |cx, w| extract_t32(cx, w, true);
    "UBFX" "11110z111100 nnnn 0 iii dddd ii z wwwww" Base |cx, w| extract_t32(cx, w, false);
    "BFI" "11110z110110 nnnn 0 iii dddd ii z mmmmm" Base insert_t32;
    "BFC" "11110z110110 1111 0 iii dddd ii z mmmmm" Base insert_t32;
    "CRC32" "111110101100 nnnn 1111 dddd 10 ss mmmm" Crc32 |cx, w| crc32(cx, t32(w), bits(w, 5, 4), false);
    "CRC32C" "111110101101 nnnn 1111 dddd 10 ss mmmm" Crc32 |cx, w| crc32(cx, t32(w), bits(w, 5, 4), true);
};

/// What is extended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extend {
    /// Bits 7:0.
    Byte,
    /// Bits 15:0.
    Half,
    /// Bits 7:0 and 23:16, to 16 bits each.
    Bytes,
}

/// `{S|U}XTA{B|H|B16} Rd, Rn, Rm, ROR #rotate*8`; without the addition if n is 15.
pub fn extend(cx: &mut Cx<'_, '_>, r: Registers, rotate: u32, signed: bool, what: Extend) -> Lift {
    no_pc(&[r.d, r.m])?;
    let v = cx.reg(r.m);
    let v = cx.b.shift_imm(IntBin::Rotr, v, rotate * 8);
    let narrow = |cx: &mut Cx<'_, '_>, v, ty| {
        let part = cx.b.pure_ty(PureOp::Trunc, ty, &[v]);
        if signed { cx.b.sext_or_trunc(Type::I32, part) } else { cx.b.zext_or_trunc(Type::I32, part) }
    };
    let ty = if what == Extend::Half { Type::I16 } else { Type::I8 };
    let mut low = narrow(cx, v, ty);
    let n = if r.n == 15 { None } else { Some(cx.reg(r.n)) };
    if let Some(n) = n {
        low = cx.b.add(n, low);
    }
    if what != Extend::Bytes {
        cx.set_reg(r.d, low);
        return Ok(None);
    }
    let v = cx.b.shift_imm(IntBin::Lshr, v, 16);
    let mut high = narrow(cx, v, ty);
    if let Some(n) = n {
        let n = cx.b.shift_imm(IntBin::Lshr, n, 16);
        high = cx.b.add(n, high);
    }
    let v = halves(cx, low, high);
    cx.set_reg(r.d, v);
    Ok(None)
}

/// The low halves of two i32 as one.
pub fn halves(cx: &mut Cx<'_, '_>, low: Value, high: Value) -> Value {
    let mask = cx.i32(0xffff);
    let low = cx.b.and(low, mask);
    let high = cx.b.shift_imm(IntBin::Shl, high, 16);
    cx.b.or(low, high)
}

/// `PKHBT Rd, Rn, Rm, LSL #n`, `PKHTB Rd, Rn, Rm, ASR #n`.
fn pack(cx: &mut Cx<'_, '_>, r: Registers, imm5: u32, tb: bool) -> Lift {
    let r = r.no_pc()?;
    let (n, m) = (cx.reg(r.n), cx.reg(r.m));
    let shift = match (tb, imm5) {
        (false, n) => Shift::Lsl(n),
        (true, 0) => Shift::Asr(32),
        (true, n) => Shift::Asr(n),
    };
    let (m, _) = cx.shifted(m, shift, false);
    let (low, high) = if tb { (m, n) } else { (n, m) };
    let (lower, upper) = (cx.i32(0xffff), cx.i32(0xffff_0000));
    let (low, high) = (cx.b.and(low, lower), cx.b.and(high, upper));
    let v = cx.b.or(low, high);
    cx.set_reg(r.d, v);
    Ok(None)
}

/// Rd = op(Rm). T32 gives Rm twice; should the two differ, the one in bits 3:0 counts.
fn unary(cx: &mut Cx<'_, '_>, r: Registers, op: IntUn) -> Lift {
    no_pc(&[r.d, r.m])?;
    let v = cx.reg(r.m);
    let v = cx.b.un(op, v);
    cx.set_reg(r.d, v);
    Ok(None)
}

/// `REV Rd, Rm`: bytes reversed.
pub fn rev(cx: &mut Cx<'_, '_>, r: Registers) -> Lift {
    unary(cx, r, IntUn::Bswap)
}

/// `REV16 Rd, Rm`: bytes of each half exchanged.
pub fn rev16(cx: &mut Cx<'_, '_>, r: Registers) -> Lift {
    no_pc(&[r.d, r.m])?;
    let v = cx.reg(r.m);
    let v = cx.b.un(IntUn::Bswap, v);
    let v = cx.b.shift_imm(IntBin::Rotr, v, 16);
    cx.set_reg(r.d, v);
    Ok(None)
}

/// `REVSH Rd, Rm`: bytes of the lower half exchanged, sign-extended.
pub fn revsh(cx: &mut Cx<'_, '_>, r: Registers) -> Lift {
    no_pc(&[r.d, r.m])?;
    let v = cx.reg(r.m);
    let v = cx.b.pure_ty(PureOp::Trunc, Type::I16, &[v]);
    let v = cx.b.un(IntUn::Bswap, v);
    let v = cx.b.sext_or_trunc(Type::I32, v);
    cx.set_reg(r.d, v);
    Ok(None)
}

/// `SBFX|UBFX Rd, Rn, #lsb, #width`.
fn extract(cx: &mut Cx<'_, '_>, [d, n]: [u32; 2], lsb: u32, width: u32, signed: bool) -> Lift {
    no_pc(&[d, n])?;
    if lsb + width > 32 {
        return Err(Undefined);
    }
    let v = cx.reg(n);
    let v = if signed {
        let v = cx.b.shift_imm(IntBin::Shl, v, 32 - lsb - width);
        cx.b.shift_imm(IntBin::Ashr, v, 32 - width)
    } else {
        let v = cx.b.shift_imm(IntBin::Lshr, v, lsb);
        let mask = cx.i32(ones(width));
        cx.b.and(v, mask)
    };
    cx.set_reg(d, v);
    Ok(None)
}

fn extract_a32(cx: &mut Cx<'_, '_>, w: u32, signed: bool) -> Lift {
    extract(cx, [bits(w, 15, 12), bits(w, 3, 0)], bits(w, 11, 7), bits(w, 20, 16) + 1, signed)
}

fn extract_t32(cx: &mut Cx<'_, '_>, w: u32, signed: bool) -> Lift {
    extract(cx, [bits(w, 11, 8), bits(w, 19, 16)], imm5(w), bits(w, 4, 0) + 1, signed)
}

/// The low `width` bits, 1–32.
const fn ones(width: u32) -> u32 {
    u32::MAX >> (32 - width)
}

/// `BFI Rd, Rn, #lsb, #width`, `BFC Rd, #lsb, #width` (n is 15).
fn insert(cx: &mut Cx<'_, '_>, [d, n]: [u32; 2], lsb: u32, msb: u32) -> Lift {
    no_pc(&[d])?;
    if msb < lsb {
        return Err(Undefined);
    }
    let field = ones(msb - lsb + 1) << lsb;
    let (old, keep) = (cx.reg(d), cx.i32(!field));
    let mut v = cx.b.and(old, keep);
    if n != 15 {
        let (new, mask) = (cx.reg(n), cx.i32(field));
        let new = cx.b.shift_imm(IntBin::Shl, new, lsb);
        let new = cx.b.and(new, mask);
        v = cx.b.or(v, new);
    }
    cx.set_reg(d, v);
    Ok(None)
}

fn insert_a32(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    insert(cx, [bits(w, 15, 12), bits(w, 3, 0)], bits(w, 11, 7), bits(w, 20, 16))
}

fn insert_t32(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    insert(cx, [bits(w, 11, 8), bits(w, 19, 16)], imm5(w), bits(w, 4, 0))
}

/// `CRC32{C}{B|H|W} Rd, Rn, Rm`.
fn crc32(cx: &mut Cx<'_, '_>, r: Registers, size: u32, castagnoli: bool) -> Lift {
    let r = r.no_pc()?;
    if size == 3 {
        return Err(Undefined);
    }
    let bits = 8 << size;
    let helper = if castagnoli { Helper::Crc32c { bits } } else { Helper::Crc32 { bits } };
    let (accumulator, data) = (cx.reg(r.n), cx.base(r.m));
    let v = cx.b.pure(PureOp::Helper(helper), &[accumulator, data]);
    cx.set_reg(r.d, v);
    Ok(None)
}
