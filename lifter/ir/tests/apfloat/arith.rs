//! Sums, products, quotients, fused multiply-add, the Newton steps, square roots.

use crate::oracle::*;
use ir::{FBin, FUn, PureOp};
use rustc_apfloat::ieee::{Double, Half, Quad, Single};
use rustc_apfloat::{Float, Round as Ap, Status, StatusAnd};

/// Pairs of corners, then random pairs: operands that are close to each other or far apart.
fn pairs<F: Format>(mut check: impl FnMut(u64, u64)) {
    let exponents: &[i64] =
        &[0, 1, 2, 990, 998, 999, 1000, 1001, 1010, 1011, 1023, 1024, 1052, 1053, -3, -2, -1];
    let values = corners::<F>(exponents, if full() { 12 } else { 4 });
    for &a in &values {
        for &b in &values {
            check(a, b);
        }
    }
    let mut r = Rng(0x1234_5678_9abc_def1 + u64::from(F::FRAC));
    for _ in 0..if full() { 1_000_000 } else { 10_000 } {
        let a = near::<F>(&mut r);
        let b = if r.below(4) == 0 {
            (a ^ r.next() & sign::<F>()).wrapping_add(r.below(5)).wrapping_sub(2)
        } else {
            near::<F>(&mut r)
        };
        check(a, b & ((sign::<F>() - 1) | sign::<F>()));
    }
}

fn binary<F: Format>() {
    type Op<F> = fn(F, F, Ap) -> StatusAnd<F>;
    let ops: [(FBin, Op<F>, Op<Quad>); 4] = [
        (FBin::Add, F::add_r, Quad::add_r),
        (FBin::Sub, F::sub_r, Quad::sub_r),
        (FBin::Mul, F::mul_r, Quad::mul_r),
        (FBin::Div, F::div_r, Quad::div_r),
    ];
    pairs::<F>(|a, b| {
        for fpcr in modes() {
            for (op, f, wide) in ops {
                let mut flags = 0;
                let (x, y) = (operand::<F>(a, fpcr, &mut flags), operand::<F>(b, fpcr, &mut flags));
                let value = nan::<F>(&[x, y], fpcr, &mut flags).unwrap_or_else(|| {
                    let exact = |mode| f(F::from_bits(x.into()), F::from_bits(y.into()), mode);
                    rounded::<F>(fpcr, fpcr & F::FLUSH != 0, &mut flags, exact, || {
                        wide(quad::<F>(x), quad::<F>(y), Ap::TowardZero).value
                    })
                });
                let got = ours(PureOp::F(op, F::SHAPE), F::TYPE, &[(F::TYPE, a), (F::TYPE, b)], fpcr);
                same(&op, fpcr, &[a, b], got, (value, flags));
            }
        }
    });
}

#[test]
fn add_subtract_multiply_divide_half() {
    binary::<Half>();
}

#[test]
fn add_subtract_multiply_divide_single() {
    binary::<Single>();
}

#[test]
fn add_subtract_multiply_divide_double() {
    binary::<Double>();
}

fn fused<F: Format>() {
    let exponents: &[i64] = &[0, 1, 999, 1000, 1011, -2, -1];
    let values = corners::<F>(exponents, if full() { 5 } else { 2 });
    let check = |a: u64, b: u64, c: u64| {
        for fpcr in modes() {
            let mut flags = 0;
            // FPMulAdd unpacks the addend first, and looks for NaNs in that order.
            let [z, x, y] = [c, a, b].map(|v| operand::<F>(v, fpcr, &mut flags));
            let magnitude = |v: u64| v & !sign::<F>();
            let no_product = magnitude(x) == infinity::<F>() && magnitude(y) == 0
                || magnitude(x) == 0 && magnitude(y) == infinity::<F>();
            let quiet_addend = magnitude(z) >= infinity::<F>() | quiet::<F>();
            let value = if no_product && quiet_addend {
                flags |= 1;
                infinity::<F>() | quiet::<F>()
            } else {
                nan::<F>(&[z, x, y], fpcr, &mut flags).unwrap_or_else(|| {
                    let [p, q, r] = [x, y, z].map(|v| F::from_bits(v.into()));
                    let exact = |mode| p.mul_add_r(q, r, mode);
                    rounded::<F>(fpcr, fpcr & F::FLUSH != 0, &mut flags, exact, || {
                        quad::<F>(x).mul_add_r(quad::<F>(y), quad::<F>(z), Ap::TowardZero).value
                    })
                })
            };
            let args = [a, b, c].map(|v| (F::TYPE, v));
            let got = ours(PureOp::FMulAdd(F::SHAPE), F::TYPE, &args, fpcr);
            same(&"FMulAdd", fpcr, &[a, b, c], got, (value, flags));
        }
    };
    for &a in &values {
        for &b in &values {
            for &c in &values {
                check(a, b, c);
            }
        }
    }
    let mut r = Rng(0xfeed_5678_9abc_def1 + u64::from(F::FRAC));
    for _ in 0..if full() { 1_000_000 } else { 20_000 } {
        let (a, b) = (near::<F>(&mut r), near::<F>(&mut r));
        // Often the opposite of the rounded product, or nearly: what remains is what one rounding keeps.
        let product =
            F::from_bits(a.into()).mul_r(F::from_bits(b.into()), Ap::TowardZero).value.to_bits() as u64;
        let c = if r.below(2) == 0 { product ^ sign::<F>() ^ r.below(2) } else { near::<F>(&mut r) };
        check(a, b, c);
    }
}

