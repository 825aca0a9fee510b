//! Advanced SIMD two registers, miscellaneous (Arm ARM F4.1.22). Floating point computes under the standard FPSCR.

use super::operands::*;
use super::three_same::shape;
use super::vfp::directed;
use crate::a32::cx::{Cx, Lift, Undefined, bit, bits};
use crate::a32::table::Row;
use ir::{FBin, FCmp, FShape, FUn, IntCmp, Lane, PureOp, Round, VBin, VSat, VShift, VUn, Value};

/// Integer instructions.
pub const INTEGER: &[Row] = rows! { Neon:
    "VPADDL" "1111 0011 1d11 ss00 dddd 0010 uqm0 mmmm" |cx, w| add_long_pairs(cx, w, false);
    "VCLS" "1111 0011 1d11 ss00 dddd 0100 0qm0 mmmm" |cx, w| int(cx, w, VUn::Cls);
    "VCLZ" "1111 0011 1d11 ss00 dddd 0100 1qm0 mmmm" |cx, w| int(cx, w, VUn::Clz);
    "VCNT" "1111 0011 1d11 0000 dddd 0101 0qm0 mmmm" |cx, w| int(cx, w, VUn::Popcnt);
    "VMVN (register)" "1111 0011 1d11 0000 dddd 0101 1qm0 mmmm" |cx, w| int(cx, w, VUn::Not);
    "VPADAL" "1111 0011 1d11 ss00 dddd 0110 uqm0 mmmm" |cx, w| add_long_pairs(cx, w, true);
    "VQABS" "1111 0011 1d11 ss00 dddd 0111 0qm0 mmmm" |cx, w| sat(cx, w, VSat::SQAbs);
    "VQNEG" "1111 0011 1d11 ss00 dddd 0111 1qm0 mmmm" |cx, w| sat(cx, w, VSat::SQNeg);
    "VCGT (zero)" "1111 0011 1d11 ss01 dddd 0000 0qm0 mmmm" |cx, w| compare_zero(cx, w, IntCmp::Sgt);
    "VCGE (zero)" "1111 0011 1d11 ss01 dddd 0000 1qm0 mmmm" |cx, w| compare_zero(cx, w, IntCmp::Sge);
    "VCEQ (zero)" "1111 0011 1d11 ss01 dddd 0001 0qm0 mmmm" |cx, w| compare_zero(cx, w, IntCmp::Eq);
    "VCLE (zero)" "1111 0011 1d11 ss01 dddd 0001 1qm0 mmmm" |cx, w| compare_zero(cx, w, IntCmp::Sle);
    "VCLT (zero)" "1111 0011 1d11 ss01 dddd 0010 0qm0 mmmm" |cx, w| compare_zero(cx, w, IntCmp::Slt);
    "VABS" "1111 0011 1d11 ss01 dddd 0011 0qm0 mmmm" |cx, w| int(cx, w, VUn::Abs);
    "VNEG" "1111 0011 1d11 ss01 dddd 0011 1qm0 mmmm" |cx, w| int(cx, w, VUn::Neg);
    "VMOVN" "1111 0011 1d11 ss10 dddd 0010 00m0 mmmm" vmovn;
    "VQMOVUN" "1111 0011 1d11 ss10 dddd 0010 01m0 mmmm" |cx, w| sat_narrow(cx, w, VSat::SQXtun);
    "VQMOVN (signed)" "1111 0011 1d11 ss10 dddd 0010 10m0 mmmm" |cx, w| sat_narrow(cx, w, VSat::SQXtn);
    "VQMOVN (unsigned)" "1111 0011 1d11 ss10 dddd 0010 11m0 mmmm" |cx, w| sat_narrow(cx, w, VSat::UQXtn);
    "VSHLL (by the size)" "1111 0011 1d11 ss10 dddd 0011 00m0 mmmm" vshll;
    "VRECPE (integer)" "1111 0011 1d11 1011 dddd 0100 0qm0 mmmm" |cx, w| int_word(cx, w, VUn::RecipEst);
    "VRSQRTE (integer)" "1111 0011 1d11 1011 dddd 0100 1qm0 mmmm" |cx, w| int_word(cx, w, VUn::RsqrtEst);
};

