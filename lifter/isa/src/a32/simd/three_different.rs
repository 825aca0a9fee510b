//! Advanced SIMD three registers of different lengths, and two registers and a scalar (Arm ARM F4.1.22).

use super::operands::*;
use crate::a32::cx::{Cx, Lift, Undefined, bit, bits};
use crate::a32::table::Row;
use ir::{FBin, FShape, Helper, Lane, PureOp, VBin, VSat, VShift, Value};

/// Three registers of different lengths.
pub const DIFFERENT: &[Row] = rows! { Neon:
    "VADDL" "1111 001u 1dSS nnnn dddd 0000 n0m0 mmmm" |cx, w| long(cx, w, VBin::Add, None);
    "VADDW" "1111 001u 1dSS nnnn dddd 0001 n0m0 mmmm" |cx, w| wide(cx, w, VBin::Add);
    "VSUBL" "1111 001u 1dSS nnnn dddd 0010 n0m0 mmmm" |cx, w| long(cx, w, VBin::Sub, None);
    "VSUBW" "1111 001u 1dSS nnnn dddd 0011 n0m0 mmmm" |cx, w| wide(cx, w, VBin::Sub);
    "VADDHN" "1111 0010 1dSS nnnn dddd 0100 n0m0 mmmm" |cx, w| high_narrow(cx, w, VBin::Add, VShift::UShr);
    "VRADDHN" "1111 0011 1dSS nnnn dddd 0100 n0m0 mmmm" |cx, w| high_narrow(cx, w, VBin::Add, VShift::URShr);
    "VABAL" "1111 001u 1dSS nnnn dddd 0101 n0m0 mmmm" |cx, w| long(cx, w, difference(w), Some(VBin::Add));
    "VSUBHN" "1111 0010 1dSS nnnn dddd 0110 n0m0 mmmm" |cx, w| high_narrow(cx, w, VBin::Sub, VShift::UShr);
    "VRSUBHN" "1111 0011 1dSS nnnn dddd 0110 n0m0 mmmm" |cx, w| high_narrow(cx, w, VBin::Sub, VShift::URShr);
    "VABDL" "1111 001u 1dSS nnnn dddd 0111 n0m0 mmmm" |cx, w| long(cx, w, difference(w), None);
    "VMLAL (integer)" "1111 001u 1dSS nnnn dddd 1000 n0m0 mmmm" |cx, w| long(cx, w, VBin::Mul, Some(VBin::Add));
    "VQDMLAL" "1111 0010 1dSS nnnn dddd 1001 n0m0 mmmm" |cx, w| doubling(cx, w, Some(VSat::SQAdd));
    "VMLSL (integer)" "1111 001u 1dSS nnnn dddd 1010 n0m0 mmmm" |cx, w| long(cx, w, VBin::Mul, Some(VBin::Sub));
    "VQDMLSL" "1111 0010 1dSS nnnn dddd 1011 n0m0 mmmm" |cx, w| doubling(cx, w, Some(VSat::SQSub));
    "VMULL (integer)" "1111 001u 1dSS nnnn dddd 1100 n0m0 mmmm" |cx, w| long(cx, w, VBin::Mul, None);
    "VQDMULL" "1111 0010 1dSS nnnn dddd 1101 n0m0 mmmm" |cx, w| doubling(cx, w, None);
    "VMULL (polynomial, bytes)" "1111 0010 1d00 nnnn dddd 1110 n0m0 mmmm" |cx, w| polynomial(cx, w, PureOp::VPMull8 { high: false });
};

/// FEAT_PMULL.
pub const POLYNOMIAL: &[Row] = rows! { Aes:
    "VMULL (polynomial, doublewords)" "1111 0010 1d10 nnnn dddd 1110 n0m0 mmmm" |cx, w| polynomial(cx, w, PureOp::Helper(Helper::PMull64));
};

