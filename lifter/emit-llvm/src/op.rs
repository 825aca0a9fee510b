//! Data operations: the one exhaustive match over [`PureOp`], with casts and moves between scalars and vectors. What is
//! not worth native code goes to `soft_pure`; making an operation native is a change of one arm.

use crate::function::Fx;
use crate::llvm::{IPred, V};
use crate::op_float_int::ToInt;
use ir::{Inst, IntCmp, Lane, PureOp, Type, Value};

impl Fx<'_, '_> {
    pub(crate) fn pure(&mut self, i: usize, op: PureOp, ty: Type, args: &[Value]) {
        if Self::is_standard(op)
            && let Some(shape) = op.float_shape()
        {
            return self.standard(i, op, shape, args);
        }
        self.singles[i] = self.singles_of(op, ty, args);
        let v = match op {
            PureOp::Zext => return self.zero_extend(i, ty, args[0]),
            PureOp::Sext => return self.sign_extend(i, ty, args[0]),
            PureOp::Trunc => self.truncate(ty, args[0]),
            PureOp::Bitcast => match self.def(args[0]) {
                // As a float from the start, lest LLVM take the way through general registers.
                Inst::Pure { op: op @ PureOp::VExtract(Lane::S4, n), args, .. } if ty == Type::F32 => {
                    if let Some(single) = self.single_of(*op, ty, args[0]) {
                        return self.define(i, single);
                    }
                    let lanes = if *n < 2 { self.low_singles(args[0]) } else { self.single_lanes(args[0]) };
                    self.l.extract(lanes, *n as u32)
                }
                _ => self.l.bitcast(self.value(args[0]), self.unit.ty(ty)),
            },
            PureOp::Concat => self.concat(args),
            PureOp::Select => {
                if let (Type::F32 | Type::F64, Some(a), Some(b)) =
                    (ty, self.wide(args[1]), self.wide(args[2]))
                {
                    let wide = self.l.select(self.value(args[0]), a, b);
                    let scalar = self.to_scalar(ty, wide);
                    return self.define_wide(i, scalar, wide);
                }
                let (c, a, b) = (self.value(args[0]), self.value(args[1]), self.value(args[2]));
                self.l.select(c, a, b)
            }
            PureOp::Cmp(op) => self.l.icmp(predicate(op), self.value(args[0]), self.value(args[1])),
            PureOp::Int(op) => self.int_bin(op, ty, args),
            PureOp::IntUn(op) => self.int_un(op, ty, args[0]),
            PureOp::CarryOut => self.carry_out(args),
            PureOp::Overflow => self.overflow(args),

            PureOp::F(f, shape) => return self.float_bin(i, op, f, shape, args),
            PureOp::FUn(f, shape) => return self.float_un(i, op, f, shape, args),
            PureOp::FMulAdd(shape) => return self.float_mul_add(i, op, shape, args),
            PureOp::FCmp { cmp, signaling, shape } => self.float_cmp(op, cmp, signaling, shape, args),
            PureOp::FConvert(round) => return self.float_convert(i, op, round, ty, args),
            PureOp::FWiden { from, high } => return self.float_widen(i, op, from, high, args),
            PureOp::FNarrow { from, round } => return self.float_narrow(i, op, from, round, args),
            PureOp::FToInt { shape, signed, round, fbits } => {
                self.float_to_int(op, ty, ToInt { shape, signed, round, fbits }, args)
            }
            PureOp::IntToF { shape, signed: true, fbits: 0 }
                if Self::native(shape) && !shape.is_vector() && self.type_of(args[0]).bits() >= 32 =>
            {
                return self.scalar_of_int(i, shape, args[0]);
            }
            PureOp::IntToF { shape, signed, fbits } => self.int_to_float(op, shape, signed, fbits, args),
            PureOp::FRound { shape, round, exact } => {
                return self.float_round(i, op, shape, round, exact, args);
            }

            PureOp::VSplat(lane) => match self.loaded_as_vector(args[0]) {
                Some(v) if lane.bits() >= 32 => {
                    let t = self.lane_ty(lane);
                    let v = self.l.bitcast(v, t);
                    self.flat(self.l.shuffle(v, self.l.poison(t), &vec![0; lane.count() as usize]))
                }
                _ => self.splat(lane, self.value(args[0])),
            },
            PureOp::VFromScalar => self.vector_of_scalar(args[0]),
            PureOp::VToScalar if ty == Type::F32 && !self.unit.vector_regs => {
                match self.single_of(op, ty, args[0]) {
                    Some(single) => single,
                    None => self.l.extract(self.low_singles(args[0]), 0),
                }
            }
            PureOp::VToScalar => {
                let v = self.value(args[0]);
                let scalar = self.to_scalar(ty, v);
                if matches!(ty, Type::F32 | Type::F64) && self.zero_above(args[0], ty.bits()) {
                    return self.define_wide(i, scalar, v);
                }
                scalar
            }
            PureOp::VExtract(lane, n) => match self.single_of(op, ty, args[0]) {
                Some(single) => self.l.bitcast(single, self.l.int_ty(32)),
                None => self.l.extract(self.lanes(lane, args[0]), n as u32),
            },
            PureOp::VInsert(Lane::S4, n) if self.is_single(args[1]) => {
                let x = self.l.bitcast(self.value(args[1]), self.l.float_ty(32));
                self.flat(self.l.insert(self.single_lanes(args[0]), x, n as u32))
            }
            PureOp::VInsert(lane, n) => {
                let v = self.lanes(lane, args[0]);
                self.flat(self.l.insert(v, self.value(args[1]), n as u32))
            }
            PureOp::V(v, lane) => self.vec_bin(op, v, lane, args),
            PureOp::VBit(op) => self.vec_bit(op, args),
            PureOp::VUn(v, lane) => self.vec_un(op, v, lane, args),
            PureOp::VCmp(op, lane) => {
                let c = self.l.icmp(predicate(op), self.lanes(lane, args[0]), self.lanes(lane, args[1]));
                self.flat(self.l.sext(c, self.lane_ty(lane)))
            }
            PureOp::VBitSelect => {
                let (m, a, b) = (self.value(args[0]), self.value(args[1]), self.value(args[2]));
                self.l.or(self.l.and(m, a), self.l.and(self.l.not(m), b))
            }
            PureOp::VShiftImm(shift, lane, n) => self.vec_shift_imm(shift, lane, n as u32, args[0]),
            PureOp::VShuffle(sel) => self.vec_shuffle(sel, args),
            PureOp::VLookup => self.vec_lookup(args),
            PureOp::VWiden { lane, signed, high } => {
                let half = self.half(lane, args[0], high);
                let wide = lane.wider().expect("invariant: verified");
                self.flat(if signed {
                    self.l.sext(half, self.lane_ty(wide))
                } else {
                    self.l.zext(half, self.lane_ty(wide))
                })
            }
            PureOp::VNarrow(lane) => {
                let v = self.lanes(lane, args[0]);
                self.narrow_low(lane, v)
            }
            PureOp::VSat(sat, lane) => self.vec_sat(op, sat, lane, args),
            PureOp::VSatQc(sat, lane) => self.vec_sat_qc(op, sat, lane, args),
            PureOp::VReduce(reduce, lane) => self.vec_reduce(reduce, lane, args[0]),
            PureOp::VLow64 if self.zero_above(args[0], 64) => self.value(args[0]),
            PureOp::VLow64 => self.low64(self.value(args[0])),
            PureOp::VPMull8 { high } => self.vec_pmull8(high, args),
            PureOp::Helper(h) => return self.helper(i, op, h, ty, args),
        };
        self.define(i, v);
    }

