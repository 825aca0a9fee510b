//! Data processing with immediates (Arm ARM C4.1.65): PC-relative, add and subtract, logical, move wide, bitfield,
//! extract.

use super::cx::{Cx, Lift, Undefined, bit, bits, rd, rm, rn, sbits};
use super::table::{Row, row_table};
use ir::{IntBin, PureOp, Type, Value};

/// Rows of this group.
pub static ROWS: &[Row] = row_table! {
    "ADR" "0ii10000 iiiiiiiiiiiiiiiiiii ddddd" Base adr;
    "ADRP" "1ii10000 iiiiiiiiiiiiiiiiiii ddddd" Base adrp;
    "ADD (immediate)" "x00100010 h iiiiiiiiiiii nnnnn ddddd" Base add_sub_imm;
    "ADDS (immediate)" "x01100010 h iiiiiiiiiiii nnnnn ddddd" Base add_sub_imm;
    "SUB (immediate)" "x10100010 h iiiiiiiiiiii nnnnn ddddd" Base add_sub_imm;
    "SUBS (immediate)" "x11100010 h iiiiiiiiiiii nnnnn ddddd" Base add_sub_imm;
    "AND (immediate)" "x00100100 N rrrrrr ssssss nnnnn ddddd" Base logical_imm;
    "ORR (immediate)" "x01100100 N rrrrrr ssssss nnnnn ddddd" Base logical_imm;
    "EOR (immediate)" "x10100100 N rrrrrr ssssss nnnnn ddddd" Base logical_imm;
    "ANDS (immediate)" "x11100100 N rrrrrr ssssss nnnnn ddddd" Base logical_imm;
    "MOVN" "x00100101 hh iiiiiiiiiiiiiiii ddddd" Base move_wide;
    "MOVZ" "x10100101 hh iiiiiiiiiiiiiiii ddddd" Base move_wide;
    "MOVK" "x11100101 hh iiiiiiiiiiiiiiii ddddd" Base move_wide;
    "SBFM" "x00100110 N rrrrrr ssssss nnnnn ddddd" Base bitfield;
    "BFM" "x01100110 N rrrrrr ssssss nnnnn ddddd" Base bitfield;
    "UBFM" "x10100110 N rrrrrr ssssss nnnnn ddddd" Base bitfield;
    "EXTR" "x00100111 N 0 mmmmm ssssss nnnnn ddddd" Base extr;
};

fn adr_offset(w: u32) -> i64 {
    sbits(w, 23, 5) << 2 | bits(w, 30, 29) as i64
}

