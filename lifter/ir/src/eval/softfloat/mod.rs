//! Software floating point on raw bits, after the Arm ARM's shared pseudocode (J1.3): binary16, binary32 and binary64
//! by one set of functions. Takes bits in a `u64` and the guest's FPCR, gives bits and accumulates FPSR exceptions;
//! knows no vectors and uses no host floating point.

pub mod arith;
pub mod convert;
pub mod estimate;
pub mod minmax;
mod round;

use crate::op::Round;

/// Invalid Operation, FPSR.IOC.
pub const IOC: u32 = 1;
/// Division by Zero, FPSR.DZC.
pub const DZC: u32 = 1 << 1;
/// Overflow, FPSR.OFC.
pub const OFC: u32 = 1 << 2;
/// Underflow, FPSR.UFC.
pub const UFC: u32 = 1 << 3;
/// Inexact, FPSR.IXC.
pub const IXC: u32 = 1 << 4;
/// Input Denormal, FPSR.IDC.
pub const IDC: u32 = 1 << 7;

/// The guest's floating-point control and status, as operations see them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FpEnv {
    /// FPCR: RMode, FZ, DN, AHP and FZ16 count; trap enables do not (as on cores without trapped exceptions).
    pub fpcr: u32,
    /// FPSR: cumulative exception bits are ORed in; nothing is ever cleared. QC is not set here: it is the value of
    /// `VSatQc`.
    pub fpsr: u32,
}

impl FpEnv {
    /// AArch32's StandardFPSCRValue: FZ, DN, rounding to nearest, and AHP and FZ16 as they are.
    pub fn standard(self) -> FpEnv {
        FpEnv { fpcr: self.fpcr & (1 << 26 | 1 << 19) | 1 << 25 | 1 << 24, ..self }
    }

    fn raise(&mut self, flags: u32) {
        self.fpsr |= flags;
    }

    fn bit(&self, n: u32) -> bool {
        self.fpcr >> n & 1 != 0
    }

    /// FPCR.AHP: the half format of conversions has no infinities and NaNs.
    fn ahp(&self) -> bool {
        self.bit(26)
    }

    /// FPCR.DN.
    fn default_nan(&self) -> bool {
        self.bit(25)
    }

    /// FPCR.FZ, or FPCR.FZ16 for half precision.
    fn flush(&self, f: Fmt) -> bool {
        self.bit(if f == HALF { 19 } else { 24 })
    }

    /// The mode with `Current` replaced by FPCR.RMode; never `Current`.
    pub fn mode(&self, round: Round) -> Round {
        match round {
            Round::Current => match self.fpcr >> 22 & 3 {
                0 => Round::TieEven,
                1 => Round::PlusInf,
                2 => Round::MinusInf,
                _ => Round::Zero,
            },
            fixed => fixed,
        }
    }

    /// Raises Invalid Operation and gives the default NaN.
    fn invalid(&mut self, f: Fmt) -> u64 {
        self.raise(IOC);
        f.default_nan()
    }

    /// Sign of an exact zero sum of nonzero or opposite operands.
    fn zero_sign(&self) -> bool {
        self.mode(Round::Current) == Round::MinusInf
    }
}

/// An IEEE interchange format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fmt {
    /// Exponent bits.
    exp: u32,
    /// Fraction bits.
    frac: u32,
}

/// binary16.
pub const HALF: Fmt = Fmt { exp: 5, frac: 10 };
/// binary32.
pub const SINGLE: Fmt = Fmt { exp: 8, frac: 23 };
/// binary64.
pub const DOUBLE: Fmt = Fmt { exp: 11, frac: 52 };

impl Fmt {
    /// The format of 16, 32 or 64 bits.
    pub const fn of_bits(bits: u32) -> Fmt {
        match bits {
            16 => HALF,
            32 => SINGLE,
            _ => DOUBLE,
        }
    }

    /// Width.
    pub const fn bits(self) -> u32 {
        1 + self.exp + self.frac
    }

    /// The all-ones exponent field.
    const fn max_field(self) -> u64 {
        (1 << self.exp) - 1
    }

    /// Exponent of the smallest normal number.
    const fn min_exp(self) -> i32 {
        2 - (1 << (self.exp - 1))
    }

    const fn frac_mask(self) -> u64 {
        (1 << self.frac) - 1
    }

