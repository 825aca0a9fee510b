//! Parallel addition and subtraction (Arm ARM F4.1.15, F3.1.16), SEL, and sums of absolute differences. Sums modulo the lane are
//! made in one general register, so that GE is cut out of one word and SEL's mask is made of it again: that is how C libraries
//! look for a zero byte.

use super::{Registers, a32, no_pc, t32};
use crate::a32::cx::{Cx, Lift, rd, rm, rn, rs};
use crate::a32::reg;
use crate::a32::table::{Row, row_table};
use ir::{IntBin, Lane, PureOp, Type, VBin, VReduce, VSat, Value};

/// Rows of A32. In patterns, `o` are bits that should be 1.
pub static A32: &[Row] = row_table! { A32:
    "SADD16" "cccc 01100001 nnnn dddd oooo 0001 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::Signed, Form::Add16);
    "SASX" "cccc 01100001 nnnn dddd oooo 0011 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::Signed, Form::Asx);
    "SSAX" "cccc 01100001 nnnn dddd oooo 0101 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::Signed, Form::Sax);
    "SSUB16" "cccc 01100001 nnnn dddd oooo 0111 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::Signed, Form::Sub16);
    "SADD8" "cccc 01100001 nnnn dddd oooo 1001 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::Signed, Form::Add8);
    "SSUB8" "cccc 01100001 nnnn dddd oooo 1111 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::Signed, Form::Sub8);
    "QADD16" "cccc 01100010 nnnn dddd oooo 0001 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::SignedSaturated, Form::Add16);
    "QASX" "cccc 01100010 nnnn dddd oooo 0011 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::SignedSaturated, Form::Asx);
    "QSAX" "cccc 01100010 nnnn dddd oooo 0101 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::SignedSaturated, Form::Sax);
    "QSUB16" "cccc 01100010 nnnn dddd oooo 0111 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::SignedSaturated, Form::Sub16);
    "QADD8" "cccc 01100010 nnnn dddd oooo 1001 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::SignedSaturated, Form::Add8);
    "QSUB8" "cccc 01100010 nnnn dddd oooo 1111 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::SignedSaturated, Form::Sub8);
    "SHADD16" "cccc 01100011 nnnn dddd oooo 0001 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::SignedHalved, Form::Add16);
    "SHASX" "cccc 01100011 nnnn dddd oooo 0011 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::SignedHalved, Form::Asx);
    "SHSAX" "cccc 01100011 nnnn dddd oooo 0101 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::SignedHalved, Form::Sax);
    "SHSUB16" "cccc 01100011 nnnn dddd oooo 0111 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::SignedHalved, Form::Sub16);
    "SHADD8" "cccc 01100011 nnnn dddd oooo 1001 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::SignedHalved, Form::Add8);
    "SHSUB8" "cccc 01100011 nnnn dddd oooo 1111 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::SignedHalved, Form::Sub8);
    "UADD16" "cccc 01100101 nnnn dddd oooo 0001 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::Unsigned, Form::Add16);
    "UASX" "cccc 01100101 nnnn dddd oooo 0011 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::Unsigned, Form::Asx);
    "USAX" "cccc 01100101 nnnn dddd oooo 0101 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::Unsigned, Form::Sax);
    "USUB16" "cccc 01100101 nnnn dddd oooo 0111 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::Unsigned, Form::Sub16);
    "UADD8" "cccc 01100101 nnnn dddd oooo 1001 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::Unsigned, Form::Add8);
    "USUB8" "cccc 01100101 nnnn dddd oooo 1111 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::Unsigned, Form::Sub8);
    "UQADD16" "cccc 01100110 nnnn dddd oooo 0001 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::UnsignedSaturated, Form::Add16);
    "UQASX" "cccc 01100110 nnnn dddd oooo 0011 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::UnsignedSaturated, Form::Asx);
    "UQSAX" "cccc 01100110 nnnn dddd oooo 0101 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::UnsignedSaturated, Form::Sax);
    "UQSUB16" "cccc 01100110 nnnn dddd oooo 0111 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::UnsignedSaturated, Form::Sub16);
    "UQADD8" "cccc 01100110 nnnn dddd oooo 1001 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::UnsignedSaturated, Form::Add8);
    "UQSUB8" "cccc 01100110 nnnn dddd oooo 1111 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::UnsignedSaturated, Form::Sub8);
    "UHADD16" "cccc 01100111 nnnn dddd oooo 0001 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::UnsignedHalved, Form::Add16);
    "UHASX" "cccc 01100111 nnnn dddd oooo 0011 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::UnsignedHalved, Form::Asx);
    "UHSAX" "cccc 01100111 nnnn dddd oooo 0101 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::UnsignedHalved, Form::Sax);
    "UHSUB16" "cccc 01100111 nnnn dddd oooo 0111 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::UnsignedHalved, Form::Sub16);
    "UHADD8" "cccc 01100111 nnnn dddd oooo 1001 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::UnsignedHalved, Form::Add8);
    "UHSUB8" "cccc 01100111 nnnn dddd oooo 1111 mmmm" Base |cx, w| parallel(cx, a32(w), Kind::UnsignedHalved, Form::Sub8);
    "SEL" "cccc 01101000 nnnn dddd oooo 1011 mmmm" Base |cx, w| sel(cx, a32(w));
    "USADA8" "cccc 01111000 dddd aaaa mmmm 0001 nnnn" Base |cx, w| {
        usad(cx, Registers { d: rn(w), n: rm(w), m: rs(w) }, Some(rd(w)))
    };
    "USAD8" "cccc 01111000 dddd 1111 mmmm 0001 nnnn" Base |cx, w| {
        usad(cx, Registers { d: rn(w), n: rm(w), m: rs(w) }, None)
    };
};

