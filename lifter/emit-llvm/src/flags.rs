//! What sets the flags: the writes of N, Z, C and V of each guest instruction and what they describe (see the `flags` crate),
//! so that lifted code notes operands instead of computing flags. What is not recognised is computed and stored as it
//! stands. No LLVM.

use crate::flow::Registers;
use abi::GuestState;
use abi::flag;
pub(crate) use flags::{Compare, Guard, Operand};
use flags::{Described, Values};
use ir::{Block, Function, Inst, IntBin, PureOp, Reg, RegFile, Type, Value};
use std::mem::offset_of;

/// The flags that a description is of. Where instructions keep flags as a rule (AArch32), N and Z, and C, have descriptions of
/// their own for those that do (see `abi::flag`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// All of them, where other parts do not say more.
    All,
    /// N and Z.
    Sign,
    /// C.
    Carry,
}

/// Something for each part, by its number.
pub(crate) type Parts<T> = [T; 3];

impl Part {
    pub(crate) const EVERY: Parts<Part> = [Part::All, Part::Sign, Part::Carry];

    /// That which flag `n` (N, Z, C, V are 0–3) may be in besides `All`.
    pub(crate) fn of_flag(n: usize) -> Option<Part> {
        match n {
            0 | 1 => Some(Part::Sign),
            2 => Some(Part::Carry),
            _ => None,
        }
    }

    /// True if who reads flag `n` may look at this part.
    pub(crate) fn has(self, n: usize) -> bool {
        self == Part::All || Part::of_flag(n) == Some(self)
    }

    /// Where the state holds the word.
    pub(crate) fn word_offset(self) -> usize {
        match self {
            Part::All => offset_of!(GuestState, flag_kind),
            Part::Sign => offset_of!(GuestState, flag_sign),
            Part::Carry => offset_of!(GuestState, flag_carry),
        }
    }

    /// Where it holds the first operand, or the `second`.
    pub(crate) fn operand_offset(self, second: bool) -> usize {
        match (self, second) {
            (Part::All, false) => offset_of!(GuestState, flag_a),
            (Part::All, true) => offset_of!(GuestState, flag_b),
            (Part::Sign, _) => offset_of!(GuestState, flag_sign_a),
            (Part::Carry, _) => offset_of!(GuestState, flag_carry_a),
        }
    }
}

/// What the flag writes of an instruction amount to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// These flags, whatever happens (N, Z, C, V are bits 11–8 as in `abi::flag::KNOWN`).
    Known(u32),
    Compare(Compare),
    /// The comparison if the guard holds, else that `KNOWN` description.
    Guarded(Guard, Compare, u32),
    /// The values themselves; the flags not written are dead. As a form of N and Z or of C without values: they are as all flags are.
    Bytes([Option<Value>; 4]),
    /// As `Bytes`, but what is not written keeps its value.
    Merge([Option<Value>; 4]),
    /// The comparison, unless the value (an i1) is true: then the flags stay.
    Unless(Value, Compare),
}

impl Form {
    /// The comparison, if there is one.
    pub(crate) fn compare(&self) -> Option<&Compare> {
        match self {
            Form::Compare(c) | Form::Guarded(_, c, _) | Form::Unless(_, c) => Some(c),
            Form::Known(_) | Form::Bytes(_) | Form::Merge(_) => None,
        }
    }

    /// True if it depends on the flags before.
    pub(crate) fn keeps(&self) -> bool {
        matches!(self, Form::Merge(_) | Form::Unless(..))
    }
}

