//! Which runs of a block's instructions are emitted twice: with one look at all floating-point results together, or without
//! looks for NaNs that show in later results, and with a look at each for when the first finds something. Takes a block,
//! gives the runs and which NaNs show later. Decision 0008 has the reasons. No LLVM.

use crate::flow::{RegSet, Registers};
use ir::{Block, FBin, FUn, Function, Inst, Order, PureOp, Reg, Round, Type, VBit, Value};
use std::collections::HashMap;
use std::ops::Range;

/// How many results wait for one look at most: the operands of all are kept until then.
const LONGEST: usize = 24;

/// How a run's results are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// All at the end. Without accesses, and not with FPCR.FZ.
    AtEnd,
    /// Each at once, but those not whose NaNs a later one makes known.
    Later,
}

/// A run of instructions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Chain {
    pub(crate) range: Range<usize>,
    pub(crate) way: Way,
    /// It contains accesses.
    pub(crate) accesses: bool,
    /// Results whose NaNs a later result of the run makes known.
    pub(crate) covered: Vec<bool>,
}

impl Chain {
    /// Which values of the run are needed behind it: what is used there, and what that is made of without floating-point
    /// arithmetic, since operations are emitted from the operands of what defines their own where that gives better code. Flags are
    /// noted by what is compared.
    pub(crate) fn needed_behind(&self, b: &Block) -> Vec<bool> {
        let run = self.range.clone();
        let mut needed = vec![false; run.len()];
        let note = |needed: &mut [bool], v: Value| {
            if let Some(n) = (v.0 as usize).checked_sub(run.start).and_then(|n| needed.get_mut(n)) {
                *n = true;
            }
        };
        b.insts[run.end..].iter().for_each(|inst| inst.for_each_arg(|v| note(&mut needed, v)));
        b.term.clone().map_args(|v| {
            note(&mut needed, v);
            v
        });
        for (n, inst) in b.insts[run.clone()].iter().enumerate().rev() {
            if let Inst::Pure { op, .. } = inst
                && needed[n]
                && (matches!(op, PureOp::FCmp { .. }) || !op.uses_fp_env())
            {
                inst.for_each_arg(|v| note(&mut needed, v));
            }
        }
        needed
    }
}

/// What may be wrong with a value before the look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doubt {
    /// Nothing.
    None,
    /// Nothing, and each lane of that many bits or more is all ones or zero.
    Mask(u32),
    /// A lane of that many bits that is a quiet NaN may have to be another quiet NaN, which no flag depends on.
    Nan(u32),
    /// Any bits may differ.
    Bits,
}

/// Shape of the operands if the operation may raise floating-point flags; whether the result is to be looked at, and
/// whether it is a NaN, or the look finds something, for each operand that is a NaN.
struct Float {
    bits: u32,
    looked_at: bool,
    shows_nans: bool,
}