/// Rows of T32.
pub static T32: &[Row] = row_table! { T32:
    "SADD16" "111110101001 nnnn 1111 dddd 0000 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::Signed, Form::Add16);
    "SASX" "111110101010 nnnn 1111 dddd 0000 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::Signed, Form::Asx);
    "SSAX" "111110101110 nnnn 1111 dddd 0000 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::Signed, Form::Sax);
    "SSUB16" "111110101101 nnnn 1111 dddd 0000 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::Signed, Form::Sub16);
    "SADD8" "111110101000 nnnn 1111 dddd 0000 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::Signed, Form::Add8);
    "SSUB8" "111110101100 nnnn 1111 dddd 0000 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::Signed, Form::Sub8);
    "QADD16" "111110101001 nnnn 1111 dddd 0001 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::SignedSaturated, Form::Add16);
    "QASX" "111110101010 nnnn 1111 dddd 0001 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::SignedSaturated, Form::Asx);
    "QSAX" "111110101110 nnnn 1111 dddd 0001 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::SignedSaturated, Form::Sax);
    "QSUB16" "111110101101 nnnn 1111 dddd 0001 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::SignedSaturated, Form::Sub16);
    "QADD8" "111110101000 nnnn 1111 dddd 0001 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::SignedSaturated, Form::Add8);
    "QSUB8" "111110101100 nnnn 1111 dddd 0001 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::SignedSaturated, Form::Sub8);
    "SHADD16" "111110101001 nnnn 1111 dddd 0010 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::SignedHalved, Form::Add16);
    "SHASX" "111110101010 nnnn 1111 dddd 0010 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::SignedHalved, Form::Asx);
    "SHSAX" "111110101110 nnnn 1111 dddd 0010 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::SignedHalved, Form::Sax);
    "SHSUB16" "111110101101 nnnn 1111 dddd 0010 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::SignedHalved, Form::Sub16);
    "SHADD8" "111110101000 nnnn 1111 dddd 0010 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::SignedHalved, Form::Add8);
    "SHSUB8" "111110101100 nnnn 1111 dddd 0010 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::SignedHalved, Form::Sub8);
    "UADD16" "111110101001 nnnn 1111 dddd 0100 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::Unsigned, Form::Add16);
    "UASX" "111110101010 nnnn 1111 dddd 0100 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::Unsigned, Form::Asx);
    "USAX" "111110101110 nnnn 1111 dddd 0100 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::Unsigned, Form::Sax);
    "USUB16" "111110101101 nnnn 1111 dddd 0100 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::Unsigned, Form::Sub16);
    "UADD8" "111110101000 nnnn 1111 dddd 0100 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::Unsigned, Form::Add8);
    "USUB8" "111110101100 nnnn 1111 dddd 0100 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::Unsigned, Form::Sub8);
    "UQADD16" "111110101001 nnnn 1111 dddd 0101 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::UnsignedSaturated, Form::Add16);
    "UQASX" "111110101010 nnnn 1111 dddd 0101 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::UnsignedSaturated, Form::Asx);
    "UQSAX" "111110101110 nnnn 1111 dddd 0101 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::UnsignedSaturated, Form::Sax);
    "UQSUB16" "111110101101 nnnn 1111 dddd 0101 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::UnsignedSaturated, Form::Sub16);
    "UQADD8" "111110101000 nnnn 1111 dddd 0101 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::UnsignedSaturated, Form::Add8);
    "UQSUB8" "111110101100 nnnn 1111 dddd 0101 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::UnsignedSaturated, Form::Sub8);
    "UHADD16" "111110101001 nnnn 1111 dddd 0110 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::UnsignedHalved, Form::Add16);
    "UHASX" "111110101010 nnnn 1111 dddd 0110 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::UnsignedHalved, Form::Asx);
    "UHSAX" "111110101110 nnnn 1111 dddd 0110 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::UnsignedHalved, Form::Sax);
    "UHSUB16" "111110101101 nnnn 1111 dddd 0110 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::UnsignedHalved, Form::Sub16);
    "UHADD8" "111110101000 nnnn 1111 dddd 0110 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::UnsignedHalved, Form::Add8);
    "UHSUB8" "111110101100 nnnn 1111 dddd 0110 mmmm" Base |cx, w| parallel(cx, t32(w), Kind::UnsignedHalved, Form::Sub8);
    "SEL" "111110101010 nnnn 1111 dddd 1000 mmmm" Base |cx, w| sel(cx, t32(w));
    "USADA8" "111110110111 nnnn aaaa dddd 0000 mmmm" Base |cx, w| usad(cx, t32(w), Some(rd(w)));
    "USAD8" "111110110111 nnnn 1111 dddd 0000 mmmm" Base |cx, w| usad(cx, t32(w), None);
};

