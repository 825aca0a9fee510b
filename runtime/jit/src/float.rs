//! Floating point: native where the result (or what goes in) can be looked at, else the evaluator's. MXCSR holds the guest's
//! rounding mode and cumulative flags (docs/decisions/0008). Under FPCR.FZ regions are compiled with the evaluator alone.

use crate::emit::{Fx, Helper};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{self as clif, InstBuilder, Value as V, types};
use ir::{FBin, FCmp, FShape, FUn, PureOp, Round, Type, Value};

/// What a result is looked at for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// A NaN: x86 makes another default NaN and chooses otherwise among operands.
    Nan,
    /// A NaN, or the smallest normal number: to that, x86 may have rounded a smaller value without calling it an underflow.
    NanOrSmallest,
}

fn full(shape: FShape) -> clif::Type {
    match shape {
        FShape::S => types::F32,
        FShape::D => types::F64,
        FShape::V2S | FShape::V4S | FShape::N2S | FShape::N4S => types::F32X4,
        FShape::V2D => types::F64X2,
        FShape::H | FShape::V4H | FShape::V8H => types::I16,
    }
}

pub(crate) fn relation(cmp: FCmp) -> FloatCC {
    match cmp {
        FCmp::Eq => FloatCC::Equal,
        FCmp::Gt => FloatCC::GreaterThan,
        FCmp::Ge => FloatCC::GreaterThanOrEqual,
        FCmp::Lt => FloatCC::LessThan,
        FCmp::Le => FloatCC::LessThanOrEqual,
        FCmp::Unordered => FloatCC::Unordered,
    }
}

