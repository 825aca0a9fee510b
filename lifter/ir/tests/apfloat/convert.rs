//! Conversions between formats, to and from integers and fixed point, rounding to integral values.

use crate::oracle::*;
use ir::{PureOp, Round, Type};
use rustc_apfloat::ieee::{Double, Half, Quad, Single};
use rustc_apfloat::{Float, Round as Ap, Status};

/// Values of a format at which conversions change, and random ones.
fn singles<F: Format>() -> Vec<u64> {
    let exponents: Vec<i64> = (0..8)
        .chain([-9, -8, -3, -2, -1])
        .chain(
            [
                -149, -150, -126, -127, -25, -24, -15, -14, -3, -2, -1, 0, 1, 2, 7, 8, 10, 11, 15, 16, 23,
                24, 30, 31, 32,
            ]
            .map(|e| 1000 + e),
        )
        .chain([52, 53, 62, 63, 64, 127, 128].map(|e| 1000 + e))
        .collect();
    let mut values = corners::<F>(&exponents, 12);
    // Halves next to integers, and the ends of integers.
    for n in [
        0u64,
        1,
        2,
        3,
        127,
        128,
        255,
        32767,
        32768,
        65535,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        1 << 52,
        u64::MAX >> 1,
        u64::MAX,
    ] {
        for half in [0, 1] {
            let q = (Quad::from_u128((u128::from(n) << 1) + half).value / Quad::from_u128(2).value).value;
            for mode in [Ap::TowardZero, Ap::TowardPositive] {
                let b = F::of(q, mode).value.to_bits() as u64;
                values.extend([b, b | sign::<F>()]);
            }
        }
    }
    let mut r = Rng(99 + u64::from(F::FRAC));
    values.extend((0..if full() { 200_000 } else { 2000 }).map(|_| near::<F>(&mut r)));
    values
}

fn between<F: Format, T: Format>() {
    for a in singles::<F>() {
        for fpcr in modes() {
            let mut flags = 0;
            // FPUnpackCV and FPRoundCV: FZ16 has no effect.
            let x = if F::FLUSH == FZ16 { a } else { operand::<F>(a, fpcr, &mut flags) };
            let is_nan = x & !sign::<F>() > infinity::<F>();
            let value = if is_nan {
                let one = nan::<F>(&[x], fpcr, &mut flags).expect("a NaN");
                // FPConvertNaN: sign and the top of the fraction.
                let frac = (one & ((1 << F::FRAC) - 1)) << (64 - F::FRAC) >> (64 - T::FRAC);
                let s = if one & sign::<F>() != 0 { sign::<T>() } else { 0 };
                s | infinity::<T>() | frac
            } else {
                let flush = T::FLUSH == FZ && fpcr & FZ != 0;
                let q = quad::<F>(x);
                rounded::<T>(fpcr, flush, &mut flags, |m| T::of(q, m), || q)
            };
            let got = ours(PureOp::FConvert(Round::Current), T::TYPE, &[(F::TYPE, a)], fpcr);
            same(&("FConvert", F::TYPE, T::TYPE), fpcr, &[a], got, (value, flags));
        }
    }
}

#[test]
fn conversions_between_formats() {
    between::<Half, Single>();
    between::<Half, Double>();
    between::<Single, Half>();
    between::<Single, Double>();
    between::<Double, Half>();
    between::<Double, Single>();
}

/// FCVTXN: to odd, from what truncation gives.
#[test]
fn conversions_to_odd() {
    for a in singles::<Double>() {
        for fpcr in modes() {
            let mut flags = 0;
            let x = operand::<Double>(a, fpcr, &mut flags);
            let value = if x & !sign::<Double>() > infinity::<Double>() {
                let one = nan::<Double>(&[x], fpcr, &mut flags).expect("a NaN");
                let s = if one >> 63 != 0 { sign::<Single>() } else { 0 };
                s | infinity::<Single>() | one << 12 >> (64 - Single::FRAC)
            } else {
                let q = quad::<Double>(x);
                let zero = fpcr | 3 << 22;
                let v = rounded::<Single>(zero, fpcr & FZ != 0, &mut flags, |m| Single::of(q, m), || q);
                v | u64::from(flags & IXC != 0)
            };
            let got = ours(PureOp::FConvert(Round::Odd), Type::F32, &[(Type::F64, a)], fpcr);
            same(&"FConvert to odd", fpcr, &[a], got, (value, flags));
        }
    }
}

const FIXED: [(Round, Ap); 5] = [
    (Round::TieEven, Ap::NearestTiesToEven),
    (Round::PlusInf, Ap::TowardPositive),
    (Round::MinusInf, Ap::TowardNegative),
    (Round::Zero, Ap::TowardZero),
    (Round::TieAway, Ap::NearestTiesToAway),
];

