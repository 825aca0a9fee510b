//! Code addresses through registers: a block that reads a register which holds the same code address on every way to it
//! gets the address. Compilers load the page of an address in one block and add to it in others; the sum becomes one address,
//! which says more than its parts.

use super::{shows_registers, simplify_block};
use crate::func::{Block, BlockId, Function, Inst, Term, Value};
use crate::op::{IntBin, PureOp};
use crate::types::{GuestAddr, Reg, RegFile, Type};

/// What a register holds at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    /// No way leads there, as far as is known.
    Unreached,
    /// A code address.
    Address(GuestAddr),
    /// What a register that a guess names as a base held at the function's entry.
    Base(Reg),
    /// Something.
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
    let starts = starts(f, regs.regs.len(), None);
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

/// What a guess takes for granted: no engine may rely on it.
#[derive(Clone, Copy, Debug)]
pub struct Convention<'a> {
    /// Registers that calls leave as they are.
    pub kept: &'a [Reg],
    /// Registers that hold the same all the time: a thread pointer.
    pub bases: &'a [Reg],
    /// Where a part of an address is added to another: addresses divisible by this.
    pub page: u64,
}

/// A constant that is part of an address, very likely.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Part {
    /// The block in which it stands.
    pub block: BlockId,
    /// The constant, which has no other use.
    pub value: Value,
    /// The address that it is part of; what is added to a base is counted from 0.
    pub sum: GuestAddr,
    /// The base that it is added to, if it is one.
    pub base: Option<Reg>,
}

/// Finds constants that are added to a page's address, or to a base, as compilers write it for variables.
pub fn guess_parts(f: &Function, regs: &RegFile, convention: &Convention<'_>) -> Vec<Part> {
    let starts = starts(f, regs.regs.len(), Some(convention));
    let mut parts = Vec::new();
    for (n, (b, start)) in f.blocks.iter().zip(&starts).enumerate() {
        let mut uses: Option<Vec<u32>> = None;
        let mut held = start.clone();
        let mut values = vec![Held::Anything; b.insts.len()];
        for (i, inst) in b.insts.iter().enumerate() {
            match *inst {
                Inst::Get(r) => values[i] = held[r.0 as usize],
                Inst::CodeAddr(a) => values[i] = Held::Address(a),
                Inst::Set(r, v) => held[r.0 as usize] = values[v.0 as usize],
                Inst::Pure { op: PureOp::Int(IntBin::Add), ty: Type::I64, args: [x, k, _] } => {
                    let Inst::Const { bits, .. } = b.insts[k.0 as usize] else { continue };
                    let (sum, base) = match values[x.0 as usize] {
                        Held::Address(a) if a.0 % convention.page == 0 => (a.offset(bits as i64), None),
                        Held::Base(r) => (GuestAddr(bits as u64), Some(r)),
                        _ => continue,
                    };
                    if uses.get_or_insert_with(|| uses_of(b))[k.0 as usize] == 1 {
                        parts.push(Part { block: BlockId(n as u32), value: k, sum, base });
                    }
                }
                _ if writes_registers(inst) => held.fill(Held::Anything),
                _ => {}
            }
        }
    }
    parts
}

fn uses_of(b: &Block) -> Vec<u32> {
    let mut uses = vec![0; b.insts.len()];
    for inst in &b.insts {
        inst.for_each_arg(|v| uses[v.0 as usize] += 1);
    }
    b.term.clone().map_args(|v| {
        uses[v.0 as usize] += 1;
        v
    });
    uses
}

/// What registers hold at the start of each block: for certain, or as a convention has it, by which the function is only
/// entered at its start.
fn starts(f: &Function, count: usize, convention: Option<&Convention<'_>>) -> Vec<Vec<Held>> {
    let mut starts = vec![vec![Held::Unreached; count]; f.blocks.len()];
    let mut work: Vec<usize> = Vec::new();
    for (i, b) in f.blocks.iter().enumerate() {
        if i == 0 || b.resume && convention.is_none() {
            starts[i].fill(Held::Anything);
            work.push(i);
        }
        // What a call comes back with is the callee's affair.
        if let Term::Call { cont: Some(c), .. } | Term::Syscall { cont: Some(c), .. } = b.term
            && convention.is_none()
        {
            starts[c.0 as usize].fill(Held::Anything);
            work.push(c.0 as usize);
        }
    }
    for r in convention.iter().flat_map(|c| c.bases) {
        starts[0][r.0 as usize] = Held::Base(*r);
    }
    while let Some(i) = work.pop() {
        let b = &f.blocks[i];
        let mut end = end(&starts[i], &b.insts);
        if let Term::Call { .. } | Term::Syscall { .. } = b.term {
            let Some(c) = convention else { continue };
            for (r, h) in end.iter_mut().enumerate() {
                let r = Reg(r as u16);
                if !c.kept.contains(&r) && !c.bases.contains(&r) {
                    *h = Held::Anything;
                }
            }
        }
        for s in b.term.successors() {
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
    let mut values: Vec<Held> = Vec::with_capacity(insts.len());
    for inst in insts {
        let mut value = Held::Anything;
        match *inst {
            Inst::Get(r) => value = held[r.0 as usize],
            Inst::CodeAddr(a) => value = Held::Address(a),
            Inst::Set(r, v) => held[r.0 as usize] = values[v.0 as usize],
            _ if writes_registers(inst) => held.fill(Held::Anything),
            _ => {}
        }
        values.push(value);
    }
    held
}
