//! Saturating arithmetic on words and halves (Arm ARM F4.1.6, F4.1.16): QADD and its like, SSAT and its like. Q is set, never
//! cleared.

use super::data_thumb::imm5;
use super::media::halves;
use super::{Registers, a32, no_pc, t32};
use crate::a32::cx::{Cx, Lift, Undefined, bit, bits};
use crate::a32::shift::Shift;
use crate::a32::table::{Row, row_table};
use ir::{IntBin, IntCmp, PureOp, Type, Value};

/// Rows of A32. In patterns, `z` and `o` are bits that should be 0 and 1.
pub static A32: &[Row] = row_table! { A32:
    "QADD" "cccc 00010000 nnnn dddd zzzz 0101 mmmm" Base |cx, w| add(cx, a32(w), IntBin::Add, false);
    "QSUB" "cccc 00010010 nnnn dddd zzzz 0101 mmmm" Base |cx, w| add(cx, a32(w), IntBin::Sub, false);
    "QDADD" "cccc 00010100 nnnn dddd zzzz 0101 mmmm" Base |cx, w| add(cx, a32(w), IntBin::Add, true);
    "QDSUB" "cccc 00010110 nnnn dddd zzzz 0101 mmmm" Base |cx, w| add(cx, a32(w), IntBin::Sub, true);
    "SSAT" "cccc 0110101 sssss dddd iiiii h 01 nnnn" Base |cx, w| saturate_a32(cx, w, true);
    "USAT" "cccc 0110111 sssss dddd iiiii h 01 nnnn" Base |cx, w| saturate_a32(cx, w, false);
    "SSAT16" "cccc 01101010 ssss dddd oooo 0011 nnnn" Base |cx, w| {
        saturate_halves(cx, [bits(w, 15, 12), bits(w, 3, 0)], limits(bits(w, 19, 16) + 1, true))
    };
    "USAT16" "cccc 01101110 ssss dddd oooo 0011 nnnn" Base |cx, w| {
        saturate_halves(cx, [bits(w, 15, 12), bits(w, 3, 0)], limits(bits(w, 19, 16), false))
    };
};

/// Rows of T32.
pub static T32: &[Row] = row_table! { T32:
    "QADD" "111110101000 nnnn 1111 dddd 1000 mmmm" Base |cx, w| add(cx, t32(w), IntBin::Add, false);
    "QDADD" "111110101000 nnnn 1111 dddd 1001 mmmm" Base |cx, w| add(cx, t32(w), IntBin::Add, true);
    "QSUB" "111110101000 nnnn 1111 dddd 1010 mmmm" Base |cx, w| add(cx, t32(w), IntBin::Sub, false);
    "QDSUB" "111110101000 nnnn 1111 dddd 1011 mmmm" Base |cx, w| add(cx, t32(w), IntBin::Sub, true);
    "SSAT" "11110z1100h0 nnnn 0 iii dddd ii z sssss" Base |cx, w| saturate_t32(cx, w, true);
    "USAT" "11110z1110h0 nnnn 0 iii dddd ii z sssss" Base |cx, w| saturate_t32(cx, w, false);
    "SSAT16" "11110z110010 nnnn 0000 dddd 00 zz ssss" Base |cx, w| {
        saturate_halves(cx, [bits(w, 11, 8), bits(w, 19, 16)], limits(bits(w, 3, 0) + 1, true))
    };
    "USAT16" "11110z111010 nnnn 0000 dddd 00 zz ssss" Base |cx, w| {
        saturate_halves(cx, [bits(w, 11, 8), bits(w, 19, 16)], limits(bits(w, 3, 0), false))
    };
};

/// The i64 `v` saturated to a signed word, i32, and whether that changed it.
fn to_word(cx: &mut Cx<'_, '_>, v: Value) -> (Value, Value) {
    let (least, most) = (cx.b.i64(i64::from(i32::MIN) as u64), cx.b.i64(i32::MAX as u64));
    let clamped = cx.b.bin(IntBin::SMax, v, least);
    let clamped = cx.b.bin(IntBin::SMin, clamped, most);
    let saturated = cx.b.cmp(IntCmp::Ne, clamped, v);
    (cx.b.zext_or_trunc(Type::I32, clamped), saturated)
}