/// None for an operation that raises nothing; `Err` if only the evaluator does it, or the look at it is no use.
fn float(op: PureOp, ty: Type, arg: Type) -> Result<Option<Float>, ()> {
    if op.standard_fpscr() && op.uses_fp_env() {
        return Err(());
    }
    let native = |bits: u32, looked_at: bool, shows_nans: bool| {
        if bits == 16 { Err(()) } else { Ok(Some(Float { bits, looked_at, shows_nans })) }
    };
    match op {
        PureOp::F(f, shape) => match f {
            FBin::Add | FBin::Sub | FBin::Mul | FBin::Div | FBin::AbsDiff => native(shape.bits(), true, true),
            FBin::Max | FBin::Min | FBin::MaxNum | FBin::MinNum => native(shape.bits(), false, true),
            FBin::MulX | FBin::RecipStep | FBin::RsqrtStep => Err(()),
        },
        PureOp::FUn(FUn::Abs | FUn::Neg, _) => Ok(None),
        PureOp::FUn(FUn::Sqrt, shape) => native(shape.bits(), true, true),
        PureOp::FUn(FUn::RecipEst | FUn::RsqrtEst | FUn::RecpX, _) => Err(()),
        PureOp::FMulAdd(shape) => native(shape.bits(), true, true),
        PureOp::FCmp { shape, .. } => native(shape.bits(), false, false),
        PureOp::FConvert(Round::Current) if arg != Type::F16 && ty != Type::F16 => {
            native(arg.bits(), true, true)
        }
        PureOp::FWiden { from: ir::FShape::V2S, .. } => native(32, true, false),
        PureOp::FNarrow { from: ir::FShape::V2D, round: Round::Current } => native(64, true, true),
        PureOp::FToInt { shape, round, .. }
            if round != Round::Odd && (shape.is_vector() || ty.bits() >= 32) =>
        {
            native(shape.bits(), false, true)
        }
        // Of an integer: any doubt is one about bits.
        PureOp::IntToF { shape, .. } => native(shape.bits(), false, false),
        PureOp::FRound { shape, round, exact } => match (round, exact) {
            (Round::Odd, _)
            | (Round::TieEven | Round::PlusInf | Round::MinusInf | Round::Zero | Round::TieAway, true) => {
                Err(())
            }
            (Round::TieEven | Round::PlusInf | Round::MinusInf | Round::Zero | Round::TieAway, false)
            | (Round::Current, _) => native(shape.bits(), true, true),
        },
        PureOp::FConvert(_) | PureOp::FWiden { .. } | PureOp::FNarrow { .. } | PureOp::FToInt { .. } => {
            Err(())
        }
        PureOp::Helper(_) | PureOp::VUn(ir::VUn::RecipEst | ir::VUn::RsqrtEst, _) => Err(()),
        PureOp::Int(_)
        | PureOp::IntUn(_)
        | PureOp::Cmp(_)
        | PureOp::CarryOut
        | PureOp::Overflow
        | PureOp::Select
        | PureOp::Zext
        | PureOp::Sext
        | PureOp::Trunc
        | PureOp::Bitcast
        | PureOp::Concat
        | PureOp::VSplat(_)
        | PureOp::VFromScalar
        | PureOp::VToScalar
        | PureOp::VExtract(..)
        | PureOp::VInsert(..)
        | PureOp::V(..)
        | PureOp::VBit(_)
        | PureOp::VUn(..)
        | PureOp::VCmp(..)
        | PureOp::VBitSelect
        | PureOp::VShiftImm(..)
        | PureOp::VShuffle(_)
        | PureOp::VLookup
        | PureOp::VWiden { .. }
        | PureOp::VNarrow(_)
        | PureOp::VSat(..)
        | PureOp::VSatQc(..)
        | PureOp::VReduce(..)
        | PureOp::VLow64
        | PureOp::VPMull8 { .. } => Ok(None),
    }
}

/// Doubt about the result of an operation that raises nothing, by those about its operands, one of which is in doubt.
fn moved(op: PureOp, ty: Type, doubts: &[Doubt]) -> Doubt {
    // Lanes of one width moved about as they are.
    let bits = doubts.iter().find_map(|d| if let Doubt::Nan(n) = d { Some(*n) } else { None });
    let Some(bits) = bits else { return Doubt::Bits };
    let same = doubts.iter().all(|&d| matches!(d, Doubt::None | Doubt::Mask(_)) || d == Doubt::Nan(bits));
    let mask = |d: Doubt| matches!(d, Doubt::Mask(n) if n >= bits);
    let whole = match op {
        PureOp::FUn(FUn::Abs | FUn::Neg, shape) => shape.bits() == bits,
        PureOp::VLow64 => bits <= 64,
        PureOp::VFromScalar => true,
        PureOp::VToScalar | PureOp::Bitcast => ty.bits() == bits || ty.bits() == 128,
        PureOp::VExtract(lane, _) | PureOp::VInsert(lane, _) | PureOp::VSplat(lane) => lane.bits() == bits,
        PureOp::VShuffle(sel) => {
            let n = bits as usize / 8;
            sel.chunks(n).all(|lane| {
                let whole = usize::from(lane[0]) % n == 0
                    && lane.iter().enumerate().all(|(i, &s)| s == lane[0].wrapping_add(i as u8));
                lane.iter().all(|&s| s >= 32) || whole && lane.iter().all(|&s| s < 32)
            })
        }
        PureOp::Select => doubts[0] == Doubt::None,
        PureOp::VBitSelect => mask(doubts[0]),
        PureOp::VBit(VBit::And) => mask(doubts[0]) || mask(doubts[1]),
        PureOp::VBit(VBit::AndNot) => mask(doubts[1]),
        _ => false,
    };
    if same && whole { Doubt::Nan(bits) } else { Doubt::Bits }
}