/// The six prefixes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Modulo the lane; GE: not negative.
    Signed,
    SignedSaturated,
    SignedHalved,
    /// Modulo the lane; GE: carry, or no borrow.
    Unsigned,
    UnsignedSaturated,
    UnsignedHalved,
}

/// What is added and subtracted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Add16,
    /// Upper halves: Rn's plus Rm's lower; lower: Rn's minus Rm's upper.
    Asx,
    /// Upper halves: Rn's minus Rm's lower; lower: Rn's plus Rm's upper.
    Sax,
    Sub16,
    Add8,
    Sub8,
}

/// `{S|Q|SH|U|UQ|UH}{ADD16|ASX|SAX|SUB16|ADD8|SUB8} Rd, Rn, Rm`.
fn parallel(cx: &mut Cx<'_, '_>, r: Registers, kind: Kind, form: Form) -> Lift {
    let r = r.no_pc()?;
    let (a, mut b) = (cx.reg(r.n), cx.reg(r.m));
    let lane = if matches!(form, Form::Add8 | Form::Sub8) { Lane::B16 } else { Lane::H8 };
    let (v, ge) = match form {
        Form::Add16 | Form::Add8 => lanes(cx, a, b, kind, false, lane),
        Form::Sub16 | Form::Sub8 => lanes(cx, a, b, kind, true, lane),
        Form::Asx | Form::Sax => {
            b = cx.b.shift_imm(IntBin::Rotr, b, 16);
            let sub_high = form == Form::Sax;
            let (low, low_ge) = lanes(cx, a, b, kind, !sub_high, lane);
            let (high, high_ge) = lanes(cx, a, b, kind, sub_high, lane);
            let ge = low_ge.zip(high_ge).map(|(low, high)| mixed(cx, low, high));
            (mixed(cx, low, high), ge)
        }
    };
    cx.set_reg(r.d, v);
    if let Some(ge) = ge {
        let (top, lowest) = if lane == Lane::B16 { (7, 0x0101_0101) } else { (15, 0x0001_0001) };
        let bits = cx.b.shift_imm(IntBin::Lshr, ge, top);
        let lowest = cx.i32(lowest);
        let mut ge = cx.b.and(bits, lowest);
        if lane == Lane::H8 {
            let upper = cx.b.shift_imm(IntBin::Shl, ge, 8);
            ge = cx.b.or(ge, upper);
        }
        cx.set(reg::GE, ge);
    }
    Ok(None)
}

/// Bits 15:0 of one and 31:16 of another.
fn mixed(cx: &mut Cx<'_, '_>, low: Value, high: Value) -> Value {
    let (lower, upper) = (cx.i32(0xffff), cx.i32(0xffff_0000));
    let (low, high) = (cx.b.and(low, lower), cx.b.and(high, upper));
    cx.b.or(low, high)
}

