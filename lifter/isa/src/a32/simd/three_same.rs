//! Advanced SIMD three registers of the same length (Arm ARM F4.1.22). Floating point computes under the standard FPSCR.

use super::operands::*;
use crate::a32::cx::{Cx, Lift, Undefined, bit};
use crate::a32::table::Row;
use crate::a64::simd::operands::Width;
use ir::{FBin, FCmp, FShape, FUn, IntCmp, Lane, PureOp, VBin, VBit, VSat, Value};

/// Integer instructions.
pub const INTEGER: &[Row] = rows! { Neon:
    "VHADD" "1111 001u 0dss nnnn dddd 0000 nqm0 mmmm" |cx, w| int(cx, w, either(w, VBin::SHAdd, VBin::UHAdd), to_s(w)?);
    "VQADD" "1111 001u 0dss nnnn dddd 0000 nqm1 mmmm" |cx, w| sat(cx, w, either(w, VSat::SQAdd, VSat::UQAdd), any(w));
    "VRHADD" "1111 001u 0dss nnnn dddd 0001 nqm0 mmmm" |cx, w| int(cx, w, either(w, VBin::SRHAdd, VBin::URHAdd), to_s(w)?);
    "VAND (register)" "1111 0010 0d00 nnnn dddd 0001 nqm1 mmmm" |cx, w| bitwise(cx, w, VBit::And);
    "VBIC (register)" "1111 0010 0d01 nnnn dddd 0001 nqm1 mmmm" |cx, w| bitwise(cx, w, VBit::AndNot);
    "VORR (register)" "1111 0010 0d10 nnnn dddd 0001 nqm1 mmmm" |cx, w| bitwise(cx, w, VBit::Or);
    "VORN (register)" "1111 0010 0d11 nnnn dddd 0001 nqm1 mmmm" |cx, w| bitwise(cx, w, VBit::OrNot);
    "VEOR" "1111 0011 0d00 nnnn dddd 0001 nqm1 mmmm" |cx, w| bitwise(cx, w, VBit::Xor);
    "VBSL" "1111 0011 0d01 nnnn dddd 0001 nqm1 mmmm" |cx, w| select(cx, w, |[d, n, m]| [d, n, m]);
    "VBIT" "1111 0011 0d10 nnnn dddd 0001 nqm1 mmmm" |cx, w| select(cx, w, |[d, n, m]| [m, n, d]);
    "VBIF" "1111 0011 0d11 nnnn dddd 0001 nqm1 mmmm" |cx, w| select(cx, w, |[d, n, m]| [m, d, n]);
    "VHSUB" "1111 001u 0dss nnnn dddd 0010 nqm0 mmmm" |cx, w| int(cx, w, either(w, VBin::SHSub, VBin::UHSub), to_s(w)?);
    "VQSUB" "1111 001u 0dss nnnn dddd 0010 nqm1 mmmm" |cx, w| sat(cx, w, either(w, VSat::SQSub, VSat::UQSub), any(w));
    "VCGT (register)" "1111 001u 0dss nnnn dddd 0011 nqm0 mmmm" |cx, w| compare(cx, w, either(w, IntCmp::Sgt, IntCmp::Ugt));
    "VCGE (register)" "1111 001u 0dss nnnn dddd 0011 nqm1 mmmm" |cx, w| compare(cx, w, either(w, IntCmp::Sge, IntCmp::Uge));
    "VSHL (register)" "1111 001u 0dss nnnn dddd 0100 nqm0 mmmm" |cx, w| shift(cx, w, either(w, VBin::SShl, VBin::UShl));
    "VQSHL (register)" "1111 001u 0dss nnnn dddd 0100 nqm1 mmmm" |cx, w| sat_shift(cx, w, either(w, VSat::SQShl, VSat::UQShl));
    "VRSHL" "1111 001u 0dss nnnn dddd 0101 nqm0 mmmm" |cx, w| shift(cx, w, either(w, VBin::SRShl, VBin::URShl));
    "VQRSHL" "1111 001u 0dss nnnn dddd 0101 nqm1 mmmm" |cx, w| sat_shift(cx, w, either(w, VSat::SQRShl, VSat::UQRShl));
    "VMAX (integer)" "1111 001u 0dss nnnn dddd 0110 nqm0 mmmm" |cx, w| int(cx, w, either(w, VBin::SMax, VBin::UMax), to_s(w)?);
    "VMIN (integer)" "1111 001u 0dss nnnn dddd 0110 nqm1 mmmm" |cx, w| int(cx, w, either(w, VBin::SMin, VBin::UMin), to_s(w)?);
    "VABD (integer)" "1111 001u 0dss nnnn dddd 0111 nqm0 mmmm" |cx, w| int(cx, w, either(w, VBin::SAbsDiff, VBin::UAbsDiff), to_s(w)?);
    "VABA" "1111 001u 0dss nnnn dddd 0111 nqm1 mmmm" |cx, w| accumulate(cx, w, either(w, VBin::SAbsDiff, VBin::UAbsDiff), VBin::Add);
    "VADD (integer)" "1111 0010 0dss nnnn dddd 1000 nqm0 mmmm" |cx, w| int(cx, w, VBin::Add, any(w));
    "VSUB (integer)" "1111 0011 0dss nnnn dddd 1000 nqm0 mmmm" |cx, w| int(cx, w, VBin::Sub, any(w));
    "VTST" "1111 0010 0dss nnnn dddd 1000 nqm1 mmmm" vtst;
    "VCEQ (register)" "1111 0011 0dss nnnn dddd 1000 nqm1 mmmm" |cx, w| compare(cx, w, IntCmp::Eq);
    "VMLA (integer)" "1111 0010 0dss nnnn dddd 1001 nqm0 mmmm" |cx, w| accumulate(cx, w, VBin::Mul, VBin::Add);
    "VMLS (integer)" "1111 0011 0dss nnnn dddd 1001 nqm0 mmmm" |cx, w| accumulate(cx, w, VBin::Mul, VBin::Sub);
    "VMUL (integer)" "1111 0010 0dss nnnn dddd 1001 nqm1 mmmm" |cx, w| int(cx, w, VBin::Mul, to_s(w)?);
    "VMUL (polynomial)" "1111 0011 0d00 nnnn dddd 1001 nqm1 mmmm" |cx, w| int(cx, w, VBin::PMul, Lane::B16);
    "VPMAX (integer)" "1111 001u 0dss nnnn dddd 1010 n0m0 mmmm" |cx, w| pairwise(cx, w, either(w, VBin::SMax, VBin::UMax));
    "VPMIN (integer)" "1111 001u 0dss nnnn dddd 1010 n0m1 mmmm" |cx, w| pairwise(cx, w, either(w, VBin::SMin, VBin::UMin));
    "VQDMULH" "1111 0010 0dss nnnn dddd 1011 nqm0 mmmm" |cx, w| sat(cx, w, VSat::SQDMulH, h_s(w)?);
    "VQRDMULH" "1111 0011 0dss nnnn dddd 1011 nqm0 mmmm" |cx, w| sat(cx, w, VSat::SQRDMulH, h_s(w)?);
    "VPADD (integer)" "1111 0010 0dss nnnn dddd 1011 n0m1 mmmm" |cx, w| pairwise(cx, w, VBin::Add);
};

