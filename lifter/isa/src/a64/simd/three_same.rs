//! Advanced SIMD (and scalar) three same, with half precision (Arm ARM C4.1.96). Element-wise operations on two
//! registers of one shape. The scalar encodings share the lift functions: `lanes` and `width` tell them apart.

use super::operands::*;
use crate::a64::cx::{Cx, Lift, Undefined, rd, rm, rn};
use crate::a64::table::{Feature, Row};
use ir::{FBin, FCmp, FShape, FUn, IntCmp, Lane, PureOp, Type, VBin, VBit, VSat, Value};

/// Rows of this group.
pub const ROWS: &[&[Row]] = &[VECTOR, SCALAR, FP, FP_HALF, FP_SCALAR, FP_SCALAR_HALF];

const VECTOR: &[Row] = rows! { AdvSimd:
    "SHADD" "0q001110 ss1mmmmm 000001 nnnnnddddd" |cx, w| int(cx, w, VBin::SHAdd, lanes_to_s(w)?);
    "UHADD" "0q101110 ss1mmmmm 000001 nnnnnddddd" |cx, w| int(cx, w, VBin::UHAdd, lanes_to_s(w)?);
    "SQADD (vector)" "0q001110 ss1mmmmm 000011 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQAdd, lanes(w)?);
    "UQADD (vector)" "0q101110 ss1mmmmm 000011 nnnnnddddd" |cx, w| sat(cx, w, VSat::UQAdd, lanes(w)?);
    "SRHADD" "0q001110 ss1mmmmm 000101 nnnnnddddd" |cx, w| int(cx, w, VBin::SRHAdd, lanes_to_s(w)?);
    "URHADD" "0q101110 ss1mmmmm 000101 nnnnnddddd" |cx, w| int(cx, w, VBin::URHAdd, lanes_to_s(w)?);
    "AND (vector)" "0q001110 001mmmmm 000111 nnnnnddddd" |cx, w| bitwise(cx, w, VBit::And);
    "BIC (vector, register)" "0q001110 011mmmmm 000111 nnnnnddddd" |cx, w| bitwise(cx, w, VBit::AndNot);
    "ORR (vector, register)" "0q001110 101mmmmm 000111 nnnnnddddd" |cx, w| bitwise(cx, w, VBit::Or);
    "ORN (vector)" "0q001110 111mmmmm 000111 nnnnnddddd" |cx, w| bitwise(cx, w, VBit::OrNot);
    "EOR (vector)" "0q101110 001mmmmm 000111 nnnnnddddd" |cx, w| bitwise(cx, w, VBit::Xor);
    "BSL" "0q101110 011mmmmm 000111 nnnnnddddd" bsl;
    "BIT" "0q101110 101mmmmm 000111 nnnnnddddd" bit_insert;
    "BIF" "0q101110 111mmmmm 000111 nnnnnddddd" bif;
    "SHSUB" "0q001110 ss1mmmmm 001001 nnnnnddddd" |cx, w| int(cx, w, VBin::SHSub, lanes_to_s(w)?);
    "UHSUB" "0q101110 ss1mmmmm 001001 nnnnnddddd" |cx, w| int(cx, w, VBin::UHSub, lanes_to_s(w)?);
    "SQSUB (vector)" "0q001110 ss1mmmmm 001011 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQSub, lanes(w)?);
    "UQSUB (vector)" "0q101110 ss1mmmmm 001011 nnnnnddddd" |cx, w| sat(cx, w, VSat::UQSub, lanes(w)?);
    "CMGT (register, vector)" "0q001110 ss1mmmmm 001101 nnnnnddddd" |cx, w| compare(cx, w, IntCmp::Sgt);
    "CMHI (register, vector)" "0q101110 ss1mmmmm 001101 nnnnnddddd" |cx, w| compare(cx, w, IntCmp::Ugt);
    "CMGE (register, vector)" "0q001110 ss1mmmmm 001111 nnnnnddddd" |cx, w| compare(cx, w, IntCmp::Sge);
    "CMHS (register, vector)" "0q101110 ss1mmmmm 001111 nnnnnddddd" |cx, w| compare(cx, w, IntCmp::Uge);
    "SSHL (vector)" "0q001110 ss1mmmmm 010001 nnnnnddddd" |cx, w| int(cx, w, VBin::SShl, lanes(w)?);
    "USHL (vector)" "0q101110 ss1mmmmm 010001 nnnnnddddd" |cx, w| int(cx, w, VBin::UShl, lanes(w)?);
    "SQSHL (register, vector)" "0q001110 ss1mmmmm 010011 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQShl, lanes(w)?);
    "UQSHL (register, vector)" "0q101110 ss1mmmmm 010011 nnnnnddddd" |cx, w| sat(cx, w, VSat::UQShl, lanes(w)?);
    "SRSHL (vector)" "0q001110 ss1mmmmm 010101 nnnnnddddd" |cx, w| int(cx, w, VBin::SRShl, lanes(w)?);
    "URSHL (vector)" "0q101110 ss1mmmmm 010101 nnnnnddddd" |cx, w| int(cx, w, VBin::URShl, lanes(w)?);
    "SQRSHL (vector)" "0q001110 ss1mmmmm 010111 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQRShl, lanes(w)?);
    "UQRSHL (vector)" "0q101110 ss1mmmmm 010111 nnnnnddddd" |cx, w| sat(cx, w, VSat::UQRShl, lanes(w)?);
    "SMAX" "0q001110 ss1mmmmm 011001 nnnnnddddd" |cx, w| int(cx, w, VBin::SMax, lanes_to_s(w)?);
    "UMAX" "0q101110 ss1mmmmm 011001 nnnnnddddd" |cx, w| int(cx, w, VBin::UMax, lanes_to_s(w)?);
    "SMIN" "0q001110 ss1mmmmm 011011 nnnnnddddd" |cx, w| int(cx, w, VBin::SMin, lanes_to_s(w)?);
    "UMIN" "0q101110 ss1mmmmm 011011 nnnnnddddd" |cx, w| int(cx, w, VBin::UMin, lanes_to_s(w)?);
    "SABD" "0q001110 ss1mmmmm 011101 nnnnnddddd" |cx, w| int(cx, w, VBin::SAbsDiff, lanes_to_s(w)?);
    "UABD" "0q101110 ss1mmmmm 011101 nnnnnddddd" |cx, w| int(cx, w, VBin::UAbsDiff, lanes_to_s(w)?);
    "SABA" "0q001110 ss1mmmmm 011111 nnnnnddddd" |cx, w| accumulate(cx, w, VBin::SAbsDiff, VBin::Add);
    "UABA" "0q101110 ss1mmmmm 011111 nnnnnddddd" |cx, w| accumulate(cx, w, VBin::UAbsDiff, VBin::Add);
    "ADD (vector)" "0q001110 ss1mmmmm 100001 nnnnnddddd" |cx, w| int(cx, w, VBin::Add, lanes(w)?);
    "SUB (vector)" "0q101110 ss1mmmmm 100001 nnnnnddddd" |cx, w| int(cx, w, VBin::Sub, lanes(w)?);
    "CMTST (vector)" "0q001110 ss1mmmmm 100011 nnnnnddddd" cmtst;
    "CMEQ (register, vector)" "0q101110 ss1mmmmm 100011 nnnnnddddd" |cx, w| compare(cx, w, IntCmp::Eq);
    "MLA (vector)" "0q001110 ss1mmmmm 100101 nnnnnddddd" |cx, w| accumulate(cx, w, VBin::Mul, VBin::Add);
    "MLS (vector)" "0q101110 ss1mmmmm 100101 nnnnnddddd" |cx, w| accumulate(cx, w, VBin::Mul, VBin::Sub);
    "MUL (vector)" "0q001110 ss1mmmmm 100111 nnnnnddddd" |cx, w| int(cx, w, VBin::Mul, lanes_to_s(w)?);
    "PMUL" "0q101110 ss1mmmmm 100111 nnnnnddddd" |cx, w| pmul(cx, w);
    "SMAXP" "0q001110 ss1mmmmm 101001 nnnnnddddd" |cx, w| pairwise(cx, w, VBin::SMax, lanes_to_s(w)?);
    "UMAXP" "0q101110 ss1mmmmm 101001 nnnnnddddd" |cx, w| pairwise(cx, w, VBin::UMax, lanes_to_s(w)?);
    "SMINP" "0q001110 ss1mmmmm 101011 nnnnnddddd" |cx, w| pairwise(cx, w, VBin::SMin, lanes_to_s(w)?);
    "UMINP" "0q101110 ss1mmmmm 101011 nnnnnddddd" |cx, w| pairwise(cx, w, VBin::UMin, lanes_to_s(w)?);
    "SQDMULH (vector)" "0q001110 ss1mmmmm 101101 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQDMulH, lanes_h_s(w)?);
    "SQRDMULH (vector)" "0q101110 ss1mmmmm 101101 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQRDMulH, lanes_h_s(w)?);
    "ADDP (vector)" "0q001110 ss1mmmmm 101111 nnnnnddddd" |cx, w| pairwise(cx, w, VBin::Add, lanes(w)?);
};