impl Fx<'_> {
    pub(crate) fn float(&mut self, op: PureOp, ty: Type, args: &[Value]) -> Option<V> {
        // These touch neither modes nor flags.
        if let PureOp::FUn(f @ (FUn::Abs | FUn::Neg), shape) = op {
            return self.sign(f, shape, args[0]);
        }
        if self.request.soft_float {
            return None;
        }
        if let Some(shape) = op.float_shape().filter(|s| s.standard()) {
            return self.standard(op, shape, args);
        }
        match op {
            PureOp::F(f, shape) => self.float_bin(op, f, shape, args),
            PureOp::FUn(FUn::Sqrt, shape) if shape.native() => {
                let a = self.operand(shape, args[0]);
                let r = self.b.ins().sqrt(a);
                Some(self.looked_at(shape, Look::Nan, r, op, args))
            }
            PureOp::FRound { shape, round, exact } => {
                let index = crate::round_index(shape, round, exact)?;
                let a = self.operand(shape, args[0]);
                let slot = self.slot();
                self.b.ins().stack_store(a, slot, 0);
                let at = self.b.ins().stack_addr(types::I64, slot, 0);
                self.call(self.request.helpers.round + index * crate::ROUND_SIZE, &[at], Helper::Keeping);
                let r = self.b.ins().stack_load(full(shape), slot, 0);
                Some(self.looked_at(shape, Look::Nan, r, op, args))
            }
            PureOp::FMulAdd(shape) if shape.native() && self.request.fma => {
                let [a, b, c] = [0, 1, 2].map(|n| self.operand(shape, args[n]));
                let r = self.b.ins().fma(a, b, c);
                Some(self.looked_at(shape, Look::NanOrSmallest, r, op, args))
            }
            PureOp::FConvert(Round::Current) => match (self.type_of(args[0]), ty) {
                (Type::F32, Type::F64) => {
                    let a = self.value(args[0]);
                    let r = self.b.ins().fpromote(types::F64, a);
                    Some(self.looked_at(FShape::D, Look::Nan, r, op, args))
                }
                (Type::F64, Type::F32) => {
                    let a = self.value(args[0]);
                    let r = self.b.ins().fdemote(types::F32, a);
                    Some(self.looked_at(FShape::S, Look::NanOrSmallest, r, op, args))
                }
                _ => None,
            },
            PureOp::FCmp { cmp, signaling, shape } if shape.native() => {
                Some(self.float_cmp(op, cmp, signaling, shape, args))
            }
            PureOp::FToInt { shape, signed, round, fbits: 0 } if shape.native() => {
                self.float_to_int(op, ty, shape, signed, round, args)
            }
            PureOp::FWiden { from: FShape::V2S, high } => {
                let v = self.value(args[0]);
                let v = if high { self.pick(std::array::from_fn(|i| (i as u8 + 8) % 16), v, v) } else { v };
                let v = self.cast(types::F32X4, v);
                let r = self.b.ins().fvpromote_low(v);
                Some(self.looked_at(FShape::V2D, Look::Nan, r, op, args))
            }
            PureOp::FNarrow { from: FShape::V2D, round: Round::Current } => {
                let v = self.operand(FShape::V2D, args[0]);
                let r = self.b.ins().fvdemote(v);
                Some(self.looked_at(FShape::V4S, Look::NanOrSmallest, r, op, args))
            }
            PureOp::IntToF { shape, signed, fbits: 0 } if !shape.is_vector() && shape.native() => {
                let a = self.value(args[0]);
                let from = self.type_of(args[0]);
                if !matches!(from, Type::I32 | Type::I64) {
                    return None;
                }
                if (from, signed) == (Type::I64, false) {
                    let large = self.b.ins().icmp_imm(IntCC::SignedLessThan, a, 0);
                    return Some(self.guarded(large, op, ty, args, |fx| {
                        let r = fx.b.ins().fcvt_from_sint(full(shape), a);
                        fx.looked_at(shape, Look::Nan, r, op, args)
                    }));
                }
                let a = if signed { a } else { self.b.ins().uextend(types::I64, a) };
                let r = self.b.ins().fcvt_from_sint(full(shape), a);
                if (from, shape) == (Type::I32, FShape::D) {
                    return Some(r);
                }
                // No NaN: but what raises Inexact must not be dropped, even if nobody wants the result.
                Some(self.looked_at(shape, Look::Nan, r, op, args))
            }
            PureOp::IntToF { shape: FShape::V4S, signed: true, fbits: 0 } => {
                let v = self.lanes(FShape::V4S.lane(), args[0]);
                let r = self.b.ins().fcvt_from_sint(types::F32X4, v);
                Some(self.looked_at(FShape::V4S, Look::Nan, r, op, args))
            }
            _ => None,
        }
    }

    /// An operand in the type of its shape; lanes that the shape does not cover are zero.
    pub(crate) fn operand(&mut self, shape: FShape, v: Value) -> V {
        let v = self.value(v);
        if !shape.is_vector() {
            return v;
        }
        let v = if matches!(shape, FShape::V2S | FShape::N2S) { self.low64(v) } else { v };
        self.cast(full(shape), v)
    }

    pub(crate) fn result(&mut self, shape: FShape, v: V) -> V {
        match shape {
            FShape::V2S | FShape::N2S => self.low64(v),
            s if s.is_vector() => self.flat(v),
            _ => v,
        }
    }

    /// Absolute value or negation: a change of the sign bit.
    fn sign(&mut self, f: FUn, shape: FShape, arg: Value) -> Option<V> {
        let sign = 1u64 << (shape.bits() - 1);
        if !shape.is_vector() {
            let a = self.value(arg);
            return Some(match (shape, f) {
                (FShape::H, FUn::Abs) => self.b.ins().band_imm(a, (sign - 1) as i64),
                (FShape::H, _) => self.b.ins().bxor_imm(a, sign as i64),
                (_, FUn::Abs) => self.b.ins().fabs(a),
                _ => self.b.ins().fneg(a),
            });
        }
        let lane = shape.lane();
        let v = self.lanes(lane, arg);
        let r = if f == FUn::Abs {
            let mask = self.splat_const(lane, sign - 1);
            self.b.ins().band(v, mask)
        } else {
            let mask = self.splat_const(lane, sign);
            self.b.ins().bxor(v, mask)
        };
        let r = self.flat(r);
        Some(if shape.count() * shape.bits() == 64 { self.low64(r) } else { r })
    }

    fn float_bin(&mut self, op: PureOp, f: FBin, shape: FShape, args: &[Value]) -> Option<V> {
        if !shape.native() || (shape, f) == (FShape::V2S, FBin::Div) {
            return None;
        }
        let (a, b) = (self.operand(shape, args[0]), self.operand(shape, args[1]));
        let (r, look) = match f {
            FBin::Add => (self.b.ins().fadd(a, b), Look::Nan),
            FBin::Sub => (self.b.ins().fsub(a, b), Look::Nan),
            FBin::Mul => (self.b.ins().fmul(a, b), Look::NanOrSmallest),
            FBin::Div => (self.b.ins().fdiv(a, b), Look::NanOrSmallest),
            FBin::AbsDiff => {
                let d = self.b.ins().fsub(a, b);
                (self.b.ins().fabs(d), Look::Nan)
            }
            FBin::Max | FBin::Min | FBin::MaxNum | FBin::MinNum => {
                let nan = self.b.ins().fcmp(FloatCC::Unordered, a, b);
                let nan = if shape.is_vector() { self.any(nan) } else { nan };
                let max = matches!(f, FBin::Max | FBin::MaxNum);
                return Some(self.guarded(nan, op, shape.ty(), args, |fx| {
                    let r = fx.extremum_of(max, shape, a, b);
                    fx.result(shape, r)
                }));
            }
            FBin::MulX | FBin::RecipStep | FBin::RsqrtStep => return None,
        };
        Some(self.looked_at(shape, look, r, op, args))
    }

    /// The maximum or minimum of numbers. Of equal ones each way round gives another; both combined, −0 < +0 holds.
    pub(crate) fn extremum_of(&mut self, max: bool, shape: FShape, a: V, b: V) -> V {
        if !shape.is_vector() {
            return if max { self.b.ins().fmax(a, b) } else { self.b.ins().fmin(a, b) };
        }
        let lane = crate::op::lane_type(shape.lane());
        let cc = if max { FloatCC::GreaterThan } else { FloatCC::LessThan };
        let mut pick = |x: V, y: V| {
            let c = self.b.ins().fcmp(cc, x, y);
            let c = self.cast(lane, c);
            let (x, y) = (self.cast(lane, x), self.cast(lane, y));
            let x = self.b.ins().band(c, x);
            let y = self.b.ins().band_not(y, c);
            self.b.ins().bor(x, y)
        };
        let (x, y) = (pick(a, b), pick(b, a));
        let r = if max { self.b.ins().band(x, y) } else { self.b.ins().bor(x, y) };
        self.cast(full(shape), r)
    }

    /// A comparison. Lifters ask for several relations of the same operands; the first raises what is to be raised: where there
    /// is a NaN, by asking the evaluator. Others then raise no more than that.
    fn float_cmp(&mut self, op: PureOp, cmp: FCmp, signaling: bool, shape: FShape, args: &[Value]) -> V {
        let (a, b) = (self.operand(shape, args[0]), self.operand(shape, args[1]));
        if shape.is_vector() {
            let nan = self.b.ins().fcmp(FloatCC::Unordered, a, b);
            let nan = self.any(nan);
            return self.guarded(nan, op, Type::V128, args, |fx| {
                let r = fx.b.ins().fcmp(relation(cmp), a, b);
                fx.result(shape, r)
            });
        }
        let pair = (args[0], args[1], signaling);
        if !self.compared.contains(&pair) {
            self.compared.push(pair);
            let nan = self.b.ins().fcmp(FloatCC::Unordered, a, b);
            let (soft, end) = (self.b.create_block(), self.b.create_block());
            self.b.set_cold_block(soft);
            self.b.ins().brif(nan, soft, &[], end, &[]);
            self.b.switch_to_block(soft);
            self.soft(op, Type::I1, args);
            self.b.ins().jump(end, &[]);
            self.b.switch_to_block(end);
        }
        self.b.ins().fcmp(relation(cmp), a, b)
    }

    /// To integers, where the operand is surely in range and no NaN.
    fn float_to_int(
        &mut self,
        op: PureOp,
        ty: Type,
        shape: FShape,
        signed: bool,
        round: Round,
        args: &[Value],
    ) -> Option<V> {
        if shape == FShape::V4S && signed && round == Round::Zero {
            let x = self.operand(shape, args[0]);
            let outside = self.too_large(shape, x);
            let outside = self.any(outside);
            return Some(self.guarded(outside, op, Type::V128, args, |fx| {
                let r = fx.b.ins().x86_cvtt2dq(types::I32X4, x);
                fx.flat(r)
            }));
        }
        if shape.is_vector() || !matches!(ty, Type::I32 | Type::I64) {
            return None;
        }
        let x = self.value(args[0]);
        let float = |n: i32| {
            let (bias, fraction) = if shape.bits() == 32 { (127, 23) } else { (1023, 52) };
            ((bias + n) as u128) << fraction
        };
        let bits = match (ty, signed) {
            (Type::I32, true) => 31,
            (Type::I32, false) => 32,
            _ => 63,
        };
        // Room for rounding up.
        let room = if round == Round::Zero { 0 } else { 1 };
        let limit = self.typed_const(shape.ty(), float(bits - room));
        // The conversion raises Inexact itself, so rounding first may raise it, too.
        let rounded = match round {
            Round::Zero => x,
            Round::PlusInf | Round::MinusInf | Round::TieEven => {
                let outside = self.out_of_range(shape, signed, x, limit);
                return Some(self.guarded(outside, op, ty, args, |fx| {
                    let r = match round {
                        Round::PlusInf => fx.b.ins().ceil(x),
                        Round::MinusInf => fx.b.ins().floor(x),
                        _ => fx.b.ins().nearest(x),
                    };
                    fx.convert(ty, bits, r)
                }));
            }
            Round::TieAway | Round::Current | Round::Odd => return None,
        };
        let outside = self.out_of_range(shape, signed, rounded, limit);
        Some(self.guarded(outside, op, ty, args, |fx| fx.convert(ty, bits, rounded)))
    }

    /// Lanes that are no number in the range of signed integers of their size.
    pub(crate) fn too_large(&mut self, shape: FShape, x: V) -> V {
        let abs = self.b.ins().fabs(x);
        // Compared as integers, which raises nothing and takes NaNs for large.
        let limit = self.splat_const(shape.lane(), 0x4f00_0000);
        let (abs, limit) = (self.cast(types::I32X4, abs), self.cast(types::I32X4, limit));
        self.b.ins().icmp(IntCC::SignedGreaterThanOrEqual, abs, limit)
    }

    /// Holds if the number is not in range, or none.
    fn out_of_range(&mut self, shape: FShape, signed: bool, x: V, limit: V) -> V {
        if signed {
            let abs = self.b.ins().fabs(x);
            return self.b.ins().fcmp(FloatCC::UnorderedOrGreaterThanOrEqual, abs, limit);
        }
        let zero = self.typed_const(shape.ty(), 0);
        let low = self.b.ins().fcmp(FloatCC::UnorderedOrLessThan, x, zero);
        let high = self.b.ins().fcmp(FloatCC::UnorderedOrGreaterThanOrEqual, x, limit);
        self.b.ins().bor(low, high)
    }

    /// A number in range to an integer, towards zero.
    fn convert(&mut self, ty: Type, bits: i32, x: V) -> V {
        if ty == Type::I32 && bits == 31 {
            return self.b.ins().fcvt_to_sint_sat(types::I32, x);
        }
        let v = self.b.ins().fcvt_to_sint_sat(types::I64, x);
        if ty == Type::I32 { self.b.ins().ireduce(types::I32, v) } else { v }
    }

    /// The native result, or the evaluator's if the look finds something.
    fn looked_at(&mut self, shape: FShape, look: Look, r: V, op: PureOp, args: &[Value]) -> V {
        let bad = self.look(shape, look, r);
        let r = self.result(shape, r);
        self.guarded_by(&bad, op, shape.ty(), args, |_| r)
    }

    /// Conditions, of which none may hold.
    fn look(&mut self, shape: FShape, look: Look, r: V) -> Vec<V> {
        if look == Look::Nan {
            let c = self.b.ins().fcmp(FloatCC::Unordered, r, r);
            return vec![if shape.is_vector() { self.any(c) } else { c }];
        }
        let lane = shape.lane();
        let bits = if shape.bits() == 32 { 1 << 23 } else { 1 << 52 };
        if shape.is_vector() {
            let abs = self.b.ins().fabs(r);
            let smallest = self.splat_const(lane, bits);
            let smallest = self.cast(full(shape), smallest);
            let nan = self.b.ins().fcmp(FloatCC::Unordered, r, r);
            let same = self.b.ins().fcmp(FloatCC::Equal, abs, smallest);
            let c = self.b.ins().bor(nan, same);
            return vec![self.any(c)];
        }
        // Two comparisons with constants take no register; a NaN shows in the first.
        [bits, bits | 1 << (shape.bits() - 1)]
            .into_iter()
            .map(|smallest: u64| {
                let smallest = self.typed_const(shape.ty(), smallest.into());
                self.b.ins().fcmp(FloatCC::UnorderedOrEqual, r, smallest)
            })
            .collect()
    }

    pub(crate) fn any(&mut self, lanes: V) -> V {
        let v = self.flat(lanes);
        self.b.ins().vany_true(v)
    }

    /// The evaluator's result if `bad` holds, else what `native` gives.
    fn guarded(
        &mut self,
        bad: V,
        op: PureOp,
        ty: Type,
        args: &[Value],
        native: impl FnOnce(&mut Self) -> V,
    ) -> V {
        self.guarded_by(&[bad], op, ty, args, native)
    }

    /// The same, for several conditions.
    fn guarded_by(
        &mut self,
        bad: &[V],
        op: PureOp,
        ty: Type,
        args: &[Value],
        native: impl FnOnce(&mut Self) -> V,
    ) -> V {
        let (soft, fast, end) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(soft);
        self.b.append_block_param(end, crate::emit::clif_type(ty));
        for (n, &c) in bad.iter().enumerate() {
            let on = if n + 1 == bad.len() { fast } else { self.b.create_block() };
            self.b.ins().brif(c, soft, &[], on, &[]);
            self.b.switch_to_block(if n + 1 == bad.len() { soft } else { on });
        }
        let v = self.soft(op, ty, args);
        self.b.ins().jump(end, &[v.into()]);
        self.b.switch_to_block(fast);
        let v = native(self);
        self.b.ins().jump(end, &[v.into()]);
        self.b.switch_to_block(end);
        self.b.block_params(end)[0]
    }
}