/// True for an access of guest memory that may stand in a run.
pub(crate) fn is_access(inst: &Inst) -> bool {
    matches!(inst, Inst::Load { .. } | Inst::Store { order: Order::Relaxed, .. })
}

/// The runs of a block. `barrier` says which instructions no run may contain, `accesses` whether some may contain accesses.
pub(crate) fn chains(
    b: &Block,
    regs: &Registers,
    accesses: bool,
    barrier: impl Fn(usize) -> bool,
) -> Vec<Chain> {
    let mut chains = Vec::new();
    let start = |accesses, way| Open { accesses, way: Some(way), ..Open::default() };
    start(false, Way::AtEnd).all(b, regs, &barrier, |open| chains.extend(open.at_end(b)));
    let taken: Vec<Range<usize>> = chains.iter().map(|c: &Chain| c.range.clone()).collect();
    let barrier = |i: usize| barrier(i) || taken.iter().any(|r| r.contains(&i));
    start(accesses, Way::Later).all(b, regs, barrier, |open| chains.extend(open.later(b)));
    chains.sort_by_key(|c| c.range.start);
    chains
}

/// A run that grows.
#[derive(Default)]
struct Open {
    doubts: HashMap<Value, Doubt>,
    registers: HashMap<Reg, Doubt>,
    /// What is to be looked at.
    looks: Vec<usize>,
    /// What `looks` and other floating-point operations are.
    floats: Vec<usize>,
    /// It may contain accesses.
    accesses: bool,
    way: Option<Way>,
}

impl Open {
    /// Goes over the block and calls `done` with each run when it ends.
    fn all(
        mut self,
        b: &Block,
        regs: &Registers,
        barrier: impl Fn(usize) -> bool,
        mut done: impl FnMut(Open),
    ) {
        for (i, inst) in b.insts.iter().enumerate() {
            if barrier(i) || !self.take(b, regs, i, inst) {
                let next = Open { accesses: self.accesses, way: self.way, ..Open::default() };
                done(std::mem::replace(&mut self, next));
                // What ends one run may begin the next.
                if !barrier(i) {
                    self.take(b, regs, i, inst);
                }
            }
        }
        done(self);
    }

    fn doubt(&self, v: Value) -> Doubt {
        self.doubts.get(&v).copied().unwrap_or(Doubt::None)
    }

    /// Adds an instruction; false if it cannot be in this run.
    fn take(&mut self, b: &Block, regs: &Registers, i: usize, inst: &Inst) -> bool {
        let v = Value(i as u32);
        match inst {
            Inst::Mark(_) | Inst::Const { .. } | Inst::CodeAddr(_) => {}
            Inst::Get(r) if regs.has_slot(*r) || regs.flag(*r).is_some() && self.way == Some(Way::Later) => {
                if let Some(&d) = self.registers.get(r) {
                    self.doubts.insert(v, d);
                }
            }
            Inst::Set(r, x) if regs.has_slot(*r) => {
                self.registers.insert(*r, self.doubt(*x));
            }
            Inst::Pure { op, ty, args } => {
                let doubts: Vec<Doubt> = args[..op.arity()].iter().map(|&a| self.doubt(a)).collect();
                let arg = b.insts[args[0].0 as usize].result(b, |_| Type::V128).unwrap_or(Type::V128);
                let Ok(float) = float(*op, *ty, arg) else { return false };
                let doubt = match float {
                    Some(f) => {
                        let fine = |d: &Doubt| match *d {
                            Doubt::None | Doubt::Mask(_) => true,
                            Doubt::Nan(bits) => bits == f.bits && !matches!(op, PureOp::IntToF { .. }),
                            Doubt::Bits => false,
                        };
                        if !doubts.iter().all(fine) || self.looks.len() == LONGEST {
                            return false;
                        }
                        self.floats.push(i);
                        if f.looked_at {
                            self.looks.push(i);
                        }
                        match op {
                            // Looked at at once.
                            _ if self.way == Some(Way::Later) && f.looked_at && tiny(*op, *ty) => Doubt::None,
                            PureOp::FConvert(_) => Doubt::Nan(ty.bits()),
                            PureOp::FWiden { .. } => Doubt::Nan(64),
                            PureOp::FNarrow { .. } => Doubt::Nan(32),
                            PureOp::FCmp { shape, .. } if shape.is_vector() => Doubt::Mask(f.bits),
                            _ if f.looked_at => Doubt::Nan(f.bits),
                            _ => Doubt::None,
                        }
                    }
                    None if doubts.iter().all(|d| matches!(d, Doubt::None | Doubt::Mask(_))) => match op {
                        PureOp::VCmp(_, lane) => Doubt::Mask(lane.bits()),
                        _ => Doubt::None,
                    },
                    None => moved(*op, *ty, &doubts),
                };
                if doubt != Doubt::None {
                    self.doubts.insert(v, doubt);
                }
            }
            Inst::Load { addr, .. } if self.accesses && self.doubt(*addr) == Doubt::None => {}
            Inst::Store { addr, value, order: Order::Relaxed, .. }
                if self.accesses
                    && self.doubt(*addr) == Doubt::None
                    && matches!(self.doubt(*value), Doubt::None | Doubt::Mask(_)) => {}
            Inst::Get(_)
            | Inst::Set(..)
            | Inst::Load { .. }
            | Inst::Store { .. }
            | Inst::Rmw { .. }
            | Inst::Cas { .. }
            | Inst::LoadEx { .. }
            | Inst::StoreEx { .. }
            | Inst::ClearEx
            | Inst::Fence(_)
            | Inst::Cache { .. }
            | Inst::ReadSys(_)
            | Inst::WriteSys(..) => return false,
        }
        true
    }

