//! Algebra: what an operation becomes in view of its operands. Each rule is an identity of the operations' meaning in
//! `eval` for all operands; it takes the list under construction, gives a value, a constant or a simpler operation.

use super::lanes;
use super::simplify::Out;
use crate::func::{NO_VALUE, Value};
use crate::op::*;
use crate::types::Type;

/// What to do with an operation.
pub(super) enum Rule {
    /// Nothing applies.
    Keep,
    /// It is this value.
    Value(Value),
    /// It is this constant of its type.
    Const(u128),
    /// It is this operation of the same result type.
    Op(PureOp, [Value; 3]),
}

use Rule::{Const, Keep, Value as Is};

pub(super) fn unary(op: PureOp, a: Value) -> Rule {
    Rule::Op(op, [a, NO_VALUE, NO_VALUE])
}

pub(super) fn binary(op: PureOp, a: Value, b: Value) -> Rule {
    Rule::Op(op, [a, b, NO_VALUE])
}

/// The rule for `op` with result type `ty`.
pub(super) fn rewrite(out: &mut Out<'_>, op: PureOp, ty: Type, args: [Value; 3]) -> Rule {
    let [a, b, c] = args;
    match op {
        PureOp::Int(op) => int(out, op, ty, a, b),
        PureOp::IntUn(IntUn::Not) => match out.as_pure(a) {
            Some((PureOp::IntUn(IntUn::Not), [x, ..])) => Is(x),
            Some((PureOp::Cmp(cmp), [x, y, _])) => binary(PureOp::Cmp(cmp.inverse()), x, y),
            _ => Keep,
        },
        PureOp::IntUn(op @ (IntUn::Neg | IntUn::Rbit | IntUn::Bswap)) => match out.as_pure(a) {
            Some((PureOp::IntUn(inner), [x, ..])) if inner == op => Is(x),
            _ => Keep,
        },
        PureOp::Cmp(cmp) => compare(out, cmp, a, b),
        PureOp::CarryOut => carry(out, a, b, c),
        PureOp::Overflow => match (out.as_const(b), out.as_const(c)) {
            // a + 0, a − 0.
            (Some(0), Some(0)) => Const(0),
            (Some(k), Some(1)) if k == out.ty(b).mask() => Const(0),
            _ => Keep,
        },
        PureOp::Select => select(out, ty, a, b, c),
        PureOp::Zext => match out.as_pure(a) {
            Some((PureOp::Zext, [x, ..])) => unary(PureOp::Zext, x),
            _ => Keep,
        },
        PureOp::Sext => match out.as_pure(a) {
            Some((inner @ (PureOp::Sext | PureOp::Zext), [x, ..])) => unary(inner, x),
            _ => Keep,
        },
        PureOp::Trunc => trunc(out, ty, a),
        PureOp::Bitcast => match out.as_pure(a) {
            Some((PureOp::Bitcast, [x, ..])) if out.ty(x) == ty => Is(x),
            Some((PureOp::Bitcast, [x, ..])) => unary(PureOp::Bitcast, x),
            _ => Keep,
        },
        PureOp::VToScalar => lanes::to_scalar(out, ty, a),
        PureOp::VFromScalar => lanes::from_scalar(out, a),
        PureOp::VExtract(lane, n) => lanes::extract(out, lane, n, a),
        PureOp::VInsert(lane, n) => lanes::insert(out, lane, n, a, b),
        PureOp::VWiden { lane, signed, high } => lanes::widen(out, lane, signed, high, a),
        PureOp::VLow64 => match out.as_pure(a) {
            Some((PureOp::VLow64 | PureOp::VNarrow(_), _)) => Is(a),
            Some((PureOp::VFromScalar, [x, ..])) if out.ty(x).bits() <= 64 => Is(a),
            _ => Keep,
        },
        PureOp::VBit(op) if a == b => match op {
            VBit::And | VBit::Or => Is(a),
            VBit::Xor | VBit::AndNot => Const(0),
            VBit::OrNot => Const(u128::MAX),
        },
        PureOp::VBitSelect if b == c => Is(b),
        _ => Keep,
    }
}