/// Fused multiply-add.
pub const FUSED: &[Row] = rows! { Vfp4:
    "VFMA (vector)" "1111 0010 0d00 nnnn dddd 1100 nqm1 mmmm" |cx, w| fused(cx, w, false);
    "VFMS (vector)" "1111 0010 0d10 nnnn dddd 1100 nqm1 mmmm" |cx, w| fused(cx, w, true);
};

/// Armv8's additions.
pub const ARMV8: &[Row] = rows! { Fp8:
    "VMAXNM (vector)" "1111 0011 0d00 nnnn dddd 1111 nqm1 mmmm" |cx, w| float(cx, w, FBin::MaxNum);
    "VMINNM (vector)" "1111 0011 0d10 nnnn dddd 1111 nqm1 mmmm" |cx, w| float(cx, w, FBin::MinNum);
};

/// Floating-point instructions.
pub const FLOAT: &[Row] = rows! { Neon:
    "VADD (vector)" "1111 0010 0d00 nnnn dddd 1101 nqm0 mmmm" |cx, w| float(cx, w, FBin::Add);
    "VSUB (vector)" "1111 0010 0d10 nnnn dddd 1101 nqm0 mmmm" |cx, w| float(cx, w, FBin::Sub);
    "VPADD (floating-point)" "1111 0011 0d00 nnnn dddd 1101 n0m0 mmmm" |cx, w| float_pairwise(cx, w, FBin::Add);
    "VABD (floating-point)" "1111 0011 0d10 nnnn dddd 1101 nqm0 mmmm" |cx, w| float(cx, w, FBin::AbsDiff);
    "VMLA (vector)" "1111 0010 0d00 nnnn dddd 1101 nqm1 mmmm" |cx, w| float_accumulate(cx, w, FBin::Add);
    "VMLS (vector)" "1111 0010 0d10 nnnn dddd 1101 nqm1 mmmm" |cx, w| float_accumulate(cx, w, FBin::Sub);
    "VMUL (vector)" "1111 0011 0d00 nnnn dddd 1101 nqm1 mmmm" |cx, w| float(cx, w, FBin::Mul);
    "VCEQ (vector)" "1111 0010 0d00 nnnn dddd 1110 nqm0 mmmm" |cx, w| float_compare(cx, w, FCmp::Eq, false);
    "VCGE (vector)" "1111 0011 0d00 nnnn dddd 1110 nqm0 mmmm" |cx, w| float_compare(cx, w, FCmp::Ge, false);
    "VCGT (vector)" "1111 0011 0d10 nnnn dddd 1110 nqm0 mmmm" |cx, w| float_compare(cx, w, FCmp::Gt, false);
    "VACGE" "1111 0011 0d00 nnnn dddd 1110 nqm1 mmmm" |cx, w| float_compare(cx, w, FCmp::Ge, true);
    "VACGT" "1111 0011 0d10 nnnn dddd 1110 nqm1 mmmm" |cx, w| float_compare(cx, w, FCmp::Gt, true);
    "VMAX (floating-point)" "1111 0010 0d00 nnnn dddd 1111 nqm0 mmmm" |cx, w| float(cx, w, FBin::Max);
    "VMIN (floating-point)" "1111 0010 0d10 nnnn dddd 1111 nqm0 mmmm" |cx, w| float(cx, w, FBin::Min);
    "VPMAX (floating-point)" "1111 0011 0d00 nnnn dddd 1111 n0m0 mmmm" |cx, w| float_pairwise(cx, w, FBin::Max);
    "VPMIN (floating-point)" "1111 0011 0d10 nnnn dddd 1111 n0m0 mmmm" |cx, w| float_pairwise(cx, w, FBin::Min);
    "VRECPS" "1111 0010 0d00 nnnn dddd 1111 nqm1 mmmm" |cx, w| float(cx, w, FBin::RecipStep);
    "VRSQRTS" "1111 0010 0d10 nnnn dddd 1111 nqm1 mmmm" |cx, w| float(cx, w, FBin::RsqrtStep);
};

