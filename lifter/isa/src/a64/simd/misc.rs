//! Advanced SIMD (and scalar) two-register miscellaneous, with half precision (Arm ARM C4.1.96). The scalar encodings
//! share the lift functions: `lanes`, `floats` and `width` tell them apart.

use super::operands::*;
use crate::a64::cx::{Cx, Lift, Undefined, bit, rd, rn};
use crate::a64::table::{Feature, Row};
use ir::{FCmp, FShape, FUn, IntCmp, Lane, PureOp, Round, Type, VBin, VSat, VShift, VUn, Value};

/// Rows of this group.
pub const ROWS: &[&[Row]] = &[VECTOR, SCALAR, FP_ONLY, FP, FP_HALF, FP_SCALAR, FP_SCALAR_HALF, FRINTTS];

const VECTOR: &[Row] = rows! { AdvSimd:
    "REV64" "0q001110 ss100000 000010 nnnnnddddd" |cx, w| reverse(cx, w, 8);
    "REV16 (vector)" "0q001110 ss100000 000110 nnnnnddddd" |cx, w| reverse(cx, w, 2);
    "REV32 (vector)" "0q101110 ss100000 000010 nnnnnddddd" |cx, w| reverse(cx, w, 4);
    "SADDLP" "0q001110 ss100000 001010 nnnnnddddd" |cx, w| add_long_pairs(cx, w, true, false);
    "UADDLP" "0q101110 ss100000 001010 nnnnnddddd" |cx, w| add_long_pairs(cx, w, false, false);
    "SUQADD (vector)" "0q001110 ss100000 001110 nnnnnddddd" |cx, w| sat_accumulate(cx, w, VSat::SUQAdd);
    "USQADD (vector)" "0q101110 ss100000 001110 nnnnnddddd" |cx, w| sat_accumulate(cx, w, VSat::USQAdd);
    "CLS (vector)" "0q001110 ss100000 010010 nnnnnddddd" |cx, w| int(cx, w, VUn::Cls, lanes_to_s(w)?);
    "CLZ (vector)" "0q101110 ss100000 010010 nnnnnddddd" |cx, w| int(cx, w, VUn::Clz, lanes_to_s(w)?);
    "CNT" "0q001110 00100000 010110 nnnnnddddd" |cx, w| int(cx, w, VUn::Popcnt, lanes(w)?);
    "NOT" "0q101110 00100000 010110 nnnnnddddd" |cx, w| int(cx, w, VUn::Not, lanes(w)?);
    "RBIT (vector)" "0q101110 01100000 010110 nnnnnddddd" |cx, w| int(cx, w, VUn::Rbit, (Lane::B16, width(w)));
    "SADALP" "0q001110 ss100000 011010 nnnnnddddd" |cx, w| add_long_pairs(cx, w, true, true);
    "UADALP" "0q101110 ss100000 011010 nnnnnddddd" |cx, w| add_long_pairs(cx, w, false, true);
    "SQABS (vector)" "0q001110 ss100000 011110 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQAbs);
    "SQNEG (vector)" "0q101110 ss100000 011110 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQNeg);
    "CMGT (zero, vector)" "0q001110 ss100000 100010 nnnnnddddd" |cx, w| compare_zero(cx, w, IntCmp::Sgt);
    "CMGE (zero, vector)" "0q101110 ss100000 100010 nnnnnddddd" |cx, w| compare_zero(cx, w, IntCmp::Sge);
    "CMEQ (zero, vector)" "0q001110 ss100000 100110 nnnnnddddd" |cx, w| compare_zero(cx, w, IntCmp::Eq);
    "CMLE (zero, vector)" "0q101110 ss100000 100110 nnnnnddddd" |cx, w| compare_zero(cx, w, IntCmp::Sle);
    "CMLT (zero, vector)" "0q001110 ss100000 101010 nnnnnddddd" |cx, w| compare_zero(cx, w, IntCmp::Slt);
    "ABS (vector)" "0q001110 ss100000 101110 nnnnnddddd" |cx, w| int(cx, w, VUn::Abs, lanes(w)?);
    "NEG (vector)" "0q101110 ss100000 101110 nnnnnddddd" |cx, w| int(cx, w, VUn::Neg, lanes(w)?);
    "XTN" "0q001110 ss100001 001010 nnnnnddddd" xtn;
    "SQXTUN (vector)" "0q101110 ss100001 001010 nnnnnddddd" |cx, w| sat_narrow(cx, w, VSat::SQXtun);
    "SHLL" "0q101110 ss100001 001110 nnnnnddddd" shll;
    "SQXTN (vector)" "0q001110 ss100001 010010 nnnnnddddd" |cx, w| sat_narrow(cx, w, VSat::SQXtn);
    "UQXTN (vector)" "0q101110 ss100001 010010 nnnnnddddd" |cx, w| sat_narrow(cx, w, VSat::UQXtn);
    "URECPE" "0q001110 10100001 110010 nnnnnddddd" |cx, w| int(cx, w, VUn::RecipEst, (Lane::S4, width(w)));
    "URSQRTE" "0q101110 10100001 110010 nnnnnddddd" |cx, w| int(cx, w, VUn::RsqrtEst, (Lane::S4, width(w)));
};