fn integers<F: Format>() {
    let widths: &[(u32, Type)] = if F::FLUSH == FZ16 {
        &[(16, Type::I16), (32, Type::I32), (64, Type::I64)]
    } else {
        &[(32, Type::I32), (64, Type::I64)]
    };
    for a in singles::<F>() {
        for fpcr in [0, 3 << 22, FZ | FZ16, DN] {
            let mut operand_flags = 0;
            let x = operand::<F>(a, fpcr, &mut operand_flags);
            for (round, mode) in FIXED {
                for &(width, ty) in widths {
                    for (signed, fbits) in [(false, 0), (true, 0), (false, 1), (true, width as u8), (true, 7)]
                    {
                        let mut flags = operand_flags;
                        let is_nan = x & !sign::<F>() > infinity::<F>();
                        let q = (quad::<F>(x) * power(fbits.into())).value;
                        let (value, status) = if is_nan {
                            (0, Status::INVALID_OP)
                        } else if signed {
                            let r = q.to_i128_r(width as usize, mode, &mut false);
                            (r.value as u128, r.status)
                        } else {
                            let r = q.to_u128_r(width as usize, mode, &mut false);
                            (r.value, r.status)
                        };
                        flags |= u32::from(status.bits());
                        let op = PureOp::FToInt { shape: F::SHAPE, signed, round, fbits };
                        let got = ours(op, ty, &[(F::TYPE, a)], fpcr);
                        same(&(op, "to", ty), fpcr, &[a], got, ((value & ty.mask()) as u64, flags));
                    }
                }
            }
        }
    }
}

#[test]
fn conversions_to_integers() {
    integers::<Half>();
    integers::<Single>();
    integers::<Double>();
}

fn from_integers<F: Format>() {
    let mut values: Vec<u64> =
        (0..64).flat_map(|n| [1u64 << n, (1 << n) - 1, (1 << n) + 1, 3 << n, u64::MAX << n]).collect();
    let mut r = Rng(5);
    values.extend(
        (0..if full() { 100_000 } else { 2000 }).map(|_| r.next() >> r.below(64) & u64::MAX << r.below(40)),
    );
    for a in values {
        for fpcr in modes() {
            for (width, ty) in [(16, Type::I16), (32, Type::I32), (64, Type::I64)] {
                if width == 16 && F::FLUSH != FZ16 {
                    continue;
                }
                let a = a & ty.mask() as u64;
                for (signed, fbits) in [(false, 0), (true, 0), (false, 3), (true, width as u8)] {
                    let mut flags = 0;
                    let extended = (a << (64 - width)) as i64 >> (64 - width);
                    let q = if signed { Quad::from_i128(extended.into()) } else { Quad::from_u128(a.into()) }
                        .value;
                    let q = (q * power(-i32::from(fbits))).value;
                    let value = rounded::<F>(fpcr, fpcr & F::FLUSH != 0, &mut flags, |m| F::of(q, m), || q);
                    // An integer zero is positive.
                    let op = PureOp::IntToF { shape: F::SHAPE, signed, fbits };
                    let got = ours(op, F::TYPE, &[(ty, a)], fpcr);
                    same(&(op, "of", ty), fpcr, &[a], got, (value, flags));
                }
            }
        }
    }
}

#[test]
fn conversions_from_integers() {
    from_integers::<Half>();
    from_integers::<Single>();
    from_integers::<Double>();
}

fn integral<F: Format>() {
    for a in singles::<F>() {
        for fpcr in modes() {
            for (round, mode) in FIXED.into_iter().chain([(Round::Current, rounding(fpcr))]) {
                for exact in [false, true] {
                    let mut flags = 0;
                    let x = operand::<F>(a, fpcr, &mut flags);
                    let value = nan::<F>(&[x], fpcr, &mut flags).unwrap_or_else(|| {
                        let x = F::from_bits(x.into());
                        let r = x.round_to_integral(mode).value;
                        if exact && !r.bitwise_eq(x) {
                            flags |= IXC;
                        }
                        r.to_bits() as u64
                    });
                    let op = PureOp::FRound { shape: F::SHAPE, round, exact };
                    let got = ours(op, F::TYPE, &[(F::TYPE, a)], fpcr);
                    same(&op, fpcr, &[a], got, (value, flags));
                }
            }
        }
    }
}

#[test]
fn rounding_to_integral_values() {
    integral::<Half>();
    integral::<Single>();
    integral::<Double>();
}
