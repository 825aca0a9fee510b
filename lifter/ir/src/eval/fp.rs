//! Floating-point operations by shape: a scalar, or the covered lanes of a vector in turn, the others zero. Takes and
//! gives raw bits; the arithmetic is `softfloat`'s.

use super::softfloat::{Fmt, FpEnv, arith, convert as conv, estimate, minmax};
use crate::op::{FBin, FCmp, FUn, Round};
use crate::types::{FShape, Type};
use std::cmp::Ordering;

/// Lane `i` of that many bits.
fn lane(v: u128, bits: u32, i: u32) -> u64 {
    (v >> (i * bits)) as u64 & (u64::MAX >> (64 - bits))
}

/// `f` of each covered lane's number and format.
fn each(shape: FShape, mut f: impl FnMut(u32, Fmt) -> u64) -> u128 {
    let (bits, format) = (shape.bits(), Fmt::of_bits(shape.bits()));
    (0..shape.count()).fold(0, |r, i| r | (f(i, format) as u128) << (i * bits))
}

/// `F`.
pub fn binary(op: FBin, shape: FShape, a: u128, b: u128, env: &mut FpEnv) -> u128 {
    let bits = shape.bits();
    each(shape, |i, f| {
        let (a, b) = (lane(a, bits, i), lane(b, bits, i));
        match op {
            FBin::Add => arith::add(env, f, a, b),
            FBin::Sub => arith::sub(env, f, a, b),
            FBin::Mul => arith::mul(env, f, a, b),
            FBin::Div => arith::div(env, f, a, b),
            FBin::MulX => arith::mulx(env, f, a, b),
            FBin::Max => minmax::extremum(env, f, a, b, true, false),
            FBin::Min => minmax::extremum(env, f, a, b, false, false),
            FBin::MaxNum => minmax::extremum(env, f, a, b, true, true),
            FBin::MinNum => minmax::extremum(env, f, a, b, false, true),
            FBin::RecipStep if shape.standard() => arith::recip_step_rounded(env, f, a, b),
            FBin::RsqrtStep if shape.standard() => arith::rsqrt_step_rounded(env, f, a, b),
            FBin::RecipStep => arith::recip_step(env, f, a, b),
            FBin::RsqrtStep => arith::rsqrt_step(env, f, a, b),
            FBin::AbsDiff => arith::abs_diff(env, f, a, b),
        }
    })
}

/// `FUn`.
pub fn unary(op: FUn, shape: FShape, a: u128, env: &mut FpEnv) -> u128 {
    let bits = shape.bits();
    each(shape, |i, f| {
        let a = lane(a, bits, i);
        match op {
            FUn::Abs => a & !f.zero(true),
            FUn::Neg => a ^ f.zero(true),
            FUn::Sqrt => arith::sqrt(env, f, a),
            FUn::RecipEst => estimate::recip(env, f, a),
            FUn::RsqrtEst => estimate::rsqrt(env, f, a),
            FUn::RecpX => estimate::recpx(env, f, a),
        }
    })
}

/// `FMulAdd`.
pub fn mul_add(shape: FShape, a: u128, b: u128, addend: u128, env: &mut FpEnv) -> u128 {
    let bits = shape.bits();
    each(shape, |i, f| arith::mul_add(env, f, lane(a, bits, i), lane(b, bits, i), lane(addend, bits, i)))
}

/// `FCmp`: 0 or 1, or a mask per lane.
pub fn compare(cmp: FCmp, signaling: bool, shape: FShape, a: u128, b: u128, env: &mut FpEnv) -> u128 {
    let bits = shape.bits();
    let yes = if shape.is_vector() { u64::MAX >> (64 - bits) } else { 1 };
    each(shape, |i, f| {
        let order = minmax::compare(env, f, lane(a, bits, i), lane(b, bits, i), signaling);
        let holds = match cmp {
            FCmp::Eq => order == Some(Ordering::Equal),
            FCmp::Gt => order == Some(Ordering::Greater),
            FCmp::Ge => order.is_some_and(Ordering::is_ge),
            FCmp::Lt => order == Some(Ordering::Less),
            FCmp::Le => order.is_some_and(Ordering::is_le),
            FCmp::Unordered => order.is_none(),
        };
        if holds { yes } else { 0 }
    })
}

/// `FConvert`.
pub fn convert(from: Type, to: Type, round: Round, a: u128, env: &mut FpEnv) -> u128 {
    conv::convert(env, Fmt::of_bits(from.bits()), Fmt::of_bits(to.bits()), a as u64, round) as u128
}

/// `FWiden`.
pub fn widen(from: FShape, high: bool, a: u128, env: &mut FpEnv) -> u128 {
    let bits = from.bits();
    let half = if high { a >> 64 } else { a as u64 as u128 };
    (0..from.count()).fold(0, |r, i| {
        let v = conv::convert(
            env,
            Fmt::of_bits(bits),
            Fmt::of_bits(2 * bits),
            lane(half, bits, i),
            Round::Current,
        );
        r | (v as u128) << (2 * bits * i)
    })
}

/// `FNarrow`.
pub fn narrow(from: FShape, round: Round, a: u128, env: &mut FpEnv) -> u128 {
    let bits = from.bits();
    (0..from.count()).fold(0, |r, i| {
        let v = conv::convert(env, Fmt::of_bits(bits), Fmt::of_bits(bits / 2), lane(a, bits, i), round);
        r | (v as u128) << (bits / 2 * i)
    })
}

/// `FToInt` to integers of `width` bits.
pub fn to_int(
    shape: FShape,
    width: u32,
    signed: bool,
    round: Round,
    fbits: u8,
    a: u128,
    env: &mut FpEnv,
) -> u128 {
    let bits = shape.bits();
    each(shape, |i, f| conv::to_fixed(env, f, lane(a, bits, i), width, signed, fbits as u32, round))
}

/// `IntToF` from integers of `width` bits.
pub fn from_int(shape: FShape, width: u32, signed: bool, fbits: u8, a: u128, env: &mut FpEnv) -> u128 {
    each(shape, |i, f| conv::from_fixed(env, f, lane(a, width, i), width, signed, fbits as u32))
}

/// `FRound`.
pub fn round_int(shape: FShape, round: Round, exact: bool, a: u128, env: &mut FpEnv) -> u128 {
    let bits = shape.bits();
    each(shape, |i, f| conv::round_int(env, f, lane(a, bits, i), round, exact))
}
