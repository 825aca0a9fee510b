//! Advanced SIMD modified immediate and shift by immediate, vector and scalar (Arm ARM C4.1.96). immh:immb names
//! element size and amount: the highest set bit of immh the size, the rest the amount, counted up (left) or down (right).

use super::operands::*;
use crate::a64::cx::{Cx, Lift, Undefined, bit, bits, rd, rn};
use crate::a64::table::{Feature, Row};
use ir::{Lane, PureOp, Round, VBin, VBit, VSat, VShift, Value};

/// Rows of this group.
pub const ROWS: &[&[Row]] = &[MODIFIED, MODIFIED_HALF, VECTOR, SCALAR];

const MODIFIED: &[Row] = rows! { AdvSimd:
    "MOVI (32-bit shifted)" "0q001111 00000abc 0hh0 01 defghddddd" |cx, w| move_imm(cx, w);
    "MOVI (16-bit shifted)" "0q001111 00000abc 10h0 01 defghddddd" |cx, w| move_imm(cx, w);
    "MOVI (32-bit shifting ones)" "0q001111 00000abc 110h 01 defghddddd" |cx, w| move_imm(cx, w);
    "MOVI (8-bit)" "0q001111 00000abc 1110 01 defghddddd" |cx, w| move_imm(cx, w);
    "MOVI (64-bit)" "0q101111 00000abc 1110 01 defghddddd" |cx, w| move_imm(cx, w);
    "FMOV (vector, immediate, single)" "0q001111 00000abc 1111 01 defghddddd" |cx, w| move_imm(cx, w);
    "FMOV (vector, immediate, double)" "01101111 00000abc 1111 01 defghddddd" |cx, w| move_imm(cx, w);
    "MVNI (32-bit shifted)" "0q101111 00000abc 0hh0 01 defghddddd" |cx, w| move_imm(cx, w);
    "MVNI (16-bit shifted)" "0q101111 00000abc 10h0 01 defghddddd" |cx, w| move_imm(cx, w);
    "MVNI (32-bit shifting ones)" "0q101111 00000abc 110h 01 defghddddd" |cx, w| move_imm(cx, w);
    "ORR (vector, immediate, 32-bit)" "0q001111 00000abc 0hh1 01 defghddddd" |cx, w| bitwise_imm(cx, w, VBit::Or);
    "ORR (vector, immediate, 16-bit)" "0q001111 00000abc 10h1 01 defghddddd" |cx, w| bitwise_imm(cx, w, VBit::Or);
    "BIC (vector, immediate, 32-bit)" "0q101111 00000abc 0hh1 01 defghddddd" |cx, w| bitwise_imm(cx, w, VBit::And);
    "BIC (vector, immediate, 16-bit)" "0q101111 00000abc 10h1 01 defghddddd" |cx, w| bitwise_imm(cx, w, VBit::And);
};

const MODIFIED_HALF: &[Row] = rows! { Fp16:
    "FMOV (vector, immediate, half)" "0q001111 00000abc 1111 11 defghddddd" fmov_half;
};