    /// The result among `looks` whose NaNs operand `v` has.
    fn source(&self, b: &Block, mut v: Value) -> Option<usize> {
        loop {
            let i = v.0 as usize;
            match b.insts[i] {
                Inst::Pure { op: PureOp::FUn(FUn::Abs | FUn::Neg, _), args, .. } => v = args[0],
                _ => return self.looks.contains(&i).then_some(i),
            }
        }
    }

    /// Which results have NaNs that a later result makes known, and the first that does.
    fn shown(&self, b: &Block) -> HashMap<usize, usize> {
        let mut shown = HashMap::new();
        for &user in &self.floats {
            let Inst::Pure { op, ty, args } = &b.insts[user] else { continue };
            let args = &args[..op.arity()];
            let arg = b.insts[args[0].0 as usize].result(b, |_| Type::V128).unwrap_or(Type::V128);
            let Ok(Some(f)) = float(*op, *ty, arg) else { continue };
            for a in args.iter().filter_map(|&a| self.source(b, a)) {
                if f.shows_nans && lanes_of(b, a) == lanes_of_args(op) {
                    shown.entry(a).or_insert(user);
                }
            }
        }
        shown
    }

    /// The run if it is worth it, from its first floating-point operation to its last.
    fn at_end(&self, b: &Block) -> Option<Chain> {
        let (first, last) = (*self.floats.first()?, *self.floats.last()?);
        let range = first..last + 1;
        let mut covered = vec![false; range.len()];
        self.shown(b).keys().for_each(|i| covered[i - first] = true);
        let gain: i32 = self.looks.iter().map(|&i| gain(b, i, covered[i - first])).sum();
        (gain > OVERHEAD).then_some(Chain { range, way: Way::AtEnd, accesses: false, covered })
    }

    /// Its parts from results that need no look to those that show their NaNs.
    fn later(&self, b: &Block) -> Vec<Chain> {
        let mut shown: Vec<(usize, usize)> =
            self.shown(b).into_iter().filter(|&(i, _)| !is_tiny(b, i)).collect();
        shown.sort_unstable();
        let mut chains: Vec<Chain> = Vec::new();
        for (i, by) in shown {
            match chains.last_mut() {
                Some(c) if i < c.range.end => c.range.end = c.range.end.max(by + 1),
                _ => chains.push(Chain {
                    range: i..by + 1,
                    way: Way::Later,
                    accesses: false,
                    covered: Vec::new(),
                }),
            }
            let c = chains.last_mut().expect("invariant: one was pushed");
            c.covered.resize(c.range.len(), false);
            c.covered[i - c.range.start] = true;
        }
        for c in &mut chains {
            c.accesses = b.insts[c.range.clone()].iter().any(is_access);
        }
        chains
    }
}

/// True if the operation's result can be tiny and inexact.
fn tiny(op: PureOp, ty: Type) -> bool {
    match op {
        PureOp::F(f, _) => matches!(f, FBin::Mul | FBin::Div),
        PureOp::FMulAdd(_) | PureOp::FNarrow { .. } => true,
        PureOp::FConvert(_) => ty.bits() == 32,
        _ => false,
    }
}

