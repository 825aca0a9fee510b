//! Advanced SIMD vector × indexed element, vector and scalar (Arm ARM C4.1.96): the element is spread over a vector,
//! then the operation is that of the three-same or three-different class.

use super::operands::*;
use crate::a64::cx::{Cx, Lift, Undefined, bit, bits, rd, rm, rn};
use crate::a64::table::{Feature, Row};
use ir::{FBin, FShape, FUn, Lane, PureOp, VBin, VSat, Value};

/// Rows of this group.
pub const ROWS: &[&[Row]] = &[VECTOR, SCALAR, FP, FP_HALF, RDM];

const VECTOR: &[Row] = rows! { AdvSimd:
    "MUL (by element)" "0q001111 sslmmmmm 1000h0 nnnnnddddd" mul;
    "MLA (by element)" "0q101111 sslmmmmm 0000h0 nnnnnddddd" |cx, w| mla(cx, w, VBin::Add);
    "MLS (by element)" "0q101111 sslmmmmm 0100h0 nnnnnddddd" |cx, w| mla(cx, w, VBin::Sub);
    "SMLAL (by element)" "0q001111 sslmmmmm 0010h0 nnnnnddddd" |cx, w| long(cx, w, true, Some(VBin::Add));
    "UMLAL (by element)" "0q101111 sslmmmmm 0010h0 nnnnnddddd" |cx, w| long(cx, w, false, Some(VBin::Add));
    "SMLSL (by element)" "0q001111 sslmmmmm 0110h0 nnnnnddddd" |cx, w| long(cx, w, true, Some(VBin::Sub));
    "UMLSL (by element)" "0q101111 sslmmmmm 0110h0 nnnnnddddd" |cx, w| long(cx, w, false, Some(VBin::Sub));
    "SMULL (by element)" "0q001111 sslmmmmm 1010h0 nnnnnddddd" |cx, w| long(cx, w, true, None);
    "UMULL (by element)" "0q101111 sslmmmmm 1010h0 nnnnnddddd" |cx, w| long(cx, w, false, None);
    "SQDMLAL (by element, vector)" "0q001111 sslmmmmm 0011h0 nnnnnddddd" |cx, w| doubling(cx, w, Some(VSat::SQAdd));
    "SQDMLSL (by element, vector)" "0q001111 sslmmmmm 0111h0 nnnnnddddd" |cx, w| doubling(cx, w, Some(VSat::SQSub));
    "SQDMULL (by element, vector)" "0q001111 sslmmmmm 1011h0 nnnnnddddd" |cx, w| doubling(cx, w, None);
    "SQDMULH (by element, vector)" "0q001111 sslmmmmm 1100h0 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQDMulH);
    "SQRDMULH (by element, vector)" "0q001111 sslmmmmm 1101h0 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQRDMulH);
};

const SCALAR: &[Row] = rows! { AdvSimd:
    "SQDMLAL (by element, scalar)" "01011111 sslmmmmm 0011h0 nnnnnddddd" |cx, w| doubling(cx, w, Some(VSat::SQAdd));
    "SQDMLSL (by element, scalar)" "01011111 sslmmmmm 0111h0 nnnnnddddd" |cx, w| doubling(cx, w, Some(VSat::SQSub));
    "SQDMULL (by element, scalar)" "01011111 sslmmmmm 1011h0 nnnnnddddd" |cx, w| doubling(cx, w, None);
    "SQDMULH (by element, scalar)" "01011111 sslmmmmm 1100h0 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQDMulH);
    "SQRDMULH (by element, scalar)" "01011111 sslmmmmm 1101h0 nnnnnddddd" |cx, w| sat(cx, w, VSat::SQRDMulH);
};

