//! A region as Cranelift's IR: blocks, registers, accesses and ways out. Operations on values are in `op`, `vector` and `float`.
//! Takes the region and what `live` found, gives the guest address for each trap code.

use crate::flags::{FLAG_HOMES, Form, HOMES, Operand, flag_number, flag_register};
use crate::live::{Live, Set, bit};
use crate::point::Point;
use crate::region::Region;
use crate::{Arena, Atomic, AtomicOp, Left, Request};
use abi::{GuestState, flag};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::{
    self as clif, AbiParam, Block as Bb, InstBuilder, MemFlags, Signature, StackSlot, StackSlotData,
    StackSlotKind, TrapCode, UserFuncName, Value as V, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use ir::{
    Align, Block, BlockId, CacheOp, CallTarget, Fence, Function, GuestAddr, Inst, Order, SysReg, Term, Type,
    Value,
};
use isa::Isa;
use std::mem::offset_of;

/// Trap codes that Cranelift leaves to others.
const CODES: usize = 250;

/// What is to be known of an emitted region.
pub(crate) struct Emitted {
    /// The guest address of each trap code, which count from 1.
    pub(crate) accesses: Vec<u64>,
    /// See [`crate::Compiled::exits`].
    pub(crate) exits: Vec<(u64, u64)>,
}

/// Emits the region into `func`; `None` if it has more accesses than can be told apart.
pub(crate) fn emit(
    func: &mut clif::Function,
    context: &mut FunctionBuilderContext,
    region: &Region,
    live: &Live,
    request: &Request<'_>,
    arena: &mut dyn Arena,
) -> Option<Emitted> {
    let Region { function: region, ways, ranges, spans, exits, .. } = region;
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.push(AbiParam::new(types::I64));
    signature.params.push(AbiParam::new(types::I64));
    signature.returns.push(AbiParam::new(types::I64));
    func.signature = signature.clone();
    func.name = UserFuncName::user(0, 0);
    let mut b = FunctionBuilder::new(func, context);
    let vars = (0..HOMES[2].0 + 1)
        .map(|n| {
            let ty = home(request.isa, n).0;
            b.declare_var(ty)
        })
        .collect();
    let blocks = region.blocks.iter().map(|_| b.create_block()).collect();
    let start = b.create_block();
    b.append_block_params_for_function_params(start);
    b.switch_to_block(start);
    let state = b.block_params(start)[0];
    let go = b.import_signature(signature);
    let mut fx = Fx {
        region,
        ways,
        ranges,
        spans,
        exits,
        live,
        request,
        arena,
        state,
        go,
        vars,
        blocks,
        slot: None,
        sigs: Vec::new(),
        codes: Vec::new(),
        links: Vec::new(),
        values: Vec::new(),
        types: Vec::new(),
        cur: region.block(BlockId(0)),
        id: BlockId(0),
        compared: Vec::new(),
        dirty: 0,
        word: None,
        noted: None,
        point: live.points.begin(BlockId(0), region.entry.0),
        b,
    };
    fx.prologue();
    for &id in &live.order {
        fx.block(id);
    }
    fx.b.seal_all_blocks();
    let (accesses, exits) = (std::mem::take(&mut fx.codes), std::mem::take(&mut fx.links));
    fx.b.finalize();
    (accesses.len() <= CODES).then_some(Emitted { accesses, exits })
}

/// Sorted ranges without those that touch or overlap.
pub(crate) fn join(ranges: &[(u64, u32)]) -> Vec<(u64, u32)> {
    let mut out: Vec<(u64, u32)> = Vec::new();
    for &(start, len) in ranges {
        match out.last_mut() {
            Some((at, n)) if *at + u64::from(*n) >= start => {
                *n = (*n).max((start - *at) as u32 + len);
            }
            _ => out.push((start, len)),
        }
    }
    out
}

/// Type and place of a register, or of what describes flags.
fn home(isa: Isa, n: u16) -> (clif::Type, u32) {
    match (HOMES.iter().find(|h| h.0 == n), isa.file().regs.get(n as usize)) {
        (Some(h), _) => (if n == HOMES[0].0 { types::I32 } else { types::I64 }, h.1),
        (None, Some(r)) => (clif_type(r.ty), r.offset),
        // The longest register file has more.
        (None, None) => (types::I8, 0),
    }
}

/// Cranelift's type for the IR's: half floats are integers, all 128 bits are vectors.
pub(crate) fn clif_type(ty: Type) -> clif::Type {
    match ty {
        Type::I1 | Type::I8 => types::I8,
        Type::I16 | Type::F16 => types::I16,
        Type::I32 => types::I32,
        Type::I64 => types::I64,
        Type::F32 => types::F32,
        Type::F64 => types::F64,
        Type::I128 | Type::V128 => types::I8X16,
    }
}

/// A function being emitted.
pub(crate) struct Fx<'a> {
    region: &'a Function,
    ways: &'a [Vec<BlockId>],
    /// See `Region`.
    ranges: &'a [(u64, u32)],
    spans: &'a [(u64, u32)],
    exits: &'a [Option<u64>],
    live: &'a Live,
    pub(crate) request: &'a Request<'a>,
    pub(crate) arena: &'a mut dyn Arena,
    state: V,
    /// The signature of regions.
    go: clif::SigRef,
    vars: Vec<Variable>,
    blocks: Vec<Bb>,
    /// Operands and result of helpers: three of the former.
    slot: Option<StackSlot>,
    sigs: Vec<(usize, Helper, clif::SigRef)>,
    codes: Vec<u64>,
    /// See `Emitted::exits`.
    links: Vec<(u64, u64)>,
    /// Of the block being emitted.
    values: Vec<Option<V>>,
    types: Vec<Option<Type>>,
    cur: &'a Block,
    id: BlockId,
    /// Scalars compared in this block: what is to be raised is raised.
    pub(crate) compared: Vec<(Value, Value, bool)>,
    /// Registers that the state does not have.
    dirty: Set,
    /// The flags' description, if it is a constant.
    word: Option<u32>,
    /// What this block's last flags describe, while their homes do not have it: most ways out of a block do not want it.
    noted: Option<Form>,
    /// Where the interpreter would go on.
    point: Point,
    pub(crate) b: FunctionBuilder<'a>,
}

