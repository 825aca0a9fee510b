//! Advanced SIMD shifts by immediate, conversions with fraction bits, and modified immediates (Arm ARM F4.1.22).

use super::operands::*;
use super::three_same::shape;
use crate::a32::cx::{Cx, Lift, Undefined, bit, bits};
use crate::a32::table::Row;
use crate::a64::simd::shift::expand_float;
use ir::{Lane, PureOp, Round, VBin, VBit, VSat, VShift, Value};

/// Shifts.
pub const SHIFTS: &[Row] = rows! { Neon:
    "VSHR" "1111 001u 1dHH Hiii dddd 0000 Hqm1 mmmm" |cx, w| right(cx, w, either(w, VShift::SShr, VShift::UShr), false);
    "VSRA" "1111 001u 1dHH Hiii dddd 0001 Hqm1 mmmm" |cx, w| right(cx, w, either(w, VShift::SShr, VShift::UShr), true);
    "VRSHR" "1111 001u 1dHH Hiii dddd 0010 Hqm1 mmmm" |cx, w| right(cx, w, either(w, VShift::SRShr, VShift::URShr), false);
    "VRSRA" "1111 001u 1dHH Hiii dddd 0011 Hqm1 mmmm" |cx, w| right(cx, w, either(w, VShift::SRShr, VShift::URShr), true);
    "VSRI" "1111 0011 1dHH Hiii dddd 0100 Hqm1 mmmm" vsri;
    "VSHL (immediate)" "1111 0010 1dHH Hiii dddd 0101 Hqm1 mmmm" vshl;
    "VSLI" "1111 0011 1dHH Hiii dddd 0101 Hqm1 mmmm" vsli;
    "VQSHLU" "1111 0011 1dHH Hiii dddd 0110 Hqm1 mmmm" |cx, w| sat_left(cx, w, VSat::SQShlu);
    "VQSHL (immediate)" "1111 001u 1dHH Hiii dddd 0111 Hqm1 mmmm" |cx, w| sat_left(cx, w, either(w, VSat::SQShl, VSat::UQShl));
    "VSHRN" "1111 0010 1dHH Hiii dddd 1000 00m1 mmmm" |cx, w| narrow(cx, w, VShift::UShr, None);
    "VRSHRN" "1111 0010 1dHH Hiii dddd 1000 01m1 mmmm" |cx, w| narrow(cx, w, VShift::URShr, None);
    "VQSHRUN" "1111 0011 1dHH Hiii dddd 1000 00m1 mmmm" |cx, w| narrow(cx, w, VShift::SShr, Some(VSat::SQXtun));
    "VQRSHRUN" "1111 0011 1dHH Hiii dddd 1000 01m1 mmmm" |cx, w| narrow(cx, w, VShift::SRShr, Some(VSat::SQXtun));
    "VQSHRN" "1111 001u 1dHH Hiii dddd 1001 00m1 mmmm" |cx, w| narrow(cx, w, either(w, VShift::SShr, VShift::UShr), saturation(w));
    "VQRSHRN" "1111 001u 1dHH Hiii dddd 1001 01m1 mmmm" |cx, w| narrow(cx, w, either(w, VShift::SRShr, VShift::URShr), saturation(w));
    "VSHLL, VMOVL" "1111 001u 1dHH Hiii dddd 1010 00m1 mmmm" long;
    "VCVT (vector, fixed-point to floating-point)" "1111 001u 1d1i iiii dddd 1110 0qm1 mmmm" from_fixed;
    "VCVT (vector, floating-point to fixed-point)" "1111 001u 1d1i iiii dddd 1111 0qm1 mmmm" to_fixed;
};