/// Two registers and a scalar.
pub const SCALAR: &[Row] = rows! { Neon:
    "VMLA (by scalar, integer)" "1111 001q 1dSS nnnn dddd 0000 n1m0 mmmm" |cx, w| by_scalar(cx, w, Some(VBin::Add));
    "VMLS (by scalar, integer)" "1111 001q 1dSS nnnn dddd 0100 n1m0 mmmm" |cx, w| by_scalar(cx, w, Some(VBin::Sub));
    "VMUL (by scalar, integer)" "1111 001q 1dSS nnnn dddd 1000 n1m0 mmmm" |cx, w| by_scalar(cx, w, None);
    "VMLA (by scalar, floating-point)" "1111 001q 1d10 nnnn dddd 0001 n1m0 mmmm" |cx, w| float_by_scalar(cx, w, Some(FBin::Add));
    "VMLS (by scalar, floating-point)" "1111 001q 1d10 nnnn dddd 0101 n1m0 mmmm" |cx, w| float_by_scalar(cx, w, Some(FBin::Sub));
    "VMUL (by scalar, floating-point)" "1111 001q 1d10 nnnn dddd 1001 n1m0 mmmm" |cx, w| float_by_scalar(cx, w, None);
    "VMLAL (by scalar)" "1111 001u 1dSS nnnn dddd 0010 n1m0 mmmm" |cx, w| long(cx, w, VBin::Mul, Some(VBin::Add));
    "VMLSL (by scalar)" "1111 001u 1dSS nnnn dddd 0110 n1m0 mmmm" |cx, w| long(cx, w, VBin::Mul, Some(VBin::Sub));
    "VMULL (by scalar)" "1111 001u 1dSS nnnn dddd 1010 n1m0 mmmm" |cx, w| long(cx, w, VBin::Mul, None);
    "VQDMLAL (by scalar)" "1111 0010 1dSS nnnn dddd 0011 n1m0 mmmm" |cx, w| doubling(cx, w, Some(VSat::SQAdd));
    "VQDMLSL (by scalar)" "1111 0010 1dSS nnnn dddd 0111 n1m0 mmmm" |cx, w| doubling(cx, w, Some(VSat::SQSub));
    "VQDMULL (by scalar)" "1111 0010 1dSS nnnn dddd 1011 n1m0 mmmm" |cx, w| doubling(cx, w, None);
    "VQDMULH (by scalar)" "1111 001q 1dSS nnnn dddd 1100 n1m0 mmmm" |cx, w| high_by_scalar(cx, w, VSat::SQDMulH);
    "VQRDMULH (by scalar)" "1111 001q 1dSS nnnn dddd 1101 n1m0 mmmm" |cx, w| high_by_scalar(cx, w, VSat::SQRDMulH);
};

/// The narrow lane shape and the wide one.
fn shapes(w: u32) -> Result<(Lane, Lane), Undefined> {
    let lane = Lane::of_bits(8 << size(w));
    lane.wider().map(|wide| (lane, wide)).ok_or(Undefined)
}

/// U, bit 24.
const fn signed(w: u32) -> bool {
    !bit(w, 24)
}

const fn difference(w: u32) -> VBin {
    if signed(w) { VBin::SAbsDiff } else { VBin::UAbsDiff }
}

/// Dm, or (bit 6) the scalar in every lane: of 16 or 32 bits, index in the register's upper bits.
fn factor(cx: &mut Cx<'_, '_>, w: u32, lane: Lane) -> Result<Value, Undefined> {
    if !bit(w, 6) {
        return Ok(cx.half(dm(w)));
    }
    let (m, index) = match lane {
        Lane::H8 => (bits(w, 2, 0), bits(w, 5, 5) << 1 | bits(w, 3, 3)),
        Lane::S4 => (bits(w, 3, 0), bits(w, 5, 5)),
        _ => return Err(Undefined),
    };
    let m = cx.half(m);
    Ok(cx.splat_lane(lane, m, index))
}

/// `VADDL.S8 Qd, Dn, Dm`, `VMLAL.S16 Qd, Dn, Dm[x]`
fn long(cx: &mut Cx<'_, '_>, w: u32, op: VBin, with: Option<VBin>) -> Lift {
    let (lane, wide) = shapes(w)?;
    even(&[dd(w)])?;
    let m = factor(cx, w, lane)?;
    let n = cx.half(dn(w));
    let n = cx.widen(lane, signed(w), false, n);
    let m = cx.widen(lane, signed(w), false, m);
    let mut r = cx.v2(op, wide, n, m);
    if let Some(with) = with {
        let d = cx.pair(dd(w));
        r = cx.v2(with, wide, d, r);
    }
    cx.set_pair(dd(w), r);
    Ok(None)
}

/// `VADDW.S8 Qd, Qn, Dm`
fn wide(cx: &mut Cx<'_, '_>, w: u32, op: VBin) -> Lift {
    let (lane, wide) = shapes(w)?;
    even(&[dd(w), dn(w)])?;
    let (n, m) = (cx.pair(dn(w)), cx.half(dm(w)));
    let m = cx.widen(lane, signed(w), false, m);
    let r = cx.v2(op, wide, n, m);
    cx.set_pair(dd(w), r);
    Ok(None)
}