const VECTOR: &[Row] = rows! { AdvSimd:
    "SSHR (vector)" "0q001111 0hhhhbbb 000001 nnnnnddddd" |cx, w| right(cx, w, VShift::SShr, false);
    "USHR (vector)" "0q101111 0hhhhbbb 000001 nnnnnddddd" |cx, w| right(cx, w, VShift::UShr, false);
    "SSRA (vector)" "0q001111 0hhhhbbb 000101 nnnnnddddd" |cx, w| right(cx, w, VShift::SShr, true);
    "USRA (vector)" "0q101111 0hhhhbbb 000101 nnnnnddddd" |cx, w| right(cx, w, VShift::UShr, true);
    "SRSHR (vector)" "0q001111 0hhhhbbb 001001 nnnnnddddd" |cx, w| right(cx, w, VShift::SRShr, false);
    "URSHR (vector)" "0q101111 0hhhhbbb 001001 nnnnnddddd" |cx, w| right(cx, w, VShift::URShr, false);
    "SRSRA (vector)" "0q001111 0hhhhbbb 001101 nnnnnddddd" |cx, w| right(cx, w, VShift::SRShr, true);
    "URSRA (vector)" "0q101111 0hhhhbbb 001101 nnnnnddddd" |cx, w| right(cx, w, VShift::URShr, true);
    "SRI (vector)" "0q101111 0hhhhbbb 010001 nnnnnddddd" sri;
    "SHL (vector)" "0q001111 0hhhhbbb 010101 nnnnnddddd" shl;
    "SLI (vector)" "0q101111 0hhhhbbb 010101 nnnnnddddd" sli;
    "SQSHLU (vector)" "0q101111 0hhhhbbb 011001 nnnnnddddd" |cx, w| sat_left(cx, w, VSat::SQShlu);
    "SQSHL (immediate, vector)" "0q001111 0hhhhbbb 011101 nnnnnddddd" |cx, w| sat_left(cx, w, VSat::SQShl);
    "UQSHL (immediate, vector)" "0q101111 0hhhhbbb 011101 nnnnnddddd" |cx, w| sat_left(cx, w, VSat::UQShl);
    "SHRN" "0q001111 0hhhhbbb 100001 nnnnnddddd" |cx, w| narrow(cx, w, VShift::UShr, None);
    "RSHRN" "0q001111 0hhhhbbb 100011 nnnnnddddd" |cx, w| narrow(cx, w, VShift::URShr, None);
    "SQSHRUN (vector)" "0q101111 0hhhhbbb 100001 nnnnnddddd" |cx, w| narrow(cx, w, VShift::SShr, Some(VSat::SQXtun));
    "SQRSHRUN (vector)" "0q101111 0hhhhbbb 100011 nnnnnddddd" |cx, w| narrow(cx, w, VShift::SRShr, Some(VSat::SQXtun));
    "SQSHRN (vector)" "0q001111 0hhhhbbb 100101 nnnnnddddd" |cx, w| narrow(cx, w, VShift::SShr, Some(VSat::SQXtn));
    "UQSHRN (vector)" "0q101111 0hhhhbbb 100101 nnnnnddddd" |cx, w| narrow(cx, w, VShift::UShr, Some(VSat::UQXtn));
    "SQRSHRN (vector)" "0q001111 0hhhhbbb 100111 nnnnnddddd" |cx, w| narrow(cx, w, VShift::SRShr, Some(VSat::SQXtn));
    "UQRSHRN (vector)" "0q101111 0hhhhbbb 100111 nnnnnddddd" |cx, w| narrow(cx, w, VShift::URShr, Some(VSat::UQXtn));
    "SSHLL" "0q001111 0hhhhbbb 101001 nnnnnddddd" |cx, w| long(cx, w, true);
    "USHLL" "0q101111 0hhhhbbb 101001 nnnnnddddd" |cx, w| long(cx, w, false);
    "SCVTF (vector, fixed-point)" "0q001111 0hhhhbbb 111001 nnnnnddddd" |cx, w| from_fixed(cx, w, true);
    "UCVTF (vector, fixed-point)" "0q101111 0hhhhbbb 111001 nnnnnddddd" |cx, w| from_fixed(cx, w, false);
    "FCVTZS (vector, fixed-point)" "0q001111 0hhhhbbb 111111 nnnnnddddd" |cx, w| to_fixed(cx, w, true);
    "FCVTZU (vector, fixed-point)" "0q101111 0hhhhbbb 111111 nnnnnddddd" |cx, w| to_fixed(cx, w, false);
};

