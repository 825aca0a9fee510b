//! Data processing with registers (Arm ARM C4.1.68): logical, add and subtract, carry, flag manipulation, conditional
//! compare and select, one, two and three sources.

use super::cx::{Cx, Lift, Undefined, bit, bits, ra, rd, rm, rn};
use super::integer_imm::{add_sub, logical_op};
use super::reg;
use super::table::{Row, row_table};
use crate::cond::holds;
use ir::{Helper, IntBin, IntCmp, IntUn, PureOp, Type, Value};

/// Rows of this group.
pub static ROWS: &[Row] = row_table! {
    "AND (shifted register)" "x0001010 hh 0 mmmmm iiiiii nnnnn ddddd" Base logical_shifted;
    "BIC (shifted register)" "x0001010 hh 1 mmmmm iiiiii nnnnn ddddd" Base logical_shifted;
    "ORR (shifted register)" "x0101010 hh 0 mmmmm iiiiii nnnnn ddddd" Base logical_shifted;
    "ORN (shifted register)" "x0101010 hh 1 mmmmm iiiiii nnnnn ddddd" Base logical_shifted;
    "EOR (shifted register)" "x1001010 hh 0 mmmmm iiiiii nnnnn ddddd" Base logical_shifted;
    "EON (shifted register)" "x1001010 hh 1 mmmmm iiiiii nnnnn ddddd" Base logical_shifted;
    "ANDS (shifted register)" "x1101010 hh 0 mmmmm iiiiii nnnnn ddddd" Base logical_shifted;
    "BICS (shifted register)" "x1101010 hh 1 mmmmm iiiiii nnnnn ddddd" Base logical_shifted;
    "ADD (shifted register)" "x0001011 hh 0 mmmmm iiiiii nnnnn ddddd" Base add_sub_shifted;
    "ADDS (shifted register)" "x0101011 hh 0 mmmmm iiiiii nnnnn ddddd" Base add_sub_shifted;
    "SUB (shifted register)" "x1001011 hh 0 mmmmm iiiiii nnnnn ddddd" Base add_sub_shifted;
    "SUBS (shifted register)" "x1101011 hh 0 mmmmm iiiiii nnnnn ddddd" Base add_sub_shifted;
    "ADD (extended register)" "x0001011 00 1 mmmmm ooo iii nnnnn ddddd" Base add_sub_extended;
    "ADDS (extended register)" "x0101011 00 1 mmmmm ooo iii nnnnn ddddd" Base add_sub_extended;
    "SUB (extended register)" "x1001011 00 1 mmmmm ooo iii nnnnn ddddd" Base add_sub_extended;
    "SUBS (extended register)" "x1101011 00 1 mmmmm ooo iii nnnnn ddddd" Base add_sub_extended;
    "ADC" "x0011010 000 mmmmm 000000 nnnnn ddddd" Base add_sub_carry;
    "ADCS" "x0111010 000 mmmmm 000000 nnnnn ddddd" Base add_sub_carry;
    "SBC" "x1011010 000 mmmmm 000000 nnnnn ddddd" Base add_sub_carry;
    "SBCS" "x1111010 000 mmmmm 000000 nnnnn ddddd" Base add_sub_carry;
    "RMIF" "10111010 000 iiiiii 00001 nnnnn 0 kkkk" FlagM rmif;
    "SETF8" "00111010 000 000000 00010 nnnnn 0 1101" FlagM setf;
    "SETF16" "00111010 000 000000 10010 nnnnn 0 1101" FlagM setf;
    "CCMN (register)" "x0111010 010 mmmmm cccc 00 nnnnn 0 ffff" Base ccmp;
    "CCMP (register)" "x1111010 010 mmmmm cccc 00 nnnnn 0 ffff" Base ccmp;
    "CCMN (immediate)" "x0111010 010 iiiii cccc 10 nnnnn 0 ffff" Base ccmp;
    "CCMP (immediate)" "x1111010 010 iiiii cccc 10 nnnnn 0 ffff" Base ccmp;
    "CSEL" "x0011010 100 mmmmm cccc 00 nnnnn ddddd" Base csel;
    "CSINC" "x0011010 100 mmmmm cccc 01 nnnnn ddddd" Base csel;
    "CSINV" "x1011010 100 mmmmm cccc 00 nnnnn ddddd" Base csel;
    "CSNEG" "x1011010 100 mmmmm cccc 01 nnnnn ddddd" Base csel;
    "MADD" "x0011011 000 mmmmm 0 aaaaa nnnnn ddddd" Base madd;
    "MSUB" "x0011011 000 mmmmm 1 aaaaa nnnnn ddddd" Base madd;
    "SMADDL" "10011011 001 mmmmm 0 aaaaa nnnnn ddddd" Base maddl;
    "SMSUBL" "10011011 001 mmmmm 1 aaaaa nnnnn ddddd" Base maddl;
    "UMADDL" "10011011 101 mmmmm 0 aaaaa nnnnn ddddd" Base maddl;
    "UMSUBL" "10011011 101 mmmmm 1 aaaaa nnnnn ddddd" Base maddl;
    "SMULH" "10011011 010 mmmmm 0 aaaaa nnnnn ddddd" Base mulh;
    "UMULH" "10011011 110 mmmmm 0 aaaaa nnnnn ddddd" Base mulh;
    "UDIV" "x0011010 110 mmmmm 000010 nnnnn ddddd" Base divide;
    "SDIV" "x0011010 110 mmmmm 000011 nnnnn ddddd" Base divide;
    "LSLV" "x0011010 110 mmmmm 001000 nnnnn ddddd" Base shift_variable;
    "LSRV" "x0011010 110 mmmmm 001001 nnnnn ddddd" Base shift_variable;
    "ASRV" "x0011010 110 mmmmm 001010 nnnnn ddddd" Base shift_variable;
    "RORV" "x0011010 110 mmmmm 001011 nnnnn ddddd" Base shift_variable;
    "CRC32B" "00011010 110 mmmmm 010000 nnnnn ddddd" Crc32 crc32;
    "CRC32H" "00011010 110 mmmmm 010001 nnnnn ddddd" Crc32 crc32;
    "CRC32W" "00011010 110 mmmmm 010010 nnnnn ddddd" Crc32 crc32;
    "CRC32X" "10011010 110 mmmmm 010011 nnnnn ddddd" Crc32 crc32;
    "CRC32CB" "00011010 110 mmmmm 010100 nnnnn ddddd" Crc32 crc32;
    "CRC32CH" "00011010 110 mmmmm 010101 nnnnn ddddd" Crc32 crc32;
    "CRC32CW" "00011010 110 mmmmm 010110 nnnnn ddddd" Crc32 crc32;
    "CRC32CX" "10011010 110 mmmmm 010111 nnnnn ddddd" Crc32 crc32;
    "RBIT" "x1011010 110 00000 000000 nnnnn ddddd" Base rbit;
    "REV16" "x1011010 110 00000 000001 nnnnn ddddd" Base rev16;
    "REV (32-bit)" "01011010 110 00000 000010 nnnnn ddddd" Base rev;
    "REV32" "11011010 110 00000 000010 nnnnn ddddd" Base rev32;
    "REV (64-bit)" "11011010 110 00000 000011 nnnnn ddddd" Base rev;
    "CLZ" "x1011010 110 00000 000100 nnnnn ddddd" Base clz;
    "CLS" "x1011010 110 00000 000101 nnnnn ddddd" Base cls;
};

