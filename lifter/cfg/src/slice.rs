//! Values across the blocks of one function: evaluates IR values symbolically, following guest registers and stack slots
//! back through predecessors. Takes the walk's blocks, lifts them, gives expressions. Knows no jump tables. Where paths
//! disagree, the value is unknown. Calls are taken to keep what the procedure call standard says they keep: results
//! here only guide discovery, they never decide what the program does.

mod reaching;

use crate::text::{ImageCode, Kind};
use crate::value::{Arena, Expr, Node, image_memory};
use crate::walk::Piece;
use image::Image;
use ir::{CallTarget, GuestAddr, Inst, PureOp, Reg, Type, Value};
use isa::a64::reg;
use isa::{Exit, Isa, Run};
use reaching::{Place, Reach, Store};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
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
    /// The runs of what stands from `start` to `end`.
    fn of_block(code: &ImageCode<'_>, start: u64, end: u64) -> Vec<Rc<Lifted>> {
        let runs = code.0.isa.lift_block(code, GuestAddr(start), GuestAddr(end));
        runs.into_iter().map(|run| Rc::new(Lifted::new(run))).collect()
    }

    fn new(run: Run) -> Self {
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

    /// The value that `v` is but for its width, followed through registers.
    pub(crate) fn origin(&self, v: Value) -> Value {
        match self.run.insts[v.0 as usize] {
            Inst::Pure { op: PureOp::Zext | PureOp::Trunc, args, .. } => self.origin(args[0]),
            Inst::Get(_) => self.sources[v.0 as usize].map_or(v, |s| self.origin(s)),
            _ => v,
        }
    }

    /// The origins of what operations compute with.
    pub(crate) fn operands(&self) -> HashSet<Value> {
        let mut all = HashSet::new();
        for i in &self.run.insts {
            if let Inst::Pure { op, args, .. } = *i
                && !matches!(op, PureOp::Zext | PureOp::Trunc | PureOp::Select)
            {
                all.extend(args[..op.arity()].iter().map(|&a| self.origin(a)));
            }
        }
        all
    }
}

/// Blocks lifted before, by their range: they stay valid while a walk grows.
pub(crate) type Cache = HashMap<(u64, u64), Vec<Rc<Lifted>>>;

/// What a path through an edge keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    All,
    Syscall,
    /// All but the general registers in the mask (bit n: x`n`), flags and vector registers.
    Call(u32),
}

/// Registers that calls need not keep: x0–x18 and x30 (AAPCS64); r0–r3, r12 and lr (AAPCS32).
pub(crate) const fn caller_saved(isa: Isa) -> u32 {
    match isa {
        Isa::A64 => 0x4007_ffff,
        Isa::A32 => 0x500f,
    }
}

/// What is known of called functions.
#[derive(Clone, Copy)]
pub(crate) struct Callees<'a> {
    /// Those that never return.
    pub(crate) noreturn: &'a BTreeSet<u64>,
    /// The general registers that they write, where that is known: compilers rely on it inside a file (gcc's -fipa-ra).
    pub(crate) writes: &'a BTreeMap<u64, u32>,
}

/// How deep evaluation may recurse: beyond it values are unknown.
const DEPTH: u32 = 400;

/// Evaluates values of one function.
pub(crate) struct Slice<'a> {
    /// The expressions.
    pub(crate) arena: Arena,
    image: &'a Image,
    /// What is added to link-time addresses: as if position-independent images were loaded far from zero, so that
    /// small numbers are not taken for addresses.
    bias: u64,
    /// Lifted blocks by address, those inside others behind the one that holds them.
    pub(crate) blocks: Vec<Rc<Lifted>>,
    /// Indirect jumps: their address, the block that they end, the target.
    pub(crate) jumps: Vec<(u64, usize, Value)>,
    /// Predecessors of each block.
    preds: Vec<Vec<(usize, Edge)>>,
    entry: Option<usize>,
    succs: Vec<Vec<(usize, Edge)>>,
    values: HashMap<(usize, u32), Expr>,
    /// What reaches each block, by place.
    reaching: HashMap<Place, Rc<Vec<Reach>>>,
    /// Values when the function is entered.
    inputs: HashMap<(Place, Type), Expr>,
    /// Values where different ones meet.
    joins: HashMap<(usize, Place, Type), Expr>,
    /// Values that calls left.
    clobbers: HashMap<(usize, Place, Type), Expr>,
    /// Which join each of those values belongs to, the other way round.
    origins: HashMap<Expr, (usize, Place)>,
    /// Stores to stack slots in each block, in order.
    stores: Option<Rc<Vec<Vec<Store>>>>,
    loads: u32,
    depth: u32,
}

