//! Integer vector operations on LLVM's vectors, which SSE4.2 has instructions for or which expand well.

use crate::function::Fx;
use crate::llvm::{IPred, V};
use ir::{Inst, Lane, PureOp, Type, VBin, VBit, VReduce, VShift, VUn, Value};

impl Fx<'_, '_> {
    /// A constant in every lane.
    pub(crate) fn lane_const(&self, lane: Lane, x: u64) -> V {
        let v = self.l.int(self.l.int_ty(lane.bits()), x as u128);
        self.l.splat_const(lane.count(), v)
    }

    /// A scalar in every lane.
    pub(crate) fn splat(&self, lane: Lane, v: V) -> V {
        let l = self.l;
        let one = l.insert(l.poison(self.lane_ty(lane)), v, 0);
        self.flat(l.shuffle(one, l.poison(self.lane_ty(lane)), &vec![0; lane.count() as usize]))
    }

    /// Lower or upper half of the lanes.
    pub(crate) fn half(&self, lane: Lane, v: Value, high: bool) -> V {
        let v = self.lanes(lane, v);
        let n = lane.count() / 2;
        let first = if high { n } else { 0 };
        let pick: Vec<u32> = (first..first + n).collect();
        self.l.shuffle(v, self.l.poison(self.lane_ty(lane)), &pick)
    }

    /// Low half of each lane in the low 64 bits, zero above.
    pub(crate) fn narrow_low(&self, lane: Lane, v: V) -> V {
        let l = self.l;
        let n = lane.count();
        let half = l.ivec_ty(lane.bits() / 2, n);
        let narrow = l.trunc(v, half);
        let pick: Vec<u32> = (0..2 * n).collect();
        self.flat(l.shuffle(narrow, l.zero(half), &pick))
    }

    /// `v`, which is `value`, without what LLVM could know of it, if it is a scalar widened in a lane. Of products with lanes that it
    /// knows to be zero LLVM 19 makes `vpmaddwd`, for processors with AVX-512 with operands that are both undefined in
    /// halves of those lanes.
    fn hidden_scalar(&self, value: Value, v: V) -> V {
        match *self.def(value) {
            Inst::Pure { op: PureOp::VWiden { .. }, args: [a, ..], .. }
                if matches!(self.def(a), Inst::Pure { op: PureOp::VFromScalar, .. }) =>
            {
                self.hide(v)
            }
            _ => v,
        }
    }

    pub(crate) fn vec_bin(&mut self, op: PureOp, v: VBin, lane: Lane, args: &[Value]) -> V {
        let l = self.l;
        if let Some(r) = self.difference_of_widened(v, lane, args) {
            return r;
        }
        let (a, b) = (self.lanes(lane, args[0]), self.lanes(lane, args[1]));
        let t = self.lane_ty(lane);
        let one = self.lane_const(lane, 1);
        let r = match v {
            VBin::Add => l.add(a, b),
            VBin::Sub => l.sub(a, b),
            VBin::Mul => l.mul(self.hidden_scalar(args[0], a), self.hidden_scalar(args[1], b)),
            VBin::PMul => self.polynomial(a, b, lane.bits(), lane.bits()),
            VBin::SMin => l.intrinsic("llvm.smin", &[t], &[a, b]),
            VBin::SMax => l.intrinsic("llvm.smax", &[t], &[a, b]),
            VBin::UMin => l.intrinsic("llvm.umin", &[t], &[a, b]),
            VBin::UMax => l.intrinsic("llvm.umax", &[t], &[a, b]),
            // Halved sums from common and differing bits, without a wider type.
            VBin::SHAdd => l.add(l.and(a, b), l.ashr(l.xor(a, b), one)),
            VBin::UHAdd => l.add(l.and(a, b), l.lshr(l.xor(a, b), one)),
            VBin::SRHAdd => l.sub(l.or(a, b), l.ashr(l.xor(a, b), one)),
            VBin::URHAdd => l.sub(l.or(a, b), l.lshr(l.xor(a, b), one)),
            VBin::SHSub => l.sub(l.ashr(l.xor(a, b), one), l.and(l.not(a), b)),
            VBin::UHSub => l.sub(l.lshr(l.xor(a, b), one), l.and(l.not(a), b)),
            VBin::SAbsDiff | VBin::UAbsDiff => self.difference(v == VBin::SAbsDiff, a, b),
            VBin::SShl | VBin::UShl | VBin::SRShl | VBin::URShl => {
                let signed = matches!(v, VBin::SShl | VBin::SRShl);
                let round = matches!(v, VBin::SRShl | VBin::URShl);
                self.lane_shift(lane, a, b, signed, round)
            }
        };
        let _ = op;
        self.flat(r)
    }

