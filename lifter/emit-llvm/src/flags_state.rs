//! Lazy flags: notes what `flags` found, in the state as late as `flags_place` allows, and computes a flag from a description
//! where one is read. Fault blocks note what is pending; operands are in the state, in the word or in guest registers.

use crate::flags::{Compare, Form, Group, Operand, Part, Parts};
use crate::flags_place::{self, FlagsAt, Step};
use crate::function::Fx;
use crate::llvm::{IPred, V};
use abi::{GuestState, flag};
use ir::{Inst, IntBin, PureOp, Value};
use std::mem::offset_of;

impl Fx<'_, '_> {
    /// Makes the flags those of an instruction's groups, one for each part that it writes.
    pub(crate) fn set_flags(&mut self, groups: Parts<Option<&Group>>) {
        let groups = || Part::EVERY.into_iter().zip(groups).filter_map(|(part, g)| Some((part, g?)));
        for (part, group) in groups().filter(|(_, g)| g.seen) {
            self.write(part, group);
        }
        let commit = self.unit.regs.commit;
        for (part, group) in groups() {
            let place = flags_place::behind(group, commit);
            if let (true, Some(d)) = (commit, place.single())
                && *self.place(part) != place
            {
                self.note(part, d);
            }
            self.moved(part, place);
        }
    }

    /// Stores what is not pending of a group.
    fn write(&mut self, part: Part, group: &Group) {
        let l = self.l;
        match &group.form {
            Form::Known(_) => {}
            Form::Compare(c) => self.store_operands(part, c, group.word),
            Form::Guarded(guard, c, otherwise) => {
                let (yes, no) = (l.i32(group.word), l.i32(*otherwise));
                let (yes, no) = if guard.negated { (no, yes) } else { (yes, no) };
                let kind = l.select(self.value(guard.value), yes, no);
                l.store(kind, self.field(part.word_offset()));
                self.store_operands(part, c, group.word);
            }
            Form::Bytes(values) => {
                self.store_bytes(values.map(|v| v.map(|v| self.value(v))));
            }
            Form::Merge(values) if part == Part::All => {
                let bytes = |p: Part| self.place(p).single() == Some(flag::BYTES);
                let parts = || bytes(Part::Sign) && bytes(Part::Carry);
                let settled = bytes(Part::All) && (!self.unit.regs.parts || parts());
                let values = std::array::from_fn(|n| match values[n] {
                    Some(v) => Some(self.value(v)),
                    None if settled => None,
                    None => Some(self.flag(n)),
                });
                self.store_bytes(values);
            }
            // The bytes hold them.
            Form::Merge(_) => {}
            Form::Unless(keep, c) => {
                self.publish(part);
                let keep = self.value(*keep);
                let choose = |new: V, offset: usize| {
                    let p = self.field(offset);
                    l.store(l.select(keep, l.load(l.type_of(new), p), new), p);
                };
                choose(l.i32(group.word), part.word_offset());
                choose(l.zext(self.operand_bits(c.a), l.i64_ty()), part.operand_offset(false));
            }
        }
    }

    /// Where a part of the flags is now.
    fn place(&self, part: Part) -> &FlagsAt {
        &self.places[part as usize]
    }

    fn moved(&mut self, part: Part, place: FlagsAt) {
        if *self.place(part) != place {
            self.places[part as usize] = place;
            self.fault = None;
        }
    }

    fn note(&self, part: Part, description: u32) {
        self.l.store(self.l.i32(description), self.field(part.word_offset()));
    }

    /// Puts the words into the state that may not be there yet; for exits to the runtime, which looks into registers.
    pub(crate) fn note_pending(&self) {
        for part in Part::EVERY {
            if let FlagsAt::Pending(d) = self.place(part) {
                self.note(part, *d);
            }
        }
    }

    /// Makes the state's flags independent of registers; for exits to other lifted code.
    pub(crate) fn publish_flags(&mut self) {
        for part in Part::EVERY {
            self.publish(part);
        }
    }

    /// As `publish_flags`, of a part.
    pub(crate) fn publish(&mut self, part: Part) {
        self.take(part, &flags_place::publish(self.place(part)));
        let settled = self.place(part).settled();
        self.moved(part, settled);
    }