const SCALAR: &[Row] = rows! { AdvSimd:
    "SUQADD (scalar)" "01011110 ss100000 001110 nnnnnddddd" |cx, w| sat_accumulate(cx, w, VSat::SUQAdd);
    "USQADD (scalar)" "01111110 ss100000 001110 nnnnnddddd" |cx, w| sat_accumulate(cx, w, VSat::USQAdd);
    "SQABS (scalar)" "01011110 ss100000 011110 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQAbs);
    "SQNEG (scalar)" "01111110 ss100000 011110 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQNeg);
    "CMGT (zero, scalar)" "01011110 ss100000 100010 nnnnnddddd" |cx, w| compare_zero(cx, w, IntCmp::Sgt);
    "CMGE (zero, scalar)" "01111110 ss100000 100010 nnnnnddddd" |cx, w| compare_zero(cx, w, IntCmp::Sge);
    "CMEQ (zero, scalar)" "01011110 ss100000 100110 nnnnnddddd" |cx, w| compare_zero(cx, w, IntCmp::Eq);
    "CMLE (zero, scalar)" "01111110 ss100000 100110 nnnnnddddd" |cx, w| compare_zero(cx, w, IntCmp::Sle);
    "CMLT (zero, scalar)" "01011110 ss100000 101010 nnnnnddddd" |cx, w| compare_zero(cx, w, IntCmp::Slt);
    "ABS (scalar)" "01011110 ss100000 101110 nnnnnddddd" |cx, w| int(cx, w, VUn::Abs, lanes_or_d(w)?);
    "NEG (scalar)" "01111110 ss100000 101110 nnnnnddddd" |cx, w| int(cx, w, VUn::Neg, lanes_or_d(w)?);
    "SQXTUN (scalar)" "01111110 ss100001 001010 nnnnnddddd" |cx, w| sat_narrow(cx, w, VSat::SQXtun);
    "SQXTN (scalar)" "01011110 ss100001 010010 nnnnnddddd" |cx, w| sat_narrow(cx, w, VSat::SQXtn);
    "UQXTN (scalar)" "01111110 ss100001 010010 nnnnnddddd" |cx, w| sat_narrow(cx, w, VSat::UQXtn);
    "FCVTXN (scalar)" "01111110 01100001 011010 nnnnnddddd" fcvtxn_scalar;
};

const FP_ONLY: &[Row] = rows! { AdvSimd:
    "FCVTN" "0q001110 0z100001 011010 nnnnnddddd" |cx, w| narrow(cx, w, Round::Current);
    "FCVTXN (vector)" "0q101110 01100001 011010 nnnnnddddd" |cx, w| narrow(cx, w, Round::Odd);
    "FCVTL" "0q001110 0z100001 011110 nnnnnddddd" fcvtl;
};

const FRINTTS: &[Row] = rows! { FrintTs:
    "FRINT32Z (vector)" "0q001110 0z100001 111010 nnnnnddddd" |cx, w| frint_ts(cx, w, 32, Round::Zero);
    "FRINT32X (vector)" "0q101110 0z100001 111010 nnnnnddddd" |cx, w| frint_ts(cx, w, 32, Round::Current);
    "FRINT64Z (vector)" "0q001110 0z100001 111110 nnnnnddddd" |cx, w| frint_ts(cx, w, 64, Round::Zero);
    "FRINT64X (vector)" "0q101110 0z100001 111110 nnnnnddddd" |cx, w| frint_ts(cx, w, 64, Round::Current);
};