const RDM: &[Row] = rows! { Rdm:
    "SQRDMLAH (by element, vector)" "0q101111 sslmmmmm 1101h0 nnnnnddddd" |cx, w| rounding_accumulate(cx, w, VBin::Add);
    "SQRDMLSH (by element, vector)" "0q101111 sslmmmmm 1111h0 nnnnnddddd" |cx, w| rounding_accumulate(cx, w, VBin::Sub);
    "SQRDMLAH (by element, scalar)" "01111111 sslmmmmm 1101h0 nnnnnddddd" |cx, w| rounding_accumulate(cx, w, VBin::Add);
    "SQRDMLSH (by element, scalar)" "01111111 sslmmmmm 1111h0 nnnnnddddd" |cx, w| rounding_accumulate(cx, w, VBin::Sub);
};

/// Float rows: name, bits 31:28, bits 27:24 and U are in the prefix; single/double (1z) and half (00).
macro_rules! float_rows {
    ($($name:literal $prefix:literal $op:literal $lift:expr;)*) => {
        const FP: &[Row] = &[$(Row {
            name: concat!($name, ")"),
            pattern: concat!($prefix, "1zlmmmmm ", $op, "h0 nnnnnddddd"),
            feature: Feature::AdvSimd,
            lift: $lift,
        }),*];
        const FP_HALF: &[Row] = &[$(Row {
            name: concat!($name, ", half)"),
            pattern: concat!($prefix, "00lmmmmm ", $op, "h0 nnnnnddddd"),
            feature: Feature::Fp16,
            lift: $lift,
        }),*];
    };
}

float_rows! {
    "FMLA (by element, vector" "0q001111 " "0001" |cx, w| fmla(cx, w, false);
    "FMLS (by element, vector" "0q001111 " "0101" |cx, w| fmla(cx, w, true);
    "FMUL (by element, vector" "0q001111 " "1001" |cx, w| fmul(cx, w, FBin::Mul);
    "FMULX (by element, vector" "0q101111 " "1001" |cx, w| fmul(cx, w, FBin::MulX);
    "FMLA (by element, scalar" "01011111 " "0001" |cx, w| fmla(cx, w, false);
    "FMLS (by element, scalar" "01011111 " "0101" |cx, w| fmla(cx, w, true);
    "FMUL (by element, scalar" "01011111 " "1001" |cx, w| fmul(cx, w, FBin::Mul);
    "FMULX (by element, scalar" "01111111 " "1001" |cx, w| fmul(cx, w, FBin::MulX);
}

/// Register number and index of a halfword element: H:L:M and four register bits.
pub(super) fn half_element(w: u32) -> (u32, u32) {
    (bits(w, 19, 16), bits(w, 11, 11) << 2 | bits(w, 21, 20))
}

/// Register number and index of a word element: H:L.
pub(super) fn word_element(w: u32) -> (u32, u32) {
    (rm(w), bits(w, 11, 11) << 1 | bits(w, 21, 21))
}

/// Element shape of an integer instruction, and the element in every lane.
fn int_element(cx: &mut Cx<'_, '_>, w: u32) -> Result<(Lane, Value), Undefined> {
    let (lane, (register, index)) = match size(w) {
        1 => (Lane::H8, half_element(w)),
        2 => (Lane::S4, word_element(w)),
        _ => return Err(Undefined),
    };
    let m = cx.vec(register);
    Ok((lane, cx.splat_lane(lane, m, index)))
}

/// Shape of a float instruction, and the element in every lane or as a scalar.
fn float_element(cx: &mut Cx<'_, '_>, w: u32) -> Result<(FShape, Value), Undefined> {
    let (element, (register, index)) = match size(w) {
        0 => (16, half_element(w)),
        2 => (32, word_element(w)),
        3 if bit(w, 21) => return Err(Undefined),
        3 => (64, (rm(w), bits(w, 11, 11))),
        _ => return Err(Undefined),
    };
    let shape = float_shape(element, width(w))?;
    let m = cx.vec(register);
    let m = if shape.is_vector() {
        cx.splat_lane(shape.lane(), m, index)
    } else {
        let e = cx.b.pure(PureOp::VExtract(shape.lane(), index as u8), &[m]);
        cx.b.bitcast(shape.ty(), e)
    };
    Ok((shape, m))
}

