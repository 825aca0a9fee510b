//! Advanced SIMD three same extra and its by-element forms (Arm ARM C4.1.96): rounding doubling multiply-accumulate,
//! dot products, 8-bit matrix products, complex arithmetic, half-to-single fused multiply-add.

use super::indexed::{half_element, word_element};
use super::operands::*;
use crate::a64::cx::{Cx, Lift, Undefined, bit, bits, rd, rm, rn};
use crate::a64::table::{Feature, Row};
use ir::{FBin, FShape, Inst, IntBin, IntCmp, Lane, PureOp, SysReg, Type, VBin, VBit, VSat, VShift, Value};

/// Rows of this group.
pub const ROWS: &[&[Row]] = &[RDM, DOT, I8MM, FCMA, FHM];

const RDM: &[Row] = rows! { Rdm:
    "SQRDMLAH (vector)" "0q101110 ss0mmmmm 100001 nnnnnddddd" |cx, w| rounding_accumulate(cx, w, VBin::Add);
    "SQRDMLSH (vector)" "0q101110 ss0mmmmm 100011 nnnnnddddd" |cx, w| rounding_accumulate(cx, w, VBin::Sub);
    "SQRDMLAH (scalar)" "01111110 ss0mmmmm 100001 nnnnnddddd" |cx, w| rounding_accumulate(cx, w, VBin::Add);
    "SQRDMLSH (scalar)" "01111110 ss0mmmmm 100011 nnnnnddddd" |cx, w| rounding_accumulate(cx, w, VBin::Sub);
};

const DOT: &[Row] = rows! { DotProd:
    "SDOT (vector)" "0q001110 100mmmmm 100101 nnnnnddddd" |cx, w| dot(cx, w, true, true);
    "UDOT (vector)" "0q101110 100mmmmm 100101 nnnnnddddd" |cx, w| dot(cx, w, false, false);
    "SDOT (by element)" "0q001111 10lmmmmm 1110h0 nnnnnddddd" |cx, w| dot_element(cx, w, true, true);
    "UDOT (by element)" "0q101111 10lmmmmm 1110h0 nnnnnddddd" |cx, w| dot_element(cx, w, false, false);
};

const I8MM: &[Row] = rows! { I8mm:
    "USDOT (vector)" "0q001110 100mmmmm 100111 nnnnnddddd" |cx, w| dot(cx, w, false, true);
    "USDOT (by element)" "0q001111 10lmmmmm 1111h0 nnnnnddddd" |cx, w| dot_element(cx, w, false, true);
    "SUDOT (by element)" "0q001111 00lmmmmm 1111h0 nnnnnddddd" |cx, w| dot_element(cx, w, true, false);
    "SMMLA (vector)" "01001110 100mmmmm 101001 nnnnnddddd" |cx, w| matrix(cx, w, true, true);
    "UMMLA (vector)" "01101110 100mmmmm 101001 nnnnnddddd" |cx, w| matrix(cx, w, false, false);
    "USMMLA (vector)" "01001110 100mmmmm 101011 nnnnnddddd" |cx, w| matrix(cx, w, false, true);
};

const FCMA: &[Row] = rows! { Fcma:
    "FCADD" "0q101110 ss0mmmmm 111r01 nnnnnddddd" fcadd;
    "FCMLA (vector)" "0q101110 ss0mmmmm 110rr1 nnnnnddddd" fcmla;
    "FCMLA (by element, half)" "0q101111 01lmmmmm 0rr1h0 nnnnnddddd" fcmla_element;
    "FCMLA (by element, single)" "0q101111 10lmmmmm 0rr1h0 nnnnnddddd" fcmla_element;
};

const FHM: &[Row] = rows! { Fhm:
    "FMLAL (vector)" "0q001110 001mmmmm 111011 nnnnnddddd" |cx, w| fmlal(cx, w, false, false);
    "FMLSL (vector)" "0q001110 101mmmmm 111011 nnnnnddddd" |cx, w| fmlal(cx, w, true, false);
    "FMLAL2 (vector)" "0q101110 001mmmmm 110011 nnnnnddddd" |cx, w| fmlal(cx, w, false, true);
    "FMLSL2 (vector)" "0q101110 101mmmmm 110011 nnnnnddddd" |cx, w| fmlal(cx, w, true, true);
    "FMLAL (by element)" "0q001111 10lmmmmm 0000h0 nnnnnddddd" |cx, w| fmlal_element(cx, w, false, false);
    "FMLSL (by element)" "0q001111 10lmmmmm 0100h0 nnnnnddddd" |cx, w| fmlal_element(cx, w, true, false);
    "FMLAL2 (by element)" "0q101111 10lmmmmm 1000h0 nnnnnddddd" |cx, w| fmlal_element(cx, w, false, true);
    "FMLSL2 (by element)" "0q101111 10lmmmmm 1100h0 nnnnnddddd" |cx, w| fmlal_element(cx, w, true, true);
};