const SCALAR: &[Row] = rows! { AdvSimd:
    "SQADD (scalar)" "01011110 ss1mmmmm 000011 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQAdd, lanes(w)?);
    "UQADD (scalar)" "01111110 ss1mmmmm 000011 nnnnnddddd" |cx, w| sat(cx, w, VSat::UQAdd, lanes(w)?);
    "SQSUB (scalar)" "01011110 ss1mmmmm 001011 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQSub, lanes(w)?);
    "UQSUB (scalar)" "01111110 ss1mmmmm 001011 nnnnnddddd" |cx, w| sat(cx, w, VSat::UQSub, lanes(w)?);
    "CMGT (register, scalar)" "01011110 ss1mmmmm 001101 nnnnnddddd" |cx, w| compare(cx, w, IntCmp::Sgt);
    "CMHI (register, scalar)" "01111110 ss1mmmmm 001101 nnnnnddddd" |cx, w| compare(cx, w, IntCmp::Ugt);
    "CMGE (register, scalar)" "01011110 ss1mmmmm 001111 nnnnnddddd" |cx, w| compare(cx, w, IntCmp::Sge);
    "CMHS (register, scalar)" "01111110 ss1mmmmm 001111 nnnnnddddd" |cx, w| compare(cx, w, IntCmp::Uge);
    "SSHL (scalar)" "01011110 ss1mmmmm 010001 nnnnnddddd" |cx, w| int(cx, w, VBin::SShl, lanes_or_d(w)?);
    "USHL (scalar)" "01111110 ss1mmmmm 010001 nnnnnddddd" |cx, w| int(cx, w, VBin::UShl, lanes_or_d(w)?);
    "SQSHL (register, scalar)" "01011110 ss1mmmmm 010011 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQShl, lanes(w)?);
    "UQSHL (register, scalar)" "01111110 ss1mmmmm 010011 nnnnnddddd" |cx, w| sat(cx, w, VSat::UQShl, lanes(w)?);
    "SRSHL (scalar)" "01011110 ss1mmmmm 010101 nnnnnddddd" |cx, w| int(cx, w, VBin::SRShl, lanes_or_d(w)?);
    "URSHL (scalar)" "01111110 ss1mmmmm 010101 nnnnnddddd" |cx, w| int(cx, w, VBin::URShl, lanes_or_d(w)?);
    "SQRSHL (scalar)" "01011110 ss1mmmmm 010111 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQRShl, lanes(w)?);
    "UQRSHL (scalar)" "01111110 ss1mmmmm 010111 nnnnnddddd" |cx, w| sat(cx, w, VSat::UQRShl, lanes(w)?);
    "ADD (scalar)" "01011110 ss1mmmmm 100001 nnnnnddddd" |cx, w| int(cx, w, VBin::Add, lanes_or_d(w)?);
    "SUB (scalar)" "01111110 ss1mmmmm 100001 nnnnnddddd" |cx, w| int(cx, w, VBin::Sub, lanes_or_d(w)?);
    "CMTST (scalar)" "01011110 ss1mmmmm 100011 nnnnnddddd" cmtst;
    "CMEQ (register, scalar)" "01111110 ss1mmmmm 100011 nnnnnddddd" |cx, w| compare(cx, w, IntCmp::Eq);
    "SQDMULH (scalar)" "01011110 ss1mmmmm 101101 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQDMulH, lanes_h_s(w)?);
    "SQRDMULH (scalar)" "01111110 ss1mmmmm 101101 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQRDMulH, lanes_h_s(w)?);
};