/// Modified immediates.
pub const IMMEDIATES: &[Row] = rows! { Neon:
    "VMOV (immediate, 32-bit)" "1111 001i 1d00 0iii dddd 0cc0 0q01 iiii" vmov;
    "VORR (immediate, 32-bit)" "1111 001i 1d00 0iii dddd 0cc1 0q01 iiii" |cx, w| bitwise(cx, w, VBit::Or);
    "VMOV (immediate, 16-bit)" "1111 001i 1d00 0iii dddd 10c0 0q01 iiii" vmov;
    "VORR (immediate, 16-bit)" "1111 001i 1d00 0iii dddd 10c1 0q01 iiii" |cx, w| bitwise(cx, w, VBit::Or);
    "VMOV (immediate, ones shifted in, bytes, floating-point)" "1111 001i 1d00 0iii dddd 11cc 0q01 iiii" vmov;
    "VMVN (immediate, 32-bit)" "1111 001i 1d00 0iii dddd 0cc0 0q11 iiii" vmov;
    "VBIC (immediate, 32-bit)" "1111 001i 1d00 0iii dddd 0cc1 0q11 iiii" |cx, w| bitwise(cx, w, VBit::And);
    "VMVN (immediate, 16-bit)" "1111 001i 1d00 0iii dddd 10c0 0q11 iiii" vmov;
    "VBIC (immediate, 16-bit)" "1111 001i 1d00 0iii dddd 10c1 0q11 iiii" |cx, w| bitwise(cx, w, VBit::And);
    "VMVN (immediate, ones shifted in)" "1111 001i 1d00 0iii dddd 110c 0q11 iiii" vmov;
    "VMOV (immediate, 64-bit)" "1111 001i 1d00 0iii dddd 1110 0q11 iiii" vmov;
};

/// The signed or, by U (bit 24), the unsigned operation.
fn either<T>(w: u32, signed: T, unsigned: T) -> T {
    if bit(w, 24) { unsigned } else { signed }
}

fn saturation(w: u32) -> Option<VSat> {
    Some(either(w, VSat::SQXtn, VSat::UQXtn))
}

/// Element shape by L:imm6, and that field.
fn element(w: u32) -> (Lane, u32) {
    let imm = bits(w, 7, 7) << 6 | bits(w, 21, 16);
    (Lane::of_bits(8 << (imm >> 3).max(1).ilog2()), imm)
}

/// Vm of an instruction on Q or D registers.
fn operand(cx: &mut Cx<'_, '_>, w: u32) -> Result<Value, Undefined> {
    if q(w) {
        even(&[dd(w), dm(w)])?;
    }
    Ok(cx.vector(q(w), dm(w)))
}

/// `VSHR.S8 Qd, Qm, #shift`; `accumulate`: VSRA.
fn right(cx: &mut Cx<'_, '_>, w: u32, op: VShift, accumulate: bool) -> Lift {
    let (lane, imm) = element(w);
    let m = operand(cx, w)?;
    let mut r = cx.vshift(op, lane, m, 2 * lane.bits() - imm);
    if accumulate {
        let d = cx.vector(q(w), dd(w));
        r = cx.v2(VBin::Add, lane, d, r);
    }
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VSHL.I8 Qd, Qm, #shift`
fn vshl(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, imm) = element(w);
    let m = operand(cx, w)?;
    let r = cx.vshift(VShift::Shl, lane, m, imm - lane.bits());
    cx.set_vector_d(w, r);
    Ok(None)
}

/// Writes `shifted` where `mask` (of each element) has ones; elsewhere Vd keeps its bits.
fn insert(cx: &mut Cx<'_, '_>, w: u32, lane: Lane, mask: u64, shifted: Value) -> Lift {
    let d = cx.vector(q(w), dd(w));
    let mask = cx.vconst(repeat(mask, lane.bits()));
    let r = cx.b.pure(PureOp::VBitSelect, &[mask, shifted, d]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VSRI.8 Qd, Qm, #shift`
fn vsri(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, imm) = element(w);
    let shift = 2 * lane.bits() - imm;
    let m = operand(cx, w)?;
    let r = cx.vshift(VShift::UShr, lane, m, shift);
    let ones = u64::MAX >> (64 - lane.bits());
    insert(cx, w, lane, ones.checked_shr(shift).unwrap_or(0), r)
}

/// `VSLI.8 Qd, Qm, #shift`
fn vsli(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, imm) = element(w);
    let shift = imm - lane.bits();
    let m = operand(cx, w)?;
    let r = cx.vshift(VShift::Shl, lane, m, shift);
    insert(cx, w, lane, u64::MAX << shift, r)
}