/// Rm shifted by bits 23:22 (LSL, LSR, ASR, ROR) and bits 15:10.
fn shifted(cx: &mut Cx<'_, '_>, w: u32) -> Result<Value, Undefined> {
    let is64 = bit(w, 31);
    let amount = bits(w, 15, 10);
    if !is64 && amount >= 32 {
        return Err(Undefined);
    }
    let op = match bits(w, 23, 22) {
        0 => IntBin::Shl,
        1 => IntBin::Lshr,
        2 => IntBin::Ashr,
        _ => IntBin::Rotr,
    };
    let v = cx.gpr(is64, rm(w));
    if rm(w) == 31 {
        return Ok(v);
    }
    Ok(cx.b.shift_imm(op, v, amount))
}

/// Register `m` extended by `option` (UXTB…SXTX) to 64 or 32 bits and shifted left.
pub fn extended(cx: &mut Cx<'_, '_>, is64: bool, m: u32, option: u32, shift: u32) -> Value {
    let ty = if is64 { Type::I64 } else { Type::I32 };
    let v = cx.gpr(true, m);
    let len = 8 << (option & 3);
    let v = if len >= ty.bits() {
        cx.b.zext_or_trunc(ty, v)
    } else {
        let narrow = cx.b.zext_or_trunc(Type::int(len), v);
        let extend = if option & 4 != 0 { PureOp::Sext } else { PureOp::Zext };
        cx.b.pure_ty(extend, ty, &[narrow])
    };
    cx.b.shift_imm(IntBin::Shl, v, shift)
}

