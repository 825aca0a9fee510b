//! One IR function → one LLVM function: entry and resume points, registers in stack slots (which LLVM promotes), blocks
//! and instructions. Data operations, accesses and terminators are in files of their own.

use crate::flags::{self, Part, Parts};
use crate::flags_echo::{self, Echo};
use crate::flags_place::{self, Flags, FlagsAt, Step};
use crate::flags_split;
use crate::float_again::Again;
use crate::float_chain::{self, Chain, Opaque};
use crate::float_together::Together;
use crate::flow::{self, Flow, RegSet};
use crate::homes;
use crate::llvm::{Bb, IPred, Llvm, REGCALL, V};
use crate::op_float::Compared;
use crate::slots::{self, Slot};
use crate::unit::UnitCx;
use crate::uses::{Uses, uses};
use crate::zeros::{self, Zeros};
use crate::{Addresses, Checkpoints, Place, ResumePoint};
use abi::{Exit, GuestState, symbol};
use ir::{BlockId, CacheOp, Fence, Function, GuestAddr, Inst, Reg, SysReg, Type, Value};
use std::mem::offset_of;

/// Stub for system calls, of a lifted function's type.
pub(crate) const SYSCALL_STUB: &str = "xl_syscall";
/// Stub that returns `EXIT_PC`, of a lifted function's type.
pub(crate) const LEAVE_STUB: &str = abi::symbol::LEAVE;
pub(crate) const ABSENT_STUB: &str = abi::symbol::ABSENT;
pub(crate) const UNWIND_STUB: &str = abi::symbol::UNWIND;

const _: () = assert!(offset_of!(GuestState, v).is_multiple_of(16));

/// A way to a block, and which registers are stored and which are loaded on it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Way {
    to: BlockId,
    store: RegSet,
    load: RegSet,
}

/// A function under construction.
pub(crate) struct Fx<'a, 'c> {
    pub(crate) unit: &'a UnitCx<'a, 'c>,
    pub(crate) l: &'a Llvm<'c>,
    pub(crate) func: V,
    /// Holds the state's address, which calls take and give back as they do registers.
    state: V,
    flow: &'a Flow,
    pub(crate) flags: &'a Parts<Flags>,
    zeros: &'a [Zeros],
    slots: Vec<Option<Slot>>,
    /// Registers whose home is a vector slot (see `homes`), and the variables that are it.
    homes: Vec<(Reg, V)>,
    pub(crate) blocks: Vec<Bb>,
    /// The block being emitted, its values, and for narrow ones the value zero-extended to i64 (or in a vector with zeros
    /// above) where that is at hand.
    pub(crate) cur: &'a ir::Block,
    pub(crate) index: usize,
    values: Vec<Option<V>>,
    wide: Vec<Option<V>>,
    /// The lower two singles of an f64 or vector, where they are at hand.
    pub(crate) singles: Vec<Option<[V; 2]>>,
    /// How many low bits of each vector value can differ from zero.
    widths: Vec<u32>,
    pub(crate) uses: Vec<Uses>,
    /// Address of the guest instruction being emitted.
    pub(crate) pc: GuestAddr,
    pub(crate) dirty: RegSet,
    /// The fault block for the registers as they are now.
    pub(crate) fault: Option<Bb>,
    /// Where all fault blocks meet to leave.
    common_leave: Option<Bb>,
    /// Blocks behind calls that came back to elsewhere, with what they returned; none if there are no resume points.
    elsewhere: Vec<(Bb, Vec<V>)>,
    /// The function has resume points.
    resumes: bool,
    /// Where each part of the flags is now.
    pub(crate) places: Parts<FlagsAt>,
    /// Operands that are in the state and in registers, too; and at the starts of blocks.
    pub(crate) echo: Echo,
    echoes: Vec<Echo>,
    /// Blocks that store and load registers on the way to another, by where to and what.
    ways: Vec<(Way, Bb)>,
    /// Scalar comparisons made in this block.
    pub(crate) compares: Vec<Compared>,
    /// While a run of instructions is emitted that looks at floating-point results together.
    pub(crate) together: Option<Together>,
    /// While the other form of a run is emitted in which accesses stand.
    pub(crate) again: Option<Again>,
    opaque: &'a Opaque,
    /// Values of the block that cannot turn out to be constants.
    opaque_values: Vec<bool>,
}

