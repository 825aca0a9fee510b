//! Advanced SIMD (and scalar) three different (Arm ARM C4.1.96): long, wide and narrowing operations. With Q the narrow
//! operands are the upper halves of their registers ("2" in the name); wide operands are always whole registers.

use super::operands::*;
use crate::a64::cx::{Cx, Lift, Undefined, rd, rm, rn};
use crate::a64::table::{Feature, Row};
use ir::{Helper, Lane, PureOp, VBin, VSat, VShift, Value};

/// Rows of this group.
pub const ROWS: &[&[Row]] = &[VECTOR, SCALAR];

const VECTOR: &[Row] = rows! { AdvSimd:
    "SADDL" "0q001110 ss1mmmmm 000000 nnnnnddddd" |cx, w| long(cx, w, VBin::Add);
    "UADDL" "0q101110 ss1mmmmm 000000 nnnnnddddd" |cx, w| long(cx, w, VBin::Add);
    "SADDW" "0q001110 ss1mmmmm 000100 nnnnnddddd" |cx, w| wide(cx, w, VBin::Add);
    "UADDW" "0q101110 ss1mmmmm 000100 nnnnnddddd" |cx, w| wide(cx, w, VBin::Add);
    "SSUBL" "0q001110 ss1mmmmm 001000 nnnnnddddd" |cx, w| long(cx, w, VBin::Sub);
    "USUBL" "0q101110 ss1mmmmm 001000 nnnnnddddd" |cx, w| long(cx, w, VBin::Sub);
    "SSUBW" "0q001110 ss1mmmmm 001100 nnnnnddddd" |cx, w| wide(cx, w, VBin::Sub);
    "USUBW" "0q101110 ss1mmmmm 001100 nnnnnddddd" |cx, w| wide(cx, w, VBin::Sub);
    "ADDHN" "0q001110 ss1mmmmm 010000 nnnnnddddd" |cx, w| high_narrow(cx, w, VBin::Add, VShift::UShr);
    "RADDHN" "0q101110 ss1mmmmm 010000 nnnnnddddd" |cx, w| high_narrow(cx, w, VBin::Add, VShift::URShr);
    "SABAL" "0q001110 ss1mmmmm 010100 nnnnnddddd" |cx, w| long_accumulate(cx, w, VBin::SAbsDiff, VBin::Add);
    "UABAL" "0q101110 ss1mmmmm 010100 nnnnnddddd" |cx, w| long_accumulate(cx, w, VBin::UAbsDiff, VBin::Add);
    "SUBHN" "0q001110 ss1mmmmm 011000 nnnnnddddd" |cx, w| high_narrow(cx, w, VBin::Sub, VShift::UShr);
    "RSUBHN" "0q101110 ss1mmmmm 011000 nnnnnddddd" |cx, w| high_narrow(cx, w, VBin::Sub, VShift::URShr);
    "SABDL" "0q001110 ss1mmmmm 011100 nnnnnddddd" |cx, w| long(cx, w, VBin::SAbsDiff);
    "UABDL" "0q101110 ss1mmmmm 011100 nnnnnddddd" |cx, w| long(cx, w, VBin::UAbsDiff);
    "SMLAL (vector)" "0q001110 ss1mmmmm 100000 nnnnnddddd" |cx, w| long_accumulate(cx, w, VBin::Mul, VBin::Add);
    "UMLAL (vector)" "0q101110 ss1mmmmm 100000 nnnnnddddd" |cx, w| long_accumulate(cx, w, VBin::Mul, VBin::Add);
    "SQDMLAL (vector)" "0q001110 ss1mmmmm 100100 nnnnnddddd" |cx, w| doubling(cx, w, Some(VSat::SQAdd));
    "SMLSL (vector)" "0q001110 ss1mmmmm 101000 nnnnnddddd" |cx, w| long_accumulate(cx, w, VBin::Mul, VBin::Sub);
    "UMLSL (vector)" "0q101110 ss1mmmmm 101000 nnnnnddddd" |cx, w| long_accumulate(cx, w, VBin::Mul, VBin::Sub);
    "SQDMLSL (vector)" "0q001110 ss1mmmmm 101100 nnnnnddddd" |cx, w| doubling(cx, w, Some(VSat::SQSub));
    "SMULL (vector)" "0q001110 ss1mmmmm 110000 nnnnnddddd" |cx, w| long(cx, w, VBin::Mul);
    "UMULL (vector)" "0q101110 ss1mmmmm 110000 nnnnnddddd" |cx, w| long(cx, w, VBin::Mul);
    "SQDMULL (vector)" "0q001110 ss1mmmmm 110100 nnnnnddddd" |cx, w| doubling(cx, w, None);
    "PMULL" "0q001110 ss1mmmmm 111000 nnnnnddddd" pmull;
};

