//! Which accesses the guest state must be made exact for. Takes a region's instructions, says of each whether it comes with a
//! commit; knows nothing of registers.
//!
//! A *point* is the head of a loop at which the state is made exact. As long as nothing since then can be seen from
//! outside or done twice, an access that faults needs no other: the interpreter goes on at the point, and comes to the access
//! by itself. Loads, and what only computes, can be done again: the second time is the only one that the program sees. Stores
//! cannot, nor what sets floating-point flags, which no point holds. Elsewhere each access comes with a commit: what is written
//! once on a way is stored once anyway, and where ways meet, what is not yet stored on one of them is stored on all.

use ir::{Block, BlockId, Function, Inst, Term};

/// What is known at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// Not reached yet.
    Nowhere,
    /// The point is this instruction, or the state was made exact before the present one.
    Point(u64),
    /// The next access needs a commit.
    Stale,
}

impl At {
    fn meet(self, other: At) -> At {
        match (self, other) {
            (At::Nowhere, x) | (x, At::Nowhere) => x,
            (a, b) if a == b => a,
            _ => At::Stale,
        }
    }
}

/// The point while one goes through a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    at: At,
    /// The guest instruction.
    pc: u64,
    /// It has done what cannot be done again.
    acted: bool,
}

impl Point {
    /// Goes on behind the instruction; true if the state must be made exact before it.
    pub(crate) fn step(&mut self, inst: &Inst) -> bool {
        if let Inst::Mark(pc) = inst {
            self.end();
            self.pc = pc.0;
            return false;
        }
        let commits = match inst {
            // The helper comes back with what it has done in the state, or to this instruction.
            Inst::Rmw { .. } | Inst::Cas { .. } | Inst::StoreEx { .. } | Inst::LoadEx { .. } => true,
            Inst::ReadSys(_) => true,
            // An instruction may be done again as a whole.
            inst if inst.is_checkpoint() => {
                self.at == At::Stale || self.acted && self.at != At::Point(self.pc)
            }
            _ => false,
        };
        if commits {
            self.at = At::Point(self.pc);
            // For this instruction only.
            self.acted = true;
        }
        self.acted |= match inst {
            Inst::Store { .. } | Inst::Rmw { .. } | Inst::Cas { .. } | Inst::StoreEx { .. } => true,
            Inst::Pure { op, .. } => op.uses_fp_env(),
            _ => false,
        };
        commits
    }

    /// The instruction is over.
    fn end(&mut self) {
        if std::mem::take(&mut self.acted) {
            self.at = At::Stale;
        }
    }

    /// Where the interpreter goes on if what comes now cannot be done.
    pub(crate) fn pc(&self) -> u64 {
        match self.at {
            At::Point(pc) => pc,
            At::Nowhere | At::Stale => self.pc,
        }
    }
}

/// True if it pays to make the state exact at the head of a loop of these blocks: not if there are calls in it, which come to
/// stores that need the same again.
pub(crate) fn pays(f: &Function, inside: &[bool]) -> bool {
    let calls = |b: &Block| matches!(b.term, Term::Call { .. } | Term::Return(_));
    !f.blocks.iter().zip(inside).any(|(b, inside)| *inside && calls(b))
}

/// The points at which the blocks of a region begin.
pub(crate) struct Points(Vec<At>);

impl Points {
    /// `heads` are the heads of loops, `early` those of them where the state is made exact. At the others a point is left
    /// behind, or it would be so far back after many rounds that the interpreter had to do them all again.
    pub(crate) fn of(
        blocks: &[Block],
        ways: &[Vec<BlockId>],
        order: &[BlockId],
        heads: &[bool],
        early: &[bool],
    ) -> Points {
        let start = |n: usize| match (early[n], heads[n]) {
            (true, _) => At::Point(blocks[n].pc.0),
            (false, true) => At::Stale,
            (false, false) if n == 0 => At::Stale,
            (false, false) => At::Nowhere,
        };
        let mut points = Points((0..blocks.len()).map(start).collect());
        loop {
            let before = points.0.clone();
            for &b in order {
                let n = b.0 as usize;
                let mut point = points.begin(b, blocks[n].pc.0);
                for inst in &blocks[n].insts {
                    point.step(inst);
                }
                point.end();
                for s in &ways[n] {
                    if !early[s.0 as usize] {
                        let at = &mut points.0[s.0 as usize];
                        *at = at.meet(point.at);
                    }
                }
            }
            if points.0 == before {
                return points;
            }
        }
    }

    /// At the beginning of a block, whose first instruction is at `pc`.
    pub(crate) fn begin(&self, block: BlockId, pc: u64) -> Point {
        Point { at: self.0[block.0 as usize], pc, acted: false }
    }
}

#[cfg(test)]
mod tests {
    use crate::live::Live;
    use crate::region::tests::region;

    /// For each access its instruction, where the state is exact, and whether it was made so there.
    fn accesses(words: &[u32]) -> Vec<(u64, u64, bool)> {
        let r = region(words, &|_| false).expect("there is code");
        let live = Live::of(r.isa.file(), &r.function, &r.ways, false, false);
        let mut all = Vec::new();
        for &id in &live.order {
            let b = r.function.block(id);
            let mut point = live.points.begin(id, b.pc.0);
            for inst in &b.insts {
                let commits = point.step(inst);
                if inst.is_checkpoint() {
                    all.push((point.pc, point.pc(), commits));
                }
            }
        }
        all.sort();
        all
    }

    const LOAD: u32 = 0xf940_0002; // ldr x2, [x0]
    const STORE: u32 = 0xf800_8404; // str x4, [x0], #8
    const COUNT: u32 = 0xf100_04c6; // subs x6, x6, #1
    const RET: u32 = 0xd65f_03c0;

    /// b.ne to `n` instructions before.
    fn back(n: u32) -> u32 {
        0x5400_0001 | ((n.wrapping_neg() & 0x7ffff) << 5)
    }

    #[test]
    fn a_round_of_a_loop_is_exact_at_its_head_until_it_has_stored() {
        let found = accesses(&[LOAD, LOAD, STORE, LOAD, COUNT, back(5), RET]);
        let head = 0x1000;
        let expected =
            [(0x1000, head, false), (0x1004, head, false), (0x1008, head, false), (0x100c, 0x100c, true)];
        assert_eq!(found, expected);
        // stp x2, x3, [x0]: one instruction may be done again after half of it.
        let found = accesses(&[LOAD, 0xa900_0c02, COUNT, back(3), RET]);
        assert!(found.iter().all(|&(pc, at, commits)| at == if commits { pc } else { head }), "{found:x?}");
    }

    #[test]
    fn floating_point_flags_are_not_raised_twice() {
        // ldr d2, [x0]; fadd d2, d2, d2; ldr d2, [x0]
        let found = accesses(&[0xfd40_0002, 0x1e62_2842, 0xfd40_0002, COUNT, back(4), RET]);
        assert_eq!(found, [(0x1000, 0x1000, false), (0x1008, 0x1008, true)]);
    }

    #[test]
    fn elsewhere_each_access_has_its_state() {
        let found = accesses(&[LOAD, LOAD, RET]);
        assert_eq!(found, [(0x1000, 0x1000, true), (0x1004, 0x1004, true)]);
        // With a call in the loop.
        let found = accesses(&[LOAD, LOAD, 0x9400_0004, COUNT, back(4), RET, RET]);
        assert_eq!(found, [(0x1000, 0x1000, true), (0x1004, 0x1004, true)]);
    }
}
