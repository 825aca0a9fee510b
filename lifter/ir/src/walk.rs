//! Depth-first walks over blocks: in which order, and where ways lead back. Takes the ways from block to block, which may be
//! others than a function's own (a region follows calls).

use crate::func::{BlockId, Function};

/// What a walk finds.
pub struct Walk {
    /// The blocks met, each behind those that were met from it (postorder).
    pub post: Vec<BlockId>,
    /// For each block, whether some way leads back to it: each loop has one.
    pub heads: Vec<bool>,
}

impl Walk {
    /// Walks from each of the roots that was not met before, over the blocks that `within` says; of a block's ways the last first.
    pub fn over(
        ways: &[Vec<BlockId>],
        roots: impl IntoIterator<Item = BlockId>,
        within: impl Fn(BlockId) -> bool,
    ) -> Walk {
        let n = ways.len();
        let (mut met, mut open) = (vec![false; n], vec![false; n]);
        let mut walk = Walk { post: Vec::new(), heads: vec![false; n] };
        let mut stack: Vec<(BlockId, usize)> = Vec::new();
        for root in roots {
            let mut next = Some(root);
            loop {
                if let Some(b) = next.take()
                    && within(b)
                {
                    let i = b.0 as usize;
                    if open[i] {
                        walk.heads[i] = true;
                    } else if !std::mem::replace(&mut met[i], true) {
                        open[i] = true;
                        stack.push((b, ways[i].len()));
                    }
                }
                match stack.last_mut() {
                    None => break,
                    Some((b, 0)) => {
                        open[b.0 as usize] = false;
                        walk.post.push(*b);
                        stack.pop();
                    }
                    Some((b, left)) => {
                        *left -= 1;
                        next = Some(ways[b.0 as usize][*left]);
                    }
                }
            }
        }
        walk
    }
}

impl Function {
    /// The ways from each block to others of the function.
    pub fn ways(&self) -> Vec<Vec<BlockId>> {
        self.blocks.iter().map(|b| b.term.successors()).collect()
    }

    /// The numbers of all blocks, in order.
    pub fn ids(&self) -> impl Iterator<Item = BlockId> + use<> {
        (0..self.blocks.len() as u32).map(BlockId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two loops, one in the other, and a block that nothing leads to.
    #[test]
    fn heads_of_loops() {
        let ways: Vec<Vec<BlockId>> = [vec![1], vec![2, 4], vec![3], vec![2, 1], vec![], vec![0]]
            .map(|w: Vec<u32>| w.into_iter().map(BlockId).collect())
            .into();
        let walk = Walk::over(&ways, [BlockId(0)], |_| true);
        assert_eq!(walk.heads, [false, true, true, false, false, false]);
        assert_eq!(walk.post.last(), Some(&BlockId(0)));
        assert_eq!(walk.post.len(), 5);
        let inner = Walk::over(&ways, (0..6).map(BlockId), |b| b != BlockId(1));
        assert_eq!(inner.heads, [false, false, true, false, false, false]);
        assert_eq!(inner.post.len(), 5);
    }
}
