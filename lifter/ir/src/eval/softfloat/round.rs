//! FPRound: an exact or nearly exact value to a format, with every exception that this raises.

use super::*;
use std::cmp::Ordering;

/// A nonzero value ± (`mant` + δ) × 2^`exp`, where δ is 0, or with `sticky` anything strictly between 0 and 1 (then
/// `mant` has at least 60 significant bits).
#[derive(Clone, Copy, Debug)]
pub struct Real {
    pub sign: bool,
    pub exp: i32,
    pub mant: u128,
    pub sticky: bool,
}

impl Real {
    pub fn exact(sign: bool, exp: i32, mant: u128) -> Real {
        Real { sign, exp, mant, sticky: false }
    }
}

/// Integer part of a scaled value, and how far above it the value is.
pub struct Split {
    pub int: u128,
    /// `None` if exact, else the rest compared with one half.
    pub rest: Option<Ordering>,
}

/// (`mant` + δ) / 2^`drop`; `drop` > −128, and the result must fit if it is negative.
pub fn split(mant: u128, sticky: bool, drop: i32) -> Split {
    let inexact = |o: Ordering| Some(if sticky { o.then(Ordering::Greater) } else { o });
    if drop <= 0 {
        Split { int: mant << -drop, rest: if sticky { Some(Ordering::Less) } else { None } }
    } else if drop > 128 {
        Split { int: 0, rest: if mant != 0 || sticky { Some(Ordering::Less) } else { None } }
    } else {
        let (int, rest) = if drop == 128 { (0, mant) } else { (mant >> drop, mant & ((1 << drop) - 1)) };
        let half = 1u128 << (drop - 1);
        let rest = if rest == 0 && !sticky { None } else { inexact(rest.cmp(&half)) };
        Split { int, rest }
    }
}

impl Split {
    /// The magnitude rounded to an integer. `mode` is not `Current`.
    pub fn round(&self, sign: bool, mode: Round) -> u128 {
        let Some(rest) = self.rest else { return self.int };
        let up = match mode {
            Round::TieEven => {
                rest.then(if self.int & 1 != 0 { Ordering::Greater } else { Ordering::Less }).is_gt()
            }
            Round::TieAway => rest.is_ge(),
            Round::PlusInf => !sign,
            Round::MinusInf => sign,
            Round::Odd => self.int & 1 == 0,
            Round::Zero | Round::Current => false,
        };
        self.int + up as u128
    }
}

/// FPRound with that mode (not `Current`).
pub fn round(env: &mut FpEnv, f: Fmt, v: Real, mode: Round) -> u64 {
    let flush = env.flush(f);
    round_as(env, f, v, mode, flush, false)
}

/// FPRoundCV: for conversions between formats. FZ16 does not count, AHP does.
pub fn round_cv(env: &mut FpEnv, f: Fmt, v: Real, mode: Round) -> u64 {
    let flush = f != HALF && env.flush(f);
    let alternative = f == HALF && env.ahp();
    round_as(env, f, v, mode, flush, alternative)
}

fn round_as(env: &mut FpEnv, f: Fmt, v: Real, mode: Round, flush: bool, alternative: bool) -> u64 {
    let top = 127 - v.mant.leading_zeros() as i32;
    let exp = v.exp + top;
    let tiny = exp < f.min_exp();
    if tiny && flush {
        env.raise(UFC);
        return f.zero(v.sign);
    }
    let drop = if tiny { f.min_exp() - f.frac as i32 - v.exp } else { top - f.frac as i32 };
    let split = split(v.mant, v.sticky, drop);
    let inexact = split.rest.is_some();
    if tiny && inexact {
        env.raise(UFC);
    }
    let int = split.round(v.sign, mode) as u64;
    // The integer bit, if there, adds one to the field; so does a carry out of the fraction.
    let field = if tiny { 0 } else { (exp - f.min_exp()) as u64 };
    let packed = (field << f.frac) + int;
    let field = packed >> f.frac;
    if alternative {
        if field > f.max_field() {
            env.raise(IOC);
            return f.zero(v.sign) | (f.zero(true) - 1);
        }
    } else if field >= f.max_field() {
        env.raise(OFC | IXC);
        let to_inf = match mode {
            Round::TieEven | Round::TieAway => true,
            Round::PlusInf => !v.sign,
            Round::MinusInf => v.sign,
            Round::Zero | Round::Odd | Round::Current => false,
        };
        return if to_inf { f.infinity(v.sign) } else { f.max_normal(v.sign) };
    }
    if inexact {
        env.raise(IXC);
    }
    f.zero(v.sign) | packed
}