    /// Lanes' absolute differences, unsigned.
    fn difference(&self, signed: bool, a: V, b: V) -> V {
        let l = self.l;
        let t = l.type_of(a);
        let (max, min) = if signed { ("llvm.smax", "llvm.smin") } else { ("llvm.umax", "llvm.umin") };
        l.sub(l.intrinsic(max, &[t], &[a, b]), l.intrinsic(min, &[t], &[a, b]))
    }

    /// Absolute differences of widened lanes (SABDL, UABAL and the like) are those of the narrow lanes, widened: the work on
    /// the narrow ones is the same for both halves.
    fn difference_of_widened(&self, v: VBin, lane: Lane, args: &[Value]) -> Option<V> {
        if !matches!(v, VBin::SAbsDiff | VBin::UAbsDiff) {
            return None;
        }
        let widened = |v: Value| match *self.def(v) {
            Inst::Pure { op: PureOp::VWiden { lane, signed, high }, args, .. } => {
                Some((lane, signed, high, args[0]))
            }
            _ => None,
        };
        let ((narrow, signed, high, a), (other, also_signed, also_high, b)) =
            (widened(args[0])?, widened(args[1])?);
        let alike = (narrow, signed, high) == (other, also_signed, also_high);
        if !alike || narrow.wider() != Some(lane) || signed != (v == VBin::SAbsDiff) {
            return None;
        }
        let l = self.l;
        let r = self.difference(signed, self.lanes(narrow, a), self.lanes(narrow, b));
        let n = narrow.count() / 2;
        let first = if high { n } else { 0 };
        let pick: Vec<u32> = (first..first + n).collect();
        let half = l.shuffle(r, l.poison(self.lane_ty(narrow)), &pick);
        Some(self.flat(l.zext(half, self.lane_ty(lane))))
    }

    /// Shift of each lane by the signed low byte of `b`'s lane: left if positive, right if negative.
    fn lane_shift(&self, lane: Lane, a: V, b: V, signed: bool, round: bool) -> V {
        let l = self.l;
        let t = self.lane_ty(lane);
        let n = lane.bits() as u64;
        let c = |x: u64| self.lane_const(lane, x);
        let amount = if n == 8 { b } else { l.ashr(l.shl(b, c(n - 8)), c(n - 8)) };
        let mask = c(n - 1);
        let left = match lane {
            Lane::H8 => l.mul(a, self.power_of_two(lane, b)),
            Lane::S4 if !self.unit.features.avx2 => l.mul(a, self.power_of_two(lane, b)),
            Lane::B16 | Lane::S4 | Lane::D2 => {
                let left = l.shl(a, l.and(amount, mask));
                l.select(l.icmp(IPred::LLVMIntULT, amount, c(n)), left, l.zero(t))
            }
        };
        let right_by = l.neg(amount);
        let clamp = |x: V| l.intrinsic("llvm.umin", &[t], &[x, mask]);
        let right = if round {
            // All bits but the last one shifted out, then the last one rounds.
            let before = l.sub(right_by, c(1));
            let x = if signed { l.ashr(a, clamp(before)) } else { l.lshr(a, clamp(before)) };
            let half = if signed { l.ashr(x, c(1)) } else { l.lshr(x, c(1)) };
            let r = l.add(half, l.and(x, c(1)));
            if signed { r } else { l.select(l.icmp(IPred::LLVMIntULT, before, c(n)), r, l.zero(t)) }
        } else if signed {
            l.ashr(a, clamp(right_by))
        } else {
            let r = l.lshr(a, clamp(right_by));
            l.select(l.icmp(IPred::LLVMIntULT, right_by, c(n)), r, l.zero(t))
        };
        l.select(l.icmp(IPred::LLVMIntSLT, amount, l.zero(t)), right, left)
    }

