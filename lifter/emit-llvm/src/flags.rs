//! What sets the flags: finds the writes of N, Z, C and V of one guest instruction in the IR and recognises what they
//! describe, in the terms of [`abi::flag`], so that lifted code notes operands instead of computing flags. What is not
//! recognised is computed and stored as it stands. No LLVM.

use crate::flow::Registers;
use abi::flag;
use ir::{Block, FCmp, FShape, Function, Inst, IntBin, IntCmp, IntUn, PureOp, Reg, RegFile, Type, Value};

/// One of the four flags as an instruction writes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Bit {
    Const(bool),
    Value(Value),
}

/// Second operand of a description.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operand {
    /// In the description itself.
    Immediate(u32),
    Value(Value),
}

/// Recognised flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Compare {
    /// A kind of `abi::flag`, with `WIDE`.
    pub(crate) kind: u32,
    pub(crate) a: Value,
    pub(crate) b: Operand,
}

impl Compare {
    /// The word that describes it.
    pub(crate) fn description(&self) -> u32 {
        match self.b {
            Operand::Immediate(k) => self.kind | flag::IMMEDIATE | k << flag::IMMEDIATE_SHIFT,
            Operand::Value(_) => self.kind,
        }
    }
}

/// An i1 and whether it counts negated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Guard {
    pub(crate) value: Value,
    pub(crate) negated: bool,
}

/// What the flag writes of an instruction amount to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// These flags, whatever happens (N, Z, C, V are bits 11–8 as in `abi::flag::KNOWN`).
    Known(u32),
    Compare(Compare),
    /// The comparison if the guard holds, else that `KNOWN` description.
    Guarded(Guard, Compare, u32),
    /// The values themselves; the flags not written are dead.
    Bytes([Option<Value>; 4]),
    /// As `Bytes`, but what is not written keeps its value.
    Merge([Option<Value>; 4]),
}

impl Form {
    /// The comparison, if there is one.
    pub(crate) fn compare(&self) -> Option<&Compare> {
        match self {
            Form::Compare(c) | Form::Guarded(_, c, _) => Some(c),
            Form::Known(_) | Form::Bytes(_) | Form::Merge(_) => None,
        }
    }
}

/// What `GuestState::flag_kind` may be at a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Descriptions {
    /// Anything that names no register.
    pub(crate) any: bool,
    /// One of these, or with `any` these too; sorted.
    pub(crate) few: Vec<u32>,
}

impl Descriptions {
    pub(crate) const ANY: Descriptions = Descriptions { any: true, few: Vec::new() };
    /// More are not told apart.
    const MOST: usize = 4;

    pub(crate) fn one(d: u32) -> Descriptions {
        Descriptions { any: false, few: vec![d] }
    }

    /// The description, if there is but one.
    pub(crate) fn single(&self) -> Option<u32> {
        match self.few[..] {
            [d] if !self.any => Some(d),
            _ => None,
        }
    }

    /// Those that name registers.
    pub(crate) fn with_registers(&self) -> impl Iterator<Item = u32> {
        self.few.iter().copied().filter(|&d| d != flag::without_registers(d))
    }

    pub(crate) fn union(&self, other: &Descriptions) -> Descriptions {
        let own = |d: &u32| *d == flag::without_registers(*d);
        let mut few = [self.few.as_slice(), &other.few].concat();
        few.sort_unstable();
        few.dedup();
        let any = self.any || other.any || few.iter().filter(|d| own(d)).count() > Self::MOST;
        few.retain(|d| !any || !own(d));
        Descriptions { any, few }
    }

    /// The same flags by operands in the state.
    pub(crate) fn without_registers(&self) -> Descriptions {
        let few = self.few.iter().map(|&d| flag::without_registers(d));
        let plain = Descriptions { any: self.any, few: few.collect() };
        plain.union(&plain.clone())
    }
}

/// Flag writes of one instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// Index of the last of them: the form takes effect behind it.
    pub(crate) at: usize,
    pub(crate) form: Form,
    /// The description of a comparison, operands in registers where that is possible; see `flags_place`.
    pub(crate) word: u32,
    /// False if nothing can see these flags.
    pub(crate) seen: bool,
}

impl Group {
    fn new(at: usize, form: Form) -> Group {
        let word = form.compare().map_or(flag::BYTES, |c| c.description());
        Group { at, form, word, seen: true }
    }
}