/// Emits `f` into the unit's module and gives its resume points.
pub(crate) fn emit(unit: &UnitCx<'_, '_>, f: &Function) -> Vec<ResumePoint> {
    let l = &unit.llvm;
    let symbol = crate::symbol_of(f);
    let func = l.declare(&symbol, unit.fn_ty, REGCALL);
    l.set_section(func, symbol::TEXT_SECTION);
    l.fn_attribute(func, "nounwind");
    l.fn_attribute(func, "noredzone");
    l.never_align_frame(func);
    let split = flags_split::split(f, &unit.regs, unit.options.regs);
    let f = split.as_ref().unwrap_or(f);
    // Not `strictfp`, though constrained intrinsics are used: it would put an x87 `wait` behind every access.
    let flow = flow::analyse(f, &unit.regs);
    let groups = flags::groups(f, &unit.regs, unit.options.regs);
    let flags = flags_place::analyse(f, &unit.regs, unit.options.regs, &flow, groups);
    let zeros = zeros::analyse(f, &flow.depth);
    let opaque = Opaque::analyse(f);
    let entry = l.block(func, "entry");
    l.at_end(entry);
    let state = l.alloca(l.ptr_ty(), "state");
    l.store(l.param(func, 0), state);
    let slots = slots::allocate(unit, f, &flow);
    let home = |r| (r, l.alloca(l.ivec_ty(64, 2), unit.options.regs.info(r).name));
    let homes = unit.regs.homed.iter().map(home).collect();
    let blocks: Vec<Bb> =
        f.blocks.iter().enumerate().map(|(i, b)| l.block(func, &format!("b{i}_{:x}", b.pc.0))).collect();
    let mut fx = Fx {
        unit,
        l,
        func,
        state,
        flow: &flow,
        flags: &flags,
        zeros: &zeros,
        slots,
        homes,
        blocks,
        cur: &f.blocks[0],
        index: 0,
        values: Vec::new(),
        wide: Vec::new(),
        singles: Vec::new(),
        widths: Vec::new(),
        uses: Vec::new(),
        pc: f.entry,
        dirty: RegSet::default(),
        fault: None,
        common_leave: None,
        elsewhere: Vec::new(),
        resumes: f.blocks.iter().any(|b| b.resume),
        places: Part::EVERY.map(|_| FlagsAt::Nowhere),
        echo: Echo::default(),
        echoes: flags_echo::at_starts(f, &flags[Part::All as usize].groups, unit.options.regs),
        ways: Vec::new(),
        compares: Vec::new(),
        together: None,
        again: None,
        opaque: &opaque,
        opaque_values: Vec::new(),
    };
    fx.receive_hot(|i| l.param(func, i));
    let resume: Vec<usize> = (0..f.blocks.len()).filter(|&i| f.blocks[i].resume).collect();
    fx.entry(f, &resume);
    for (i, b) in f.blocks.iter().enumerate() {
        fx.block_body(i, b);
    }
    if let Some(b) = fx.common_leave {
        l.at_end(b);
        fx.leave();
    }
    fx.unwind();
    resume
        .iter()
        .enumerate()
        .map(|(index, &i)| ResumePoint {
            guest: f.blocks[i].pc,
            function: symbol.clone(),
            index: index as u32,
        })
        .collect()
}

