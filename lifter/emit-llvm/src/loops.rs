//! The loops of a function, by strongly connected components: code that stands between a branch and an earlier target is in
//! no loop for that, as compilers put rare blocks anywhere. Takes a function, gives each block's depth and each loop's
//! blocks. No LLVM.

use ir::Function;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{HashMap, VecDeque};

/// Loops around loops that are told apart: blocks of this depth may be of loops inside.
pub(crate) const DEEPEST: u32 = 8;

/// A loop: blocks each of which can reach each other.
#[derive(Debug)]
pub(crate) struct Loop {
    /// Where it is entered: one block, as a rule.
    pub(crate) heads: Vec<usize>,
    pub(crate) blocks: Vec<usize>,
    /// Edges from its blocks to its heads.
    pub(crate) backward: Vec<(usize, usize)>,
}

/// All loops.
#[derive(Debug)]
pub(crate) struct Loops {
    /// Around how many loops each block stands.
    pub(crate) depth: Vec<u32>,
    /// Outer ones come first.
    pub(crate) loops: Vec<Loop>,
}

/// Finds the components, then the components of each without the ways to where it is entered, and so on.
pub(crate) fn analyse(f: &Function) -> Loops {
    let n = f.blocks.len();
    let mut graph = Graph::new(f);
    let mut found = Loops { depth: vec![0; n], loops: Vec::new() };
    let mut is_head = vec![false; n];
    let mut work = VecDeque::from([(0..n).collect::<Vec<_>>()]);
    while let Some(blocks) = work.pop_front() {
        for component in graph.components(&blocks) {
            let first = component[0];
            if component.len() == 1 && !graph.edges(first).any(|s| s == first) {
                continue;
            }
            graph.separate(&component);
            let mut heads: Vec<usize> = component.iter().copied().filter(|&b| graph.is_entered(b)).collect();
            if heads.is_empty() {
                // Only entered by the dispatcher.
                heads.extend(component.iter().min());
            }
            component.iter().for_each(|&b| is_head[b] = false);
            heads.iter().for_each(|&h| is_head[h] = true);
            let to_head =
                |&b: &usize| graph.edges(b).filter(|&s| is_head[s]).map(move |s| (b, s)).collect::<Vec<_>>();
            let backward = component.iter().flat_map(to_head).collect();
            component.iter().for_each(|&b| found.depth[b] += 1);
            heads.iter().for_each(|&h| graph.cut[h] = true);
            if found.depth[first] < DEEPEST {
                work.push_back(component.clone());
            }
            found.loops.push(Loop { heads, blocks: component, backward });
        }
    }
    found
}

/// The function's graph, of which parts are looked at alone.
struct Graph {
    successors: Vec<Vec<usize>>,
    predecessors: Vec<Vec<usize>>,
    /// Which part a block belongs to. Edges from part to part are left out,
    region: Vec<u32>,
    regions: u32,
    /// and those to these blocks.
    cut: Vec<bool>,
}

impl Graph {
    fn new(f: &Function) -> Graph {
        let n = f.blocks.len();
        let (mut successors, mut predecessors) = (vec![Vec::new(); n], vec![Vec::new(); n]);
        for (i, b) in f.blocks.iter().enumerate() {
            let mut all: Vec<usize> = b.term.successors().iter().map(|s| s.0 as usize).collect();
            all.sort_unstable();
            all.dedup();
            all.iter().for_each(|&s| predecessors[s].push(i));
            successors[i] = all;
        }
        Graph { successors, predecessors, region: vec![0; n], regions: 0, cut: vec![false; n] }
    }

    fn edges(&self, b: usize) -> impl Iterator<Item = usize> {
        let left = move |s: &usize| self.region[*s] == self.region[b] && !self.cut[*s];
        self.successors[b].iter().copied().filter(left)
    }

    /// Makes a part of these blocks.
    fn separate(&mut self, blocks: &[usize]) {
        self.regions += 1;
        blocks.iter().for_each(|&b| self.region[b] = self.regions);
    }

    /// True if control comes to the block from outside its part.
    fn is_entered(&self, b: usize) -> bool {
        b == 0 || self.predecessors[b].iter().any(|&p| self.region[p] != self.region[b])
    }

    /// Strongly connected components of a part.
    fn components(&self, part: &[usize]) -> Vec<Vec<usize>> {
        let mut graph = DiGraph::<usize, ()>::with_capacity(part.len(), part.len());
        let node: HashMap<usize, NodeIndex> = part.iter().map(|&b| (b, graph.add_node(b))).collect();
        for &b in part {
            for s in self.edges(b) {
                graph.add_edge(node[&b], node[&s], ());
            }
        }
        // Not Tarjan's algorithm, which petgraph has as a recursive function.
        let components = kosaraju_scc(&graph).into_iter();
        components.map(|c| c.into_iter().map(|n| graph[n]).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Depths and heads of a function whose blocks lead to these.
    fn loops(blocks: &[&[usize]]) -> (Vec<u32>, Vec<Vec<usize>>) {
        let block = |(i, to): (usize, &&[usize])| {
            let end = match to {
                [] => "trap undefined @0x0".to_string(),
                [a] => format!("jump b{a}"),
                [a, b] => format!("branch %1, b{a}, b{b}"),
                _ => unreachable!("at most two"),
            };
            format!("block b{i} @{:#x}:\n .{:#x}\n %1 = get n\n {end}\n", 4 * i, 4 * i)
        };
        let text: String = blocks.iter().enumerate().map(block).collect();
        let f = ir::parse_function(&format!("function a64 f @0x0\n{text}"), &isa::a64::FILE);
        let found = analyse(&f.unwrap_or_else(|e| panic!("{e}")));
        let sorted = |mut v: Vec<usize>| {
            v.sort_unstable();
            v
        };
        let mut heads: Vec<_> = found.loops.into_iter().map(|l| sorted(l.heads)).collect();
        heads.sort();
        (found.depth, heads)
    }

    #[test]
    fn nested_loops() {
        // 1 around 2 and around 3–4.
        let found = loops(&[&[1], &[2, 5], &[2, 3], &[4], &[3, 1], &[]]);
        assert_eq!(found, (vec![0, 1, 2, 2, 2, 0], vec![vec![1], vec![2], vec![3]]));
    }

    #[test]
    fn a_branch_back_is_no_loop() {
        assert_eq!(loops(&[&[3, 2], &[], &[1], &[1, 2]]), (vec![0; 4], vec![]));
    }

    #[test]
    fn two_entries() {
        let (depth, heads) = loops(&[&[1, 2], &[2, 3], &[1], &[]]);
        assert_eq!((depth, heads), (vec![0, 1, 1, 0], vec![vec![1, 2]]));
    }
}