fn commutes(op: IntBin) -> bool {
    match op {
        IntBin::Add
        | IntBin::Mul
        | IntBin::UMulHi
        | IntBin::SMulHi
        | IntBin::And
        | IntBin::Or
        | IntBin::Xor
        | IntBin::SMin
        | IntBin::SMax
        | IntBin::UMin
        | IntBin::UMax => true,
        IntBin::Sub
        | IntBin::UDiv
        | IntBin::SDiv
        | IntBin::Shl
        | IntBin::Lshr
        | IntBin::Ashr
        | IntBin::Rotr => false,
    }
}

fn int(out: &mut Out<'_>, op: IntBin, ty: Type, a: Value, b: Value) -> Rule {
    if a == b {
        match op {
            IntBin::Sub | IntBin::Xor => return Const(0),
            IntBin::And | IntBin::Or | IntBin::SMin | IntBin::SMax | IntBin::UMin | IntBin::UMax => {
                return Is(a);
            }
            _ => {}
        }
    }
    let Some(k) = out.as_const(b) else {
        return if commutes(op) && out.as_const(a).is_some() { binary(PureOp::Int(op), b, a) } else { Keep };
    };
    let ones = ty.mask();
    match op {
        IntBin::Add | IntBin::Sub | IntBin::Or | IntBin::Xor | IntBin::Rotr | IntBin::UMax if k == 0 => Is(a),
        IntBin::Shl | IntBin::Lshr | IntBin::Ashr if k == 0 => Is(a),
        IntBin::And | IntBin::UMin if k == ones => Is(a),
        IntBin::Mul | IntBin::UDiv | IntBin::SDiv if k == 1 && ty != Type::I1 => Is(a),
        IntBin::And | IntBin::Mul | IntBin::UMin | IntBin::UMulHi | IntBin::UDiv | IntBin::SDiv if k == 0 => {
            Const(0)
        }
        IntBin::Or | IntBin::UMax if k == ones => Const(ones),
        IntBin::Shl | IntBin::Lshr if k >= ty.bits() as u128 => Const(0),
        IntBin::Xor if k == ones => unary(PureOp::IntUn(IntUn::Not), a),
        IntBin::Add => match out.as_pure(a) {
            // (x + k1) + k2
            Some((PureOp::Int(IntBin::Add), [x, k1, _])) => match out.as_const(k1) {
                Some(k1) => {
                    let sum = out.konst(ty, k1.wrapping_add(k));
                    binary(PureOp::Int(IntBin::Add), x, sum)
                }
                None => Keep,
            },
            _ => Keep,
        },
        IntBin::And => match out.as_pure(a) {
            // The mask keeps all that the extension can set.
            Some((PureOp::Zext, [x, ..])) if out.ty(x).mask() & !k == 0 => Is(a),
            Some((PureOp::Int(IntBin::And), [x, k1, _])) => match out.as_const(k1) {
                Some(k1) => {
                    let both = out.konst(ty, k1 & k);
                    binary(PureOp::Int(IntBin::And), x, both)
                }
                None => Keep,
            },
            _ => Keep,
        },
        _ => Keep,
    }
}

