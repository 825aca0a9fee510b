//! Floating-point operations. MXCSR holds the guest's rounding mode and cumulative flags while lifted code runs, so a
//! native operation does the right thing but where x86 and Arm differ: in the NaN they make, in conversions out of range,
//! and in minima and maxima. There the result (or the operands) is looked at, and the cold path leaves the operation to
//! the runtime, which knows DN, too; FZ is in MXCSR (`exec::flush_trap`). LLVM's constrained intrinsics and
//! assembly with side effects keep it from dropping, repeating or moving what sets flags.

use crate::float_result::{Look, Native};
use crate::function::Fx;
use crate::llvm::{AsmText, Bb, IPred, T, V};
use abi::{GuestState, HostFeature};
use ir::{FBin, FCmp, FShape, FUn, Inst, IntUn, PureOp, Round, Type, Value};
use std::mem::offset_of;

/// What ends the name of an instruction for that shape.
fn suffix(shape: FShape) -> &'static str {
    match shape {
        FShape::S => "ss",
        FShape::D => "sd",
        FShape::V2D => "pd",
        FShape::V2S | FShape::V4S => "ps",
        FShape::H | FShape::V4H | FShape::V8H | FShape::N2S | FShape::N4S => {
            unreachable!("invariant: computed natively")
        }
    }
}

/// The name of a relation in LLVM's constrained intrinsics.
pub(crate) fn predicate(cmp: FCmp) -> &'static str {
    match cmp {
        FCmp::Eq => "oeq",
        FCmp::Gt => "ogt",
        FCmp::Ge => "oge",
        FCmp::Lt => "olt",
        FCmp::Le => "ole",
        FCmp::Unordered => "uno",
    }
}

/// What a scalar comparison compares, and how.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Operands {
    args: [Value; 2],
    signaling: bool,
    shape: FShape,
}

/// Scalar operands whose comparison has raised what it may.
#[derive(Clone)]
pub(crate) struct Compared {
    of: Operands,
    /// The relation that was asked for then, and whether it holds, if that is known here.
    pub(crate) raising: Option<(FCmp, V)>,
}

impl Fx<'_, '_> {
    /// True if the host computes in this format and these modes.
    pub(crate) fn native(shape: FShape) -> bool {
        shape.native()
    }

    /// LLVM type in which a shape is computed; a half vector is computed as a full one.
    pub(crate) fn float_shape(&self, shape: FShape) -> T {
        let scalar = self.l.float_ty(shape.bits());
        if shape.is_vector() { self.l.vec_ty(scalar, 128 / shape.bits()) } else { scalar }
    }

    /// An operand in its shape; lanes that the shape does not cover are zero, so that they raise nothing.
    pub(crate) fn float(&self, shape: FShape, v: Value) -> V {
        let v = self.value(v);
        if !shape.is_vector() {
            return v;
        }
        let v = if shape == FShape::V2S { self.low64(v) } else { v };
        self.l.bitcast(v, self.float_shape(shape))
    }

    /// The operation's result from its shape.
    pub(crate) fn unfloat(&self, shape: FShape, v: V) -> V {
        match shape {
            FShape::V2S | FShape::N2S => self.low64(v),
            s if s.is_vector() => self.flat(v),
            _ => v,
        }
    }

    /// A constrained intrinsic: `llvm.experimental.constrained.<name>`.
    pub(crate) fn constrained(&self, name: &str, types: &[T], args: &[V], rounded: bool) -> V {
        let mut a = args.to_vec();
        if rounded {
            a.push(self.l.metadata("round.dynamic"));
        }
        a.push(self.l.metadata("fpexcept.strict"));
        self.l.intrinsic(&format!("llvm.experimental.constrained.{name}"), types, &a)
    }

    fn any(&self, shape: FShape, c: V) -> V {
        if shape.is_vector() { self.any_lane(c, 128 / shape.bits()) } else { c }
    }