    /// Emits a step for a part; the builder may continue in another block.
    pub(crate) fn take(&self, part: Part, step: &Step) {
        let l = self.l;
        match step {
            Step::Nothing => {}
            Step::Note(d) => self.note(part, *d),
            Step::Settle(d) => self.settle(part, *d),
            Step::SettleOf(words) => {
                let kind = self.word(part);
                for &d in words {
                    let (settle, next) = (l.block(self.func, "settle"), l.block(self.func, "settled"));
                    l.cond_br(l.icmp(IPred::LLVMIntEQ, kind, l.i32(d)), settle, next);
                    l.at_end(settle);
                    self.settle(part, d);
                    l.br(next);
                    l.at_end(next);
                }
            }
        }
    }

    /// Moves operands from registers to the state.
    fn settle(&self, part: Part, d: u32) {
        let (a, b) = self.operands(part, d);
        for (second, v) in [(false, a), (true, b)] {
            if flag::register(d, second).is_some() {
                self.l.store(v, self.field(part.operand_offset(second)));
            }
        }
        self.note(part, flag::without_registers(d));
    }

    fn store_bytes(&mut self, values: [Option<V>; 4]) {
        let l = self.l;
        for (n, v) in values.into_iter().enumerate() {
            if let Some(v) = v {
                l.store(l.zext(v, l.int_ty(8)), self.field(offset_of!(GuestState, nzcv) + n));
            }
        }
    }

    /// Stores the operands that the description does not have in it or in registers.
    fn store_operands(&self, part: Part, c: &Compare, word: u32) {
        let store = |v: Value, second: bool| {
            self.l.store(self.operand_bits(v), self.field(part.operand_offset(second)));
        };
        if flag::register(word, false).is_none() {
            store(c.a, false);
        }
        if let Operand::Value(b) = c.b
            && flag::register(word, true).is_none()
        {
            store(b, true);
        }
    }

    pub(crate) fn operand_bits(&self, v: Value) -> V {
        self.l.bitcast(self.value(v), self.l.int_ty(self.type_of(v).bits()))
    }

    /// The word of a part in the state.
    fn word(&self, part: Part) -> V {
        self.l.load(self.l.int_ty(32), self.field(part.word_offset()))
    }

    /// Flag N, Z, C or V (0–3) as it is now.
    pub(crate) fn flag(&self, n: usize) -> V {
        self.flag_in(Part::of_flag(n).filter(|_| self.unit.regs.parts).unwrap_or(Part::All), n)
    }

    /// Flag `n` as that part has it.
    fn flag_in(&self, part: Part, n: usize) -> V {
        let l = self.l;
        let (any, few) = match self.place(part) {
            FlagsAt::Pending(d) => return self.flag_described(part, *d, n),
            FlagsAt::Memory(set) => (set.any, set.few.as_slice()),
            FlagsAt::Nowhere => (true, [].as_slice()),
        };
        let (mut v, others) = match few.split_last() {
            Some((&last, others)) if !any => (self.flag_described(part, last, n), others),
            _ => (self.any_flag(part, n), few),
        };
        if !others.is_empty() {
            let kind = self.word(part);
            for &d in others {
                let is = l.icmp(IPred::LLVMIntEQ, kind, l.i32(d));
                v = l.select(is, self.flag_described(part, d, n), v);
            }
        }
        v
    }

    /// Flag `n` if that description holds.
    fn flag_described(&self, part: Part, d: u32, n: usize) -> V {
        match d & flag::KIND {
            flag::BYTES if part == Part::All => self.flag_byte(n),
            flag::BYTES => self.flag_in(Part::All, n),
            flag::KNOWN => self.l.bool(d >> (11 - n) & 1 != 0),
            kind => {
                let (a, b) = self.operands(part, d);
                if kind == flag::FLOAT {
                    let wide = d & flag::WIDE != 0;
                    let (infinity, normal) =
                        if wide { (0x7ff0 << 48, 1 << 52) } else { (0x7f80 << 16, 1 << 23) };
                    let ty = self.l.type_of(a);
                    return self.compared(n, a, b, self.l.int(ty, infinity), self.l.int(ty, normal));
                }
                self.described(kind, n, a, b)
            }
        }
    }