fn compare(out: &mut Out<'_>, cmp: IntCmp, a: Value, b: Value) -> Rule {
    if a == b {
        let reflexive = matches!(cmp, IntCmp::Eq | IntCmp::Ule | IntCmp::Uge | IntCmp::Sle | IntCmp::Sge);
        return Const(reflexive as u128);
    }
    let Some(k) = out.as_const(b) else {
        return if out.as_const(a).is_some() { binary(PureOp::Cmp(cmp.mirrored()), b, a) } else { Keep };
    };
    if k != 0 {
        return Keep;
    }
    match cmp {
        IntCmp::Ult => Const(0),
        IntCmp::Uge => Const(1),
        IntCmp::Ule => binary(PureOp::Cmp(IntCmp::Eq), a, b),
        IntCmp::Ugt => binary(PureOp::Cmp(IntCmp::Ne), a, b),
        IntCmp::Eq | IntCmp::Ne => match out.as_pure(a) {
            Some((PureOp::Int(IntBin::Sub | IntBin::Xor), [x, y, _])) => binary(PureOp::Cmp(cmp), x, y),
            Some((PureOp::Zext | PureOp::Sext, [x, ..])) if out.ty(x) == Type::I1 => match cmp {
                IntCmp::Ne => Is(x),
                _ => unary(PureOp::IntUn(IntUn::Not), x),
            },
            Some((PureOp::Zext | PureOp::Sext, [x, ..])) => {
                let zero = out.konst(out.ty(x), 0);
                binary(PureOp::Cmp(cmp), x, zero)
            }
            _ if out.ty(a) == Type::I1 => match cmp {
                IntCmp::Ne => Is(a),
                _ => unary(PureOp::IntUn(IntUn::Not), a),
            },
            _ => Keep,
        },
        IntCmp::Slt | IntCmp::Sle | IntCmp::Sgt | IntCmp::Sge => Keep,
    }
}

/// Carry out of a + b + c. With c = 1, a ≥ !b; with c = 0, a > !b (unsigned).
fn carry(out: &mut Out<'_>, a: Value, b: Value, c: Value) -> Rule {
    let (Some(c), ty) = (out.as_const(c), out.ty(b)) else { return Keep };
    let cmp = if c == 1 { IntCmp::Uge } else { IntCmp::Ugt };
    if let Some(k) = out.as_const(b) {
        let not = out.konst(ty, !k);
        return binary(PureOp::Cmp(cmp), a, not);
    }
    match out.as_pure(b) {
        Some((PureOp::IntUn(IntUn::Not), [x, ..])) => binary(PureOp::Cmp(cmp), a, x),
        _ => Keep,
    }
}

fn select(out: &mut Out<'_>, ty: Type, c: Value, a: Value, b: Value) -> Rule {
    if let Some(k) = out.as_const(c) {
        return Is(if k != 0 { a } else { b });
    }
    if a == b {
        return Is(a);
    }
    if let Some((PureOp::IntUn(IntUn::Not), [x, ..])) = out.as_pure(c) {
        return Rule::Op(PureOp::Select, [x, b, a]);
    }
    match (out.as_const(a), out.as_const(b)) {
        (Some(1), Some(0)) if ty == Type::I1 => Is(c),
        (Some(0), Some(1)) if ty == Type::I1 => unary(PureOp::IntUn(IntUn::Not), c),
        (Some(1), Some(0)) if ty.is_int() => unary(PureOp::Zext, c),
        _ => Keep,
    }
}

fn trunc(out: &mut Out<'_>, ty: Type, a: Value) -> Rule {
    let Some((op, [x, y, _])) = out.as_pure(a) else { return Keep };
    match op {
        PureOp::Trunc => unary(PureOp::Trunc, x),
        PureOp::Zext | PureOp::Sext => {
            let from = out.ty(x);
            if from == ty {
                Is(x)
            } else if from.bits() > ty.bits() {
                unary(PureOp::Trunc, x)
            } else {
                unary(op, x)
            }
        }
        // The mask keeps all that the truncation keeps.
        PureOp::Int(IntBin::And) if out.as_const(y).is_some_and(|k| ty.mask() & !k == 0) => {
            unary(PureOp::Trunc, x)
        }
        _ => Keep,
    }
}

/// The low bits of the scalar `x` as type `ty`.
pub(super) fn scalar(out: &mut Out<'_>, ty: Type, x: Value) -> Rule {
    let from = out.ty(x);
    if from == ty {
        Is(x)
    } else if from.bits() == ty.bits() {
        unary(PureOp::Bitcast, x)
    } else if from.is_int() && ty.is_int() {
        unary(if from.bits() > ty.bits() { PureOp::Trunc } else { PureOp::Zext }, x)
    } else {
        Keep
    }
}