    fn zero_extend(&mut self, i: usize, ty: Type, arg: Value) {
        if self.type_of(arg) != Type::I1
            && !self.loaded_signed(arg)
            && ty.bits() <= 64
            && let Some(wide) = self.wide(arg)
        {
            let v = self.l.trunc(wide, self.unit.ty(ty));
            return self.define_wide(i, v, wide);
        }
        let v = self.l.zext(self.value(arg), self.unit.ty(ty));
        self.define(i, v);
    }

    fn sign_extend(&mut self, i: usize, ty: Type, arg: Value) {
        if self.loaded_signed(arg)
            && self.uses[arg.0 as usize].sext_bits == ty.bits()
            && let Some(wide) = self.wide(arg)
        {
            let v = self.l.trunc(wide, self.unit.ty(ty));
            // A 32-bit sign-extending load clears the bits above.
            return if ty == Type::I32 { self.define_wide(i, v, wide) } else { self.define(i, v) };
        }
        let v = self.l.sext(self.value(arg), self.unit.ty(ty));
        self.define(i, v);
    }

    fn concat(&mut self, args: &[Value]) -> V {
        let l = self.l;
        let wide = l.int_ty(128);
        let (hi, lo) = (l.zext(self.value(args[0]), wide), l.zext(self.value(args[1]), wide));
        l.or(l.shl(hi, l.int(wide, 64)), lo)
    }

    /// The vector, if the value is a load that only vectors use, which is made one into a vector register.
    fn loaded_as_vector(&self, arg: Value) -> Option<V> {
        let u = self.uses[arg.0 as usize];
        let load = matches!(self.def(arg), Inst::Load { ty: Type::I32 | Type::I64, .. });
        self.wide(arg).filter(|_| load && u.vector == u.count)
    }

