//! Floating-point data processing in single and double precision (Arm ARM F4.1.19): arithmetic, comparison, selection, rounding.
//! Computes under FPSCR, of which LEN and STRIDE ask for short vectors.

use super::operands::*;
use crate::a32::cx::{Cx, Lift, Undefined, bit, bits};
use crate::a32::reg;
use crate::a32::table::Row;
use crate::a64::simd::shift::expand_float;
use ir::{FBin, FShape, FUn, PureOp, Round, Type, Value};

/// VFPv2 and VFPv3.
pub const VFP: &[Row] = rows! { Vfp:
    "VMLA (floating-point)" "cccc 1110 0d00 nnnn dddd 101s n0m0 mmmm" |cx, w| multiply_add(cx, w, false, false);
    "VMLS (floating-point)" "cccc 1110 0d00 nnnn dddd 101s n1m0 mmmm" |cx, w| multiply_add(cx, w, false, true);
    "VNMLS" "cccc 1110 0d01 nnnn dddd 101s n0m0 mmmm" |cx, w| multiply_add(cx, w, true, false);
    "VNMLA" "cccc 1110 0d01 nnnn dddd 101s n1m0 mmmm" |cx, w| multiply_add(cx, w, true, true);
    "VMUL (floating-point)" "cccc 1110 0d10 nnnn dddd 101s n0m0 mmmm" |cx, w| binary(cx, w, FBin::Mul);
    "VNMUL" "cccc 1110 0d10 nnnn dddd 101s n1m0 mmmm" vnmul;
    "VADD (floating-point)" "cccc 1110 0d11 nnnn dddd 101s n0m0 mmmm" |cx, w| binary(cx, w, FBin::Add);
    "VSUB (floating-point)" "cccc 1110 0d11 nnnn dddd 101s n1m0 mmmm" |cx, w| binary(cx, w, FBin::Sub);
    "VDIV" "cccc 1110 1d00 nnnn dddd 101s n0m0 mmmm" |cx, w| binary(cx, w, FBin::Div);
    "VMOV (immediate, floating-point)" "cccc 1110 1d11 iiii dddd 101s z0z0 iiii" vmov_immediate;
    "VMOV (register, floating-point)" "cccc 1110 1d11 0000 dddd 101s 01m0 mmmm" vmov;
    "VABS (floating-point)" "cccc 1110 1d11 0000 dddd 101s 11m0 mmmm" |cx, w| unary(cx, w, FUn::Abs);
    "VNEG (floating-point)" "cccc 1110 1d11 0001 dddd 101s 01m0 mmmm" |cx, w| unary(cx, w, FUn::Neg);
    "VSQRT" "cccc 1110 1d11 0001 dddd 101s 11m0 mmmm" |cx, w| unary(cx, w, FUn::Sqrt);
    "VCMP" "cccc 1110 1d11 0100 dddd 101s 01m0 mmmm" |cx, w| compare(cx, w, false);
    "VCMPE" "cccc 1110 1d11 0100 dddd 101s 11m0 mmmm" |cx, w| compare(cx, w, true);
    "VCMP (zero)" "cccc 1110 1d11 0101 dddd 101s 01z0 zzzz" |cx, w| compare_zero(cx, w, false);
    "VCMPE (zero)" "cccc 1110 1d11 0101 dddd 101s 11z0 zzzz" |cx, w| compare_zero(cx, w, true);
};

/// VFPv4.
pub const FUSED: &[Row] = rows! { Vfp4:
    "VFNMS" "cccc 1110 1d01 nnnn dddd 101s n0m0 mmmm" |cx, w| fused(cx, w, true, false);
    "VFNMA" "cccc 1110 1d01 nnnn dddd 101s n1m0 mmmm" |cx, w| fused(cx, w, true, true);
    "VFMA (floating-point)" "cccc 1110 1d10 nnnn dddd 101s n0m0 mmmm" |cx, w| fused(cx, w, false, false);
    "VFMS (floating-point)" "cccc 1110 1d10 nnnn dddd 101s n1m0 mmmm" |cx, w| fused(cx, w, false, true);
};