    /// 2 to the power of each lane's low byte, 0 where that is not below the lane's width. Before AVX2, LLVM makes this
    /// for a shift of 16- or 32-bit lanes by converting floats to integers, which raises Invalid Operation for 2^31.
    fn power_of_two(&self, lane: Lane, b: V) -> V {
        let l = self.l;
        let (bytes, byte, width) = (self.lane_ty(Lane::B16), l.int_ty(8), lane.bits() / 8);
        let b = l.bitcast(b, bytes);
        let spread: Vec<u32> = (0..16).map(|i| i / width * width).collect();
        let first: Vec<V> = (0..16).map(|i| l.int(byte, u128::from(i % width * 8))).collect();
        let bit: Vec<V> = (0..16).map(|i| l.int(byte, if i < 8 { 1 << i } else { 0 })).collect();
        // Which of its bits each byte has; from 16 on, and below 0, `pshufb` is to give zero for bit 7.
        let index = l.sub(l.shuffle(b, l.poison(bytes), &spread), l.const_vec(&first));
        let index = l.intrinsic("llvm.uadd.sat", &[bytes], &[index, self.lane_const(Lane::B16, 0x70)]);
        let power = l.intrinsic("llvm.x86.ssse3.pshuf.b.128", &[], &[l.const_vec(&bit), index]);
        l.bitcast(power, self.lane_ty(lane))
    }

    pub(crate) fn vec_bit(&mut self, op: VBit, args: &[Value]) -> V {
        let l = self.l;
        let (a, b) = (self.value(args[0]), self.value(args[1]));
        match op {
            VBit::And => l.and(a, b),
            VBit::Or => l.or(a, b),
            VBit::Xor => l.xor(a, b),
            VBit::AndNot => l.and(a, l.not(b)),
            VBit::OrNot => l.or(a, l.not(b)),
        }
    }

    pub(crate) fn vec_un(&mut self, op: PureOp, v: VUn, lane: Lane, args: &[Value]) -> V {
        let l = self.l;
        let a = self.lanes(lane, args[0]);
        let t = self.lane_ty(lane);
        let r = match v {
            VUn::Neg => l.neg(a),
            VUn::Abs => l.intrinsic("llvm.abs", &[t], &[a, l.bool(false)]),
            VUn::Not => l.not(a),
            VUn::Clz => l.intrinsic("llvm.ctlz", &[t], &[a, l.bool(false)]),
            VUn::Cls => {
                let sign = l.ashr(a, self.lane_const(lane, lane.bits() as u64 - 1));
                let n = l.intrinsic("llvm.ctlz", &[t], &[l.xor(a, sign), l.bool(false)]);
                l.sub(n, self.lane_const(lane, 1))
            }
            VUn::Popcnt => l.intrinsic("llvm.ctpop", &[t], &[a]),
            VUn::Rbit => l.intrinsic("llvm.bitreverse", &[t], &[a]),
            VUn::RecipEst | VUn::RsqrtEst => return self.soft_pure(op, Type::V128, args),
        };
        self.flat(r)
    }

    pub(crate) fn vec_shift_imm(&mut self, op: VShift, lane: Lane, n: u32, arg: Value) -> V {
        let l = self.l;
        let a = self.lanes(lane, arg);
        let bits = lane.bits();
        let c = |x: u32| self.lane_const(lane, x as u64);
        let zero = l.zero(self.lane_ty(lane));
        let logical = |x: V, n: u32| if n >= bits { zero } else { l.lshr(x, c(n)) };
        let arithmetic = |x: V, n: u32| l.ashr(x, c(n.min(bits - 1)));
        let round_bit = |x: V| l.and(x, c(1));
        let r = match op {
            VShift::Shl if n >= bits => zero,
            VShift::Shl => l.shl(a, c(n)),
            VShift::UShr => logical(a, n),
            VShift::SShr => arithmetic(a, n),
            VShift::URShr if n == 0 => a,
            VShift::SRShr if n == 0 => a,
            VShift::URShr => l.add(logical(a, n), round_bit(logical(a, n - 1))),
            VShift::SRShr => l.add(arithmetic(a, n), round_bit(arithmetic(a, n - 1))),
        };
        self.flat(r)
    }

