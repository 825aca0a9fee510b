//! Branches in loops that go one of their ways rarely, as the guest's compiler saw it: what it takes to be rare stands behind
//! the loop's last branch back, where control falls into it from nowhere. Takes a function, gives the rare successor of each
//! block. No LLVM.

use crate::loops::Loops;
use ir::{BlockId, Function, Term};
use std::collections::{BTreeMap, BTreeSet};

/// For each block, the successor that its branch goes to rarely.
pub(crate) fn analyse(f: &Function, loops: &Loops) -> Vec<Option<BlockId>> {
    let pc = |i: usize| f.blocks[i].pc;
    let starts: BTreeSet<_> = (0..f.blocks.len()).map(pc).collect();
    let next: BTreeMap<_, _> = starts.iter().copied().zip(starts.iter().copied().skip(1)).collect();
    let falls = |i: usize, to| next.get(&pc(i)) == Some(&to);
    let mut fallen_into = BTreeSet::new();
    for (i, b) in f.blocks.iter().enumerate() {
        let to = b.term.successors().into_iter().map(|s| pc(s.0 as usize));
        fallen_into.extend(to.filter(|&to| falls(i, to)));
    }
    // Where the loops around each block end.
    let mut ends = vec![BTreeSet::new(); f.blocks.len()];
    for l in &loops.loops {
        let backward = || l.backward.iter().filter(|&&(from, to)| pc(from) >= pc(to)).map(|e| pc(e.0));
        l.blocks.iter().for_each(|&b| ends[b].extend(backward()));
    }
    let rare = |(i, b): (usize, &ir::Block)| {
        let Term::Branch { then, els, .. } = b.term else { return None };
        let (fall, taken) = if falls(i, pc(els.0 as usize)) { (els, then) } else { (then, els) };
        let to = pc(taken.0 as usize);
        let aside = falls(i, pc(fall.0 as usize)) && to > pc(i) && !fallen_into.contains(&to);
        let behind_loop = || ends[i].range(pc(i)..to).any(|&end| end != pc(i));
        (aside && behind_loop()).then_some(taken)
    };
    f.blocks.iter().enumerate().map(rare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rare successors of a function whose blocks end like that.
    fn rare(blocks: &[&str]) -> Vec<Option<u32>> {
        let block = |(i, end): (usize, &&str)| {
            format!("block b{i} @{:#x}:\n .{:#x}\n %1 = get n\n %2 = get x30\n {end}\n", 4 * i, 4 * i)
        };
        let text: String = blocks.iter().enumerate().map(block).collect();
        let f = ir::parse_function(&format!("function a64 f @0x0\n{text}"), &isa::a64::FILE);
        let f = f.unwrap_or_else(|e| panic!("{e}"));
        analyse(&f, &crate::loops::analyse(&f)).into_iter().map(|s| s.map(|b| b.0)).collect()
    }

    #[test]
    fn behind_the_loop() {
        // 0–2 is the loop; 4 goes back into it.
        let blocks = ["branch %1, b4, b1", "jump b2", "branch %1, b0, b3", "return %2", "jump b1"];
        assert_eq!(rare(&blocks), vec![Some(4), None, None, None, None]);
    }

    #[test]
    fn both_ways_are_as_likely() {
        // Behind a return; a choice; a way around something; a way out of a loop that ends with it.
        assert_eq!(rare(&["branch %1, b2, b1", "return %2", "jump b1"]), vec![None; 3]);
        assert_eq!(rare(&["branch %1, b2, b1", "jump b3", "jump b3", "return %2"]), vec![None; 4]);
        assert_eq!(rare(&["branch %1, b2, b1", "jump b2", "return %2"]), vec![None; 3]);
        assert_eq!(rare(&["jump b1", "branch %1, b1, b2", "return %2"]), vec![None; 3]);
    }
}
