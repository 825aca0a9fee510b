//! Data operations: the one exhaustive match over [`PureOp`], with integers and moves between scalars and vectors. What is
//! not worth host code goes to `soft`.

use crate::emit::{Fx, Helper, clif_type};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self as clif, InstBuilder, MemFlags, Value as V, types};
use ir::{IntBin, IntCmp, IntUn, Lane, PureOp, Type, TypedOp, Value};

/// Cranelift's name of a comparison.
pub(crate) fn condition(op: IntCmp) -> IntCC {
    match op {
        IntCmp::Eq => IntCC::Equal,
        IntCmp::Ne => IntCC::NotEqual,
        IntCmp::Ult => IntCC::UnsignedLessThan,
        IntCmp::Ule => IntCC::UnsignedLessThanOrEqual,
        IntCmp::Ugt => IntCC::UnsignedGreaterThan,
        IntCmp::Uge => IntCC::UnsignedGreaterThanOrEqual,
        IntCmp::Slt => IntCC::SignedLessThan,
        IntCmp::Sle => IntCC::SignedLessThanOrEqual,
        IntCmp::Sgt => IntCC::SignedGreaterThan,
        IntCmp::Sge => IntCC::SignedGreaterThanOrEqual,
    }
}

/// Cranelift's type of lanes.
pub(crate) fn lane_type(lane: Lane) -> clif::Type {
    match lane {
        Lane::B16 => types::I8X16,
        Lane::H8 => types::I16X8,
        Lane::S4 => types::I32X4,
        Lane::D2 => types::I64X2,
    }
}