/// `SQRDMLAH Vd.T, Vn.T, Vm.T`
fn rounding_accumulate(cx: &mut Cx<'_, '_>, w: u32, with: VBin) -> Lift {
    let (lane, _) = lanes_h_s(w)?;
    let m = cx.vec(rm(w));
    cx.rounding_product(w, lane, m, with);
    Ok(None)
}

impl Cx<'_, '_> {
    /// Vd = saturated ((Vd << n) ± 2 × Vn × `m` + 2ⁿ⁻¹) >> n for elements of n bits. Halved throughout, the sum fits
    /// into twice the width exactly.
    pub(super) fn rounding_product(&mut self, w: u32, lane: Lane, m: Value, with: VBin) {
        let width = width(w);
        let wide = Lane::of_bits(2 * lane.bits());
        let d = self.vec_covered(rd(w), lane, width);
        let n = self.vec_covered(rn(w), lane, width);
        let mut half = |high| {
            let [d, n, m] = [d, n, m].map(|v| self.widen(lane, true, high, v));
            let product = self.v2(VBin::Mul, wide, n, m);
            let accumulator = self.vshift(VShift::Shl, wide, d, lane.bits() - 1);
            let sum = self.v2(with, wide, accumulator, product);
            let shifted = self.vshift(VShift::SRShr, wide, sum, lane.bits() - 1);
            self.saturate(VSat::SQXtn, wide, shifted, shifted)
        };
        let low = half(false);
        let r = if width == Width::Full {
            let high = half(true);
            self.shuffle(low, high, selector(|i| Some(if i < 8 { i } else { i + 8 })))
        } else {
            low
        };
        self.set_vec(rd(w), r);
    }

    /// For each word lane the sum of its four byte products, for all (or, with `full` false, the low two) lanes.
    fn dot4(&mut self, full: bool, [n, m]: [Value; 2], n_signed: bool, m_signed: bool) -> Value {
        // Products of bytes fit into 16 bits: signed ones unless both factors are unsigned.
        let signed = n_signed || m_signed;
        let mut pair_sums = |high| {
            let n = self.widen(Lane::B16, n_signed, high, n);
            let m = self.widen(Lane::B16, m_signed, high, m);
            let products = self.v2(VBin::Mul, Lane::H8, n, m);
            self.sum_of_pairs(Lane::H8, signed, products)
        };
        let low = pair_sums(false);
        let high = if full { pair_sums(true) } else { low };
        let (even, odd) = self.pairs(Lane::S4, Width::Full, low, high);
        self.v2(VBin::Add, Lane::S4, even, odd)
    }
}

/// `SDOT Vd.Ta, Vn.Tb, Vm.Tb`
fn dot(cx: &mut Cx<'_, '_>, w: u32, n_signed: bool, m_signed: bool) -> Lift {
    let m = cx.vec(rm(w));
    dot_with(cx, w, m, n_signed, m_signed)
}

/// `SDOT Vd.Ta, Vn.Tb, Vm.4B[index]`
fn dot_element(cx: &mut Cx<'_, '_>, w: u32, n_signed: bool, m_signed: bool) -> Lift {
    let (register, index) = word_element(w);
    let m = cx.vec(register);
    let m = cx.splat_lane(Lane::S4, m, index);
    dot_with(cx, w, m, n_signed, m_signed)
}

fn dot_with(cx: &mut Cx<'_, '_>, w: u32, m: Value, n_signed: bool, m_signed: bool) -> Lift {
    let (d, n) = (cx.vec(rd(w)), cx.vec(rn(w)));
    let x = cx.dot4(q(w), [n, m], n_signed, m_signed);
    let r = cx.v2(VBin::Add, Lane::S4, d, x);
    cx.set_vec_q(rd(w), q(w), r);
    Ok(None)
}

