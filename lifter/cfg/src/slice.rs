//! Values across the blocks of one function: evaluates IR values symbolically, following guest registers and stack slots
//! back through predecessors. Takes the walk's blocks, lifts them, gives expressions. Knows no jump tables. Where paths
//! disagree, the value is unknown. Calls are taken to keep what the procedure call standard says they keep: results
//! here only guide discovery, they never decide what the program does.

use crate::text::ImageCode;
use crate::value::{Arena, Expr, image_memory};
use crate::walk::Piece;
use image::Image;
use ir::{GuestAddr, Inst, PureOp, Reg, Type, Value};
use isa::a64::reg;
use isa::{Exit, Run, a64};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// A lifted block.
pub(crate) struct Lifted {
    /// Its instructions and exit.
    pub(crate) run: Run,
    /// For each `Get`, the value last `Set` before it in the block; for others, and for values from before: `None`.
    sources: Vec<Option<Value>>,
    /// The last `Set` of each register.
    last: HashMap<Reg, Value>,
}

impl Lifted {
    fn new(code: &ImageCode<'_>, start: u64, end: u64) -> Self {
        let run = a64::lift_run(code, GuestAddr(start), GuestAddr(end), usize::MAX);
        let mut last = HashMap::new();
        let sources = run
            .insts
            .iter()
            .map(|i| match *i {
                Inst::Get(r) => last.get(&r).copied(),
                Inst::Set(r, v) => {
                    last.insert(r, v);
                    None
                }
                _ => None,
            })
            .collect();
        Lifted { run, sources, last }
    }
}

/// Blocks lifted before, by their range: they stay valid while a walk grows.
pub(crate) type Cache = HashMap<(u64, u64), Rc<Lifted>>;

/// What a path through an edge keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    All,
    Syscall,
    Call,
}

/// How deep evaluation may recurse: beyond it values are unknown.
const DEPTH: u32 = 400;

/// Evaluates values of one function.
pub(crate) struct Slice {
    /// The expressions.
    pub(crate) arena: Arena,
    /// What is added to link-time addresses: as if position-independent images were loaded far from zero, so that
    /// small numbers are not taken for addresses.
    bias: u64,
    /// Lifted blocks by address.
    pub(crate) blocks: Vec<Rc<Lifted>>,
    /// Predecessors of each block.
    preds: Vec<Vec<(usize, Edge)>>,
    entry: Option<usize>,
    values: HashMap<(usize, u32), Expr>,
    inputs: HashMap<(usize, Reg), Expr>,
    slots: HashMap<(usize, Expr, Type), Expr>,
    /// The stack pointer at entry.
    sp: Expr,
    loads: u32,
    depth: u32,
}

impl Slice {
    /// Lifts the blocks `pieces`; `switches` are the targets of indirect jumps resolved so far, by block end.
    pub(crate) fn new(
        code: &ImageCode<'_>,
        entry: u64,
        pieces: &BTreeMap<u64, Piece>,
        switches: &BTreeMap<u64, Vec<u64>>,
        cache: &mut Cache,
    ) -> Self {
        let index: HashMap<u64, usize> = pieces.keys().enumerate().map(|(i, &a)| (a, i)).collect();
        let blocks: Vec<Rc<Lifted>> = pieces
            .iter()
            .map(|(&start, p)| {
                cache
                    .entry((start, p.end))
                    .or_insert_with(|| Rc::new(Lifted::new(code, start, p.end)))
                    .clone()
            })
            .collect();
        let mut preds = vec![Vec::new(); blocks.len()];
        for (i, (b, p)) in blocks.iter().zip(pieces.values()).enumerate() {
            let mut edge = |a: u64, e: Edge| {
                if let Some(&to) = index.get(&a) {
                    preds[to].push((i, e));
                }
            };
            match b.run.exit {
                Exit::Next(a) | Exit::Jump(a) => edge(a.0, Edge::All),
                Exit::Branch { then, els, .. } => {
                    edge(then.0, Edge::All);
                    if els != then {
                        edge(els.0, Edge::All);
                    }
                }
                Exit::Call { ret, .. } => edge(ret.0, Edge::Call),
                Exit::Syscall { next, .. } => edge(next.0, Edge::Syscall),
                Exit::Indirect(_) => {
                    for &t in switches.get(&(p.end - 4)).map_or(&[][..], |t| t) {
                        edge(t, Edge::All);
                    }
                }
                // The runtime executes it and goes on.
                Exit::Fallback { pc } => edge(pc.0 + 4, Edge::Call),
                Exit::Return(_) | Exit::Trap { .. } => {}
            }
        }
        let mut arena = Arena::default();
        let sp = arena.unknown(Type::I64);
        Slice {
            arena,
            bias: if code.0.position_independent { 1 << 46 } else { 0 },
            blocks,
            preds,
            entry: index.get(&entry).copied(),
            values: HashMap::new(),
            inputs: HashMap::new(),
            slots: HashMap::new(),
            sp,
            loads: 0,
            depth: 0,
        }
    }