/// Floating-point instructions.
pub const FLOAT: &[Row] = rows! { Neon:
    "VCGT (zero, floating-point)" "1111 0011 1d11 1001 dddd 0100 0qm0 mmmm" |cx, w| float_compare_zero(cx, w, FCmp::Gt);
    "VCGE (zero, floating-point)" "1111 0011 1d11 1001 dddd 0100 1qm0 mmmm" |cx, w| float_compare_zero(cx, w, FCmp::Ge);
    "VCEQ (zero, floating-point)" "1111 0011 1d11 1001 dddd 0101 0qm0 mmmm" |cx, w| float_compare_zero(cx, w, FCmp::Eq);
    "VCLE (zero, floating-point)" "1111 0011 1d11 1001 dddd 0101 1qm0 mmmm" |cx, w| float_compare_zero(cx, w, FCmp::Le);
    "VCLT (zero, floating-point)" "1111 0011 1d11 1001 dddd 0110 0qm0 mmmm" |cx, w| float_compare_zero(cx, w, FCmp::Lt);
    "VABS (vector)" "1111 0011 1d11 1001 dddd 0111 0qm0 mmmm" |cx, w| float(cx, w, |s| PureOp::FUn(FUn::Abs, s));
    "VNEG (vector)" "1111 0011 1d11 1001 dddd 0111 1qm0 mmmm" |cx, w| float(cx, w, |s| PureOp::FUn(FUn::Neg, s));
    "VCVT (vector, single to half)" "1111 0011 1d11 0110 dddd 0110 00m0 mmmm" to_half;
    "VCVT (vector, half to single)" "1111 0011 1d11 0110 dddd 0111 00m0 mmmm" from_half;
    "VRECPE (floating-point)" "1111 0011 1d11 1011 dddd 0101 0qm0 mmmm" |cx, w| float(cx, w, |s| PureOp::FUn(FUn::RecipEst, s));
    "VRSQRTE (floating-point)" "1111 0011 1d11 1011 dddd 0101 1qm0 mmmm" |cx, w| float(cx, w, |s| PureOp::FUn(FUn::RsqrtEst, s));
    "VCVT (vector, integer to floating-point)" "1111 0011 1d11 1011 dddd 0110 uqm0 mmmm" from_int;
    "VCVT (vector, floating-point to integer)" "1111 0011 1d11 1011 dddd 0111 uqm0 mmmm" |cx, w| to_int(cx, w, Round::Zero);
};

/// Armv8's additions.
pub const ARMV8: &[Row] = rows! { Fp8:
    "VRINTN (vector)" "1111 0011 1d11 1010 dddd 0100 0qm0 mmmm" |cx, w| round(cx, w, Round::TieEven, false);
    "VRINTX (vector)" "1111 0011 1d11 1010 dddd 0100 1qm0 mmmm" |cx, w| round(cx, w, Round::Current, true);
    "VRINTA (vector)" "1111 0011 1d11 1010 dddd 0101 0qm0 mmmm" |cx, w| round(cx, w, Round::TieAway, false);
    "VRINTZ (vector)" "1111 0011 1d11 1010 dddd 0101 1qm0 mmmm" |cx, w| round(cx, w, Round::Zero, false);
    "VRINTM (vector)" "1111 0011 1d11 1010 dddd 0110 1qm0 mmmm" |cx, w| round(cx, w, Round::MinusInf, false);
    "VRINTP (vector)" "1111 0011 1d11 1010 dddd 0111 1qm0 mmmm" |cx, w| round(cx, w, Round::PlusInf, false);
    "VCVTA, VCVTN, VCVTP, VCVTM (vector)" "1111 0011 1d11 1011 dddd 00rr uqm0 mmmm" |cx, w| to_int(cx, w, directed(w << 8));
};

/// Elements of 8, 16 or 32 bits by bits 19:18.
fn lane(w: u32) -> Result<Lane, Undefined> {
    match bits(w, 19, 18) {
        3 => Err(Undefined),
        size => Ok(Lane::of_bits(8 << size)),
    }
}

/// Vm of an instruction on Q or D registers.
fn operand(cx: &mut Cx<'_, '_>, w: u32) -> Result<Value, Undefined> {
    if q(w) {
        even(&[dd(w), dm(w)])?;
    }
    Ok(cx.vector(q(w), dm(w)))
}

