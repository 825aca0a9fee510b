//! Flags and conditions. Takes the operands of what sets the flags, gives the four flag writes; takes a condition code,
//! gives one i1. A condition whose flags were set in the same run becomes one comparison of the original operands,
//! because LLVM does not recover `jle` from `z | (n ^ v)`. The flags have the same places in all register files.

use crate::a64::reg;
use crate::cx::Cx;
use ir::{FCmp, FShape, IntCmp, PureOp, Type, Value};

/// A comparison that sets all four flags.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Compare {
    /// SUBS: a, b, a − b.
    Sub(Value, Value, Value),
    /// ANDS, BICS: the result; C = V = 0.
    Logic(Value),
    /// AArch32's logical and shift instructions: the result, whose N and Z are meant; C and V are what the flags say.
    Result(Value),
    /// AArch32's CMP of the lower and SBCS of the upper words: the i64 values whose comparison N, C and V are. Z is not.
    Wide(Value, Value),
    /// FCMP, FCMPE (signaling).
    Fp(Value, Value, FShape, bool),
}

/// What set the flags last in a run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FlagSource {
    /// The comparison.
    pub compare: Compare,
    /// CCMP and its like: the comparison counts only if this i1 holds, else the flags are the given NZCV.
    pub guard: Option<(Value, u32)>,
}

/// True if condition `cond` (0–15) holds for the flags `nzcv` (N is bit 3).
pub const fn holds(cond: u32, nzcv: u32) -> bool {
    let (n, z, c, v) = (nzcv & 8 != 0, nzcv & 4 != 0, nzcv & 2 != 0, nzcv & 1 != 0);
    let base = match cond >> 1 {
        0 => z,
        1 => c,
        2 => n,
        3 => v,
        4 => c && !z,
        5 => n == v,
        6 => n == v && !z,
        _ => return true,
    };
    base != (cond & 1 != 0)
}

impl Cx<'_, '_> {
    /// The i1 value of condition `cond` (EQ = 0 … LE = 13; 14 and 15 are always true).
    pub fn condition(&mut self, cond: u32) -> Value {
        if cond >= 14 {
            return self.b.i1(true);
        }
        let fused = match *self.flags {
            Some(source) => self
                .fused(source.compare, cond)
                .map(|v| self.guarded(source.guard, v, holds(cond, nzcv(source)))),
            None => None,
        };
        match fused {
            Some(v) => v,
            None => self.read_flags(cond),
        }
    }

    /// The condition as one operation on the operands of `compare`; `None` where the flag itself is the best there is.
    fn fused(&mut self, compare: Compare, cond: u32) -> Option<Value> {
        match compare {
            Compare::Sub(a, b, result) => {
                let op = match cond {
                    0 => IntCmp::Eq,
                    1 => IntCmp::Ne,
                    2 => IntCmp::Uge,
                    3 => IntCmp::Ult,
                    4 => return Some(self.with_zero(IntCmp::Slt, result)),
                    5 => return Some(self.with_zero(IntCmp::Sge, result)),
                    8 => IntCmp::Ugt,
                    9 => IntCmp::Ule,
                    10 => IntCmp::Sge,
                    11 => IntCmp::Slt,
                    12 => IntCmp::Sgt,
                    13 => IntCmp::Sle,
                    _ => return None,
                };
                Some(self.b.cmp(op, a, b))
            }
            Compare::Logic(result) => Some(match cond {
                0 => self.with_zero(IntCmp::Eq, result),
                1 => self.with_zero(IntCmp::Ne, result),
                4 | 11 => self.with_zero(IntCmp::Slt, result),
                5 | 10 => self.with_zero(IntCmp::Sge, result),
                12 => self.with_zero(IntCmp::Sgt, result),
                13 => self.with_zero(IntCmp::Sle, result),
                // C = V = 0: CS, VS and HI never hold; CC, VC and LS always do.
                2 | 6 | 8 => self.b.i1(false),
                _ => self.b.i1(true),
            }),
            Compare::Result(result) => Some(match cond {
                0 => self.with_zero(IntCmp::Eq, result),
                1 => self.with_zero(IntCmp::Ne, result),
                4 => self.with_zero(IntCmp::Slt, result),
                5 => self.with_zero(IntCmp::Sge, result),
                _ => return None,
            }),
            Compare::Wide(a, b) => {
                let op = match cond {
                    2 => IntCmp::Uge,
                    3 => IntCmp::Ult,
                    10 => IntCmp::Sge,
                    11 => IntCmp::Slt,
                    _ => return None,
                };
                Some(self.b.cmp(op, a, b))
            }
            Compare::Fp(a, b, shape, signaling) => {
                // Less: N. Equal: Z, C. Greater: C. Unordered: C, V.
                let (cmp, negate) = match cond {
                    0 => (FCmp::Eq, false),
                    1 => (FCmp::Eq, true),
                    2 => (FCmp::Lt, true),
                    3 | 4 => (FCmp::Lt, false),
                    5 => (FCmp::Lt, true),
                    6 => (FCmp::Unordered, false),
                    7 => (FCmp::Unordered, true),
                    8 => (FCmp::Le, true),
                    9 => (FCmp::Le, false),
                    10 => (FCmp::Ge, false),
                    11 => (FCmp::Ge, true),
                    12 => (FCmp::Gt, false),
                    _ => (FCmp::Gt, true),
                };
                let v = self.b.pure(PureOp::FCmp { cmp, signaling, shape }, &[a, b]);
                Some(if negate { self.b.not(v) } else { v })
            }
        }
    }

