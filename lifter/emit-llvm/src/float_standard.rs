//! Advanced SIMD of AArch32, which computes under the standard FPSCR (flush-to-zero, default NaNs, rounding to nearest) whatever
//! mode scalars are in, and MXCSR with them. Takes operations of the shapes `n2s` and `n4s`, computes them in MXCSR's mode where
//! that makes no difference (numbers that are not denormal give such, rounding to nearest), and leaves the rest to the evaluator.
//!
//! What is flushed to zero is not inexact for Arm, but is for the host, unless FTZ is on. So before Inexact has been recorded in
//! the state, MXCSR is kept for operations that may underflow, and put back if one has. Decision 0031 has the reasons.

use crate::function::Fx;
use crate::llvm::{Bb, IPred, V};
use crate::op_float::predicate;
use crate::op_float_int::ToInt;
use abi::GuestState;
use abi::flag::{FPCR_FZ, FPCR_RMODE, FPSR_IXC};
use ir::{FBin, FShape, FUn, Inst, PureOp, Round, Type, Value};
use std::mem::offset_of;

/// The sign of a lane, which turns unsigned comparisons into signed ones.
const TOP: u32 = 1 << 31;
/// Bits of the smallest normal number, of infinity, and of numbers, without sign, doubled.
const SMALLEST: u32 = 2 * 0x0080_0000;
const INFINITY: u32 = 2 * 0x7f80_0000;

/// An operation on its way: what was computed natively joins what the evaluator gives.
struct Standard<'v> {
    op: PureOp,
    args: &'v [Value],
    /// Asks the evaluator.
    soft: Bb,
}

impl Fx<'_, '_> {
    /// True if the operation is emitted here.
    pub(crate) fn is_standard(op: PureOp) -> bool {
        let own = match op {
            PureOp::F(
                FBin::Add
                | FBin::Sub
                | FBin::Mul
                | FBin::AbsDiff
                | FBin::Max
                | FBin::Min
                | FBin::MaxNum
                | FBin::MinNum
                | FBin::RecipStep
                | FBin::RsqrtStep,
                _,
            )
            | PureOp::FMulAdd(_)
            | PureOp::FCmp { .. }
            | PureOp::IntToF { .. } => true,
            PureOp::FToInt { round, .. } => !matches!(round, Round::Current | Round::Odd),
            PureOp::FRound { round, exact, .. } => match round {
                Round::TieAway | Round::TieEven | Round::PlusInf | Round::MinusInf | Round::Zero => !exact,
                Round::Current => true,
                Round::Odd => false,
            },
            _ => false,
        };
        own && op.standard_fpscr()
    }

