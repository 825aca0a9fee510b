//! Copies of blocks for ways on which less, or something else, is known of the flags: where ways meet behind different
//! comparisons, the state has to hold the word of each; a block of its own for each way knows it. No LLVM.

use crate::flags::{self, Group, Part};
use crate::flags_place::{self, FlagsAt};
use crate::flow::{self, Registers};
use crate::loops;
use ir::{Block, BlockId, Function, Inst, RegFile, Term};

/// `f` with copies of blocks, if there is a use for any.
pub(crate) fn split(f: &Function, regs: &Registers, file: &RegFile) -> Option<Function> {
    let joins = if regs.parts { at_joins(f, regs) } else { None };
    let new = from_outside(joins.as_ref().unwrap_or(f), regs).or(joins);
    if regs.commit {
        // Each access needs the word in the state.
        return new;
    }
    by_place(new.as_ref().unwrap_or(f), regs, file).or(new)
}

/// Gives small blocks that read flags a copy for each way on which an instruction sets them, or not: behind comparisons with
/// conditions (`cmp`, `cmpne`, `bls`), which A64's compilers need no jump for. In each copy the comparison is known, and in
/// that of who jumped over the second one, as a rule, its outcome.
fn at_joins(f: &Function, regs: &Registers) -> Option<Function> {
    /// Instructions of the IR that are copied.
    const JOIN: usize = 24;
    /// Ways that get copies of their own.
    const WAYS: usize = 4;
    let sets = |b: &Block| b.insts.iter().any(|i| matches!(i, Inst::Set(r, _) if regs.flag(*r).is_some()));
    let mut new: Option<Function> = None;
    for i in 1..f.blocks.len() {
        let b = &f.blocks[i];
        let small = b.insts.len() <= JOIN && !b.insts.iter().any(Inst::is_checkpoint);
        if b.resume || !small || first_flag(b, regs) != Some(true) {
            continue;
        }
        let now = new.as_ref().unwrap_or(f);
        let id = BlockId(i as u32);
        let ways: Vec<usize> =
            (0..now.blocks.len()).filter(|&p| now.blocks[p].term.successors().contains(&id)).collect();
        let simple = |p: &usize| matches!(now.blocks[*p].term, Term::Jump(_) | Term::Branch { .. });
        let itself = ways.contains(&i);
        if !(2..=WAYS).contains(&ways.len()) || itself || !ways.iter().all(simple) {
            continue;
        }
        if !ways.iter().any(|&p| sets(&now.blocks[p]) && now.blocks[p].term == Term::Jump(id)) {
            continue;
        }
        let f = new.get_or_insert_with(|| f.clone());
        for &p in &ways[1..] {
            let copy = BlockId(f.blocks.len() as u32);
            redirect(&mut f.blocks[p].term, id, copy);
            f.blocks.push(f.blocks[i].clone());
        }
    }
    new
}

/// What the block does with flags first: true if it reads them.
fn first_flag(b: &Block, regs: &Registers) -> Option<bool> {
    b.insts.iter().find_map(|i| match i {
        Inst::Get(r) if regs.flag(*r).is_some() => Some(true),
        Inst::Set(r, _) if regs.flag(*r).is_some() => Some(false),
        _ => None,
    })
}

/// Gives some blocks a copy for those who come from outside, where less is known about what the state holds:
/// - Resume points that read flags from before them: the dispatcher comes with flags as bytes, the loop with a comparison, and
///   either is read better alone.
/// - Small loops of one block that set flags: from the second turn on, description and second operand are in the state as a rule.
fn from_outside(f: &Function, regs: &Registers) -> Option<Function> {
    /// A loop larger than this has better things to do than to save two stores.
    const SMALL: usize = 80;
    let behind_calls: Vec<BlockId> = f
        .blocks
        .iter()
        .filter(|b| matches!(b.term, Term::Call { .. } | Term::Syscall { .. }))
        .flat_map(|b| b.term.successors())
        .collect();
    let mut new: Option<Function> = None;
    for (i, b) in f.blocks.iter().enumerate().skip(1) {
        let id = BlockId(i as u32);
        let own = b.insts.len() <= SMALL
            && matches!(b.term, Term::Branch { then, els, .. } if (then == id) != (els == id));
        match first_flag(b, regs) {
            Some(true) if b.resume && !behind_calls.contains(&id) => {
                let f = new.get_or_insert_with(|| f.clone());
                let copy = f.blocks[i].clone();
                f.blocks[i].resume = false;
                f.blocks.push(copy);
            }
            Some(false) if own => {
                let f = new.get_or_insert_with(|| f.clone());
                let first = BlockId(f.blocks.len() as u32);
                for (p, other) in f.blocks.iter_mut().enumerate() {
                    if p != i {
                        redirect(&mut other.term, id, first);
                    }
                }
                let copy = f.blocks[i].clone();
                f.blocks[i].resume = false;
                f.blocks.push(copy);
            }
            _ => {}
        }
    }
    new
}