/// Float rows: name, U, bit 23, opcode; the single/double and the half-precision encoding of each.
macro_rules! float_rows {
    ($full:ident, $half:ident, $prefix:literal, $class:literal:
     $($name:literal $u:literal $a:literal $op:literal $lift:expr;)*) => {
        const $full: &[Row] = &[$(Row {
            name: concat!($name, ")"),
            pattern: concat!($prefix, $u, $class, $a, "z10000", $op, "10nnnnnddddd"),
            feature: Feature::AdvSimd,
            lift: $lift,
        }),*];
        const $half: &[Row] = &[$(Row {
            name: concat!($name, ", half)"),
            pattern: concat!($prefix, $u, $class, $a, "111100", $op, "10nnnnnddddd"),
            feature: Feature::Fp16,
            lift: $lift,
        }),*];
    };
}

float_rows! { FP, FP_HALF, "0q", "01110 ":
    "FRINTN (vector" "0" "0" "11000" |cx, w| round(cx, w, Round::TieEven, false);
    "FRINTA (vector" "1" "0" "11000" |cx, w| round(cx, w, Round::TieAway, false);
    "FRINTP (vector" "0" "1" "11000" |cx, w| round(cx, w, Round::PlusInf, false);
    "FRINTM (vector" "0" "0" "11001" |cx, w| round(cx, w, Round::MinusInf, false);
    "FRINTX (vector" "1" "0" "11001" |cx, w| round(cx, w, Round::Current, true);
    "FRINTZ (vector" "0" "1" "11001" |cx, w| round(cx, w, Round::Zero, false);
    "FRINTI (vector" "1" "1" "11001" |cx, w| round(cx, w, Round::Current, false);
    "FCVTNS (vector" "0" "0" "11010" |cx, w| to_int(cx, w, true, Round::TieEven);
    "FCVTNU (vector" "1" "0" "11010" |cx, w| to_int(cx, w, false, Round::TieEven);
    "FCVTPS (vector" "0" "1" "11010" |cx, w| to_int(cx, w, true, Round::PlusInf);
    "FCVTPU (vector" "1" "1" "11010" |cx, w| to_int(cx, w, false, Round::PlusInf);
    "FCVTMS (vector" "0" "0" "11011" |cx, w| to_int(cx, w, true, Round::MinusInf);
    "FCVTMU (vector" "1" "0" "11011" |cx, w| to_int(cx, w, false, Round::MinusInf);
    "FCVTZS (vector, integer" "0" "1" "11011" |cx, w| to_int(cx, w, true, Round::Zero);
    "FCVTZU (vector, integer" "1" "1" "11011" |cx, w| to_int(cx, w, false, Round::Zero);
    "FCVTAS (vector" "0" "0" "11100" |cx, w| to_int(cx, w, true, Round::TieAway);
    "FCVTAU (vector" "1" "0" "11100" |cx, w| to_int(cx, w, false, Round::TieAway);
    "SCVTF (vector, integer" "0" "0" "11101" |cx, w| from_int(cx, w, true);
    "UCVTF (vector, integer" "1" "0" "11101" |cx, w| from_int(cx, w, false);
    "FCMGT (zero, vector" "0" "1" "01100" |cx, w| float_compare_zero(cx, w, FCmp::Gt);
    "FCMGE (zero, vector" "1" "1" "01100" |cx, w| float_compare_zero(cx, w, FCmp::Ge);
    "FCMEQ (zero, vector" "0" "1" "01101" |cx, w| float_compare_zero(cx, w, FCmp::Eq);
    "FCMLE (zero, vector" "1" "1" "01101" |cx, w| float_compare_zero(cx, w, FCmp::Le);
    "FCMLT (zero, vector" "0" "1" "01110" |cx, w| float_compare_zero(cx, w, FCmp::Lt);
    "FABS (vector" "0" "1" "01111" |cx, w| float(cx, w, FUn::Abs);
    "FNEG (vector" "1" "1" "01111" |cx, w| float(cx, w, FUn::Neg);
    "FRECPE (vector" "0" "1" "11101" |cx, w| float(cx, w, FUn::RecipEst);
    "FRSQRTE (vector" "1" "1" "11101" |cx, w| float(cx, w, FUn::RsqrtEst);
    "FSQRT (vector" "1" "1" "11111" |cx, w| float(cx, w, FUn::Sqrt);
}