impl<'a> Slice<'a> {
    /// Lifts the blocks `pieces`; `switches` are the targets of indirect jumps resolved so far, by their address;
    /// `callees` says what calls do.
    pub(crate) fn new(
        code: &ImageCode<'a>,
        entry: u64,
        pieces: &BTreeMap<u64, Piece>,
        switches: &BTreeMap<u64, Vec<u64>>,
        callees: Callees<'_>,
        cache: &mut Cache,
    ) -> Self {
        let isa = code.0.isa;
        let saved = caller_saved(isa);
        let mut blocks: Vec<Rc<Lifted>> = Vec::with_capacity(pieces.len());
        let mut sites: Vec<u64> = Vec::with_capacity(pieces.len());
        let mut jumps = Vec::new();
        for (&start, p) in pieces {
            let lifted =
                cache.entry((start, p.end)).or_insert_with(|| Lifted::of_block(code, start, p.end)).clone();
            for block in lifted {
                if let (Kind::Indirect, Exit::Indirect(target)) = (p.kind, block.run.exit) {
                    jumps.push((p.site, blocks.len(), target));
                }
                blocks.push(block);
                sites.push(p.site);
            }
        }
        let index: HashMap<u64, usize> = blocks.iter().enumerate().map(|(i, b)| (b.run.pc.0, i)).collect();
        let mut preds = vec![Vec::new(); blocks.len()];
        for (i, (b, site)) in blocks.iter().zip(&sites).enumerate() {
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
                Exit::Call { target: CallTarget::Direct(t), .. } if callees.noreturn.contains(&t.0) => {}
                Exit::Call { target, ret } => {
                    let known = match target {
                        CallTarget::Direct(t) => callees.writes.get(&t.0).copied(),
                        CallTarget::Indirect(_) => None,
                    };
                    edge(ret.0, Edge::Call(known.unwrap_or(saved) & saved));
                }
                Exit::Syscall { next, .. } => edge(next.0, Edge::Syscall),
                Exit::Indirect(_) => {
                    for &t in switches.get(site).map_or(&[][..], |t| t) {
                        edge(t, Edge::All);
                    }
                }
                // The runtime executes it and goes on.
                Exit::Fallback { pc } => {
                    let next = isa.leaving(code, pc).map_or(pc, |l| l.next);
                    edge(next.0, Edge::Call(saved));
                }
                Exit::Return(_) | Exit::Trap { .. } => {}
            }
        }
        let mut succs = vec![Vec::new(); blocks.len()];
        for (to, from) in preds.iter().enumerate() {
            for &(p, e) in from {
                succs[p].push((to, e));
            }
        }
        Slice {
            arena: Arena::new(isa == Isa::A32),
            image: code.0,
            bias: match isa {
                _ if !code.0.position_independent => 0,
                Isa::A64 => 1 << 46,
                Isa::A32 => 1 << 30,
            },
            blocks,
            jumps,
            preds,
            succs,
            entry: index.get(&entry).copied(),
            values: HashMap::new(),
            reaching: HashMap::new(),
            inputs: HashMap::new(),
            joins: HashMap::new(),
            clobbers: HashMap::new(),
            origins: HashMap::new(),
            stores: None,
            loads: 0,
            depth: 0,
        }
    }

    /// The general registers that the blocks write, as a mask.
    pub(crate) fn written(&self) -> u32 {
        let bit = |r: &Reg| (0..31).find(|&n| *r == reg::x(n)).map_or(0, |n| 1 << n);
        self.blocks.iter().flat_map(|b| b.last.keys().map(bit)).fold(0, |all, b| all | b)
    }

    /// The link-time address that `e` is.
    pub(crate) fn address(&self, e: Expr) -> Option<u64> {
        self.arena.as_const(e).map(|c| self.link_time(c))
    }

    fn link_time(&self, addr: u64) -> u64 {
        let addr = addr.wrapping_sub(self.bias);
        match self.image.isa {
            Isa::A64 => addr,
            Isa::A32 => u64::from(addr as u32),
        }
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
        let memory = |a: u64, n: u32| image_memory(image, self.link_time(a), n, self.bias);
        let first = reads.len();
        let value = self.arena.concrete(plan, hole, fill, &memory, reads);
        for r in &mut reads[first..] {
            r.0 = self.link_time(r.0);
        }
        value.map(|v| self.link_time(v))
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
        let ty = self.result_type(&lifted.run.insts[i]);
        if self.depth >= DEPTH {
            return self.arena.unknown(ty);
        }
        self.depth += 1;
        let e = match lifted.run.insts[i] {
            Inst::Const { ty, bits } if ty.bits() <= 64 => self.arena.konst(ty, bits as u64),
            Inst::CodeAddr(a) => self.arena.konst(Type::I64, a.0.wrapping_add(self.bias)),
            Inst::Get(r) => match lifted.sources[i] {
                Some(source) => self.eval(block, source),
                None => self.incoming(block, Place::Reg(r), ty),
            },
            Inst::Pure { op, ty, args } => {
                let args: Vec<Expr> = args[..op.arity()].iter().map(|&a| self.eval(block, a)).collect();
                self.arena.pure(op, ty, &args)
            }
            Inst::Load { ty, addr, .. } if ty.is_int() && ty.bits() <= 64 => {
                match self.frame_offset(block, addr, 0) {
                    Some(slot) => self.slot_before(block, i, slot, ty),
                    None => {
                        let addr = self.eval(block, addr);
                        let version = if self.arena.as_const(addr).is_some() {
                            0
                        } else {
                            self.loads += 1;
                            self.loads
                        };
                        match self.literal(addr, ty) {
                            Some(bits) => self.arena.konst(ty, bits),
                            None => self.arena.load(ty, addr, version),
                        }
                    }
                }
            }
            _ => self.arena.unknown(ty),
        };
        self.depth -= 1;
        self.values.insert((block, v.0), e);
        e
    }

    /// What stands at a constant address in text: AArch32's literals.
    fn literal(&self, addr: Expr, ty: Type) -> Option<u64> {
        let at = self.address(addr).filter(|_| self.image.isa == Isa::A32)?;
        let constant = self.image.segment_at(at).is_some_and(|s| !s.write);
        if constant { image_memory(self.image, at, ty.bytes(), self.bias) } else { None }
    }

    /// What `place` holds at the start of `block`.
    fn incoming(&mut self, block: usize, place: Place, ty: Type) -> Expr {
        let reach = self.reach(block, place);
        self.reached(reach, place, ty)
    }

    fn reached(&mut self, reach: Reach, place: Place, ty: Type) -> Expr {
        match reach {
            Reach::Nothing => self.arena.unknown(ty),
            Reach::Entry => self.input(place, ty),
            Reach::Clobber(b) => {
                if let Some(&e) = self.clobbers.get(&(b, place, ty)) {
                    return e;
                }
                let e = self.arena.unknown(ty);
                self.clobbers.insert((b, place, ty), e);
                e
            }
            Reach::Def(b) => self.outgoing(b, place, ty),
            Reach::Join(b) => self.meeting(b, place, ty),
        }
    }

    /// The expression whose value `e`, seen in `block`, is when control comes from `pred`: values that meet at `block`
    /// are replaced by what comes from there.
    pub(crate) fn before_join(&mut self, block: usize, pred: usize, e: Expr) -> Expr {
        let (ty, node) = self.arena.get(e);
        match node {
            Node::Unknown(_) => {
                let Some(&(b, place)) = self.origins.get(&e) else { return e };
                let edge = self.preds[block].iter().find(|p| p.0 == pred).map(|p| p.1);
                match edge {
                    Some(edge) if b == block => {
                        let reach = self.leaving(pred, edge, place);
                        self.reached(reach, place, ty)
                    }
                    _ => e,
                }
            }
            Node::Pure(op, args) if self.arena.plan(e, 16).is_some() => {
                let args: Vec<Expr> =
                    args[..op.arity()].iter().map(|&a| self.before_join(block, pred, a)).collect();
                self.arena.pure(op, ty, &args)
            }
            _ => e,
        }
    }

    /// What a place holds when the function is entered.
    fn input(&mut self, place: Place, ty: Type) -> Expr {
        if let Some(&e) = self.inputs.get(&(place, ty)) {
            return e;
        }
        let e = self.arena.unknown(ty);
        self.inputs.insert((place, ty), e);
        e
    }

    /// What the last definition of `place` in `block` gives.
    fn outgoing(&mut self, block: usize, place: Place, ty: Type) -> Expr {
        match place {
            Place::Reg(r) => match self.blocks[block].last.get(&r) {
                Some(&v) => self.eval(block, v),
                None => self.arena.unknown(ty),
            },
            Place::Slot(slot) => {
                let end = self.blocks[block].run.insts.len();
                self.slot_before(block, end, slot, ty)
            }
        }
    }

    /// The value of a place where different definitions meet: known if they all give the same.
    fn meeting(&mut self, block: usize, place: Place, ty: Type) -> Expr {
        if let Some(&e) = self.joins.get(&(block, place, ty)) {
            return e;
        }
        let own = self.arena.unknown(ty);
        // Evaluation that comes back here through a loop meets this; it does not count below.
        self.joins.insert((block, place, ty), own);
        if self.entry == Some(block) || self.depth >= DEPTH {
            return own;
        }
        self.depth += 1;
        let mut met = None;
        for (p, edge) in self.preds[block].clone() {
            let reach = self.leaving(p, edge, place);
            let e = match reach {
                Reach::Nothing => continue,
                Reach::Join(b) if b == block => continue,
                _ => self.reached(reach, place, ty),
            };
            match met {
                None => met = Some(e),
                Some(m) if m == e => {}
                Some(_) => {
                    met = None;
                    break;
                }
            }
        }
        self.depth -= 1;
        let e = met.unwrap_or(own);
        if e == own {
            self.origins.insert(own, (block, place));
        }
        self.joins.insert((block, place, ty), e);
        e
    }

    /// Type of what an instruction defines; I64 where it defines nothing that matters here.
    fn result_type(&self, i: &Inst) -> Type {
        match *i {
            Inst::Get(r) => self.image.isa.file().info(r).ty,
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
}