fn redirect(term: &mut Term, from: BlockId, to: BlockId) {
    let change = |b: &mut BlockId| {
        if *b == from {
            *b = to;
        }
    };
    match term {
        Term::Jump(b) => change(b),
        Term::Branch { then, els, .. } => {
            change(then);
            change(els);
        }
        Term::Switch { cases, .. } => cases.iter_mut().for_each(|c| change(&mut c.1)),
        Term::Call { cont, .. } | Term::Syscall { cont, .. } => cont.iter_mut().for_each(change),
        Term::Goto(_) | Term::Indirect(_) | Term::Return(_) | Term::Trap { .. } | Term::Fallback { .. } => {}
    }
}

/// Gives blocks in loops a copy for each comparison of the loop behind which control comes there, with those behind it up to
/// the next comparison, if it also comes from elsewhere: as a rule, those are loops' heads. Without, each turn would store the
/// word for what looks at the state before the next comparison: a store for each turn of nearly each loop.
fn by_place(f: &Function, regs: &Registers, file: &RegFile) -> Option<Function> {
    let mut new: Option<Function> = None;
    let size = |f: &Function| f.blocks.iter().map(|b| b.insts.len()).sum::<usize>();
    let most = size(f) + (size(f) / 4).max(LEAST_GROWTH);
    for _ in 0..ROUNDS {
        let now = new.as_ref().unwrap_or(f);
        let found = Round::new(now, regs, file).splits(most.saturating_sub(size(now)));
        if found.is_empty() {
            break;
        }
        let f = new.get_or_insert_with(|| f.clone());
        for s in &found {
            s.make(f);
        }
    }
    new
}

/// Blocks to copy may have so many instructions of the IR together: about ten of the guest. Of larger ones the copies of
/// registers, where more ways meet, cost more than the stores.
const REGION: usize = 32;
/// As many if the flags are published before a call in them, for which they would be loaded and compared.
const CALLING_REGION: usize = 48;
/// A function may grow by a quarter, or by so many.
const LEAST_GROWTH: usize = 128;
/// Comparisons told apart where ways meet, at a time.
const COPIES: usize = 3;
/// A copy can make a use for others: those of the loop around it.
const ROUNDS: usize = 4;

/// Blocks to be copied for some ways to the first of them.
struct Split {
    region: Vec<usize>,
    /// For each copy, the blocks that lead to it instead.
    ways: Vec<Vec<usize>>,
    /// Of the region, those that lead to others of it with the flags as they are at its start.
    passes: Vec<bool>,
}

/// What is known of a function before a round of copies.
struct Round<'a> {
    f: &'a Function,
    start: Vec<FlagsAt>,
    depth: Vec<u32>,
    groups: Vec<Vec<Group>>,
    arrivals: Vec<Vec<(usize, FlagsAt)>>,
    behind_call: Vec<bool>,
}