/// `ADR Xd, label`.
fn adr(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let v = cx.b.code_addr(cx.pc.offset(adr_offset(w)));
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// `ADRP Xd, label`. Images move by whole pages, so the link-time page is as good as the run-time one.
fn adrp(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let page = ir::GuestAddr(cx.pc.0 & !0xfff);
    let v = cx.b.code_addr(page.offset(adr_offset(w) << 12));
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// `ADD|SUB{S} Rd|SP, Rn|SP, #imm{, LSL #12}`.
fn add_sub_imm(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let is64 = bit(w, 31);
    let imm = (bits(w, 21, 10) as u64) << if bit(w, 22) { 12 } else { 0 };
    let a = cx.gpr_sp(is64, rn(w));
    let b = cx.konst(is64, imm);
    add_sub(cx, w, a, b, true)
}

/// The common end of ADD, ADDS, SUB, SUBS: bit 30 says which operation, bit 29 whether it sets the flags. `sp`: without
/// flags, register 31 of the destination is the stack pointer.
pub fn add_sub(cx: &mut Cx<'_, '_>, w: u32, a: Value, b: Value, sp: bool) -> Lift {
    let (subtract, set_flags) = (bit(w, 30), bit(w, 29));
    let result = match (cx.b.as_const(a), cx.b.as_const(b)) {
        (_, Some(0)) => a,
        (Some(0), _) if !subtract => b,
        _ if subtract => cx.b.sub(a, b),
        _ => cx.b.add(a, b),
    };
    if sp && !set_flags {
        cx.set_gpr_sp(rd(w), result);
    } else {
        cx.set_gpr(rd(w), result);
    }
    match (set_flags, subtract) {
        (true, true) => cx.set_flags_sub(a, b, result),
        (true, false) => cx.set_flags_add(a, b, result),
        _ => {}
    }
    Ok(None)
}

/// DecodeBitMasks for logical immediates: the mask of `(N, imms, immr)` in 64 (or 32) bits; `None` if reserved.
pub const fn bit_mask_immediate(n: u32, imms: u32, immr: u32, is64: bool) -> Option<u64> {
    if !is64 && n == 1 {
        return None;
    }
    let combined = n << 6 | (!imms & 0x3f);
    if combined < 2 {
        return None;
    }
    let size = 1u32 << (31 - combined.leading_zeros());
    let levels = size - 1;
    if imms & levels == levels {
        return None;
    }
    let (s, r) = (imms & levels, immr & levels);
    let field = u64::MAX >> (64 - size);
    let ones = u64::MAX >> (63 - s);
    let mut element = if r == 0 { ones } else { (ones >> r | ones << (size - r)) & field };
    let mut width = size;
    while width < 64 {
        element |= element << width;
        width *= 2;
    }
    Some(if is64 { element } else { element & 0xffff_ffff })
}

/// `AND|ORR|EOR|ANDS Rd|SP, Rn, #mask`.
fn logical_imm(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let is64 = bit(w, 31);
    let mask =
        bit_mask_immediate(bits(w, 22, 22), bits(w, 15, 10), bits(w, 21, 16), is64).ok_or(Undefined)?;
    let mask = cx.konst(is64, mask);
    if bits(w, 30, 29) == 1 && rn(w) == 31 {
        // MOV (bitmask immediate).
        cx.set_gpr_sp(rd(w), mask);
        return Ok(None);
    }
    let a = cx.gpr(is64, rn(w));
    let result = cx.b.bin(logical_op(w), a, mask);
    if bits(w, 30, 29) == 3 {
        cx.set_gpr(rd(w), result);
        cx.set_flags_logic(result);
    } else {
        cx.set_gpr_sp(rd(w), result);
    }
    Ok(None)
}

/// The operation in bits 30:29 of logical instructions (3 is ANDS).
pub fn logical_op(w: u32) -> IntBin {
    match bits(w, 30, 29) {
        1 => IntBin::Or,
        2 => IntBin::Xor,
        _ => IntBin::And,
    }
}

/// `MOVN|MOVZ|MOVK Rd, #imm16, LSL #(16·hw)`.
fn move_wide(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let is64 = bit(w, 31);
    let shift = bits(w, 22, 21) * 16;
    if !is64 && shift >= 32 {
        return Err(Undefined);
    }
    let imm = (bits(w, 20, 5) as u64) << shift;
    let v = match bits(w, 30, 29) {
        0 => cx.konst(is64, !imm),
        2 => cx.konst(is64, imm),
        _ => {
            let old = cx.gpr(is64, rd(w));
            let keep = cx.konst(is64, !(0xffff << shift));
            let kept = cx.b.and(old, keep);
            let imm = cx.konst(is64, imm);
            cx.b.or(kept, imm)
        }
    };
    cx.set_gpr(rd(w), v);
    Ok(None)
}

/// `SBFM|BFM|UBFM Rd, Rn, #immr, #imms`: source bits imms:immr to the bottom, or imms:0 to bit width − immr.
fn bitfield(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let is64 = bit(w, 31);
    let (r, s) = (bits(w, 21, 16), bits(w, 15, 10));
    if is64 != bit(w, 22) || (!is64 && (r >= 32 || s >= 32)) {
        return Err(Undefined);
    }
    let width = if is64 { 64 } else { 32 };
    // Length of the field; its position in the source, or else in the destination.
    let (len, from, to) = if s >= r { (s - r + 1, r, 0) } else { (s + 1, 0, width - r) };
    let mask = u64::MAX >> (64 - len);
    let x = cx.gpr(is64, rn(w));
    let v = match bits(w, 30, 29) {
        0 => signed_field(cx, x, width, [len, from, to]),
        1 => {
            let old = cx.gpr(is64, rd(w));
            let keep = cx.konst(is64, !(mask << to));
            let kept = cx.b.and(old, keep);
            let moved = cx.b.shift_imm(IntBin::Lshr, x, from);
            let moved = cx.b.shift_imm(IntBin::Shl, moved, to);
            let field = cx.konst(is64, mask << to);
            let field = cx.b.and(moved, field);
            cx.b.or(kept, field)
        }
        _ => {
            let moved = cx.b.shift_imm(IntBin::Lshr, x, from);
            // The shifts alone do it for LSR, and for LSL.
            if from + len == width {
                moved
            } else if to + len == width {
                cx.b.shift_imm(IntBin::Shl, moved, to)
            } else {
                let mask = cx.konst(is64, mask);
                let field = cx.b.and(moved, mask);
                cx.b.shift_imm(IntBin::Shl, field, to)
            }
        }
    };
    cx.set_gpr(rd(w), v);
    Ok(None)
}

fn signed_field(cx: &mut Cx<'_, '_>, x: Value, width: u32, [len, from, to]: [u32; 3]) -> Value {
    let ty = cx.b.ty(x);
    if from == 0 && matches!(len, 8 | 16 | 32) && len < width {
        let narrow = cx.b.zext_or_trunc(Type::int(len), x);
        let wide = cx.b.pure_ty(PureOp::Sext, ty, &[narrow]);
        return cx.b.shift_imm(IntBin::Shl, wide, to);
    }
    let top = cx.b.shift_imm(IntBin::Shl, x, width - from - len);
    cx.b.shift_imm(IntBin::Ashr, top, width - len - to)
}

/// `EXTR Rd, Rn, Rm, #lsb`; `ROR` if Rn is Rm.
fn extr(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let is64 = bit(w, 31);
    let lsb = bits(w, 15, 10);
    if is64 != bit(w, 22) || (!is64 && lsb >= 32) {
        return Err(Undefined);
    }
    let low = cx.gpr(is64, rm(w));
    let v = if lsb == 0 {
        low
    } else if rn(w) == rm(w) {
        cx.b.shift_imm(IntBin::Rotr, low, lsb)
    } else {
        let high = cx.gpr(is64, rn(w));
        let high = cx.b.shift_imm(IntBin::Shl, high, if is64 { 64 } else { 32 } - lsb);
        let low = cx.b.shift_imm(IntBin::Lshr, low, lsb);
        cx.b.or(high, low)
    };
    cx.set_gpr(rd(w), v);
    Ok(None)
}