float_rows! { FP_SCALAR, FP_SCALAR_HALF, "01", "11110 ":
    "FCVTNS (scalar SIMD" "0" "0" "11010" |cx, w| to_int(cx, w, true, Round::TieEven);
    "FCVTNU (scalar SIMD" "1" "0" "11010" |cx, w| to_int(cx, w, false, Round::TieEven);
    "FCVTPS (scalar SIMD" "0" "1" "11010" |cx, w| to_int(cx, w, true, Round::PlusInf);
    "FCVTPU (scalar SIMD" "1" "1" "11010" |cx, w| to_int(cx, w, false, Round::PlusInf);
    "FCVTMS (scalar SIMD" "0" "0" "11011" |cx, w| to_int(cx, w, true, Round::MinusInf);
    "FCVTMU (scalar SIMD" "1" "0" "11011" |cx, w| to_int(cx, w, false, Round::MinusInf);
    "FCVTZS (scalar SIMD, integer" "0" "1" "11011" |cx, w| to_int(cx, w, true, Round::Zero);
    "FCVTZU (scalar SIMD, integer" "1" "1" "11011" |cx, w| to_int(cx, w, false, Round::Zero);
    "FCVTAS (scalar SIMD" "0" "0" "11100" |cx, w| to_int(cx, w, true, Round::TieAway);
    "FCVTAU (scalar SIMD" "1" "0" "11100" |cx, w| to_int(cx, w, false, Round::TieAway);
    "SCVTF (scalar SIMD, integer" "0" "0" "11101" |cx, w| from_int(cx, w, true);
    "UCVTF (scalar SIMD, integer" "1" "0" "11101" |cx, w| from_int(cx, w, false);
    "FCMGT (zero, scalar" "0" "1" "01100" |cx, w| float_compare_zero(cx, w, FCmp::Gt);
    "FCMGE (zero, scalar" "1" "1" "01100" |cx, w| float_compare_zero(cx, w, FCmp::Ge);
    "FCMEQ (zero, scalar" "0" "1" "01101" |cx, w| float_compare_zero(cx, w, FCmp::Eq);
    "FCMLE (zero, scalar" "1" "1" "01101" |cx, w| float_compare_zero(cx, w, FCmp::Le);
    "FCMLT (zero, scalar" "0" "1" "01110" |cx, w| float_compare_zero(cx, w, FCmp::Lt);
    "FRECPE (scalar" "0" "1" "11101" |cx, w| float(cx, w, FUn::RecipEst);
    "FRECPX (scalar" "0" "1" "11111" |cx, w| float(cx, w, FUn::RecpX);
    "FRSQRTE (scalar" "1" "1" "11101" |cx, w| float(cx, w, FUn::RsqrtEst);
}

/// `REV64 Vd.T, Vn.T`: elements reversed within containers of `container` bytes.
fn reverse(cx: &mut Cx<'_, '_>, w: u32, container: u8) -> Lift {
    let bytes = 1 << size(w);
    if bytes >= container {
        return Err(Undefined);
    }
    let per_container = container / bytes;
    let n = cx.vec(rn(w));
    let r = cx.shuffle(n, n, element_selector(bytes, |i| Some(i ^ (per_container - 1))));
    cx.set_vec_q(rd(w), q(w), r);
    Ok(None)
}

/// `SADDLP Vd.Ta, Vn.Tb`; `accumulate`: SADALP.
fn add_long_pairs(cx: &mut Cx<'_, '_>, w: u32, signed: bool, accumulate: bool) -> Lift {
    let (lane, width) = lanes_to_s(w)?;
    let n = cx.vec(rn(w));
    let mut r = cx.sum_of_pairs(lane, signed, n);
    if accumulate {
        let d = cx.vec(rd(w));
        r = cx.v2(VBin::Add, Lane::of_bits(2 * lane.bits()), d, r);
    }
    cx.set_covered(rd(w), lane, width, r);
    Ok(None)
}

