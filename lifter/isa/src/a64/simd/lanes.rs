//! Advanced SIMD copy, permute, extract, table lookup, across lanes and scalar pairwise (Arm ARM C4.1.96): what moves
//! whole elements, and what reduces a vector.

use super::operands::*;
use crate::a64::cx::{Cx, Lift, Undefined, bit, bits, rd, rm, rn};
use crate::a64::table::{Feature, Row};
use ir::{FBin, FShape, IntCmp, Lane, PureOp, Type, VBin, VBit, VReduce, Value};

/// Rows of this group.
pub const ROWS: &[&[Row]] = &[COPY, PERMUTE, ACROSS, FP_REDUCE, FP_REDUCE_HALF];

const COPY: &[Row] = rows! { AdvSimd:
    "DUP (element, vector)" "0q001110 000iiiii 000001 nnnnnddddd" dup_element;
    "DUP (element, scalar)" "01011110 000iiiii 000001 nnnnnddddd" dup_scalar;
    "DUP (general)" "0q001110 000iiiii 000011 nnnnnddddd" dup_general;
    "SMOV" "0q001110 000iiiii 001011 nnnnnddddd" smov;
    "UMOV" "0q001110 000iiiii 001111 nnnnnddddd" umov;
    "INS (general)" "01001110 000iiiii 000111 nnnnnddddd" ins_general;
    "INS (element)" "01101110 000iiiii 0jjjj1 nnnnnddddd" ins_element;
};

const PERMUTE: &[Row] = rows! { AdvSimd:
    "UZP1" "0q001110 ss0mmmmm 000110 nnnnnddddd" |cx, w| permute(cx, w, |i, _| 2 * i);
    "UZP2" "0q001110 ss0mmmmm 010110 nnnnnddddd" |cx, w| permute(cx, w, |i, _| 2 * i + 1);
    "TRN1" "0q001110 ss0mmmmm 001010 nnnnnddddd" |cx, w| permute(cx, w, |i, n| (i & !1) + (i & 1) * n);
    "TRN2" "0q001110 ss0mmmmm 011010 nnnnnddddd" |cx, w| permute(cx, w, |i, n| (i | 1) + (i & 1) * n);
    "ZIP1" "0q001110 ss0mmmmm 001110 nnnnnddddd" |cx, w| permute(cx, w, |i, n| i / 2 + (i & 1) * n);
    "ZIP2" "0q001110 ss0mmmmm 011110 nnnnnddddd" |cx, w| permute(cx, w, |i, n| i / 2 + n / 2 + (i & 1) * n);
    "EXT" "0q101110 000mmmmm 0iiii0 nnnnnddddd" ext;
    "TBL" "0q001110 000mmmmm 0ll000 nnnnnddddd" tbl;
    "TBX" "0q001110 000mmmmm 0ll100 nnnnnddddd" tbx;
};

const ACROSS: &[Row] = rows! { AdvSimd:
    "SADDLV" "0q001110 ss110000 001110 nnnnnddddd" |cx, w| add_long_across(cx, w, true);
    "UADDLV" "0q101110 ss110000 001110 nnnnnddddd" |cx, w| add_long_across(cx, w, false);
    "SMAXV" "0q001110 ss110000 101010 nnnnnddddd" |cx, w| across(cx, w, VReduce::SMax);
    "UMAXV" "0q101110 ss110000 101010 nnnnnddddd" |cx, w| across(cx, w, VReduce::UMax);
    "SMINV" "0q001110 ss110001 101010 nnnnnddddd" |cx, w| across(cx, w, VReduce::SMin);
    "UMINV" "0q101110 ss110001 101010 nnnnnddddd" |cx, w| across(cx, w, VReduce::UMin);
    "ADDV" "0q001110 ss110001 101110 nnnnnddddd" |cx, w| across(cx, w, VReduce::Add);
    "ADDP (scalar)" "01011110 11110001 101110 nnnnnddddd" addp_scalar;
};

