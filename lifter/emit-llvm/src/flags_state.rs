//! Lazy flags: notes what `flags` found, in the state as late as `flags_place` allows, and computes a flag from a description
//! where one is read. Fault blocks note what is pending; operands are in the state, in the word or in guest registers.

use crate::flags::{Compare, Form, Group, Operand};
use crate::flags_place::{self, FlagsAt, Step};
use crate::function::Fx;
use crate::llvm::{IPred, V};
use abi::{GuestState, flag};
use ir::{Inst, IntBin, PureOp, Value};
use std::mem::offset_of;

impl Fx<'_, '_> {
    /// Makes the flags those of the group.
    pub(crate) fn set_flags(&mut self, group: &Group) {
        let commit = self.unit.regs.commit;
        if group.seen {
            match &group.form {
                Form::Known(_) => {}
                Form::Compare(c) => self.store_operands(c, group.word),
                Form::Guarded(guard, c, otherwise) => {
                    let l = self.l;
                    let (yes, no) = (l.i32(group.word), l.i32(*otherwise));
                    let (yes, no) = if guard.negated { (no, yes) } else { (yes, no) };
                    let kind = l.select(self.value(guard.value), yes, no);
                    l.store(kind, self.field(offset_of!(GuestState, flag_kind)));
                    self.store_operands(c, group.word);
                }
                Form::Bytes(values) => {
                    self.store_bytes(values.map(|v| v.map(|v| self.value(v))));
                }
                Form::Merge(values) => {
                    let settled = self.place.single() == Some(flag::BYTES);
                    let values = std::array::from_fn(|n| match values[n] {
                        Some(v) => Some(self.value(v)),
                        None if settled => None,
                        None => Some(self.flag(n)),
                    });
                    self.store_bytes(values);
                }
            }
        }
        let place = flags_place::behind(group, commit);
        if let (true, Some(d)) = (commit, place.single())
            && self.place != place
        {
            self.note(d);
        }
        self.moved(place);
    }

    fn moved(&mut self, place: FlagsAt) {
        if self.place != place {
            self.place = place;
            self.fault = None;
        }
    }

    fn note(&self, description: u32) {
        self.l.store(self.l.i32(description), self.field(offset_of!(GuestState, flag_kind)));
    }

    /// Puts the word into the state if it may not be there yet; for exits to the runtime, which looks into registers.
    pub(crate) fn note_pending(&self) {
        if let FlagsAt::Pending(d) = self.place {
            self.note(d);
        }
    }

    /// Makes the state's flags independent of registers; for exits to other lifted code.
    pub(crate) fn publish_flags(&mut self) {
        self.take(&flags_place::publish(&self.place));
        let settled = self.place.settled();
        self.moved(settled);
    }

    /// Emits a step; the builder may continue in another block.
    pub(crate) fn take(&self, step: &Step) {
        let l = self.l;
        match step {
            Step::Nothing => {}
            Step::Note(d) => self.note(*d),
            Step::Settle(d) => self.settle(*d),
            Step::SettleOf(words) => {
                let kind = l.load(l.int_ty(32), self.field(offset_of!(GuestState, flag_kind)));
                for &d in words {
                    let (settle, next) = (l.block(self.func, "settle"), l.block(self.func, "settled"));
                    l.cond_br(l.icmp(IPred::LLVMIntEQ, kind, l.i32(d)), settle, next);
                    l.at_end(settle);
                    self.settle(d);
                    l.br(next);
                    l.at_end(next);
                }
            }
        }
    }