impl<'a> Fx<'a, '_> {
    // Registers and state.

    pub(crate) fn slot(&self, r: Reg) -> Slot {
        self.slots[r.0 as usize].expect("invariant: the analysis lists every register")
    }

    fn set(&mut self, r: Reg, v: V) {
        self.put(r, v);
        self.fault = None;
    }

    /// Address of the guest state.
    pub(crate) fn state(&self) -> V {
        self.l.load(self.l.ptr_ty(), self.state)
    }

    pub(crate) fn field(&self, offset: usize) -> V {
        self.unit.field(self.state(), offset)
    }

    /// The arguments of a lifted function, or its results: the state's address, then the hot registers.
    pub(crate) fn hot_args(&self) -> Vec<V> {
        let value = |r| match self.home(r) {
            Some(home) => self.at_home(home),
            None => self.unit.to_slot(r, self.get(r)),
        };
        std::iter::once(self.state()).chain(self.unit.hot().map(value)).collect()
    }

    /// Takes state and hot registers from the results of a call.
    pub(crate) fn receive(&mut self, result: V) {
        let l = self.l;
        l.store(l.extract_value(result, 0), self.state);
        self.receive_hot(|i| l.extract_value(result, i));
    }

    /// Takes hot registers from parameters or results 1….
    fn receive_hot(&mut self, value: impl Fn(u32) -> V) {
        let hot = &self.unit.options.hot;
        for (i, r) in self.unit.hot().enumerate() {
            if let Some(home) = self.home(r) {
                self.l.store(value(i as u32 + 1), home);
                continue;
            }
            let v = if r == hot.link && !hot.link_is_guest {
                // Only what is returned means something.
                self.l.i64(0)
            } else {
                self.unit.out_of_slot(r, value(i as u32 + 1))
            };
            self.set(r, v);
        }
    }

    /// Loads the cold registers that `b` needs when everything but `dirty` is in the state, and goes there.
    pub(crate) fn enter(&mut self, b: BlockId, dirty: RegSet) {
        self.store_set(self.flow.stored(dirty, b));
        self.load_set(self.flow.missing(None, b));
        self.l.br(self.blocks[b.0 as usize]);
    }

    fn store_set(&self, set: RegSet) {
        for r in self.store_quads(set).iter() {
            let v = self.get(r);
            match self.home(r) {
                Some(home) => self.l.store(self.unit.to_slot(r, v), home),
                None => self.unit.store_reg(self.state(), r, v),
            }
        }
    }

    /// The variable that is the register's home, if that is not the state.
    fn home(&self, r: Reg) -> Option<V> {
        self.homes.iter().find(|h| h.0 == r).map(|h| h.1)
    }

    fn at_home(&self, home: V) -> V {
        self.l.load(self.l.ivec_ty(64, 2), home)
    }

    /// The vector that is a register's home and has the value `v`.
    pub(crate) fn value_at_home(&self, v: ir::Value) -> Option<V> {
        let r = homes::read_from(self.cur, v)?;
        let home = self.home(r)?;
        (!self.flow.dirty[self.index].contains(r)).then(|| self.at_home(home))
    }

    /// True if value `i` of the block goes to vector slots, and nowhere else.
    pub(crate) fn goes_home(&self, i: usize) -> bool {
        homes::restored(self.cur, i).is_some_and(|to| to.iter().all(|&r| self.home(r).is_some()))
    }

    fn load_set(&self, set: RegSet) {
        for r in self.load_quads(set).iter() {
            let v = match self.home(r) {
                Some(home) => self.unit.out_of_slot(r, self.at_home(home)),
                None => self.unit.load_reg(self.state(), r),
            };
            self.put(r, v);
        }
    }

    /// Where to go to get from the end of the current block to `b`: there, or to a block that does a step for the flags,
    /// stores what must not be dirty in `b` and loads what it needs first.
    pub(crate) fn way_to(&mut self, b: BlockId, steps: &Parts<Step>) -> Bb {
        let store = self.flow.stored(self.dirty, b);
        let way = Way { to: b, store, load: self.flow.missing(Some(self.index), b) };
        let direct = self.blocks[b.0 as usize];
        // What a step does depends on registers as they are here.
        let shared = steps.iter().all(|s| *s == Step::Nothing);
        if store.union(way.load) == RegSet::default() && shared {
            return direct;
        }
        if let (true, Some(&(_, bb))) = (shared, self.ways.iter().find(|w| w.0 == way)) {
            return bb;
        }
        let here = self.l.current_block();
        let bb = self.l.block(self.func, "load");
        self.l.at_end(bb);
        for (part, step) in Part::EVERY.into_iter().zip(steps) {
            self.take(part, step);
        }
        self.store_set(way.store);
        self.load_set(way.load);
        self.l.br(direct);
        self.l.at_end(here);
        if shared {
            self.ways.push((way, bb));
        }
        bb
    }

    /// Where to go to get to these blocks: steps for the flags that all ways share, or that the ways stay for that are run
    /// most often, are done here.
    pub(crate) fn ways_to(&mut self, to: &[BlockId]) -> Vec<Bb> {
        let mut steps = vec![Part::EVERY.map(|_| Step::Nothing); to.len()];
        for part in Part::EVERY {
            for (steps, step) in steps.iter_mut().zip(self.steps_to(part, to)) {
                steps[part as usize] = step;
            }
        }
        to.iter().zip(&steps).map(|(&b, s)| self.way_to(b, s)).collect()
    }

    /// What is left to do for a part on the ways to these blocks.
    fn steps_to(&self, part: Part, to: &[BlockId]) -> Vec<Step> {
        let depth = |b: BlockId| self.flow.depth[b.0 as usize];
        let place = &self.places[part as usize];
        let steps: Vec<Step> =
            to.iter().map(|b| self.flags[part as usize].step(place, b.0 as usize)).collect();
        let deepest = to.iter().map(|&b| depth(b)).max();
        let here = to.iter().zip(&steps).find(|(b, s)| {
            steps.iter().all(|t| t == *s) || matches!(s, Step::Note(_)) && Some(depth(**b)) == deepest
        });
        let Some(here) = here.map(|(_, s)| s.clone()) else { return steps };
        self.take(part, &here);
        steps.into_iter().map(|s| if s == here { Step::Nothing } else { s }).collect()
    }

    /// Stores the registers that may differ from the state and do not leave in host registers.
    pub(crate) fn store_dirty(&self) {
        self.store_set(self.dirty.without(self.unit.regs.hot));
    }

    /// Stores all registers that may differ from the state, so that none does.
    pub(crate) fn commit(&mut self) {
        self.store_set(self.dirty);
        self.dirty = RegSet::default();
    }

    /// The successor that the current block's branch goes to rarely.
    pub(crate) fn rare(&self) -> Option<BlockId> {
        self.flow.rare[self.index]
    }

    pub(crate) fn bias(&self) -> V {
        self.l.load_invariant(self.l.i64_ty(), self.field(offset_of!(GuestState, image_bias)))
    }

    /// Run-time address of a link-time address.
    pub(crate) fn code_addr(&self, a: GuestAddr) -> V {
        let link = self.unit.link_addr(a);
        let constant = self.unit.options.addresses == Addresses::Symbolic
            && Place::of(a).number >= Place::FIRST_CONSTANT;
        if self.unit.options.position_independent && !constant { self.l.add(self.bias(), link) } else { link }
    }

    /// Ends the block by leaving to the dispatcher; reason and address are in the state.
    pub(crate) fn leave(&self) {
        let l = self.l;
        let stub = l.declare(LEAVE_STUB, self.unit.fn_ty, REGCALL);
        let args = self.hot_args();
        l.tail_call(stub, self.unit.fn_ty, &args, REGCALL);
    }

    /// The block to which a fault goes while registers are as they are now: it puts the state in order and leaves.
    /// Address and reason are in the state already.
    pub(crate) fn fault_block(&mut self) -> Bb {
        if let Some(b) = self.fault {
            return b;
        }
        if let Some(b) = self.fault_in_run() {
            self.fault = Some(b);
            return b;
        }
        let here = self.l.current_block();
        let b = self.l.block(self.func, "fault");
        self.l.at_end(b);
        self.store_for_fault();
        self.keep_block();
        self.leave_at_fault();
        self.l.at_end(here);
        self.fault = Some(b);
        b
    }

    /// The block to which the fault of a load goes that has the old value of `r` in its result.
    pub(crate) fn tied_fault_block(&mut self, b: Bb, id: u32, r: Reg, old: V) {
        let here = self.l.current_block();
        self.l.at_end(b);
        self.tied_fault(id, r, old);
        self.store_for_fault();
        self.leave_at_fault();
        self.l.at_end(here);
    }

    /// Puts the state in order in a fault block.
    fn store_for_fault(&self) {
        self.store_dirty();
        self.note_pending();
    }

    /// Ends a fault block.
    fn leave_at_fault(&mut self) {
        let common = *self.common_leave.get_or_insert_with(|| self.l.block(self.func, "leave"));
        self.l.br(common);
    }

    /// Keeps LLVM from folding the current block away if nothing else is in it. Where ways meet behind it, values are copied;
    /// without a block of their own, the copies would stand before the access.
    fn keep_block(&self) {
        self.l.asm_call("", "", self.l.void_ty(), &[], &[]);
    }

    /// Behind a call that came back to elsewhere: passes that on.
    pub(crate) fn return_elsewhere(&mut self, result: V) {
        if !self.resumes {
            return self.l.ret(result);
        }
        let values = (0..=self.unit.hot().count() as u32).map(|i| self.l.extract_value(result, i)).collect();
        // The function's end joins these blocks.
        self.elsewhere.push((self.l.current_block(), values));
    }

    /// Where calls that came back to elsewhere meet: control may have come to this function again.
    fn unwind(&mut self) {
        let l = self.l;
        let Some((_, first)) = self.elsewhere.first() else { return };
        let common = l.block(self.func, "unwind");
        for (b, _) in &self.elsewhere {
            l.at_end(*b);
            l.br(common);
        }
        l.at_end(common);
        let joined = |i: usize| -> V {
            let incoming: Vec<_> = self.elsewhere.iter().map(|(b, v)| (v[i], *b)).collect();
            l.phi(l.type_of(first[i]), &incoming)
        };
        let values: Vec<V> = (0..first.len()).map(joined).collect();
        l.store(self.func, self.unit.field(values[0], offset_of!(GuestState, unwinding)));
        let stub = l.declare(UNWIND_STUB, self.unit.fn_ty, REGCALL);
        l.tail_call(stub, self.unit.fn_ty, &values, REGCALL);
    }

    // Entry.

    fn entry(&mut self, f: &Function, resume: &[usize]) {
        let l = self.l;
        let calls =
            f.blocks.iter().any(|b| matches!(b.term, ir::Term::Call { .. } | ir::Term::Syscall { .. }));
        if calls || !resume.is_empty() {
            let (body, cold) = (l.block(self.func, "start"), l.block(self.func, "cold"));
            let sp = l.intrinsic("llvm.read_register", &[l.i64_ty()], &[l.metadata_node("rsp")]);
            let limit = l.load(l.i64_ty(), self.field(offset_of!(GuestState, stack_limit)));
            let below = l.icmp(IPred::LLVMIntULT, sp, limit);
            l.unlikely_br(below, cold, body);
            l.at_end(cold);
            self.cold_entry(f, resume);
            l.at_end(body);
        }
        self.enter(BlockId(0), self.unit.regs.dirty_at_entry());
    }

    fn cold_entry(&mut self, f: &Function, resume: &[usize]) {
        let l = self.l;
        let i32t = l.int_ty(32);
        let full = l.block(self.func, "stack_limit");
        if !resume.is_empty() {
            let index = l.load(i32t, self.field(offset_of!(GuestState, resume)));
            let go = l.block(self.func, "resume");
            let none = l.icmp(IPred::LLVMIntEQ, index, l.i32(0));
            l.cond_br(none, full, go);
            l.at_end(go);
            l.store(l.i32(0), self.field(offset_of!(GuestState, resume)));
            let real = l.load(l.i64_ty(), self.field(offset_of!(GuestState, stack_limit_real)));
            l.store(real, self.field(offset_of!(GuestState, stack_limit)));
            let impossible = l.block(self.func, "no_such_point");
            let cases: Vec<(V, Bb)> = resume
                .iter()
                .enumerate()
                .map(|(n, &b)| (l.i32(n as u32 + 1), l.block(self.func, &format!("resume{b}"))))
                .collect();
            l.switch(index, impossible, &cases);
            l.at_end(impossible);
            l.unreachable();
            for (&(_, bb), &b) in cases.iter().zip(resume) {
                l.at_end(bb);
                self.check_zeros(b, f.blocks[b].pc);
                self.enter(BlockId(b as u32), RegSet::default());
            }
        } else {
            l.br(full);
        }
        l.at_end(full);
        self.set_exit(Exit::StackLimit, f.entry);
        self.leave();
    }

    /// Sends away who resumes at block `b` with registers that are not as all ways within the function leave them.
    fn check_zeros(&mut self, b: usize, pc: GuestAddr) {
        let l = self.l;
        let mut found = None;
        for (r, bits) in self.zeros[b].known() {
            let v = if self.unit.regs.hot.contains(r) {
                self.get(r)
            } else {
                self.unit.load_reg(self.state(), r)
            };
            let mut above = l.extract(v, 1);
            if bits <= 32 {
                above = l.or(above, l.lshr(l.extract(v, 0), l.i64(32)));
            }
            found = Some(found.map_or(above, |f| l.or(f, above)));
        }
        let Some(found) = found else { return };
        let (other, go) = (l.block(self.func, "not_zero"), l.block(self.func, ""));
        l.unlikely_br(l.icmp(IPred::LLVMIntNE, found, l.i64(0)), other, go);
        l.at_end(other);
        self.set_exit(Exit::Fallback, pc);
        self.leave();
        l.at_end(go);
    }

    // Blocks and instructions.

    fn block_body(&mut self, index: usize, b: &'a ir::Block) {
        self.cur = b;
        self.index = index;
        self.l.at_end(self.blocks[index]);
        self.values = vec![None; b.insts.len()];
        self.wide = vec![None; b.insts.len()];
        self.singles = vec![None; b.insts.len()];
        self.uses = uses(b);
        self.opaque_values = self.opaque.values(b);
        self.widths.clear();
        let mut zeros = self.zeros[index];
        self.pc = b.pc;
        self.dirty = self.flow.dirty[index];
        self.fault = None;
        let flags = self.flags;
        self.places = Part::EVERY.map(|part| flags[part as usize].start[index].clone());
        self.echo = self.echoes[index];
        let groups = flags.each_ref().map(|f| f.groups[index].as_slice());
        let settle = flags.each_ref().map(|f| f.settle[index].as_slice());
        let mut groups_left = groups.map(|g| g.iter().peekable());
        let mut settle_left = settle.map(|s| s.iter().peekable());
        let fp_flags = ::flags::writes(b, |r| self.unit.regs.fp_flag(r));
        let mut fp_flags_left = fp_flags.iter().peekable();
        self.compares.clear();
        if self.flow.poll[index] {
            self.poll();
        }
        let barrier = |i: usize| {
            groups.iter().any(|g| g.iter().any(|g| g.at == i)) || settle.iter().any(|s| s.contains(&i))
        };
        let accesses = self.callbr() || self.unit.options.checkpoints == Checkpoints::None;
        let mut chains = float_chain::chains(b, &self.unit.regs, accesses, barrier).into_iter().peekable();
        let mut i = 0;
        while let Some(inst) = b.insts.get(i) {
            if let Some(chain) = chains.next_if(|c| c.range.start == i) {
                i = chain.range.end;
                self.chain(chain, &mut zeros);
                continue;
            }
            if let Inst::WriteSys(..) = inst {
                // May take back what was raised.
                self.compares.clear();
            }
            if let Inst::WriteSys(SysReg::Fpcr | SysReg::Endian, _) = inst {
                // Everything that was compiled for the old mode stops here; the interpreter goes on.
                return self.exit(Exit::Fallback, self.pc);
            }
            for (part, left) in Part::EVERY.into_iter().zip(&mut settle_left) {
                if left.next_if(|&&at| at == i).is_some() {
                    self.publish(part);
                }
            }
            self.step(i, inst, &mut zeros);
            let written = groups_left.each_mut().map(|left| left.next_if(|g| g.at == i));
            self.set_flags(written);
            if let Some((_, values)) = fp_flags_left.next_if(|(at, _)| *at == i) {
                self.set_fp_flags(*values);
            }
            if let Some(g) = written[Part::All as usize] {
                self.echo = Echo::behind(b, g, self.unit.options.regs);
            }
            i += 1;
        }
        self.term(&b.term);
    }

    fn step(&mut self, i: usize, inst: &Inst, zeros: &mut Zeros) {
        zeros.step(self.cur, inst, &mut self.widths);
        self.inst(i, inst);
        self.echo.after(inst);
        self.dirty = self.unit.regs.after(self.dirty, inst, self.commits());
    }

    /// Emits a run of instructions twice: with one look at its results, and with one at each, to which the former gives up
    /// and which begins with the registers as they were.
    fn chain(&mut self, chain: Chain, zeros: &mut Zeros) {
        let (l, b) = (self.l, self.cur);
        let range = chain.range.clone();
        let insts = &b.insts[range.clone()];
        let mut written = RegSet::default();
        for inst in insts {
            if let Inst::Set(r, _) = inst {
                written.insert(*r);
            }
        }
        let before: Vec<(Reg, V)> = written.iter().map(|r| (r, self.get(r))).collect();
        let (pc, dirty, compares, zeros_before) = (self.pc, self.dirty, self.compares.clone(), *zeros);
        let known = compares.len();
        let (each, end) = (l.block(self.func, "each"), l.block(self.func, ""));
        self.begin_together(each, &chain);
        for (i, inst) in range.clone().zip(insts) {
            match float_chain::is_access(inst) {
                true => self.access_together(i, |fx| fx.step(i, inst, zeros)),
                false => self.step(i, inst, zeros),
            }
        }
        let (ends, ways) = self.end_together(end);
        let values: Vec<_> = range.clone().map(|i| (self.values[i], self.wide[i], self.singles[i])).collect();
        self.values[range.clone()].fill(None);
        self.wide[range.clone()].fill(None);
        self.singles[range.clone()].fill(None);
        self.widths.truncate(range.start);
        (self.pc, self.dirty, self.compares, *zeros) = (pc, dirty, compares, zeros_before);
        l.at_end(each);
        self.begin_again(ways);
        for (r, v) in before {
            self.set(r, v);
        }
        for (i, inst) in range.clone().zip(insts) {
            match float_chain::is_access(inst) {
                true => self.access_again(i, |fx| fx.step(i, inst, zeros)),
                false => self.step(i, inst, zeros),
            }
        }
        self.again = None;
        let each_end = l.current_block();
        l.br(end);
        l.at_end(end);
        self.compares[known..].iter_mut().for_each(|c| c.raising = None);
        let needed = chain.needed_behind(b);
        let join = |(a, b): (V, V)| match a == b {
            true => a,
            false => l.phi(l.type_of(a), &[(a, ends), (b, each_end)]),
        };
        for (n, (v, wide, singles)) in values.into_iter().enumerate().filter(|&(n, _)| needed[n]) {
            let i = range.start + n;
            self.values[i] = v.zip(self.values[i]).map(join);
            self.wide[i] = wide.zip(self.wide[i]).map(join);
            self.singles[i] =
                singles.zip(self.singles[i]).map(|([a, b], [c, d])| [join((a, c)), join((b, d))]);
        }
        self.fault = None;
    }

    pub(crate) fn value(&self, v: Value) -> V {
        self.values[v.0 as usize].expect("invariant: values are defined before use")
    }

    /// What instruction `i` defined, if anything.
    pub(crate) fn defined(&self, i: usize) -> Option<V> {
        self.values[i]
    }

    /// True if the value cannot turn out to be a constant.
    pub(crate) fn opaque(&self, v: Value) -> bool {
        self.opaque_values[v.0 as usize]
    }

    /// Zero-extended or zero-padded form of a value, if it is at hand.
    pub(crate) fn wide(&self, v: Value) -> Option<V> {
        self.wide[v.0 as usize]
    }

    /// True if the vector has only zeros above that many bits.
    pub(crate) fn zero_above(&self, v: Value, bits: u32) -> bool {
        self.widths[v.0 as usize] <= bits
    }

    pub(crate) fn def(&self, v: Value) -> &'a Inst {
        &self.cur.insts[v.0 as usize]
    }

    /// Bits of a constant.
    pub(crate) fn constant(&self, v: Value) -> Option<u128> {
        match self.def(v) {
            Inst::Const { bits, .. } => Some(*bits),
            _ => None,
        }
    }

    /// Type of a value of the block.
    pub(crate) fn type_of(&self, v: Value) -> Type {
        self.def(v)
            .result(self.cur, |r| self.unit.options.regs.info(r).ty)
            .expect("invariant: an operand defines a value")
    }

    /// Defines the value `i`.
    pub(crate) fn define(&mut self, i: usize, v: V) {
        self.values[i] = Some(v);
    }

    /// Defines the value `i` and its wide form.
    pub(crate) fn define_wide(&mut self, i: usize, v: V, wide: V) {
        self.values[i] = Some(v);
        self.wide[i] = Some(wide);
    }

    fn inst(&mut self, i: usize, inst: &Inst) {
        match *inst {
            Inst::Mark(pc) => self.pc = pc,
            Inst::Const { ty, bits } => {
                let v = match ty {
                    Type::F32 | Type::F64 => {
                        self.l.bitcast(self.l.int(self.l.int_ty(ty.bits()), bits), self.unit.ty(ty))
                    }
                    Type::V128 => {
                        let half = |n: u32| self.l.i64((bits >> n) as u64);
                        self.l.const_vec(&[half(0), half(64)])
                    }
                    Type::I1 | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::I128 | Type::F16 => {
                        self.l.int(self.unit.ty(ty), bits)
                    }
                };
                self.define(i, v);
            }
            Inst::CodeAddr(a) => {
                let v = self.code_addr(a);
                self.define(i, v);
            }
            Inst::Get(r) => {
                let regs = &self.unit.regs;
                let v = match (regs.flag(r), regs.fp_flag(r)) {
                    (Some(n), _) => self.flag(n),
                    (None, Some(_)) => self.fp_flag(r),
                    (None, None) => {
                        self.singles[i] = self.get_singles(r);
                        self.singles[i].map_or_else(|| self.get(r), |s| self.pair(s))
                    }
                };
                self.define(i, v);
            }
            // Flags are written together: see `block_body`.
            Inst::Set(r, _) if !self.unit.regs.has_slot(r) => {}
            Inst::Set(r, v) => {
                self.put_value(i, r, v);
                self.fault = None;
            }
            Inst::Pure { op, ty, args } => self.pure(i, op, ty, &args[..op.arity()]),
            Inst::Load { ty, addr, order: _, align } => self.load(i, ty, addr, align),
            Inst::Store { addr, value, order, align } => self.store(addr, value, order, align),
            Inst::Rmw { op, ty, addr, value, order: _ } => self.rmw(i, op, ty, addr, value),
            Inst::Cas { ty, addr, expected, new, order: _ } => self.cas(i, ty, addr, expected, new),
            Inst::LoadEx { ty, addr, order: _ } => self.load_ex(i, ty, addr),
            Inst::StoreEx { addr, value, order: _ } => self.store_ex(i, addr, value),
            Inst::ClearEx => {
                self.l.store(self.l.i64(0), self.field(offset_of!(GuestState, excl_size)));
            }
            Inst::Fence(fence) => match fence {
                // x86 keeps all other orders by itself, and the accesses' assembly is not reordered.
                Fence::Full => self.full_fence(),
                Fence::Load | Fence::Store | Fence::Instruction => {}
            },
            Inst::Cache { op, addr } => match op {
                CacheOp::InvalidateCode => {
                    // Before its checkpoint: code that turns out to be stale is left there.
                    let a = self.value(addr);
                    self.soft_effect("ic.ivau", &[a]);
                    self.touch(addr);
                }
                CacheOp::CleanData => self.touch(addr),
                CacheOp::Prefetch => {}
            },
            Inst::ReadSys(r) => {
                let v = match r {
                    SysReg::Fpcr => {
                        let v = self.l.load(self.l.int_ty(32), self.field(offset_of!(GuestState, fpcr)));
                        self.l.zext(v, self.l.i64_ty())
                    }
                    SysReg::Fpsr => {
                        self.store_qc();
                        self.soft_value("read.fpsr", self.l.i64_ty(), &[])
                    }
                    SysReg::Counter => self.soft_value("read.counter", self.l.i64_ty(), &[]),
                    SysReg::Endian => self.soft_value("read.endian", self.l.i64_ty(), &[]),
                };
                self.define(i, v);
            }
            Inst::WriteSys(r, v) => match r {
                SysReg::Fpsr => {
                    let v = self.value(v);
                    self.soft_effect("write.fpsr", &[v]);
                    if let Some(qc) = self.unit.regs.qc {
                        let v = self.unit.load_reg(self.state(), qc);
                        self.set(qc, v);
                    }
                }
                // `block_body` ends the block before it, and nothing writes the counter.
                SysReg::Fpcr | SysReg::Endian | SysReg::Counter => {}
            },
        }
    }

    fn store_qc(&mut self) {
        if let Some(qc) = self.unit.regs.qc
            && self.dirty.contains(qc)
        {
            self.unit.store_reg(self.state(), qc, self.get(qc));
            self.fault = None;
        }
    }

    /// True if the state is stored before the accesses of this block.
    pub(crate) fn commits(&self) -> bool {
        self.flow.commits[self.index]
    }

    /// True if they carry fault labels.
    pub(crate) fn callbr(&self) -> bool {
        self.unit.options.checkpoints != Checkpoints::None && !self.commits()
    }
}
