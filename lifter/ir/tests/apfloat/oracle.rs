//! What the tests of both files share: formats, values, modes, and the parts of the meaning that APFloat leaves open.

use ir::eval::{Bits, FpEnv, eval};
use ir::{FShape, PureOp, Type};
use rustc_apfloat::ieee::{Double, Half, Quad, Single};
use rustc_apfloat::{Float, FloatConvert, Round as Ap, Status, StatusAnd};

pub const OFC: u32 = 4;
pub const UFC: u32 = 8;
pub const IXC: u32 = 16;
pub const IDC: u32 = 128;
pub const FZ16: u32 = 1 << 19;
pub const FZ: u32 = 1 << 24;
pub const DN: u32 = 1 << 25;

/// xorshift64*.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 33) % n
    }
}

/// One of the three formats: what the tests need besides APFloat's type.
pub trait Format: Float + FloatConvert<Quad> {
    const SHAPE: FShape;
    const TYPE: Type;
    const FRAC: u32;
    const EXP: u32;
    /// FPCR bit that flushes.
    const FLUSH: u32;
    fn of(q: Quad, mode: Ap) -> StatusAnd<Self>;
}

macro_rules! implement {
    ($t:ty, $shape:ident, $ty:ident, $exp:literal, $frac:literal, $flush:ident) => {
        impl Format for $t {
            const SHAPE: FShape = FShape::$shape;
            const TYPE: Type = Type::$ty;
            const FRAC: u32 = $frac;
            const EXP: u32 = $exp;
            const FLUSH: u32 = $flush;
            fn of(q: Quad, mode: Ap) -> StatusAnd<Self> {
                q.convert_r(mode, &mut false)
            }
        }
    };
}
implement!(Half, H, F16, 5, 10, FZ16);
implement!(Single, S, F32, 8, 23, FZ);
implement!(Double, D, F64, 11, 52, FZ);

pub fn sign<F: Format>() -> u64 {
    1 << (F::EXP + F::FRAC)
}

pub fn infinity<F: Format>() -> u64 {
    ((1 << F::EXP) - 1) << F::FRAC
}

pub fn quiet<F: Format>() -> u64 {
    1 << (F::FRAC - 1)
}

pub fn quad<F: Format>(bits: u64) -> Quad {
    F::from_bits(bits.into()).convert(&mut false).value
}

/// Exponents and fractions at which something changes, in all combinations.
pub fn corners<F: Format>(exponents: &[i64], fractions: usize) -> Vec<u64> {
    let top = (1i64 << F::EXP) - 1;
    let one = 1u64 << F::FRAC;
    let all = [
        0,
        one - 1,
        1,
        one >> 1,
        one - 2,
        (one >> 1) + 1,
        (one >> 1) - 1,
        2,
        3,
        one >> 2,
        one / 3 * 2,
        0x5555_5555_5555_5555 & (one - 1),
    ];
    let mut values = Vec::new();
    for &e in exponents {
        // Below zero: from the top; from 1000: from the bias.
        let e = if e < 0 {
            top + 1 + e
        } else if e >= 500 {
            e - 1000 + top / 2
        } else {
            e
        };
        if (0..=top).contains(&e) {
            for f in &all[..fractions] {
                for s in [0, sign::<F>()] {
                    values.push(s | (e as u64) << F::FRAC | f);
                }
            }
        }
    }
    values.sort();
    values.dedup();
    values
}

/// A value near one of the corners of the format.
pub fn near<F: Format>(r: &mut Rng) -> u64 {
    let top = (1u64 << F::EXP) - 1;
    let e = match r.below(6) {
        0 => r.below(3),
        1 => top - r.below(3),
        2 => r.below(top + 1),
        _ => top / 2 - 4 + r.below(9),
    };
    let ones = (1 << F::FRAC) - 1;
    let f = match r.below(4) {
        0 => r.below(4),
        1 => ones - r.below(4),
        2 => 1 << r.below(F::FRAC.into()),
        _ => r.next() & ones,
    };
    (r.next() & sign::<F>()) | e << F::FRAC | f
}

pub fn full() -> bool {
    std::env::var_os("XLATE_TEST_FULL").is_some()
}