    /// A comparison that raises Invalid Operation for signaling NaNs only (or, `signaling`, for all).
    pub(crate) fn compare_lanes(&self, predicate: &str, signaling: bool, a: V, b: V) -> V {
        self.compare(if signaling { "fcmps" } else { "fcmp" }, predicate, "fpexcept.strict", a, b)
    }

    fn compare(&self, name: &str, predicate: &str, exceptions: &str, a: V, b: V) -> V {
        let l = self.l;
        let args = [a, b, l.metadata(predicate), l.metadata(exceptions)];
        l.intrinsic(&format!("llvm.experimental.constrained.{name}"), &[l.type_of(a)], &args)
    }

    pub(crate) fn float_bin(&mut self, i: usize, op: PureOp, f: FBin, shape: FShape, args: &[Value]) {
        let ty = shape.ty();
        if !Self::native(shape) {
            let v = self.soft_pure(op, ty, args);
            return self.define(i, v);
        }
        let l = self.l;
        match f {
            FBin::Add | FBin::Sub | FBin::Mul | FBin::Div | FBin::AbsDiff => {
                let (name, look) = match f {
                    FBin::Mul => ("mul", Look::NanOrSmallest),
                    FBin::Div => ("div", Look::NanOrSmallest),
                    FBin::Sub | FBin::AbsDiff => ("sub", Look::Nan),
                    _ => ("add", Look::Nan),
                };
                if f == FBin::Div {
                    self.notice_denormals(shape, &[self.float(shape, args[0])]);
                }
                let soft = self.soft_block();
                let mut native = self.arithmetic(shape, name, args, soft);
                if f == FBin::AbsDiff {
                    let full = self.full_float(shape);
                    native.value = l.intrinsic("llvm.fabs", &[full], &[native.value]);
                }
                self.define_float_or(i, shape, look, &native, op, args, soft);
            }
            FBin::Max | FBin::Min | FBin::MaxNum | FBin::MinNum => {
                let (a, b) = (self.float(shape, args[0]), self.float(shape, args[1]));
                let nan = self.any(shape, self.compare_lanes("uno", false, a, b));
                let nan = l.or(nan, self.flushes());
                let max = matches!(f, FBin::Max | FBin::MaxNum);
                let v = self.guarded(
                    nan,
                    |fx| {
                        let r = fx.extremum(max, shape, a, b);
                        fx.unfloat(shape, r)
                    },
                    op,
                    ty,
                    args,
                );
                self.define(i, v);
            }
            // ∞ × 0 raises nothing in these, so x86's operation must not be tried.
            FBin::MulX | FBin::RecipStep | FBin::RsqrtStep => {
                let v = self.soft_pure(op, ty, args);
                self.define(i, v);
            }
        }
    }

    /// The maximum or minimum of numbers. As assembly, because comparisons of LLVM's own are executed where there may be NaNs,
    /// too, before a loop that never comes here, and raise Invalid Operation.
    pub(crate) fn extremum(&self, max: bool, shape: FShape, a: V, b: V) -> V {
        let l = self.l;
        // x86 gives its second operand for equal ones; both ways round and combined, −0 < +0 holds.
        let (bits, kind) = match (shape.is_vector(), shape.bits()) {
            (true, 32) => (l.ivec_ty(32, 4), "ps"),
            (true, n) => (l.ivec_ty(n, 128 / n), "pd"),
            (false, 32) => (l.int_ty(32), "ss"),
            (false, n) => (l.int_ty(n), "sd"),
        };
        let (text, constraints) = self.two_operands(&format!("{}{kind}", if max { "max" } else { "min" }));
        let pick = |x: V, y: V| {
            l.bitcast(l.asm_call(&text, constraints, self.float_shape(shape), &[x, y], &[]), bits)
        };
        let (x, y) = (pick(a, b), pick(b, a));
        let r = if max { l.and(x, y) } else { l.or(x, y) };
        l.bitcast(r, self.float_shape(shape))
    }

