//! Terminators: how control leaves a block, to other blocks, to lifted functions, or up to the dispatcher. The protocol
//! is that of `abi` (`HOT_GPRS`, `EXIT_PC`): what is dirty goes to the state, hot registers travel in host registers,
//! and a callee that returns tells where to in the link register.

use crate::function::{ABSENT_STUB, Fx, SYSCALL_STUB};
use crate::llvm::{Bb, IPred, REGCALL, V};
use crate::{Addresses, Number, Place};
use abi::{Exit, GuestState};
use ir::{BlockId, CallTarget, GuestAddr, Inst, Term};
use std::mem::offset_of;

impl Fx<'_, '_> {
    pub(crate) fn term(&mut self, term: &Term) {
        match term {
            Term::Jump(b) => {
                let to = self.ways_to(&[*b]);
                self.l.br(to[0]);
            }
            Term::Branch { cond, then, els } => {
                let c = self.value(*cond);
                let to = self.ways_to(&[*then, *els]);
                match self.rare() {
                    Some(b) => self.l.rare_br(c, to[0], to[1], b == *then),
                    None => self.l.cond_br(c, to[0], to[1]),
                }
            }
            Term::Switch { target, cases } => self.switch(*target, cases),
            Term::Goto(a) => {
                self.publish_flags();
                self.store_dirty();
                self.goto(*a);
            }
            Term::Indirect(v) => {
                let target = self.value(*v);
                self.publish_flags();
                self.store_dirty();
                self.indirect(target);
            }
            Term::Call { target, ret, cont } => self.call(target, *ret, *cont),
            Term::Return(v) => {
                let pc = self.value(*v);
                self.publish_flags();
                self.store_dirty();
                self.give_back(*v, pc);
            }
            Term::Syscall { imm: _, next, cont } => self.syscall(*next, *cont),
            Term::Trap { kind: _, pc } => self.exit(Exit::Trap, *pc),
            Term::Fallback { pc } => self.exit(Exit::Fallback, *pc),
        }
    }

    /// Leaves to the dispatcher with that reason at that address.
    pub(crate) fn exit(&mut self, why: Exit, pc: GuestAddr) {
        self.store_dirty();
        self.note_pending();
        self.set_exit(why, pc);
        self.leave();
    }

    /// Stores reason and address.
    pub(crate) fn set_exit(&self, why: Exit, pc: GuestAddr) {
        let pc = self.code_addr(pc);
        self.l.store(pc, self.field(offset_of!(GuestState, pc)));
        self.l.store(self.l.i32(why as u32), self.field(offset_of!(GuestState, exit)));
    }

    fn switch(&mut self, target: ir::Value, cases: &[(GuestAddr, BlockId)]) {
        let target = self.value(target);
        let link =
            if self.unit.options.position_independent { self.l.sub(target, self.bias()) } else { target };
        let other = self.l.block(self.func, "other");
        let blocks: Vec<BlockId> = cases.iter().map(|c| c.1).collect();
        let to = self.ways_to(&blocks);
        let cases: Vec<_> = cases.iter().zip(to).map(|(&(a, _), bb)| (a, bb)).collect();
        match self.unit.options.addresses {
            Addresses::Fixed => {
                let cases: Vec<_> = cases.iter().map(|&(a, bb)| (self.l.i64(a.0), bb)).collect();
                self.l.switch(link, other, &cases);
                self.l.at_end(other);
            }
            Addresses::Symbolic => self.symbolic_switch(link, &cases, other),
        }
        self.publish_flags();
        self.store_dirty();
        self.indirect(target);
    }

    /// A switch for each piece of code in which targets lie, by the distance from its first one; ends in `other`.
    fn symbolic_switch(&mut self, link: V, cases: &[(GuestAddr, Bb)], other: Bb) {
        for piece in cases.chunk_by(|a, b| Place::of(a.0).number == Place::of(b.0).number) {
            let first = piece[0].0;
            let distance = self.l.add(link, self.unit.number(Number::MinusPlace(Place::of(first))));
            let targets: Vec<_> = piece.iter().map(|&(a, bb)| (self.l.i64(a.0 - first.0), bb)).collect();
            let next = self.l.block(self.func, "");
            self.l.switch(distance, next, &targets);
            self.l.at_end(next);
        }
        self.l.br(other);
        self.l.at_end(other);
    }

    /// Jumps to a known address outside the function.
    fn goto(&mut self, a: GuestAddr) {
        match (self.unit.resolve)(a) {
            Some(symbol) => {
                let f = self.l.declare(&symbol, self.unit.fn_ty, REGCALL);
                let args = self.hot_args();
                self.l.tail_call(f, self.unit.fn_ty, &args, REGCALL);
            }
            None => {
                let stub = self.absent(a);
                let args = self.hot_args();
                self.l.tail_call(stub, self.unit.fn_ty, &args, REGCALL);
            }
        }
    }

    /// What stands for the function at that address, of which there is none.
    fn absent(&self, a: GuestAddr) -> V {
        let pc = self.code_addr(a);
        self.l.store(pc, self.field(offset_of!(GuestState, pc)));
        self.l.declare(ABSENT_STUB, self.unit.fn_ty, REGCALL)
    }

