//! The evaluator against Rust's own arithmetic: integers of the widths that no A64 instruction reaches, and the host's
//! floating point in the default mode, which is independent of both qemu and the evaluator.

use ir::eval::{Bits, FpEnv, eval};
use ir::{FBin, FShape, FUn, IntBin, IntCmp, IntUn, Lane, PureOp, Round, Type, VBin};

fn ev(op: PureOp, ty: Type, args: &[(Type, u128)]) -> u128 {
    let args: Vec<_> = args.iter().map(|&(ty, bits)| Bits::new(ty, bits)).collect();
    assert_eq!(args.len(), op.arity(), "{op:?}");
    let r = eval(op, ty, &args, &mut FpEnv::default());
    assert_eq!(r & !ty.mask(), 0, "{op:?}: bits above the type's width");
    r
}

/// xorshift64*.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[test]
fn bytes_exhaustively() {
    let ty = Type::I8;
    for a in 0..=255u8 {
        for b in 0..=255u8 {
            let bin = |op| ev(PureOp::Int(op), ty, &[(ty, a as u128), (ty, b as u128)]) as u8;
            let (sa, sb) = (a as i8, b as i8);
            assert_eq!(bin(IntBin::Add), a.wrapping_add(b));
            assert_eq!(bin(IntBin::Sub), a.wrapping_sub(b));
            assert_eq!(bin(IntBin::Mul), a.wrapping_mul(b));
            assert_eq!(bin(IntBin::UDiv), a.checked_div(b).unwrap_or(0));
            assert_eq!(bin(IntBin::SDiv), if b == 0 { 0 } else { sa.wrapping_div(sb) as u8 });
            assert_eq!(bin(IntBin::Shl), a.checked_shl(b as u32).unwrap_or(0));
            assert_eq!(bin(IntBin::Lshr), a.checked_shr(b as u32).unwrap_or(0));
            assert_eq!(bin(IntBin::Ashr), (sa >> b.min(7)) as u8);
            assert_eq!(bin(IntBin::Rotr), a.rotate_right(b as u32 % 8));
            assert_eq!(bin(IntBin::SMin), sa.min(sb) as u8);
            assert_eq!(bin(IntBin::SMax), sa.max(sb) as u8);
            assert_eq!(bin(IntBin::UMin), a.min(b));
            assert_eq!(bin(IntBin::UMax), a.max(b));
            let cmp = |op| ev(PureOp::Cmp(op), Type::I1, &[(ty, a as u128), (ty, b as u128)]) != 0;
            assert_eq!(cmp(IntCmp::Slt), sa < sb);
            assert_eq!(cmp(IntCmp::Sge), sa >= sb);
            assert_eq!(cmp(IntCmp::Ult), a < b);
            assert_eq!(cmp(IntCmp::Ugt), a > b);
            for carry in 0..2 {
                let args = [(ty, a as u128), (ty, b as u128), (Type::I1, carry as u128)];
                let unsigned = a as i32 + b as i32 + carry;
                let signed = sa as i32 + sb as i32 + carry;
                assert_eq!(ev(PureOp::CarryOut, Type::I1, &args) != 0, unsigned > 255);
                assert_eq!(ev(PureOp::Overflow, Type::I1, &args) != 0, !(-128..128).contains(&signed));
            }
        }
        let un = |op| ev(PureOp::IntUn(op), ty, &[(ty, a as u128)]);
        assert_eq!(un(IntUn::Not), !a as u128);
        assert_eq!(un(IntUn::Neg), a.wrapping_neg() as u128);
        assert_eq!(un(IntUn::Clz), a.leading_zeros() as u128);
        assert_eq!(un(IntUn::Cls), a.leading_zeros().max(a.leading_ones()) as u128 - 1);
        assert_eq!(un(IntUn::Ctz), a.trailing_zeros() as u128);
        assert_eq!(un(IntUn::Rbit), a.reverse_bits() as u128);
        assert_eq!(un(IntUn::Popcnt), a.count_ones() as u128);
        assert_eq!(ev(PureOp::Sext, Type::I32, &[(ty, a as u128)]), a as i8 as i32 as u32 as u128);
        assert_eq!(ev(PureOp::Sext, Type::I128, &[(ty, a as u128)]), a as i8 as i128 as u128);
    }
}

