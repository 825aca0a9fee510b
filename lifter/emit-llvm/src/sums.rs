//! Addresses of AArch32 that are sums with an index: in 64 bits where the index is known to be small, so that x86 adds and scales it.
//! What then leaves the 32-bit address space meets reserved memory, and the interpreter reduces the address.

use crate::function::Fx;
use crate::llvm::V;
use ir::{Inst, IntBin, PureOp, Type, Value};

/// Bits of an index with which a sum stays within what is reserved above 4 GiB (`runtime/host/src/mem.rs`).
const INDEX_BITS: u32 = 23;
/// How many operations to look through for what an index can be.
const LOOK: u32 = 6;

impl Fx<'_, '_> {
    /// The address, not reduced to 32 bits if it is the sum of a 32-bit number and a small index.
    pub(crate) fn unreduced(&self, addr: Value) -> V {
        self.small_sum(addr).unwrap_or_else(|| self.value(addr))
    }

    fn small_sum(&self, addr: Value) -> Option<V> {
        if self.unit.vector_regs {
            // A64, which has no 32-bit address space.
            return None;
        }
        let Inst::Pure { op: PureOp::Zext, ty: Type::I64, args: [sum, ..] } = *self.def(addr) else {
            return None;
        };
        let Inst::Pure { op: PureOp::Int(IntBin::Add), ty: Type::I32, args: [a, b, ..] } = *self.def(sum)
        else {
            return None;
        };
        let (base, index) = if self.bits(b, LOOK) <= INDEX_BITS {
            (a, b)
        } else if self.bits(a, LOOK) <= INDEX_BITS {
            (b, a)
        } else {
            return None;
        };
        let l = self.l;
        let wide = match *self.def(base) {
            // A general register, which has zeros above.
            Inst::Pure { op: PureOp::Trunc, args: [x, ..], .. } if matches!(self.def(x), Inst::Get(_)) => {
                self.value(x)
            }
            _ => l.zext(self.value(base), l.i64_ty()),
        };
        Some(l.add(wide, l.zext(self.value(index), l.i64_ty())))
    }

    /// How many low bits of an integer can differ from zero, by so many operations of its block.
    fn bits(&self, v: Value, look: u32) -> u32 {
        let width = self.type_of(v).bits();
        if look == 0 {
            return width;
        }
        let of = |v| self.bits(v, look - 1);
        let amount = |v| self.constant(v).and_then(|c| u32::try_from(c).ok());
        let bits = match *self.def(v) {
            Inst::Const { bits, .. } => u128::BITS - bits.leading_zeros(),
            Inst::Pure { op: PureOp::Zext | PureOp::Trunc, args: [a, ..], .. } => of(a),
            Inst::Pure { op: PureOp::Int(op), args: [a, b, ..], .. } => match op {
                IntBin::And => of(a).min(of(b)),
                IntBin::Or | IntBin::Xor => of(a).max(of(b)),
                IntBin::Lshr => amount(b).map_or(width, |n| of(a).saturating_sub(n)),
                IntBin::Shl => amount(b).map_or(width, |n| of(a).saturating_add(n)),
                _ => width,
            },
            _ => width,
        };
        bits.min(width)
    }
}