/// `AND|BIC|ORR|ORN|EOR|EON|ANDS|BICS Rd, Rn, Rm{, shift #amount}`.
fn logical_shifted(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let mut b = shifted(cx, w)?;
    if bit(w, 21) {
        b = cx.complement(b);
    }
    let op = logical_op(w);
    let result = if op == IntBin::Or && rn(w) == 31 {
        b
    } else {
        let a = cx.gpr(bit(w, 31), rn(w));
        if rn(w) == rm(w) && op == IntBin::And && !bit(w, 21) && bits(w, 15, 10) == 0 {
            a
        } else {
            cx.b.bin(op, a, b)
        }
    };
    cx.set_gpr(rd(w), result);
    if bits(w, 30, 29) == 3 {
        cx.set_flags_logic(result);
    }
    Ok(None)
}

/// `ADD|SUB{S} Rd, Rn, Rm{, shift #amount}`.
fn add_sub_shifted(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    if bits(w, 23, 22) == 3 {
        return Err(Undefined);
    }
    let b = shifted(cx, w)?;
    let a = cx.gpr(bit(w, 31), rn(w));
    add_sub(cx, w, a, b, false)
}

/// `ADD|SUB{S} Rd|SP, Rn|SP, Rm{, extend #amount}`.
fn add_sub_extended(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let shift = bits(w, 12, 10);
    if shift > 4 {
        return Err(Undefined);
    }
    let b = extended(cx, bit(w, 31), rm(w), bits(w, 15, 13), shift);
    let a = cx.gpr_sp(bit(w, 31), rn(w));
    add_sub(cx, w, a, b, true)
}

/// `ADC|SBC{S} Rd, Rn, Rm`: a + b + C, with SBC b complemented.
fn add_sub_carry(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let is64 = bit(w, 31);
    let a = cx.gpr(is64, rn(w));
    let mut b = cx.gpr(is64, rm(w));
    if bit(w, 30) {
        b = cx.complement(b);
    }
    let carry = cx.b.get(reg::C);
    let carry_in = cx.b.zext_or_trunc(if is64 { Type::I64 } else { Type::I32 }, carry);
    let sum = cx.b.add(a, b);
    let result = cx.b.add(sum, carry_in);
    cx.set_gpr(rd(w), result);
    if bit(w, 29) {
        let zero = cx.konst(is64, 0);
        let n = cx.b.cmp(IntCmp::Slt, result, zero);
        let z = cx.b.cmp(IntCmp::Eq, result, zero);
        let c = cx.b.pure(PureOp::CarryOut, &[a, b, carry]);
        let v = cx.b.pure(PureOp::Overflow, &[a, b, carry]);
        cx.set_flags([n, z, c, v], None);
    }
    Ok(None)
}