    /// Emits operation `i`, for which `is_standard` holds.
    pub(crate) fn standard(&mut self, i: usize, op: PureOp, shape: FShape, args: &[Value]) {
        let l = self.l;
        let s = Standard { op, args, soft: l.block(self.func, "soft") };
        let x: Vec<V> = match op {
            PureOp::IntToF { .. } => Vec::new(),
            _ => args[..op.arity()].iter().map(|&v| self.standard_operand(shape, v)).collect(),
        };
        let full = self.full_float(shape);
        let v = match op {
            PureOp::F(f @ (FBin::Add | FBin::Sub | FBin::AbsDiff), _) => {
                self.nearest_or(s.soft);
                self.no_denormals_or(&s, &x);
                let name = if f == FBin::Add { "add" } else { "sub" };
                let r = self.packed(name, x[0], x[1], s.soft);
                // Sums that are tiny are exact, so nothing was raised that is not to be.
                self.unlikely_any(self.odd_but_zero(r), s.soft);
                if f == FBin::AbsDiff { l.intrinsic("llvm.fabs", &[full], &[r]) } else { r }
            }
            PureOp::F(FBin::Mul, _) => {
                self.nearest_or(s.soft);
                self.no_denormals_or(&s, &x);
                self.note_inexact();
                let r = self.packed("mul", x[0], x[1], s.soft);
                self.no_underflow_or(s.soft, r, [x[0], x[1]]);
                r
            }
            PureOp::FMulAdd(_) => {
                self.nearest_or(s.soft);
                self.no_denormals_or(&s, &x);
                self.note_inexact();
                let r = self.fused_site("231", "ps", &[x[2], x[0], x[1]], full, s.soft);
                self.no_underflow_or(s.soft, r, [x[0], x[1]]);
                r
            }
            PureOp::F(f @ (FBin::RecipStep | FBin::RsqrtStep), _) => {
                // ∞ × 0 raises nothing, so no infinity must come to the host's product; zeros hardly ever do.
                self.nearest_or(s.soft);
                let found = x.iter().map(|&x| self.extreme(self.doubled(x)));
                let found = found.reduce(|a, b| l.or(a, b)).expect("invariant: two operands");
                self.unlikely_any(self.covered(shape, found), s.soft);
                self.note_inexact();
                let product = self.packed("mul", x[0], x[1], s.soft);
                self.no_underflow_or(s.soft, product, [x[0], x[1]]);
                let c = |c: f64| l.splat_const(4, l.const_float(l.float_ty(32), c));
                if f == FBin::RecipStep {
                    self.packed("sub", c(2.0), product, s.soft)
                } else {
                    let r = self.packed("sub", c(3.0), product, s.soft);
                    // Exact.
                    self.packed("mul", r, c(0.5), s.soft)
                }
            }
            PureOp::F(f, _) => {
                let found = x.iter().map(|&x| self.odd_but_zero(x));
                let found = found.reduce(|a, b| l.or(a, b)).expect("invariant: two operands");
                self.unlikely_any(found, s.soft);
                self.extremum(matches!(f, FBin::Max | FBin::MaxNum), shape, x[0], x[1])
            }
            PureOp::FCmp { cmp, signaling, .. } => {
                self.no_denormals_or(&s, &x);
                let c = self.compare_lanes(predicate(cmp), signaling, x[0], x[1]);
                l.sext(c, self.lane_ty(shape.lane()))
            }
            PureOp::FToInt { signed, round, fbits, .. } => {
                self.no_denormals_or(&s, &x);
                let c = ToInt { shape, signed, round, fbits };
                self.unlikely_any_or(self.not_in_range(c, x[0]), s.soft);
                self.vector_in_range_to_int(c, x[0])
            }
            PureOp::IntToF { signed, fbits, .. } => {
                self.nearest_or(s.soft);
                let v = l.bitcast(self.low_lanes(shape, args[0]), self.lane_ty(shape.lane()));
                if !signed {
                    self.unlikely_any(l.icmp(IPred::LLVMIntSLT, v, l.zero(l.type_of(v))), s.soft);
                }
                self.vector_of_ints(shape, v, fbits)
            }
            PureOp::FRound { round, exact, .. } => {
                if round == Round::Current {
                    self.nearest_or(s.soft);
                }
                let found = self.odd_but_zero(x[0]);
                self.unlikely_any(found, s.soft);
                self.rounded(shape, round, exact, x[0]).expect("invariant: `is_standard`")
            }
            _ => unreachable!("invariant: `is_standard`"),
        };
        self.define_standard(i, shape, &s, v);
    }

    /// Defines value `i` as what was computed natively at this point, or else by the evaluator.
    fn define_standard(&mut self, i: usize, shape: FShape, s: &Standard<'_>, v: V) {
        let l = self.l;
        let end = l.block(self.func, "");
        let native = self.unfloat(shape, v);
        let from = l.current_block();
        l.br(end);
        l.at_end(s.soft);
        let exact = self.soft_pure(s.op, Type::V128, s.args);
        l.br(end);
        l.at_end(end);
        let v = l.phi(l.type_of(native), &[(native, from), (exact, s.soft)]);
        self.define(i, v);
    }

