//! Conversions between single, double and half precision, integers and fixed point (Arm ARM F4.1.19). Computes under FPSCR.

use super::operands::*;
use super::vfp::{directed, is_double};
use crate::a32::cx::{Cx, Lift, Undefined, bit, bits};
use crate::a32::table::Row;
use ir::{FShape, IntBin, Lane, PureOp, Round, Type, Value};

/// VFPv2 and VFPv3.
pub const VFP: &[Row] = rows! { Vfp:
    "VCVTB, VCVTT (from half)" "cccc 1110 1d11 0010 dddd 1010 t1m0 mmmm" from_half;
    "VCVTB, VCVTT (to half)" "cccc 1110 1d11 0011 dddd 1010 t1m0 mmmm" to_half;
    "VCVT (single to double)" "cccc 1110 1d11 0111 dddd 1010 11m0 mmmm" to_double;
    "VCVT (double to single)" "cccc 1110 1d11 0111 dddd 1011 11m0 mmmm" to_single;
    "VCVT (integer to floating-point)" "cccc 1110 1d11 1000 dddd 101s p1m0 mmmm" from_int;
    "VCVT (floating-point to integer)" "cccc 1110 1d11 110u dddd 101s 11m0 mmmm" |cx, w| to_int(cx, w, bit(w, 16), Round::Zero);
    "VCVTR" "cccc 1110 1d11 110u dddd 101s 01m0 mmmm" |cx, w| to_int(cx, w, bit(w, 16), Round::Current);
    "VCVT (fixed-point to floating-point)" "cccc 1110 1d11 101u dddd 101s x1i0 iiii" from_fixed;
    "VCVT (floating-point to fixed-point)" "cccc 1110 1d11 111u dddd 101s x1i0 iiii" to_fixed;
};

/// Armv8's additions.
pub const ARMV8: &[Row] = rows! { Fp8:
    "VCVTB, VCVTT (half to double)" "cccc 1110 1d11 0010 dddd 1011 t1m0 mmmm" from_half;
    "VCVTB, VCVTT (double to half)" "cccc 1110 1d11 0011 dddd 1011 t1m0 mmmm" to_half;
    "VCVTA, VCVTN, VCVTP, VCVTM (floating-point)" "1111 1110 1d11 11rr dddd 101s p1m0 mmmm" |cx, w| to_int(cx, w, bit(w, 7), directed(w));
};

/// The float type that bit 8 names.
const fn float_type(w: u32) -> Type {
    if is_double(w) { Type::F64 } else { Type::F32 }
}

/// `VCVT.F64.F32 Dd, Sm`
fn to_double(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let m = cx.single(sm(w));
    let r = cx.b.pure_ty(PureOp::FConvert(Round::Current), Type::F64, &[m]);
    cx.set_double(dd(w), r);
    Ok(None)
}

/// `VCVT.F32.F64 Sd, Dm`
fn to_single(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let m = cx.double(dm(w));
    let r = cx.b.pure_ty(PureOp::FConvert(Round::Current), Type::F32, &[m]);
    cx.set_single(sd(w), r);
    Ok(None)
}

/// `VCVTB.F32.F16 Sd, Sm`: of the lower (VCVTT: upper) half of Sm.
fn from_half(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let m = cx.single(sm(w));
    let m = cx.b.bitcast(Type::I32, m);
    let m = cx.b.shift_imm(IntBin::Lshr, m, if bit(w, 7) { 16 } else { 0 });
    let half = cx.b.zext_or_trunc(Type::I16, m);
    let half = cx.b.bitcast(Type::F16, half);
    let r = cx.b.pure_ty(PureOp::FConvert(Round::Current), float_type(w), &[half]);
    cx.set_scalar_d(w, r);
    Ok(None)
}