#[test]
fn wide_integers() {
    let mut rng = Rng(1);
    let ty = Type::I128;
    for i in 0..20_000 {
        let mut word = || (rng.next() as u128) << 64 | rng.next() as u128;
        let (mut a, mut b) = (word(), word());
        if i % 3 == 0 {
            (a, b) = (a >> (i % 128), b >> (i * 7 % 128));
        }
        let bin = |op, b| ev(PureOp::Int(op), ty, &[(ty, a), (ty, b)]);
        assert_eq!(bin(IntBin::Add, b), a.wrapping_add(b));
        assert_eq!(bin(IntBin::Mul, b), a.wrapping_mul(b));
        assert_eq!(bin(IntBin::UDiv, b), a.checked_div(b).unwrap_or(0));
        assert_eq!(bin(IntBin::Shl, b % 200), a.checked_shl((b % 200) as u32).unwrap_or(0));
        assert_eq!(bin(IntBin::Rotr, b), a.rotate_right((b % 128) as u32));
        assert_eq!(bin(IntBin::SMin, b), (a as i128).min(b as i128) as u128);
        // High products of small numbers shifted up: (x·2⁶⁴)(y·2⁶⁴) = xy·2¹²⁸.
        let (x, y) = (a as u64, b as u64);
        let args = [(ty, (x as u128) << 64), (ty, (y as u128) << 64)];
        assert_eq!(ev(PureOp::Int(IntBin::UMulHi), ty, &args), x as u128 * y as u128);
        assert_eq!(ev(PureOp::Int(IntBin::SMulHi), ty, &args), (x as i64 as i128 * y as i64 as i128) as u128);
        for carry in 0..2u128 {
            let args = [(ty, a), (ty, b), (Type::I1, carry)];
            let (s, c1) = a.overflowing_add(b);
            assert_eq!(ev(PureOp::CarryOut, Type::I1, &args) != 0, c1 || s.overflowing_add(carry).1);
        }
        let un = |op| ev(PureOp::IntUn(op), ty, &[(ty, a)]);
        assert_eq!(un(IntUn::Bswap), a.swap_bytes());
        assert_eq!(un(IntUn::Clz), a.leading_zeros() as u128);
        assert_eq!(un(IntUn::Not), !a);
    }
    assert_eq!(ev(PureOp::Int(IntBin::SDiv), ty, &[(ty, 1 << 127), (ty, u128::MAX)]), 1 << 127);
    assert_eq!(ev(PureOp::IntUn(IntUn::Ctz), Type::I16, &[(Type::I16, 0)]), 16);
}

#[test]
fn bits_move() {
    let (i1, i64) = (Type::I1, Type::I64);
    assert_eq!(ev(PureOp::Select, i64, &[(i1, 1), (i64, 5), (i64, 6)]), 5);
    assert_eq!(ev(PureOp::Select, i64, &[(i1, 0), (i64, 5), (i64, 6)]), 6);
    assert_eq!(ev(PureOp::Concat, Type::I128, &[(i64, 5), (i64, 6)]), 5 << 64 | 6);
    assert_eq!(ev(PureOp::Zext, i64, &[(i1, 1)]), 1);
    assert_eq!(ev(PureOp::Sext, i64, &[(i1, 1)]), u64::MAX as u128);
    assert_eq!(ev(PureOp::Trunc, i1, &[(i64, 6)]), 0);
    assert_eq!(ev(PureOp::IntUn(IntUn::Not), i1, &[(i1, 1)]), 0);
    assert_eq!(ev(PureOp::Int(IntBin::Xor), i1, &[(i1, 1), (i1, 1)]), 0);
    // Halving adds do not overflow in 64-bit lanes either, which no instruction has.
    let max = (Type::V128, i64.mask());
    assert_eq!(ev(PureOp::V(VBin::URHAdd, Lane::D2), Type::V128, &[max, max]), max.1);
}

