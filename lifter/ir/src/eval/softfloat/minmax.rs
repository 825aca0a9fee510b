//! Comparison, minimum and maximum.

use super::*;
use std::cmp::Ordering;

/// Order of two operands that are not NaNs; −0 equals +0.
fn order(f: Fmt, a: &Num, b: &Num) -> Ordering {
    // Formats order like their bits as sign and magnitude. A flushed denormal is a zero, whatever its bits.
    let key = |n: &Num| {
        let magnitude = if n.is_zero() { 0 } else { (n.bits & (f.zero(true) - 1)) as i64 };
        if n.sign { -magnitude } else { magnitude }
    };
    key(a).cmp(&key(b))
}

/// FPCompare and its like: the order of a and b, `None` if either is a NaN. A signalling NaN, or with `signaling` any
/// NaN, raises Invalid Operation.
pub fn compare(env: &mut FpEnv, f: Fmt, a: u64, b: u64, signaling: bool) -> Option<Ordering> {
    let a = unpack(env, f, a);
    let b = unpack(env, f, b);
    if a.is_nan() || b.is_nan() {
        if signaling || a.class == Class::SNan || b.class == Class::SNan {
            env.raise(IOC);
        }
        return None;
    }
    Some(order(f, &a, &b))
}

/// FPMax (`greater`) or FPMin; +0 is greater than −0. With `number` FPMaxNum or FPMinNum: a quiet NaN against
/// anything but a quiet NaN counts as the number that loses.
pub fn extremum(env: &mut FpEnv, f: Fmt, a: u64, b: u64, greater: bool, number: bool) -> u64 {
    let mut a = unpack(env, f, a);
    let mut b = unpack(env, f, b);
    if number && (a.class == Class::QNan) != (b.class == Class::QNan) {
        let nan = if a.class == Class::QNan { &mut a } else { &mut b };
        *nan = Num { class: Class::Inf, sign: greater, exp: 0, mant: 0, bits: f.infinity(greater) };
    }
    if let Some(nan) = process_nans(env, f, &[a, b]) {
        return nan;
    }
    let wins = if greater { Ordering::Greater } else { Ordering::Less };
    let n = if order(f, &a, &b) == wins { a } else { b };
    if n.is_zero() {
        f.zero(match (a.is_zero() && b.is_zero(), greater) {
            (false, _) => n.sign,
            (true, true) => a.sign && b.sign,
            (true, false) => a.sign || b.sign,
        })
    } else {
        n.bits
    }
}