impl<'a> Round<'a> {
    fn new(f: &'a Function, regs: &Registers, file: &RegFile) -> Round<'a> {
        // What the other parts hold is noted with this one, as a rule.
        let [groups, ..] = flags::groups(f, regs, file);
        let depth = loops::analyse(f).depth;
        let (flags, arrivals) =
            flags_place::arrivals(f, regs, file, &flow::polls(f), &depth, Part::All, groups);
        let mut behind_call = vec![false; f.blocks.len()];
        for b in f.blocks.iter().filter(|b| is_call(&b.term)) {
            b.term.successors().iter().for_each(|s| behind_call[s.0 as usize] = true);
        }
        Round { f, start: flags.start, depth, groups: flags.groups, arrivals, behind_call }
    }

    /// Splits that do not touch each other's blocks, the deepest loops' first, of at most `room` instructions together.
    fn splits(&self, mut room: usize) -> Vec<Split> {
        let mut touched = vec![false; self.f.blocks.len()];
        let mut order: Vec<usize> = (0..self.f.blocks.len()).filter(|&i| self.depth[i] != 0).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(self.depth[i]));
        let mut splits = Vec::new();
        for i in order {
            let Some(s) = self.split(i) else { continue };
            let size = s.region.iter().map(|&b| self.f.blocks[b].insts.len()).sum::<usize>() * s.ways.len();
            if size > room || s.blocks().any(|b| touched[b]) {
                continue;
            }
            room -= size;
            s.blocks().for_each(|b| touched[b] = true);
            splits.push(s);
        }
        splits
    }

    fn split(&self, i: usize) -> Option<Split> {
        // An interpreter's switch leads from each operation to each: copies would not end there.
        let switch = |p: usize| matches!(self.f.blocks[p].term, Term::Switch { .. });
        if !matches!(self.start[i], FlagsAt::Memory(_))
            || self.depth[i] >= loops::DEEPEST
            || self.arrivals[i].iter().any(|a| switch(a.0))
        {
            return None;
        }
        // Comparisons behind which ways come, and which blocks they come from.
        let mut places: Vec<(u32, Vec<usize>)> = Vec::new();
        let mut others = i == 0 || self.f.blocks[i].resume || self.behind_call[i];
        for (p, place) in &self.arrivals[i] {
            match *place {
                FlagsAt::Pending(d) if self.depth[*p] >= self.depth[i] => {
                    match places.iter_mut().find(|(e, _)| *e == d) {
                        Some((_, from)) => from.push(*p),
                        None => places.push((d, vec![*p])),
                    }
                }
                _ => others = true,
            }
        }
        let weight = |from: &[usize]| from.iter().map(|&p| 8u64.pow(self.depth[p].min(8))).sum::<u64>();
        places.sort_by_key(|(_, from)| std::cmp::Reverse(weight(from)));
        places.truncate(COPIES);
        // Where only comparisons of the loop meet, a copy gives the loop another end, which costs a jump.
        if places.is_empty() || !others {
            return None;
        }
        let region = self.region(i)?;
        let passes = region.iter().map(|&b| self.passes(b)).collect();
        Some(Split { region, ways: places.into_iter().map(|p| p.1).collect(), passes })
    }

    /// True if flags can be at the block's end as they are at its start.
    fn passes(&self, i: usize) -> bool {
        !is_call(&self.f.blocks[i].term) && self.keeps(i)
    }

    /// True if the instructions of the block leave the flags as they are.
    fn keeps(&self, i: usize) -> bool {
        self.groups[i].iter().all(|g| g.form.keeps())
    }

    /// The blocks in which flags can be looked at as they are at the start of block `i`, if they are few; `i` first.
    fn region(&self, i: usize) -> Option<Vec<usize>> {
        let mut region = vec![i];
        let mut size = 0;
        let mut calls = false;
        let mut at = 0;
        while let Some(&b) = region.get(at) {
            at += 1;
            size += self.f.blocks[b].insts.len();
            calls |= is_call(&self.f.blocks[b].term) && self.keeps(b);
            if size > CALLING_REGION || b == 0 && i != 0 {
                return None;
            }
            if self.passes(b) {
                for s in self.f.blocks[b].term.successors() {
                    let s = s.0 as usize;
                    if self.start[s] != FlagsAt::Nowhere && !region.contains(&s) {
                        region.push(s);
                    }
                }
            }
        }
        (calls || size <= REGION).then_some(region)
    }
}

impl Split {
    /// The blocks concerned.
    fn blocks(&self) -> impl Iterator<Item = usize> {
        self.region.iter().chain(self.ways.iter().flatten()).copied()
    }