    /// N ≠ V of a known comparison: "less", which LLVM does not recover from the two.
    pub(crate) fn signed_less(&mut self, args: &[Value]) -> Option<V> {
        let flag_of = |v: Value| match self.def(v) {
            Inst::Get(r) => self.unit.regs.flag(*r),
            _ => None,
        };
        let flags = [flag_of(args[0])?, flag_of(args[1])?];
        let d = self.place(Part::All).single()?;
        if self.unit.regs.parts && self.place(Part::Sign).single() != Some(flag::BYTES) {
            return None;
        }
        // Nothing may write flags between the reads and here.
        let from = args[0].0.min(args[1].0) as usize;
        let here = self.cur.insts[from..].iter().position(
            |i| matches!(i, Inst::Pure { op: PureOp::Int(IntBin::Xor), args: a, .. } if a[..2] == *args),
        )?;
        let kept = !self.cur.insts[from..from + here]
            .iter()
            .any(|i| matches!(i, Inst::Set(r, _) if self.unit.regs.flag(*r).is_some()));
        if !kept || !matches!(flags, [0, 3] | [3, 0]) {
            return None;
        }
        let less = |a, b| self.l.icmp(IPred::LLVMIntSLT, a, b);
        let (a, b) = match d & flag::KIND {
            flag::SUB | flag::DIFFERENCE => self.operands(Part::All, d),
            _ => return None,
        };
        Some(if d & flag::KIND == flag::SUB { less(a, b) } else { less(self.l.add(a, b), b) })
    }

    /// The operands of a known description.
    fn operands(&self, part: Part, d: u32) -> (V, V) {
        let l = self.l;
        let ty = l.int_ty(if d & flag::WIDE != 0 { 64 } else { 32 });
        let operand = |second: bool| match flag::register(d, second) {
            Some(n) => l.trunc(self.get(flags_place::register_of(self.unit.options.regs, n)), ty),
            None => match self.echo.register(d, second).filter(|_| part == Part::All) {
                Some(r) => l.trunc(self.get(r), ty),
                None => l.load(ty, self.field(part.operand_offset(second))),
            },
        };
        let a = operand(false);
        let b = match flag::immediate(d) {
            Some(k) => l.int(ty, k as u128),
            None => operand(true),
        };
        (a, b)
    }

    fn flag_byte(&self, n: usize) -> V {
        let l = self.l;
        let byte = l.load(l.int_ty(8), self.field(offset_of!(GuestState, nzcv) + n));
        l.icmp(IPred::LLVMIntNE, byte, l.zero(l.int_ty(8)))
    }

    /// Flag `n` of integer operands.
    fn described(&self, kind: u32, n: usize, a: V, b: V) -> V {
        let l = self.l;
        let t = l.type_of(a);
        let zero = l.zero(t);
        let overflow = |name: &str, a: V, b: V| l.extract_value(l.intrinsic(name, &[t], &[a, b]), 1);
        let sub = |a: V, b: V| match n {
            0 => l.icmp(IPred::LLVMIntSLT, l.sub(a, b), zero),
            1 => l.icmp(IPred::LLVMIntEQ, a, b),
            2 => l.icmp(IPred::LLVMIntUGE, a, b),
            _ => overflow("llvm.ssub.with.overflow", a, b),
        };
        match (kind, n) {
            (flag::SUB, _) => sub(a, b),
            (flag::DIFFERENCE | flag::SUM | flag::LOGIC, 0) => l.icmp(IPred::LLVMIntSLT, a, zero),
            (flag::DIFFERENCE | flag::SUM | flag::LOGIC, 1) => l.icmp(IPred::LLVMIntEQ, a, zero),
            (flag::DIFFERENCE, _) => sub(l.add(a, b), b),
            (flag::SUM, 2) => l.icmp(IPred::LLVMIntULT, a, b),
            (flag::SUM, _) => overflow("llvm.sadd.with.overflow", l.sub(a, b), b),
            (flag::BIT, _) => l.trunc(l.lshr(a, b), l.int_ty(1)),
            _ => l.bool(false),
        }
    }

