//! Lifts a whole function. Takes its shape (blocks by address, found by discovery) and code bytes, gives an
//! [`ir::Function`]: each block is one run, or several where conditions divide it; addresses become block ids, and what leaves
//! the shape becomes `Goto`. Knows no ELF: discovery decides what is code.

use crate::{Code, Exit, Isa, Run};
use ir::{Block, BlockId, Function, GuestAddr, Term};

/// A block of a function to lift.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockShape {
    /// Code address of its first instruction (AArch32: with the state, outside IT blocks).
    pub start: GuestAddr,
    /// Address of the byte behind its last instruction.
    pub end: GuestAddr,
    /// Targets of the jump table that its last instruction (an indirect jump) goes through, sorted.
    pub switch: Option<Vec<GuestAddr>>,
}

/// A function to lift.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FunctionShape {
    /// Symbol name or `sub_<address>`.
    pub name: String,
    /// Instruction set.
    pub isa: Isa,
    /// Entry, a code address.
    pub entry: GuestAddr,
    /// Its blocks, sorted by address, not overlapping; one of them begins at `entry`.
    pub blocks: Vec<BlockShape>,
}

/// Lifts `shape`. Blocks come entry first, then by address, then those inside blocks of the shape. Blocks at which the dispatcher may enter (the continuations
/// of calls and system calls, and loop heads: targets of backward edges) have `resume` set.
pub fn lift_function(shape: &FunctionShape, code: &dyn Code) -> Function {
    let mut order: Vec<usize> = (0..shape.blocks.len()).collect();
    order.sort_by_key(|&i| (shape.blocks[i].start != shape.entry, shape.blocks[i].start));
    let mut runs: Vec<(Run, &BlockShape)> = Vec::with_capacity(order.len());
    let mut inner: Vec<(Run, &BlockShape)> = Vec::new();
    for &i in &order {
        let b = &shape.blocks[i];
        let mut lifted = shape.isa.lift_block(code, b.start, b.end).into_iter();
        runs.extend(lifted.next().map(|r| (r, b)));
        inner.extend(lifted.map(|r| (r, b)));
    }
    runs.append(&mut inner);
    let mut index: Vec<(GuestAddr, BlockId)> =
        runs.iter().enumerate().map(|(id, (r, _))| (r.pc, BlockId(id as u32))).collect();
    index.sort();
    let find = |a: GuestAddr| index.binary_search_by_key(&a, |e| e.0).ok().map(|i| index[i].1);
    let jump = |a: GuestAddr| find(a).map_or(Term::Goto(a), Term::Jump);

    let mut extra: Vec<Block> = Vec::new();
    let first_extra = runs.len();
    let mut blocks: Vec<Block> = Vec::with_capacity(first_extra);
    for (run, b) in runs {
        // A conditional jump out of the function goes through a block of its own.
        let mut out = |a: GuestAddr| {
            find(a).unwrap_or_else(|| {
                extra.push(Block { pc: a, insts: Vec::new(), term: Term::Goto(a), resume: false });
                BlockId((first_extra + extra.len() - 1) as u32)
            })
        };
        let term = match run.exit {
            Exit::Next(a) | Exit::Jump(a) => jump(a),
            Exit::Branch { cond, then, els } => Term::Branch { cond, then: out(then), els: out(els) },
            Exit::Indirect(target) => match &b.switch {
                Some(targets) => Term::Switch {
                    target,
                    cases: targets.iter().filter_map(|&a| find(a).map(|id| (a, id))).collect(),
                },
                None => Term::Indirect(target),
            },
            Exit::Call { target, ret } => Term::Call { target, ret, cont: find(ret) },
            Exit::Return(v) => Term::Return(v),
            Exit::Syscall { imm, next } => Term::Syscall { imm, next, cont: find(next) },
            Exit::Trap { kind, pc } => Term::Trap { kind, pc },
            Exit::Fallback { pc } => Term::Fallback { pc },
        };
        blocks.push(Block { pc: run.pc, insts: run.insts, term, resume: false });
    }
    blocks.append(&mut extra);
    mark_resume_points(shape.isa, &mut blocks, first_extra);
    Function { name: shape.name.clone(), entry: shape.entry, blocks }
}

/// Functions with more blocks than this get few resume points.
const LARGE: usize = 250;

/// Resume points of a large function.
const LARGE_POINTS: usize = 24;

/// Marks where the dispatcher may enter; blocks from `first_way_out` on only leave the function. Each point is a second way in, at
/// which every register merges, and the register allocator's work grows faster than their number: in large functions only the heads
/// of the longest loops are marked (docs/decisions/0006-large-functions.md). Elsewhere the interpreter goes on until it meets one, or
/// the function returns.
fn mark_resume_points(isa: Isa, blocks: &mut [Block], first_way_out: usize) {
    // Block and length of the loop it heads; return sites have none.
    let mut points: Vec<(u64, BlockId)> = Vec::new();
    for b in blocks.iter() {
        match &b.term {
            Term::Call { cont: Some(c), .. } | Term::Syscall { cont: Some(c), .. } => points.push((0, *c)),
            _ => {}
        }
        // The ways out are no heads of loops, though they may lead back.
        for s in b.term.successors().into_iter().filter(|s| (s.0 as usize) < first_way_out) {
            let head = blocks[s.0 as usize].pc;
            let (from, to) = (isa.bytes_at(b.pc.0), isa.bytes_at(head.0));
            if to < from || head == b.pc {
                points.push((from - to + 1, s));
            }
        }
    }
    // Where control comes to from within an instruction's condition only, nothing else can go on.
    points.retain(|&(_, p)| !isa.is_inner(blocks[p.0 as usize].pc.0));
    if blocks.len() > LARGE {
        points.sort_by_key(|&(length, block)| (std::cmp::Reverse(length), block));
        points.dedup_by_key(|p| p.1);
        points.truncate(LARGE_POINTS);
    }
    for (_, p) in points {
        blocks[p.0 as usize].resume = true;
    }
}