    pub(crate) fn vec_shuffle(&mut self, sel: [u8; 16], args: &[Value]) -> V {
        let l = self.l;
        let (a, b) = (self.lanes(Lane::B16, args[0]), self.lanes(Lane::B16, args[1]));
        let zero = l.zero(self.lane_ty(Lane::B16));
        let pick = |f: &dyn Fn(u8) -> u32| sel.iter().map(|&s| f(s)).collect::<Vec<u32>>();
        let (uses_a, uses_b, uses_zero) = (
            sel.iter().any(|&s| s < 16),
            sel.iter().any(|&s| (16..32).contains(&s)),
            sel.iter().any(|&s| s >= 32),
        );
        let r = match (uses_a, uses_b, uses_zero) {
            (_, _, false) => l.shuffle(a, b, &pick(&|s| s as u32)),
            (_, false, true) => l.shuffle(a, zero, &pick(&|s| if s < 16 { s as u32 } else { 16 })),
            (false, true, true) => {
                l.shuffle(b, zero, &pick(&|s| if (16..32).contains(&s) { s as u32 - 16 } else { 16 }))
            }
            (true, true, true) => {
                let both = l.shuffle(a, b, &pick(&|s| if s < 32 { s as u32 } else { 0 }));
                l.shuffle(
                    both,
                    zero,
                    &sel.iter()
                        .enumerate()
                        .map(|(i, &s)| if s < 32 { i as u32 } else { 16 })
                        .collect::<Vec<u32>>(),
                )
            }
        };
        self.flat(r)
    }

    pub(crate) fn vec_lookup(&mut self, args: &[Value]) -> V {
        let l = self.l;
        let t = self.lane_ty(Lane::B16);
        let (table, index) = (self.lanes(Lane::B16, args[0]), self.lanes(Lane::B16, args[1]));
        // `pshufb` gives zero where bit 7 is set: adding 0x70 with saturation sets it from 16 on.
        let index = l.intrinsic("llvm.uadd.sat", &[t], &[index, self.lane_const(Lane::B16, 0x70)]);
        self.flat(l.intrinsic("llvm.x86.ssse3.pshuf.b.128", &[], &[table, index]))
    }

    pub(crate) fn vec_reduce(&mut self, op: VReduce, lane: Lane, arg: Value) -> V {
        let name = match op {
            VReduce::Add => "llvm.vector.reduce.add",
            VReduce::SMin => "llvm.vector.reduce.smin",
            VReduce::SMax => "llvm.vector.reduce.smax",
            VReduce::UMin => "llvm.vector.reduce.umin",
            VReduce::UMax => "llvm.vector.reduce.umax",
        };
        self.l.intrinsic(name, &[self.lane_ty(lane)], &[self.lanes(lane, arg)])
    }

    pub(crate) fn vec_pmull8(&mut self, high: bool, args: &[Value]) -> V {
        let l = self.l;
        let wide = self.lane_ty(Lane::H8);
        let a = l.zext(self.half(Lane::B16, args[0], high), wide);
        let b = l.zext(self.half(Lane::B16, args[1], high), wide);
        self.flat(self.polynomial(a, b, 8, 16))
    }

    /// Carry-less product of lanes of `bits` bits: one addend per bit of `b`, of which there are `n`.
    fn polynomial(&self, a: V, b: V, n: u32, bits: u32) -> V {
        let l = self.l;
        let lane = Lane::of_bits(bits);
        let c = |x: u32| self.lane_const(lane, x as u64);
        let mut r = l.zero(self.lane_ty(lane));
        for i in 0..n {
            // The bit, spread over the lane.
            let spread = l.ashr(l.shl(b, c(bits - 1 - i)), c(bits - 1));
            r = l.xor(r, l.and(l.shl(a, c(i)), spread));
        }
        r
    }
}