/// `RMIF Xn, #shift, #mask`: flags in `mask` from the rotated register's low four bits.
fn rmif(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let x = cx.gpr(true, rn(w));
    let x = cx.b.shift_imm(IntBin::Rotr, x, bits(w, 20, 15));
    for (i, r) in [reg::V, reg::C, reg::Z, reg::N].into_iter().enumerate() {
        if bit(w, i as u32) {
            let v = cx.b.shift_imm(IntBin::Lshr, x, i as u32);
            let v = cx.b.zext_or_trunc(Type::I1, v);
            cx.b.set(r, v);
        }
    }
    *cx.flags = None;
    Ok(None)
}

/// `SETF8 Wn`, `SETF16 Wn`: N, Z, V of the low 8 (16) bits; V if they overflowed from one bit more. C stays.
fn setf(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let len = if bit(w, 14) { 16 } else { 8 };
    let x = cx.gpr(false, rn(w));
    let low = cx.b.zext_or_trunc(Type::int(len), x);
    let zero = cx.b.konst(Type::int(len), 0);
    let n = cx.b.cmp(IntCmp::Slt, low, zero);
    let z = cx.b.cmp(IntCmp::Eq, low, zero);
    let next = cx.b.shift_imm(IntBin::Lshr, x, len);
    let next = cx.b.zext_or_trunc(Type::I1, next);
    let v = cx.b.xor(next, n);
    cx.b.set(reg::N, n);
    cx.b.set(reg::Z, z);
    cx.b.set(reg::V, v);
    *cx.flags = None;
    Ok(None)
}

/// `CCMN|CCMP Rn, Rm|#imm5, #nzcv, cond`.
fn ccmp(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let is64 = bit(w, 31);
    let a = cx.gpr(is64, rn(w));
    let b = if bit(w, 11) { cx.konst(is64, rm(w) as u64) } else { cx.gpr(is64, rm(w)) };
    cx.set_flags_ccmp(!bit(w, 30), a, b, bits(w, 15, 12), bits(w, 3, 0));
    Ok(None)
}