/// Float rows: name, U, bit 23, opcode<2:0>; the single/double and the half-precision encoding of each.
macro_rules! float_rows {
    ($full:ident, $half:ident, $prefix:literal, $class:literal:
     $($name:literal $u:literal $a:literal $op:literal $lift:expr;)*) => {
        const $full: &[Row] = &[$(Row {
            name: concat!($name, ")"),
            pattern: concat!($prefix, $u, $class, $a, "z1mmmmm 11", $op, "1nnnnnddddd"),
            feature: Feature::AdvSimd,
            lift: $lift,
        }),*];
        const $half: &[Row] = &[$(Row {
            name: concat!($name, ", half)"),
            pattern: concat!($prefix, $u, $class, $a, "10mmmmm 00", $op, "1nnnnnddddd"),
            feature: Feature::Fp16,
            lift: $lift,
        }),*];
    };
}

float_rows! { FP, FP_HALF, "0q", "01110 ":
    "FMAXNM (vector" "0" "0" "000" |cx, w| float2(cx, w, FBin::MaxNum);
    "FMLA (vector" "0" "0" "001" |cx, w| fmla(cx, w, false);
    "FADD (vector" "0" "0" "010" |cx, w| float2(cx, w, FBin::Add);
    "FMULX (vector" "0" "0" "011" |cx, w| float2(cx, w, FBin::MulX);
    "FCMEQ (register, vector" "0" "0" "100" |cx, w| float_compare(cx, w, FCmp::Eq, false);
    "FMAX (vector" "0" "0" "110" |cx, w| float2(cx, w, FBin::Max);
    "FRECPS (vector" "0" "0" "111" |cx, w| float2(cx, w, FBin::RecipStep);
    "FMINNM (vector" "0" "1" "000" |cx, w| float2(cx, w, FBin::MinNum);
    "FMLS (vector" "0" "1" "001" |cx, w| fmla(cx, w, true);
    "FSUB (vector" "0" "1" "010" |cx, w| float2(cx, w, FBin::Sub);
    "FMIN (vector" "0" "1" "110" |cx, w| float2(cx, w, FBin::Min);
    "FRSQRTS (vector" "0" "1" "111" |cx, w| float2(cx, w, FBin::RsqrtStep);
    "FMAXNMP (vector" "1" "0" "000" |cx, w| float_pairwise(cx, w, FBin::MaxNum);
    "FADDP (vector" "1" "0" "010" |cx, w| float_pairwise(cx, w, FBin::Add);
    "FMUL (vector" "1" "0" "011" |cx, w| float2(cx, w, FBin::Mul);
    "FCMGE (register, vector" "1" "0" "100" |cx, w| float_compare(cx, w, FCmp::Ge, false);
    "FACGE (vector" "1" "0" "101" |cx, w| float_compare(cx, w, FCmp::Ge, true);
    "FMAXP (vector" "1" "0" "110" |cx, w| float_pairwise(cx, w, FBin::Max);
    "FDIV (vector" "1" "0" "111" |cx, w| float2(cx, w, FBin::Div);
    "FMINNMP (vector" "1" "1" "000" |cx, w| float_pairwise(cx, w, FBin::MinNum);
    "FABD (vector" "1" "1" "010" |cx, w| float2(cx, w, FBin::AbsDiff);
    "FCMGT (register, vector" "1" "1" "100" |cx, w| float_compare(cx, w, FCmp::Gt, false);
    "FACGT (vector" "1" "1" "101" |cx, w| float_compare(cx, w, FCmp::Gt, true);
    "FMINP (vector" "1" "1" "110" |cx, w| float_pairwise(cx, w, FBin::Min);
}

