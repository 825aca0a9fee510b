//! Native floating-point results that the host may have made differently than Arm: how they are looked at, and what then
//! happens. Takes a result of the host's operation, gives the guest's. Which operations need which look is `op_float`'s to
//! know; decision 0008 has the ways that were measured.

use crate::function::Fx;
use crate::llvm::{AsmText, Bb, FPred, IPred, T, V};
use ir::{FShape, PureOp, Value};

/// What a result is looked at for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// A NaN: x86 makes another default NaN and chooses otherwise among operands.
    Nan,
    /// A NaN, or the smallest normal number: to that, x86 may have rounded a smaller value without calling it an underflow,
    /// because it looks after rounding, Arm before (and with FZ, Arm's result is zero). Sums cannot be tiny and inexact;
    /// products, quotients and narrowed values can.
    NanOrSmallest,
}

/// A native result.
pub(crate) struct Native {
    /// The result; of a scalar operation, a vector of its type with the result in lane 0.
    pub(crate) value: V,
    /// Of a scalar operation: the lanes above are known to be zero.
    pub(crate) zero_above: bool,
}

impl Fx<'_, '_> {
    /// A scalar operand in lane 0 of a vector of its type, with anything above.
    pub(crate) fn in_lane0(&self, shape: FShape, v: Value) -> V {
        let l = self.l;
        let t = self.full_float(shape);
        match self.wide(v) {
            Some(wide) => l.bitcast(wide, t),
            None => l.insert(l.poison(t), self.value(v), 0),
        }
    }

    /// A scalar operand in lane 0 of a vector of its type, with zeros above if the guest has vector registers. Clearing it takes
    /// the place of the copy that an operation which replaces an operand needs, and what is made of the result then is clear, too.
    pub(crate) fn cleared(&self, shape: FShape, v: Value) -> V {
        let l = self.l;
        if !self.unit.vector_regs {
            return self.in_lane0(shape, v);
        }
        let t = self.full_float(shape);
        match self.wide(v) {
            Some(wide) => l.bitcast(wide, t),
            None => l.insert(l.zero(t), self.value(v), 0),
        }
    }

    /// LLVM type of a full vector of the shape's elements.
    pub(crate) fn full_float(&self, shape: FShape) -> T {
        self.l.vec_ty(self.l.float_ty(shape.bits()), 128 / shape.bits())
    }

    /// Defines value `i` by a native result, or by the evaluator's if the look finds something.
    pub(crate) fn define_float(
        &mut self,
        i: usize,
        shape: FShape,
        look: Look,
        native: &Native,
        op: PureOp,
        args: &[Value],
    ) {
        let soft = self.soft_block();
        self.define_float_or(i, shape, look, native, op, args, soft);
    }

