//! Conversions between floating point and integers, and rounding to integral values. The host's conversions give one
//! value for all that is out of range, Arm's saturate; so the operand's range is looked at first where that could matter.

use crate::float_result::{Look, Native};
use crate::function::Fx;
use crate::llvm::{IPred, T, V};
use ir::{FShape, PureOp, Round, Type, Value};

/// A conversion to integers: the last fields of [`PureOp::FToInt`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ToInt {
    pub(crate) shape: FShape,
    pub(crate) signed: bool,
    pub(crate) round: Round,
    /// Fraction bits of the result.
    pub(crate) fbits: u8,
}

fn power(n: i32) -> f64 {
    2f64.powi(n)
}

impl Fx<'_, '_> {
    pub(crate) fn float_to_int(&mut self, op: PureOp, ty: Type, c: ToInt, args: &[Value]) -> V {
        let width = if c.shape.is_vector() { c.shape.bits() } else { ty.bits() };
        if !Self::native(c.shape) || c.round == Round::Odd || width < 32 {
            return self.soft_pure(op, ty, args);
        }
        if c.shape.is_vector() {
            return self.vector_to_int(op, c, args);
        }
        let l = self.l;
        let x = self.value(args[0]);
        self.notice_denormals(c.shape, &[x]);
        if c.signed && c.fbits == 0 && matches!(c.round, Round::Zero | Round::Current) {
            // Out of range and NaN give the smallest integer, which is rare as a result.
            let r =
                self.convert_scalar(c.shape, if width == 32 { "l" } else { "q" }, c.round == Round::Zero, x);
            let min = l.int(self.unit.ty(ty), 1 << (width - 1));
            let bad = l.icmp(IPred::LLVMIntEQ, r, min);
            return self.or_soft(bad, r, op, ty, args);
        }
        let t = self.l.float_ty(c.shape.bits());
        let limit = |v: f64| l.const_float(t, v);
        if c.fbits == 0 {
            let rounded = self.pre_round(c, x);
            // What is surely in range, also after truncation.
            let (above, below) = match (c.signed, width) {
                (true, 32) => (-power(31), power(31)),
                (true, _) => (-power(63), power(63)),
                (false, 32) => (-1.0, power(32)),
                (false, _) => (-1.0, power(63)),
            };
            let predicate = if c.signed { "oge" } else { "ogt" };
            let inside = l.and(
                self.compare_lanes(predicate, false, rounded, limit(above)),
                self.compare_lanes("olt", false, rounded, limit(below)),
            );
            return self.guarded(l.not(inside), |fx| fx.convert_rounded(c, ty, x, rounded), op, ty, args);
        }
        // With fraction bits, the operand is scaled, which is exact where the result is in range.
        let scale = power(c.fbits as i32);
        let bits = if width == 32 { 31 } else { 62 };
        let above = if c.signed { -power(bits) } else { 0.0 };
        let inside = l.and(
            self.compare_lanes("oge", false, x, limit(above / scale)),
            self.compare_lanes("olt", false, x, limit((power(bits) - 1.0) / scale)),
        );
        self.guarded(
            l.not(inside),
            |fx| {
                let x = fx.constrained("fmul", &[t], &[x, limit(scale)], true);
                let rounded = fx.pre_round(c, x);
                fx.convert_rounded(c, ty, x, rounded)
            },
            op,
            ty,
            args,
        )
    }

    /// `cvtsd2si` and its like; `suffix` is that of the result's size.
    fn convert_scalar(&self, shape: FShape, suffix: &str, truncate: bool, x: V) -> V {
        let l = self.l;
        let (t, s) = (if truncate { "t" } else { "" }, if shape == FShape::S { "s" } else { "d" });
        let (ret, operand) = if suffix == "l" { (l.int_ty(32), "${0:k}") } else { (l.i64_ty(), "$0") };
        let text = self.unit.vector_text(&format!("cvt{t}s{s}2si $1, {operand}"));
        l.asm_call(&text, "=r,x", ret, &[x], &[])
    }

    /// The integer of `rounded`, which is `x` rounded, in range, or `x` itself if it is still to be rounded to zero.
    fn convert_rounded(&self, c: ToInt, ty: Type, x: V, rounded: V) -> V {
        // An unsigned 32-bit result comes from a 64-bit conversion.
        let v = self.convert_scalar(c.shape, "q", !(c.round == Round::Current && rounded == x), rounded);
        if rounded != x {
            // The rounding was silent: converting the operand itself raises Inexact.
            self.convert_scalar(c.shape, "q", true, x);
        }
        self.l.trunc(v, self.unit.ty(ty))
    }

    /// `x` rounded to an integral value without raising Inexact; `x` itself for the modes that conversions know, if what
    /// is in range before rounding is so after it (for unsigned results, −0.9 may become −1).
    fn pre_round(&self, c: ToInt, x: V) -> V {
        let (name, by_mode) = match c.round {
            Round::TieEven => ("roundeven", false),
            Round::PlusInf => ("ceil", false),
            Round::MinusInf => ("floor", false),
            Round::Current if !c.signed => ("nearbyint", true),
            Round::TieAway => return self.round_away(c.shape, x),
            Round::Zero | Round::Current | Round::Odd => return x,
        };
        self.constrained(name, &[self.float_shape(c.shape)], &[x], by_mode)
    }