    /// i1: FPCR.FZ is set. The host's DAZ does nothing for an operand that is only chosen.
    pub(crate) fn flushes(&self) -> V {
        let l = self.l;
        if self.at_end_of_run() {
            return l.bool(false);
        }
        let fpcr = l.load(l.int_ty(32), self.field(offset_of!(GuestState, fpcr)));
        l.icmp(IPred::LLVMIntNE, l.and(fpcr, l.i32(1 << 24)), l.i32(0))
    }

    /// Under FPCR.FZ, makes the host notice denormal operands, which are flushed and raise Input Denormal. It does not
    /// notice them by itself in roundings and conversions to integers, next to a NaN in comparisons, in a division by
    /// zero, and below a square root if they are negative.
    pub(crate) fn notice_denormals(&self, shape: FShape, operands: &[V]) {
        let l = self.l;
        if self.at_end_of_run() {
            return;
        }
        let (notice, end) = (l.block(self.func, "notice"), l.block(self.func, ""));
        l.unlikely_br(self.flushes(), notice, end);
        l.at_end(notice);
        for &x in operands {
            if shape.is_vector() {
                let name = if shape.bits() == 32 { "cmpunordps" } else { "cmpunordpd" };
                let (text, constraints) = self.two_operands(name);
                l.asm_call(&text, constraints, l.type_of(x), &[x, x], &[]);
            } else {
                let text = if shape == FShape::S { "ucomiss $0, $0" } else { "ucomisd $0, $0" };
                l.asm_call(&self.unit.vector_text(text), "x,~{flags}", l.void_ty(), &[x], &[]);
            }
        }
        l.br(end);
        l.at_end(end);
    }

    /// An operation of two operands. As assembly, because LLVM computes a scalar alone and moves the lanes above of the first
    /// operand, which the instruction leaves in place, back by another instruction.
    fn arithmetic(&self, shape: FShape, name: &str, args: &[Value], soft: Bb) -> Native {
        let l = self.l;
        let (a, mut b, zero_above);
        if shape.is_vector() {
            (a, b, zero_above) = (self.float(shape, args[0]), self.float(shape, args[1]), false);
            if shape == FShape::V2S && name == "div" {
                // 0 / 0 in the unused lanes would raise Invalid Operation.
                let one = l.splat_const(4, l.const_float(l.float_ty(32), 1.0));
                b = l.shuffle(b, one, &[0, 1, 4, 5]);
            }
        } else {
            let commutes = matches!(name, "add" | "mul");
            let swap = commutes && self.wide(args[0]).is_none() && self.wide(args[1]).is_some();
            // A NaN is looked at, whichever of two was taken.
            let (first, second) = if swap { (args[1], args[0]) } else { (args[0], args[1]) };
            a = self.cleared(shape, first);
            b = self.in_lane0(shape, second);
            zero_above = self.unit.vector_regs;
        }
        let full = self.full_float(shape);
        let value = if shape.is_vector() && self.at_end_of_run() && args.iter().any(|&v| self.opaque(v)) {
            // LLVM may take operands from memory and exchange them.
            self.constrained(&format!("f{name}"), &[full], &[a, b], true)
        } else {
            self.in_place(&format!("{name}{}", suffix(shape)), full, a, b, soft)
        };
        Native { value, zero_above }
    }

    /// The assembly of an instruction of two operands, and its constraints.
    pub(crate) fn two_operands(&self, name: &str) -> (String, &'static str) {
        if self.unit.features.avx {
            (format!("v{name} $2, $1, $0"), "=x,x,x")
        } else {
            (format!("{name} $2, $0"), "=x,0,x")
        }
    }