    /// The quiet bit of a NaN.
    const fn quiet(self) -> u64 {
        1 << (self.frac - 1)
    }

    /// The sign bit if `sign`.
    pub const fn zero(self, sign: bool) -> u64 {
        (sign as u64) << (self.bits() - 1)
    }

    const fn infinity(self, sign: bool) -> u64 {
        self.zero(sign) | self.max_field() << self.frac
    }

    const fn max_normal(self, sign: bool) -> u64 {
        self.infinity(sign) - 1
    }

    /// The value with this exponent field and fraction.
    const fn pack(self, sign: bool, field: u64, frac: u64) -> u64 {
        self.zero(sign) | field << self.frac | frac
    }

    /// 1.5 or 2 and the like: 1.frac × 2^exp, `top` being the fraction's top bit.
    const fn small(self, sign: bool, exp: i32, top: u64) -> u64 {
        self.pack(sign, (exp + 1 - self.min_exp()) as u64, top << (self.frac - 1))
    }

    /// The default NaN: positive, quiet, no payload.
    const fn default_nan(self) -> u64 {
        self.infinity(false) | self.quiet()
    }
}

/// What an operand is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Zero,
    Finite,
    Inf,
    QNan,
    SNan,
}

/// An unpacked operand.
#[derive(Clone, Copy, Debug)]
struct Num {
    class: Class,
    sign: bool,
    /// A finite value is ± `mant` × 2^`exp`; `mant` is nonzero, not normalised.
    exp: i32,
    mant: u64,
    /// The operand itself (NaNs are propagated from it).
    bits: u64,
}

impl Num {
    fn is_nan(&self) -> bool {
        matches!(self.class, Class::QNan | Class::SNan)
    }

    fn is_inf(&self) -> bool {
        self.class == Class::Inf
    }

    fn is_zero(&self) -> bool {
        self.class == Class::Zero
    }
}

/// FPUnpack: denormal inputs are flushed by FZ (which raises Input Denormal) or FZ16 (which does not).
fn unpack(env: &mut FpEnv, f: Fmt, bits: u64) -> Num {
    unpack_as(env, f, bits, env.flush(f), false)
}

/// FPUnpackCV: for conversions between formats. Half denormals are kept, AHP counts.
fn unpack_cv(env: &mut FpEnv, f: Fmt, bits: u64) -> Num {
    let flush = f != HALF && env.flush(f);
    unpack_as(env, f, bits, flush, f == HALF && env.ahp())
}

fn unpack_as(env: &mut FpEnv, f: Fmt, bits: u64, flush: bool, alternative: bool) -> Num {
    let sign = bits >> (f.bits() - 1) & 1 != 0;
    let field = bits >> f.frac & f.max_field();
    let frac = bits & f.frac_mask();
    let num = |class, exp, mant| Num { class, sign, exp, mant, bits };
    // Exponent of the last fraction bit of denormal numbers.
    let ulp = f.min_exp() - f.frac as i32;
    if field == 0 {
        if frac != 0 && !flush {
            return num(Class::Finite, ulp, frac);
        }
        if frac != 0 && f != HALF {
            env.raise(IDC);
        }
        num(Class::Zero, 0, 0)
    } else if field == f.max_field() && !alternative {
        if frac == 0 {
            num(Class::Inf, 0, 0)
        } else if frac & f.quiet() != 0 {
            num(Class::QNan, 0, 0)
        } else {
            num(Class::SNan, 0, 0)
        }
    } else {
        num(Class::Finite, ulp + field as i32 - 1, frac | 1 << f.frac)
    }
}

/// FPProcessNaN: the NaN made quiet, or the default NaN under DN; a signalling one raises Invalid Operation.
fn process_nan(env: &mut FpEnv, f: Fmt, n: Num) -> u64 {
    if n.class == Class::SNan {
        env.raise(IOC);
    }
    if env.default_nan() { f.default_nan() } else { n.bits | f.quiet() }
}

/// FPProcessNaNs, FPProcessNaNs3: the first signalling NaN, else the first quiet one, in operand order.
fn process_nans(env: &mut FpEnv, f: Fmt, operands: &[Num]) -> Option<u64> {
    let first = |class| operands.iter().find(|n| n.class == class);
    let nan = *first(Class::SNan).or_else(|| first(Class::QNan))?;
    Some(process_nan(env, f, nan))
}