const FP_REDUCE: &[Row] = rows! { AdvSimd:
    "FMAXNMV" "0q101110 00110000 110010 nnnnnddddd" |cx, w| float_across(cx, w, 32, FBin::MaxNum);
    "FMINNMV" "0q101110 10110000 110010 nnnnnddddd" |cx, w| float_across(cx, w, 32, FBin::MinNum);
    "FMAXV" "0q101110 00110000 111110 nnnnnddddd" |cx, w| float_across(cx, w, 32, FBin::Max);
    "FMINV" "0q101110 10110000 111110 nnnnnddddd" |cx, w| float_across(cx, w, 32, FBin::Min);
    "FMAXNMP (scalar)" "01111110 0z110000 110010 nnnnnddddd" |cx, w| float_pair(cx, w, FBin::MaxNum);
    "FMINNMP (scalar)" "01111110 1z110000 110010 nnnnnddddd" |cx, w| float_pair(cx, w, FBin::MinNum);
    "FADDP (scalar)" "01111110 0z110000 110110 nnnnnddddd" |cx, w| float_pair(cx, w, FBin::Add);
    "FMAXP (scalar)" "01111110 0z110000 111110 nnnnnddddd" |cx, w| float_pair(cx, w, FBin::Max);
    "FMINP (scalar)" "01111110 1z110000 111110 nnnnnddddd" |cx, w| float_pair(cx, w, FBin::Min);
};

const FP_REDUCE_HALF: &[Row] = rows! { Fp16:
    "FMAXNMV (half)" "0q001110 00110000 110010 nnnnnddddd" |cx, w| float_across(cx, w, 16, FBin::MaxNum);
    "FMINNMV (half)" "0q001110 10110000 110010 nnnnnddddd" |cx, w| float_across(cx, w, 16, FBin::MinNum);
    "FMAXV (half)" "0q001110 00110000 111110 nnnnnddddd" |cx, w| float_across(cx, w, 16, FBin::Max);
    "FMINV (half)" "0q001110 10110000 111110 nnnnnddddd" |cx, w| float_across(cx, w, 16, FBin::Min);
    "FMAXNMP (scalar, half)" "01011110 00110000 110010 nnnnnddddd" |cx, w| float_pair(cx, w, FBin::MaxNum);
    "FMINNMP (scalar, half)" "01011110 10110000 110010 nnnnnddddd" |cx, w| float_pair(cx, w, FBin::MinNum);
    "FADDP (scalar, half)" "01011110 00110000 110110 nnnnnddddd" |cx, w| float_pair(cx, w, FBin::Add);
    "FMAXP (scalar, half)" "01011110 00110000 111110 nnnnnddddd" |cx, w| float_pair(cx, w, FBin::Max);
    "FMINP (scalar, half)" "01011110 10110000 111110 nnnnnddddd" |cx, w| float_pair(cx, w, FBin::Min);
};

/// Element shape and index in imm5: the lowest set bit tells the size, the bits above it the index.
fn imm5(w: u32) -> Result<(Lane, u32), Undefined> {
    let imm = bits(w, 20, 16);
    let size = imm.trailing_zeros();
    if size > 3 { Err(Undefined) } else { Ok((Lane::of_bits(8 << size), imm >> (size + 1))) }
}

fn lane_bytes(lane: Lane) -> u8 {
    (lane.bits() / 8) as u8
}

/// `DUP Vd.T, Vn.Ts[index]`
fn dup_element(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, index) = imm5(w)?;
    if lane == Lane::D2 && !q(w) {
        return Err(Undefined);
    }
    let n = cx.vec(rn(w));
    let r = cx.splat_lane(lane, n, index);
    cx.set_vec_q(rd(w), q(w), r);
    Ok(None)
}

impl Cx<'_, '_> {
    /// Lane `index` of `v` in every lane.
    pub(crate) fn splat_lane(&mut self, lane: Lane, v: Value, index: u32) -> Value {
        self.shuffle(v, v, element_selector(lane_bytes(lane), |_| Some(index as u8)))
    }
}

/// `DUP Vd, Vn.Ts[index]` (MOV)
fn dup_scalar(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, index) = imm5(w)?;
    let n = cx.vec(rn(w));
    let bytes = lane_bytes(lane);
    let r = cx.shuffle(n, n, element_selector(bytes, |i| if i == 0 { Some(index as u8) } else { None }));
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `DUP Vd.T, Rn`
fn dup_general(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, _) = imm5(w)?;
    if lane == Lane::D2 && !q(w) {
        return Err(Undefined);
    }
    let n = element_from_gpr(cx, w, lane);
    let r = cx.b.pure(PureOp::VSplat(lane), &[n]);
    cx.set_vec_q(rd(w), q(w), r);
    Ok(None)
}