/// A float's bits: any, or with an exponent near an edge.
fn special(rng: &mut Rng, frac: u32, exp_bits: u32) -> u64 {
    let r = rng.next();
    let max = (1 << exp_bits) - 1;
    let exp = match r % 6 {
        0 => 0,
        1 => max,
        2 => max / 2 + (r >> 8) % 5 - 2,
        3 => [1, 2, max - 1, max - 2][(r >> 8) as usize % 4],
        _ => (r >> 8) & max,
    };
    let f = match (r >> 20) % 4 {
        0 => 0,
        1 => (1 << frac) - 1,
        2 => 1 << ((r >> 24) % frac as u64),
        _ => rng.next() & ((1 << frac) - 1),
    };
    (r >> 63) << (frac + exp_bits) | exp << frac | f
}

macro_rules! against_host {
    ($name:ident, $float:ident, $bits:ident, $ty:expr, $shape:expr, $frac:expr, $exp:expr) => {
        #[test]
        fn $name() {
            let mut rng = Rng(7);
            // NaN results differ in sign and payload between the architectures; that they are NaNs is compared.
            let same = |what: &str, r: u128, host: $float, args: [$float; 3]| {
                let r = $float::from_bits(r as $bits);
                assert!(
                    r.to_bits() == host.to_bits() || r.is_nan() && host.is_nan(),
                    "{what} {args:?}: {r:e}, host {host:e}"
                );
            };
            for _ in 0..100_000 {
                let [a, b, c] =
                    std::array::from_fn(|_| $float::from_bits(special(&mut rng, $frac, $exp) as $bits));
                let [ab, bb, cb] = [a, b, c].map(|x| ($ty, x.to_bits() as u128));
                let bin = |op| ev(PureOp::F(op, $shape), $ty, &[ab, bb]);
                same("add", bin(FBin::Add), a + b, [a, b, c]);
                same("sub", bin(FBin::Sub), a - b, [a, b, c]);
                same("mul", bin(FBin::Mul), a * b, [a, b, c]);
                same("div", bin(FBin::Div), a / b, [a, b, c]);
                let r = ev(PureOp::FUn(FUn::Sqrt, $shape), $ty, &[ab]);
                same("sqrt", r, a.sqrt(), [a, b, c]);
                let r = ev(PureOp::FMulAdd($shape), $ty, &[ab, bb, cb]);
                same("fma", r, a.mul_add(b, c), [a, b, c]);
                let to_int = |ty, signed| {
                    let op = PureOp::FToInt { shape: $shape, signed, round: Round::Zero, fbits: 0 };
                    ev(op, ty, &[ab])
                };
                assert_eq!(to_int(Type::I32, true) as i32, a as i32, "{a:e}");
                assert_eq!(to_int(Type::I32, false) as u32, a as u32, "{a:e}");
                assert_eq!(to_int(Type::I64, true) as i64, a as i64, "{a:e}");
                assert_eq!(to_int(Type::I64, false) as u64, a as u64, "{a:e}");
                for (round, host) in [
                    (Round::TieEven, a.round_ties_even()),
                    (Round::TieAway, a.round()),
                    (Round::Zero, a.trunc()),
                    (Round::PlusInf, a.ceil()),
                    (Round::MinusInf, a.floor()),
                ] {
                    let op = PureOp::FRound { shape: $shape, round, exact: false };
                    same("round", ev(op, $ty, &[ab]), host, [a, b, c]);
                }
                let x = rng.next() >> (rng.next() % 64);
                let from_int = |signed| {
                    let op = PureOp::IntToF { shape: $shape, signed, fbits: 0 };
                    ev(op, $ty, &[(Type::I64, x as u128)])
                };
                same("ucvtf", from_int(false), x as $float, [a, b, c]);
                same("scvtf", from_int(true), x as i64 as $float, [a, b, c]);
                let convert = |to| ev(PureOp::FConvert(Round::Current), to, &[ab]);
                let (narrow, host) = (f32::from_bits(convert(Type::F32) as u32), a as f32);
                assert!(narrow.to_bits() == host.to_bits() || narrow.is_nan() && host.is_nan(), "{a:e}");
                let (wide, host) = (f64::from_bits(convert(Type::F64) as u64), a as f64);
                assert!(wide.to_bits() == host.to_bits() || wide.is_nan() && host.is_nan(), "{a:e}");
            }
        }
    };
}

against_host!(f32_as_the_host, f32, u32, Type::F32, FShape::S, 23, 8);
against_host!(f64_as_the_host, f64, u64, Type::F64, FShape::D, 52, 11);