/// `VQSHL.S8 Qd, Qm, #shift`
fn sat_left(cx: &mut Cx<'_, '_>, w: u32, op: VSat) -> Lift {
    let (lane, imm) = element(w);
    let m = operand(cx, w)?;
    let shift = cx.vconst(repeat(u64::from(imm - lane.bits()), lane.bits()));
    let r = cx.saturating(op, lane, m, shift);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VSHRN.I16 Dd, Qm, #shift`, saturating or not. The size is that of the narrow element.
fn narrow(cx: &mut Cx<'_, '_>, w: u32, op: VShift, sat: Option<VSat>) -> Lift {
    let (lane, imm) = element(w);
    let wide = lane.wider().ok_or(Undefined)?;
    even(&[dm(w)])?;
    let m = cx.pair(dm(w));
    let shifted = cx.vshift(op, wide, m, 2 * lane.bits() - imm);
    let r = match sat {
        Some(sat) => cx.saturating(sat, wide, shifted, shifted),
        None => cx.narrow(wide, shifted),
    };
    cx.set_vector(false, dd(w), r);
    Ok(None)
}

/// `VSHLL.S8 Qd, Dm, #shift`
fn long(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, imm) = element(w);
    let wide = lane.wider().ok_or(Undefined)?;
    even(&[dd(w)])?;
    let m = cx.half(dm(w));
    let m = cx.widen(lane, !bit(w, 24), false, m);
    let r = cx.vshift(VShift::Shl, wide, m, imm - lane.bits());
    cx.set_pair(dd(w), r);
    Ok(None)
}

/// `VCVT.F32.S32 Qd, Qm, #fbits`
fn from_fixed(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let fbits = 64 - bits(w, 21, 16) as u8;
    let m = operand(cx, w)?;
    let r = cx.b.pure(PureOp::IntToF { shape: shape(w), signed: !bit(w, 24), fbits }, &[m]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VCVT.S32.F32 Qd, Qm, #fbits`
fn to_fixed(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let fbits = 64 - bits(w, 21, 16) as u8;
    let m = operand(cx, w)?;
    let op = PureOp::FToInt { shape: shape(w), signed: !bit(w, 24), round: Round::Zero, fbits };
    let r = cx.b.pure(op, &[m]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// The constant of a modified-immediate word (Arm ARM AdvSIMDExpandImm), with VMVN's and VBIC's inversion.
fn expand(w: u32) -> u128 {
    let imm8 = bits(w, 24, 24) << 7 | bits(w, 18, 16) << 4 | bits(w, 3, 0);
    let (op, cmode) = (bit(w, 5), bits(w, 11, 8));
    let imm = u64::from(imm8);
    let (value, element) = match cmode {
        0..=7 => (imm << (8 * (cmode >> 1)), 32),
        8..=11 => (imm << (8 * (cmode >> 1 & 1)), 16),
        12 => (imm << 8 | 0xff, 32),
        13 => (imm << 16 | 0xffff, 32),
        14 if op => {
            ((0..8).fold(0, |acc, i| if imm8 >> i & 1 != 0 { acc | 0xff << (8 * i) } else { acc }), 64)
        }
        14 => (imm, 8),
        _ => (expand_float(imm8, 32), 32),
    };
    let v = repeat(value, element);
    if op && cmode < 14 { !v } else { v }
}

/// `VMOV.I32 Qd, #imm`, `VMVN.I32 Qd, #imm`
fn vmov(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    if q(w) {
        even(&[dd(w)])?;
    }
    let v = cx.vconst(expand(w));
    cx.set_vector_d(w, v);
    Ok(None)
}

/// `VORR.I32 Qd, #imm`, `VBIC.I32 Qd, #imm` (with the complement).
fn bitwise(cx: &mut Cx<'_, '_>, w: u32, op: VBit) -> Lift {
    if q(w) {
        even(&[dd(w)])?;
    }
    let d = cx.vector(q(w), dd(w));
    let imm = cx.vconst(expand(w));
    let r = cx.vbit(op, d, imm);
    cx.set_vector_d(w, r);
    Ok(None)
}