    /// As `define_float`, with the block in which the evaluator is asked; others may go there, too.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn define_float_or(
        &mut self,
        i: usize,
        shape: FShape,
        look: Look,
        native: &Native,
        op: PureOp,
        args: &[Value],
        soft: Bb,
    ) {
        let l = self.l;
        if self.at_end_of_run() {
            self.look_later(i, shape, look, native.value);
            return self.define_native(i, shape, native.value, native.zero_above);
        }
        if self.shows_later(i) {
            return self.define_native(i, shape, native.value, native.zero_above);
        }
        let end = l.block(self.func, "");
        if self.together.is_some() {
            self.look(shape, look, native.value, soft, end);
            l.at_end(end);
            return self.define_native(i, shape, native.value, native.zero_above);
        }
        let mut incoming: Vec<_> =
            self.look(shape, look, native.value, soft, end).into_iter().map(|b| (native.value, b)).collect();
        l.at_end(soft);
        let full = self.full_float(shape);
        let exact = self.soft_pure(op, shape.ty(), args);
        let exact = match (shape.is_vector(), native.zero_above) {
            (true, _) => l.bitcast(exact, full),
            (false, true) => l.insert(l.zero(full), exact, 0),
            (false, false) => l.insert(l.poison(full), exact, 0),
        };
        incoming.push((exact, soft));
        l.br(end);
        l.at_end(end);
        let v = l.phi(full, &incoming);
        self.define_native(i, shape, v, native.zero_above);
    }

    fn define_native(&mut self, i: usize, shape: FShape, v: V, zero_above: bool) {
        let l = self.l;
        if shape.is_vector() {
            return self.define(i, self.unfloat(shape, v));
        }
        let scalar = l.extract(v, 0);
        if zero_above {
            self.define_wide(i, scalar, self.flat(v));
        } else {
            self.define(i, scalar);
        }
    }

    /// Goes to `soft` if the look finds something, else to `end`; gives the blocks that do the latter.
    fn look(&mut self, shape: FShape, look: Look, v: V, soft: Bb, end: Bb) -> Vec<Bb> {
        let l = self.l;
        let lanes = shape.count();
        if look == Look::Nan {
            let nan = if lanes == 1 {
                let r = l.extract(v, 0);
                l.fcmp(FPred::LLVMRealUNO, r, r)
            } else {
                self.any_lane(l.fcmp(FPred::LLVMRealUNO, v, v), 128 / shape.bits())
            };
            let here = l.current_block();
            l.unlikely_br(nan, soft, end);
            return vec![here];
        }
        // First by few instructions, which also find zeros and some others; then what it really is.
        let rough = l.block(self.func, "rough");
        let mut fine = vec![rough];
        if lanes <= 2 {
            for lane in 0..lanes {
                let last = lane + 1 == lanes;
                let next = if last { end } else { l.block(self.func, "") };
                if last {
                    fine.push(l.current_block());
                }
                self.extreme_exponent(shape, lane, v, next, rough);
                if !last {
                    l.at_end(next);
                }
            }
        } else {
            let c = self.rough_lanes(v);
            fine.push(l.current_block());
            l.unlikely_br(c, rough, end);
        }
        l.at_end(rough);
        let t = l.float_ty(shape.bits());
        let smallest =
            l.const_float(t, if shape.bits() == 32 { f32::MIN_POSITIVE.into() } else { f64::MIN_POSITIVE });
        let special = if lanes == 1 {
            let r = l.extract(v, 0);
            l.fcmp(FPred::LLVMRealUEQ, l.intrinsic("llvm.fabs", &[t], &[r]), smallest)
        } else {
            let n = 128 / shape.bits();
            let abs = l.intrinsic("llvm.fabs", &[l.type_of(v)], &[v]);
            self.any_lane(l.fcmp(FPred::LLVMRealUEQ, abs, l.splat_const(n, smallest)), n)
        };
        l.unlikely_br(special, soft, end);
        fine
    }

    /// Goes to `rough` if the exponent of that lane is one of the lowest two or the highest two, else to `next`. Two
    /// instructions that need no register:
    ///
    /// ```text
    /// ptest  mask(%rip), %xmm0    # ZF: (v & mask) == 0, CF: (!v & mask) == 0
    /// jbe    rough
    /// ```
    fn extreme_exponent(&self, shape: FShape, lane: u32, v: V, next: Bb, rough: Bb) {
        let l = self.l;
        let exponent: u128 = if shape.bits() == 32 { 0x7f00_0000 } else { 0x7fe0 << 48 };
        let mask = exponent << (lane * shape.bits());
        let mask = l.const_vec(&[l.i64(mask as u64), l.i64((mask >> 64) as u64)]);
        let text = &self.unit.vector_text("ptest $1, $0\n\tjbe ${2:l}");
        let asm = AsmText { text, constraints: "x,m,!i,~{flags}", mem: &[] };
        l.asm_callbr(&asm, l.void_ty(), &[self.flat(v), mask], next, rough);
    }

    /// i1: any of four lanes has an exponent of zero, is the smallest normal number or a NaN. One signed comparison of
    /// the bits without sign, moved so that these numbers are on top.
    fn rough_lanes(&self, v: V) -> V {
        const SMALLEST: u32 = 2 * 0x0080_0000;
        const INFINITY: u32 = 2 * 0x7f80_0000;
        const TOP: u32 = 1 << 31;
        let l = self.l;
        let c = |x: u32| l.splat_const(4, l.i32(x));
        let bits = l.bitcast(v, l.ivec_ty(32, 4));
        let unsigned = l.add(bits, bits);
        let moved = l.add(unsigned, c(TOP.wrapping_sub(SMALLEST + 1)));
        let found = l.icmp(IPred::LLVMIntSGT, moved, c((INFINITY - SMALLEST - 1).wrapping_add(TOP)));
        self.any_lane(found, 4)
    }
}