    fn with_zero(&mut self, op: IntCmp, v: Value) -> Value {
        let ty = self.b.ty(v);
        let zero = self.b.konst(ty, 0);
        self.b.cmp(op, v, zero)
    }

    /// `guard ? v : otherwise`, without a select.
    fn guarded(&mut self, guard: Option<(Value, u32)>, v: Value, otherwise: bool) -> Value {
        match guard {
            None => v,
            Some((g, _)) if otherwise => {
                let not = self.b.not(g);
                self.b.or(not, v)
            }
            Some((g, _)) => self.b.and(g, v),
        }
    }

    fn read_flags(&mut self, cond: u32) -> Value {
        let base = match cond >> 1 {
            0 => self.b.get(reg::Z),
            1 => self.b.get(reg::C),
            2 => self.b.get(reg::N),
            3 => self.b.get(reg::V),
            4 => {
                let (c, z) = (self.b.get(reg::C), self.b.get(reg::Z));
                let nz = self.b.not(z);
                self.b.and(c, nz)
            }
            n => {
                let (n_flag, v) = (self.b.get(reg::N), self.b.get(reg::V));
                let lt = self.b.xor(n_flag, v);
                let ge = self.b.not(lt);
                if n == 5 {
                    ge
                } else {
                    let z = self.b.get(reg::Z);
                    let nz = self.b.not(z);
                    self.b.and(nz, ge)
                }
            }
        };
        if cond & 1 != 0 { self.b.not(base) } else { base }
    }

    /// Writes N, Z, C and V; the values may be any i1. `source` says how conditions can do better than reading them.
    pub fn set_flags(&mut self, [n, z, c, v]: [Value; 4], source: Option<FlagSource>) {
        self.b.set(reg::N, n);
        self.b.set(reg::Z, z);
        self.b.set(reg::C, c);
        self.b.set(reg::V, v);
        *self.flags = source;
    }

    /// Flags of `result` = a − b.
    pub fn set_flags_sub(&mut self, a: Value, b: Value, result: Value) {
        let flags = self.flags_sub(a, b, result);
        self.set_flags(flags, Some(FlagSource { compare: Compare::Sub(a, b, result), guard: None }));
    }

    /// Flags of `result` = a + b.
    pub fn set_flags_add(&mut self, a: Value, b: Value, result: Value) {
        let flags = self.flags_add(a, b, result);
        let source = self.add_as_sub(a, b, result);
        self.set_flags(flags, source.map(|compare| FlagSource { compare, guard: None }));
    }

    /// Flags of a bitwise result: C = V = 0.
    pub fn set_flags_logic(&mut self, result: Value) {
        let n = self.with_zero(IntCmp::Slt, result);
        let z = self.with_zero(IntCmp::Eq, result);
        let no = self.b.i1(false);
        self.set_flags([n, z, no, no], Some(FlagSource { compare: Compare::Logic(result), guard: None }));
    }

    /// Flags of the floating-point comparison of `a` and `b`.
    pub fn set_flags_fcmp(&mut self, a: Value, b: Value, shape: FShape, signaling: bool) {
        let flags = self.flags_fcmp(a, b, shape, signaling);
        self.set_flags(flags, Some(FlagSource { compare: Compare::Fp(a, b, shape, signaling), guard: None }));
    }