    /// The operand with zeros in the lanes that the shape does not cover.
    fn low_lanes(&self, shape: FShape, v: Value) -> V {
        let value = self.value(v);
        if shape == FShape::N4S || self.zero_above(v, 64) { value } else { self.low64(value) }
    }

    fn standard_operand(&self, shape: FShape, v: Value) -> V {
        self.l.bitcast(self.low_lanes(shape, v), self.float_shape(shape))
    }

    /// Goes to `other` if any lane of the mask is set.
    fn unlikely_any(&self, mask: V, other: Bb) {
        self.unlikely_any_or(self.any_lane(mask, 4), other);
    }

    fn unlikely_any_or(&self, c: V, other: Bb) {
        let l = self.l;
        let go = l.block(self.func, "");
        l.unlikely_br(c, other, go);
        l.at_end(go);
    }

    /// Goes on if FPCR's rounding mode, which the host's follows, is to nearest.
    fn nearest_or(&self, soft: Bb) {
        let l = self.l;
        let fpcr = l.load(l.int_ty(32), self.field(offset_of!(GuestState, fpcr)));
        let c = l.icmp(IPred::LLVMIntNE, l.and(fpcr, l.i32(FPCR_RMODE)), l.i32(0));
        self.unlikely_any_or(c, soft);
    }

    /// Lanes as integers, doubled: without sign.
    fn doubled(&self, v: V) -> V {
        let l = self.l;
        let bits = l.bitcast(v, l.ivec_ty(32, 4));
        l.add(bits, bits)
    }

    fn words(&self, x: u32) -> V {
        self.l.splat_const(4, self.l.i32(x))
    }

    /// Lanes, given doubled, that are denormal.
    fn denormal(&self, y: V) -> V {
        let l = self.l;
        let moved = l.add(y, self.words(TOP - 1));
        l.icmp(IPred::LLVMIntSLT, moved, self.words(TOP + SMALLEST - 1))
    }

    /// Lanes, given doubled, that are zero, denormal, infinite or NaNs.
    fn extreme(&self, y: V) -> V {
        let l = self.l;
        let moved = l.add(y, self.words(TOP.wrapping_sub(INFINITY)));
        l.icmp(IPred::LLVMIntSLT, moved, self.words(TOP.wrapping_sub(INFINITY).wrapping_add(SMALLEST)))
    }

    /// Lanes, given doubled, that are zero, denormal, the smallest normal number or NaNs.
    fn odd(&self, y: V) -> V {
        let l = self.l;
        let moved = l.add(y, self.words(TOP.wrapping_sub(SMALLEST + 1)));
        l.icmp(IPred::LLVMIntSGT, moved, self.words((INFINITY - SMALLEST - 1).wrapping_add(TOP)))
    }

    /// The lanes of a mask that the shape covers.
    fn covered(&self, shape: FShape, mask: V) -> V {
        let l = self.l;
        if shape == FShape::N4S {
            return mask;
        }
        let covered: Vec<V> = (0..4).map(|i| l.bool(i < 2)).collect();
        l.and(mask, l.const_vec(&covered))
    }

    /// Lanes that are denormal, the smallest normal number or NaNs.
    fn odd_but_zero(&self, x: V) -> V {
        let l = self.l;
        let y = self.doubled(x);
        l.and(self.odd(y), l.icmp(IPred::LLVMIntNE, y, l.zero(l.type_of(y))))
    }

    /// Goes on if no operand is denormal: those raise Input Denormal and count as zeros.
    fn no_denormals_or(&self, s: &Standard<'_>, x: &[V]) {
        let l = self.l;
        let unknown = x.iter().zip(s.args).filter(|&(_, &v)| !self.never_denormal(v));
        let found = unknown.map(|(&x, _)| self.denormal(self.doubled(x))).reduce(|a, b| l.or(a, b));
        if let Some(found) = found {
            self.unlikely_any(found, s.soft);
        }
    }