float_rows! { FP_SCALAR, FP_SCALAR_HALF, "01", "11110 ":
    "FMULX (scalar" "0" "0" "011" |cx, w| float2(cx, w, FBin::MulX);
    "FCMEQ (register, scalar" "0" "0" "100" |cx, w| float_compare(cx, w, FCmp::Eq, false);
    "FRECPS (scalar" "0" "0" "111" |cx, w| float2(cx, w, FBin::RecipStep);
    "FRSQRTS (scalar" "0" "1" "111" |cx, w| float2(cx, w, FBin::RsqrtStep);
    "FCMGE (register, scalar" "1" "0" "100" |cx, w| float_compare(cx, w, FCmp::Ge, false);
    "FACGE (scalar" "1" "0" "101" |cx, w| float_compare(cx, w, FCmp::Ge, true);
    "FABD (scalar" "1" "1" "010" |cx, w| float2(cx, w, FBin::AbsDiff);
    "FCMGT (register, scalar" "1" "1" "100" |cx, w| float_compare(cx, w, FCmp::Gt, false);
    "FACGT (scalar" "1" "1" "101" |cx, w| float_compare(cx, w, FCmp::Gt, true);
}

/// `ADD Vd.T, Vn.T, Vm.T` and all that have no more to it.
fn int(cx: &mut Cx<'_, '_>, w: u32, op: VBin, (lane, width): (Lane, Width)) -> Lift {
    let (n, m) = cx.vec_nm(w);
    let r = cx.v2(op, lane, n, m);
    cx.set_covered(rd(w), lane, width, r);
    Ok(None)
}