/// How a helper is called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Helper {
    /// It keeps all registers and gives nothing.
    Keeping,
    /// A function of the C convention with a result.
    Giving,
}

/// Flags of accesses to the state.
const STATE: MemFlags = MemFlags::trusted();

impl Fx<'_> {
    pub(crate) fn state(&self) -> V {
        self.state
    }

    fn prologue(&mut self) {
        self.poll(self.region.entry.0);
        if self.request.checked {
            self.check_code(self.ranges, self.region.entry.0);
        }
        if let Some(first) = self.request.first {
            self.count(first.counter);
        }
        let entry = self.live.needed[0];
        let wants_flags = (0..4).any(|n| entry & bit(flag_register(n)) != 0);
        if wants_flags {
            let word = self.load_state(types::I32, offset_of!(GuestState, flag_kind) as u32);
            let (settle, ready) = (self.b.create_block(), self.b.create_block());
            self.b.set_cold_block(settle);
            self.b.ins().brif(word, settle, &[], ready, &[]);
            self.b.switch_to_block(settle);
            let state = self.state;
            self.call(self.request.helpers.settle, &[state], Helper::Keeping);
            self.b.ins().jump(ready, &[]);
            self.b.switch_to_block(ready);
        }
        for n in 0..self.vars.len() as u16 {
            if entry & bit(n) != 0 {
                let (ty, offset) = home(self.request.isa, n);
                let v = self.load_state(ty, offset);
                self.b.def_var(self.vars[n as usize], v);
            }
        }
        let first = self.blocks[0];
        self.b.ins().jump(first, &[]);
    }

    fn block(&mut self, id: BlockId) {
        let n = id.0 as usize;
        let region = self.region;
        self.cur = region.block(id);
        self.id = id;
        self.b.switch_to_block(self.blocks[n]);
        self.values = vec![None; self.cur.insts.len()];
        self.types = ir::value_types(&self.cur.insts, self.request.isa.file());
        self.dirty = self.live.dirty[n];
        self.compared.clear();
        self.word = self.live.words[n];
        self.noted = None;
        self.point = self.live.points.begin(id, self.cur.pc.0);
        if self.live.early[n] {
            self.commit();
        }
        if self.live.polls[n] {
            self.verify(self.cur.pc.0, false);
            if self.request.checked {
                let inside = self.live.bodies[n].as_deref().unwrap_or_default();
                let spans = self.spans.iter().zip(inside).filter(|(_, inside)| **inside);
                let mut body: Vec<(u64, u32)> = spans.map(|(span, _)| *span).collect();
                body.sort_unstable();
                self.check_code(&join(&body), self.cur.pc.0);
            }
            self.poll(self.cur.pc.0);
        }
        let mut groups = self.live.groups[n].iter().peekable();
        for (i, inst) in self.cur.insts.iter().enumerate() {
            self.inst(i, inst);
            if let Some(g) = groups.next_if(|g| g.at == i) {
                self.note_flags(&g.form);
            }
        }
        self.term();
    }

    /// Leaves if the guest code of these ranges is not what the region is compiled from. The state is exact.
    fn check_code(&mut self, ranges: &[(u64, u32)], pc: u64) {
        let flags = self.access();
        let code = self.request.code;
        let (mut low, mut wide): (Option<V>, Option<V>) = (None, None);
        for &(start, len) in ranges {
            let words: Vec<u32> =
                (0..len / 4).map(|n| code.word(GuestAddr(start + n as u64 * 4)).unwrap_or(0)).collect();
            let base = self.iconst(types::I64, start);
            let value = |w: &[u32]| w.iter().rev().fold(0u128, |v, w| v << 32 | *w as u128);
            let mut at = 0;
            while at < words.len() {
                let n = [4, 2, 1].into_iter().find(|n| at + n <= words.len()).unwrap_or(1);
                let expected = value(&words[at..at + n]);
                let offset = at as i32 * 4;
                let collected = if n == 4 { &mut wide } else { &mut low };
                let (now, then) = match n {
                    4 => {
                        let c = self.b.func.dfg.constants.insert(expected.to_le_bytes().to_vec().into());
                        (
                            self.b.ins().load(types::I8X16, flags, base, offset),
                            self.b.ins().vconst(types::I8X16, c),
                        )
                    }
                    2 => (
                        self.b.ins().load(types::I64, flags, base, offset),
                        self.b.ins().iconst(types::I64, expected as u64 as i64),
                    ),
                    _ => (
                        self.b.ins().uload32(flags, base, offset),
                        self.b.ins().iconst(types::I64, expected as u64 as i64),
                    ),
                };
                let differs = self.b.ins().bxor(now, then);
                *collected = Some(match *collected {
                    Some(c) => self.b.ins().bor(c, differs),
                    None => differs,
                });
                at += n;
            }
        }
        if let Some(wide) = wide {
            let any = self.b.ins().vany_true(wide);
            let any = self.b.ins().uextend(types::I64, any);
            low = Some(match low {
                Some(low) => self.b.ins().bor(low, any),
                None => any,
            });
        }
        let Some(differs) = low else { return };
        let (out, on) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(out);
        self.b.ins().brif(differs, out, &[], on, &[]);
        self.b.switch_to_block(out);
        self.ret(Left::Changed, pc);
        self.b.switch_to_block(on);
    }

    /// Counts down, and leaves below 0. The state is exact. Threads may lose counts to each other.
    fn count(&mut self, counter: u64) {
        let at = self.iconst(types::I64, counter);
        let n = self.b.ins().load(types::I32, STATE, at, 0);
        let n = self.b.ins().iadd_imm(n, -1);
        self.b.ins().store(STATE, n, at, 0);
        let below = self.b.ins().icmp_imm(IntCC::SignedLessThan, n, 0);
        let (out, on) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(out);
        self.b.ins().brif(below, out, &[], on, &[]);
        self.b.switch_to_block(out);
        self.ret(Left::Often, self.region.entry.0);
        self.b.switch_to_block(on);
    }

    /// Has verified regions compared before the instruction at `pc`. The state is exact.
    fn verify(&mut self, pc: u64, access: bool) {
        if self.request.verified {
            let pc = self.iconst(types::I64, pc);
            let access = self.iconst(types::I64, access.into());
            let state = self.state;
            self.call(self.request.helpers.verify, &[state, pc, access], Helper::Keeping);
        }
    }

    /// Leaves if a signal waits; at the entry, where the state is exact, and at loops' heads.
    fn poll(&mut self, pc: u64) {
        let pending = self.load_state(types::I32, offset_of!(GuestState, pending) as u32);
        let (out, on) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(out);
        self.b.ins().brif(pending, out, &[], on, &[]);
        self.b.switch_to_block(out);
        let (dirty, word) = (self.dirty, self.word);
        self.leave(Left::Pc, pc);
        (self.dirty, self.word) = (dirty, word);
        self.b.switch_to_block(on);
    }

    pub(crate) fn load_state(&mut self, ty: clif::Type, offset: u32) -> V {
        self.b.ins().load(ty, STATE, self.state, Offset32::new(offset as i32))
    }

    pub(crate) fn store_state(&mut self, v: V, offset: u32) {
        self.b.ins().store(STATE, v, self.state, Offset32::new(offset as i32));
    }

    /// The value of an operand.
    pub(crate) fn value(&self, v: Value) -> V {
        self.values[v.0 as usize].expect("invariant: values are defined before they are used")
    }

    pub(crate) fn type_of(&self, v: Value) -> Type {
        self.types[v.0 as usize].expect("invariant: operands have types")
    }

    /// The instruction that defines a value of this block.
    pub(crate) fn def(&self, v: Value) -> &Inst {
        &self.cur.insts[v.0 as usize]
    }

    pub(crate) fn constant(&self, v: Value) -> Option<u128> {
        match *self.def(v) {
            Inst::Const { bits, .. } => Some(bits),
            _ => None,
        }
    }

    pub(crate) fn iconst(&mut self, ty: clif::Type, k: u64) -> V {
        let bits = ty.bits();
        let k = if bits == 64 { k as i64 } else { (k << (64 - bits)) as i64 >> (64 - bits) };
        // Narrow constants are given as their unsigned value.
        let k = if bits == 64 { k } else { k & ((1i64 << bits) - 1) };
        self.b.ins().iconst(ty, k)
    }

    /// Makes the state exact.
    fn commit(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        for n in 0..HOMES[0].0 {
            if dirty & bit(n) != 0 {
                let v = self.b.use_var(self.vars[n as usize]);
                self.store_state(v, home(self.request.isa, n).1);
            }
        }
        if dirty & FLAG_HOMES != 0 {
            let wanted = match self.word {
                Some(w) if w & flag::KIND == flag::KNOWN => 1,
                Some(w) if w & flag::IMMEDIATE != 0 => 2,
                _ => 3,
            };
            let homes = self.description();
            for ((i, v), (_, offset)) in homes.into_iter().enumerate().zip(&HOMES[..wanted]) {
                let v = match self.word {
                    Some(w) if i == 0 => self.iconst(types::I32, w as u64),
                    _ => v,
                };
                self.store_state(v, *offset);
            }
        }
    }

    fn note_flags(&mut self, form: &Form) {
        self.noted = Some(*form);
        self.word = form.word();
        self.dirty |= FLAG_HOMES;
        if let Form::Bytes(_) = form {
            // Single flags are read now: the next instruction may write others.
            self.settle_flags();
        }
    }

    /// Gives the homes of flags what was noted.
    fn settle_flags(&mut self) {
        if self.noted.is_some() {
            for ((n, _), v) in HOMES.iter().zip(self.description()) {
                self.b.def_var(self.vars[*n as usize], v);
            }
            self.noted = None;
        }
    }

    /// True if the block wants the homes of flags, and they do not have what was noted.
    fn wants_flags(&self, to: BlockId) -> bool {
        self.noted.is_some() && self.live.needed[to.0 as usize] & FLAG_HOMES != 0
    }

    /// What the homes of flags hold, or will hold: the word and two operands.
    fn description(&mut self) -> [V; 3] {
        let (word, a, b) = match self.noted {
            None => return HOMES.map(|(n, _)| self.b.use_var(self.vars[n as usize])),
            Some(Form::Known(d)) => (self.iconst(types::I32, d as u64), None, None),
            Some(Form::Compare(c)) => (self.iconst(types::I32, c.description() as u64), Some(c.a), Some(c.b)),
            Some(Form::Guarded(g, c, otherwise)) => {
                let yes = self.iconst(types::I32, c.description() as u64);
                let no = self.iconst(types::I32, otherwise as u64);
                let guard = self.value(g.value);
                let (x, y) = if g.negated { (no, yes) } else { (yes, no) };
                (self.b.ins().select(guard, x, y), Some(c.a), Some(c.b))
            }
            Some(Form::Bytes(_)) => {
                let mut word = self.iconst(types::I32, flag::KNOWN as u64);
                for n in 0..4 {
                    let v = self.b.use_var(self.vars[flag_register(n) as usize]);
                    let v = self.b.ins().uextend(types::I32, v);
                    let v = self.b.ins().ishl_imm(v, 11 - n as i64);
                    word = self.b.ins().bor(word, v);
                }
                (word, None, None)
            }
        };
        let a = match a {
            Some(v) => self.flag_operand(v),
            None => self.iconst(types::I64, 0),
        };
        let b = match b {
            Some(Operand::Value(v)) => self.flag_operand(v),
            Some(Operand::Immediate(_)) | None => a,
        };
        [word, a, b]
    }

    /// An operand as 64 bits.
    fn flag_operand(&mut self, v: Value) -> V {
        let x = self.value(v);
        match self.type_of(v) {
            Type::F32 => {
                let x = self.b.ins().bitcast(types::I32, MemFlags::new(), x);
                self.b.ins().uextend(types::I64, x)
            }
            Type::F64 => self.b.ins().bitcast(types::I64, MemFlags::new(), x),
            Type::I32 => self.b.ins().uextend(types::I64, x),
            _ => x,
        }
    }

    /// Flags of an access.
    fn access(&mut self) -> MemFlags {
        let pc = self.point.pc();
        let known = self.codes.iter().rposition(|&c| c == pc);
        let n = known.unwrap_or_else(|| {
            self.codes.push(pc);
            self.codes.len() - 1
        });
        MemFlags::new().with_trap_code(TrapCode::user((n + 1).min(CODES) as u8))
    }

    pub(crate) fn define(&mut self, i: usize, v: V) {
        self.values[i] = Some(v);
    }

    fn inst(&mut self, i: usize, inst: &Inst) {
        if self.point.step(inst) {
            self.commit();
            if inst.is_checkpoint() {
                self.verify(self.point.pc(), true);
            }
        }
        match *inst {
            Inst::Mark(_) => {}
            Inst::Const { ty, bits } => {
                let v = self.typed_const(ty, bits);
                self.define(i, v);
            }
            Inst::CodeAddr(pc) => {
                let v = self.iconst(types::I64, pc.0);
                self.define(i, v);
            }
            Inst::Get(r) => {
                let v = self.b.use_var(self.vars[r.0 as usize]);
                self.define(i, v);
            }
            Inst::Set(r, v) => {
                let v = self.value(v);
                self.b.def_var(self.vars[r.0 as usize], v);
                if flag_number(r).is_none() {
                    self.dirty |= bit(r.0);
                }
            }
            Inst::Pure { op, ty, args } => self.pure(i, op, ty, &args[..op.arity()]),
            Inst::Load { ty, addr, align, .. } => {
                let addr = self.value(addr);
                self.check(addr, ty, align);
                let flags = self.access();
                let v = self.b.ins().load(clif_type(ty), flags, addr, 0);
                self.define(i, v);
            }
            Inst::Store { addr, value, order, align } => {
                let (addr, v) = (self.value(addr), self.value(value));
                self.check(addr, self.type_of(value), align);
                let flags = self.access();
                self.b.ins().store(flags, v, addr, 0);
                if order != Order::Relaxed {
                    self.b.ins().fence();
                }
            }
            Inst::Rmw { op, ty, addr, value, .. } => {
                let atomic = Atomic { op: AtomicOp::Rmw(op), size: ty.bytes() };
                let v = self.atomic(atomic, ty, addr, &[value]);
                self.define(i, v);
            }
            Inst::Cas { ty, addr, expected, new, .. } => {
                let atomic = Atomic { op: AtomicOp::Cas, size: ty.bytes() };
                let v = self.atomic(atomic, ty, addr, &[expected, new]);
                self.define(i, v);
            }
            Inst::LoadEx { ty, addr, .. } => {
                let addr = self.value(addr);
                self.check(addr, ty, Align::Natural);
                let flags = self.access();
                let v = self.b.ins().load(clif_type(ty), flags, addr, 0);
                self.store_state(addr, offset_of!(GuestState, excl_addr) as u32);
                let size = self.iconst(types::I64, ty.bytes() as u64);
                self.store_state(size, offset_of!(GuestState, excl_size) as u32);
                let at = offset_of!(GuestState, excl_value) as u32;
                if ty == Type::I128 {
                    self.store_state(v, at);
                } else {
                    let zero = self.iconst(types::I64, 0);
                    let low = if ty == Type::I64 { v } else { self.b.ins().uextend(types::I64, v) };
                    self.store_state(low, at);
                    self.store_state(zero, at + 8);
                }
                self.define(i, v);
            }
            Inst::StoreEx { addr, value, .. } => {
                let atomic = Atomic { op: AtomicOp::StoreEx, size: self.type_of(value).bytes() };
                let v = self.atomic(atomic, Type::I32, addr, &[value]);
                self.define(i, v);
            }
            Inst::ClearEx => {
                let zero = self.iconst(types::I64, 0);
                self.store_state(zero, offset_of!(GuestState, excl_size) as u32);
            }
            Inst::Fence(Fence::Full) => {
                self.b.ins().fence();
            }
            // The host keeps loads in order, and stores.
            Inst::Fence(Fence::Load | Fence::Store | Fence::Instruction) => {}
            Inst::Cache { op: CacheOp::Prefetch, .. } => {}
            Inst::Cache { op: CacheOp::CleanData | CacheOp::InvalidateCode, addr } => {
                let addr = self.value(addr);
                let flags = self.access();
                self.b.ins().load(types::I8, flags, addr, 0);
            }
            Inst::ReadSys(SysReg::Fpcr) => {
                let v = self.load_state(types::I32, offset_of!(GuestState, fpcr) as u32);
                let v = self.b.ins().uextend(types::I64, v);
                self.define(i, v);
            }
            Inst::ReadSys(reg) => {
                let n = self.iconst(types::I64, reg as u64);
                let state = self.state;
                let v = self.call(self.request.helpers.read_sys, &[state, n], Helper::Giving);
                self.define(i, v.expect("invariant: it has a result"));
            }
            // Regions end before these.
            Inst::WriteSys(..) => {}
        }
    }

    /// A constant of that type.
    pub(crate) fn typed_const(&mut self, ty: Type, bits: u128) -> V {
        match ty {
            Type::F32 => self.b.ins().f32const(clif::immediates::Ieee32::with_bits(bits as u32)),
            Type::F64 => self.b.ins().f64const(clif::immediates::Ieee64::with_bits(bits as u64)),
            Type::I128 | Type::V128 => self.vconst(bits),
            _ => self.iconst(clif_type(ty), bits as u64),
        }
    }

    /// A vector constant.
    pub(crate) fn vconst(&mut self, bits: u128) -> V {
        let c = self.b.func.dfg.constants.insert(bits.to_le_bytes().to_vec().into());
        self.b.ins().vconst(types::I8X16, c)
    }

    /// Leaves the instruction to the interpreter if the address is not as aligned as demanded. Called before the instruction
    /// has done anything.
    fn check(&mut self, addr: V, ty: Type, align: Align) {
        let bytes = align.bytes(ty.bytes());
        if bytes == 1 {
            return;
        }
        let low = self.b.ins().band_imm(addr, i64::from(bytes) - 1);
        self.alone_if(low);
    }

    fn alone_if(&mut self, c: V) {
        let (out, on) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(out);
        self.b.ins().brif(c, out, &[], on, &[]);
        self.b.switch_to_block(out);
        self.ret(Left::Alone, self.point.pc());
        self.b.switch_to_block(on);
    }

    /// An atomic access by the helper. The state is exact.
    fn atomic(&mut self, atomic: Atomic, ty: Type, addr: Value, args: &[Value]) -> V {
        let addr = self.value(addr);
        let data = self.type_of(args[0]);
        self.check(addr, data, Align::Natural);
        let slot = self.slot();
        for (n, &a) in args.iter().enumerate() {
            let v = self.value(a);
            self.b.ins().stack_store(v, slot, n as i32 * 16);
        }
        let op = self.arena.atomic(atomic);
        let op = self.iconst(types::I64, op);
        let from = self.b.ins().stack_addr(types::I64, slot, 0);
        let to = self.b.ins().stack_addr(types::I64, slot, 48);
        let state = self.state;
        let fault = self.call(self.request.helpers.atomic, &[state, op, addr, from, to], Helper::Giving);
        self.alone_if(fault.expect("invariant: it has a result"));
        self.b.ins().stack_load(clif_type(ty), slot, 48)
    }

    pub(crate) fn slot(&mut self) -> StackSlot {
        match self.slot {
            Some(s) => s,
            None => {
                let s =
                    self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 64, 4));
                self.slot = Some(s);
                s
            }
        }
    }

    /// Calls a helper.
    pub(crate) fn call(&mut self, helper: u64, args: &[V], kind: Helper) -> Option<V> {
        let sig = match self.sigs.iter().find(|s| (s.0, s.1) == (args.len(), kind)) {
            Some(s) => s.2,
            None => {
                let mut s = Signature::new(match kind {
                    Helper::Keeping => CallConv::Patchable,
                    Helper::Giving => CallConv::SystemV,
                });
                s.params = vec![AbiParam::new(types::I64); args.len()];
                if kind == Helper::Giving {
                    s.returns.push(AbiParam::new(types::I64));
                }
                let s = self.b.import_signature(s);
                self.sigs.push((args.len(), kind, s));
                s
            }
        };
        let to = self.iconst(types::I64, helper);
        let call = self.b.ins().call_indirect(sig, to, args);
        self.b.inst_results(call).first().copied()
    }

    /// Makes the state exact and comes back to the dispatcher.
    fn leave(&mut self, why: Left, pc: u64) {
        self.commit();
        self.ret(why, pc);
    }

    fn ret(&mut self, why: Left, pc: u64) {
        let at = self.iconst(types::I64, pc);
        self.store_state(at, offset_of!(GuestState, pc) as u32);
        let why = self.iconst(types::I64, why as u64);
        self.b.ins().return_(&[why]);
    }

    /// Makes the state exact and goes to a known address.
    fn link(&mut self, pc: u64) {
        self.commit();
        let link = self.arena.link(pc);
        // The block is that of the branch, or behind it.
        self.links.extend(self.exits[self.id.0 as usize].map(|from| (from, link)));
        let link = self.iconst(types::I64, link);
        self.follow(link);
    }

    fn follow(&mut self, link: V) {
        let host = self.b.ins().load(types::I64, STATE, link, offset_of!(crate::Link, host) as i32);
        let state = self.state;
        self.b.ins().return_call_indirect(self.go, host, &[state, link]);
    }

    /// Makes the state exact and goes to an address computed.
    fn indirect(&mut self, target: Value) {
        self.commit();
        let pc = self.value(target);
        let table = self.request.table;
        let index = self.b.ins().ushr_imm(pc, i64::from(table.shift));
        let index = self.b.ins().band_imm(index, (1i64 << table.log2) - 1);
        let offset = self.b.ins().ishl_imm(index, 3);
        let base = self.iconst(types::I64, table.base);
        let at = self.b.ins().iadd(base, offset);
        let link = self.b.ins().load(types::I64, STATE, at, 0);
        let wants = self.b.ins().load(types::I64, STATE, link, offset_of!(crate::Link, pc) as i32);
        let same = self.b.ins().icmp(IntCC::Equal, wants, pc);
        let (hit, miss) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(miss);
        self.b.ins().brif(same, hit, &[], miss, &[]);
        self.b.switch_to_block(miss);
        self.come_back(pc);
        self.b.switch_to_block(hit);
        self.follow(link);
    }

    /// Comes back to the dispatcher for that address. The state is exact.
    fn come_back(&mut self, pc: V) {
        self.store_state(pc, offset_of!(GuestState, pc) as u32);
        let why = self.iconst(types::I64, Left::Pc as u64);
        self.b.ins().return_(&[why]);
    }

    /// Goes on in a block of the region.
    fn jump(&mut self, to: BlockId) {
        if self.live.enters(self.id, to) {
            self.commit();
        }
        if self.wants_flags(to) {
            self.settle_flags();
        }
        let to = self.blocks[to.0 as usize];
        self.b.ins().jump(to, &[]);
    }

    fn term(&mut self) {
        let from = self.id;
        match self.cur.term {
            Term::Jump(to) => self.jump(to),
            Term::Call { target: CallTarget::Direct(_), .. } if !self.ways[from.0 as usize].is_empty() => {
                self.jump(self.ways[from.0 as usize][0])
            }
            Term::Return(v) => {
                let pc = self.value(v);
                let ways = self.ways;
                for &site in &ways[from.0 as usize] {
                    let here = self.region.block(site).pc.0;
                    let here = self.iconst(types::I64, here);
                    let same = self.b.ins().icmp(IntCC::Equal, pc, here);
                    let (to, on) = (self.b.create_block(), self.b.create_block());
                    self.b.ins().brif(same, to, &[], on, &[]);
                    self.b.switch_to_block(to);
                    let (dirty, noted) = (self.dirty, self.noted);
                    self.jump(site);
                    (self.dirty, self.noted) = (dirty, noted);
                    self.b.switch_to_block(on);
                }
                self.indirect(v);
            }
            Term::Branch { cond, then, els } => {
                let c = self.value(cond);
                if self.wants_flags(then) && self.wants_flags(els) {
                    self.settle_flags();
                }
                let targets = [then, els].map(|to| {
                    let commits = self.dirty != 0 && self.live.enters(from, to);
                    let detour = commits || self.wants_flags(to);
                    if detour { self.b.create_block() } else { self.blocks[to.0 as usize] }
                });
                self.b.ins().brif(c, targets[0], &[], targets[1], &[]);
                for (to, way) in [then, els].into_iter().zip(targets) {
                    if way != self.blocks[to.0 as usize] {
                        self.b.switch_to_block(way);
                        let (dirty, noted) = (self.dirty, self.noted);
                        self.jump(to);
                        (self.dirty, self.noted) = (dirty, noted);
                    }
                }
            }
            Term::Goto(GuestAddr(a)) | Term::Call { target: CallTarget::Direct(GuestAddr(a)), .. } => {
                self.link(a)
            }
            Term::Indirect(v)
            | Term::Call { target: CallTarget::Indirect(v), .. }
            | Term::Switch { target: v, .. } => self.indirect(v),
            Term::Syscall { next, .. } => self.leave(Left::Syscall, next.0),
            Term::Trap { pc, .. } | Term::Fallback { pc } => self.leave(Left::Alone, pc.0),
        }
    }
}
