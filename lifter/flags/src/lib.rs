//! What flags describe: recognises, in the values that one guest instruction writes to N, Z, C and V, the comparison or
//! operation they are of, in the terms of [`abi::flag`]. Takes the IR's values, gives a description, by which an engine notes operands
//! instead of computing flags. Knows no instruction set and no engine; where descriptions are kept is the engines'.

use abi::flag;
use ir::{Block, FCmp, FShape, Inst, IntBin, IntCmp, IntUn, PureOp, Reg, RegFile, Type, Value};

/// Second operand of a description.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand {
    /// In the description itself.
    Immediate(u32),
    /// A value.
    Value(Value),
}

/// Flags of two operands, or of a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compare {
    /// A kind of [`abi::flag`], with `WIDE`.
    pub kind: u32,
    /// First operand.
    pub a: Value,
    /// Second operand.
    pub b: Operand,
}

impl Compare {
    /// The word that describes it.
    pub fn description(&self) -> u32 {
        match self.b {
            Operand::Immediate(k) => self.kind | flag::IMMEDIATE | k << flag::IMMEDIATE_SHIFT,
            Operand::Value(_) => self.kind,
        }
    }
}

/// An i1 and whether it counts negated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guard {
    /// The i1.
    pub value: Value,
    /// See there.
    pub negated: bool,
}

/// What four flags amount to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Described {
    /// These flags, whatever happens: a `KNOWN` description (N, Z, C, V are bits 11–8).
    Known(u32),
    /// The flags of a comparison.
    Compare(Compare),
    /// The comparison if the guard holds, else that `KNOWN` description.
    Guarded(Guard, Compare, u32),
}

/// One of the four flags as an instruction writes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Bit {
    Const(bool),
    Value(Value),
}

/// The flag writes of each guest instruction of a block: the index of the last of them and what is written to N, Z, C and V.
/// `number` says which of them (0 to 3) a register is.
pub fn writes(block: &Block, number: impl Fn(Reg) -> Option<usize>) -> Vec<(usize, [Option<Value>; 4])> {
    let mut writes = Vec::new();
    let mut pending = [None; 4];
    let mut at = 0;
    for (i, inst) in block.insts.iter().enumerate() {
        let ends = match inst {
            Inst::Mark(_) => true,
            Inst::Get(r) => number(*r).is_some(),
            Inst::ReadSys(_) | Inst::WriteSys(..) | Inst::Cache { .. } => true,
            inst => inst.is_checkpoint(),
        };
        if ends && pending != [None; 4] {
            writes.push((at, pending));
            pending = [None; 4];
        }
        if let Inst::Set(r, v) = inst
            && let Some(n) = number(*r)
        {
            pending[n] = Some(*v);
            at = i;
        }
    }
    if pending != [None; 4] {
        writes.push((at, pending));
    }
    writes
}

/// Looks at the values of a block.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    /// The block.
    pub block: &'a Block,
    /// Types of its registers.
    pub file: &'a RegFile,
}