/// `SQADD Vd.T, Vn.T, Vm.T`: saturation sets QC, from the covered lanes only.
fn sat(cx: &mut Cx<'_, '_>, w: u32, op: VSat, (lane, width): (Lane, Width)) -> Lift {
    let n = cx.vec_covered(rn(w), lane, width);
    let m = cx.vec_covered(rm(w), lane, width);
    let r = cx.saturate(op, lane, n, m);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `CMGT Vd.T, Vn.T, Vm.T`
fn compare(cx: &mut Cx<'_, '_>, w: u32, cmp: IntCmp) -> Lift {
    let (lane, width) = lanes_or_d(w)?;
    let (n, m) = cx.vec_nm(w);
    let r = cx.b.pure(PureOp::VCmp(cmp, lane), &[n, m]);
    cx.set_covered(rd(w), lane, width, r);
    Ok(None)
}

/// `CMTST Vd.T, Vn.T, Vm.T`
fn cmtst(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, width) = lanes_or_d(w)?;
    let (n, m) = cx.vec_nm(w);
    let both = cx.vbit(VBit::And, n, m);
    let zero = cx.vconst(0);
    let r = cx.b.pure(PureOp::VCmp(IntCmp::Ne, lane), &[both, zero]);
    cx.set_covered(rd(w), lane, width, r);
    Ok(None)
}

/// `AND Vd.T, Vn.T, Vm.T`
fn bitwise(cx: &mut Cx<'_, '_>, w: u32, op: VBit) -> Lift {
    let (n, m) = cx.vec_nm(w);
    // ORR with itself is MOV.
    let r = if rn(w) == rm(w) && op == VBit::Or { n } else { cx.vbit(op, n, m) };
    cx.set_vec_q(rd(w), q(w), r);
    Ok(None)
}

fn bit_select(cx: &mut Cx<'_, '_>, w: u32, mask: Value, a: Value, b: Value) -> Lift {
    let r = cx.b.pure(PureOp::VBitSelect, &[mask, a, b]);
    cx.set_vec_q(rd(w), q(w), r);
    Ok(None)
}

/// `BSL Vd.T, Vn.T, Vm.T`
fn bsl(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (d, n, m) = cx.vec_dnm(w);
    bit_select(cx, w, d, n, m)
}

/// `BIT Vd.T, Vn.T, Vm.T`
fn bit_insert(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (d, n, m) = cx.vec_dnm(w);
    bit_select(cx, w, m, n, d)
}