const SCALAR: &[Row] = rows! { AdvSimd:
    "SSHR (scalar)" "01011111 0hhhhbbb 000001 nnnnnddddd" |cx, w| right(cx, w, VShift::SShr, false);
    "USHR (scalar)" "01111111 0hhhhbbb 000001 nnnnnddddd" |cx, w| right(cx, w, VShift::UShr, false);
    "SSRA (scalar)" "01011111 0hhhhbbb 000101 nnnnnddddd" |cx, w| right(cx, w, VShift::SShr, true);
    "USRA (scalar)" "01111111 0hhhhbbb 000101 nnnnnddddd" |cx, w| right(cx, w, VShift::UShr, true);
    "SRSHR (scalar)" "01011111 0hhhhbbb 001001 nnnnnddddd" |cx, w| right(cx, w, VShift::SRShr, false);
    "URSHR (scalar)" "01111111 0hhhhbbb 001001 nnnnnddddd" |cx, w| right(cx, w, VShift::URShr, false);
    "SRSRA (scalar)" "01011111 0hhhhbbb 001101 nnnnnddddd" |cx, w| right(cx, w, VShift::SRShr, true);
    "URSRA (scalar)" "01111111 0hhhhbbb 001101 nnnnnddddd" |cx, w| right(cx, w, VShift::URShr, true);
    "SRI (scalar)" "01111111 0hhhhbbb 010001 nnnnnddddd" sri;
    "SHL (scalar)" "01011111 0hhhhbbb 010101 nnnnnddddd" shl;
    "SLI (scalar)" "01111111 0hhhhbbb 010101 nnnnnddddd" sli;
    "SQSHLU (scalar)" "01111111 0hhhhbbb 011001 nnnnnddddd" |cx, w| sat_left(cx, w, VSat::SQShlu);
    "SQSHL (immediate, scalar)" "01011111 0hhhhbbb 011101 nnnnnddddd" |cx, w| sat_left(cx, w, VSat::SQShl);
    "UQSHL (immediate, scalar)" "01111111 0hhhhbbb 011101 nnnnnddddd" |cx, w| sat_left(cx, w, VSat::UQShl);
    "SQSHRUN (scalar)" "01111111 0hhhhbbb 100001 nnnnnddddd" |cx, w| narrow(cx, w, VShift::SShr, Some(VSat::SQXtun));
    "SQRSHRUN (scalar)" "01111111 0hhhhbbb 100011 nnnnnddddd" |cx, w| narrow(cx, w, VShift::SRShr, Some(VSat::SQXtun));
    "SQSHRN (scalar)" "01011111 0hhhhbbb 100101 nnnnnddddd" |cx, w| narrow(cx, w, VShift::SShr, Some(VSat::SQXtn));
    "UQSHRN (scalar)" "01111111 0hhhhbbb 100101 nnnnnddddd" |cx, w| narrow(cx, w, VShift::UShr, Some(VSat::UQXtn));
    "SQRSHRN (scalar)" "01011111 0hhhhbbb 100111 nnnnnddddd" |cx, w| narrow(cx, w, VShift::SRShr, Some(VSat::SQXtn));
    "UQRSHRN (scalar)" "01111111 0hhhhbbb 100111 nnnnnddddd" |cx, w| narrow(cx, w, VShift::URShr, Some(VSat::UQXtn));
    "SCVTF (scalar SIMD, fixed-point)" "01011111 0hhhhbbb 111001 nnnnnddddd" |cx, w| from_fixed(cx, w, true);
    "UCVTF (scalar SIMD, fixed-point)" "01111111 0hhhhbbb 111001 nnnnnddddd" |cx, w| from_fixed(cx, w, false);
    "FCVTZS (scalar SIMD, fixed-point)" "01011111 0hhhhbbb 111111 nnnnnddddd" |cx, w| to_fixed(cx, w, true);
    "FCVTZU (scalar SIMD, fixed-point)" "01111111 0hhhhbbb 111111 nnnnnddddd" |cx, w| to_fixed(cx, w, false);
};