/// `SMMLA Vd.4S, Vn.16B, Vm.16B`: Vd[i][j] += row i of Vn · row j of Vm, rows of 8 bytes: two dot products of 4 each.
fn matrix(cx: &mut Cx<'_, '_>, w: u32, n_signed: bool, m_signed: bool) -> Lift {
    let (mut r, n, m) = cx.vec_dnm(w);
    for part in 0..2 {
        let rows = cx.shuffle(n, n, element_selector(4, |lane| Some(lane / 2 * 2 + part)));
        let columns = cx.shuffle(m, m, element_selector(4, |lane| Some(lane % 2 * 2 + part)));
        let x = cx.dot4(true, [rows, columns], n_signed, m_signed);
        r = cx.v2(VBin::Add, Lane::S4, r, x);
    }
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// Shape of a complex operation: 16, 32 or 64 bits.
fn complex_shape(w: u32) -> Result<FShape, Undefined> {
    if size(w) == 0 { Err(Undefined) } else { float_shape(8 << size(w), width(w)) }
}

/// Sign bits of the even (odd) elements.
fn signs(shape: FShape, even: bool, odd: bool) -> u128 {
    let n = shape.bits();
    (0..128 / n).filter(|i| if i % 2 == 0 { even } else { odd }).fold(0, |acc, i| acc | 1 << (i * n + n - 1))
}

impl Cx<'_, '_> {
    /// Even and odd elements swapped if `swap`, then some of them negated.
    fn turned(&mut self, shape: FShape, v: Value, swap: bool, negate_even: bool, negate_odd: bool) -> Value {
        let bytes = (shape.bits() / 8) as u8;
        let v = if swap { self.shuffle(v, v, element_selector(bytes, |i| Some(i ^ 1))) } else { v };
        if !negate_even && !negate_odd {
            return v;
        }
        let mask = self.vconst(signs(shape, negate_even, negate_odd));
        self.vbit(VBit::Xor, v, mask)
    }

    /// Vd += Vn × `m`, complex, one of the four partial products that `rotation` (in quarter turns) names.
    fn complex_accumulate(&mut self, w: u32, shape: FShape, m: Value, rotation: u32) {
        let (d, n) = (self.vec(rd(w)), self.vec(rn(w)));
        let bytes = (shape.bits() / 8) as u8;
        let odd = (rotation & 1) as u8;
        let n = self.shuffle(n, n, element_selector(bytes, |i| Some((i & !1) + odd)));
        let m = self.turned(shape, m, odd == 1, rotation == 1 || rotation == 2, rotation >= 2);
        let r = self.b.pure(PureOp::FMulAdd(shape), &[n, m, d]);
        self.set_vec(rd(w), r);
    }
}

/// `FCADD Vd.T, Vn.T, Vm.T, #90` or `#270`: plus Vm turned.
fn fcadd(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let shape = complex_shape(w)?;
    let by_270 = bit(w, 12);
    let (n, m) = cx.vec_nm(w);
    let m = cx.turned(shape, m, true, !by_270, by_270);
    let r = cx.b.pure(PureOp::F(FBin::Add, shape), &[n, m]);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `FCMLA Vd.T, Vn.T, Vm.T, #rotate`
fn fcmla(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let shape = complex_shape(w)?;
    let m = cx.vec(rm(w));
    cx.complex_accumulate(w, shape, m, bits(w, 12, 11));
    Ok(None)
}

/// `FCMLA Vd.T, Vn.T, Vm.Ts[index], #rotate`: the index counts pairs.
fn fcmla_element(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let shape = complex_shape(w)?;
    let (h, l) = (bits(w, 11, 11), bits(w, 21, 21));
    let (pair, index) = match size(w) {
        1 if h == 1 && !q(w) => return Err(Undefined),
        1 => (Lane::S4, h << 1 | l),
        _ if l == 1 || !q(w) => return Err(Undefined),
        _ => (Lane::D2, h),
    };
    let m = cx.vec(rm(w));
    let m = cx.splat_lane(pair, m, index);
    cx.complex_accumulate(w, shape, m, bits(w, 14, 13));
    Ok(None)
}

/// `FMLAL{2} Vd.Ta, Vn.Tb, Vm.Tb`
fn fmlal(cx: &mut Cx<'_, '_>, w: u32, negate: bool, upper: bool) -> Lift {
    let m = cx.vec(rm(w));
    let m = cx.half_part(w, m, upper);
    cx.fused_long(w, m, negate, upper);
    Ok(None)
}

/// `FMLAL{2} Vd.Ta, Vn.Tb, Vm.H[index]`
fn fmlal_element(cx: &mut Cx<'_, '_>, w: u32, negate: bool, upper: bool) -> Lift {
    let (register, index) = half_element(w);
    let m = cx.vec(register);
    let m = cx.splat_lane(Lane::H8, m, index);
    cx.fused_long(w, m, negate, upper);
    Ok(None)
}

impl Cx<'_, '_> {
    /// The operand half of FMLAL (`upper`: FMLAL2) moved to the low 64 bits: the low or high half of what Q covers.
    fn half_part(&mut self, w: u32, v: Value, upper: bool) -> Value {
        let bytes = if q(w) { 8 } else { 4 };
        let from = if upper { bytes } else { 0 };
        self.shuffle(v, v, selector(|i| if i < bytes { Some(i + from) } else { None }))
    }

    /// Vd += ± Vn × `m` in single precision, the factors being halves. Their product is exact in single precision, so
    /// one single-precision FMulAdd of the extended factors is the manual's FPMulAddH.
    fn fused_long(&mut self, w: u32, m: Value, negate: bool, upper: bool) {
        let shape = if q(w) { FShape::V4S } else { FShape::V2S };
        let (d, n) = (self.vec(rd(w)), self.vec(rn(w)));
        let mut n = self.half_part(w, n, upper);
        if negate {
            let signs = self.vconst(repeat(0x8000, 16));
            n = self.vbit(VBit::Xor, n, signs);
        }
        let (n, m) = (self.extend_halves(n), self.extend_halves(m));
        let r = self.b.pure(PureOp::FMulAdd(shape), &[n, m, d]);
        self.set_vec(rd(w), r);
    }

    /// The low four halves as singles of the same value, by integer operations: NaNs stay as they are, signalling ones
    /// included, FPCR.AHP does not count, and subnormals become zeros if FPCR.FZ16 says so.
    fn extend_halves(&mut self, v: Value) -> Value {
        let s = Lane::S4;
        let v = self.widen(Lane::H8, false, false, v);
        let sign = self.masked(v, 0x8000);
        let sign = self.vshift(VShift::Shl, s, sign, 16);
        let magnitude = self.masked(v, 0x7fff);
        let shifted = self.vshift(VShift::Shl, s, magnitude, 13);
        let rebias = self.vconst(repeat(112 << 23, 32));
        let normal = self.v2(VBin::Add, s, shifted, rebias);
        let special = self.vconst(repeat(0xff << 23, 32));
        let special = self.vbit(VBit::Or, shifted, special);
        // A subnormal is its fraction × 2⁻²⁴, exact in single precision.
        let subnormal = PureOp::IntToF { shape: FShape::V4S, signed: false, fbits: 24 };
        let subnormal = {
            let small = self.masked(v, 0x3ff);
            let converted = self.b.pure(subnormal, &[small]);
            let keep = self.half_subnormals_count();
            self.vbit(VBit::And, converted, keep)
        };
        let exponent = self.masked(v, 0x7c00);
        let (zero, ones) = (self.vconst(0), self.vconst(repeat(0x7c00, 32)));
        let is_small = self.b.pure(PureOp::VCmp(IntCmp::Eq, s), &[exponent, zero]);
        let is_special = self.b.pure(PureOp::VCmp(IntCmp::Eq, s), &[exponent, ones]);
        let r = self.b.pure(PureOp::VBitSelect, &[is_special, special, normal]);
        let r = self.b.pure(PureOp::VBitSelect, &[is_small, subnormal, r]);
        self.vbit(VBit::Or, r, sign)
    }

    fn masked(&mut self, v: Value, mask: u64) -> Value {
        let mask = self.vconst(repeat(mask, 32));
        self.vbit(VBit::And, v, mask)
    }

    /// All ones in every word lane, or zeros if FPCR.FZ16 is set.
    fn half_subnormals_count(&mut self) -> Value {
        let fpcr = self.b.push(Inst::ReadSys(SysReg::Fpcr), Some(Type::I64));
        let fz16 = self.b.shift_imm(IntBin::Lshr, fpcr, 19);
        let one = self.b.i64(1);
        let fz16 = self.b.and(fz16, one);
        // 1 − 1 = 0, 0 − 1 = all ones.
        let keep = self.b.sub(fz16, one);
        self.b.pure(PureOp::VSplat(Lane::D2), &[keep])
    }
}