/// `BIF Vd.T, Vn.T, Vm.T`
fn bif(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (d, n, m) = cx.vec_dnm(w);
    bit_select(cx, w, m, d, n)
}

/// `MLA Vd.T, Vn.T, Vm.T`
fn accumulate(cx: &mut Cx<'_, '_>, w: u32, op: VBin, with: VBin) -> Lift {
    let (lane, width) = lanes_to_s(w)?;
    let (d, n, m) = cx.vec_dnm(w);
    let x = cx.v2(op, lane, n, m);
    let r = cx.v2(with, lane, d, x);
    cx.set_covered(rd(w), lane, width, r);
    Ok(None)
}

/// `PMUL Vd.T, Vn.T, Vm.T`: bytes only.
fn pmul(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    if size(w) != 0 {
        return Err(Undefined);
    }
    int(cx, w, VBin::PMul, (Lane::B16, width(w)))
}

/// `ADDP Vd.T, Vn.T, Vm.T`
fn pairwise(cx: &mut Cx<'_, '_>, w: u32, op: VBin, (lane, width): (Lane, Width)) -> Lift {
    let (n, m) = cx.vec_nm(w);
    let (even, odd) = cx.pairs(lane, width, n, m);
    let r = cx.v2(op, lane, even, odd);
    // The uncovered lanes of both operands are zero, and so is every operation on them.
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `FADD Vd.T, Vn.T, Vm.T`
fn float2(cx: &mut Cx<'_, '_>, w: u32, op: FBin) -> Lift {
    let shape = floats(w)?;
    let (n, m) = (cx.float(shape, rn(w)), cx.float(shape, rm(w)));
    let r = cx.b.pure(PureOp::F(op, shape), &[n, m]);
    cx.set_float(rd(w), r);
    Ok(None)
}

/// `FMLA Vd.T, Vn.T, Vm.T`; FMLS negates the first factor.
fn fmla(cx: &mut Cx<'_, '_>, w: u32, negate: bool) -> Lift {
    let shape = floats(w)?;
    let (d, mut n, m) = cx.vec_dnm(w);
    if negate {
        n = cx.b.pure(PureOp::FUn(FUn::Neg, shape), &[n]);
    }
    let r = cx.b.pure(PureOp::FMulAdd(shape), &[n, m, d]);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `FCMGE Vd.T, Vn.T, Vm.T`; `absolute`: FACGE.
fn float_compare(cx: &mut Cx<'_, '_>, w: u32, cmp: FCmp, absolute: bool) -> Lift {
    let shape = floats(w)?;
    let (mut n, mut m) = (cx.float(shape, rn(w)), cx.float(shape, rm(w)));
    if absolute {
        n = cx.b.pure(PureOp::FUn(FUn::Abs, shape), &[n]);
        m = cx.b.pure(PureOp::FUn(FUn::Abs, shape), &[m]);
    }
    cx.float_mask(rd(w), cmp, shape, n, m);
    Ok(None)
}

/// `FADDP Vd.T, Vn.T, Vm.T`
fn float_pairwise(cx: &mut Cx<'_, '_>, w: u32, op: FBin) -> Lift {
    let shape = floats(w)?;
    let (n, m) = cx.vec_nm(w);
    let (even, odd) = cx.pairs(shape.lane(), width(w), n, m);
    let r = cx.b.pure(PureOp::F(op, shape), &[even, odd]);
    cx.set_vec(rd(w), r);
    Ok(None)
}

impl Cx<'_, '_> {
    /// Writes the lane-wise comparison as all ones or zeros to V`d`. Only equality takes quiet NaNs quietly.
    pub(super) fn float_mask(&mut self, d: u32, cmp: FCmp, shape: FShape, n: Value, m: Value) {
        let r = self.b.pure(PureOp::FCmp { cmp, signaling: cmp != FCmp::Eq, shape }, &[n, m]);
        if shape.is_vector() {
            self.set_vec(d, r);
        } else {
            let r = self.b.pure_ty(PureOp::Sext, Type::int(shape.bits()), &[r]);
            self.set_scalar(d, r);
        }
    }
}