/// The 8-bit float immediate of the FMOVs, as the bits of a float of `element` bits (Arm ARM VFPExpandImm).
pub fn expand_float(imm8: u32, element: u32) -> u64 {
    let (exponent, fraction) = match element {
        16 => (5, 10),
        32 => (8, 23),
        _ => (11, 52),
    };
    let b6 = u64::from(imm8 >> 6 & 1);
    let repeated = if b6 == 1 { (1 << (exponent - 3)) - 1 } else { 0 };
    let exp = (b6 ^ 1) << (exponent - 1) | repeated << 2 | u64::from(imm8 >> 4 & 3);
    u64::from(imm8 >> 7) << (element - 1) | exp << fraction | u64::from(imm8 & 15) << (fraction - 4)
}

/// The constant of a modified-immediate word (Arm ARM AdvSIMDExpandImm), with MVNI's and BIC's inversion.
fn expand(w: u32) -> u128 {
    let imm8 = bits(w, 18, 16) << 5 | bits(w, 9, 5);
    let (op, cmode) = (bit(w, 29), bits(w, 15, 12));
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
        _ if op => (expand_float(imm8, 64), 64),
        _ => (expand_float(imm8, 32), 32),
    };
    let v = repeat(value, element);
    if op && cmode < 14 { !v } else { v }
}

fn low64(w: u32, v: u128) -> u128 {
    if q(w) { v } else { v & u128::from(u64::MAX) }
}

/// `MOVI Vd.T, #imm`
fn move_imm(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let v = cx.vconst(low64(w, expand(w)));
    cx.set_vec(rd(w), v);
    Ok(None)
}

/// `FMOV Vd.8H, #imm`
fn fmov_half(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let imm = expand_float(bits(w, 18, 16) << 5 | bits(w, 9, 5), 16);
    let v = cx.vconst(low64(w, repeat(imm, 16)));
    cx.set_vec(rd(w), v);
    Ok(None)
}

/// `ORR Vd.T, #imm`, `BIC Vd.T, #imm`
fn bitwise_imm(cx: &mut Cx<'_, '_>, w: u32, op: VBit) -> Lift {
    let d = cx.vec(rd(w));
    let imm = cx.vconst(expand(w));
    let r = cx.vbit(op, d, imm);
    cx.set_vec_q(rd(w), q(w), r);
    Ok(None)
}

/// Element shape by immh, and immh:immb. Vector shapes with immh = 0 are modified immediates.
fn element(w: u32) -> Result<(Lane, u32), Undefined> {
    let immh = bits(w, 22, 19);
    if immh == 0 { Err(Undefined) } else { Ok((Lane::of_bits(8 << immh.ilog2()), bits(w, 22, 16))) }
}

/// Element shape and width of instructions on elements of one size. `scalar_any`: the scalar form exists for all sizes,
/// not only for 64 bits.
fn same_size(w: u32, scalar_any: bool) -> Result<(Lane, Width, u32), Undefined> {
    let (lane, imm) = element(w)?;
    match width(w) {
        Width::Half if lane == Lane::D2 => Err(Undefined),
        Width::Scalar if lane != Lane::D2 && !scalar_any => Err(Undefined),
        width => Ok((lane, width, imm)),
    }
}

/// `SSHR Vd.T, Vn.T, #shift`; `accumulate`: SSRA.
fn right(cx: &mut Cx<'_, '_>, w: u32, op: VShift, accumulate: bool) -> Lift {
    let (lane, width, imm) = same_size(w, false)?;
    let n = cx.vec(rn(w));
    let mut r = cx.vshift(op, lane, n, 2 * lane.bits() - imm);
    if accumulate {
        let d = cx.vec(rd(w));
        r = cx.v2(VBin::Add, lane, d, r);
    }
    cx.set_covered(rd(w), lane, width, r);
    Ok(None)
}

/// `SHL Vd.T, Vn.T, #shift`
fn shl(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, width, imm) = same_size(w, false)?;
    let n = cx.vec(rn(w));
    let r = cx.vshift(VShift::Shl, lane, n, imm - lane.bits());
    cx.set_covered(rd(w), lane, width, r);
    Ok(None)
}