/// `VABS.S8 Qd, Qm` and all that have no more to it.
fn int(cx: &mut Cx<'_, '_>, w: u32, op: VUn) -> Lift {
    let lane = lane(w)?;
    let m = operand(cx, w)?;
    let r = cx.v1(op, lane, m);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VRECPE.U32 Qd, Qm`
fn int_word(cx: &mut Cx<'_, '_>, w: u32, op: VUn) -> Lift {
    let m = operand(cx, w)?;
    let r = cx.v1(op, Lane::S4, m);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VQABS.S8 Qd, Qm`
fn sat(cx: &mut Cx<'_, '_>, w: u32, op: VSat) -> Lift {
    let lane = lane(w)?;
    let m = operand(cx, w)?;
    let r = cx.saturating(op, lane, m, m);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VPADDL.S8 Qd, Qm`; `accumulate`: VPADAL.
fn add_long_pairs(cx: &mut Cx<'_, '_>, w: u32, accumulate: bool) -> Lift {
    let lane = lane(w)?;
    let m = operand(cx, w)?;
    let mut r = cx.sum_of_pairs(lane, !bit(w, 7), m);
    if accumulate {
        let d = cx.vector(q(w), dd(w));
        r = cx.v2(VBin::Add, Lane::of_bits(2 * lane.bits()), d, r);
    }
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VCGT.S8 Qd, Qm, #0`
fn compare_zero(cx: &mut Cx<'_, '_>, w: u32, cmp: IntCmp) -> Lift {
    let lane = lane(w)?;
    let m = operand(cx, w)?;
    let zero = cx.vconst(0);
    let r = cx.b.pure(PureOp::VCmp(cmp, lane), &[m, zero]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// The wide lane shape of a narrowing instruction, and Qm.
fn wide_operand(cx: &mut Cx<'_, '_>, w: u32) -> Result<(Lane, Value), Undefined> {
    let wide = lane(w)?.wider().ok_or(Undefined)?;
    even(&[dm(w)])?;
    Ok((wide, cx.pair(dm(w))))
}

/// `VMOVN.I16 Dd, Qm`
fn vmovn(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (wide, m) = wide_operand(cx, w)?;
    let r = cx.narrow(wide, m);
    cx.set_vector(false, dd(w), r);
    Ok(None)
}

/// `VQMOVN.S16 Dd, Qm`
fn sat_narrow(cx: &mut Cx<'_, '_>, w: u32, op: VSat) -> Lift {
    let (wide, m) = wide_operand(cx, w)?;
    let r = cx.saturating(op, wide, m, m);
    cx.set_vector(false, dd(w), r);
    Ok(None)
}

/// `VSHLL.I8 Qd, Dm, #8`
fn vshll(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let lane = lane(w)?;
    let wide = lane.wider().ok_or(Undefined)?;
    even(&[dd(w)])?;
    let m = cx.half(dm(w));
    let m = cx.widen(lane, false, false, m);
    let r = cx.vshift(VShift::Shl, wide, m, lane.bits());
    cx.set_pair(dd(w), r);
    Ok(None)
}

/// `VRECPE.F32 Qd, Qm` and all that have no more to it.
fn float(cx: &mut Cx<'_, '_>, w: u32, op: fn(FShape) -> PureOp) -> Lift {
    let m = operand(cx, w)?;
    let r = cx.b.pure(op(shape(w)), &[m]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VRINTN.F32 Qd, Qm`
fn round(cx: &mut Cx<'_, '_>, w: u32, round: Round, exact: bool) -> Lift {
    let m = operand(cx, w)?;
    let r = cx.b.pure(PureOp::FRound { shape: shape(w), round, exact }, &[m]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VCGT.F32 Qd, Qm, #0`
fn float_compare_zero(cx: &mut Cx<'_, '_>, w: u32, cmp: FCmp) -> Lift {
    let m = operand(cx, w)?;
    let zero = cx.vconst(0);
    let r = cx.float_lanes(w, cmp, m, zero);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VCVT.S32.F32 Qd, Qm`
fn to_int(cx: &mut Cx<'_, '_>, w: u32, round: Round) -> Lift {
    let m = operand(cx, w)?;
    let r = cx.b.pure(PureOp::FToInt { shape: shape(w), signed: !bit(w, 7), round, fbits: 0 }, &[m]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VCVT.F32.S32 Qd, Qm`
fn from_int(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let m = operand(cx, w)?;
    let r = cx.b.pure(PureOp::IntToF { shape: shape(w), signed: !bit(w, 7), fbits: 0 }, &[m]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VCVT.F16.F32 Dd, Qm`
fn to_half(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    even(&[dm(w)])?;
    let m = cx.pair(dm(w));
    let r = cx.b.pure(PureOp::FNarrow { from: FShape::N4S, round: Round::Current }, &[m]);
    cx.set_vector(false, dd(w), r);
    Ok(None)
}

/// `VCVT.F32.F16 Qd, Dm`. Of the standard FPSCR only DN matters: multiplied by one, NaNs become the default one, and nothing else
/// is changed or raised.
fn from_half(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    even(&[dd(w)])?;
    let m = cx.half(dm(w));
    let wide = cx.b.pure(PureOp::FWiden { from: FShape::V4H, high: false }, &[m]);
    let one = cx.vconst(repeat(0x3f80_0000, 32));
    let r = cx.b.pure(PureOp::F(FBin::Mul, FShape::N4S), &[wide, one]);
    cx.set_pair(dd(w), r);
    Ok(None)
}