fn element_from_gpr(cx: &mut Cx<'_, '_>, w: u32, lane: Lane) -> Value {
    let n = cx.gpr(true, rn(w));
    cx.b.zext_or_trunc(lane.scalar(), n)
}

/// `SMOV Rd, Vn.Ts[index]`: to W from B and H, to X from S, too.
fn smov(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, index) = imm5(w)?;
    if lane.bits() >= if q(w) { 64 } else { 32 } {
        return Err(Undefined);
    }
    let n = cx.vec(rn(w));
    let e = cx.b.pure(PureOp::VExtract(lane, index as u8), &[n]);
    let r = cx.b.sext_or_trunc(if q(w) { Type::I64 } else { Type::I32 }, e);
    cx.set_gpr(rd(w), r);
    Ok(None)
}

/// `UMOV Rd, Vn.Ts[index]`: to W from B, H and S, to X from D.
fn umov(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, index) = imm5(w)?;
    if (lane == Lane::D2) != q(w) {
        return Err(Undefined);
    }
    let n = cx.vec(rn(w));
    let e = cx.b.pure(PureOp::VExtract(lane, index as u8), &[n]);
    cx.set_gpr(rd(w), e);
    Ok(None)
}

/// `INS Vd.Ts[index], Rn`
fn ins_general(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, index) = imm5(w)?;
    let n = element_from_gpr(cx, w, lane);
    let d = cx.vec(rd(w));
    let r = cx.b.pure(PureOp::VInsert(lane, index as u8), &[d, n]);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `INS Vd.Ts[index1], Vn.Ts[index2]`