/// Every lane's sum or difference, and, if the kind sets GE, a word whose lanes' top bits it is.
fn lanes(
    cx: &mut Cx<'_, '_>,
    a: Value,
    b: Value,
    kind: Kind,
    subtract: bool,
    lane: Lane,
) -> (Value, Option<Value>) {
    let op = match (kind, subtract) {
        (Kind::Signed | Kind::Unsigned, _) => return modular(cx, a, b, kind, subtract, lane),
        (Kind::SignedSaturated, false) => PureOp::VSat(VSat::SQAdd, lane),
        (Kind::SignedSaturated, true) => PureOp::VSat(VSat::SQSub, lane),
        (Kind::SignedHalved, false) => PureOp::V(VBin::SHAdd, lane),
        (Kind::SignedHalved, true) => PureOp::V(VBin::SHSub, lane),
        (Kind::UnsignedSaturated, false) => PureOp::VSat(VSat::UQAdd, lane),
        (Kind::UnsignedSaturated, true) => PureOp::VSat(VSat::UQSub, lane),
        (Kind::UnsignedHalved, false) => PureOp::V(VBin::UHAdd, lane),
        (Kind::UnsignedHalved, true) => PureOp::V(VBin::UHSub, lane),
    };
    let (a, b) = (cx.b.pure(PureOp::VFromScalar, &[a]), cx.b.pure(PureOp::VFromScalar, &[b]));
    let v = cx.b.pure(op, &[a, b]);
    (cx.b.pure_ty(PureOp::VToScalar, Type::I32, &[v]), None)
}

fn modular(
    cx: &mut Cx<'_, '_>,
    a: Value,
    b: Value,
    kind: Kind,
    subtract: bool,
    lane: Lane,
) -> (Value, Option<Value>) {
    let tops = if lane == Lane::B16 { 0x8080_8080 } else { 0x8000_8000 };
    let (top, rest) = (cx.i32(tops), cx.i32(!tops));
    // Subtracting is adding the complement and a carry, which the borrowed top bits bring in.
    let addend = if subtract { cx.complement(b) } else { b };
    let low_b = cx.b.and(b, rest);
    let sum = if subtract {
        let a = cx.b.or(a, top);
        cx.b.sub(a, low_b)
    } else {
        let a = cx.b.and(a, rest);
        cx.b.add(a, low_b)
    };
    let differ = cx.b.xor(a, addend);
    let differ_top = cx.b.and(differ, top);
    let v = cx.b.xor(sum, differ_top);
    // Carry out of each lane, in its top bit.
    let (both, either) = (cx.b.and(a, addend), cx.b.or(a, addend));
    let not_v = cx.b.not(v);
    let propagated = cx.b.and(either, not_v);
    let carry = cx.b.or(both, propagated);
    let ge = if kind == Kind::Signed {
        // The sign of the sum with one bit more.
        let sign = cx.b.xor(differ, carry);
        cx.b.not(sign)
    } else {
        carry
    };
    (v, Some(ge))
}

/// `SEL Rd, Rn, Rm`: each byte of Rn where GE is 1, else of Rm.
fn sel(cx: &mut Cx<'_, '_>, r: Registers) -> Lift {
    let r = r.no_pc()?;
    let (n, m) = (cx.reg(r.n), cx.reg(r.m));
    let ones = cx.b.get(reg::GE);
    // Bytes of 1 become bytes of 255.
    let next = cx.b.shift_imm(IntBin::Shl, ones, 8);
    let mask = cx.b.sub(next, ones);
    let n = cx.b.and(n, mask);
    let not = cx.b.not(mask);
    let m = cx.b.and(m, not);
    let v = cx.b.or(n, m);
    cx.set_reg(r.d, v);
    Ok(None)
}

/// `USAD8 Rd, Rn, Rm`, `USADA8 Rd, Rn, Rm, Ra`.
fn usad(cx: &mut Cx<'_, '_>, r: Registers, a: Option<u32>) -> Lift {
    let r = r.no_pc()?;
    let [n, m] = [r.n, r.m].map(|r| {
        let v = cx.reg(r);
        cx.b.pure(PureOp::VFromScalar, &[v])
    });
    let v = cx.b.pure(PureOp::V(VBin::UAbsDiff, Lane::B16), &[n, m]);
    let v = cx.b.pure(PureOp::VWiden { lane: Lane::B16, signed: false, high: false }, &[v]);
    let v = cx.b.pure(PureOp::VReduce(VReduce::Add, Lane::H8), &[v]);
    let mut v = cx.b.zext_or_trunc(Type::I32, v);
    if let Some(a) = a {
        no_pc(&[a])?;
        let a = cx.reg(a);
        v = cx.b.add(a, v);
    }
    cx.set_reg(r.d, v);
    Ok(None)
}