/// `CSEL|CSINC|CSINV|CSNEG Rd, Rn, Rm, cond`: Rn, or Rm (as is, + 1, complemented, negated).
fn csel(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let is64 = bit(w, 31);
    let cond = bits(w, 15, 12);
    let (invert, increment) = (bit(w, 30), bit(w, 10));
    if rn(w) == 31 && rm(w) == 31 && invert != increment && cond < 14 {
        // CSET, CSETM.
        let c = cx.condition(cond ^ 1);
        let v = if increment {
            cx.b.zext_or_trunc(if is64 { Type::I64 } else { Type::I32 }, c)
        } else {
            let (ones, zero) = (cx.konst(is64, u64::MAX), cx.konst(is64, 0));
            cx.b.select(c, ones, zero)
        };
        cx.set_gpr(rd(w), v);
        return Ok(None);
    }
    let a = cx.gpr(is64, rn(w));
    if cond >= 14 {
        debug_assert!(holds(cond, 0));
        cx.set_gpr(rd(w), a);
        return Ok(None);
    }
    let b = cx.gpr(is64, rm(w));
    let b = match (invert, increment) {
        (false, false) => b,
        (false, true) => cx.b.add_imm(b, 1),
        (true, false) => cx.complement(b),
        (true, true) => cx.b.un(IntUn::Neg, b),
    };
    let c = cx.condition(cond);
    let v = cx.b.select(c, a, b);
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// The end of multiply-add: Ra ± product; bit 15 says which.
fn accumulate(cx: &mut Cx<'_, '_>, w: u32, is64: bool, product: Value) -> Lift {
    let v = match (ra(w), bit(w, 15)) {
        (31, false) => product,
        (31, true) => cx.b.un(IntUn::Neg, product),
        (a, subtract) => {
            let a = cx.gpr(is64, a);
            cx.b.bin(if subtract { IntBin::Sub } else { IntBin::Add }, a, product)
        }
    };
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// `MADD|MSUB Rd, Rn, Rm, Ra`.
fn madd(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let is64 = bit(w, 31);
    let (a, b) = (cx.gpr(is64, rn(w)), cx.gpr(is64, rm(w)));
    let product = cx.b.bin(IntBin::Mul, a, b);
    accumulate(cx, w, is64, product)
}

/// `SMADDL|SMSUBL|UMADDL|UMSUBL Xd, Wn, Wm, Xa`.
fn maddl(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let extend = if bit(w, 23) { PureOp::Zext } else { PureOp::Sext };
    let (a, b) = (cx.gpr(false, rn(w)), cx.gpr(false, rm(w)));
    let a = cx.b.pure_ty(extend, Type::I64, &[a]);
    let b = cx.b.pure_ty(extend, Type::I64, &[b]);
    let product = cx.b.bin(IntBin::Mul, a, b);
    accumulate(cx, w, true, product)
}

/// `SMULH|UMULH Xd, Xn, Xm`.
fn mulh(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    binary(cx, w, if bit(w, 23) { IntBin::UMulHi } else { IntBin::SMulHi })
}

/// Rd = op(Rn, Rm).
fn binary(cx: &mut Cx<'_, '_>, w: u32, op: IntBin) -> Lift {
    let is64 = bit(w, 31);
    let (a, b) = (cx.gpr(is64, rn(w)), cx.gpr(is64, rm(w)));
    let v = cx.b.bin(op, a, b);
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// `UDIV|SDIV Rd, Rn, Rm`.
fn divide(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    binary(cx, w, if bit(w, 10) { IntBin::SDiv } else { IntBin::UDiv })
}

/// `LSLV|LSRV|ASRV|RORV Rd, Rn, Rm`: by Rm modulo the width.
fn shift_variable(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let is64 = bit(w, 31);
    let (a, b) = (cx.gpr(is64, rn(w)), cx.gpr(is64, rm(w)));
    let mask = cx.konst(is64, if is64 { 63 } else { 31 });
    let amount = cx.b.and(b, mask);
    let op = match bits(w, 11, 10) {
        0 => IntBin::Shl,
        1 => IntBin::Lshr,
        2 => IntBin::Ashr,
        _ => IntBin::Rotr,
    };
    let v = cx.b.bin(op, a, amount);
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// `CRC32{C}{B|H|W|X} Wd, Wn, Wm|Xm`.
fn crc32(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let len = 8 << bits(w, 11, 10);
    let helper = if bit(w, 12) { Helper::Crc32c { bits: len } } else { Helper::Crc32 { bits: len } };
    let accumulator = cx.gpr(false, rn(w));
    let data = cx.gpr(true, rm(w));
    let v = cx.b.pure(PureOp::Helper(helper), &[accumulator, data]);
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// Rd = op(Rn).
fn unary(cx: &mut Cx<'_, '_>, w: u32, op: IntUn) -> Lift {
    let a = cx.gpr(bit(w, 31), rn(w));
    let v = cx.b.un(op, a);
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// `RBIT Rd, Rn`.
fn rbit(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    unary(cx, w, IntUn::Rbit)
}

/// `REV Rd, Rn`.
fn rev(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    unary(cx, w, IntUn::Bswap)
}

/// `CLZ Rd, Rn`.
fn clz(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    unary(cx, w, IntUn::Clz)
}

/// `CLS Rd, Rn`.
fn cls(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    unary(cx, w, IntUn::Cls)
}

/// `REV16 Rd, Rn`: bytes of each halfword swapped.
fn rev16(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let is64 = bit(w, 31);
    let x = cx.gpr(is64, rn(w));
    let mask = cx.konst(is64, 0x00ff_00ff_00ff_00ff);
    let low = cx.b.and(x, mask);
    let low = cx.b.shift_imm(IntBin::Shl, low, 8);
    let high = cx.b.shift_imm(IntBin::Lshr, x, 8);
    let high = cx.b.and(high, mask);
    let v = cx.b.or(low, high);
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// `REV32 Xd, Xn`: bytes of each word swapped.
fn rev32(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let x = cx.gpr(true, rn(w));
    let x = cx.b.un(IntUn::Bswap, x);
    let v = cx.b.shift_imm(IntBin::Rotr, x, 32);
    cx.set_gpr(rd(w), v);
    Ok(None)
}