/// Armv8's additions.
pub const ARMV8: &[Row] = rows! { Fp8:
    "VRINTR" "cccc 1110 1d11 0110 dddd 101s 01m0 mmmm" |cx, w| round(cx, w, Round::Current, false);
    "VRINTZ (floating-point)" "cccc 1110 1d11 0110 dddd 101s 11m0 mmmm" |cx, w| round(cx, w, Round::Zero, false);
    "VRINTX (floating-point)" "cccc 1110 1d11 0111 dddd 101s 01m0 mmmm" |cx, w| round(cx, w, Round::Current, true);
    "VSEL" "1111 1110 0dcc nnnn dddd 101s n0m0 mmmm" vsel;
    "VMAXNM (floating-point)" "1111 1110 1d00 nnnn dddd 101s n0m0 mmmm" |cx, w| binary(cx, w, FBin::MaxNum);
    "VMINNM (floating-point)" "1111 1110 1d00 nnnn dddd 101s n1m0 mmmm" |cx, w| binary(cx, w, FBin::MinNum);
    "VRINTA, VRINTN, VRINTP, VRINTM (floating-point)" "1111 1110 1d11 10rr dddd 101s 01m0 mmmm" |cx, w| round(cx, w, directed(w), false);
};

/// True for double precision, bit 8.
pub(super) const fn is_double(w: u32) -> bool {
    bit(w, 8)
}

/// The rounding mode in bits 17:16.
pub(super) const fn directed(w: u32) -> Round {
    match bits(w, 17, 16) {
        0 => Round::TieAway,
        1 => Round::TieEven,
        2 => Round::PlusInf,
        _ => Round::MinusInf,
    }
}

const fn shape(w: u32) -> FShape {
    if is_double(w) { FShape::D } else { FShape::S }
}

impl Cx<'_, '_> {
    /// S`n` or D`n`.
    fn scalar(&mut self, double: bool, n: u32) -> Value {
        if double { self.double(n) } else { self.single(n) }
    }

    fn set_scalar(&mut self, double: bool, n: u32, v: Value) {
        if double { self.set_double(n, v) } else { self.set_single(n, v) }
    }

    /// Sd or Dd.
    fn scalar_d(&mut self, w: u32) -> Value {
        self.scalar(is_double(w), Element::first(w).d)
    }

    /// Sn or Dn.
    fn scalar_n(&mut self, w: u32) -> Value {
        self.scalar(is_double(w), Element::first(w).n)
    }

    /// Sm or Dm.
    pub(super) fn scalar_m(&mut self, w: u32) -> Value {
        self.scalar(is_double(w), Element::first(w).m)
    }

    /// Writes Sd or Dd.
    pub(super) fn set_scalar_d(&mut self, w: u32, v: Value) {
        self.set_scalar(is_double(w), Element::first(w).d, v);
    }

    fn negate(&mut self, w: u32, v: Value) -> Value {
        self.b.pure(PureOp::FUn(FUn::Neg, shape(w)), &[v])
    }
}

/// Numbers of the registers, S or D, of one element of a vector, or of scalars.
#[derive(Clone, Copy)]
struct Element {
    d: u32,
    n: u32,
    m: u32,
}

impl Element {
    /// Those that the word names.
    const fn first(w: u32) -> Element {
        match is_double(w) {
            true => Element { d: dd(w), n: dn(w), m: dm(w) },
            false => Element { d: sd(w), n: sn(w), m: sm(w) },
        }
    }
}

/// Writes to Sd or Dd what `f` makes of each element: of one, or of as many as FPSCR.LEN says (Arm DDI 0406, appendix "VFP Vector
/// Operation Support"). Vectors go round in banks of 8 S or 4 D registers. With Sd or Dd in a bank of scalars (the first; of D
/// registers also the fifth) there is one element; with Sm or Dm there, that is every element's operand.
fn each(cx: &mut Cx<'_, '_>, w: u32, f: impl Fn(&mut Cx<'_, '_>, Element) -> Value) -> Lift {
    let double = is_double(w);
    let bank = if double { 4 } else { 8 };
    let is_scalar = |r: u32| (r / bank).is_multiple_of(4);
    let mut e = Element::first(w);
    let vectors = cx.modes.vectors.filter(|_| !is_scalar(e.d));
    let (length, stride) = vectors.map_or((1, 1), |v| (v.length, v.stride));
    let next = |r: u32| r / bank * bank + (r + stride) % bank;
    for _ in 0..length {
        let r = f(cx, e);
        cx.set_scalar(double, e.d, r);
        e = Element { d: next(e.d), n: next(e.n), m: if is_scalar(e.m) { e.m } else { next(e.m) } };
    }
    Ok(None)
}

/// `VADD.F32 Sd, Sn, Sm` and all that have no more to it.
fn binary(cx: &mut Cx<'_, '_>, w: u32, op: FBin) -> Lift {
    each(cx, w, |cx, e| {
        let (n, m) = (cx.scalar(is_double(w), e.n), cx.scalar(is_double(w), e.m));
        cx.b.pure(PureOp::F(op, shape(w)), &[n, m])
    })
}