impl Cx<'_, '_> {
    /// Sums of neighbouring lanes, extended to twice the width (`lane` is not 2d).
    pub(crate) fn sum_of_pairs(&mut self, lane: Lane, signed: bool, v: Value) -> Value {
        let wide = Lane::of_bits(2 * lane.bits());
        let shift = if signed { VShift::SShr } else { VShift::UShr };
        let odd = self.vshift(shift, wide, v, lane.bits());
        let up = self.vshift(VShift::Shl, wide, v, lane.bits());
        let even = self.vshift(shift, wide, up, lane.bits());
        self.v2(VBin::Add, wide, even, odd)
    }
}

/// `SUQADD Vd.T, Vn.T`: Vd is the accumulator.
fn sat_accumulate(cx: &mut Cx<'_, '_>, w: u32, op: VSat) -> Lift {
    let (lane, width) = lanes(w)?;
    let (d, n) = (cx.vec_covered(rd(w), lane, width), cx.vec_covered(rn(w), lane, width));
    let r = cx.saturate(op, lane, d, n);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `SQABS Vd.T, Vn.T`
fn sat(cx: &mut Cx<'_, '_>, w: u32, op: VSat) -> Lift {
    let (lane, width) = lanes(w)?;
    let n = cx.vec_covered(rn(w), lane, width);
    let r = cx.saturate(op, lane, n, n);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `ABS Vd.T, Vn.T` and all that have no more to it.
fn int(cx: &mut Cx<'_, '_>, w: u32, op: VUn, (lane, width): (Lane, Width)) -> Lift {
    let n = cx.vec(rn(w));
    let r = cx.v1(op, lane, n);
    cx.set_covered(rd(w), lane, width, r);
    Ok(None)
}

/// `CMGT Vd.T, Vn.T, #0`
fn compare_zero(cx: &mut Cx<'_, '_>, w: u32, cmp: IntCmp) -> Lift {
    let (lane, width) = lanes_or_d(w)?;
    let n = cx.vec(rn(w));
    let zero = cx.vconst(0);
    let r = cx.b.pure(PureOp::VCmp(cmp, lane), &[n, zero]);
    cx.set_covered(rd(w), lane, width, r);
    Ok(None)
}

/// The wide lane shape of a narrowing instruction whose size field names the narrow one.
fn wide_lane(w: u32) -> Result<Lane, Undefined> {
    if size(w) == 3 { Err(Undefined) } else { Ok(Lane::of_bits(16 << size(w))) }
}

/// `XTN{2} Vd.Tb, Vn.Ta`
fn xtn(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let wide = wide_lane(w)?;
    let n = cx.vec(rn(w));
    let r = cx.narrow(wide, n);
    cx.set_half(rd(w), q(w), r);
    Ok(None)
}

/// `SQXTN{2} Vd.Tb, Vn.Ta` and the scalar form.
fn sat_narrow(cx: &mut Cx<'_, '_>, w: u32, op: VSat) -> Lift {
    let wide = wide_lane(w)?;
    let scalar = width(w) == Width::Scalar;
    let n = cx.vec_covered(rn(w), wide, if scalar { Width::Scalar } else { Width::Full });
    let r = cx.saturate(op, wide, n, n);
    cx.set_half(rd(w), q(w) && !scalar, r);
    Ok(None)
}

/// `SHLL{2} Vd.Ta, Vn.Tb, #esize`
fn shll(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let wide = wide_lane(w)?;
    let lane = Lane::of_bits(8 << size(w));
    let n = cx.vec(rn(w));
    let long = cx.widen(lane, false, q(w), n);
    let r = cx.vshift(VShift::Shl, wide, long, lane.bits());
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `FRINTN Vd.T, Vn.T`
fn round(cx: &mut Cx<'_, '_>, w: u32, round: Round, exact: bool) -> Lift {
    let shape = floats(w)?;
    float_op(cx, w, PureOp::FRound { shape, round, exact }, shape)
}

/// `FSQRT Vd.T, Vn.T`
fn float(cx: &mut Cx<'_, '_>, w: u32, op: FUn) -> Lift {
    let shape = floats(w)?;
    float_op(cx, w, PureOp::FUn(op, shape), shape)
}

fn float_op(cx: &mut Cx<'_, '_>, w: u32, op: PureOp, shape: FShape) -> Lift {
    let n = cx.float(shape, rn(w));
    let r = cx.b.pure(op, &[n]);
    cx.set_float(rd(w), r);
    Ok(None)
}

/// `FCVTZS Vd.T, Vn.T` and the scalar form within V registers.
fn to_int(cx: &mut Cx<'_, '_>, w: u32, signed: bool, round: Round) -> Lift {
    let shape = floats(w)?;
    cx.float_to_int(w, shape, signed, round, 0);
    Ok(None)
}

/// `SCVTF Vd.T, Vn.T` and the scalar form within V registers.
fn from_int(cx: &mut Cx<'_, '_>, w: u32, signed: bool) -> Lift {
    let shape = floats(w)?;
    cx.int_to_float(w, shape, signed, 0);
    Ok(None)
}

impl Cx<'_, '_> {
    /// Vd = Vn converted to fixed point, lane by lane.
    pub(super) fn float_to_int(&mut self, w: u32, shape: FShape, signed: bool, round: Round, fbits: u32) {
        let n = self.float(shape, rn(w));
        let ty = if shape.is_vector() { Type::V128 } else { Type::int(shape.bits()) };
        let r = self.b.pure_ty(PureOp::FToInt { shape, signed, round, fbits: fbits as u8 }, ty, &[n]);
        self.set_float(rd(w), r);
    }

    /// Vd = Vn converted from fixed point, lane by lane.
    pub(super) fn int_to_float(&mut self, w: u32, shape: FShape, signed: bool, fbits: u32) {
        let n = if shape.is_vector() { self.vec(rn(w)) } else { self.scalar(Type::int(shape.bits()), rn(w)) };
        let r = self.b.pure(PureOp::IntToF { shape, signed, fbits: fbits as u8 }, &[n]);
        self.set_float(rd(w), r);
    }
}

/// `FCMGT Vd.T, Vn.T, #0.0`
fn float_compare_zero(cx: &mut Cx<'_, '_>, w: u32, cmp: FCmp) -> Lift {
    let shape = floats(w)?;
    let n = cx.float(shape, rn(w));
    let zero = cx.b.konst(shape.ty(), 0);
    cx.float_mask(rd(w), cmp, shape, n, zero);
    Ok(None)
}

/// `FCVTN{2} Vd.Tb, Vn.Ta`
fn narrow(cx: &mut Cx<'_, '_>, w: u32, round: Round) -> Lift {
    let from = if bit(w, 22) { FShape::V2D } else { FShape::V4S };
    let n = cx.vec(rn(w));
    let r = cx.b.pure(PureOp::FNarrow { from, round }, &[n]);
    cx.set_half(rd(w), q(w), r);
    Ok(None)
}

/// `FCVTXN Sd, Dn`
fn fcvtxn_scalar(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let n = cx.scalar(Type::F64, rn(w));
    let r = cx.b.pure_ty(PureOp::FConvert(Round::Odd), Type::F32, &[n]);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

/// `FCVTL{2} Vd.Ta, Vn.Tb`
fn fcvtl(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let from = if bit(w, 22) { FShape::V2S } else { FShape::V4H };
    let n = cx.vec(rn(w));
    let r = cx.b.pure(PureOp::FWiden { from, high: q(w) }, &[n]);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `FRINT32Z Vd.T, Vn.T`: lane by lane, as it is rare.
fn frint_ts(cx: &mut Cx<'_, '_>, w: u32, int_bits: u32, round: Round) -> Lift {
    let shape = floats(w)?;
    let scalar = FShape::scalar(shape.bits());
    let n = cx.vec(rn(w));
    let mut r = cx.vconst(0);
    for i in 0..shape.count() as u8 {
        let lane = cx.b.pure(PureOp::VExtract(shape.lane(), i), &[n]);
        let lane = cx.b.bitcast(scalar.ty(), lane);
        let rounded = cx.round_to_int_size(lane, scalar, int_bits, round);
        let rounded = cx.b.bitcast(shape.lane().scalar(), rounded);
        r = cx.b.pure(PureOp::VInsert(shape.lane(), i), &[r, rounded]);
    }
    cx.set_vec(rd(w), r);
    Ok(None)
}
