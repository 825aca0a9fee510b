//! What is compiled together: the guest code that direct jumps reach from an address, up to a limit. Takes code bytes, gives
//! an IR function and the bytes it was made from.

use crate::Request;
use ir::{Block, BlockId, CacheOp, CallTarget, Fence, Function, GuestAddr, Inst, SysReg, Term};
use isa::{BlockShape, Flow, FunctionShape, a64};
use std::collections::{BTreeSet, VecDeque};

/// Guest instructions of a region at most: their accesses have to be told apart by Cranelift's trap codes.
pub const MAX_INSNS: usize = 240;

/// A region in the IR.
pub(crate) struct Region {
    pub(crate) function: Function,
    /// Where each block goes on in the region. Beyond the jumps of the IR: to the callee of a direct call, and from a return to
    /// where such calls return.
    pub(crate) ways: Vec<Vec<BlockId>>,
    pub(crate) ranges: Vec<(u64, u32)>,
    pub(crate) insns: u32,
}

impl Region {
    pub(crate) fn find(request: &Request<'_>) -> Option<Region> {
        let shape = shape(request)?;
        let mut function = isa::lift_function(&shape, request.code);
        for i in 0..function.blocks.len() {
            shorten(&mut function, i);
        }
        ir::pass::run_default(&mut function, &a64::FILE);
        let mut ranges: Vec<(u64, u32)> = Vec::new();
        let mut insns = 0;
        for b in &shape.blocks {
            let len = (b.end.0 - b.start.0) as u32;
            insns += len / 4;
            match ranges.last_mut() {
                Some((at, n)) if *at + *n as u64 == b.start.0 => *n += len,
                _ => ranges.push((b.start.0, len)),
            }
        }
        let ways = ways(&function, shape.blocks.len());
        Some(Region { function, ways, ranges, insns })
    }
}

/// Return sites that a return is compared with, at most.
const RETURN_SITES: usize = 4;

/// See [`Region::ways`]. The first `shaped` blocks are those of the region, what follows leads out of it.
fn ways(f: &Function, shaped: usize) -> Vec<Vec<BlockId>> {
    let find = |a: GuestAddr| f.blocks[..shaped].iter().position(|b| b.pc == a).map(|n| BlockId(n as u32));
    let mut ways: Vec<Vec<BlockId>> = f
        .blocks
        .iter()
        .map(|b| match b.term {
            Term::Call { target: CallTarget::Direct(a), cont: Some(_), .. } => find(a).into_iter().collect(),
            Term::Jump(_) | Term::Branch { .. } => b.term.successors(),
            _ => Vec::new(),
        })
        .collect();
    for b in &f.blocks {
        let Term::Call { target: CallTarget::Direct(callee), cont: Some(cont), .. } = b.term else {
            continue;
        };
        let mut seen = vec![false; f.blocks.len()];
        let mut stack: Vec<BlockId> = find(callee).into_iter().collect();
        while let Some(at) = stack.pop() {
            let n = at.0 as usize;
            if std::mem::replace(&mut seen[n], true) {
                continue;
            }
            match &f.blocks[n].term {
                Term::Return(_) if ways[n].len() < RETURN_SITES && !ways[n].contains(&cont) => {
                    ways[n].push(cont)
                }
                // Calls return behind them.
                Term::Jump(_) | Term::Branch { .. } | Term::Call { .. } => {
                    stack.extend(f.blocks[n].term.successors())
                }
                _ => {}
            }
        }
    }
    ways
}

/// Walks breadth-first along direct jumps.
fn shape(request: &Request<'_>) -> Option<FunctionShape> {
    let entry = request.pc;
    request.code.word(entry)?;
    let mut seen: BTreeSet<GuestAddr> = BTreeSet::new();
    let mut leaders: BTreeSet<GuestAddr> = BTreeSet::from([entry]);
    // Behind these, control does not go on to the next instruction of the same block.
    let mut ends: BTreeSet<GuestAddr> = BTreeSet::new();
    let mut queue = VecDeque::from([entry]);
    while let Some(start) = queue.pop_front() {
        let mut pc = start;
        loop {
            if seen.contains(&pc) || seen.len() >= MAX_INSNS || (pc != entry && (request.stop)(pc.0)) {
                break;
            }
            let Some(word) = request.code.word(pc) else { break };
            seen.insert(pc);
            let next = pc.offset(4);
            let mut go = |a: GuestAddr| {
                if leaders.insert(a) {
                    queue.push_back(a);
                }
            };
            match a64::flow(word, pc) {
                Flow::Next => {
                    pc = next;
                    continue;
                }
                Flow::Jump(a) => go(a),
                Flow::Branch(a) => {
                    go(next);
                    go(a);
                }
                Flow::Call(a) => {
                    go(a);
                    go(next);
                }
                Flow::IndirectCall | Flow::Indirect | Flow::Return | Flow::Syscall | Flow::Trap => {}
            }
            ends.insert(pc);
            break;
        }
    }
    let mut blocks: Vec<BlockShape> = Vec::new();
    let mut open = false;
    for &pc in &seen {
        match blocks.last_mut() {
            Some(b) if open && b.end == pc && !leaders.contains(&pc) => b.end = pc.offset(4),
            _ => blocks.push(BlockShape { start: pc, end: pc.offset(4), switch: None }),
        }
        open = !ends.contains(&pc);
    }
    Some(FunctionShape { name: "region".into(), entry, blocks })
}

/// Ends a block before the first instruction that is the interpreter's, and behind a barrier that makes changed code visible.
fn shorten(f: &mut Function, i: usize) {
    let b = &f.blocks[i];
    let mut mark = None;
    let mut barrier = false;
    let mut end = None;
    for (n, inst) in b.insts.iter().enumerate() {
        match inst {
            Inst::Mark(pc) if barrier => {
                end = Some((n, Term::Goto(*pc)));
                break;
            }
            Inst::Mark(pc) => mark = Some((n, *pc)),
            Inst::Fence(Fence::Instruction) => barrier = true,
            Inst::WriteSys(SysReg::Fpcr | SysReg::Fpsr | SysReg::Counter, _)
            | Inst::Cache { op: CacheOp::InvalidateCode, .. } => {
                if let Some((n, pc)) = mark {
                    end = Some((n, Term::Fallback { pc }));
                }
                break;
            }
            _ => {}
        }
    }
    if end.is_none()
        && barrier
        && let Term::Jump(to) = b.term
    {
        end = Some((b.insts.len(), Term::Goto(f.block(to).pc)));
    }
    if let Some((n, term)) = end {
        let b: &mut Block = &mut f.blocks[i];
        b.insts.truncate(n);
        b.term = term;
    }
}