    /// A two-operand instruction on `a` and `b`, which leaves what it does not compute as it is in `a`.
    pub(crate) fn in_place(&self, name: &str, ret: T, a: V, b: V, soft: Bb) -> V {
        let (text, constraints) = self.two_operands(name);
        self.float_site(&AsmText { text: &text, constraints, mem: &[] }, ret, &[a, b], soft)
    }

    /// A scalar operation of one operand, whose destination's lanes above stay as they are: zero.
    fn scalar_un(&self, shape: FShape, name: &str, arg: V, soft: Bb) -> Native {
        let full = self.full_float(shape);
        let value = self.in_place(name, full, self.l.zero(full), arg, soft);
        Native { value, zero_above: true }
    }

    pub(crate) fn float_un(&mut self, i: usize, op: PureOp, f: FUn, shape: FShape, args: &[Value]) {
        let v = match f {
            FUn::Abs | FUn::Neg => {
                if let (FShape::S | FShape::D, Some(wide)) = (shape, self.wide(args[0])) {
                    return self.scalar_sign(i, f, shape, wide);
                }
                self.float_sign(f, shape, args[0])
            }
            FUn::Sqrt if Self::native(shape) => {
                let a = self.float(shape, args[0]);
                self.notice_denormals(shape, &[a]);
                let soft = self.soft_block();
                let native = match shape {
                    FShape::S => self.scalar_un(shape, "sqrtss", a, soft),
                    FShape::D => self.scalar_un(shape, "sqrtsd", a, soft),
                    _ => {
                        let r = self.constrained("sqrt", &[self.float_shape(shape)], &[a], true);
                        Native { value: r, zero_above: false }
                    }
                };
                return self.define_float_or(i, shape, Look::Nan, &native, op, args, soft);
            }
            FUn::Sqrt | FUn::RecipEst | FUn::RsqrtEst | FUn::RecpX => self.soft_pure(op, shape.ty(), args),
        };
        self.define(i, v);
    }

    /// Absolute value or negation of a scalar with zeros above, which stay.
    fn scalar_sign(&mut self, i: usize, f: FUn, shape: FShape, wide: V) {
        let l = self.l;
        let sign = 1u64 << (shape.bits() - 1);
        let wide = match f {
            FUn::Abs => l.and(wide, l.const_vec(&[l.i64(sign - 1), l.i64(0)])),
            _ => l.xor(wide, l.const_vec(&[l.i64(sign), l.i64(0)])),
        };
        let scalar = l.extract(l.bitcast(wide, self.full_float(shape)), 0);
        self.define_wide(i, scalar, wide);
    }

    /// Absolute value or negation: a change of the sign bit.
    fn float_sign(&self, f: FUn, shape: FShape, arg: Value) -> V {
        let l = self.l;
        let sign = 1u128 << (shape.bits() - 1);
        if shape.is_vector() {
            let lane = shape.lane();
            let a = self.lanes(lane, arg);
            let r = if f == FUn::Abs {
                l.and(a, self.lane_const(lane, (sign - 1) as u64))
            } else {
                l.xor(a, self.lane_const(lane, sign as u64))
            };
            let half = shape.count() * shape.bits() == 64;
            return if half { self.low64(r) } else { self.flat(r) };
        }
        let a = self.value(arg);
        match (shape, f) {
            (FShape::H, FUn::Abs) => l.and(a, l.int(l.int_ty(16), sign - 1)),
            (FShape::H, _) => l.xor(a, l.int(l.int_ty(16), sign)),
            (_, FUn::Abs) => l.intrinsic("llvm.fabs", &[self.unit.ty(shape.ty())], &[a]),
            (_, _) => l.fneg(a),
        }
    }