impl From<Described> for Form {
    fn from(d: Described) -> Form {
        match d {
            Described::Known(d) => Form::Known(d),
            Described::Compare(c) => Form::Compare(c),
            Described::Guarded(g, c, otherwise) => Form::Guarded(g, c, otherwise),
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

/// Finds the groups of each block, for each part.
pub(crate) fn groups(f: &Function, regs: &Registers, file: &RegFile) -> Parts<Vec<Vec<Group>>> {
    let mut all: Parts<Vec<Vec<Group>>> = Parts::default();
    for block in &f.blocks {
        let found = Finder { values: Values { block, file }, regs }.groups();
        for (all, found) in all.iter_mut().zip(found) {
            all.push(found);
        }
    }
    all
}

struct Finder<'a> {
    values: Values<'a>,
    regs: &'a Registers,
}

impl Finder<'_> {
    fn groups(&self) -> Parts<Vec<Group>> {
        let mut groups: Parts<Vec<Group>> = Parts::default();
        for (at, set) in flags::writes(self.values.block, |r| self.regs.flag(r)) {
            let forms = self.part(set).unwrap_or_else(|| self.whole(at, set));
            for (groups, form) in groups.iter_mut().zip(forms) {
                groups.extend(form.map(|form| Group::new(at, form)));
            }
        }
        groups
    }

    /// What an instruction that writes N and Z, C or these three, and keeps V, does to the parts.
    fn part(&self, set: [Option<Value>; 4]) -> Option<Parts<Option<Form>>> {
        let [n, z, c, None] = set else { return None };
        if !self.regs.parts {
            return None;
        }
        let sign = match (n, z) {
            (Some(n), Some(z)) => Some(self.values.sign([n, z])?.into()),
            (None, None) => None,
            _ => return None,
        };
        Some([None, sign, c.map(|c| self.carry(c))])
    }

    /// What writing C alone does to its part.
    fn carry(&self, c: Value) -> Form {
        // Shifts by registers keep it if they shift by nothing.
        if let Some((keep, new)) = self.regs.flag_register(2).and_then(|r| self.values.kept(c, r))
            && let Described::Compare(new) = self.values.carry(new)
        {
            return Form::Unless(keep, new);
        }
        self.values.carry(c).into()
    }

    /// What an instruction that writes all flags does to the parts.
    fn whole(&self, at: usize, set: [Option<Value>; 4]) -> Parts<Option<Form>> {
        let all = self.form(at, set);
        let rest = if all.keeps() { Form::Merge([None; 4]) } else { Form::Bytes([None; 4]) };
        let rest = self.regs.parts.then_some(rest);
        [Some(all), rest, rest]
    }

    fn form(&self, at: usize, set: [Option<Value>; 4]) -> Form {
        let [Some(n), Some(z), Some(c), Some(v)] = set else {
            let kept = (0..4).any(|n| set[n].is_none() && self.live_behind(at, n));
            return if kept { Form::Merge(set) } else { Form::Bytes(set) };
        };
        match self.values.describe([n, z, c, v]) {
            Some(Described::Compare(c)) => Form::Compare(self.prefer_result(at, c)),
            Some(described) => described.into(),
            None => Form::Bytes(set),
        }
    }

    /// True unless flag `n` is written again before anything can see it.
    fn live_behind(&self, at: usize, n: usize) -> bool {
        for inst in &self.values.block.insts[at + 1..] {
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
        let before = self.values.block.insts[..at].iter().rev().take_while(inside);
        let behind = self.values.block.insts[at..].iter().take_while(inside);
        let difference = before.chain(behind).find_map(|inst| {
            let Inst::Set(_, v) = inst else { return None };
            let v = match self.values.pure(*v) {
                Some((PureOp::Zext, [x, ..])) => x,
                _ => *v,
            };
            let (PureOp::Int(IntBin::Sub), [a, b, _]) = self.values.pure(v)? else { return None };
            (a == c.a && self.values.operand(b) == c.b).then_some(v)
        });
        match difference {
            Some(a) => Compare { kind: c.kind - flag::SUB + flag::DIFFERENCE, a, b: c.b },
            None => c,
        }
    }
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
        let shape = isa::FunctionShape {
            isa: isa::Isa::A64,
            name: "f".into(),
            entry: GuestAddr(0),
            blocks: vec![block],
        };
        let mut f = isa::lift_function(&shape, &Word(word));
        ir::pass::run_default(&mut f, &FILE);
        let regs = Registers::new(&FILE, None, crate::Checkpoints::Callbr);
        groups(&f, &regs, &FILE)[0][0][0].form
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
