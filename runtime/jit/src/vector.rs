//! Integer vectors. What has no short host code goes to the evaluator. Takes lanes, gives lanes; vectors travel as bytes.

use crate::emit::Fx;
use crate::op::{condition, lane_type};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value as V, types};
use ir::{Lane, PureOp, VBin, VBit, VReduce, VSat, VShift, VUn, Value};

impl Fx<'_> {
    /// A vector operand as lanes.
    pub(crate) fn lanes(&mut self, lane: Lane, v: Value) -> V {
        let v = self.value(v);
        self.cast(lane_type(lane), v)
    }

    /// The constant in every lane.
    pub(crate) fn splat_const(&mut self, lane: Lane, k: u64) -> V {
        let bits = lane.bits();
        let one = (k & (u64::MAX >> (64 - bits))) as u128;
        let all = (0..lane.count()).fold(0u128, |v, n| v | one << (n * bits));
        let v = self.vconst(all);
        self.cast(lane_type(lane), v)
    }

    /// Bytes of two vectors; an index from 32 on gives zero.
    pub(crate) fn pick(&mut self, sel: [u8; 16], a: V, b: V) -> V {
        let zeros = sel.iter().any(|&s| s >= 32);
        let second = sel.iter().any(|&s| (16..32).contains(&s));
        let shuffle = |fx: &mut Self, a: V, b: V, sel: [u8; 16]| {
            let mask = fx.b.func.dfg.immediates.push(sel.to_vec().into());
            fx.b.ins().shuffle(a, b, mask)
        };
        if !zeros {
            return shuffle(self, a, b, sel);
        }
        let zero = self.vconst(0);
        if !second {
            return shuffle(self, a, zero, sel.map(|s| if s < 16 { s } else { 16 }));
        }
        if sel.iter().all(|&s| s >= 16) {
            return shuffle(self, b, zero, sel.map(|s| if s < 32 { s - 16 } else { 16 }));
        }
        let both = shuffle(self, a, b, sel.map(|s| if s < 32 { s } else { 0 }));
        let keep = sel.iter().rev().fold(0u128, |m, &s| m << 8 | if s < 32 { 0xff } else { 0 });
        let keep = self.vconst(keep);
        self.b.ins().band(both, keep)
    }

    /// The low 64 bits, zero above.
    pub(crate) fn low64(&mut self, v: V) -> V {
        let v = self.cast(types::F64X2, v);
        let x = self.b.ins().extractlane(v, 0);
        let v = self.b.ins().scalar_to_vector(types::F64X2, x);
        self.flat(v)
    }

    pub(crate) fn vector(&mut self, op: PureOp, args: &[Value]) -> Option<V> {
        let v = match op {
            PureOp::VSplat(lane) => {
                let x = self.value(args[0]);
                self.b.ins().splat(lane_type(lane), x)
            }
            PureOp::VExtract(lane, n) => {
                let v = self.lanes(lane, args[0]);
                return Some(self.b.ins().extractlane(v, n));
            }
            PureOp::VInsert(lane, n) => {
                let (v, x) = (self.lanes(lane, args[0]), self.value(args[1]));
                self.b.ins().insertlane(v, x, n)
            }
            PureOp::V(op, lane) => self.vec_bin(op, lane, args)?,
            PureOp::VBit(op) => {
                let (a, b) = (self.value(args[0]), self.value(args[1]));
                match op {
                    VBit::And => self.b.ins().band(a, b),
                    VBit::Or => self.b.ins().bor(a, b),
                    VBit::Xor => self.b.ins().bxor(a, b),
                    VBit::AndNot => self.b.ins().band_not(a, b),
                    VBit::OrNot => {
                        let not = self.b.ins().bnot(b);
                        self.b.ins().bor(a, not)
                    }
                }
            }
            PureOp::VUn(op, lane) => {
                let v = self.lanes(lane, args[0]);
                match op {
                    VUn::Neg => self.b.ins().ineg(v),
                    VUn::Abs => self.b.ins().iabs(v),
                    VUn::Not => self.b.ins().bnot(v),
                    VUn::Popcnt => self.b.ins().popcnt(v),
                    VUn::Rbit => self.reverse_bits(v),
                    VUn::Clz | VUn::Cls | VUn::RecipEst | VUn::RsqrtEst => return None,
                }
            }
            PureOp::VCmp(op, lane) => {
                let (a, b) = (self.lanes(lane, args[0]), self.lanes(lane, args[1]));
                self.b.ins().icmp(condition(op), a, b)
            }
            PureOp::VBitSelect => {
                let (m, a, b) = (self.value(args[0]), self.value(args[1]), self.value(args[2]));
                let x = self.b.ins().band(m, a);
                let y = self.b.ins().band_not(b, m);
                self.b.ins().bor(x, y)
            }
            PureOp::VShiftImm(op, lane, n) => self.vec_shift(op, lane, n as u32, args[0]),
            PureOp::VShuffle(sel) => {
                let (a, b) = (self.value(args[0]), self.value(args[1]));
                self.pick(sel, a, b)
            }
            PureOp::VLookup => {
                let (table, index) = (self.value(args[0]), self.value(args[1]));
                self.b.ins().swizzle(table, index)
            }
            PureOp::VWiden { lane, signed, high } => {
                if lane == Lane::D2 {
                    return None;
                }
                let v = self.lanes(lane, args[0]);
                match (signed, high) {
                    (true, true) => self.b.ins().swiden_high(v),
                    (true, false) => self.b.ins().swiden_low(v),
                    (false, true) => self.b.ins().uwiden_high(v),
                    (false, false) => self.b.ins().uwiden_low(v),
                }
            }
            PureOp::VNarrow(lane) => {
                let v = self.value(args[0]);
                self.narrow(lane, v)
            }
            PureOp::VSat(op, lane) => self.vec_sat(op, lane, args)?,
            PureOp::VSatQc(op, lane) => return self.vec_sat_qc(op, lane, args),
            PureOp::VReduce(op, lane) => return self.vec_reduce(op, lane, args[0]),
            PureOp::VLow64 => {
                let v = self.value(args[0]);
                self.low64(v)
            }
            _ => return None,
        };
        Some(self.flat(v))
    }

    /// Low half of each lane in the low 64 bits, zero above.
    fn narrow(&mut self, lane: Lane, v: V) -> V {
        let bytes = (lane.bits() / 8) as u8;
        let half = bytes / 2;
        let mut sel = [32u8; 16];
        for (i, s) in sel[..8].iter_mut().enumerate() {
            *s = i as u8 / half * bytes + i as u8 % half;
        }
        self.pick(sel, v, v)
    }

    fn shift_const(&mut self, op: VShift, v: V, n: u32) -> V {
        let n = self.iconst(types::I32, n as u64);
        match op {
            VShift::Shl => self.b.ins().ishl(v, n),
            VShift::UShr | VShift::URShr => self.b.ins().ushr(v, n),
            VShift::SShr | VShift::SRShr => self.b.ins().sshr(v, n),
        }
    }

    fn vec_shift(&mut self, op: VShift, lane: Lane, n: u32, arg: Value) -> V {
        let v = self.lanes(lane, arg);
        let bits = lane.bits();
        let simple = |fx: &mut Self, op: VShift, n: u32| match op {
            VShift::Shl | VShift::UShr | VShift::URShr if n >= bits => fx.vconst_lanes(lane, 0),
            VShift::SShr | VShift::SRShr => fx.shift_const(op, v, n.min(bits - 1)),
            _ => fx.shift_const(op, v, n),
        };
        match op {
            _ if n == 0 => v,
            VShift::Shl | VShift::UShr | VShift::SShr => simple(self, op, n),
            VShift::URShr | VShift::SRShr => {
                let whole = simple(self, op, n);
                let last = simple(self, op, n - 1);
                let one = self.splat_const(lane, 1);
                let last = self.b.ins().band(last, one);
                self.b.ins().iadd(whole, last)
            }
        }
    }

    fn vconst_lanes(&mut self, lane: Lane, bits: u128) -> V {
        let v = self.vconst(bits);
        self.cast(lane_type(lane), v)
    }

    fn vec_bin(&mut self, op: VBin, lane: Lane, args: &[Value]) -> Option<V> {
        let (a, b) = (self.lanes(lane, args[0]), self.lanes(lane, args[1]));
        Some(match op {
            VBin::Add => self.b.ins().iadd(a, b),
            VBin::Sub => self.b.ins().isub(a, b),
            VBin::Mul if lane != Lane::B16 => self.b.ins().imul(a, b),
            VBin::Mul => {
                // Odd and even bytes as 16-bit lanes.
                let even = |fx: &mut Self, v: V| fx.cast(types::I16X8, v);
                let (x, y) = (even(self, a), even(self, b));
                let low = self.b.ins().imul(x, y);
                let (x, y) = (self.shift_const(VShift::UShr, x, 8), self.shift_const(VShift::UShr, y, 8));
                let high = self.b.ins().imul(x, y);
                let high = self.shift_const(VShift::Shl, high, 8);
                let mask = self.splat_const(Lane::H8, 0xff);
                let low = self.b.ins().band(low, mask);
                self.b.ins().bor(low, high)
            }
            VBin::SMin | VBin::SMax | VBin::UMin | VBin::UMax => self.extremum(op, lane, a, b),
            VBin::URHAdd if matches!(lane, Lane::B16 | Lane::H8) => self.b.ins().avg_round(a, b),
            VBin::SHAdd | VBin::UHAdd | VBin::SRHAdd | VBin::URHAdd => {
                // Halved sums from common and differing bits, without a wider type.
                let signed = matches!(op, VBin::SHAdd | VBin::SRHAdd);
                let shift = if signed { VShift::SShr } else { VShift::UShr };
                let x = self.b.ins().bxor(a, b);
                let x = self.shift_const(shift, x, 1);
                if matches!(op, VBin::SHAdd | VBin::UHAdd) {
                    let both = self.b.ins().band(a, b);
                    self.b.ins().iadd(both, x)
                } else {
                    let any = self.b.ins().bor(a, b);
                    self.b.ins().isub(any, x)
                }
            }
            VBin::SHSub | VBin::UHSub => {
                let shift = if op == VBin::SHSub { VShift::SShr } else { VShift::UShr };
                let x = self.b.ins().bxor(a, b);
                let x = self.shift_const(shift, x, 1);
                let y = self.b.ins().band_not(b, a);
                self.b.ins().isub(x, y)
            }
            VBin::SAbsDiff | VBin::UAbsDiff => {
                let (max, min) = match op {
                    VBin::SAbsDiff => (VBin::SMax, VBin::SMin),
                    _ => (VBin::UMax, VBin::UMin),
                };
                let high = self.extremum(max, lane, a, b);
                let low = self.extremum(min, lane, a, b);
                self.b.ins().isub(high, low)
            }
            VBin::PMul | VBin::SShl | VBin::UShl | VBin::SRShl | VBin::URShl => return None,
        })
    }

    fn extremum(&mut self, op: VBin, lane: Lane, a: V, b: V) -> V {
        if lane != Lane::D2 {
            return match op {
                VBin::SMin => self.b.ins().smin(a, b),
                VBin::SMax => self.b.ins().smax(a, b),
                VBin::UMin => self.b.ins().umin(a, b),
                _ => self.b.ins().umax(a, b),
            };
        }
        let cc = match op {
            VBin::SMin => IntCC::SignedLessThan,
            VBin::SMax => IntCC::SignedGreaterThan,
            VBin::UMin => IntCC::UnsignedLessThan,
            _ => IntCC::UnsignedGreaterThan,
        };
        let c = self.b.ins().icmp(cc, a, b);
        let x = self.b.ins().band(c, a);
        let y = self.b.ins().band_not(b, c);
        self.b.ins().bor(x, y)
    }

    /// Bits of each byte, reversed.
    fn reverse_bits(&mut self, v: V) -> V {
        let table: [u8; 16] = std::array::from_fn(|i| (i as u8).reverse_bits());
        let low_table = self.vconst(u128::from_le_bytes(table));
        let high_table = self.vconst(u128::from_le_bytes(table.map(|x| x >> 4)));
        let mask = self.splat_const(Lane::B16, 15);
        let low = self.b.ins().band(v, mask);
        let high = self.shift_const(VShift::UShr, v, 4);
        let low = self.b.ins().swizzle(low_table, low);
        let high = self.b.ins().swizzle(high_table, high);
        self.b.ins().bor(low, high)
    }

    fn vec_sat(&mut self, op: VSat, lane: Lane, args: &[Value]) -> Option<V> {
        if !matches!(lane, Lane::B16 | Lane::H8) {
            return None;
        }
        let (a, b) = (self.lanes(lane, args[0]), self.lanes(lane, args[1]));
        Some(match op {
            VSat::SQAdd => self.b.ins().sadd_sat(a, b),
            VSat::UQAdd => self.b.ins().uadd_sat(a, b),
            VSat::SQSub => self.b.ins().ssub_sat(a, b),
            VSat::UQSub => self.b.ins().usub_sat(a, b),
            _ => return None,
        })
    }

    /// Whether the saturated result differs from the wrapped one anywhere.
    fn vec_sat_qc(&mut self, op: VSat, lane: Lane, args: &[Value]) -> Option<V> {
        let saturated = self.vec_sat(op, lane, args)?;
        let (a, b) = (self.lanes(lane, args[0]), self.lanes(lane, args[1]));
        let wrapped = match op {
            VSat::SQAdd | VSat::UQAdd => self.b.ins().iadd(a, b),
            _ => self.b.ins().isub(a, b),
        };
        let differ = self.b.ins().bxor(saturated, wrapped);
        let differ = self.flat(differ);
        Some(self.b.ins().vany_true(differ))
    }

    fn vec_reduce(&mut self, op: VReduce, lane: Lane, arg: Value) -> Option<V> {
        let mut v = self.lanes(lane, arg);
        let mut bytes = 8u8;
        while bytes as u32 * 8 >= lane.bits() {
            let flat = self.flat(v);
            let sel = std::array::from_fn(|i| (i as u8 + bytes) % 16);
            let moved = self.pick(sel, flat, flat);
            let moved = self.cast(lane_type(lane), moved);
            v = match op {
                VReduce::Add => self.b.ins().iadd(v, moved),
                VReduce::SMin => self.extremum(VBin::SMin, lane, v, moved),
                VReduce::SMax => self.extremum(VBin::SMax, lane, v, moved),
                VReduce::UMin => self.extremum(VBin::UMin, lane, v, moved),
                VReduce::UMax => self.extremum(VBin::UMax, lane, v, moved),
            };
            bytes /= 2;
        }
        Some(self.b.ins().extractlane(v, 0))
    }
}