    /// Moves operands from registers to the state.
    fn settle(&self, d: u32) {
        let (a, b) = self.operands(d);
        for (b_is, v, offset) in
            [(false, a, offset_of!(GuestState, flag_a)), (true, b, offset_of!(GuestState, flag_b))]
        {
            if flag::register(d, b_is).is_some() {
                self.l.store(v, self.field(offset));
            }
        }
        self.note(flag::without_registers(d));
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
    fn store_operands(&self, c: &Compare, word: u32) {
        let store = |v: Value, offset: usize| {
            let ty = self.type_of(v);
            let bits = self.l.bitcast(self.value(v), self.l.int_ty(ty.bits()));
            self.l.store(bits, self.field(offset));
        };
        if flag::register(word, false).is_none() {
            store(c.a, offset_of!(GuestState, flag_a));
        }
        if let Operand::Value(b) = c.b
            && flag::register(word, true).is_none()
        {
            store(b, offset_of!(GuestState, flag_b));
        }
    }

    /// Flag N, Z, C or V (0–3) as it is now.
    pub(crate) fn flag(&mut self, n: usize) -> V {
        let l = self.l;
        let (any, few) = match &self.place {
            FlagsAt::Pending(d) => return self.flag_described(*d, n),
            FlagsAt::Memory(set) => (set.any, set.few.as_slice()),
            FlagsAt::Nowhere => (true, [].as_slice()),
        };
        let (mut v, others) = match few.split_last() {
            Some((&last, others)) if !any => (self.flag_described(last, n), others),
            _ => (self.any_flag(n), few),
        };
        if !others.is_empty() {
            let kind = l.load(l.int_ty(32), self.field(offset_of!(GuestState, flag_kind)));
            for &d in others {
                let is = l.icmp(IPred::LLVMIntEQ, kind, l.i32(d));
                v = l.select(is, self.flag_described(d, n), v);
            }
        }
        v
    }

    /// Flag `n` if that description holds.
    fn flag_described(&self, d: u32, n: usize) -> V {
        match d & flag::KIND {
            flag::BYTES => self.flag_byte(n),
            flag::KNOWN => self.l.bool(d >> (11 - n) & 1 != 0),
            kind => {
                let (a, b) = self.operands(d);
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
        let d = self.place.single()?;
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
            flag::SUB | flag::DIFFERENCE => self.operands(d),
            _ => return None,
        };
        Some(if d & flag::KIND == flag::SUB { less(a, b) } else { less(self.l.add(a, b), b) })
    }

    /// The operands of a known description.
    fn operands(&self, d: u32) -> (V, V) {
        let l = self.l;
        let ty = l.int_ty(if d & flag::WIDE != 0 { 64 } else { 32 });
        let operand = |b: bool, offset: usize| match flag::register(d, b) {
            Some(n) => l.trunc(self.get(flags_place::register_of(self.unit.options.regs, n)), ty),
            None => match self.echo.register(d, b) {
                Some(r) => l.trunc(self.get(r), ty),
                None => l.load(ty, self.field(offset)),
            },
        };
        let a = operand(false, offset_of!(GuestState, flag_a));
        let b = match flag::immediate(d) {
            Some(k) => l.int(ty, k as u128),
            None => operand(true, offset_of!(GuestState, flag_b)),
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
            _ => l.bool(false),
        }
    }

    /// Flag `n` of a description that is not known before run time. Rare: flags read at a function's entry, behind a call, or
    /// where many comparisons meet.
    fn any_flag(&self, n: usize) -> V {
        let l = self.l;
        let (i32t, i64t) = (l.int_ty(32), l.i64_ty());
        let d = l.load(i32t, self.field(offset_of!(GuestState, flag_kind)));
        let has = |bits: u32| l.icmp(IPred::LLVMIntNE, l.and(d, l.i32(bits)), l.i32(0));
        let wide = has(flag::WIDE);
        let raw_a = l.load(i64t, self.field(offset_of!(GuestState, flag_a)));
        let own = l.load(i64t, self.field(offset_of!(GuestState, flag_b)));
        let inside = l.zext(l.lshr(d, l.i32(flag::IMMEDIATE_SHIFT)), i64t);
        let raw_b = l.select(has(flag::IMMEDIATE), inside, own);
        // As `abi::flag::values`: 32-bit operands at the top.
        let up = l.select(wide, l.i64(0), l.i64(32));
        let (a, b) = (l.shl(raw_a, up), l.shl(raw_b, up));
        let kind = l.and(d, l.i32(flag::KIND));
        let is = |k: u32| l.icmp(IPred::LLVMIntEQ, kind, l.i32(k));
        let known = {
            let bit = l.lshr(d, l.i32(11 - n as u32));
            l.trunc(bit, l.int_ty(1))
        };
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