    /// Looks `target` of a jump or a call up in the dispatch table; gives the host address of its function, or of what stands for
    /// one that is absent.
    fn lookup(&mut self, target: V, call: bool) -> V {
        let l = self.l;
        let o = self.unit.options;
        let (offset, words) = match o.addresses {
            Addresses::Fixed => {
                (l.sub(target, self.code_addr(o.text_base)), l.i64(o.text_size / o.dispatch_unit))
            }
            Addresses::Symbolic => {
                let offset = l.add(target, self.unit.number(Number::MinusTextBase));
                let offset = if o.position_independent { l.sub(offset, self.bias()) } else { offset };
                (offset, self.unit.number(Number::TextWords))
            }
        };
        // Rotating instead of shifting makes misaligned addresses large.
        let index = match o.dispatch_unit {
            1 => offset,
            n => {
                let shift = l.i64(n.trailing_zeros().into());
                l.intrinsic("llvm.fshr", &[l.i64_ty()], &[offset, offset, shift])
            }
        };
        let inside = l.icmp(IPred::LLVMIntULT, index, words);
        let (look, miss, found) =
            (l.block(self.func, "look"), l.block(self.func, "miss"), l.block(self.func, "found"));
        l.likely_br(inside, look, miss);

        l.at_end(look);
        let table = l.extern_global("xl_dispatch", l.int_ty(32));
        let byte = l.shl(index, l.i64(2));
        let entry = l.load(l.int_ty(32), l.gep(table, byte));
        let none = l.icmp(IPred::LLVMIntEQ, entry, l.i32(0));
        let relative = l.sext(entry, l.i64_ty());
        let function = l.gep(table, relative);
        l.unlikely_br(none, miss, found);

        l.at_end(miss);
        // Cold: profiles tell by it whose targets these are.
        let call = if call { abi::profile::CALL_BIT } else { 0 };
        let source = self.code_addr(GuestAddr(self.pc.0 + call));
        l.store(source, self.field(offset_of!(GuestState, source)));
        l.store(target, self.field(offset_of!(GuestState, pc)));
        let absent = l.declare(ABSENT_STUB, self.unit.fn_ty, REGCALL);
        l.br(found);

        l.at_end(found);
        l.phi(l.ptr_ty(), &[(function, look), (absent, miss)])
    }

    /// Jumps to a run-time guest address; what is dirty has been stored.
    fn indirect(&mut self, target: V) {
        let f = self.lookup(target, false);
        let args = self.hot_args();
        self.l.tail_call(f, self.unit.fn_ty, &args, REGCALL);
    }

    /// Returns to a run-time guest address: the value `v` of the block. What is dirty has been stored.
    fn give_back(&mut self, v: ir::Value, pc: V) {
        let link = self.unit.options.hot.link;
        let last = self.cur.insts.iter().enumerate().rev().find_map(|(i, inst)| match *inst {
            Inst::Set(r, w) if r == link => Some(w == v),
            Inst::Get(r) if r == link && i == v.0 as usize => Some(true),
            _ => None,
        });
        if last == Some(true) {
            let args = self.hot_args();
            self.l.ret_aggregate(&args);
        } else {
            self.go_on_at(pc);
        }
    }

    /// Drops all host frames and has the dispatcher go on at a run-time guest address.
    fn go_on_at(&self, pc: V) {
        self.l.store(pc, self.field(offset_of!(GuestState, pc)));
        self.l.store(self.l.i32(Exit::Pc as u32), self.field(offset_of!(GuestState, exit)));
        self.leave();
    }

    fn call(&mut self, target: &CallTarget, ret: GuestAddr, cont: Option<BlockId>) {
        let indirect = match target {
            CallTarget::Direct(_) => None,
            CallTarget::Indirect(v) => Some(self.value(*v)),
        };
        self.publish_flags();
        self.store_dirty();
        let callee = match *target {
            CallTarget::Indirect(_) => {
                let target = indirect.expect("invariant: read above");
                self.lookup(target, true)
            }
            CallTarget::Direct(a) => match (self.unit.resolve)(a) {
                Some(symbol) => self.l.declare(&symbol, self.unit.fn_ty, REGCALL),
                None => self.absent(a),
            },
        };
        let (l, slot) = (self.l, self.unit.link_slot());
        let expected = self.code_addr(ret);
        let came_back = |result| l.icmp(IPred::LLVMIntEQ, l.extract_value(result, slot), expected);
        self.call_and_compare(callee, came_back, ret, cont);
    }

    fn syscall(&mut self, next: GuestAddr, cont: Option<BlockId>) {
        self.publish_flags();
        self.store_dirty();
        let pc = self.code_addr(next);
        self.l.store(pc, self.field(offset_of!(GuestState, pc)));
        let stub = self.l.declare(SYSCALL_STUB, self.unit.fn_ty, REGCALL);
        let (l, slot) = (self.l, self.unit.link_slot());
        let came_back = |result| l.icmp(IPred::LLVMIntNE, l.extract_value(result, slot), l.i64(abi::EXIT_PC));
        self.call_and_compare(stub, came_back, next, cont);
    }

    /// Calls; if the callee comes back to `ret`, goes on at `cont`, else passes on what it returned.
    fn call_and_compare(
        &mut self,
        callee: V,
        came_back: impl FnOnce(V) -> V,
        ret: GuestAddr,
        cont: Option<BlockId>,
    ) {
        let l = self.l;
        let args = self.hot_args();
        let result = l.call(callee, self.unit.fn_ty, &args, REGCALL);
        let same = came_back(result);
        let (back, elsewhere) = (l.block(self.func, "back"), l.block(self.func, "elsewhere"));
        l.likely_br(same, back, elsewhere);
        l.at_end(elsewhere);
        self.return_elsewhere(result);
        l.at_end(back);
        self.receive(result);
        match cont {
            Some(b) => self.enter(b, self.unit.regs.dirty_at_entry()),
            None => self.goto(ret),
        }
    }
}