/// `VADDHN.I16 Dd, Qn, Qm`: the high half of each sum; rounding adds half before.
fn high_narrow(cx: &mut Cx<'_, '_>, w: u32, op: VBin, shift: VShift) -> Lift {
    let (lane, wide) = shapes(w)?;
    even(&[dn(w), dm(w)])?;
    let (n, m) = (cx.pair(dn(w)), cx.pair(dm(w)));
    let sum = cx.v2(op, wide, n, m);
    let high = cx.vshift(shift, wide, sum, lane.bits());
    let r = cx.narrow(wide, high);
    cx.set_vector(false, dd(w), r);
    Ok(None)
}

/// `VQDMULL.S16 Qd, Dn, Dm` and VQDMLAL, VQDMLSL: the product doubled with saturation, then accumulated with saturation.
fn doubling(cx: &mut Cx<'_, '_>, w: u32, with: Option<VSat>) -> Lift {
    let (lane, wide) = shapes(w)?;
    if lane == Lane::B16 {
        return Err(Undefined);
    }
    even(&[dd(w)])?;
    let m = factor(cx, w, lane)?;
    let n = cx.half(dn(w));
    let n = cx.widen(lane, true, false, n);
    let m = cx.widen(lane, true, false, m);
    let product = cx.v2(VBin::Mul, wide, n, m);
    let mut r = cx.saturating(VSat::SQAdd, wide, product, product);
    if let Some(op) = with {
        let d = cx.pair(dd(w));
        r = cx.saturating(op, wide, d, r);
    }
    cx.set_pair(dd(w), r);
    Ok(None)
}

/// `VMULL.P8 Qd, Dn, Dm`, `VMULL.P64 Qd, Dn, Dm`
fn polynomial(cx: &mut Cx<'_, '_>, w: u32, op: PureOp) -> Lift {
    even(&[dd(w)])?;
    let (mut n, mut m) = (cx.half(dn(w)), cx.half(dm(w)));
    if matches!(op, PureOp::Helper(_)) {
        let low = PureOp::VExtract(Lane::D2, 0);
        (n, m) = (cx.b.pure(low, &[n]), cx.b.pure(low, &[m]));
    }
    let r = cx.b.pure(op, &[n, m]);
    cx.set_pair(dd(w), r);
    Ok(None)
}

/// Q of these (bit 24), lane, Vn and the scalar.
fn scalar_operands(cx: &mut Cx<'_, '_>, w: u32) -> Result<(bool, Lane, Value, Value), Undefined> {
    let q = bit(w, 24);
    if q {
        even(&[dd(w), dn(w)])?;
    }
    let (lane, _) = shapes(w)?;
    let m = factor(cx, w, lane)?;
    Ok((q, lane, cx.vector(q, dn(w)), m))
}

/// `VMLA.I16 Qd, Qn, Dm[x]`
fn by_scalar(cx: &mut Cx<'_, '_>, w: u32, with: Option<VBin>) -> Lift {
    let (q, lane, n, m) = scalar_operands(cx, w)?;
    let mut r = cx.v2(VBin::Mul, lane, n, m);
    if let Some(with) = with {
        let d = cx.vector(q, dd(w));
        r = cx.v2(with, lane, d, r);
    }
    cx.set_vector(q, dd(w), r);
    Ok(None)
}

/// `VMLA.F32 Qd, Qn, Dm[x]`
fn float_by_scalar(cx: &mut Cx<'_, '_>, w: u32, with: Option<FBin>) -> Lift {
    let (q, _, n, m) = scalar_operands(cx, w)?;
    let shape = FShape::standard_vector(q);
    let mut r = cx.b.pure(PureOp::F(FBin::Mul, shape), &[n, m]);
    if let Some(with) = with {
        let d = cx.vector(q, dd(w));
        r = cx.b.pure(PureOp::F(with, shape), &[d, r]);
    }
    cx.set_vector(q, dd(w), r);
    Ok(None)
}

/// `VQDMULH.S16 Qd, Qn, Dm[x]`
fn high_by_scalar(cx: &mut Cx<'_, '_>, w: u32, op: VSat) -> Lift {
    let (q, lane, n, m) = scalar_operands(cx, w)?;
    let r = cx.saturating(op, lane, n, m);
    cx.set_vector(q, dd(w), r);
    Ok(None)
}