    pub(crate) fn float_mul_add(&mut self, i: usize, op: PureOp, shape: FShape, args: &[Value]) {
        if !Self::native(shape) {
            let v = self.soft_pure(op, shape.ty(), args);
            return self.define(i, v);
        }
        let full = self.full_float(shape);
        // The lanes above come from the operand that the result replaces: the addend or a factor.
        let clean = |n: usize| shape.is_vector() || !self.unit.vector_regs || self.wide(args[n]).is_some();
        let (form, replaced) = match [2, 0, 1].into_iter().find(|&n| clean(n)) {
            Some(2) | None => ("231", 2),
            Some(n) => ("213", n),
        };
        let operand = |n: usize| match shape.is_vector() {
            true => self.float(shape, args[n]),
            false if n == replaced => self.cleared(shape, args[n]),
            false => self.in_lane0(shape, args[n]),
        };
        let others: Vec<usize> = (0..3).filter(|&n| n != replaced).collect();
        let inputs = [operand(replaced), operand(others[0]), operand(others[1])];
        let soft = self.soft_block();
        let r = self.fused_site(form, suffix(shape), &inputs, full, soft);
        let native = Native { value: r, zero_above: !shape.is_vector() && self.unit.vector_regs };
        self.define_float_or(i, shape, Look::NanOrSmallest, &native, op, args, soft);
    }

    /// A fused operation; the first operand is the one that is replaced.
    pub(crate) fn fused_site(&self, form: &str, suffix: &str, inputs: &[V; 3], ret: T, soft: Bb) -> V {
        let text = format!("vfmadd{form}{suffix} $3, $2, $0");
        let asm = AsmText { text: &text, constraints: "=x,0,x,x", mem: &[] };
        match self.unit.features.fma {
            true => self.float_site(&asm, ret, inputs, soft),
            false => self.host_site(HostFeature::Fma, &asm, ret, inputs, soft),
        }
    }

    pub(crate) fn float_cmp(
        &mut self,
        op: PureOp,
        cmp: FCmp,
        signaling: bool,
        shape: FShape,
        args: &[Value],
    ) -> V {
        let l = self.l;
        if !Self::native(shape) {
            let ty = if shape.is_vector() { Type::V128 } else { Type::I1 };
            return self.soft_pure(op, ty, args);
        }
        let (a, b) = self.hidden_operands(shape, args);
        if shape.is_vector() {
            self.notice_denormals(shape, &[a, b]);
            let c = self.compare_lanes(predicate(cmp), signaling, a, b);
            let mask = l.sext(c, self.lane_ty(shape.lane()));
            return self.unfloat(shape, mask);
        }
        // Lifters ask for several relations of the same operands, of which at most one is used as a rule. The comparison
        // for that one raises what is to be raised. Others must raise nothing, and be no `fcmp`: of that and a choice
        // LLVM makes `minss` or `cmpltss`, which raise Invalid Operation for quiet NaNs.
        let of = Operands { args: [args[0], args[1]], signaling, shape };
        let others = |fx: &Self| fx.compare("fcmp", predicate(cmp), "fpexcept.ignore", a, b);
        match self.compares.iter().find(|c| c.of == of).map(|c| c.raising) {
            Some(Some((relation, c))) if relation == cmp => c,
            Some(_) => others(self),
            None => {
                self.notice_denormals(shape, &[a, b]);
                let relation = self.relation_used(&of).unwrap_or(cmp);
                let c = self.compare_lanes(predicate(relation), signaling, a, b);
                self.compares.push(Compared { of, raising: Some((relation, c)) });
                if relation == cmp { c } else { others(self) }
            }
        }
    }

    /// A vector or float of which LLVM knows nothing any more.
    pub(crate) fn hide(&self, v: V) -> V {
        self.l.asm_call("", "=x,0", self.l.type_of(v), &[v], &[])
    }

    /// Operands of a comparison, of which LLVM does not know both: it knows nothing of FPCR.FZ, under which denormal numbers equal
    /// zero.
    fn hidden_operands(&self, shape: FShape, args: &[Value]) -> (V, V) {
        let (a, b) = (self.float(shape, args[0]), self.float(shape, args[1]));
        match *self.def(args[1]) {
            _ if self.opaque(args[0]) || self.opaque(args[1]) => (a, b),
            Inst::Const { .. } => (a, self.hide(b)),
            _ => (self.hide(a), b),
        }
    }