/// `QADD|QSUB|QDADD|QDSUB Rd, Rm, Rn`: Rn doubled first, with saturation.
fn add(cx: &mut Cx<'_, '_>, r: Registers, op: IntBin, double: bool) -> Lift {
    let r = r.no_pc()?;
    let [m, mut n] = [r.m, r.n].map(|r| {
        let v = cx.reg(r);
        cx.b.sext_or_trunc(Type::I64, v)
    });
    let mut first = None;
    if double {
        let twice = cx.b.add(n, n);
        let (v, saturated) = to_word(cx, twice);
        n = cx.b.sext_or_trunc(Type::I64, v);
        first = Some(saturated);
    }
    let v = cx.b.bin(op, m, n);
    let (v, mut saturated) = to_word(cx, v);
    if let Some(first) = first {
        saturated = cx.b.or(saturated, first);
    }
    cx.set_reg(r.d, v);
    cx.accumulate_q(saturated);
    Ok(None)
}

/// Least and greatest number of `bits` bits.
const fn limits(bits: u32, signed: bool) -> [i32; 2] {
    let (signed, bits) = if signed { (true, bits - 1) } else { (false, bits) };
    let most = ((1u64 << bits) - 1) as i32;
    [if signed { !most } else { 0 }, most]
}

/// The i32 `v` within the limits, and whether that changed it.
fn clamp(cx: &mut Cx<'_, '_>, v: Value, [least, most]: [i32; 2]) -> (Value, Value) {
    let (least, most) = (cx.i32(least as u32), cx.i32(most as u32));
    let clamped = cx.b.bin(IntBin::SMax, v, least);
    let clamped = cx.b.bin(IntBin::SMin, clamped, most);
    let saturated = cx.b.cmp(IntCmp::Ne, clamped, v);
    (clamped, saturated)
}

/// `SSAT|USAT Rd, #imm, Rn, shift #n`.
fn saturate(cx: &mut Cx<'_, '_>, [d, n]: [u32; 2], shift: Shift, limits: [i32; 2]) -> Lift {
    no_pc(&[d, n])?;
    let v = cx.reg(n);
    let (v, _) = cx.shifted(v, shift, false);
    let (v, saturated) = clamp(cx, v, limits);
    cx.set_reg(d, v);
    cx.accumulate_q(saturated);
    Ok(None)
}

fn saturate_a32(cx: &mut Cx<'_, '_>, w: u32, signed: bool) -> Lift {
    let shift = match (bit(w, 6), bits(w, 11, 7)) {
        (false, n) => Shift::Lsl(n),
        (true, 0) => Shift::Asr(32),
        (true, n) => Shift::Asr(n),
    };
    let limits = limits(bits(w, 20, 16) + signed as u32, signed);
    saturate(cx, [bits(w, 15, 12), bits(w, 3, 0)], shift, limits)
}

fn saturate_t32(cx: &mut Cx<'_, '_>, w: u32, signed: bool) -> Lift {
    let shift = match (bit(w, 21), imm5(w)) {
        (false, n) => Shift::Lsl(n),
        // SSAT16, USAT16 with a bit that should be 0.
        (true, 0) => return Err(Undefined),
        (true, n) => Shift::Asr(n),
    };
    let limits = limits(bits(w, 4, 0) + signed as u32, signed);
    saturate(cx, [bits(w, 11, 8), bits(w, 19, 16)], shift, limits)
}

/// `SSAT16|USAT16 Rd, #imm, Rn`.
fn saturate_halves(cx: &mut Cx<'_, '_>, [d, n]: [u32; 2], limits: [i32; 2]) -> Lift {
    no_pc(&[d, n])?;
    let v = cx.reg(n);
    let low = cx.b.pure_ty(PureOp::Trunc, Type::I16, &[v]);
    let low = cx.b.sext_or_trunc(Type::I32, low);
    let high = cx.b.shift_imm(IntBin::Ashr, v, 16);
    let (low, first) = clamp(cx, low, limits);
    let (high, second) = clamp(cx, high, limits);
    let saturated = cx.b.or(first, second);
    let v = halves(cx, low, high);
    cx.set_reg(d, v);
    cx.accumulate_q(saturated);
    Ok(None)
}