    /// The link-time address that `e` is.
    pub(crate) fn address(&self, e: Expr) -> Option<u64> {
        self.arena.as_const(e).map(|c| c.wrapping_sub(self.bias))
    }

    /// The value of an expression with `hole` filled in, as a link-time address, and the link-time places it reads:
    /// see [`Arena::concrete`].
    pub(crate) fn target(
        &self,
        image: &Image,
        plan: &[Expr],
        hole: Expr,
        fill: u64,
        reads: &mut Vec<(u64, u32)>,
    ) -> Option<u64> {
        let memory = |a: u64, n: u32| image_memory(image, a.wrapping_sub(self.bias), n, self.bias);
        let first = reads.len();
        let value = self.arena.concrete(plan, hole, fill, &memory, reads);
        for r in &mut reads[first..] {
            r.0 = r.0.wrapping_sub(self.bias);
        }
        value.map(|v| v.wrapping_sub(self.bias))
    }

    /// Blocks from which control comes to `block`; `None` if it may come from outside, too.
    pub(crate) fn preds(&self, block: usize) -> Option<Vec<usize>> {
        let known = self.entry != Some(block) && !self.preds[block].is_empty();
        known.then(|| self.preds[block].iter().map(|p| p.0).collect())
    }

    /// The value `v` of `block`.
    pub(crate) fn eval(&mut self, block: usize, v: Value) -> Expr {
        if let Some(&e) = self.values.get(&(block, v.0)) {
            return e;
        }
        let lifted = self.blocks[block].clone();
        let i = v.0 as usize;
        let ty = result_type(&lifted.run.insts[i]);
        if self.depth >= DEPTH {
            return self.arena.unknown(ty);
        }
        self.depth += 1;
        let e = match lifted.run.insts[i] {
            Inst::Const { ty, bits } if ty.bits() <= 64 => self.arena.konst(ty, bits as u64),
            Inst::CodeAddr(a) => self.arena.konst(Type::I64, a.0.wrapping_add(self.bias)),
            Inst::Get(r) => match lifted.sources[i] {
                Some(source) => self.eval(block, source),
                None => self.input(block, r),
            },
            Inst::Pure { op, ty, args } => {
                let args: Vec<Expr> = args[..op.arity()].iter().map(|&a| self.eval(block, a)).collect();
                self.arena.pure(op, ty, &args)
            }
            Inst::Load { ty, addr, .. } if ty.is_int() && ty.bits() <= 64 => {
                let addr = self.eval(block, addr);
                if self.is_slot(addr) {
                    self.slot_before(block, i, addr, ty)
                } else if self.arena.as_const(addr).is_some() {
                    self.arena.load(ty, addr, 0)
                } else {
                    self.loads += 1;
                    let n = self.loads;
                    self.arena.load(ty, addr, n)
                }
            }
            _ => self.arena.unknown(ty),
        };
        self.depth -= 1;
        self.values.insert((block, v.0), e);
        e
    }

