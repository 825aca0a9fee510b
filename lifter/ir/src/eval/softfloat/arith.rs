//! Addition, multiplication, division, square root and the fused operations.

use super::round::{Real, round};
use super::*;

/// The value with the top bit of its mantissa at bit 125: room for a carry, and 64 bits of rest for aligned addends.
fn normal(sign: bool, exp: i32, mant: u128) -> Real {
    let shift = mant.leading_zeros() as i32 - 2;
    Real::exact(sign, exp - shift, mant << shift)
}

/// The sum, `None` if it is exactly zero. Operands of at most 106 significant bits: what alignment shifts out then
/// leaves so many bits that it counts as sticky only.
fn sum(a: Real, b: Real) -> Option<Real> {
    let (big, small) = if (a.exp, a.mant) >= (b.exp, b.mant) { (a, b) } else { (b, a) };
    let d = (big.exp - small.exp) as u32;
    let (aligned, sticky) = match d {
        0..128 => (small.mant >> d, small.mant & ((1 << d) - 1) != 0),
        _ => (0, true),
    };
    let mant = if big.sign == small.sign {
        big.mant + aligned
    } else {
        // big − (aligned + δ) = (big − aligned − 1) + (1 − δ)
        big.mant - aligned - sticky as u128
    };
    (mant != 0).then_some(Real { sign: big.sign, exp: big.exp, mant, sticky })
}

fn real(n: &Num) -> Real {
    normal(n.sign, n.exp, n.mant as u128)
}

/// FPRound of the value by FPCR.RMode, or the right zero for an exact zero sum.
fn finish(env: &mut FpEnv, f: Fmt, v: Option<Real>) -> u64 {
    match v {
        Some(v) => round(env, f, v, env.mode(Round::Current)),
        None => f.zero(env.zero_sign()),
    }
}

/// FPAdd.
pub fn add(env: &mut FpEnv, f: Fmt, a: u64, b: u64) -> u64 {
    add_signed(env, f, a, b, false)
}

/// FPSub. A NaN keeps its sign.
pub fn sub(env: &mut FpEnv, f: Fmt, a: u64, b: u64) -> u64 {
    add_signed(env, f, a, b, true)
}

fn add_signed(env: &mut FpEnv, f: Fmt, a: u64, b: u64, negate: bool) -> u64 {
    let a = unpack(env, f, a);
    let mut b = unpack(env, f, b);
    if let Some(nan) = process_nans(env, f, &[a, b]) {
        return nan;
    }
    b.sign ^= negate;
    match (a.class, b.class) {
        (Class::Inf, Class::Inf) if a.sign != b.sign => env.invalid(f),
        (Class::Inf, _) => f.infinity(a.sign),
        (_, Class::Inf) => f.infinity(b.sign),
        (Class::Zero, Class::Zero) if a.sign == b.sign => f.zero(a.sign),
        (Class::Zero, Class::Zero) => finish(env, f, None),
        (Class::Zero, _) => finish(env, f, Some(real(&b))),
        (_, Class::Zero) => finish(env, f, Some(real(&a))),
        _ => finish(env, f, sum(real(&a), real(&b))),
    }
}

/// FPMul.
pub fn mul(env: &mut FpEnv, f: Fmt, a: u64, b: u64) -> u64 {
    mul_or(env, f, a, b, |env, _| env.invalid(f))
}

/// FPMulX: ∞ × 0 is ±2.
pub fn mulx(env: &mut FpEnv, f: Fmt, a: u64, b: u64) -> u64 {
    mul_or(env, f, a, b, |_, sign| f.small(sign, 1, 0))
}

fn mul_or(env: &mut FpEnv, f: Fmt, a: u64, b: u64, inf_zero: impl Fn(&mut FpEnv, bool) -> u64) -> u64 {
    let a = unpack(env, f, a);
    let b = unpack(env, f, b);
    if let Some(nan) = process_nans(env, f, &[a, b]) {
        return nan;
    }
    let sign = a.sign ^ b.sign;
    match (a.class, b.class) {
        (Class::Inf, Class::Zero) | (Class::Zero, Class::Inf) => inf_zero(env, sign),
        (Class::Inf, _) | (_, Class::Inf) => f.infinity(sign),
        (Class::Zero, _) | (_, Class::Zero) => f.zero(sign),
        _ => finish(env, f, Some(product(&a, &b))),
    }
}

fn product(a: &Num, b: &Num) -> Real {
    normal(a.sign ^ b.sign, a.exp + b.exp, a.mant as u128 * b.mant as u128)
}

/// FPDiv.
pub fn div(env: &mut FpEnv, f: Fmt, a: u64, b: u64) -> u64 {
    let a = unpack(env, f, a);
    let b = unpack(env, f, b);
    if let Some(nan) = process_nans(env, f, &[a, b]) {
        return nan;
    }
    let sign = a.sign ^ b.sign;
    match (a.class, b.class) {
        (Class::Inf, Class::Inf) | (Class::Zero, Class::Zero) => env.invalid(f),
        (Class::Inf, _) => f.infinity(sign),
        (_, Class::Zero) => {
            env.raise(DZC);
            f.infinity(sign)
        }
        (Class::Zero, _) | (_, Class::Inf) => f.zero(sign),
        _ => {
            // At least 125 bits over at most 53 leave 72 bits of quotient.
            let n = real(&a);
            let (d, q) = (b.mant as u128, n.mant / b.mant as u128);
            let v = Real { sign, exp: n.exp - b.exp, mant: q, sticky: q * d != n.mant };
            finish(env, f, Some(v))
        }
    }
}