impl Values<'_> {
    /// What N, Z, C and V of these values describe, if it is recognised.
    pub fn describe(&self, flags: [Value; 4]) -> Option<Described> {
        let bits = flags.map(|v| self.bit(v));
        if let [Bit::Const(n), Bit::Const(z), Bit::Const(c), Bit::Const(v)] = bits {
            return Some(Described::Known(known([n, z, c, v])));
        }
        self.compare(bits).map(Described::Compare).or_else(|| self.guarded(bits))
    }

    /// What N and Z of these values describe if the other flags are kept, for `GuestState::flag_sign`.
    pub fn sign(&self, [n, z]: [Value; 2]) -> Option<Described> {
        match (self.bit(n), self.bit(z)) {
            (Bit::Const(n), Bit::Const(z)) => Some(Described::Known(known([n, z, false, false]))),
            (Bit::Value(n), Bit::Value(z)) => {
                let (PureOp::Cmp(IntCmp::Slt), [r, zero, _]) = self.pure(n)? else { return None };
                let fits = self.is_const(zero, 0) && self.is_zero_test(z, r);
                let kind = flag::LOGIC | self.wide(r)?;
                fits.then_some(Described::Compare(Compare { kind, a: r, b: Operand::Immediate(0) }))
            }
            _ => None,
        }
    }

    /// What C of that value describes if it is written alone or with N and Z, for `GuestState::flag_carry`.
    pub fn carry(&self, c: Value) -> Described {
        if let Bit::Const(c) = self.bit(c) {
            return Described::Known(known([false, false, c, false]));
        }
        let (a, bit) = self.bit_of(c).unwrap_or((c, 0));
        let wide = self.wide(a).unwrap_or(0);
        Described::Compare(Compare { kind: flag::BIT | wide, a, b: Operand::Immediate(bit) })
    }

    /// The word, of 32 or 64 bits, of which that i1 is a bit, and its number: as shifters make carries.
    fn bit_of(&self, c: Value) -> Option<(Value, u32)> {
        let (PureOp::Trunc, [x, ..]) = self.pure(c)? else { return None };
        let (word, bit) = match self.pure(x) {
            Some((PureOp::Int(IntBin::Lshr), [word, n, _])) => match self.constant(n) {
                Some(n) if n < self.ty(word)?.bits() as u128 => (word, n as u32),
                _ => (x, 0),
            },
            _ => (x, 0),
        };
        matches!(self.ty(word)?, Type::I32 | Type::I64).then_some((word, bit))
    }

    /// If a flag of that value keeps under some condition what the register `r` held: the condition, and the value otherwise.
    pub fn kept(&self, v: Value, r: Reg) -> Option<(Value, Value)> {
        let (PureOp::Select, [keep, old, new]) = self.pure(v)? else { return None };
        let held = *self.def(old) == Inst::Get(r);
        let behind = &self.block.insts[old.0 as usize..];
        // It is not of before another write.
        let first =
            behind.iter().find_map(|i| if let Inst::Set(s, x) = i { (*s == r).then_some(*x) } else { None });
        (held && first == Some(v)).then_some((keep, new))
    }

    fn def(&self, v: Value) -> &Inst {
        &self.block.insts[v.0 as usize]
    }

    /// The operation that makes the value.
    pub fn pure(&self, v: Value) -> Option<(PureOp, [Value; 3])> {
        match *self.def(v) {
            Inst::Pure { op, args, .. } => Some((op, args)),
            _ => None,
        }
    }

    fn constant(&self, v: Value) -> Option<u128> {
        match *self.def(v) {
            Inst::Const { bits, .. } => Some(bits),
            _ => None,
        }
    }

    fn is_const(&self, v: Value, k: u128) -> bool {
        self.constant(v) == Some(k)
    }

    fn ty(&self, v: Value) -> Option<Type> {
        self.def(v).result(self.block, |r| self.file.info(r).ty)
    }

    fn bit(&self, v: Value) -> Bit {
        self.constant(v).map_or(Bit::Value(v), |k| Bit::Const(k != 0))
    }

    fn wide(&self, v: Value) -> Option<u32> {
        match self.ty(v)? {
            Type::I64 | Type::F64 => Some(flag::WIDE),
            Type::I32 | Type::F32 => Some(0),
            _ => None,
        }
    }

    /// A constant that fits becomes part of the description.
    pub fn operand(&self, v: Value) -> Operand {
        match self.constant(v) {
            Some(k) if k < 1 << (32 - flag::IMMEDIATE_SHIFT) => Operand::Immediate(k as u32),
            _ => Operand::Value(v),
        }
    }

    fn compare(&self, [n, z, c, v]: [Bit; 4]) -> Option<Compare> {
        let (Bit::Value(n), Bit::Value(z)) = (n, z) else { return None };
        let (op, [r, zero, _]) = self.pure(n)?;
        match op {
            PureOp::FCmp { cmp: FCmp::Lt, signaling, shape } => {
                self.float(z, [c, v], [r, zero], signaling, shape)
            }
            PureOp::Cmp(IntCmp::Slt) if self.is_const(zero, 0) => {
                let wide = self.wide(r)?;
                match (c, v) {
                    (Bit::Const(carry), Bit::Const(false)) if self.is_zero_test(z, r) => {
                        // Without carry a bitwise result or r + 0, with carry r − 0.
                        let kind = if carry { flag::SUB } else { flag::LOGIC };
                        Some(Compare { kind: kind | wide, a: r, b: Operand::Immediate(0) })
                    }
                    (Bit::Value(c), Bit::Value(v)) => self.arithmetic([z, c, v], r, wide),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn arithmetic(&self, [z, c, v]: [Value; 3], r: Value, wide: u32) -> Option<Compare> {
        let (PureOp::Overflow, [a, b, carry]) = self.pure(v)? else { return None };
        match self.constant(carry)? {
            1 => {
                let (PureOp::Int(IntBin::Sub), [minuend, subtrahend, _]) = self.pure(r)? else { return None };
                let fits = minuend == a
                    && self.is_complement(b, subtrahend)
                    && self.is_zero_test(z, r)
                    && self.is_uge(c, a, subtrahend);
                let b = self.operand(subtrahend);
                fits.then_some(Compare { kind: flag::SUB | wide, a, b })
            }
            _ => {
                let (PureOp::Cmp(IntCmp::Ult), [sum, addend, _]) = self.pure(c)? else { return None };
                let fits = sum == r
                    && (addend == a || addend == b)
                    && self.is_sum(r, a, b)
                    && self.is_zero_test(z, r);
                let b = self.operand(b);
                fits.then_some(Compare { kind: flag::SUM | wide, a: r, b })
            }
        }
    }

    fn float(
        &self,
        z: Value,
        [c, v]: [Bit; 2],
        [a, b]: [Value; 2],
        signaling: bool,
        shape: FShape,
    ) -> Option<Compare> {
        let (Bit::Value(c), Bit::Value(v)) = (c, v) else { return None };
        let is = |x: Value, cmp: FCmp| {
            self.pure(x)
                .is_some_and(|(op, args)| op == PureOp::FCmp { cmp, signaling, shape } && args[..2] == [a, b])
        };
        let not_less = match self.pure(c)? {
            (PureOp::IntUn(IntUn::Not), [x, ..]) => is(x, FCmp::Lt),
            _ => false,
        };
        let wide = self.wide(a)?;
        let fits = not_less && is(z, FCmp::Eq) && is(v, FCmp::Unordered) && self.ty(a)?.is_float();
        fits.then_some(Compare { kind: flag::FLOAT | wide, a, b: self.operand(b) })
    }

    /// not_b = !b?
    fn is_complement(&self, not_b: Value, b: Value) -> bool {
        match *self.def(not_b) {
            Inst::Pure { op: PureOp::IntUn(IntUn::Not), args, .. } => args[0] == b,
            Inst::Const { ty, bits } => self.is_const(b, !bits & ty.mask()),
            _ => false,
        }
    }

    /// r = a + b? With constants, sums of sums are simplified.
    fn is_sum(&self, r: Value, a: Value, b: Value) -> bool {
        let Some((PureOp::Int(IntBin::Add), [x, y, _])) = self.pure(r) else { return false };
        if (x, y) == (a, b) || (x, y) == (b, a) {
            return true;
        }
        let (Some((PureOp::Int(IntBin::Add), [base, k, _])), Some(ty)) = (self.pure(a), self.ty(r)) else {
            return false;
        };
        match (self.constant(k), self.constant(b), self.constant(y)) {
            (Some(k), Some(b), Some(sum)) => base == x && k.wrapping_add(b) & ty.mask() == sum,
            _ => false,
        }
    }

    /// c = (a ≥ b)? In all forms to which that is simplified.
    fn is_uge(&self, c: Value, a: Value, b: Value) -> bool {
        match self.pure(c) {
            Some((PureOp::Cmp(IntCmp::Uge), [x, y, _])) => (x, y) == (a, b),
            Some((PureOp::Cmp(IntCmp::Ule), [x, y, _])) => (x, y) == (b, a),
            // 0 ≥ b.
            Some((PureOp::Cmp(IntCmp::Eq), [x, y, _])) => (x, y) == (b, a) && self.is_const(a, 0),
            _ => false,
        }
    }

    /// z = (r == 0)? In all forms to which that is simplified.
    fn is_zero_test(&self, z: Value, r: Value) -> bool {
        let Some((PureOp::Cmp(IntCmp::Eq), [x, y, _])) = self.pure(z) else { return false };
        if x == r && self.is_const(y, 0) {
            return true;
        }
        match self.pure(r) {
            Some((PureOp::Int(IntBin::Sub | IntBin::Xor), [p, q, _])) => (x, y) == (p, q) || (x, y) == (q, p),
            Some((PureOp::Zext | PureOp::Sext, [p, ..])) => x == p && self.is_const(y, 0),
            _ => false,
        }
    }

    /// Flags that each are `guard & flag` or `!guard | flag`.
    fn guarded(&self, bits: [Bit; 4]) -> Option<Described> {
        let Bit::Value(n) = bits[0] else { return None };
        let (PureOp::Int(op @ (IntBin::And | IntBin::Or)), [x, y, _]) = self.pure(n)? else { return None };
        [(x, y), (y, x)].into_iter().find_map(|(guard, flag)| {
            // Only that of the two which is N of a comparison can be the flag.
            if !matches!(self.pure(flag)?.0, PureOp::Cmp(IntCmp::Slt) | PureOp::FCmp { cmp: FCmp::Lt, .. }) {
                return None;
            }
            let guard = Guard { value: guard, negated: op == IntBin::Or };
            let inner = bits.map(|b| self.unguarded(b, guard));
            let [Some(n), Some(z), Some(c), Some(v)] = inner else { return None };
            let compare = self.compare([n, z, c, v].map(|f| f.0))?;
            Some(Described::Guarded(guard, compare, known([n, z, c, v].map(|f| f.1))))
        })
    }

    /// The flag if the guard holds, and what it is if not.
    fn unguarded(&self, bit: Bit, guard: Guard) -> Option<(Bit, bool)> {
        let v = match bit {
            // x & 0, !x | 1.
            Bit::Const(k) => return Some((Bit::Const(k), k)),
            Bit::Value(v) => v,
        };
        let (holds, fails) = (|v| self.same(v, guard, false), |v| self.same(v, guard, true));
        if holds(v) {
            return Some((Bit::Const(true), false));
        }
        if fails(v) {
            return Some((Bit::Const(false), true));
        }
        match self.pure(v)? {
            (PureOp::Int(IntBin::And), [x, y, _]) if holds(x) => Some((self.bit(y), false)),
            (PureOp::Int(IntBin::And), [x, y, _]) if holds(y) => Some((self.bit(x), false)),
            (PureOp::Int(IntBin::Or), [x, y, _]) if fails(x) => Some((self.bit(y), true)),
            (PureOp::Int(IntBin::Or), [x, y, _]) if fails(y) => Some((self.bit(x), true)),
            _ => None,
        }
    }

    /// v = guard, or with `not` its complement?
    fn same(&self, v: Value, guard: Guard, not: bool) -> bool {
        if guard.negated == not {
            v == guard.value || self.alike(v, guard.value)
        } else {
            self.opposite(v, guard.value) || self.opposite(guard.value, v)
        }
    }

    /// The same operation on the same values: complements are made anew for each flag.
    fn alike(&self, v: Value, w: Value) -> bool {
        match (self.pure(v), self.pure(w)) {
            (Some((op, args)), Some((op2, args2))) => op == op2 && args == args2 && !op.uses_fp_env(),
            _ => false,
        }
    }

    fn opposite(&self, v: Value, w: Value) -> bool {
        match self.pure(v) {
            Some((PureOp::IntUn(IntUn::Not), [x, ..])) => x == w,
            Some((PureOp::Cmp(cmp), args)) => match self.pure(w) {
                Some((PureOp::Cmp(other), args2)) => args == args2 && cmp.inverse() == other,
                _ => false,
            },
            _ => false,
        }
    }
}

fn known(flags: [bool; 4]) -> u32 {
    flags.iter().fold(0, |d, &f| d << 1 | f as u32) << flag::IMMEDIATE_SHIFT | flag::KNOWN
}