/// `MUL Vd.T, Vn.T, Vm.Ts[index]`
fn mul(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, m) = int_element(cx, w)?;
    let n = cx.vec(rn(w));
    let r = cx.v2(VBin::Mul, lane, n, m);
    cx.set_covered(rd(w), lane, width(w), r);
    Ok(None)
}

/// `MLA Vd.T, Vn.T, Vm.Ts[index]`
fn mla(cx: &mut Cx<'_, '_>, w: u32, with: VBin) -> Lift {
    let (lane, m) = int_element(cx, w)?;
    let (d, n) = (cx.vec(rd(w)), cx.vec(rn(w)));
    let x = cx.v2(VBin::Mul, lane, n, m);
    let r = cx.v2(with, lane, d, x);
    cx.set_covered(rd(w), lane, width(w), r);
    Ok(None)
}

/// `SMLAL{2} Vd.Ta, Vn.Tb, Vm.Ts[index]`
fn long(cx: &mut Cx<'_, '_>, w: u32, signed: bool, with: Option<VBin>) -> Lift {
    let (lane, m) = int_element(cx, w)?;
    let wide = lane.wider().ok_or(Undefined)?;
    let n = cx.vec(rn(w));
    let n = cx.widen(lane, signed, q(w), n);
    let m = cx.widen(lane, signed, false, m);
    let mut r = cx.v2(VBin::Mul, wide, n, m);
    if let Some(op) = with {
        let d = cx.vec(rd(w));
        r = cx.v2(op, wide, d, r);
    }
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `SQDMLAL{2} Vd.Ta, Vn.Tb, Vm.Ts[index]`
fn doubling(cx: &mut Cx<'_, '_>, w: u32, with: Option<VSat>) -> Lift {
    let (lane, m) = int_element(cx, w)?;
    let wide = lane.wider().ok_or(Undefined)?;
    let scalar = width(w) == Width::Scalar;
    let cover = if scalar { Width::Scalar } else { Width::Full };
    let n = cx.vec_covered(rn(w), lane, cover);
    let n = cx.widen(lane, true, q(w) && !scalar, n);
    let m = cx.widen(lane, true, false, m);
    cx.doubling_product(rd(w), wide, cover, n, m, with);
    Ok(None)
}

/// `SQDMULH Vd.T, Vn.T, Vm.Ts[index]`
fn sat(cx: &mut Cx<'_, '_>, w: u32, op: VSat) -> Lift {
    let (lane, m) = int_element(cx, w)?;
    let n = cx.vec_covered(rn(w), lane, width(w));
    let r = cx.saturate(op, lane, n, m);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `SQRDMLAH Vd.T, Vn.T, Vm.Ts[index]`
fn rounding_accumulate(cx: &mut Cx<'_, '_>, w: u32, with: VBin) -> Lift {
    let (lane, m) = int_element(cx, w)?;
    cx.rounding_product(w, lane, m, with);
    Ok(None)
}

/// `FMUL Vd.T, Vn.T, Vm.Ts[index]`
fn fmul(cx: &mut Cx<'_, '_>, w: u32, op: FBin) -> Lift {
    let (shape, m) = float_element(cx, w)?;
    let n = cx.float(shape, rn(w));
    let r = cx.b.pure(PureOp::F(op, shape), &[n, m]);
    cx.set_float(rd(w), r);
    Ok(None)
}

/// `FMLA Vd.T, Vn.T, Vm.Ts[index]`; FMLS negates the vector's elements.
fn fmla(cx: &mut Cx<'_, '_>, w: u32, negate: bool) -> Lift {
    let (shape, m) = float_element(cx, w)?;
    let (d, mut n) = (cx.float(shape, rd(w)), cx.float(shape, rn(w)));
    if negate {
        n = cx.b.pure(PureOp::FUn(FUn::Neg, shape), &[n]);
    }
    let r = cx.b.pure(PureOp::FMulAdd(shape), &[n, m, d]);
    cx.set_float(rd(w), r);
    Ok(None)
}