/// FPSqrt.
pub fn sqrt(env: &mut FpEnv, f: Fmt, a: u64) -> u64 {
    let a = unpack(env, f, a);
    match a.class {
        Class::QNan | Class::SNan => process_nan(env, f, a),
        Class::Zero => f.zero(a.sign),
        _ if a.sign => env.invalid(f),
        Class::Inf => f.infinity(false),
        Class::Finite => {
            let n = normal(false, a.exp, a.mant as u128);
            // An even exponent; then 126 or 127 bits give a root of 63 or 64, ten more than any fraction.
            let odd = n.exp & 1;
            let m = n.mant << odd;
            let root = m.isqrt();
            let v = Real { sign: false, exp: (n.exp - odd) / 2, mant: root, sticky: root * root != m };
            finish(env, f, Some(v))
        }
    }
}

/// FPMulAdd: addend + a × b, rounded once.
pub fn mul_add(env: &mut FpEnv, f: Fmt, a: u64, b: u64, addend: u64) -> u64 {
    let c = unpack(env, f, addend);
    let a = unpack(env, f, a);
    let b = unpack(env, f, b);
    let inf_zero = a.is_inf() && b.is_zero() || a.is_zero() && b.is_inf();
    if let Some(nan) = process_nans(env, f, &[c, a, b]) {
        return if c.class == Class::QNan && inf_zero { env.invalid(f) } else { nan };
    }
    let sign = a.sign ^ b.sign;
    let inf = a.is_inf() || b.is_inf();
    if inf_zero || c.is_inf() && inf && c.sign != sign {
        env.invalid(f)
    } else if c.is_inf() {
        f.infinity(c.sign)
    } else if inf {
        f.infinity(sign)
    } else {
        match (a.is_zero() || b.is_zero(), c.is_zero()) {
            (true, true) if c.sign == sign => f.zero(sign),
            (true, true) => finish(env, f, None),
            (true, false) => finish(env, f, Some(real(&c))),
            (false, true) => finish(env, f, Some(product(&a, &b))),
            (false, false) => finish(env, f, sum(product(&a, &b), real(&c))),
        }
    }
}

/// FPRecipStepFused: 2 − a × b, rounded once. A NaN operand a is negated first.
pub fn recip_step(env: &mut FpEnv, f: Fmt, a: u64, b: u64) -> u64 {
    step(env, f, a, b, Real::exact(false, 1, 1))
}

/// FPRSqrtStepFused: (3 − a × b) / 2, rounded once.
pub fn rsqrt_step(env: &mut FpEnv, f: Fmt, a: u64, b: u64) -> u64 {
    step(env, f, a, b, Real::exact(false, -1, 3))
}

/// base − a × b / s, with s = 1 for base 2 and 2 for base 1.5; the base alone for ∞ × 0.
fn step(env: &mut FpEnv, f: Fmt, a: u64, b: u64, base: Real) -> u64 {
    let a = unpack(env, f, a ^ f.zero(true));
    let b = unpack(env, f, b);
    if let Some(nan) = process_nans(env, f, &[a, b]) {
        return nan;
    }
    let halved = base.exp < 0;
    let base_bits = if halved { f.small(false, 0, 1) } else { f.small(false, 1, 0) };
    match (a.class, b.class) {
        (Class::Inf, Class::Zero) | (Class::Zero, Class::Inf) => base_bits,
        (Class::Inf, _) | (_, Class::Inf) => f.infinity(a.sign ^ b.sign),
        (Class::Zero, _) | (_, Class::Zero) => base_bits,
        _ => {
            let mut p = product(&a, &b);
            p.exp -= halved as i32;
            finish(env, f, sum(p, normal(false, base.exp, base.mant)))
        }
    }
}

/// AArch32's FPRecipStep: 2 − a × b, the product rounded, too.
pub fn recip_step_rounded(env: &mut FpEnv, f: Fmt, a: u64, b: u64) -> u64 {
    let product = mul_or(env, f, a, b, |_, _| f.zero(false));
    sub(env, f, f.small(false, 1, 0), product)
}

/// AArch32's FPRSqrtStep: (3 − a × b) / 2, each operation rounded.
pub fn rsqrt_step_rounded(env: &mut FpEnv, f: Fmt, a: u64, b: u64) -> u64 {
    let product = mul_or(env, f, a, b, |_, _| f.zero(false));
    let difference = sub(env, f, f.small(false, 1, 1), product);
    div(env, f, difference, f.small(false, 1, 0))
}

/// |FPSub(a, b)|, a NaN's sign cleared, too (FABD).
pub fn abs_diff(env: &mut FpEnv, f: Fmt, a: u64, b: u64) -> u64 {
    sub(env, f, a, b) & !f.zero(true)
}