/// The signed or, by U (bit 24), the unsigned operation.
fn either<T>(w: u32, signed: T, unsigned: T) -> T {
    if bit(w, 24) { unsigned } else { signed }
}

/// Elements of any size.
fn any(w: u32) -> Lane {
    Lane::of_bits(8 << size(w))
}

/// Elements of 8, 16 or 32 bits.
fn to_s(w: u32) -> Result<Lane, Undefined> {
    if size(w) == 3 { Err(Undefined) } else { Ok(any(w)) }
}

/// Elements of 16 or 32 bits.
fn h_s(w: u32) -> Result<Lane, Undefined> {
    if size(w) == 0 { Err(Undefined) } else { to_s(w) }
}

impl Cx<'_, '_> {
    /// The operands Vn and Vm.
    pub(super) fn vector_nm(&mut self, w: u32) -> Result<(Value, Value), Undefined> {
        if q(w) {
            even(&[dd(w), dn(w), dm(w)])?;
        }
        Ok((self.vector(q(w), dn(w)), self.vector(q(w), dm(w))))
    }

    /// Writes Vd.
    pub(super) fn set_vector_d(&mut self, w: u32, v: Value) {
        self.set_vector(q(w), dd(w), v);
    }
}

/// `VADD.I8 Qd, Qn, Qm` and all that have no more to it.
fn int(cx: &mut Cx<'_, '_>, w: u32, op: VBin, lane: Lane) -> Lift {
    let (n, m) = cx.vector_nm(w)?;
    let r = cx.v2(op, lane, n, m);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VQADD.S8 Qd, Qn, Qm`
fn sat(cx: &mut Cx<'_, '_>, w: u32, op: VSat, lane: Lane) -> Lift {
    let (n, m) = cx.vector_nm(w)?;
    let r = cx.saturating(op, lane, n, m);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VSHL.S8 Qd, Qm, Qn`: Vn has the shifts.
fn shift(cx: &mut Cx<'_, '_>, w: u32, op: VBin) -> Lift {
    let (n, m) = cx.vector_nm(w)?;
    let r = cx.v2(op, any(w), m, n);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VQSHL.S8 Qd, Qm, Qn`
fn sat_shift(cx: &mut Cx<'_, '_>, w: u32, op: VSat) -> Lift {
    let (n, m) = cx.vector_nm(w)?;
    let r = cx.saturating(op, any(w), m, n);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VCGT.S8 Qd, Qn, Qm`
fn compare(cx: &mut Cx<'_, '_>, w: u32, cmp: IntCmp) -> Lift {
    let lane = to_s(w)?;
    let (n, m) = cx.vector_nm(w)?;
    let r = cx.b.pure(PureOp::VCmp(cmp, lane), &[n, m]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VTST.8 Qd, Qn, Qm`
fn vtst(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let lane = to_s(w)?;
    let (n, m) = cx.vector_nm(w)?;
    let both = cx.vbit(VBit::And, n, m);
    let zero = cx.vconst(0);
    let r = cx.b.pure(PureOp::VCmp(IntCmp::Ne, lane), &[both, zero]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VAND Qd, Qn, Qm`
fn bitwise(cx: &mut Cx<'_, '_>, w: u32, op: VBit) -> Lift {
    let (n, m) = cx.vector_nm(w)?;
    // VORR with itself is VMOV.
    let r = if dn(w) == dm(w) && op == VBit::Or { n } else { cx.vbit(op, n, m) };
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VBSL Qd, Qn, Qm`: `order` gives mask, and what is chosen where it has ones and zeros, of Vd, Vn and Vm.
fn select(cx: &mut Cx<'_, '_>, w: u32, order: fn([Value; 3]) -> [Value; 3]) -> Lift {
    let (n, m) = cx.vector_nm(w)?;
    let d = cx.vector(q(w), dd(w));
    let r = cx.b.pure(PureOp::VBitSelect, &order([d, n, m]));
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VMLA.I8 Qd, Qn, Qm`
fn accumulate(cx: &mut Cx<'_, '_>, w: u32, op: VBin, with: VBin) -> Lift {
    let lane = to_s(w)?;
    let (n, m) = cx.vector_nm(w)?;
    let x = cx.v2(op, lane, n, m);
    let d = cx.vector(q(w), dd(w));
    let r = cx.v2(with, lane, d, x);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VPADD.I8 Dd, Dn, Dm`
fn pairwise(cx: &mut Cx<'_, '_>, w: u32, op: VBin) -> Lift {
    let lane = to_s(w)?;
    let (n, m) = cx.vector_nm(w)?;
    let (even, odd) = cx.pairs(lane, Width::Half, n, m);
    let r = cx.v2(op, lane, even, odd);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// The float shape of the word's width.
pub(super) const fn shape(w: u32) -> FShape {
    FShape::standard_vector(q(w))
}

/// `VADD.F32 Qd, Qn, Qm`
fn float(cx: &mut Cx<'_, '_>, w: u32, op: FBin) -> Lift {
    let (n, m) = cx.vector_nm(w)?;
    let r = cx.b.pure(PureOp::F(op, shape(w)), &[n, m]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VPADD.F32 Dd, Dn, Dm`
fn float_pairwise(cx: &mut Cx<'_, '_>, w: u32, op: FBin) -> Lift {
    let (n, m) = cx.vector_nm(w)?;
    let (even, odd) = cx.pairs(Lane::S4, Width::Half, n, m);
    let r = cx.b.pure(PureOp::F(op, shape(w)), &[even, odd]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VMLA.F32 Qd, Qn, Qm`: the product is rounded, then the sum.
fn float_accumulate(cx: &mut Cx<'_, '_>, w: u32, with: FBin) -> Lift {
    let (n, m) = cx.vector_nm(w)?;
    let product = cx.b.pure(PureOp::F(FBin::Mul, shape(w)), &[n, m]);
    let d = cx.vector(q(w), dd(w));
    let r = cx.b.pure(PureOp::F(with, shape(w)), &[d, product]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VFMA.F32 Qd, Qn, Qm`
fn fused(cx: &mut Cx<'_, '_>, w: u32, negate: bool) -> Lift {
    let (mut n, m) = cx.vector_nm(w)?;
    if negate {
        n = cx.b.pure(PureOp::FUn(FUn::Neg, shape(w)), &[n]);
    }
    let d = cx.vector(q(w), dd(w));
    let r = cx.b.pure(PureOp::FMulAdd(shape(w)), &[n, m, d]);
    cx.set_vector_d(w, r);
    Ok(None)
}

/// `VCGE.F32 Qd, Qn, Qm`; `absolute`: VACGE.
fn float_compare(cx: &mut Cx<'_, '_>, w: u32, cmp: FCmp, absolute: bool) -> Lift {
    let (mut n, mut m) = cx.vector_nm(w)?;
    if absolute {
        n = cx.b.pure(PureOp::FUn(FUn::Abs, shape(w)), &[n]);
        m = cx.b.pure(PureOp::FUn(FUn::Abs, shape(w)), &[m]);
    }
    let r = cx.float_lanes(w, cmp, n, m);
    cx.set_vector_d(w, r);
    Ok(None)
}

impl Cx<'_, '_> {
    /// The lane-wise comparison as all ones or zeros. Only equality takes quiet NaNs quietly.
    pub(super) fn float_lanes(&mut self, w: u32, cmp: FCmp, n: Value, m: Value) -> Value {
        self.b.pure(PureOp::FCmp { cmp, signaling: cmp != FCmp::Eq, shape: shape(w) }, &[n, m])
    }
}
