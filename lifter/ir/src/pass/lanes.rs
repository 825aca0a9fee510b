//! Algebra of vectors that are put together of lanes and taken apart again, as registers that are parts of others are (AArch32's
//! S and Q registers beside its D registers). Takes an operation in view of its operands, gives what it is then.

use super::rules::{Rule, binary, scalar, unary};
use super::simplify::Out;
use crate::func::Value;
use crate::op::PureOp;
use crate::types::{Lane, Type};

use Rule::{Keep, Value as Is};

/// The low bits of a vector as type `ty`.
pub(super) fn to_scalar(out: &mut Out<'_>, ty: Type, a: Value) -> Rule {
    match out.as_pure(a) {
        Some((PureOp::VFromScalar, [x, ..])) => scalar(out, ty, x),
        Some((PureOp::VLow64, [x, ..])) if ty.bits() <= 64 => unary(PureOp::VToScalar, x),
        Some((PureOp::VInsert(lane, n), [x, ..])) if lane.bits() * u32::from(n) >= ty.bits() => {
            unary(PureOp::VToScalar, x)
        }
        Some((PureOp::VInsert(lane, 0), [_, s, _])) if lane.bits() == ty.bits() => scalar(out, ty, s),
        _ => Keep,
    }
}

/// A scalar with zeros above.
pub(super) fn from_scalar(out: &Out<'_>, a: Value) -> Rule {
    match out.as_pure(a) {
        Some((PureOp::VToScalar, [x, ..])) if out.ty(a).bits() == 64 => unary(PureOp::VLow64, x),
        _ => Keep,
    }
}

/// One lane of a vector.
pub(super) fn extract(out: &Out<'_>, lane: Lane, n: u8, a: Value) -> Rule {
    let high = lane.bits() * u32::from(n) >= 64;
    match out.as_pure(a) {
        Some((PureOp::VInsert(l, m), [x, s, _])) if l == lane => {
            if m == n {
                Is(s)
            } else {
                unary(PureOp::VExtract(lane, n), x)
            }
        }
        Some((PureOp::VLow64, _)) if high => Rule::Const(0),
        Some((PureOp::VLow64, [x, ..])) => unary(PureOp::VExtract(lane, n), x),
        _ => Keep,
    }
}

/// Half of a vector in lanes twice as wide.
pub(super) fn widen(out: &Out<'_>, lane: Lane, signed: bool, high: bool, a: Value) -> Rule {
    let half = |high| PureOp::VWiden { lane, signed, high };
    match out.as_pure(a) {
        Some((PureOp::VLow64, _)) if high => Rule::Const(0),
        Some((PureOp::VLow64 | PureOp::VInsert(Lane::D2, 1), [x, ..])) if !high => unary(half(false), x),
        Some((PureOp::VFromScalar, [s, ..])) if !high => match out.as_pure(bits_of(out, s)) {
            Some((PureOp::VExtract(Lane::D2, 1), [x, ..])) => unary(half(true), x),
            _ => Keep,
        },
        _ => Keep,
    }
}

/// What `s` has the bits of.
fn bits_of(out: &Out<'_>, s: Value) -> Value {
    match out.as_pure(s) {
        Some((PureOp::Bitcast, [x, ..])) => x,
        _ => s,
    }
}

/// A vector with one lane replaced.
pub(super) fn insert(out: &Out<'_>, lane: Lane, n: u8, a: Value, s: Value) -> Rule {
    let from = out.as_pure(s);
    match out.as_pure(a) {
        // The upper half replaced: put together again, or what was there does not matter.
        Some((PureOp::VLow64, [x, ..])) if (lane, n) == (Lane::D2, 1) => match from {
            Some((PureOp::VExtract(Lane::D2, 1), [y, ..])) if y == x => Is(x),
            _ => binary(PureOp::VInsert(lane, n), x, s),
        },
        // Replaced again.
        Some((PureOp::VInsert(l, m), [x, ..])) if (l, m) == (lane, n) => {
            binary(PureOp::VInsert(lane, n), x, s)
        }
        _ => match from {
            Some((PureOp::VExtract(l, m), [x, ..])) if (l, m, x) == (lane, n, a) => Is(a),
            _ => Keep,
        },
    }
}
