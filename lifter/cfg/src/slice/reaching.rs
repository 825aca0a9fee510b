//! Reaching definitions of registers and stack slots: which block's value a block sees. Optimistic, so that loops that
//! leave a place alone make no join. Takes the lifted blocks and edges of a [`Slice`]; evaluates nothing.

use super::{Edge, Slice};
use crate::value::Expr;
use ir::{Inst, IntBin, PureOp, Reg, Type, Value};
use isa::Isa;
use isa::a64::reg;
use std::rc::Rc;

/// Where a value can live from block to block.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// A guest register.
    Reg(Reg),
    /// A stack slot, by its distance from the stack pointer at entry.
    Slot(i64),
}

/// Which definition of a place reaches the start of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Not known yet, or the block is not reached.
    Nothing,
    /// The function's input.
    Entry,
    /// The last definition in that block.
    Def(usize),
    /// What a call or system call at the end of that block left there.
    Clobber(usize),
    /// Different ones, which meet at that block.
    Join(usize),
}

/// A store to a stack slot: instruction, slot, value stored.
#[derive(Clone, Copy)]
pub(super) struct Store {
    at: usize,
    slot: i64,
    value: Value,
}

impl Slice<'_> {
    pub(super) fn reach(&mut self, block: usize, place: Place) -> Reach {
        self.reaching_all(place)[block]
    }

    /// What leaves `block` through an edge.
    pub(super) fn leaving(&mut self, block: usize, edge: Edge, place: Place) -> Reach {
        if clobbered(edge, place) {
            Reach::Clobber(block)
        } else if self.defines(block, place) {
            Reach::Def(block)
        } else {
            self.reach(block, place)
        }
    }

    fn defines(&mut self, block: usize, place: Place) -> bool {
        match place {
            Place::Reg(r) => self.blocks[block].last.contains_key(&r),
            Place::Slot(slot) => self.stores()[block].iter().any(|s| s.slot == slot),
        }
    }

    /// Reaching definitions of one place, optimistically: a loop that leaves it alone makes no join.
    fn reaching_all(&mut self, place: Place) -> Rc<Vec<Reach>> {
        if let Some(r) = self.reaching.get(&place) {
            return r.clone();
        }
        let defines: Vec<bool> = (0..self.blocks.len()).map(|b| self.defines(b, place)).collect();
        let mut state = vec![Reach::Nothing; self.blocks.len()];
        let mut work: Vec<usize> = self.entry.into_iter().collect();
        if let Some(e) = self.entry {
            state[e] = Reach::Entry;
        }
        // Fresh meets could go round for ever; few are enough, and after that joins stay joins.
        let mut fresh = 8 * self.blocks.len() + 64;
        while let Some(b) = work.pop() {
            for &(to, _) in &self.succs[b] {
                let mut met = if self.entry == Some(to) { Reach::Entry } else { Reach::Nothing };
                for &(p, edge) in &self.preds[to] {
                    let out = match edge {
                        _ if clobbered(edge, place) => Reach::Clobber(p),
                        _ if defines[p] => Reach::Def(p),
                        _ => state[p],
                    };
                    met = match met {
                        _ if out == Reach::Nothing || out == Reach::Join(to) => met,
                        Reach::Nothing => out,
                        m if m == out => m,
                        _ => Reach::Join(to),
                    };
                }
                if fresh == 0 && state[to] != Reach::Nothing {
                    met = if met == state[to] { met } else { Reach::Join(to) };
                }
                if met != state[to] && !(fresh == 0 && state[to] == Reach::Join(to)) {
                    fresh = fresh.saturating_sub(1);
                    state[to] = met;
                    work.push(to);
                }
            }
        }
        let state = Rc::new(state);
        self.reaching.insert(place, state.clone());
        state
    }

    /// The distance of an address from the stack pointer at entry, if it is computed from it by constants.
    pub(super) fn frame_offset(&mut self, block: usize, v: Value, depth: u32) -> Option<i64> {
        let lifted = self.blocks[block].clone();
        if depth > 64 {
            return None;
        }
        match lifted.run.insts[v.0 as usize] {
            Inst::Get(r) => match lifted.sources[v.0 as usize] {
                Some(source) => self.frame_offset(block, source, depth + 1),
                None => match self.reach(block, Place::Reg(r)) {
                    Reach::Entry if r == reg::SP => Some(0),
                    Reach::Def(b) => {
                        let v = *self.blocks[b].last.get(&r)?;
                        self.frame_offset(b, v, depth + 1)
                    }
                    _ => None,
                },
            },
            Inst::Pure { op: PureOp::Int(op @ (IntBin::Add | IntBin::Sub)), ty: Type::I64, args } => {
                let Inst::Const { bits, .. } = lifted.run.insts[args[1].0 as usize] else { return None };
                let base = self.frame_offset(block, args[0], depth + 1)?;
                let c = bits as i64;
                Some(if op == IntBin::Add { base.wrapping_add(c) } else { base.wrapping_sub(c) })
            }
            // AArch32's registers are 32 bits wide.
            Inst::Pure { op: PureOp::Zext | PureOp::Trunc, args, .. } if self.is_a32() => {
                self.frame_offset(block, args[0], depth + 1)
            }
            Inst::Pure { op: PureOp::Int(op @ (IntBin::Add | IntBin::Sub)), ty: Type::I32, args }
                if self.is_a32() =>
            {
                let Inst::Const { bits, .. } = lifted.run.insts[args[1].0 as usize] else { return None };
                let base = self.frame_offset(block, args[0], depth + 1)?;
                let c = i64::from(bits as i32);
                Some(if op == IntBin::Add { base.wrapping_add(c) } else { base.wrapping_sub(c) })
            }
            _ => None,
        }
    }

    pub(crate) fn is_a32(&self) -> bool {
        self.image.isa == Isa::A32
    }

    /// Stores to stack slots, by block.
    fn stores(&mut self) -> Rc<Vec<Vec<Store>>> {
        if let Some(s) = &self.stores {
            return s.clone();
        }
        let mut all = Vec::with_capacity(self.blocks.len());
        for block in 0..self.blocks.len() {
            let lifted = self.blocks[block].clone();
            let mut here = Vec::new();
            for (at, inst) in lifted.run.insts.iter().enumerate() {
                if let Inst::Store { addr, value, .. } = *inst
                    && let Some(slot) = self.frame_offset(block, addr, 0)
                {
                    here.push(Store { at, slot, value });
                }
            }
            all.push(here);
        }
        let all = Rc::new(all);
        self.stores = Some(all.clone());
        all
    }

    /// What a stack slot holds before instruction `i` of `block`. Only stores to slots count: other pointers are taken
    /// not to point at spilled temporaries.
    pub(super) fn slot_before(&mut self, block: usize, i: usize, slot: i64, ty: Type) -> Expr {
        let stored = self.stores()[block].iter().rev().find(|s| s.at < i && s.slot == slot).copied();
        let Some(s) = stored else { return self.incoming(block, Place::Slot(slot), ty) };
        let e = self.eval(block, s.value);
        if self.arena.get(e).0 == ty { e } else { self.arena.unknown(ty) }
    }
}

/// True if what an edge passes through changes `place`.
fn clobbered(edge: Edge, place: Place) -> bool {
    match (edge, place) {
        (Edge::All, _) | (_, Place::Slot(_)) => false,
        (Edge::Call(writes), Place::Reg(r)) => match (0..31).find(|&n| r == reg::x(n)) {
            Some(n) => writes >> n & 1 != 0,
            None => r != reg::SP,
        },
        (Edge::Syscall, Place::Reg(r)) => r == reg::x(0),
    }
}