const SCALAR: &[Row] = rows! { AdvSimd:
    "SQDMLAL (scalar)" "01011110 ss1mmmmm 100100 nnnnnddddd" |cx, w| doubling(cx, w, Some(VSat::SQAdd));
    "SQDMLSL (scalar)" "01011110 ss1mmmmm 101100 nnnnnddddd" |cx, w| doubling(cx, w, Some(VSat::SQSub));
    "SQDMULL (scalar)" "01011110 ss1mmmmm 110100 nnnnnddddd" |cx, w| doubling(cx, w, None);
};

/// The narrow lane shape and the wide one.
fn shapes(w: u32) -> Result<(Lane, Lane), Undefined> {
    let lane = Lane::of_bits(8 << size(w));
    lane.wider().map(|wide| (lane, wide)).ok_or(Undefined)
}

const fn signed(w: u32) -> bool {
    w >> 29 & 1 == 0
}

/// `SADDL{2} Vd.Ta, Vn.Tb, Vm.Tb`
fn long(cx: &mut Cx<'_, '_>, w: u32, op: VBin) -> Lift {
    let (lane, wide) = shapes(w)?;
    let r = long_op(cx, w, op, lane, wide);
    cx.set_vec(rd(w), r);
    Ok(None)
}

fn long_op(cx: &mut Cx<'_, '_>, w: u32, op: VBin, lane: Lane, wide: Lane) -> Value {
    let (n, m) = cx.vec_nm(w);
    let n = cx.widen(lane, signed(w), q(w), n);
    let m = cx.widen(lane, signed(w), q(w), m);
    cx.v2(op, wide, n, m)
}

/// `SMLAL{2} Vd.Ta, Vn.Tb, Vm.Tb`
fn long_accumulate(cx: &mut Cx<'_, '_>, w: u32, op: VBin, with: VBin) -> Lift {
    let (lane, wide) = shapes(w)?;
    let x = long_op(cx, w, op, lane, wide);
    let d = cx.vec(rd(w));
    let r = cx.v2(with, wide, d, x);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `SADDW{2} Vd.Ta, Vn.Ta, Vm.Tb`
fn wide(cx: &mut Cx<'_, '_>, w: u32, op: VBin) -> Lift {
    let (lane, wide) = shapes(w)?;
    let (n, m) = cx.vec_nm(w);
    let m = cx.widen(lane, signed(w), q(w), m);
    let r = cx.v2(op, wide, n, m);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `ADDHN{2} Vd.Tb, Vn.Ta, Vm.Ta`: the high half of each sum; rounding adds half before.
fn high_narrow(cx: &mut Cx<'_, '_>, w: u32, op: VBin, shift: VShift) -> Lift {
    let (lane, wide) = shapes(w)?;
    let (n, m) = cx.vec_nm(w);
    let sum = cx.v2(op, wide, n, m);
    let high = cx.vshift(shift, wide, sum, lane.bits());
    let r = cx.narrow(wide, high);
    cx.set_half(rd(w), q(w), r);
    Ok(None)
}

/// `SQDMULL{2} Vd.Ta, Vn.Tb, Vm.Tb` and SQDMLAL, SQDMLSL: the product doubled with saturation, then accumulated with
/// saturation.
fn doubling(cx: &mut Cx<'_, '_>, w: u32, with: Option<VSat>) -> Lift {
    if size(w) == 0 {
        return Err(Undefined);
    }
    let (lane, wide) = shapes(w)?;
    let scalar = width(w) == Width::Scalar;
    let high = q(w) && !scalar;
    let cover = if scalar { Width::Scalar } else { Width::Full };
    let n = cx.vec_covered(rn(w), lane, cover);
    let n = cx.widen(lane, true, high, n);
    let m = cx.vec(rm(w));
    let m = cx.widen(lane, true, high, m);
    cx.doubling_product(rd(w), wide, cover, n, m, with);
    Ok(None)
}

impl Cx<'_, '_> {
    /// V`d` = saturated 2 × `n` × `m`, or V`d` `with` that. The lanes of `n` that are not covered are zero.
    pub(super) fn doubling_product(
        &mut self,
        d: u32,
        lane: Lane,
        width: Width,
        n: Value,
        m: Value,
        with: Option<VSat>,
    ) {
        let product = self.v2(VBin::Mul, lane, n, m);
        let mut r = self.saturate(VSat::SQAdd, lane, product, product);
        if let Some(op) = with {
            let old = self.vec_covered(d, lane, width);
            r = self.saturate(op, lane, old, r);
        }
        self.set_vec(d, r);
    }
}

/// `PMULL{2} Vd.Ta, Vn.Tb, Vm.Tb`: bytes, or (FEAT_PMULL) doublewords.
fn pmull(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (n, m) = cx.vec_nm(w);
    let r = match size(w) {
        0 => cx.b.pure(PureOp::VPMull8 { high: q(w) }, &[n, m]),
        3 => {
            let half = PureOp::VExtract(Lane::D2, q(w) as u8);
            let (n, m) = (cx.b.pure(half, &[n]), cx.b.pure(half, &[m]));
            cx.b.pure(PureOp::Helper(Helper::PMull64), &[n, m])
        }
        _ => return Err(Undefined),
    };
    cx.set_vec(rd(w), r);
    Ok(None)
}