/// `VCVTB.F16.F32 Sd, Sm`: to the lower (VCVTT: upper) half of Sd, of which the other stays.
fn to_half(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let m = cx.scalar_m(w);
    let half = cx.b.pure_ty(PureOp::FConvert(Round::Current), Type::F16, &[m]);
    let half = cx.b.bitcast(Type::I16, half);
    let d = cx.single(sd(w));
    let d = cx.b.pure(PureOp::VFromScalar, &[d]);
    let r = cx.b.pure(PureOp::VInsert(Lane::H8, bit(w, 7) as u8), &[d, half]);
    let r = cx.b.pure_ty(PureOp::VToScalar, Type::F32, &[r]);
    cx.set_single(sd(w), r);
    Ok(None)
}

/// `VCVT.F32.S32 Sd, Sm`, `VCVT.F64.S32 Dd, Sm`
fn from_int(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let m = cx.single(sm(w));
    let m = cx.b.bitcast(Type::I32, m);
    let shape = if is_double(w) { FShape::D } else { FShape::S };
    let r = cx.b.pure(PureOp::IntToF { shape, signed: bit(w, 7), fbits: 0 }, &[m]);
    cx.set_scalar_d(w, r);
    Ok(None)
}

/// `VCVT.S32.F32 Sd, Sm`, `VCVT.S32.F64 Sd, Dm`
fn to_int(cx: &mut Cx<'_, '_>, w: u32, signed: bool, round: Round) -> Lift {
    let m = cx.scalar_m(w);
    let r = cx.float_to_fixed(w, m, Type::I32, signed, round, 0);
    cx.set_single(sd(w), r);
    Ok(None)
}

/// Width of a fixed-point number, and its fraction bits.
fn fixed(w: u32) -> Result<(u32, u8), Undefined> {
    let width = if bit(w, 7) { 32u32 } else { 16 };
    let imm = bits(w, 3, 0) << 1 | bits(w, 5, 5);
    Ok((width, width.checked_sub(imm).ok_or(Undefined)? as u8))
}

/// `VCVT.F32.S16 Sd, Sd, #fbits`: rounds to nearest, whatever FPSCR says.
fn from_fixed(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (width, fbits) = fixed(w)?;
    let signed = !bit(w, 16);
    let d = if is_double(w) { cx.double(dd(w)) } else { cx.single(sd(w)) };
    let d = cx.b.bitcast(Type::int(float_type(w).bits()), d);
    let mut int = cx.b.zext_or_trunc(Type::int(width), d);
    if width == 16 {
        int = if signed { cx.b.sext_or_trunc(Type::I32, int) } else { cx.b.zext_or_trunc(Type::I32, int) };
    }
    let r = if is_double(w) || width == 16 {
        // Exact.
        let shape = if is_double(w) { FShape::D } else { FShape::S };
        cx.b.pure(PureOp::IntToF { shape, signed, fbits }, &[int])
    } else {
        let v = cx.b.pure(PureOp::VFromScalar, &[int]);
        let r = cx.b.pure(PureOp::IntToF { shape: FShape::N2S, signed, fbits }, &[v]);
        cx.b.pure_ty(PureOp::VToScalar, Type::F32, &[r])
    };
    cx.set_scalar_d(w, r);
    Ok(None)
}

/// `VCVT.S16.F32 Sd, Sd, #fbits`: towards zero, extended to the register's width.
fn to_fixed(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (width, fbits) = fixed(w)?;
    let signed = !bit(w, 16);
    let d = if is_double(w) { cx.double(dd(w)) } else { cx.single(sd(w)) };
    let r = cx.float_to_fixed(w, d, Type::int(width), signed, Round::Zero, fbits);
    let to = Type::int(float_type(w).bits());
    let r = if signed { cx.b.sext_or_trunc(to, r) } else { cx.b.zext_or_trunc(to, r) };
    cx.set_scalar_d(w, r);
    Ok(None)
}

impl Cx<'_, '_> {
    fn float_to_fixed(&mut self, w: u32, v: Value, ty: Type, signed: bool, round: Round, fbits: u8) -> Value {
        let shape = if is_double(w) { FShape::D } else { FShape::S };
        self.b.pure_ty(PureOp::FToInt { shape, signed, round, fbits }, ty, &[v])
    }
}
