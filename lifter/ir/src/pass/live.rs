//! Dead register writes: a `Set` whose value nobody can see, because the register is written again before any
//! instruction or exit that shows it. Works within blocks and, by liveness, across them.

use super::{retain, shows_registers, with_roots};
use crate::func::{Function, Inst, Term, Value};
use crate::types::{Reg, RegFile};
use crate::walk::Walk;

/// A set of registers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RegSet(Vec<u64>);

impl RegSet {
    pub(super) fn none(regs: &RegFile) -> RegSet {
        RegSet(vec![0; regs.regs.len().div_ceil(64)])
    }

    fn insert(&mut self, r: Reg) {
        self.0[r.0 as usize / 64] |= 1 << (r.0 % 64);
    }

    fn remove(&mut self, r: Reg) {
        self.0[r.0 as usize / 64] &= !(1 << (r.0 % 64));
    }

    fn contains(&self, r: Reg) -> bool {
        self.0[r.0 as usize / 64] >> (r.0 % 64) & 1 != 0
    }

    fn intersect(&mut self, other: &RegSet) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a &= b;
        }
    }

    fn clear(&mut self) {
        self.0.fill(0);
    }
}

/// Removes writes of registers that are written again before they can be seen. Within a block this is done for all
/// registers. Across blocks it is done for `which`: they are visible wherever control leaves the function, and where it
/// can be interrupted: at accesses, at the heads of loops, and at the beginning of any block of a loop without accesses.
///
/// With `precise` false, `which` are taken to be dead at accesses, calls and returns as well: the guest state at faults
/// and signals is then not exact.
pub fn remove_dead_sets(f: &mut Function, regs: &RegFile, which: &[Reg], precise: bool) {
    // Sets of *dead* registers: those that are certainly written before they are seen.
    let mut candidates = RegSet::none(regs);
    for &r in which {
        candidates.insert(r);
    }
    let mut interrupted = interrupted(f);
    for (i, b) in f.blocks.iter().enumerate() {
        interrupted[i] |= b.resume || i == 0;
    }
    let shown = if precise { RegSet::none(regs) } else { candidates.clone() };
    let dead_out = |f: &Function, dead_in: &[RegSet], b: usize| -> RegSet {
        match &f.blocks[b].term {
            Term::Jump(_) | Term::Branch { .. } => {
                let mut dead = candidates.clone();
                for s in f.blocks[b].term.successors() {
                    dead.intersect(&dead_in[s.0 as usize]);
                }
                dead
            }
            Term::Call { .. } | Term::Return(_) => shown.clone(),
            Term::Switch { .. }
            | Term::Goto(_)
            | Term::Indirect(_)
            | Term::Syscall { .. }
            | Term::Trap { .. }
            | Term::Fallback { .. } => RegSet::none(regs),
        }
    };
    // Optimistic start, so that loops that are not interrupted settle on the largest solution.
    let mut dead_in = vec![candidates.clone(); f.blocks.len()];
    loop {
        let mut changed = false;
        for b in (0..f.blocks.len()).rev() {
            let mut dead = dead_out(f, &dead_in, b);
            for inst in f.blocks[b].insts.iter().rev() {
                transfer(inst, &mut dead, &shown);
            }
            if interrupted[b] {
                dead.intersect(&shown);
            }
            dead.intersect(&candidates);
            if dead != dead_in[b] {
                dead_in[b] = dead;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    for b in 0..f.blocks.len() {
        let dead = dead_out(f, &dead_in, b);
        with_roots(&mut f.blocks[b], |list, roots| remove(list, roots, dead, &shown));
    }
}

/// Blocks at whose beginning engines may interrupt the function. The run-time compiler does so where a depth-first walk closes a
/// loop; the emitter somewhere in each loop without accesses, also after it has copied blocks: a copy is in such a loop only if its
/// original is.
fn interrupted(f: &Function) -> Vec<bool> {
    let next = f.ways();
    let mut before = vec![Vec::new(); next.len()];
    for (b, next) in f.ids().zip(&next) {
        next.iter().for_each(|s| before[s.0 as usize].push(b));
    }
    // What is left of the blocks without accesses when those that nothing leads to, or that lead to nothing, are taken away.
    let mut left: Vec<bool> = f.blocks.iter().map(|b| !b.insts.iter().any(Inst::is_checkpoint)).collect();
    loop {
        let mut changed = false;
        let n = next.len();
        let order = (0..n).map(|b| (b, &before)).chain((0..n).rev().map(|b| (b, &next)));
        for (b, ways) in order {
            if left[b] && !ways[b].iter().any(|w| left[w.0 as usize]) {
                left[b] = false;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let heads = Walk::over(&next, f.ids(), |_| true).heads;
    left.iter().zip(heads).map(|(&left, head)| left || head).collect()
}

/// Within a straight run at whose end `dead_out` are dead.
pub(super) fn insts(list: &mut Vec<Inst>, roots: &mut [Value], regs: &RegFile, dead_out: &RegSet) {
    remove(list, roots, dead_out.clone(), &RegSet::none(regs));
}

fn transfer(inst: &Inst, dead: &mut RegSet, shown: &RegSet) {
    match inst {
        Inst::Set(r, _) => dead.insert(*r),
        Inst::Get(r) => dead.remove(*r),
        Inst::ReadSys(_) | Inst::WriteSys(..) => dead.clear(),
        _ if shows_registers(inst) => dead.intersect(shown),
        _ => {}
    }
}

fn remove(list: &mut Vec<Inst>, roots: &mut [Value], mut dead: RegSet, shown: &RegSet) {
    let mut keep = vec![true; list.len()];
    for (i, inst) in list.iter().enumerate().rev() {
        if let Inst::Set(r, _) = inst {
            keep[i] = !dead.contains(*r);
        }
        transfer(inst, &mut dead, shown);
    }
    retain(list, roots, |i| keep[i]);
}