    /// The last relation of the operands that is used for more than to describe the flags.
    fn relation_used(&self, of: &Operands) -> Option<FCmp> {
        let insts = &self.cur.insts;
        let relation = |v: usize| match &insts[v] {
            Inst::Pure { op: PureOp::FCmp { cmp, signaling, shape }, args, .. }
                if args[..2] == of.args && (*signaling, *shape) == (of.signaling, of.shape) =>
            {
                Some(*cmp)
            }
            _ => None,
        };
        (0..insts.len()).rev().find_map(|v| relation(v).filter(|_| self.used_but_for_flags(Value(v as u32))))
    }

    /// Whether a value, or its complement, is used by more than writes of flags.
    fn used_but_for_flags(&self, v: Value) -> bool {
        let for_flags = self.cur.insts.iter().enumerate().map(|(i, inst)| match inst {
            Inst::Set(r, x) => u32::from(*x == v && !self.unit.regs.has_slot(*r)),
            Inst::Pure { op: PureOp::IntUn(IntUn::Not), args, .. } if args[0] == v => {
                u32::from(!self.used_but_for_flags(Value(i as u32)))
            }
            _ => 0,
        });
        for_flags.sum::<u32>() < self.uses[v.0 as usize].count
    }

    pub(crate) fn float_convert(&mut self, i: usize, op: PureOp, round: Round, ty: Type, args: &[Value]) {
        let (name, shape, look) = match (self.type_of(args[0]), ty, round) {
            (Type::F32, Type::F64, Round::Current) => ("cvtss2sd", FShape::D, Look::Nan),
            (Type::F64, Type::F32, Round::Current) => ("cvtsd2ss", FShape::S, Look::NanOrSmallest),
            _ => {
                let v = self.soft_pure(op, ty, args);
                return self.define(i, v);
            }
        };
        let soft = self.soft_block();
        let native = self.scalar_un(shape, name, self.value(args[0]), soft);
        self.define_float_or(i, shape, look, &native, op, args, soft);
    }

    pub(crate) fn float_widen(&mut self, i: usize, op: PureOp, from: FShape, high: bool, args: &[Value]) {
        let l = self.l;
        if from != FShape::V2S {
            let v = self.soft_pure(op, Type::V128, args);
            return self.define(i, v);
        }
        let single = l.float_ty(32);
        let v = l.bitcast(self.value(args[0]), l.vec_ty(single, 4));
        let half = l.shuffle(v, l.poison(l.vec_ty(single, 4)), if high { &[2, 3] } else { &[0, 1] });
        let types = [l.vec_ty(l.float_ty(64), 2), l.vec_ty(single, 2)];
        let r = self.constrained("fpext", &types, &[half], false);
        let native = Native { value: r, zero_above: false };
        self.define_float(i, FShape::V2D, Look::Nan, &native, op, args);
    }

    pub(crate) fn float_narrow(&mut self, i: usize, op: PureOp, from: FShape, round: Round, args: &[Value]) {
        if from != FShape::V2D || round != Round::Current {
            let v = self.soft_pure(op, Type::V128, args);
            return self.define(i, v);
        }
        let v = self.float(from, args[0]);
        let text = if self.unit.features.avx { "vcvtpd2ps $1, $0" } else { "cvtpd2ps $1, $0" };
        let soft = self.soft_block();
        let full = self.full_float(FShape::V2S);
        let asm = AsmText { text, constraints: "=x,x", mem: &[] };
        let value = self.float_site(&asm, full, &[v], soft);
        let native = Native { value, zero_above: false };
        self.define_float_or(i, FShape::V2S, Look::NanOrSmallest, &native, op, args, soft);
    }
}