/// `VNMUL.F32 Sd, Sn, Sm`
fn vnmul(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    each(cx, w, |cx, e| {
        let (n, m) = (cx.scalar(is_double(w), e.n), cx.scalar(is_double(w), e.m));
        let product = cx.b.pure(PureOp::F(FBin::Mul, shape(w)), &[n, m]);
        cx.negate(w, product)
    })
}

/// `VMLA.F32 Sd, Sn, Sm`: the product is rounded, then the sum, of which either may be negated.
fn multiply_add(cx: &mut Cx<'_, '_>, w: u32, negate_d: bool, negate_product: bool) -> Lift {
    each(cx, w, |cx, e| {
        let (n, m) = (cx.scalar(is_double(w), e.n), cx.scalar(is_double(w), e.m));
        let mut product = cx.b.pure(PureOp::F(FBin::Mul, shape(w)), &[n, m]);
        if negate_product {
            product = cx.negate(w, product);
        }
        let mut d = cx.scalar(is_double(w), e.d);
        if negate_d {
            d = cx.negate(w, d);
        }
        cx.b.pure(PureOp::F(FBin::Add, shape(w)), &[d, product])
    })
}

/// `VFMA.F32 Sd, Sn, Sm`, which has no vectors: UNPREDICTABLE in Armv7, UNDEFINED in Armv8.
fn fused(cx: &mut Cx<'_, '_>, w: u32, negate_d: bool, negate_n: bool) -> Lift {
    if cx.modes.vectors.is_some() {
        return Err(Undefined);
    }
    let (mut n, m) = (cx.scalar_n(w), cx.scalar_m(w));
    if negate_n {
        n = cx.negate(w, n);
    }
    let mut d = cx.scalar_d(w);
    if negate_d {
        d = cx.negate(w, d);
    }
    let r = cx.b.pure(PureOp::FMulAdd(shape(w)), &[n, m, d]);
    cx.set_scalar_d(w, r);
    Ok(None)
}

/// `VABS.F32 Sd, Sm`
fn unary(cx: &mut Cx<'_, '_>, w: u32, op: FUn) -> Lift {
    each(cx, w, |cx, e| {
        let m = cx.scalar(is_double(w), e.m);
        cx.b.pure(PureOp::FUn(op, shape(w)), &[m])
    })
}

/// `VMOV.F32 Sd, Sm`
fn vmov(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    each(cx, w, |cx, e| cx.scalar(is_double(w), e.m))
}

/// `VMOV.F32 Sd, #imm`
fn vmov_immediate(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let shape = shape(w);
    let imm = expand_float(bits(w, 19, 16) << 4 | bits(w, 3, 0), shape.bits());
    each(cx, w, |cx, _| cx.b.konst(shape.ty(), u128::from(imm)))
}

/// `VRINTZ.F32 Sd, Sm`
fn round(cx: &mut Cx<'_, '_>, w: u32, round: Round, exact: bool) -> Lift {
    let m = cx.scalar_m(w);
    let r = cx.b.pure(PureOp::FRound { shape: shape(w), round, exact }, &[m]);
    cx.set_scalar_d(w, r);
    Ok(None)
}

/// `VCMP.F32 Sd, Sm`
fn compare(cx: &mut Cx<'_, '_>, w: u32, signaling: bool) -> Lift {
    let (d, m) = (cx.scalar_d(w), cx.scalar_m(w));
    compare_with(cx, w, d, m, signaling)
}

/// `VCMP.F32 Sd, #0.0`
fn compare_zero(cx: &mut Cx<'_, '_>, w: u32, signaling: bool) -> Lift {
    let d = cx.scalar_d(w);
    let zero = cx.b.konst(if is_double(w) { Type::F64 } else { Type::F32 }, 0);
    compare_with(cx, w, d, zero, signaling)
}

fn compare_with(cx: &mut Cx<'_, '_>, w: u32, a: Value, b: Value, signaling: bool) -> Lift {
    let flags = cx.flags_fcmp(a, b, shape(w), signaling);
    for (r, v) in [reg::FP_N, reg::FP_Z, reg::FP_C, reg::FP_V].into_iter().zip(flags) {
        cx.set(r, v);
    }
    Ok(None)
}

/// `VSELEQ.F32 Sd, Sn, Sm`: EQ, VS, GE or GT of APSR.
fn vsel(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let cond = [0b0000, 0b0110, 0b1010, 0b1100][bits(w, 21, 20) as usize];
    let holds = cx.condition(cond);
    let (n, m) = (cx.scalar_n(w), cx.scalar_m(w));
    let r = cx.b.select(holds, n, m);
    cx.set_scalar_d(w, r);
    Ok(None)
}