#[test]
fn multiply_add_half() {
    fused::<Half>();
}

#[test]
fn multiply_add_single() {
    fused::<Single>();
}

#[test]
fn multiply_add_double() {
    fused::<Double>();
}

/// FRECPS and FRSQRTS: one rounding of 2 − a × b, and of half of 3 − a × b.
fn steps<F: Format>() {
    let constant = |q: u128| F::of(Quad::from_u128(q).value, Ap::TowardZero).value;
    let half = F::of(power(-1), Ap::TowardZero).value;
    let (two, three) = (constant(2), constant(3));
    pairs::<F>(|a, b| {
        for fpcr in modes() {
            for op in [FBin::RecipStep, FBin::RsqrtStep] {
                let mut flags = 0;
                let (x, y) =
                    (operand::<F>(a ^ sign::<F>(), fpcr, &mut flags), operand::<F>(b, fpcr, &mut flags));
                let value = nan::<F>(&[x, y], fpcr, &mut flags).unwrap_or_else(|| {
                    let (p, q) = (F::from_bits(x.into()), F::from_bits(y.into()));
                    let one_and_a_half = (three * half).value;
                    let reciprocal = op == FBin::RecipStep;
                    if p.is_zero() && q.is_infinite() || p.is_infinite() && q.is_zero() {
                        return if reciprocal { two } else { one_and_a_half }.to_bits() as u64;
                    }
                    // Of a large operand half is exact; with small ones the sum is near 3, and half of that is.
                    let (big, other) = if p.abs() >= q.abs() { (p, q) } else { (q, p) };
                    let exact = |m| match reciprocal {
                        true => p.mul_add_r(q, two, m),
                        false if big.abs() > half => (big * half).value.mul_add_r(other, one_and_a_half, m),
                        false => p.mul_add_r(q, three, m).map(|v| (v * half).value),
                    };
                    rounded::<F>(fpcr, fpcr & F::FLUSH != 0, &mut flags, exact, || {
                        let sum = if reciprocal { 2 } else { 3 };
                        let sum = Quad::from_u128(sum).value;
                        let v = quad::<F>(x).mul_add_r(quad::<F>(y), sum, Ap::TowardZero).value;
                        if reciprocal { v } else { (v * power(-1)).value }
                    })
                });
                let got = ours(PureOp::F(op, F::SHAPE), F::TYPE, &[(F::TYPE, a), (F::TYPE, b)], fpcr);
                same(&op, fpcr, &[a, b], got, (value, flags));
            }
        }
    });
}

#[test]
fn newton_steps() {
    steps::<Half>();
    steps::<Single>();
    steps::<Double>();
}

/// The square root of `x` in a mode: the candidate whose square and whose neighbours' squares, exact in a wider format,
/// lie on the right sides of `x`.
fn root<F: Format>(x: F, mode: Ap) -> StatusAnd<F> {
    if x.is_negative() && !x.is_zero() {
        return Status::INVALID_OP.and(x);
    }
    if !x.is_finite_non_zero() {
        return Status::OK.and(x);
    }
    let wide = |v: F| v.convert(&mut false).value;
    let value: Quad = wide(x);
    // By bisection over the bits of nonnegative numbers: the largest r with r² ≤ x.
    let (mut low, mut high) = (0u64, infinity::<F>());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let m = wide(F::from_bits(middle.into()));
        if (m * m).value <= value { low = middle } else { high = middle }
    }
    let at = |bits: u64| wide(F::from_bits(bits.into()));
    let exact = (at(low) * at(low)).value == value;
    let status = if exact { Status::OK } else { Status::INEXACT };
    let two = Quad::from_u128(2).value;
    let up = match mode {
        _ if exact => false,
        Ap::TowardPositive => true,
        // Halfway between neighbours has one bit more; a square root is never just there.
        Ap::NearestTiesToEven => {
            let halfway = ((at(low) + at(low + 1)).value / two).value;
            (halfway * halfway).value < value
        }
        _ => false,
    };
    status.and(F::from_bits((low + u64::from(up)).into()))
}

fn roots<F: Format>() {
    let exponents: &[i64] = &[0, 1, 2, 3, 900, 990, 998, 999, 1000, 1001, 1002, 1011, 1053, -4, -3, -2, -1];
    let mut values = corners::<F>(exponents, 12);
    let mut r = Rng(77);
    values.extend((0..if full() { 100_000 } else { 1000 }).map(|_| near::<F>(&mut r)));
    for a in values {
        for fpcr in modes() {
            let mut flags = 0;
            let x = operand::<F>(a, fpcr, &mut flags);
            let value = nan::<F>(&[x], fpcr, &mut flags).unwrap_or_else(|| {
                rounded::<F>(
                    fpcr,
                    fpcr & F::FLUSH != 0,
                    &mut flags,
                    |m| root(F::from_bits(x.into()), m),
                    || Quad::from_u128(0).value,
                )
            });
            let got = ours(PureOp::FUn(FUn::Sqrt, F::SHAPE), F::TYPE, &[(F::TYPE, a)], fpcr);
            same(&"Sqrt", fpcr, &[a], got, (value, flags));
        }
    }
}

#[test]
fn square_roots() {
    roots::<Half>();
    roots::<Single>();
    roots::<Double>();
}