    /// Flag `n` of a description that is not known before run time. Rare: flags read at a function's entry, behind a call, or
    /// where many comparisons meet.
    fn any_flag(&self, part: Part, n: usize) -> V {
        let l = self.l;
        let i64t = l.i64_ty();
        let d = self.word(part);
        let has = |bits: u32| l.icmp(IPred::LLVMIntNE, l.and(d, l.i32(bits)), l.i32(0));
        let raw_a = l.load(i64t, self.field(part.operand_offset(false)));
        let inside = l.zext(l.lshr(d, l.i32(flag::IMMEDIATE_SHIFT)), i64t);
        // As `abi::flag::values`: 32-bit operands at the top.
        let wide = has(flag::WIDE);
        let up = l.select(wide, l.i64(0), l.i64(32));
        let a = l.shl(raw_a, up);
        let kind = l.and(d, l.i32(flag::KIND));
        let is = |k: u32| l.icmp(IPred::LLVMIntEQ, kind, l.i32(k));
        let known = {
            let bit = l.lshr(d, l.i32(11 - n as u32));
            l.trunc(bit, l.int_ty(1))
        };
        if part != Part::All {
            let (of, a) = if part == Part::Sign { (flag::LOGIC, a) } else { (flag::BIT, raw_a) };
            let v = l.select(is(of), self.described(of, n, a, inside), known);
            return l.select(is(flag::BYTES), self.flag_in(Part::All, n), v);
        }
        let own = l.load(i64t, self.field(part.operand_offset(true)));
        let b = l.shl(l.select(has(flag::IMMEDIATE), inside, own), up);
        let mut v = l.select(is(flag::BYTES), self.flag_byte(n), known);
        for k in [flag::SUB, flag::DIFFERENCE, flag::SUM, flag::LOGIC] {
            v = l.select(is(k), self.described(k, n, a, b), v);
        }
        let infinity = l.select(wide, l.i64(0x7ff0 << 48), l.i64(0x7f80 << 48));
        let normal = l.select(wide, l.i64(1 << 52), l.i64(1 << 55));
        l.select(is(flag::FLOAT), self.compared(n, a, b, infinity, normal), v)
    }

    /// Flag `n` of the comparison of floating-point numbers, from their bits: a host comparison would raise exceptions.
    /// With FPCR.FZ those below the smallest `normal` are zero.
    fn compared(&self, n: usize, a: V, b: V, infinity: V, normal: V) -> V {
        let l = self.l;
        let t = l.type_of(a);
        let top = l.int(t, if t == l.i64_ty() { 63 } else { 31 });
        let magnitude = |v: V| l.lshr(l.shl(v, l.int(t, 1)), l.int(t, 1));
        let nan = |v: V| l.icmp(IPred::LLVMIntUGT, magnitude(v), infinity);
        let unordered = l.or(nan(a), nan(b));
        if n == 3 {
            return unordered;
        }
        let fpcr = l.load(l.int_ty(32), self.field(offset_of!(GuestState, fpcr)));
        let flush = l.icmp(IPred::LLVMIntNE, l.and(fpcr, l.i32(flag::FPCR_FZ)), l.i32(0));
        let least = l.select(flush, normal, l.zero(t));
        // Sign and magnitude → two's complement, in which both zeros are 0.
        let order = |v: V| {
            let sign = l.ashr(v, top);
            let m = magnitude(v);
            let m = l.select(l.icmp(IPred::LLVMIntULT, m, least), l.zero(t), m);
            l.sub(l.xor(m, sign), sign)
        };
        let (a, b) = (order(a), order(b));
        let ordered = |p: IPred| l.and(l.not(unordered), l.icmp(p, a, b));
        match n {
            0 => ordered(IPred::LLVMIntSLT),
            1 => ordered(IPred::LLVMIntEQ),
            _ => l.not(ordered(IPred::LLVMIntSLT)),
        }
    }
}
