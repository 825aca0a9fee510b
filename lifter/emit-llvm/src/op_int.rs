//! Scalar integer operations. The IR's are total; the guards that LLVM's need are added here, and left out where the
//! operand is a constant.

use crate::function::Fx;
use crate::llvm::{IPred, V};
use ir::{Inst, IntBin, IntUn, PureOp, Type, Value};

impl Fx<'_, '_> {
    pub(crate) fn int_bin(&mut self, op: IntBin, ty: Type, args: &[Value]) -> V {
        let l = self.l;
        let (a, b) = (self.value(args[0]), self.value(args[1]));
        let t = self.unit.ty(ty);
        match op {
            IntBin::Add => l.add(a, b),
            IntBin::Sub => l.sub(a, b),
            IntBin::Mul => l.mul(a, b),
            IntBin::UMulHi => {
                let wide = l.int_ty(2 * ty.bits());
                let p = l.mul(l.zext(a, wide), l.zext(b, wide));
                l.trunc(l.lshr(p, l.int(wide, ty.bits() as u128)), t)
            }
            IntBin::SMulHi => {
                let wide = l.int_ty(2 * ty.bits());
                let p = l.mul(l.sext(a, wide), l.sext(b, wide));
                l.trunc(l.lshr(p, l.int(wide, ty.bits() as u128)), t)
            }
            IntBin::UDiv => self.udiv(ty, args),
            IntBin::SDiv => self.sdiv(ty, args),
            IntBin::And => l.and(a, b),
            IntBin::Or => l.or(a, b),
            IntBin::Xor => self.signed_less(args).unwrap_or_else(|| l.xor(a, b)),
            IntBin::Shl => self.shift(ty, args, |x, n| l.shl(x, n), |_| l.zero(t)),
            IntBin::Lshr => self.shift(ty, args, |x, n| l.lshr(x, n), |_| l.zero(t)),
            IntBin::Ashr => {
                let top = l.int(t, ty.bits() as u128 - 1);
                self.shift(ty, args, |x, n| l.ashr(x, n), |x| l.ashr(x, top))
            }
            IntBin::Rotr => l.intrinsic("llvm.fshr", &[t], &[a, a, b]),
            IntBin::SMin => l.intrinsic("llvm.smin", &[t], &[a, b]),
            IntBin::SMax => l.intrinsic("llvm.smax", &[t], &[a, b]),
            IntBin::UMin => l.intrinsic("llvm.umin", &[t], &[a, b]),
            IntBin::UMax => l.intrinsic("llvm.umax", &[t], &[a, b]),
        }
    }

    /// The low bits of a value. Those of a 64-bit sum are added anew: the sum itself is an address, as a rule, and part of the
    /// access, behind which x86 then adds in place and clears the upper half as it does (AArch32's writeback: `add $4, %ebp`
    /// instead of `add $4, %rbp`, `mov %ebp, %ebp`).
    pub(crate) fn truncate(&self, ty: Type, v: Value) -> V {
        let l = self.l;
        match *self.def(v) {
            Inst::Pure { op: PureOp::Int(IntBin::Add), ty: Type::I64, args } if ty == Type::I32 => {
                let low = |v: Value| l.trunc(self.value(v), l.int_ty(32));
                l.add(low(args[0]), low(args[1]))
            }
            _ => l.trunc(self.value(v), self.unit.ty(ty)),
        }
    }

    fn shift(&self, ty: Type, args: &[Value], op: impl Fn(V, V) -> V, over: impl Fn(V) -> V) -> V {
        let l = self.l;
        let (a, n) = (self.value(args[0]), self.value(args[1]));
        let t = self.unit.ty(ty);
        let bits = ty.bits() as u128;
        match self.constant(args[1]) {
            Some(n) if n >= bits => return over(a),
            Some(_) => return op(a, n),
            None => {}
        }
        if self.below(args[1], bits) {
            return op(a, n);
        }
        let fits = l.icmp(IPred::LLVMIntULT, n, l.int(t, bits));
        // The masked amount keeps the shift defined; LLVM drops the mask where x86 has it.
        let shifted = op(a, l.and(n, l.int(t, bits - 1)));
        l.select(fits, shifted, over(a))
    }

    /// True if `v` is seen to be less than the power of two `limit`: the lifter masks amounts.
    fn below(&self, v: Value, limit: u128) -> bool {
        match *self.def(v) {
            Inst::Pure { op: PureOp::Int(IntBin::And), args, .. } => {
                args[..2].iter().any(|&a| self.constant(a).is_some_and(|c| c < limit))
            }
            Inst::Pure { op: PureOp::Zext | PureOp::Trunc, args, .. } => self.below(args[0], limit),
            Inst::Const { bits, .. } => bits < limit,
            _ => false,
        }
    }

