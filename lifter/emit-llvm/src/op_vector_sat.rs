//! Saturating vector operations, and whether a lane saturated.

use crate::function::Fx;
use crate::llvm::{IPred, V};
use ir::{Lane, PureOp, Type, VSat, Value};

/// A saturating operation's lanes: the result, and what it would be without saturation (or any pair that differs exactly
/// where a lane saturated).
struct Saturated {
    result: V,
    pair: (V, V),
}

impl Fx<'_, '_> {
    pub(crate) fn vec_sat(&mut self, op: PureOp, sat: VSat, lane: Lane, args: &[Value]) -> V {
        match self.saturated(sat, lane, args) {
            Some(s) => match sat {
                VSat::SQXtn | VSat::UQXtn | VSat::SQXtun => self.narrow_low(lane, s.result),
                VSat::SQAdd
                | VSat::UQAdd
                | VSat::SQSub
                | VSat::UQSub
                | VSat::SUQAdd
                | VSat::USQAdd
                | VSat::SQDMulH
                | VSat::SQRDMulH
                | VSat::SQShl
                | VSat::UQShl
                | VSat::SQRShl
                | VSat::UQRShl
                | VSat::SQShlu
                | VSat::SQAbs
                | VSat::SQNeg => self.flat(s.result),
            },
            None => self.soft_pure(op, Type::V128, args),
        }
    }

    pub(crate) fn vec_sat_qc(&mut self, op: PureOp, sat: VSat, lane: Lane, args: &[Value]) -> V {
        match self.saturated(sat, lane, args) {
            Some(s) => {
                let differ = self.l.icmp(IPred::LLVMIntNE, s.pair.0, s.pair.1);
                self.any_lane(differ, lane.count())
            }
            None => self.soft_pure(op, Type::I1, args),
        }
    }

    /// True if any of `n` i1 lanes is.
    pub(crate) fn any_lane(&self, mask: V, n: u32) -> V {
        let l = self.l;
        let bits = l.int_ty(n);
        l.icmp(IPred::LLVMIntNE, l.bitcast(mask, bits), l.zero(bits))
    }

    fn saturated(&self, sat: VSat, lane: Lane, args: &[Value]) -> Option<Saturated> {
        let l = self.l;
        let t = self.lane_ty(lane);
        let (a, b) = (self.lanes(lane, args[0]), self.lanes(lane, args[1]));
        let n = lane.bits() as u64;
        let c = |x: u64| self.lane_const(lane, x);
        let min = c(1 << (n - 1));
        let two = |name: &str, x: V, y: V| l.intrinsic(name, &[t], &[x, y]);
        let against = |result: V, plain: V| Some(Saturated { result, pair: (result, plain) });
        match sat {
            VSat::SQAdd => against(two("llvm.sadd.sat", a, b), l.add(a, b)),
            VSat::UQAdd => against(two("llvm.uadd.sat", a, b), l.add(a, b)),
            VSat::SQSub => against(two("llvm.ssub.sat", a, b), l.sub(a, b)),
            VSat::UQSub => against(two("llvm.usub.sat", a, b), l.sub(a, b)),
            VSat::SUQAdd => {
                // With the sign flipped, a is unsigned with its zero in the middle; the sum cannot be too small.
                against(l.xor(two("llvm.uadd.sat", l.xor(a, min), b), min), l.add(a, b))
            }
            VSat::USQAdd => {
                let negative = l.icmp(IPred::LLVMIntSLT, b, l.zero(t));
                let up = two("llvm.uadd.sat", a, b);
                let down = two("llvm.usub.sat", a, l.neg(b));
                against(l.select(negative, down, up), l.add(a, b))
            }
            VSat::SQDMulH | VSat::SQRDMulH => {
                if n >= 64 {
                    return None;
                }
                let wide = l.ivec_ty(2 * lane.bits(), lane.count());
                let wc = |x: u128| l.splat_const(lane.count(), l.int(l.int_ty(2 * lane.bits()), x));
                let p = l.mul(l.sext(a, wide), l.sext(b, wide));
                let p = if sat == VSat::SQRDMulH { l.add(p, wc(1 << (n - 2))) } else { p };
                let high = l.trunc(l.ashr(p, wc(n as u128 - 1)), t);
                // Only MIN × MIN is too large, and comes out as MIN; no other product gives MIN.
                let both = l.and(l.icmp(IPred::LLVMIntEQ, a, min), l.icmp(IPred::LLVMIntEQ, b, min));
                let result = l.select(both, c((1 << (n - 1)) - 1), high);
                Some(Saturated { result, pair: (result, high) })
            }
            VSat::SQAbs => {
                let negated = two("llvm.ssub.sat", l.zero(t), a);
                let result = two("llvm.smax", a, negated);
                against(result, l.intrinsic("llvm.abs", &[t], &[a, l.bool(false)]))
            }
            VSat::SQNeg => against(two("llvm.ssub.sat", l.zero(t), a), l.neg(a)),
            VSat::SQXtn => {
                let (lo, hi) = (c((1u64 << (n / 2 - 1)).wrapping_neg()), c((1 << (n / 2 - 1)) - 1));
                against(two("llvm.smin", two("llvm.smax", a, lo), hi), a)
            }
            VSat::UQXtn => against(two("llvm.umin", a, c((1 << (n / 2)) - 1)), a),
            VSat::SQXtun => {
                let positive = two("llvm.smax", a, l.zero(t));
                against(two("llvm.smin", positive, c((1 << (n / 2)) - 1)), a)
            }
            VSat::SQShl | VSat::UQShl | VSat::SQRShl | VSat::UQRShl | VSat::SQShlu => None,
        }
    }
}