    fn make(&self, f: &mut Function) {
        let size = self.region.len();
        let old = f.blocks.len();
        for (n, from) in self.ways.iter().enumerate() {
            let copy = BlockId((old + n * size) as u32);
            for &p in from {
                redirect(&mut f.blocks[p].term, BlockId(self.region[0] as u32), copy);
            }
        }
        for _ in &self.ways {
            let first = f.blocks.len();
            for (&b, &passes) in self.region.iter().zip(&self.passes) {
                let mut copy = Block { resume: false, ..f.blocks[b].clone() };
                if passes {
                    for (n, &b) in self.region.iter().enumerate() {
                        redirect(&mut copy.term, BlockId(b as u32), BlockId((first + n) as u32));
                    }
                }
                f.blocks.push(copy);
            }
        }
    }
}

fn is_call(term: &Term) -> bool {
    matches!(term, Term::Call { .. } | Term::Syscall { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::GuestAddr;
    use isa::a64::FILE;

    const WORDS: [u32; 7] = [
        0xd503_201f, // nop
        0xb840_4401, // 4: ldr w1, [x0], #4
        0x7100_043f, // cmp w1, #1
        0x5400_0060, // b.eq 24
        0x7100_083f, // cmp w1, #2
        0x54ff_ff81, // b.ne 4
        0xd65f_03c0, // 24: ret
    ];

    struct Words(&'static [u32]);

    impl isa::Code for Words {
        fn word(&self, pc: GuestAddr) -> Option<u32> {
            self.0.get(pc.0 as usize / 4).copied()
        }
    }

    /// The function of these blocks.
    fn lift(isa: isa::Isa, words: &'static [u32], bounds: &[(u64, u64)]) -> Function {
        let block = |&(start, end): &(u64, u64)| isa::BlockShape {
            start: GuestAddr(start),
            end: GuestAddr(end),
            switch: None,
        };
        let blocks = bounds.iter().map(block).collect();
        let shape = isa::FunctionShape { isa, name: "f".into(), entry: GuestAddr(0), blocks };
        let mut f = isa::lift_function(&shape, &Words(words));
        ir::pass::run_default(&mut f, isa.file());
        f
    }

    /// `cmp`, `cmpne`, `bls`: who jumped over the second comparison has a branch of its own, behind the first.
    #[test]
    fn a_branch_knows_its_comparison() {
        const WORDS: &[u32] = &[
            0xe350_0001, // cmp r0, #1
            0x1350_0002, // cmpne r0, #2
            0x9a00_0000, // bls 16
            0xe12f_ff1e, // bx lr
            0xe12f_ff1e, // 16: bx lr
        ];
        let file = &isa::a32::FILE;
        let f = lift(isa::Isa::A32, WORDS, &[(0, 12), (12, 16), (16, 20)]);
        let regs = Registers::new(file, None, crate::Checkpoints::Callbr);
        let f = split(&f, &regs, file).expect("a copy");
        assert_eq!(ir::verify(&f, file), vec![]);
        let round = Round::new(&f, &regs, file);
        let readers: Vec<&FlagsAt> = (0..f.blocks.len())
            .filter(|&i| first_flag(&f.blocks[i], &regs) == Some(true))
            .map(|i| &round.start[i])
            .collect();
        assert_eq!(readers.len(), 2, "{f:?}");
        assert!(readers.iter().all(|at| matches!(at, FlagsAt::Pending(_))), "{readers:?}");
    }

    /// The loop's turns come behind one comparison, who enters it behind none: each has a head, and in that of the turns
    /// the comparison is known.
    #[test]
    fn a_loop_knows_its_comparison() {
        let f = lift(isa::Isa::A64, &WORDS, &[(0, 4), (4, 16), (16, 24), (24, 28)]);
        let regs = Registers::new(&FILE, None, crate::Checkpoints::Callbr);
        let f = split(&f, &regs, &FILE).expect("a copy");
        assert_eq!(ir::verify(&f, &FILE), vec![]);
        let round = Round::new(&f, &regs, &FILE);
        let heads: Vec<usize> = (0..f.blocks.len()).filter(|&i| f.blocks[i].pc == GuestAddr(4)).collect();
        let pending = |&&i: &&usize| matches!(round.start[i], FlagsAt::Pending(_));
        let turns: Vec<&usize> = heads.iter().filter(pending).collect();
        assert_eq!((heads.len(), turns.len()), (2, 1), "{f:?}");
        assert_eq!((round.depth[*turns[0]], f.blocks[*turns[0]].resume), (1, false));
        assert!(heads.iter().filter(|&i| i != turns[0]).all(|&i| round.depth[i] == 0));
    }
}