    /// The value of `r` at the start of `block`.
    pub(crate) fn input(&mut self, block: usize, r: Reg) -> Expr {
        if let Some(&e) = self.inputs.get(&(block, r)) {
            return e;
        }
        let ty = a64::FILE.info(r).ty;
        let own = if r == reg::SP && self.entry == Some(block) { self.sp } else { self.arena.unknown(ty) };
        if self.depth >= DEPTH {
            return own;
        }
        // Recursion through a loop meets this: a value that goes round unchanged is not counted below.
        self.inputs.insert((block, r), own);
        self.depth += 1;
        let at_entry = self.entry == Some(block);
        let mut joined = at_entry.then_some(own);
        for (p, edge) in self.preds[block].clone() {
            let e = match (edge, self.blocks[p].clone().last.get(&r)) {
                (Edge::Call, _) if !kept_by_calls(r) => self.arena.unknown(ty),
                (Edge::Syscall, _) if r == reg::x(0) => self.arena.unknown(ty),
                (_, Some(&v)) => self.eval(p, v),
                (_, None) => self.input(p, r),
            };
            joined = match joined {
                _ if e == own && !at_entry => joined,
                None => Some(e),
                Some(j) if j == e => Some(j),
                Some(_) => Some(own),
            };
            if joined == Some(own) && !at_entry {
                break;
            }
        }
        self.depth -= 1;
        let e = joined.unwrap_or(own);
        self.inputs.insert((block, r), e);
        e
    }

    /// True for the address of a stack slot: entry stack pointer plus a constant.
    fn is_slot(&self, addr: Expr) -> bool {
        let sum = PureOp::Int(ir::IntBin::Add);
        match self.arena.get(addr).1 {
            crate::value::Node::Pure(op, [base, c, _]) => {
                op == sum && base == self.sp && self.arena.as_const(c).is_some()
            }
            _ => addr == self.sp,
        }
    }

    /// What a stack slot holds before instruction `i` of `block`. Only stores to slots count: other pointers are taken
    /// not to point at spilled temporaries.
    fn slot_before(&mut self, block: usize, i: usize, addr: Expr, ty: Type) -> Expr {
        let lifted = self.blocks[block].clone();
        for inst in lifted.run.insts[..i].iter().rev() {
            if let Inst::Store { addr: a, value, .. } = *inst
                && self.eval(block, a) == addr
            {
                let stored = result_type(&lifted.run.insts[value.0 as usize]);
                if matches!(lifted.run.insts[value.0 as usize], Inst::Get(_)) || stored == ty {
                    let e = self.eval(block, value);
                    if self.arena.get(e).0 == ty {
                        return e;
                    }
                }
                return self.arena.unknown(ty);
            }
        }
        self.slot_input(block, addr, ty)
    }

    fn slot_input(&mut self, block: usize, addr: Expr, ty: Type) -> Expr {
        if let Some(&e) = self.slots.get(&(block, addr, ty)) {
            return e;
        }
        let own = self.arena.unknown(ty);
        if self.depth >= DEPTH {
            return own;
        }
        self.slots.insert((block, addr, ty), own);
        self.depth += 1;
        let at_entry = self.entry == Some(block);
        let mut joined = at_entry.then_some(own);
        for (p, _) in self.preds[block].clone() {
            let end = self.blocks[p].run.insts.len();
            let e = self.slot_before(p, end, addr, ty);
            joined = match joined {
                _ if e == own && !at_entry => joined,
                None => Some(e),
                Some(j) if j == e => Some(j),
                Some(_) => Some(own),
            };
            if joined == Some(own) && !at_entry {
                break;
            }
        }
        self.depth -= 1;
        let e = joined.unwrap_or(own);
        self.slots.insert((block, addr, ty), e);
        e
    }
}

/// Type of what an instruction defines; I64 where it defines nothing that matters here.
fn result_type(i: &Inst) -> Type {
    match *i {
        Inst::Get(r) => a64::FILE.info(r).ty,
        Inst::Const { ty, .. }
        | Inst::Pure { ty, .. }
        | Inst::Load { ty, .. }
        | Inst::Rmw { ty, .. }
        | Inst::Cas { ty, .. }
        | Inst::LoadEx { ty, .. } => ty,
        Inst::StoreEx { .. } => Type::I32,
        _ => Type::I64,
    }
}

/// AAPCS64: x19–x29 and the stack pointer survive a call.
fn kept_by_calls(r: Reg) -> bool {
    (19..=29).any(|n| r == reg::x(n)) || r == reg::SP
}
