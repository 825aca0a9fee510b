//! Which guest registers still hold what a comparison stored in the state as its operand, so that a flag read behind it need
//! not load what was just stored: takes flag writes with their places chosen, gives registers for each block's start and steps
//! for what lies in it. No LLVM.

use crate::flags::{Group, Operand, holder};
use crate::flags_place::number_of;
use abi::flag;
use ir::{Block, Function, Inst, Reg, RegFile, Term};

/// Registers that hold the operands in the state, or whose low halves do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Echo {
    /// The operands have 64 bits.
    wide: bool,
    /// `GuestState::flag_a` and `flag_b`.
    operands: [Option<Reg>; 2],
}

impl Echo {
    /// Behind a flag write of the block.
    pub(crate) fn behind(b: &Block, g: &Group, file: &RegFile) -> Echo {
        let integer = g.form.compare().filter(|c| g.seen && c.kind & flag::KIND != flag::FLOAT);
        let Some(c) = integer else { return Echo::default() };
        let wide = c.kind & flag::WIDE != 0;
        let kept = |second: bool, v| {
            let stored = flag::register(g.word, second).is_none();
            holder(b, v, !wide, g.at).filter(|&r| stored && number_of(file, r).is_some())
        };
        let second = match c.b {
            Operand::Value(v) => kept(true, v),
            Operand::Immediate(_) => None,
        };
        Echo { wide, operands: [kept(false, c.a), second] }
    }

    /// Behind an instruction, its flag writes excluded.
    pub(crate) fn after(&mut self, inst: &Inst) {
        if let Inst::Set(r, _) = inst {
            self.keep(|kept| kept != *r);
        }
    }

    /// The register that holds the first or second operand of a description.
    pub(crate) fn register(&self, description: u32, second: bool) -> Option<Reg> {
        let fits = (description & flag::WIDE != 0) == self.wide;
        self.operands[second as usize].filter(|_| fits)
    }

    fn keep(&mut self, which: impl Fn(Reg) -> bool) {
        for o in &mut self.operands {
            *o = o.filter(|&r| which(r));
        }
    }

    fn meet(mut self, other: Echo) -> Echo {
        for (mine, others) in self.operands.iter_mut().zip(other.operands) {
            *mine = mine.filter(|_| *mine == others && self.wide == other.wide);
        }
        self
    }
}

/// At the starts of blocks.
pub(crate) fn at_starts(f: &Function, groups: &[Vec<Group>], file: &RegFile) -> Vec<Echo> {
    let mut start: Vec<Option<Echo>> = vec![None; f.blocks.len()];
    start[0] = Some(Echo::default());
    for (at, b) in start.iter_mut().zip(&f.blocks) {
        if b.resume {
            *at = Some(Echo::default());
        }
    }
    loop {
        let mut changed = false;
        for (i, b) in f.blocks.iter().enumerate() {
            let Some(mut now) = start[i] else { continue };
            let mut left = groups[i].iter().peekable();
            for (n, inst) in b.insts.iter().enumerate() {
                now.after(inst);
                if let Some(g) = left.next_if(|g| g.at == n) {
                    now = Echo::behind(b, g, file);
                }
            }
            if let Term::Call { .. } | Term::Syscall { .. } = b.term {
                now = Echo::default();
            }
            for s in b.term.successors() {
                let old = start[s.0 as usize];
                let new = Some(old.map_or(now, |o| o.meet(now)));
                changed |= new != old;
                start[s.0 as usize] = new;
            }
        }
        if !changed {
            return start.into_iter().map(Option::unwrap_or_default).collect();
        }
    }
}
