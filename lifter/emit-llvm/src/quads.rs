//! Q registers (AArch32): two D registers that a function mostly uses together are one vector there, so that what works on
//! whole Q registers neither joins their halves nor takes them apart.

use crate::flow::RegSet;
use crate::function::Fx;
use crate::llvm::V;
use crate::slots::Slot;
use ir::{Block, Function, Inst, Lane, PureOp, Reg, RegFile, Type, Value};

/// The other half of the Q register of which `r` is a half, and which half `r` is (0: lower, 1: upper).
pub(crate) fn other_half(r: Reg, regs: &RegFile) -> Option<(Reg, u32)> {
    let is_d = |r: Reg, offset: u32| {
        regs.regs.get(r.0 as usize).is_some_and(|i| i.ty == Type::F64 && i.offset == offset)
    };
    let offset = regs.info(r).offset;
    let (other, at, half) = match offset % 16 {
        0 => (Reg(r.0 + 1), offset + 8, 0),
        _ => (Reg(r.0.checked_sub(1)?), offset.checked_sub(8)?, 1),
    };
    (is_d(r, offset) && is_d(other, at)).then_some((other, half))
}

/// The lower halves of the Q registers that `f` reads and writes whole more often than by halves, counted by the depth of loops.
pub(crate) fn whole(f: &Function, regs: &RegFile, depth: &[u32]) -> RegSet {
    let mut gain = vec![0i64; regs.regs.len()];
    for (b, depth) in f.blocks.iter().zip(depth) {
        count(b, regs, 8i64.pow((*depth).min(4)), &mut gain);
    }
    let mut set = RegSet::default();
    for (n, _) in gain.iter().enumerate().filter(|(_, gain)| **gain > 0) {
        set.insert(Reg(n as u16));
    }
    set
}

/// Adds to `gain`, by lower halves, what the block's accesses to Q registers save (joins, extractions), times `weight`.
fn count(b: &Block, regs: &RegFile, weight: i64, gain: &mut [i64]) {
    let lower = |r: Reg| other_half(r, regs).map(|(other, half)| if half == 0 { r } else { other });
    // Values that take an upper half for a join with its lower one.
    let mut joined = vec![false; b.insts.len()];
    for inst in &b.insts {
        if let Some((low, cast)) = join(b, inst)
            && other_half(low.0, regs) == Some((low.1, 0))
        {
            gain[low.0.0 as usize] += weight;
            joined[cast.0 as usize] = true;
        }
    }
    // The vector whose lower half was written to a register last.
    let mut written: Vec<Option<Value>> = vec![None; regs.regs.len()];
    for (i, inst) in b.insts.iter().enumerate() {
        if !joined[i] {
            inst.for_each_arg(|v| {
                if let Inst::Get(r) = b.insts[v.0 as usize]
                    && let Some((low, 1)) = other_half(r, regs)
                {
                    gain[low.0 as usize] -= weight;
                }
            });
        }
        let Inst::Set(r, v) = *inst else { continue };
        let Some(low) = lower(r) else { continue };
        let n = low.0 as usize;
        let source = half_of(b, v);
        match source {
            _ if matches!(b.insts[v.0 as usize], Inst::Const { .. } | Inst::Get(_)) => written[n] = None,
            Some((vector, 1)) if r != low && written[n] == Some(vector) => gain[n] += 2 * weight,
            _ => {
                gain[n] -= weight;
                written[n] = source.filter(|&(_, half)| r == low && half == 0).map(|(vector, _)| vector);
            }
        }
    }
}

/// The vector that a Q register is behind instruction `i`, if that writes its upper half.
fn completed(b: &Block, i: usize, regs: &RegFile) -> Option<Value> {
    let Inst::Set(r, v) = b.insts[i] else { return None };
    let (other, 1) = other_half(r, regs)? else { return None };
    let (vector, 1) = half_of(b, v)? else { return None };
    let lower = b.insts[..i].iter().rev().find_map(|before| match *before {
        Inst::Set(r, w) if r == other => Some(w),
        _ => None,
    })?;
    (half_of(b, lower) == Some((vector, 0))).then_some(vector)
}

impl Fx<'_, '_> {
    /// The slots of Q registers with both halves in `set`, with their lower halves; and the registers left.
    fn quads_of(&self, set: RegSet) -> (Vec<(Reg, V)>, RegSet) {
        let (mut quads, mut left) = (Vec::new(), set);
        for r in set.iter() {
            if let Slot::Half(p, 0) = self.slot(r)
                && let Some((other, _)) = other_half(r, self.unit.options.regs)
                && set.contains(other)
            {
                quads.push((r, p));
                left.remove(r);
                left.remove(other);
            }
        }
        (quads, left)
    }

    /// Stores the Q registers with both halves in `set` to the state; gives the registers left.
    pub(crate) fn store_quads(&self, set: RegSet) -> RegSet {
        let (quads, left) = self.quads_of(set);
        for (r, p) in quads {
            self.l.store(self.load_quad(p), self.quad_in_state(r));
        }
        left
    }

    /// Loads the Q registers with both halves in `set` from the state; gives the registers left.
    pub(crate) fn load_quads(&self, set: RegSet) -> RegSet {
        let (quads, left) = self.quads_of(set);
        for (r, p) in quads {
            self.l.store(self.load_quad(self.quad_in_state(r)), p);
        }
        left
    }

    fn quad_in_state(&self, lower: Reg) -> V {
        self.field(self.unit.options.regs.info(lower).offset as usize)
    }

    /// Writes the slot `p` of a Q register as a whole, if instruction `i` completes it.
    pub(crate) fn put_quad(&self, i: usize, p: V) -> bool {
        let Some(vector) = completed(self.cur, i, self.unit.options.regs) else { return false };
        self.l.store(self.l.bitcast(self.value(vector), self.unit.quad_ty()), p);
        true
    }

    /// A Q register in its slot, or in the state.
    pub(crate) fn load_quad(&self, p: V) -> V {
        self.l.load(self.unit.quad_ty(), p)
    }
}

/// The registers of which an operation makes a vector, the lower half first, and the value that takes the upper half.
fn join(b: &Block, inst: &Inst) -> Option<((Reg, Reg), Value)> {
    let Inst::Pure { op: PureOp::VInsert(Lane::D2, 1), args: [vector, cast, ..], .. } = *inst else {
        return None;
    };
    let Inst::Pure { op: PureOp::VFromScalar, args: [low, ..], .. } = b.insts[vector.0 as usize] else {
        return None;
    };
    let Inst::Pure { op: PureOp::Bitcast, args: [high, ..], .. } = b.insts[cast.0 as usize] else {
        return None;
    };
    match (b.insts[low.0 as usize], b.insts[high.0 as usize]) {
        (Inst::Get(low), Inst::Get(high)) => Some(((low, high), cast)),
        _ => None,
    }
}

/// The vector of which `v` is a half, and which.
fn half_of(b: &Block, v: Value) -> Option<(Value, u32)> {
    match b.insts[v.0 as usize] {
        Inst::Pure { op: PureOp::VToScalar, args: [vector, ..], .. } => Some((vector, 0)),
        Inst::Pure { op: PureOp::Bitcast, args: [bits, ..], .. } => match b.insts[bits.0 as usize] {
            Inst::Pure { op: PureOp::VExtract(Lane::D2, 1), args: [vector, ..], .. } => Some((vector, 1)),
            _ => None,
        },
        _ => None,
    }
}
