//! Passes over the IR: each takes a function (or a straight run) and rewrites it without changing what it computes, or
//! the register state at any point where the state can be seen: checkpoints, system registers, and every way out of a
//! block. They know registers' types only; nothing of any instruction set or engine.
//!
//! A pass rebuilds a block's instruction list, so values come out renumbered without gaps.

mod address;
mod dead;
mod lanes;
mod live;
mod rules;
mod simplify;
mod switches;

pub use address::{Convention, Part, guess_parts, propagate_addresses};
pub use dead::remove_dead_values;
pub use live::remove_dead_sets;
pub use switches::share_switches;

use crate::func::{Block, Function, Inst, Term, Value};
use crate::op::{IntUn, PureOp};
use crate::types::{Reg, RegFile};

/// What the pipeline runs before emission: [`simplify`], [`propagate_addresses`], [`remove_dead_sets`] over all registers,
/// exact, [`remove_dead_values`].
pub fn run_default(f: &mut Function, regs: &RegFile) {
    simplify(f, regs);
    propagate_addresses(f, regs);
    let all: Vec<Reg> = (0..regs.regs.len() as u16).map(Reg).collect();
    remove_dead_sets(f, regs, &all, true);
    remove_dead_values(f);
}

/// The same for a straight run of instructions, at whose end everything is live. `roots` are the values that the run's
/// exit uses; they are renumbered in place.
pub fn run_default_insts(insts: &mut Vec<Inst>, roots: &mut [Value], regs: &RegFile) {
    simplify::insts(insts, roots, regs);
    live::insts(insts, roots, regs, &live::RegSet::none(regs));
    dead::insts(insts, roots);
}

/// Folds constants, applies algebra that needs no more than an operation's operands, and replaces register reads by the
/// value that the block wrote or read before; register writes of the value that is there already go. Branches on
/// constants become jumps. Operations that depend on FPCR or touch FPSR are left alone.
pub fn simplify(f: &mut Function, regs: &RegFile) {
    for b in &mut f.blocks {
        simplify_block(b, regs);
    }
}

fn simplify_block(b: &mut Block, regs: &RegFile) {
    with_roots(b, |insts, roots| simplify::insts(insts, roots, regs));
    simplify_branch(b);
}

fn simplify_branch(b: &mut Block) {
    let Term::Branch { cond, then, els } = &mut b.term else { return };
    if then == els {
        b.term = Term::Jump(*then);
        return;
    }
    match b.insts[cond.0 as usize] {
        Inst::Const { bits, .. } => b.term = Term::Jump(if bits != 0 { *then } else { *els }),
        Inst::Pure { op: PureOp::IntUn(IntUn::Not), args, .. } => {
            *cond = args[0];
            std::mem::swap(then, els);
        }
        _ => {}
    }
}

/// Runs a pass over a block's instructions with the terminator's operands as roots.
fn with_roots(b: &mut Block, pass: impl FnOnce(&mut Vec<Inst>, &mut [Value])) {
    let mut roots = Vec::new();
    b.term.map_args(|v| {
        roots.push(v);
        v
    });
    pass(&mut b.insts, &mut roots);
    let mut new = roots.into_iter();
    b.term.map_args(|_| new.next().expect("invariant: as many operands as before"));
}

/// Rebuilds an instruction list without the instructions for which `keep` is false; no kept one uses a dropped one.
fn retain(insts: &mut Vec<Inst>, roots: &mut [Value], keep: impl Fn(usize) -> bool) {
    let mut map = Vec::with_capacity(insts.len());
    let mut next = 0;
    for i in 0..insts.len() {
        map.push(Value(next));
        if keep(i) {
            let mut inst = insts[i];
            inst.map_args(|v| map[v.0 as usize]);
            insts[next as usize] = inst;
            next += 1;
        }
    }
    insts.truncate(next as usize);
    for r in roots {
        *r = map[r.0 as usize];
    }
}

/// True if the instruction shows the registers to something outside the block, or lets it change them: nothing may be
/// assumed of them across it, and each must hold its exact value before it.
fn shows_registers(inst: &Inst) -> bool {
    match inst {
        // FPSR's parts may live in registers of the file.
        Inst::ReadSys(_) | Inst::WriteSys(..) => true,
        // Engines may leave the block behind these.
        Inst::Cache { .. } | Inst::Fence(_) => true,
        Inst::Load { .. }
        | Inst::Store { .. }
        | Inst::Rmw { .. }
        | Inst::Cas { .. }
        | Inst::LoadEx { .. }
        | Inst::StoreEx { .. } => true,
        Inst::Mark(_)
        | Inst::Const { .. }
        | Inst::CodeAddr(_)
        | Inst::Get(_)
        | Inst::Set(..)
        | Inst::Pure { .. }
        | Inst::ClearEx => false,
    }
}