fn ins_element(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let (lane, index) = imm5(w)?;
    let bytes = lane_bytes(lane);
    let from = (bits(w, 14, 11) as u8) / bytes;
    let (d, n) = (cx.vec(rd(w)), cx.vec(rn(w)));
    let sel = element_selector(bytes, |i| Some(if i == index as u8 { from + 16 / bytes } else { i }));
    let r = cx.shuffle(d, n, sel);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `ZIP1 Vd.T, Vn.T, Vm.T`: element i of the result is element `f(i, n)` of Vm:Vn, n being the elements of a register.
fn permute(cx: &mut Cx<'_, '_>, w: u32, f: fn(u8, u8) -> u8) -> Lift {
    let (lane, width) = lanes(w)?;
    let bytes = lane_bytes(lane);
    let count = if width == Width::Full { 16 / bytes } else { 8 / bytes };
    let (n, m) = cx.vec_nm(w);
    let sel = element_selector(bytes, |i| {
        if i >= count {
            return None;
        }
        let e = f(i, count);
        Some(if e < count { e } else { e - count + 16 / bytes })
    });
    let r = cx.shuffle(n, m, sel);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// `EXT Vd.T, Vn.T, Vm.T, #index`
fn ext(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let index = bits(w, 14, 11) as u8;
    if !q(w) && index >= 8 {
        return Err(Undefined);
    }
    let count = if q(w) { 16 } else { 8 };
    let (n, m) = cx.vec_nm(w);
    let sel = selector(|i| {
        if i >= count {
            return None;
        }
        let e = i + index;
        Some(if e < count { e } else { e - count + 16 })
    });
    let r = cx.shuffle(n, m, sel);
    cx.set_vec(rd(w), r);
    Ok(None)
}

/// The bytes of the table Vn, Vn+1… that the bytes of Vm select; zero if beyond its end.
fn lookup(cx: &mut Cx<'_, '_>, w: u32) -> Value {
    let indices = cx.vec(rm(w));
    let mut r = None;
    for i in 0..=bits(w, 14, 13) {
        let table = cx.vec((rn(w) + i) & 31);
        // An index of another register's part wraps to 16 or more, and gives zero.
        let local = if i == 0 {
            indices
        } else {
            let base = cx.vconst(repeat(u64::from(16 * i), 8));
            cx.v2(VBin::Sub, Lane::B16, indices, base)
        };
        let part = cx.b.pure(PureOp::VLookup, &[table, local]);
        r = Some(match r {
            None => part,
            Some(r) => cx.vbit(VBit::Or, r, part),
        });
    }
    r.expect("invariant: a table has at least one register")
}

/// `TBL Vd.T, {Vn.16B…}, Vm.T`
fn tbl(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let r = lookup(cx, w);
    cx.set_vec_q(rd(w), q(w), r);
    Ok(None)
}

/// `TBX Vd.T, {Vn.16B…}, Vm.T`: bytes with an index beyond the table stay.
fn tbx(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let found = lookup(cx, w);
    let (d, indices) = (cx.vec(rd(w)), cx.vec(rm(w)));
    let end = cx.vconst(repeat(u64::from(16 * (bits(w, 14, 13) + 1)), 8));
    let mask = cx.b.pure(PureOp::VCmp(IntCmp::Ult, Lane::B16), &[indices, end]);
    let r = cx.b.pure(PureOp::VBitSelect, &[mask, found, d]);
    cx.set_vec_q(rd(w), q(w), r);
    Ok(None)
}

/// Element shape of an across-lanes instruction: at least four elements.
fn across_lanes(w: u32) -> Result<Lane, Undefined> {
    let (lane, width) = lanes_to_s(w)?;
    if lane == Lane::S4 && width == Width::Half { Err(Undefined) } else { Ok(lane) }
}

/// `ADDV Vd, Vn.T`
fn across(cx: &mut Cx<'_, '_>, w: u32, op: VReduce) -> Lift {
    let lane = across_lanes(w)?;
    let mut n = cx.vec(rn(w));
    if !q(w) {
        // The low half twice changes no minimum or maximum, zero above it no sum.
        n = match op {
            VReduce::Add => cx.covered(n, lane, Width::Half),
            VReduce::SMin | VReduce::SMax | VReduce::UMin | VReduce::UMax => cx.splat_lane(Lane::D2, n, 0),
        };
    }
    let r = cx.b.pure(PureOp::VReduce(op, lane), &[n]);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

/// `SADDLV Vd, Vn.T`
fn add_long_across(cx: &mut Cx<'_, '_>, w: u32, signed: bool) -> Lift {
    let lane = across_lanes(w)?;
    let wide = Lane::of_bits(2 * lane.bits());
    let n = cx.vec(rn(w));
    let mut sums = cx.widen(lane, signed, false, n);
    if q(w) {
        let high = cx.widen(lane, signed, true, n);
        sums = cx.v2(VBin::Add, wide, sums, high);
    }
    let r = cx.b.pure(PureOp::VReduce(VReduce::Add, wide), &[sums]);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

/// `ADDP Dd, Vn.2D`
fn addp_scalar(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    let n = cx.vec(rn(w));
    let r = cx.b.pure(PureOp::VReduce(VReduce::Add, Lane::D2), &[n]);
    cx.set_scalar(rd(w), r);
    Ok(None)
}

/// `FMAXV Vd, Vn.T`: the manual's Reduce() halves the vector recursively, so neighbours are combined first.
fn float_across(cx: &mut Cx<'_, '_>, w: u32, element: u32, op: FBin) -> Lift {
    let count = if q(w) { 128 } else { 64 } / element;
    if count < 4 {
        return Err(Undefined);
    }
    let mut v = cx.vec(rn(w));
    let lane = Lane::of_bits(element);
    let mut left = count;
    while left > 2 {
        let shape = FShape::vector(element, false).ok_or(Undefined)?;
        // Zeros beyond what is left: they raise no exception.
        let pick = |odd: u8| {
            element_selector(
                lane_bytes(lane),
                |i| if u32::from(i) < left / 2 { Some(2 * i + odd) } else { None },
            )
        };
        let (even, odd) = (cx.shuffle(v, v, pick(0)), cx.shuffle(v, v, pick(1)));
        v = cx.b.pure(PureOp::F(op, shape), &[even, odd]);
        left /= 2;
    }
    reduce_pair(cx, w, FShape::scalar(element), op, v);
    Ok(None)
}

/// `FADDP Vd, Vn.2T`
fn float_pair(cx: &mut Cx<'_, '_>, w: u32, op: FBin) -> Lift {
    let element = if !bit(w, 29) { 16 } else { 32 << bits(w, 22, 22) };
    let n = cx.vec(rn(w));
    reduce_pair(cx, w, FShape::scalar(element), op, n);
    Ok(None)
}

fn reduce_pair(cx: &mut Cx<'_, '_>, w: u32, shape: FShape, op: FBin, v: Value) {
    let mut element = |i| {
        let e = cx.b.pure(PureOp::VExtract(shape.lane(), i), &[v]);
        cx.b.bitcast(shape.ty(), e)
    };
    let (low, high) = (element(0), element(1));
    let r = cx.b.pure(PureOp::F(op, shape), &[low, high]);
    cx.set_scalar(rd(w), r);
}