    /// True if the value is surely no denormal number in any lane: results of these operations are none.
    fn never_denormal(&self, v: Value) -> bool {
        match self.def(v) {
            Inst::Const { bits, .. } => (0..4).all(|lane| {
                let magnitude = (bits >> (32 * lane)) as u32 & 0x7fff_ffff;
                magnitude == 0 || magnitude >= 0x0080_0000
            }),
            Inst::Pure { op: PureOp::VLow64 | PureOp::FUn(FUn::Abs | FUn::Neg, _), args, .. } => {
                self.never_denormal(args[0])
            }
            Inst::Pure { op, .. } if op.standard_fpscr() => matches!(
                op,
                PureOp::F(..) | PureOp::FMulAdd(_) | PureOp::IntToF { .. } | PureOp::FRound { .. }
            ),
            _ => false,
        }
    }

    /// Before an operation that may underflow: if neither FTZ is on nor Inexact recorded, records it if MXCSR has it, or else
    /// keeps MXCSR where the evaluator's result will stand.
    fn note_inexact(&self) {
        let l = self.l;
        let word = l.int_ty(32);
        let at = self.field(offset_of!(GuestState, fpsr));
        let (note, keep, go) = (l.block(self.func, "note"), l.block(self.func, ""), l.block(self.func, ""));
        let fpsr = l.load(word, at);
        l.unlikely_br(l.icmp(IPred::LLVMIntEQ, l.and(fpsr, l.i32(FPSR_IXC)), l.i32(0)), note, go);
        l.at_end(note);
        l.cond_br(self.flushes(), go, keep);
        l.at_end(keep);
        let kept = self.field(offset_of!(GuestState, soft_result));
        l.asm_call("stmxcsr ($0)", "r,~{memory}", l.void_ty(), &[kept], &[]);
        // PE is IXC, a bit above.
        let inexact = l.and(l.lshr(l.load(word, kept), l.i32(1)), l.i32(FPSR_IXC));
        l.store(l.or(fpsr, inexact), at);
        l.br(go);
        l.at_end(go);
    }

    /// Behind that operation: goes on if no lane has underflowed or is a NaN. A zero is fine if one of the factors is.
    fn no_underflow_or(&self, soft: Bb, r: V, factors: [V; 2]) {
        let l = self.l;
        let (rough, undo, back, go) = (
            l.block(self.func, "rough"),
            l.block(self.func, "undo"),
            l.block(self.func, "undo"),
            l.block(self.func, ""),
        );
        let y = self.doubled(r);
        let odd = self.odd(y);
        l.unlikely_br(self.any_lane(odd, 4), rough, go);
        l.at_end(rough);
        let zero = |y: V| l.icmp(IPred::LLVMIntEQ, y, l.zero(l.type_of(y)));
        let factors = factors.map(|x| zero(self.doubled(x)));
        let fine = l.and(zero(y), l.or(factors[0], factors[1]));
        let bad = l.and(odd, l.not(fine));
        l.cond_br(self.any_lane(bad, 4), undo, go);
        l.at_end(undo);
        let word = l.int_ty(32);
        let load = |at: usize, mask: u32| l.and(l.load(word, self.field(at)), l.i32(mask));
        let seen =
            l.or(load(offset_of!(GuestState, fpcr), FPCR_FZ), load(offset_of!(GuestState, fpsr), FPSR_IXC));
        l.cond_br(l.icmp(IPred::LLVMIntEQ, seen, l.i32(0)), back, soft);
        l.at_end(back);
        let kept = self.field(offset_of!(GuestState, soft_result));
        l.asm_call("ldmxcsr ($0)", "r,~{memory}", l.void_ty(), &[kept], &[]);
        l.br(soft);
        l.at_end(go);
    }

    /// `addps` and the like, on whole vectors.
    fn packed(&self, name: &str, a: V, b: V, soft: Bb) -> V {
        self.in_place(&format!("{name}ps"), self.l.type_of(a), a, b, soft)
    }
}