/// The register that holds the value `v`, or whose low half does if `v` has 32 bits, behind instruction `at` of a block.
pub(crate) fn holder(b: &Block, v: Value, narrow: bool, at: usize) -> Option<Reg> {
    let root = |v: Value| if narrow { low_half(b, v) } else { v };
    let wanted = root(v);
    let mut written = Vec::new();
    for (i, inst) in b.insts[..=at].iter().enumerate().rev() {
        match *inst {
            Inst::Set(r, x) if !written.contains(&r) => {
                if root(x) == wanted {
                    return Some(r);
                }
                written.push(r);
            }
            Inst::Get(r) if wanted.0 as usize == i && !written.contains(&r) => return Some(r),
            _ => {}
        }
    }
    None
}

/// A value whose low 32 bits, zero-extended if it has fewer, are those of `v`.
fn low_half(b: &Block, mut v: Value) -> Value {
    while let Inst::Pure { op: PureOp::Zext, ty: Type::I32 | Type::I64, args }
    | Inst::Pure { op: PureOp::Trunc, ty: Type::I32, args } = b.insts[v.0 as usize]
    {
        v = args[0];
    }
    v
}

/// Finds the groups of each block.
pub(crate) fn groups(f: &Function, regs: &Registers, file: &RegFile) -> Vec<Vec<Group>> {
    f.blocks.iter().map(|b| Finder { b, regs, file }.groups()).collect()
}

struct Finder<'a> {
    b: &'a Block,
    regs: &'a Registers,
    file: &'a RegFile,
}