impl Fx<'_> {
    pub(crate) fn pure(&mut self, i: usize, op: PureOp, ty: Type, args: &[Value]) {
        let v = match self.native(op, ty, args) {
            Some(v) => v,
            None => self.soft(op, ty, args),
        };
        self.define(i, v);
    }

    fn native(&mut self, op: PureOp, ty: Type, args: &[Value]) -> Option<V> {
        match op {
            PureOp::Int(op) => self.int_bin(op, ty, args),
            PureOp::IntUn(op) => self.int_un(op, ty, args[0]),
            PureOp::Cmp(op) => {
                let operand = self.type_of(args[0]);
                if operand == Type::I128 {
                    return None;
                }
                let (mut a, mut b) = (self.value(args[0]), self.value(args[1]));
                if operand == Type::I1 && matches!(op, IntCmp::Slt | IntCmp::Sle | IntCmp::Sgt | IntCmp::Sge)
                {
                    // One is minus one.
                    (a, b) = (self.b.ins().ineg(a), self.b.ins().ineg(b));
                }
                Some(self.b.ins().icmp(condition(op), a, b))
            }
            PureOp::CarryOut => self.carry_out(args),
            PureOp::Overflow => self.overflow(args),
            PureOp::Select => {
                let (c, a, b) = (self.value(args[0]), self.value(args[1]), self.value(args[2]));
                Some(self.b.ins().select(c, a, b))
            }
            PureOp::Zext => self.zext(ty, args[0]),
            PureOp::Sext => self.sext(ty, args[0]),
            PureOp::Trunc => self.trunc(ty, args[0]),
            PureOp::Bitcast => {
                let (v, to) = (self.value(args[0]), clif_type(ty));
                Some(if self.b.func.dfg.value_type(v) == to {
                    v
                } else {
                    self.b.ins().bitcast(to, MemFlags::new(), v)
                })
            }
            PureOp::Concat => {
                let (hi, lo) = (self.value(args[0]), self.value(args[1]));
                let v = self.b.ins().scalar_to_vector(types::I64X2, lo);
                let v = self.b.ins().insertlane(v, hi, 1);
                Some(self.flat(v))
            }

            PureOp::F(..)
            | PureOp::FUn(..)
            | PureOp::FMulAdd(_)
            | PureOp::FCmp { .. }
            | PureOp::FConvert(_)
            | PureOp::FWiden { .. }
            | PureOp::FNarrow { .. }
            | PureOp::FToInt { .. }
            | PureOp::IntToF { .. }
            | PureOp::FRound { .. } => self.float(op, ty, args),

            PureOp::VFromScalar => Some(self.vector_of_scalar(args[0])),
            PureOp::VToScalar => {
                let v = self.value(args[0]);
                Some(self.low_scalar(ty, v))
            }
            PureOp::VSplat(_)
            | PureOp::VExtract(..)
            | PureOp::VInsert(..)
            | PureOp::V(..)
            | PureOp::VBit(_)
            | PureOp::VUn(..)
            | PureOp::VCmp(..)
            | PureOp::VBitSelect
            | PureOp::VShiftImm(..)
            | PureOp::VShuffle(_)
            | PureOp::VLookup
            | PureOp::VWiden { .. }
            | PureOp::VNarrow(_)
            | PureOp::VSat(..)
            | PureOp::VSatQc(..)
            | PureOp::VReduce(..)
            | PureOp::VLow64
            | PureOp::VPMull8 { .. } => self.vector(op, args),

            PureOp::Helper(_) => None,
        }
    }

    /// The evaluator's result.
    pub(crate) fn soft(&mut self, op: PureOp, ty: Type, args: &[Value]) -> V {
        let mut typed = TypedOp { op, ty, args: [ty; 3] };
        let slot = self.slot();
        for (n, &a) in args.iter().enumerate() {
            typed.args[n] = self.type_of(a);
            let v = self.value(a);
            self.b.ins().stack_store(v, slot, n as i32 * 16);
        }
        let op = self.arena.typed_op(typed);
        let op = self.iconst(types::I64, op);
        let from = self.b.ins().stack_addr(types::I64, slot, 0);
        let to = self.b.ins().stack_addr(types::I64, slot, 48);
        let state = self.state();
        self.call(self.request.helpers.soft, &[state, op, from, to], Helper::Keeping);
        self.b.ins().stack_load(clif_type(ty), slot, 48)
    }

    /// A 128-bit vector of any lanes as the type in which vectors travel.
    pub(crate) fn flat(&mut self, v: V) -> V {
        self.cast(types::I8X16, v)
    }

    /// The same bits as another vector type.
    pub(crate) fn cast(&mut self, to: clif::Type, v: V) -> V {
        if self.b.func.dfg.value_type(v) == to {
            return v;
        }
        self.b.ins().bitcast(to, MemFlags::new().with_endianness(clif::Endianness::Little), v)
    }

    fn zext(&mut self, ty: Type, arg: Value) -> Option<V> {
        let v = self.value(arg);
        let from = self.type_of(arg);
        if ty == Type::I128 {
            let v = if from == Type::I64 { v } else { self.b.ins().uextend(types::I64, v) };
            let v = self.b.ins().scalar_to_vector(types::I64X2, v);
            return Some(self.flat(v));
        }
        let to = clif_type(ty);
        Some(if self.b.func.dfg.value_type(v) == to { v } else { self.b.ins().uextend(to, v) })
    }

    fn sext(&mut self, ty: Type, arg: Value) -> Option<V> {
        let v = self.value(arg);
        if ty == Type::I128 {
            return None;
        }
        let to = clif_type(ty);
        if self.type_of(arg) == Type::I1 {
            let v = if to == types::I8 { v } else { self.b.ins().uextend(to, v) };
            return Some(self.b.ins().ineg(v));
        }
        Some(if self.b.func.dfg.value_type(v) == to { v } else { self.b.ins().sextend(to, v) })
    }

    fn trunc(&mut self, ty: Type, arg: Value) -> Option<V> {
        let mut v = self.value(arg);
        if self.type_of(arg) == Type::I128 {
            let lanes = self.cast(types::I64X2, v);
            v = self.b.ins().extractlane(lanes, 0);
        }
        let to = clif_type(ty);
        if self.b.func.dfg.value_type(v) != to {
            v = self.b.ins().ireduce(to, v);
        }
        Some(if ty == Type::I1 { self.b.ins().band_imm(v, 1) } else { v })
    }

    fn int_bin(&mut self, op: IntBin, ty: Type, args: &[Value]) -> Option<V> {
        let n = ty.bits() as i64;
        let k = self.constant(args[1]);
        let (a, b) = (self.value(args[0]), self.value(args[1]));
        if ty == Type::I1 {
            return match op {
                IntBin::And => Some(self.b.ins().band(a, b)),
                IntBin::Or => Some(self.b.ins().bor(a, b)),
                IntBin::Xor => Some(self.b.ins().bxor(a, b)),
                _ => None,
            };
        }
        if ty == Type::I128 {
            if matches!(op, IntBin::And | IntBin::Or | IntBin::Xor) {
                return Some(match op {
                    IntBin::And => self.b.ins().band(a, b),
                    IntBin::Or => self.b.ins().bor(a, b),
                    _ => self.b.ins().bxor(a, b),
                });
            }
            if (op, k) == (IntBin::Lshr, Some(64)) {
                let lanes = self.cast(types::I64X2, a);
                let high = self.b.ins().extractlane(lanes, 1);
                let v = self.b.ins().scalar_to_vector(types::I64X2, high);
                return Some(self.flat(v));
            }
            return None;
        }
        let t = clif_type(ty);
        Some(match op {
            IntBin::Add => self.b.ins().iadd(a, b),
            IntBin::Sub => self.b.ins().isub(a, b),
            IntBin::Mul => self.b.ins().imul(a, b),
            IntBin::UMulHi if n >= 32 => self.b.ins().umulhi(a, b),
            IntBin::SMulHi if n >= 32 => self.b.ins().smulhi(a, b),
            IntBin::UDiv if n >= 32 => return Some(self.divide(t, a, b, false)),
            IntBin::SDiv if n >= 32 => return Some(self.divide(t, a, b, true)),
            IntBin::UMulHi | IntBin::SMulHi | IntBin::UDiv | IntBin::SDiv => return None,
            IntBin::And => self.b.ins().band(a, b),
            IntBin::Or => self.b.ins().bor(a, b),
            IntBin::Xor => self.b.ins().bxor(a, b),
            IntBin::Shl | IntBin::Lshr => {
                let shift = |fx: &mut Self, by: V| match op {
                    IntBin::Shl => fx.b.ins().ishl(a, by),
                    _ => fx.b.ins().ushr(a, by),
                };
                match k {
                    Some(k) if k < n as u128 => match op {
                        IntBin::Shl => self.b.ins().ishl_imm(a, k as i64),
                        _ => self.b.ins().ushr_imm(a, k as i64),
                    },
                    Some(_) => self.iconst(t, 0),
                    None if self.below(args[1], n as u64) => shift(self, b),
                    None => {
                        let r = shift(self, b);
                        let zero = self.iconst(t, 0);
                        let in_range = self.b.ins().icmp_imm(IntCC::UnsignedLessThan, b, n);
                        self.b.ins().select(in_range, r, zero)
                    }
                }
            }
            IntBin::Ashr => match k {
                Some(k) => self.b.ins().sshr_imm(a, k.min(n as u128 - 1) as i64),
                None if self.below(args[1], n as u64) => self.b.ins().sshr(a, b),
                None => {
                    let most = self.iconst(t, n as u64 - 1);
                    let in_range = self.b.ins().icmp_imm(IntCC::UnsignedLessThan, b, n);
                    let by = self.b.ins().select(in_range, b, most);
                    self.b.ins().sshr(a, by)
                }
            },
            IntBin::Rotr => match k {
                Some(k) => self.b.ins().rotr_imm(a, (k % n as u128) as i64),
                None => self.b.ins().rotr(a, b),
            },
            IntBin::SMin | IntBin::SMax | IntBin::UMin | IntBin::UMax => {
                let cc = match op {
                    IntBin::SMin => IntCC::SignedLessThan,
                    IntBin::SMax => IntCC::SignedGreaterThan,
                    IntBin::UMin => IntCC::UnsignedLessThan,
                    _ => IntCC::UnsignedGreaterThan,
                };
                let c = self.b.ins().icmp(cc, a, b);
                self.b.ins().select(c, a, b)
            }
        })
    }

    /// True if the value is surely below `n`, a power of two.
    fn below(&self, v: Value, n: u64) -> bool {
        match *self.def(v) {
            ir::Inst::Pure { op: PureOp::Int(IntBin::And), args, .. } => {
                args[..2].iter().any(|&a| self.constant(a).is_some_and(|k| k < n as u128))
            }
            ir::Inst::Pure { op: PureOp::Zext, args, .. } => self.below(args[0], n),
            _ => false,
        }
    }

    /// Division without traps: x / 0 = 0, MIN / −1 = MIN.
    fn divide(&mut self, t: clif::Type, a: V, b: V, signed: bool) -> V {
        let one = self.iconst(t, 1);
        let zero = self.iconst(t, 0);
        // Divisors 0, and −1 of signed divisions, are replaced by 1.
        if signed {
            let next = self.b.ins().iadd(b, one);
            let special = self.b.ins().icmp_imm(IntCC::UnsignedLessThan, next, 2);
            let divisor = self.b.ins().select(special, one, b);
            let q = self.b.ins().sdiv(a, divisor);
            let negated = self.b.ins().ineg(a);
            // 0 · −a and 1 · −a: with b = 0 nothing is left, with b = −1 all of it.
            let other = self.b.ins().band(negated, b);
            self.b.ins().select(special, other, q)
        } else {
            let is_zero = self.b.ins().icmp_imm(IntCC::Equal, b, 0);
            let divisor = self.b.ins().select(is_zero, one, b);
            let q = self.b.ins().udiv(a, divisor);
            self.b.ins().select(is_zero, zero, q)
        }
    }

    fn int_un(&mut self, op: IntUn, ty: Type, arg: Value) -> Option<V> {
        let a = self.value(arg);
        match (op, ty) {
            (IntUn::Not, Type::I1) => Some(self.b.ins().bxor_imm(a, 1)),
            (IntUn::Not, _) => Some(self.b.ins().bnot(a)),
            (_, Type::I128 | Type::I1) => None,
            (IntUn::Neg, _) => Some(self.b.ins().ineg(a)),
            (IntUn::Clz, Type::I32 | Type::I64) => Some(self.b.ins().clz(a)),
            (IntUn::Ctz, Type::I32 | Type::I64) => Some(self.b.ins().ctz(a)),
            (IntUn::Cls, Type::I32 | Type::I64) => {
                let sign = self.b.ins().sshr_imm(a, ty.bits() as i64 - 1);
                let x = self.b.ins().bxor(a, sign);
                let n = self.b.ins().clz(x);
                Some(self.b.ins().iadd_imm(n, -1))
            }
            (IntUn::Rbit, Type::I32 | Type::I64) => Some(self.b.ins().bitrev(a)),
            (IntUn::Bswap, Type::I16 | Type::I32 | Type::I64) => Some(self.b.ins().bswap(a)),
            (IntUn::Popcnt, Type::I32 | Type::I64) => Some(self.b.ins().popcnt(a)),
            (IntUn::Clz | IntUn::Ctz | IntUn::Cls | IntUn::Rbit | IntUn::Bswap | IntUn::Popcnt, _) => None,
        }
    }

    /// Carry out of a + b + c.
    fn carry_out(&mut self, args: &[Value]) -> Option<V> {
        if self.type_of(args[0]).bits() > 64 {
            return None;
        }
        let (a, b, c) = (self.value(args[0]), self.value(args[1]), self.value(args[2]));
        let first = self.b.ins().iadd(a, b);
        let carry = self.b.ins().icmp(IntCC::UnsignedLessThan, first, a);
        match self.constant(args[2]) {
            Some(0) => Some(carry),
            Some(_) => {
                // a + b + 1 ≥ 2ⁿ, if a > !b − … : a ≥ !b.
                let not = self.b.ins().bnot(b);
                Some(self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, a, not))
            }
            None => {
                let t = self.b.func.dfg.value_type(a);
                let wide = if t == types::I8 { c } else { self.b.ins().uextend(t, c) };
                let sum = self.b.ins().iadd(first, wide);
                let again = self.b.ins().icmp(IntCC::UnsignedLessThan, sum, wide);
                Some(self.b.ins().bor(carry, again))
            }
        }
    }

    /// Signed overflow of a + b + c: that of a sum or a difference, or both operands have the sign that the sum has not.
    fn overflow(&mut self, args: &[Value]) -> Option<V> {
        let ty = self.type_of(args[0]);
        if !matches!(ty, Type::I32 | Type::I64) {
            return None;
        }
        let (a, b, c) = (self.value(args[0]), self.value(args[1]), self.value(args[2]));
        let t = clif_type(ty);
        match (self.constant(args[2]), self.complement(args[1])) {
            (Some(0), _) => return Some(self.b.ins().sadd_overflow(a, b).1),
            (Some(_), Some(b)) => return Some(self.b.ins().ssub_overflow(a, b).1),
            _ => {}
        }
        let wide = self.b.ins().uextend(t, c);
        let sum = self.b.ins().iadd(a, b);
        let sum = self.b.ins().iadd(sum, wide);
        let x = self.b.ins().bxor(a, sum);
        let y = self.b.ins().bxor(b, sum);
        let both = self.b.ins().band(x, y);
        Some(self.b.ins().icmp_imm(IntCC::SignedLessThan, both, 0))
    }

    /// The value of which `v` is the complement, if that costs nothing.
    fn complement(&mut self, v: Value) -> Option<V> {
        match *self.def(v) {
            ir::Inst::Pure { op: PureOp::IntUn(IntUn::Not), args, .. } => Some(self.value(args[0])),
            ir::Inst::Const { ty, bits } => Some(self.typed_const(ty, !bits & ty.mask())),
            _ => None,
        }
    }

    /// A scalar in the low bits of a vector, zero above.
    fn vector_of_scalar(&mut self, arg: Value) -> V {
        let mut v = self.value(arg);
        let t = match self.type_of(arg) {
            Type::V128 | Type::I128 => return v,
            Type::F64 => types::F64X2,
            Type::F32 => types::F32X4,
            Type::I64 => types::I64X2,
            Type::I32 => types::I32X4,
            Type::I1 | Type::I8 | Type::I16 | Type::F16 => {
                v = self.b.ins().uextend(types::I32, v);
                types::I32X4
            }
        };
        let v = self.b.ins().scalar_to_vector(t, v);
        self.flat(v)
    }

    /// The low bits of a vector.
    pub(crate) fn low_scalar(&mut self, ty: Type, v: V) -> V {
        let lanes = match ty {
            Type::V128 | Type::I128 => return v,
            Type::F64 => types::F64X2,
            Type::F32 => types::F32X4,
            Type::I64 => types::I64X2,
            Type::I32 => types::I32X4,
            Type::I16 | Type::F16 => types::I16X8,
            Type::I1 | Type::I8 => types::I8X16,
        };
        let v = self.cast(lanes, v);
        let x = self.b.ins().extractlane(v, 0);
        if ty == Type::I1 { self.b.ins().band_imm(x, 1) } else { x }
    }
}
