//! Advanced SIMD of AArch32, which computes under the standard FPSCR (flush-to-zero, default NaNs, rounding to nearest) whatever
//! mode scalars are in, and MXCSR with them. Takes operations of the shapes `n2s` and `n4s`, computes them in MXCSR's mode where
//! that makes no difference, and leaves the rest to the evaluator (docs/decisions/0031). Regions are without FPCR.FZ here.

use crate::emit::Fx;
use abi::GuestState;
use abi::flag::{FPCR_RMODE, FPSR_IXC};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{Block, InstBuilder, Value as V, types};
use ir::{FBin, FShape, PureOp, Round, Type, Value};
use std::mem::offset_of;

/// The sign of a lane, which turns unsigned comparisons into signed ones.
const TOP: u32 = 1 << 31;
/// Bits of the smallest normal number and of infinity, doubled, which drops the sign.
const SMALLEST: u32 = 2 * 0x0080_0000;
const INFINITY: u32 = 2 * 0x7f80_0000;

impl Fx<'_> {
    /// The operation's result; `None` if only the evaluator computes it.
    pub(crate) fn standard(&mut self, op: PureOp, shape: FShape, args: &[Value]) -> Option<V> {
        let to_int = shape == FShape::N4S;
        match op {
            PureOp::F(
                FBin::Add
                | FBin::Sub
                | FBin::Mul
                | FBin::AbsDiff
                | FBin::Max
                | FBin::Min
                | FBin::MaxNum
                | FBin::MinNum,
                _,
            )
            | PureOp::FCmp { .. } => {}
            PureOp::FMulAdd(_) if self.request.fma => {}
            PureOp::FToInt { signed: true, round: Round::Zero, fbits: 0, .. } if to_int => {}
            PureOp::IntToF { signed: true, fbits: 0, .. } if to_int => {}
            _ => return None,
        }
        let (soft, end) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(soft);
        self.b.append_block_param(end, types::I8X16);
        let v = self.native_standard(op, shape, args, soft);
        let v = self.result(shape, v);
        self.b.ins().jump(end, &[v.into()]);
        self.b.switch_to_block(soft);
        let v = self.soft(op, Type::V128, args);
        self.b.ins().jump(end, &[v.into()]);
        self.b.switch_to_block(end);
        Some(self.b.block_params(end)[0])
    }

    fn native_standard(&mut self, op: PureOp, shape: FShape, args: &[Value], soft: Block) -> V {
        if let PureOp::IntToF { .. } = op {
            self.nearest_or(soft);
            let v = self.lanes(shape.lane(), args[0]);
            return self.b.ins().fcvt_from_sint(types::F32X4, v);
        }
        let x: Vec<V> = args[..op.arity()].iter().map(|&v| self.operand(shape, v)).collect();
        let PureOp::F(f, _) = op else {
            let found = x.iter().map(|&x| self.denormal(x)).collect::<Vec<_>>();
            self.none_or(&found, soft);
            return match op {
                PureOp::FCmp { cmp, .. } => {
                    // What is compared may be raised or not: with a NaN the evaluator does it.
                    let nan = self.b.ins().fcmp(FloatCC::Unordered, x[0], x[1]);
                    self.none_or(&[nan], soft);
                    self.b.ins().fcmp(crate::float::relation(cmp), x[0], x[1])
                }
                PureOp::FMulAdd(_) => {
                    self.nearest_or(soft);
                    self.inexact_or(soft);
                    let r = self.b.ins().fma(x[0], x[1], x[2]);
                    self.no_underflow_or(soft, r, [x[0], x[1]]);
                    r
                }
                _ => {
                    let outside = self.too_large(shape, x[0]);
                    self.none_or(&[outside], soft);
                    self.b.ins().x86_cvtt2dq(types::I32X4, x[0])
                }
            };
        };
        match f {
            FBin::Max | FBin::Min | FBin::MaxNum | FBin::MinNum => {
                let found = x.iter().map(|&x| self.odd_but_zero(x)).collect::<Vec<_>>();
                self.none_or(&found, soft);
                self.extremum_of(matches!(f, FBin::Max | FBin::MaxNum), shape, x[0], x[1])
            }
            _ => {
                self.nearest_or(soft);
                let found = x.iter().map(|&x| self.denormal(x)).collect::<Vec<_>>();
                self.none_or(&found, soft);
                if f == FBin::Mul {
                    self.inexact_or(soft);
                    let r = self.b.ins().fmul(x[0], x[1]);
                    self.no_underflow_or(soft, r, [x[0], x[1]]);
                    return r;
                }
                let r = if f == FBin::Add {
                    self.b.ins().fadd(x[0], x[1])
                } else {
                    self.b.ins().fsub(x[0], x[1])
                };
                // Sums that are tiny are exact, so nothing was raised that is not to be.
                let odd = self.odd_but_zero(r);
                self.none_or(&[odd], soft);
                if f == FBin::AbsDiff { self.b.ins().fabs(r) } else { r }
            }
        }
    }

    /// Goes on if no lane of the masks is set.
    fn none_or(&mut self, masks: &[V], soft: Block) {
        let masks: Vec<V> = masks.iter().map(|&m| self.cast(types::I32X4, m)).collect();
        let mask = masks.into_iter().reduce(|a, b| self.b.ins().bor(a, b));
        let c = self.any(mask.expect("invariant: called with masks"));
        self.leave_if(c, soft);
    }

    fn leave_if(&mut self, c: V, soft: Block) {
        let on = self.b.create_block();
        self.b.ins().brif(c, soft, &[], on, &[]);
        self.b.switch_to_block(on);
    }

    /// Goes on if FPCR's rounding mode, which the host's follows, is to nearest.
    fn nearest_or(&mut self, soft: Block) {
        let fpcr = self.load_state(types::I32, offset_of!(GuestState, fpcr) as u32);
        let c = self.b.ins().band_imm(fpcr, i64::from(FPCR_RMODE));
        self.leave_if(c, soft);
    }

    /// Goes on if Inexact is recorded: the host raises it where Arm flushes to zero. The evaluator records it.
    fn inexact_or(&mut self, soft: Block) {
        let fpsr = self.load_state(types::I32, offset_of!(GuestState, fpsr) as u32);
        let fpsr = self.b.ins().band_imm(fpsr, i64::from(FPSR_IXC));
        let c = self.b.ins().icmp_imm(IntCC::Equal, fpsr, 0);
        self.leave_if(c, soft);
    }

    /// Lanes as integers, doubled: without sign.
    fn doubled(&mut self, v: V) -> V {
        let v = self.cast(types::I32X4, v);
        self.b.ins().iadd(v, v)
    }

    fn words(&mut self, x: u32) -> V {
        let v = self.splat_const(ir::Lane::S4, u64::from(x));
        self.cast(types::I32X4, v)
    }

    /// Lanes that are denormal.
    fn denormal(&mut self, v: V) -> V {
        let (y, move_by, limit) = (self.doubled(v), self.words(TOP - 1), self.words(TOP + SMALLEST - 1));
        let moved = self.b.ins().iadd(y, move_by);
        self.b.ins().icmp(IntCC::SignedLessThan, moved, limit)
    }

    /// Lanes, given doubled, that are zero, denormal, the smallest normal number or NaNs.
    fn odd(&mut self, y: V) -> V {
        let move_by = self.words(TOP.wrapping_sub(SMALLEST + 1));
        let limit = self.words((INFINITY - SMALLEST - 1).wrapping_add(TOP));
        let moved = self.b.ins().iadd(y, move_by);
        self.b.ins().icmp(IntCC::SignedGreaterThan, moved, limit)
    }

    fn zero(&mut self, y: V) -> V {
        let zero = self.words(0);
        self.b.ins().icmp(IntCC::Equal, y, zero)
    }

    fn odd_but_zero(&mut self, v: V) -> V {
        let y = self.doubled(v);
        let (odd, zero) = (self.odd(y), self.zero(y));
        self.b.ins().band_not(odd, zero)
    }

    /// Behind a product or a fused operation: goes on if no lane has underflowed or is a NaN. A zero is fine if one of the factors is.
    fn no_underflow_or(&mut self, soft: Block, r: V, factors: [V; 2]) {
        let y = self.doubled(r);
        let odd = self.odd(y);
        let c = self.any(odd);
        let (rough, go) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(rough);
        self.b.ins().brif(c, rough, &[], go, &[]);
        self.b.switch_to_block(rough);
        let [a, b] = factors.map(|x| {
            let y = self.doubled(x);
            self.zero(y)
        });
        let either = self.b.ins().bor(a, b);
        let zero = self.zero(y);
        let fine = self.b.ins().band(zero, either);
        let bad = self.b.ins().band_not(odd, fine);
        let c = self.any(bad);
        self.b.ins().brif(c, soft, &[], go, &[]);
        self.b.switch_to_block(go);
    }
}