/// Writes `shifted` where `mask` (of each element of `lane`) has ones; elsewhere Vd keeps its bits.
fn insert(cx: &mut Cx<'_, '_>, w: u32, lane: Lane, width: Width, mask: u64, shifted: Value) {
    let d = cx.vec(rd(w));
    let mask = cx.vconst(repeat(mask, lane.bits()));
    let r = cx.b.pure(PureOp::VBitSelect, &[mask, shifted, d]);
    cx.set_covered(rd(w), lane, width, r);
}

/// `SRI Vd.T, Vn.T, #shift`
fn sri(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, width, imm) = same_size(w, false)?;
    let shift = 2 * lane.bits() - imm;
    let n = cx.vec(rn(w));
    let r = cx.vshift(VShift::UShr, lane, n, shift);
    let ones = u64::MAX >> (64 - lane.bits());
    insert(cx, w, lane, width, ones.checked_shr(shift).unwrap_or(0), r);
    Ok(None)
}

/// `SLI Vd.T, Vn.T, #shift`
fn sli(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, width, imm) = same_size(w, false)?;
    let shift = imm - lane.bits();
    let n = cx.vec(rn(w));
    let r = cx.vshift(VShift::Shl, lane, n, shift);
    insert(cx, w, lane, width, u64::MAX << shift, r);
    Ok(None)
}

/// `SQSHL Vd.T, Vn.T, #shift`
fn sat_left(cx: &mut Cx<'_, '_>, w: u32, op: VSat) -> Lift {
    let (lane, width, imm) = same_size(w, true)?;
    let n = cx.vec_covered(rn(w), lane, width);
    let shift = cx.vconst(repeat(u64::from(imm - lane.bits()), lane.bits()));
    let r = cx.saturate(op, lane, n, shift);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `SHRN{2} Vd.Tb, Vn.Ta, #shift`, saturating or not, and the scalar forms. The size is that of the narrow element.
fn narrow(cx: &mut Cx<'_, '_>, w: u32, op: VShift, sat: Option<VSat>) -> Lift {
    let (lane, imm) = element(w)?;
    let wide = lane.wider().ok_or(Undefined)?;
    let scalar = width(w) == Width::Scalar;
    let n = cx.vec_covered(rn(w), wide, if scalar { Width::Scalar } else { Width::Full });
    let shifted = cx.vshift(op, wide, n, 2 * lane.bits() - imm);
    let r = match sat {
        Some(sat) => cx.saturate(sat, wide, shifted, shifted),
        None => cx.narrow(wide, shifted),
    };
    cx.set_half(rd(w), q(w) && !scalar, r);
    Ok(None)
}

/// `SSHLL{2} Vd.Ta, Vn.Tb, #shift`
fn long(cx: &mut Cx<'_, '_>, w: u32, signed: bool) -> Lift {
    let (lane, imm) = element(w)?;
    let wide = lane.wider().ok_or(Undefined)?;
    let n = cx.vec(rn(w));
    let n = cx.widen(lane, signed, q(w), n);
    let r = cx.vshift(VShift::Shl, wide, n, imm - lane.bits());
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// Float shape of a fixed-point conversion, and its fraction bits.
fn fixed(w: u32) -> Result<(ir::FShape, u32), Undefined> {
    let (lane, width, imm) = same_size(w, true)?;
    if lane == Lane::B16 {
        return Err(Undefined);
    }
    Ok((float_shape(lane.bits(), width)?, 2 * lane.bits() - imm))
}

/// `SCVTF Vd.T, Vn.T, #fbits`
fn from_fixed(cx: &mut Cx<'_, '_>, w: u32, signed: bool) -> Lift {
    let (shape, fbits) = fixed(w)?;
    cx.int_to_float(w, shape, signed, fbits);
    Ok(None)
}

/// `FCVTZS Vd.T, Vn.T, #fbits`
fn to_fixed(cx: &mut Cx<'_, '_>, w: u32, signed: bool) -> Lift {
    let (shape, fbits) = fixed(w)?;
    cx.float_to_int(w, shape, signed, Round::Zero, fbits);
    Ok(None)
}