/// All modes of FPCR that the operations know, but AHP.
pub fn modes() -> impl Iterator<Item = u32> {
    (0..16).map(|i| (i & 3) << 22 | (i & 4) << 22 | (if i & 4 != 0 { FZ16 } else { 0 }) | (i & 8) << 22)
}

pub fn rounding(fpcr: u32) -> Ap {
    match fpcr >> 22 & 3 {
        0 => Ap::NearestTiesToEven,
        1 => Ap::TowardPositive,
        2 => Ap::TowardNegative,
        _ => Ap::TowardZero,
    }
}

/// An operand: flushed if it must be, which raises IDC but for half precision.
pub fn operand<F: Format>(bits: u64, fpcr: u32, flags: &mut u32) -> u64 {
    let subnormal = bits & infinity::<F>() == 0 && bits & !sign::<F>() != 0;
    if subnormal && fpcr & F::FLUSH != 0 {
        if F::FLUSH == FZ {
            *flags |= IDC;
        }
        return bits & sign::<F>();
    }
    bits
}

/// FPProcessNaNs over the operands in order.
pub fn nan<F: Format>(operands: &[u64], fpcr: u32, flags: &mut u32) -> Option<u64> {
    let is_nan = |b: &&u64| **b & !sign::<F>() > infinity::<F>();
    let signalling = |b: &&u64| is_nan(b) && **b & quiet::<F>() == 0;
    let found = operands.iter().find(signalling).or_else(|| operands.iter().find(is_nan))?;
    if signalling(&found) {
        *flags |= 1;
    }
    Some(if fpcr & DN != 0 { infinity::<F>() | quiet::<F>() } else { found | quiet::<F>() })
}

/// The result of FPRound for what `exact` gives in a rounding mode, and `wide` truncated in a wider format: flags,
/// tininess before rounding, flushing.
pub fn rounded<F: Format>(
    fpcr: u32,
    flush: bool,
    flags: &mut u32,
    exact: impl Fn(Ap) -> StatusAnd<F>,
    wide: impl Fn() -> Quad,
) -> u64 {
    let StatusAnd { status, value } = exact(rounding(fpcr));
    if status.contains(Status::INVALID_OP) {
        *flags |= 1;
        return infinity::<F>() | quiet::<F>();
    }
    // Truncated, the magnitude is below the smallest normal number just if the exact one is.
    let truncated = exact(Ap::TowardZero);
    let inexact = status.contains(Status::INEXACT);
    let tiny = truncated.value.is_denormal()
        || truncated.value.is_zero() && truncated.status.contains(Status::INEXACT);
    if tiny && flush {
        *flags |= UFC;
        return value.to_bits() as u64 & sign::<F>();
    }
    *flags |= u32::from((status & !Status::UNDERFLOW).bits());
    if tiny && inexact {
        *flags |= UFC;
    }
    // APFloat does not call it overflow if a directed mode gives the largest number.
    if inexact
        && value.abs().to_bits() as u64 == infinity::<F>() - 1
        && wide().abs() >= power(1 << (F::EXP - 1))
    {
        *flags |= OFC;
    }
    value.to_bits() as u64
}

pub fn ours(op: PureOp, ty: Type, args: &[(Type, u64)], fpcr: u32) -> (u64, u32) {
    let args: Vec<Bits> = args.iter().map(|&(ty, b)| Bits::new(ty, b.into())).collect();
    let mut env = FpEnv { fpcr, fpsr: 0 };
    let r = eval(op, ty, &args, &mut env);
    (r as u64, env.fpsr)
}

pub fn same(what: &dyn std::fmt::Debug, fpcr: u32, args: &[u64], ours: (u64, u32), theirs: (u64, u32)) {
    assert!(
        ours == theirs,
        "{what:?} of {args:x?} with FPCR {fpcr:x}: {:x} flags {:x}, but APFloat {:x} flags {:x}",
        ours.0,
        ours.1,
        theirs.0,
        theirs.1
    );
}

/// 2 to that power.
pub fn power(n: i32) -> Quad {
    Quad::from_u128(1).value.scalbn(n as _)
}