    /// CCMP (`negative`: CCMN): flags of a − b (a + b) if condition `cond` holds, else `otherwise`.
    pub fn set_flags_ccmp(&mut self, negative: bool, a: Value, b: Value, cond: u32, otherwise: u32) {
        let guard = self.condition(cond);
        let (flags, compare) = if negative {
            let result = self.b.add(a, b);
            (self.flags_add(a, b, result), self.add_as_sub(a, b, result))
        } else {
            let result = self.b.sub(a, b);
            (self.flags_sub(a, b, result), Some(Compare::Sub(a, b, result)))
        };
        self.set_flags_guarded(flags, compare, cond, guard, otherwise);
    }

    /// FCCMP, FCCMPE: flags of the comparison if condition `cond` holds, else `otherwise`. The comparison, too, is only
    /// made then: its exceptions depend on the condition. So the operands are replaced by zeros if it does not hold.
    pub fn set_flags_fccmp(
        &mut self,
        [a, b]: [Value; 2],
        shape: FShape,
        signaling: bool,
        cond: u32,
        otherwise: u32,
    ) {
        let guard = self.condition(cond);
        let zero = self.b.konst(shape.ty(), 0);
        let (a, b) = (self.b.select(guard, a, zero), self.b.select(guard, b, zero));
        let flags = self.flags_fcmp(a, b, shape, signaling);
        self.set_flags_guarded(flags, Some(Compare::Fp(a, b, shape, signaling)), cond, guard, otherwise);
    }

    fn set_flags_guarded(
        &mut self,
        flags: [Value; 4],
        compare: Option<Compare>,
        cond: u32,
        guard: Value,
        otherwise: u32,
    ) {
        let guard = if cond >= 14 { None } else { Some((guard, otherwise)) };
        let mut bit = 8;
        let flags = flags.map(|f| {
            let v = self.guarded(guard, f, otherwise & bit != 0);
            bit >>= 1;
            v
        });
        self.set_flags(flags, compare.map(|compare| FlagSource { compare, guard }));
    }

    fn flags_sub(&mut self, a: Value, b: Value, result: Value) -> [Value; 4] {
        let n = self.with_zero(IntCmp::Slt, result);
        let z = self.b.cmp(IntCmp::Eq, a, b);
        let c = self.b.cmp(IntCmp::Uge, a, b);
        let not_b = self.complement(b);
        let one = self.b.i1(true);
        let v = self.b.pure(PureOp::Overflow, &[a, not_b, one]);
        [n, z, c, v]
    }

    fn flags_add(&mut self, a: Value, b: Value, result: Value) -> [Value; 4] {
        let n = self.with_zero(IntCmp::Slt, result);
        let z = self.with_zero(IntCmp::Eq, result);
        let c = self.b.cmp(IntCmp::Ult, result, a);
        let zero = self.b.i1(false);
        let v = self.b.pure(PureOp::Overflow, &[a, b, zero]);
        [n, z, c, v]
    }

    pub(crate) fn flags_fcmp(&mut self, a: Value, b: Value, shape: FShape, signaling: bool) -> [Value; 4] {
        let mut cmp = |cmp| self.b.pure(PureOp::FCmp { cmp, signaling, shape }, &[a, b]);
        let (n, z, v) = (cmp(FCmp::Lt), cmp(FCmp::Eq), cmp(FCmp::Unordered));
        let c = self.b.not(n);
        [n, z, c, v]
    }

    /// a + constant compares like a − (−constant), in all four flags, unless the constant is 0 or the least number.
    fn add_as_sub(&mut self, a: Value, b: Value, result: Value) -> Option<Compare> {
        let ty = self.b.ty(b);
        let k = self.b.as_const(b)?;
        if k == 0 || k == 1 << (ty.bits() - 1) {
            return None;
        }
        let negated = self.b.konst(ty, k.wrapping_neg());
        Some(Compare::Sub(a, negated, result))
    }

    /// !v; a constant stays one.
    pub fn complement(&mut self, v: Value) -> Value {
        match self.b.as_const(v) {
            Some(k) => {
                let ty: Type = self.b.ty(v);
                self.b.konst(ty, !k)
            }
            None => self.b.not(v),
        }
    }
}

fn nzcv(source: FlagSource) -> u32 {
    source.guard.map_or(0, |g| g.1)
}