impl Finder<'_> {
    fn groups(&self) -> Vec<Group> {
        let mut groups = Vec::new();
        let mut pending = [None; 4];
        let mut at = 0;
        for (i, inst) in self.b.insts.iter().enumerate() {
            let ends = match inst {
                Inst::Mark(_) => true,
                Inst::Get(r) => self.regs.flag(*r).is_some(),
                Inst::ReadSys(_) | Inst::WriteSys(..) | Inst::Cache { .. } => true,
                inst => inst.is_checkpoint(),
            };
            if ends && pending != [None; 4] {
                groups.push(Group::new(at, self.form(at, pending)));
                pending = [None; 4];
            }
            if let Inst::Set(r, v) = inst
                && let Some(n) = self.regs.flag(*r)
            {
                pending[n] = Some(*v);
                at = i;
            }
        }
        if pending != [None; 4] {
            groups.push(Group::new(at, self.form(at, pending)));
        }
        groups
    }

    fn def(&self, v: Value) -> &Inst {
        &self.b.insts[v.0 as usize]
    }

    fn pure(&self, v: Value) -> Option<(PureOp, [Value; 3])> {
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
        self.def(v).result(self.b, |r| self.file.info(r).ty)
    }

    fn bit(&self, v: Value) -> Bit {
        self.constant(v).map_or(Bit::Value(v), |k| Bit::Const(k != 0))
    }

    fn form(&self, at: usize, set: [Option<Value>; 4]) -> Form {
        if let [Some(n), Some(z), Some(c), Some(v)] = set {
            let bits = [n, z, c, v].map(|v| self.bit(v));
            if let [Bit::Const(n), Bit::Const(z), Bit::Const(c), Bit::Const(v)] = bits {
                return Form::Known(known([n, z, c, v]));
            }
            if let Some(compare) = self.compare(bits) {
                return Form::Compare(self.prefer_result(at, compare));
            }
            if let Some(guarded) = self.guarded(bits) {
                return guarded;
            }
            return Form::Bytes(set);
        }
        let kept = (0..4).any(|n| set[n].is_none() && self.live_behind(at, n));
        if kept { Form::Merge(set) } else { Form::Bytes(set) }
    }

    /// True unless flag `n` is written again before anything can see it.
    fn live_behind(&self, at: usize, n: usize) -> bool {
        for inst in &self.b.insts[at + 1..] {
            match inst {
                Inst::Set(r, _) if self.regs.flag(*r) == Some(n) => return false,
                Inst::Get(r) if self.regs.flag(*r) == Some(n) => return true,
                Inst::ReadSys(_) | Inst::WriteSys(..) | Inst::Cache { .. } => return true,
                inst if inst.is_checkpoint() => return true,
                _ => {}
            }
        }
        true
    }

    /// Keeps the difference instead of the minuend if the difference is kept anyway.
    fn prefer_result(&self, at: usize, c: Compare) -> Compare {
        if c.kind & flag::KIND != flag::SUB {
            return c;
        }
        let inside = |inst: &&Inst| !matches!(inst, Inst::Mark(_));
        let before = self.b.insts[..at].iter().rev().take_while(inside);
        let behind = self.b.insts[at..].iter().take_while(inside);
        let difference = before.chain(behind).find_map(|inst| {
            let Inst::Set(_, v) = inst else { return None };
            let v = match self.pure(*v) {
                Some((PureOp::Zext, [x, ..])) => x,
                _ => *v,
            };
            let (PureOp::Int(IntBin::Sub), [a, b, _]) = self.pure(v)? else { return None };
            (a == c.a && self.operand(b) == c.b).then_some(v)
        });
        match difference {
            Some(a) => Compare { kind: c.kind - flag::SUB + flag::DIFFERENCE, a, b: c.b },
            None => c,
        }
    }

    fn wide(&self, v: Value) -> Option<u32> {
        match self.ty(v)? {
            Type::I64 | Type::F64 => Some(flag::WIDE),
            Type::I32 | Type::F32 => Some(0),
            _ => None,
        }
    }

    /// A constant that fits becomes part of the description.
    fn operand(&self, v: Value) -> Operand {
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
    fn guarded(&self, bits: [Bit; 4]) -> Option<Form> {
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
            Some(Form::Guarded(guard, compare, known([n, z, c, v].map(|f| f.1))))
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

#[cfg(test)]
mod tests {
    use super::*;
    use ir::GuestAddr;
    use isa::a64::FILE;

    struct Word(u32);

    impl isa::Code for Word {
        fn word(&self, pc: GuestAddr) -> Option<u32> {
            [self.0, 0xd65f_03c0].get(pc.0 as usize / 4).copied()
        }
    }

    fn form(word: u32) -> Form {
        let block = isa::BlockShape { start: GuestAddr(0), end: GuestAddr(8), switch: None };
        let shape = isa::FunctionShape { name: "f".into(), entry: GuestAddr(0), blocks: vec![block] };
        let mut f = isa::lift_function(&shape, &Word(word));
        ir::pass::run_default(&mut f, &FILE);
        let regs = Registers::new(&FILE, None, crate::Checkpoints::Callbr);
        groups(&f, &regs, &FILE)[0][0].form
    }

    /// What is common must be recognised: flags are right without, but slow.
    #[test]
    fn common_writers_are_recognised() {
        use flag::*;
        for (word, description) in [
            (0xeb02_003f, SUB | WIDE),                             // cmp x1, x2
            (0x6b02_003f, SUB),                                    // cmp w1, w2
            (0xeb02_0021, DIFFERENCE | WIDE),                      // subs x1, x1, x2
            (0xf100_0421, DIFFERENCE | WIDE | IMMEDIATE | 1 << 8), // subs x1, x1, #1
            (0x7100_043f, SUB | IMMEDIATE | 1 << 8),               // cmp w1, #1
            (0xf100_003f, SUB | WIDE | IMMEDIATE),                 // cmp x1, #0
            (0x6b01_03e0, DIFFERENCE),                             // negs w0, w1
            (0xb100_043f, SUM | WIDE | IMMEDIATE | 1 << 8),        // cmn x1, #1
            (0x2b02_0020, SUM),                                    // adds w0, w1, w2
            (0xea02_003f, LOGIC | WIDE | IMMEDIATE),               // tst x1, x2
            (0x7200_003f, LOGIC | IMMEDIATE),                      // tst w1, #1
            (0x1e62_2020, FLOAT | WIDE),                           // fcmp d1, d2
            (0x1e20_2028, FLOAT | IMMEDIATE),                      // fcmp s1, #0.0
        ] {
            let f = form(word);
            assert!(matches!(f, Form::Compare(c) if c.description() == description), "{word:08x}: {f:?}");
        }
        for (word, description, otherwise) in [
            (0xfa42_0024, SUB | WIDE, 0x400),   // ccmp x1, x2, #4, eq
            (0x7a40_1820, SUB | IMMEDIATE, 0),  // ccmp w1, #0, #0, ne
            (0x1e62_1421, FLOAT | WIDE, 0x100), // fccmp d1, d2, #1, ne
        ] {
            let f = form(word);
            let fits = matches!(f, Form::Guarded(_, c, o) if (c.description(), o) == (description, otherwise | KNOWN));
            assert!(fits, "{word:08x}: {f:?}");
        }
    }
}
