//! Conversions: between formats, to and from integers and fixed point, and rounding to integral values.

use super::round::{Real, Split, round, round_cv, split};
use super::*;

/// FPConvert from `from` to `to`, rounding by `mode` (`Current` or `Odd`).
pub fn convert(env: &mut FpEnv, from: Fmt, to: Fmt, bits: u64, mode: Round) -> u64 {
    let n = unpack_cv(env, from, bits);
    let alternative = to == HALF && env.ahp();
    match n.class {
        Class::QNan | Class::SNan => {
            if n.class == Class::SNan || alternative {
                env.raise(IOC);
            }
            if alternative {
                to.zero(n.sign)
            } else if env.default_nan() {
                to.default_nan()
            } else {
                // FPConvertNaN: the top fraction bits are kept, quiet.
                let frac = (bits & from.frac_mask()) << (52 - from.frac) >> (52 - to.frac);
                to.infinity(n.sign) | to.quiet() | frac
            }
        }
        Class::Inf if alternative => {
            env.raise(IOC);
            to.zero(n.sign) | (to.zero(true) - 1)
        }
        Class::Inf => to.infinity(n.sign),
        Class::Zero => to.zero(n.sign),
        Class::Finite => {
            let mode = env.mode(mode);
            round_cv(env, to, Real::exact(n.sign, n.exp, n.mant as u128), mode)
        }
    }
}

/// The magnitude × 2^`fbits`, as integer and rest; `None` if it is 2¹⁰⁰ or more.
fn scaled(n: &Num, fbits: u32) -> Option<Split> {
    match n.class {
        Class::Finite => {
            let exp = n.exp + fbits as i32;
            (exp < 64).then(|| split(n.mant as u128, false, -exp))
        }
        Class::Inf => None,
        Class::Zero | Class::QNan | Class::SNan => Some(Split { int: 0, rest: None }),
    }
}

/// FPToFixed: to an integer of `width` bits with `fbits` fraction bits, saturating; a NaN gives 0.
pub fn to_fixed(
    env: &mut FpEnv,
    f: Fmt,
    bits: u64,
    width: u32,
    signed: bool,
    fbits: u32,
    mode: Round,
) -> u64 {
    let n = unpack(env, f, bits);
    if n.is_nan() {
        env.raise(IOC);
    }
    let mode = env.mode(mode);
    let split = scaled(&n, fbits).unwrap_or(Split { int: 1 << 100, rest: None });
    let magnitude = split.round(n.sign, mode) as i128;
    let value = if n.sign { -magnitude } else { magnitude };
    let (min, max) = if signed {
        (-(1i128 << (width - 1)), (1i128 << (width - 1)) - 1)
    } else {
        (0, (1i128 << width) - 1)
    };
    let result = value.clamp(min, max);
    if result != value {
        env.raise(IOC);
    } else if split.rest.is_some() {
        env.raise(IXC);
    }
    result as u64 & (u64::MAX >> (64 - width))
}

/// FixedToFP: `width` bits with `fbits` fraction bits to a float, rounded by FPCR.
pub fn from_fixed(env: &mut FpEnv, f: Fmt, bits: u64, width: u32, signed: bool, fbits: u32) -> u64 {
    let pad = 64 - width;
    let (sign, magnitude) = if signed {
        let v = ((bits << pad) as i64) >> pad;
        (v < 0, v.unsigned_abs())
    } else {
        (false, bits << pad >> pad)
    };
    if magnitude == 0 {
        return f.zero(false);
    }
    let mode = env.mode(Round::Current);
    round(env, f, Real::exact(sign, -(fbits as i32), magnitude as u128), mode)
}

/// FPRoundInt: to an integral float by `mode`; Inexact only if `exact`.
pub fn round_int(env: &mut FpEnv, f: Fmt, bits: u64, mode: Round, exact: bool) -> u64 {
    let n = unpack(env, f, bits);
    match n.class {
        Class::QNan | Class::SNan => process_nan(env, f, n),
        Class::Inf => f.infinity(n.sign),
        Class::Zero => f.zero(n.sign),
        Class::Finite if n.exp >= 0 => bits,
        Class::Finite => {
            let split = split(n.mant as u128, false, -n.exp);
            if exact && split.rest.is_some() {
                env.raise(IXC);
            }
            let int = split.round(n.sign, env.mode(mode));
            if int == 0 {
                f.zero(n.sign)
            } else {
                // Fits the fraction: it is smaller than 2^(fraction bits + 1), or a power of two.
                round(env, f, Real::exact(n.sign, 0, int), Round::Zero)
            }
        }
    }
}

/// FPToFixedJS: a double toward zero modulo 2³², and in bit 32 whether that was exact (not for −0).
pub fn to_js_int(bits: u64, env: &mut FpEnv) -> u128 {
    let n = unpack(env, DOUBLE, bits);
    let split = match n.class {
        // The low 32 bits of an integer of 2⁸⁵ or more are zero.
        Class::Finite if n.exp < 64 => split(n.mant as u128, false, -n.exp),
        _ => Split { int: 0, rest: None },
    };
    let huge = n.is_nan() || n.is_inf() || n.exp >= 64;
    let too_big = huge || split.int > 0x7fff_ffff + n.sign as u128;
    if too_big {
        env.raise(IOC);
    } else if split.rest.is_some() {
        env.raise(IXC);
    }
    let low = split.int as u32;
    let result = if n.sign { low.wrapping_neg() } else { low };
    let minus_zero = n.is_zero() && (n.sign || bits << 1 != 0);
    let z = !too_big && split.rest.is_none() && !minus_zero;
    result as u128 | (z as u128) << 32
}