    fn udiv(&self, ty: Type, args: &[Value]) -> V {
        let l = self.l;
        let t = self.unit.ty(ty);
        let (a, b) = (self.value(args[0]), self.value(args[1]));
        match self.constant(args[1]) {
            Some(0) => return l.zero(t),
            Some(_) => return l.udiv(a, b),
            None => {}
        }
        let zero = l.icmp(IPred::LLVMIntEQ, b, l.zero(t));
        let q = l.udiv(a, l.select(zero, l.int(t, 1), b));
        l.select(zero, l.zero(t), q)
    }

    fn sdiv(&self, ty: Type, args: &[Value]) -> V {
        let l = self.l;
        let t = self.unit.ty(ty);
        let (a, b) = (self.value(args[0]), self.value(args[1]));
        match self.constant(args[1]) {
            Some(0) => return l.zero(t),
            Some(c) if c != ty.mask() => return l.sdiv(a, b),
            _ => {}
        }
        // 0 and −1 are the divisors for which x86 can trap: both are handled without dividing.
        let special = l.icmp(IPred::LLVMIntULT, l.add(b, l.int(t, 1)), l.int(t, 2));
        let q = l.sdiv(a, l.select(special, l.int(t, 1), b));
        // a × b is 0 for 0 and −a for −1.
        l.select(special, l.mul(a, b), q)
    }

    pub(crate) fn int_un(&mut self, op: IntUn, ty: Type, arg: Value) -> V {
        let l = self.l;
        let a = self.value(arg);
        let t = self.unit.ty(ty);
        match op {
            IntUn::Not => l.not(a),
            IntUn::Neg => l.neg(a),
            IntUn::Clz => l.intrinsic("llvm.ctlz", &[t], &[a, l.bool(false)]),
            IntUn::Cls => {
                // Differences of neighbouring bits; the sign itself is not counted.
                let sign = l.ashr(a, l.int(t, ty.bits() as u128 - 1));
                let x = l.xor(a, sign);
                let n = l.intrinsic("llvm.ctlz", &[t], &[x, l.bool(false)]);
                l.sub(n, l.int(t, 1))
            }
            IntUn::Ctz => l.intrinsic("llvm.cttz", &[t], &[a, l.bool(false)]),
            IntUn::Rbit => l.intrinsic("llvm.bitreverse", &[t], &[a]),
            IntUn::Bswap => l.intrinsic("llvm.bswap", &[t], &[a]),
            IntUn::Popcnt => l.intrinsic("llvm.ctpop", &[t], &[a]),
        }
    }

    /// The x of b = !x: what a subtraction passes as its second addend.
    fn complement_of(&self, v: Value) -> Option<V> {
        match *self.def(v) {
            Inst::Pure { op: PureOp::IntUn(IntUn::Not), args, .. } => Some(self.value(args[0])),
            Inst::Const { ty, bits } => Some(self.l.int(self.unit.ty(ty), !bits & ty.mask())),
            _ => None,
        }
    }

    pub(crate) fn carry_out(&mut self, args: &[Value]) -> V {
        let l = self.l;
        let (a, b, c) = (self.value(args[0]), self.value(args[1]), self.value(args[2]));
        match (self.constant(args[2]), self.complement_of(args[1])) {
            (Some(1), Some(x)) => return l.icmp(IPred::LLVMIntUGE, a, x),
            (Some(0), _) => return l.icmp(IPred::LLVMIntULT, l.add(a, b), a),
            _ => {}
        }
        let t = l.type_of(a);
        let sum = l.add(a, b);
        let first = l.icmp(IPred::LLVMIntULT, sum, a);
        let total = l.add(sum, l.zext(c, t));
        l.or(first, l.icmp(IPred::LLVMIntULT, total, sum))
    }

    pub(crate) fn overflow(&mut self, args: &[Value]) -> V {
        let l = self.l;
        let (a, b, c) = (self.value(args[0]), self.value(args[1]), self.value(args[2]));
        let t = l.type_of(a);
        match (self.constant(args[2]), self.complement_of(args[1])) {
            (Some(1), Some(x)) => {
                return l.extract_value(l.intrinsic("llvm.ssub.with.overflow", &[t], &[a, x]), 1);
            }
            (Some(0), _) => {
                return l.extract_value(l.intrinsic("llvm.sadd.with.overflow", &[t], &[a, b]), 1);
            }
            _ => {}
        }
        let total = l.add(l.add(a, b), l.zext(c, t));
        let same = l.and(l.xor(a, total), l.xor(b, total));
        l.icmp(IPred::LLVMIntSLT, same, l.zero(t))
    }
}