    /// `x` rounded to the nearest integral value, halves away from zero; raises nothing. What is too large to have a
    /// fraction stays as it is; below, truncation and the difference are exact.
    fn round_away(&self, shape: FShape, x: V) -> V {
        let l = self.l;
        let t = l.type_of(x);
        let lanes = if shape.is_vector() { 128 / shape.bits() } else { 1 };
        let bits = if lanes == 1 { l.int_ty(shape.bits()) } else { l.ivec_ty(shape.bits(), lanes) };
        let all = |v: V| if lanes == 1 { v } else { l.splat_const(lanes, v) };
        let float = |v: f64| all(l.const_float(l.float_ty(shape.bits()), v));
        let int = |v: V| l.bitcast(v, bits);
        let abs = |v: V| l.intrinsic("llvm.fabs", &[t], &[v]);
        let (whole, half) =
            if shape.bits() == 32 { (power(23), 0x3f00_0000) } else { (power(52), 0x3fe0 << 48) };
        // As integers, magnitudes compare without raising anything, and NaNs are large.
        let small = l.icmp(IPred::LLVMIntSLT, int(abs(x)), int(float(whole)));
        let x0 = l.select(small, x, float(0.0));
        let whole = self.constrained("trunc", &[t], &[x0], false);
        let rest = self.constrained("fsub", &[t], &[x0, whole], true);
        let up = l.icmp(IPred::LLVMIntSGE, int(abs(rest)), all(l.int(l.int_ty(shape.bits()), half)));
        let one = l.intrinsic("llvm.copysign", &[t], &[float(1.0), x]);
        let more = self.constrained("fadd", &[t], &[whole, l.select(up, one, float(0.0))], true);
        // A sum with +0 would lose the sign of −0.
        let r = l.select(up, more, whole);
        l.select(small, r, x)
    }

    fn vector_to_int(&mut self, op: PureOp, c: ToInt, args: &[Value]) -> V {
        let shape = c.shape;
        let x = self.float(shape, args[0]);
        self.notice_denormals(shape, &[x]);
        let outside = self.not_in_range(c, x);
        self.guarded(
            outside,
            |fx| {
                let r = fx.vector_in_range_to_int(c, x);
                fx.unfloat(shape, r)
            },
            op,
            Type::V128,
            args,
        )
    }

    /// i1: some lane is not surely in range of the conversion's integers.
    pub(crate) fn not_in_range(&self, c: ToInt, x: V) -> V {
        let l = self.l;
        let (t, bits) = (l.type_of(x), c.shape.bits());
        let lanes = 128 / bits;
        // Compared as integers, which raises nothing and takes NaNs for large: magnitudes below the limit, and for unsigned
        // results no sign. A limit that leaves room for rounding up.
        let ints = l.ivec_ty(bits, lanes);
        let limit = l.const_float(l.float_ty(bits), power(bits as i32 - 2 - c.fbits as i32));
        let limit = l.bitcast(l.splat_const(lanes, limit), ints);
        let v = l.bitcast(if c.signed { l.intrinsic("llvm.fabs", &[t], &[x]) } else { x }, ints);
        let outside =
            if c.signed { l.icmp(IPred::LLVMIntSGE, v, limit) } else { l.icmp(IPred::LLVMIntUGE, v, limit) };
        self.any_lane(outside, lanes)
    }

    /// Lanes that are in range, to integers.
    pub(crate) fn vector_in_range_to_int(&self, c: ToInt, x: V) -> V {
        let l = self.l;
        let (t, bits) = (l.type_of(x), c.shape.bits());
        let x = match c.fbits {
            0 => x,
            n => {
                let factor = l.splat_const(128 / bits, l.const_float(l.float_ty(bits), power(n as i32)));
                self.constrained("fmul", &[t], &[x, factor], true)
            }
        };
        let rounded = self.pre_round(c, x);
        let truncate = !(c.round == Round::Current && rounded == x);
        let r = self.convert_vector(c.shape, truncate, rounded);
        if rounded != x {
            self.convert_vector(c.shape, true, x);
        }
        r
    }

    /// Lanes to integers of their size.
    fn convert_vector(&self, shape: FShape, truncate: bool, x: V) -> V {
        let l = self.l;
        if shape.bits() == 32 {
            let text = if truncate { "cvttps2dq $1, $0" } else { "cvtps2dq $1, $0" };
            return l.asm_call(&self.unit.vector_text(text), "=x,x", l.ivec_ty(32, 4), &[x], &[]);
        }
        let lane = |n| self.convert_scalar(FShape::D, "q", truncate, l.extract(x, n));
        let low = l.insert(l.poison(l.ivec_ty(64, 2)), lane(0), 0);
        l.insert(low, lane(1), 1)
    }

