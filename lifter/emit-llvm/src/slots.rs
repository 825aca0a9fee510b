//! Where registers are while a function runs: stack slots, which LLVM promotes to values. One each, or, of AArch32, two for a D
//! register (see `singles`) and one for two (see `quads`).

use crate::flow::{Flow, RegSet};
use crate::function::Fx;
use crate::llvm::V;
use crate::unit::UnitCx;
use crate::{quads, singles};
use ir::{Function, Reg, Value};

/// Where a register is.
#[derive(Clone, Copy)]
pub(crate) enum Slot {
    /// A stack slot of the register's type.
    Whole(V),
    /// The slots of a D register's lower and upper single.
    Singles([V; 2]),
    /// A half (0 or 1) of the slot of a Q register, a vector of two f64.
    Half(V, u32),
}

/// Slots for the registers that `f` uses, by number.
pub(crate) fn allocate(unit: &UnitCx<'_, '_>, f: &Function, flow: &Flow) -> Vec<Option<Slot>> {
    let (l, regs) = (&unit.llvm, unit.options.regs);
    let (split, whole) = match unit.vector_regs {
        true => (RegSet::default(), RegSet::default()),
        false => (singles::split(f, regs, &flow.depth), quads::whole(f, regs, &flow.depth)),
    };
    let mut slots = vec![None; regs.regs.len()];
    for r in flow.used.iter() {
        let info = regs.info(r);
        let half = quads::other_half(r, regs).filter(|&(other, half)| {
            whole.contains(if half == 0 { r } else { other }) && !split.contains(r) && !split.contains(other)
        });
        let slot = match half {
            Some((other, half)) => match slots[other.0 as usize] {
                Some(Slot::Half(quad, _)) => Slot::Half(quad, half),
                _ => Slot::Half(l.alloca(unit.quad_ty(), info.name), half),
            },
            None if split.contains(r) => Slot::Singles([(); 2].map(|()| l.alloca(l.float_ty(32), info.name))),
            None => Slot::Whole(l.alloca(unit.ty(info.ty), info.name)),
        };
        slots[r.0 as usize] = Some(slot);
    }
    slots
}

impl Fx<'_, '_> {
    /// Reads a register as it is now.
    pub(crate) fn get(&self, r: Reg) -> V {
        match self.slot(r) {
            Slot::Whole(p) => self.l.load(self.unit.ty(self.unit.options.regs.info(r).ty), p),
            Slot::Singles(slots) => self.pair(self.load_singles(slots)),
            Slot::Half(p, n) => self.l.extract(self.load_quad(p), n),
        }
    }

    /// Writes a register's slot.
    pub(crate) fn put(&self, r: Reg, v: V) {
        let l = self.l;
        match self.slot(r) {
            Slot::Whole(p) => l.store(v, p),
            Slot::Half(p, n) => l.store(l.insert(self.load_quad(p), v, n), p),
            Slot::Singles(slots) => {
                // By way of full vectors, which code generation keeps in vector registers.
                let pair = l.insert(l.poison(self.unit.quad_ty()), v, 0);
                let lanes = l.bitcast(pair, l.vec_ty(l.float_ty(32), 4));
                for (n, p) in slots.into_iter().enumerate() {
                    l.store(l.extract(lanes, n as u32), p);
                }
            }
        }
    }

    /// Writes a register with what instruction `i` of the block, which does that, writes.
    pub(crate) fn put_value(&self, i: usize, r: Reg, v: Value) {
        match (self.slot(r), self.singles[v.0 as usize]) {
            (Slot::Singles(slots), Some(singles)) => {
                for (p, x) in slots.into_iter().zip(singles) {
                    self.l.store(x, p);
                }
            }
            (Slot::Half(p, _), _) if self.put_quad(i, p) => {}
            _ => self.put(r, self.value(v)),
        }
    }
}