    /// A scalar in the low bits of a vector, zero above.
    fn vector_of_scalar(&mut self, arg: Value) -> V {
        let l = self.l;
        let ty = self.type_of(arg);
        let v = self.value(arg);
        match ty {
            Type::V128 => v,
            Type::I128 => l.bitcast(v, self.unit.ty(Type::V128)),
            Type::F32 | Type::F64 => {
                if let Some(wide) = self.wide(arg) {
                    return wide;
                }
                let lanes = l.vec_ty(self.unit.ty(ty), 128 / ty.bits());
                self.flat(l.insert(l.zero(lanes), v, 0))
            }
            Type::I64 | Type::I32 => {
                if let Some(wide) = self.loaded_as_vector(arg) {
                    return wide;
                }
                self.flat(l.insert(l.zero(l.ivec_ty(ty.bits(), 128 / ty.bits())), v, 0))
            }
            Type::I1 | Type::I8 | Type::I16 | Type::F16 => {
                let v = l.zext(v, l.int_ty(32));
                self.flat(l.insert(l.zero(l.ivec_ty(32, 4)), v, 0))
            }
        }
    }

    /// The low bits of a vector.
    pub(crate) fn to_scalar(&self, ty: Type, v: V) -> V {
        let l = self.l;
        match ty {
            Type::V128 => v,
            Type::I128 => l.bitcast(v, l.int_ty(128)),
            Type::F32 | Type::F64 => l.extract(l.bitcast(v, l.vec_ty(self.unit.ty(ty), 128 / ty.bits())), 0),
            Type::I64 => l.extract(v, 0),
            Type::I1 | Type::I8 | Type::I16 | Type::I32 | Type::F16 => {
                let low = l.extract(l.bitcast(v, l.ivec_ty(32, 4)), 0);
                l.trunc(low, self.unit.ty(ty))
            }
        }
    }

    // Lanes.

    /// LLVM type of a full vector of these lanes.
    pub(crate) fn lane_ty(&self, lane: Lane) -> crate::llvm::T {
        self.l.ivec_ty(lane.bits(), lane.count())
    }

    /// A vector operand as lanes.
    pub(crate) fn lanes(&self, lane: Lane, v: Value) -> V {
        self.l.bitcast(self.value(v), self.lane_ty(lane))
    }

    /// A vector operand as four singles.
    fn single_lanes(&self, v: Value) -> V {
        self.l.bitcast(self.value(v), self.l.vec_ty(self.l.float_ty(32), 4))
    }

    /// The same, of which only the lower two are asked for: an f64 need not be cleared above for that.
    fn low_singles(&self, v: Value) -> V {
        let l = self.l;
        match *self.def(v) {
            Inst::Pure { op: PureOp::VFromScalar, args, .. }
                if self.type_of(args[0]) == Type::F64 && !self.unit.vector_regs =>
            {
                let pair = l.vec_ty(l.float_ty(64), 2);
                l.bitcast(l.insert(l.poison(pair), self.value(args[0]), 0), l.vec_ty(l.float_ty(32), 4))
            }
            _ => self.single_lanes(v),
        }
    }

    /// True for an i32 that is the bits of an f32.
    fn is_single(&self, v: Value) -> bool {
        matches!(*self.def(v), Inst::Pure { op: PureOp::Bitcast, args, .. } if self.type_of(args[0]) == Type::F32)
    }

    /// Any 128-bit vector as the type in which vectors travel.
    pub(crate) fn flat(&self, v: V) -> V {
        self.l.bitcast(v, self.l.ivec_ty(64, 2))
    }

    /// The low 64 bits, zero above.
    pub(crate) fn low64(&self, v: V) -> V {
        self.l.insert(self.flat(v), self.l.i64(0), 1)
    }
}

/// LLVM's name of a comparison.
pub(crate) fn predicate(op: IntCmp) -> IPred {
    match op {
        IntCmp::Eq => IPred::LLVMIntEQ,
        IntCmp::Ne => IPred::LLVMIntNE,
        IntCmp::Ult => IPred::LLVMIntULT,
        IntCmp::Ule => IPred::LLVMIntULE,
        IntCmp::Ugt => IPred::LLVMIntUGT,
        IntCmp::Uge => IPred::LLVMIntUGE,
        IntCmp::Slt => IPred::LLVMIntSLT,
        IntCmp::Sle => IPred::LLVMIntSLE,
        IntCmp::Sgt => IPred::LLVMIntSGT,
        IntCmp::Sge => IPred::LLVMIntSGE,
    }
}