    /// The conversion of a signed integer to a scalar. As assembly: LLVM zeroes the destination, too, but does not know that
    /// the upper part then is zero.
    pub(crate) fn scalar_of_int(&mut self, i: usize, shape: FShape, arg: Value) {
        let l = self.l;
        let full = self.full_float(shape);
        let (from, operand) = if self.type_of(arg) == Type::I32 { ("l", "{2:k}") } else { ("q", "{2:q}") };
        let name = if shape == FShape::S { "cvtsi2ss" } else { "cvtsi2sd" };
        let text = match self.unit.features.avx {
            true => format!("v{name}{from} ${operand}, $1, $0"),
            false => format!("{name}{from} ${operand}, $0"),
        };
        let constraints = if self.unit.features.avx { "=x,x,r" } else { "=x,0,r" };
        let v = l.asm_call(&text, constraints, full, &[l.zero(full), self.value(arg)], &[]);
        let scalar = l.extract(v, 0);
        self.define_wide(i, scalar, self.flat(v));
    }

    pub(crate) fn int_to_float(
        &mut self,
        op: PureOp,
        shape: FShape,
        signed: bool,
        fbits: u8,
        args: &[Value],
    ) -> V {
        let l = self.l;
        let ty = shape.ty();
        if !Self::native(shape) {
            return self.soft_pure(op, ty, args);
        }
        let t = self.float_shape(shape);
        if shape.is_vector() {
            let v = self.value(args[0]);
            let v = if shape == FShape::V2S { self.low64(v) } else { v };
            let v = l.bitcast(v, self.lane_ty(shape.lane()));
            let convert = |fx: &Self| fx.unfloat(shape, fx.vector_of_ints(shape, v, fbits));
            if signed {
                return convert(self);
            }
            let zero = l.zero(self.lane_ty(shape.lane()));
            let large = self.any_lane(l.icmp(IPred::LLVMIntSLT, v, zero), 128 / shape.bits());
            return self.guarded(large, convert, op, ty, args);
        }
        let v = self.value(args[0]);
        let from = self.type_of(args[0]);
        let int = |fx: &Self, v: V, t_int: T| {
            let r = fx.constrained("sitofp", &[t, t_int], &[v], true);
            fx.scaled(shape, r, fbits)
        };
        match (from, signed) {
            (Type::I32 | Type::I64, true) => int(self, v, self.unit.ty(from)),
            (Type::I32, false) => int(self, l.zext(v, l.i64_ty()), l.i64_ty()),
            (Type::I64, false) => {
                let large = l.icmp(IPred::LLVMIntSLT, v, l.i64(0));
                self.guarded(large, |fx| int(fx, v, l.i64_ty()), op, ty, args)
            }
            _ => self.soft_pure(op, ty, args),
        }
    }

    /// Lanes of signed integers as floating-point numbers.
    pub(crate) fn vector_of_ints(&self, shape: FShape, v: V, fbits: u8) -> V {
        let r =
            self.constrained("sitofp", &[self.float_shape(shape), self.lane_ty(shape.lane())], &[v], true);
        self.scaled(shape, r, fbits)
    }

    /// Scaling by a power of two is exact: no result is near the end of the range.
    fn scaled(&self, shape: FShape, v: V, fbits: u8) -> V {
        if fbits == 0 {
            return v;
        }
        let l = self.l;
        let factor = l.const_float(l.float_ty(shape.bits()), 2f64.powi(-(fbits as i32)));
        let factor = if shape.is_vector() { l.splat_const(128 / shape.bits(), factor) } else { factor };
        self.constrained("fmul", &[self.float_shape(shape)], &[v, factor], true)
    }

    /// The lanes rounded to integral values; `None`: the host cannot do that.
    pub(crate) fn rounded(&self, shape: FShape, round: Round, exact: bool, x: V) -> Option<V> {
        let name = match (round, exact) {
            (Round::TieAway, false) => return Some(self.round_away(shape, x)),
            (Round::Current, true) => "rint",
            (Round::Current, false) => "nearbyint",
            (Round::TieEven, false) => "roundeven",
            (Round::PlusInf, false) => "ceil",
            (Round::MinusInf, false) => "floor",
            (Round::Zero, false) => "trunc",
            (Round::Odd, _)
            | (Round::TieAway | Round::TieEven | Round::PlusInf | Round::MinusInf | Round::Zero, true) => {
                return None;
            }
        };
        Some(self.constrained(name, &[self.float_shape(shape)], &[x], round == Round::Current))
    }

    pub(crate) fn float_round(
        &mut self,
        i: usize,
        op: PureOp,
        shape: FShape,
        round: Round,
        exact: bool,
        args: &[Value],
    ) {
        let has = round != Round::Odd && (!exact || round == Round::Current);
        if !has || !Self::native(shape) {
            let v = self.soft_pure(op, shape.ty(), args);
            return self.define(i, v);
        }
        let l = self.l;
        let x = self.float(shape, args[0]);
        self.notice_denormals(shape, &[x]);
        let r = self.rounded(shape, round, exact, x).expect("invariant: the host has it");
        let value = if shape.is_vector() { r } else { l.insert(l.poison(self.full_float(shape)), r, 0) };
        let native = Native { value, zero_above: false };
        self.define_float(i, shape, Look::Nan, &native, op, args);
    }
}
