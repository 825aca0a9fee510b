//! Code addresses through registers: a block that reads a register which holds the same code address on every way to it
//! gets the address. Compilers load the page of an address in one block and add to it in others; the sum becomes one address,
//! which says more than its parts.

use super::{shows_registers, simplify_block};
use crate::func::{BlockId, Function, Inst, Term};
use crate::types::{GuestAddr, RegFile};

/// What a register holds at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    /// No way leads there, as far as is known.
    Unreached,
    Address(GuestAddr),
    Anything,
}

impl Held {
    fn meet(self, other: Held) -> Held {
        match (self, other) {
            (Held::Unreached, x) | (x, Held::Unreached) => x,
            (a, b) if a == b => a,
            _ => Held::Anything,
        }
    }
}

/// Replaces reads of registers that hold a known code address, and simplifies the blocks that changed.
pub fn propagate_addresses(f: &mut Function, regs: &RegFile) {
    if !f.blocks.iter().any(|b| b.insts.iter().any(|i| matches!(i, Inst::CodeAddr(_)))) {
        return;
    }
    let starts = starts(f, regs.regs.len());
    for (b, start) in f.blocks.iter_mut().zip(&starts) {
        let mut held = start.clone();
        let mut changed = false;
        let mut copy = Vec::new();
        for inst in &b.insts {
            if let Inst::Get(r) = *inst
                && let Held::Address(a) = held[r.0 as usize]
            {
                copy.push(Inst::CodeAddr(a));
                changed = true;
                continue;
            }
            // A read behind a write in the block is the simplification's affair.
            if let Inst::Set(r, _) = *inst {
                held[r.0 as usize] = Held::Anything;
            }
            if writes_registers(inst) {
                held.fill(Held::Anything);
            }
            copy.push(*inst);
        }
        if changed {
            b.insts = copy;
            simplify_block(b, regs);
        }
    }
}

/// True if the instruction may change registers other than by a `Set`.
fn writes_registers(inst: &Inst) -> bool {
    shows_registers(inst) && !inst.is_checkpoint()
}

/// What registers hold at the start of each block.
fn starts(f: &Function, count: usize) -> Vec<Vec<Held>> {
    let mut starts = vec![vec![Held::Unreached; count]; f.blocks.len()];
    let mut work: Vec<usize> = Vec::new();
    for (i, b) in f.blocks.iter().enumerate() {
        if i == 0 || b.resume {
            starts[i].fill(Held::Anything);
            work.push(i);
        }
    }
    // What a call comes back with is the callee's affair.
    for b in &f.blocks {
        if let Term::Call { cont: Some(c), .. } | Term::Syscall { cont: Some(c), .. } = b.term {
            starts[c.0 as usize].fill(Held::Anything);
            work.push(c.0 as usize);
        }
    }
    while let Some(i) = work.pop() {
        let b = &f.blocks[i];
        let end = end(&starts[i], &b.insts);
        let ways: Vec<BlockId> = match b.term {
            Term::Call { .. } | Term::Syscall { .. } => Vec::new(),
            _ => b.term.successors(),
        };
        for s in ways {
            let s = s.0 as usize;
            let mut lower = false;
            for (old, new) in starts[s].iter_mut().zip(&end) {
                let met = old.meet(*new);
                lower |= met != *old;
                *old = met;
            }
            if lower {
                work.push(s);
            }
        }
    }
    starts
}

fn end(start: &[Held], insts: &[Inst]) -> Vec<Held> {
    let mut held = start.to_vec();
    for inst in insts {
        match *inst {
            Inst::Set(r, v) => {
                held[r.0 as usize] = match insts[v.0 as usize] {
                    Inst::CodeAddr(a) => Held::Address(a),
                    Inst::Get(from) if from == r => held[r.0 as usize],
                    _ => Held::Anything,
                }
            }
            _ if writes_registers(inst) => held.fill(Held::Anything),
            _ => {}
        }
    }
    held
}