fn is_tiny(b: &Block, i: usize) -> bool {
    matches!(b.insts[i], Inst::Pure { op, ty, .. } if tiny(op, ty))
}

/// Half instructions that a run takes by itself: to look at FZ, to test what was found; and something for the code that
/// is there twice.
const OVERHEAD: i32 = 14;

/// How many half instructions fewer the result at `i` takes if it is looked at with others, as counted in the machine code.
fn gain(b: &Block, i: usize, covered: bool) -> i32 {
    if matches!(b.insts[i], Inst::Pure { op: PureOp::FConvert(_), .. }) {
        return 0;
    }
    let tiny = is_tiny(b, i);
    let (alone, nan, smallest) = match (lanes_of(b, i), tiny) {
        (1, _) => (4, 2, 5),
        (2, false) => (10, 3, 0),
        (2, true) => (8, 3, 5),
        (_, false) => (10, 3, 0),
        (_, true) => (14, 3, 6),
    };
    alone - if covered { 0 } else { nan } - if tiny { smallest } else { 0 }
}

/// How many lanes the operation at `i` computes.
fn lanes_of(b: &Block, i: usize) -> u32 {
    match &b.insts[i] {
        Inst::Pure { op: PureOp::FNarrow { .. } | PureOp::FWiden { .. }, .. } => 2,
        Inst::Pure { op, .. } => lanes_of_args(op),
        _ => 0,
    }
}

/// How many lanes of its operands the operation looks at.
fn lanes_of_args(op: &PureOp) -> u32 {
    match op {
        PureOp::F(_, s)
        | PureOp::FUn(_, s)
        | PureOp::FMulAdd(s)
        | PureOp::FToInt { shape: s, .. }
        | PureOp::FRound { shape: s, .. } => s.count(),
        PureOp::FNarrow { .. } => 2,
        _ => 1,
    }
}

/// Whether values can turn out to be constants: LLVM evaluates an operation on such when the result is exact, but takes the
/// difference of equal numbers for +0 also if FPCR rounds downwards. So what is not known to be opaque stays away from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Opaque {
    /// Registers that hold nothing but what came from outside or is opaque.
    registers: RegSet,
}

impl Opaque {
    /// For all registers of a function.
    pub(crate) fn analyse(f: &Function) -> Opaque {
        let mut opaque = Opaque { registers: RegSet::ALL };
        loop {
            let mut registers = opaque.registers;
            for b in &f.blocks {
                let values = opaque.values(b);
                for inst in &b.insts {
                    if let Inst::Set(r, v) = inst
                        && !values[v.0 as usize]
                    {
                        registers.remove(*r);
                    }
                }
            }
            if registers == opaque.registers {
                return opaque;
            }
            opaque.registers = registers;
        }
    }

    /// For the values of a block.
    pub(crate) fn values(&self, b: &Block) -> Vec<bool> {
        let mut opaque: Vec<bool> = Vec::with_capacity(b.insts.len());
        for inst in &b.insts {
            let is = match inst {
                Inst::Get(r) => self.registers.contains(*r),
                Inst::Load { .. } | Inst::LoadEx { .. } | Inst::Rmw { .. } | Inst::Cas { .. } => true,
                Inst::Pure { op, args, .. } => {
                    let args: Vec<bool> = args[..op.arity()].iter().map(|a| opaque[a.0 as usize]).collect();
                    match op {
                        PureOp::F(FBin::Add | FBin::Sub | FBin::Mul | FBin::Div | FBin::AbsDiff, _)
                        | PureOp::FMulAdd(_) => args.contains(&true),
                        PureOp::FUn(..)
                        | PureOp::FConvert(_)
                        | PureOp::FWiden { .. }
                        | PureOp::FNarrow { .. }
                        | PureOp::Bitcast
                        | PureOp::VSplat(_)
                        | PureOp::VFromScalar
                        | PureOp::VToScalar
                        | PureOp::VExtract(..)
                        | PureOp::VInsert(..)
                        | PureOp::VLow64
                        | PureOp::VShuffle(_) => !args.contains(&false),
                        PureOp::VBitSelect => args[1] && args[2],
                        _ => false,
                    }
                }
                _ => false,
            };
            opaque.push(is);
        }
        opaque
    }
}
