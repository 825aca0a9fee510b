//! What profiles say: places that were executed and that the static search did not find, or that nothing could enter.
//! Findings are hints like all other sources, never trusted: each is placed where the search's own rules allow code.

use super::{Cover, Search};
use crate::Source;
use crate::text::Kind as Word;
use abi::profile::{Finding, Kind};
use isa::Isa;
use std::collections::{BTreeMap, BTreeSet};

/// Learned targets of one indirect jump: more are entered by way of the dispatcher.
const MAX_TARGETS: usize = 1024;

/// Places of one function at which the dispatcher may enter because profiles say so. Each costs time in register
/// allocation (docs/decisions/0006-large-functions.md).
const MAX_POINTS: usize = 64;

/// What became of a profile's findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Targets given to indirect jumps.
    pub targets: usize,
    /// Places in functions made enterable.
    pub points: usize,
    /// Functions.
    pub functions: usize,
    /// Bytes of code that nothing but a profile led to.
    pub bytes: u64,
    /// Findings that the search had already explained by itself or by others.
    pub known: usize,
    /// Findings that are no code, or beyond the limits.
    pub ignored: usize,
}

/// Findings and where they were placed.
#[derive(Debug, Default)]
pub(super) struct Lessons {
    waiting: Vec<Finding>,
    rounds: usize,
    /// Bytes covered before, and with all that was learned.
    covered: (u64, u64),
    /// Targets of indirect jumps by the jump.
    pub(super) jumps: BTreeMap<u64, BTreeSet<u64>>,
    /// Places of functions at which the dispatcher may enter, by the function.
    pub(super) points: BTreeMap<u64, BTreeSet<u64>>,
    done: Learned,
}

impl Lessons {
    pub(super) fn new(isa: Isa, findings: &[Finding]) -> Lessons {
        let mut waiting = findings.to_vec();
        if isa == Isa::A32 {
            // In an IT block, too, a jump is what its bytes are.
            let plain = |a: u64| u64::from(a as u32);
            waiting.retain(|f| !isa.is_inner(f.target));
            waiting.iter_mut().for_each(|f| f.source = plain(f.source));
        }
        waiting.sort_unstable();
        waiting.dedup();
        Lessons { waiting, ..Lessons::default() }
    }

    /// What became of the findings; `functions` of them are such now.
    pub(super) fn done(&self, functions: usize) -> Learned {
        let (before, after) = self.covered;
        Learned { functions, bytes: after.saturating_sub(before), ..self.done }
    }
}

impl Search<'_> {
    /// Places findings; true if the search has to go on with what that gave. To be called when it is at its end.
    pub(super) fn learn(&mut self) -> bool {
        if self.lessons.rounds > 0 && self.lessons.waiting.is_empty() && self.lessons.covered.1 == 0 {
            self.lessons.covered.1 =
                Cover::new(self.image.isa, &self.bodies).ranges().iter().map(image::Range::len).sum();
        }
        while !self.lessons.waiting.is_empty() {
            let cover = Cover::new(self.image.isa, &self.bodies);
            if self.lessons.rounds == 0 {
                self.lessons.covered.0 = cover.ranges().iter().map(image::Range::len).sum();
            }
            let before = self.lessons.waiting.len();
            let mut grown = false;
            for finding in std::mem::take(&mut self.lessons.waiting) {
                match self.place(&cover, finding) {
                    Some(new) => grown |= new,
                    None => self.lessons.waiting.push(finding),
                }
            }
            self.lessons.rounds += 1;
            let stuck = self.lessons.waiting.len() == before;
            if grown {
                self.share_targets(&cover);
                return true;
            }
            if stuck && self.place_rest(&cover) {
                return true;
            }
        }
        false
    }

    /// Places one finding; `None` if that has to wait for others, else true if something new came of it.
    fn place(&mut self, cover: &Cover, f: Finding) -> Option<bool> {
        if !self.text.kind(f.target).is_code() {
            self.lessons.done.ignored += 1;
            return Some(false);
        }
        if self.entries.contains(&f.target) {
            return Some(self.known());
        }
        let owner = cover.owner(f.target);
        match f.kind {
            Kind::Call => Some(self.add_learned(f.target)),
            Kind::Jump if self.text.kind(f.source) == Word::Indirect => {
                let from = cover.owner(f.source)?;
                match owner {
                    Some(o) if o != from => Some(self.add_point(o, f.target)),
                    None if !self.own_range(from).0.contains(f.target) => Some(self.add_learned(f.target)),
                    _ => Some(self.add_target(from, f)),
                }
            }
            // What came later was found by way of other findings, and by that can be entered.
            Kind::Jump | Kind::Return | Kind::Resume => {
                let first = self.lessons.rounds == 0;
                owner.map(|o| if first { self.add_point(o, f.target) } else { self.known() })
            }
        }
    }

    /// Nothing leads to what waits. Behind a call it is part of the function before it, else a function.
    fn place_rest(&mut self, cover: &Cover) -> bool {
        let mut grown = false;
        for f in std::mem::take(&mut self.lessons.waiting) {
            let behind = |size: u64| {
                let u = self.text.unit(f.target.wrapping_sub(size));
                u.next == f.target && matches!(u.kind, Word::Call | Word::IndirectCall | Word::Syscall)
            };
            let behind_call = behind(4) || (self.text.step() == 2 && behind(2));
            let owner = self.entries.range(..f.target).next_back().copied();
            let owner = owner.filter(|&o| self.own_range(o).0.contains(f.target));
            grown |= match owner {
                _ if cover.owner(f.target).is_some() => self.known(),
                Some(o) if behind_call && f.kind != Kind::Jump => self.add_point(o, f.target),
                _ => self.add_learned(f.target),
            };
        }
        grown
    }

    fn known(&mut self) -> bool {
        self.lessons.done.known += 1;
        false
    }

    fn add_learned(&mut self, target: u64) -> bool {
        self.absorbed.remove(&target);
        self.add(target, Source::Profile) || self.known()
    }

    fn add_point(&mut self, owner: u64, target: u64) -> bool {
        let points = self.lessons.points.entry(owner).or_default();
        if points.len() >= MAX_POINTS && !points.contains(&target) {
            self.lessons.done.ignored += 1;
            return false;
        }
        if !points.insert(target) {
            return self.known();
        }
        self.lessons.done.points += 1;
        self.forget(owner);
        true
    }

    fn add_target(&mut self, from: u64, f: Finding) -> bool {
        let has = |b: &crate::body::Body| {
            let i = b.blocks.partition_point(|b| b.end.0 <= f.source);
            let found = b.blocks.get(i).and_then(|b| b.switch.as_ref());
            found.is_some_and(|t| t.binary_search(&ir::GuestAddr(f.target)).is_ok())
        };
        if self.bodies.get(&from).is_some_and(has) {
            return self.known();
        }
        let targets = self.lessons.jumps.entry(f.source).or_default();
        if targets.len() >= MAX_TARGETS && !targets.contains(&f.target) {
            return self.add_point(from, f.target);
        }
        targets.insert(f.target);
        self.lessons.done.targets += 1;
        true
    }

    /// Jumps of one function that have a target in common go to the same places, as those of a threaded interpreter do: each gets
    /// the targets of all, and the functions with learned jumps are analysed again.
    fn share_targets(&mut self, cover: &Cover) {
        let mut by_function: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for &site in self.lessons.jumps.keys() {
            if let Some(f) = cover.owner(site) {
                by_function.entry(f).or_default().push(site);
            }
        }
        for sites in by_function.into_values() {
            let mut groups: Vec<(BTreeSet<u64>, Vec<u64>)> = Vec::new();
            for site in sites {
                let (mut targets, mut members) = (self.lessons.jumps[&site].clone(), vec![site]);
                groups.retain_mut(|(t, m)| {
                    let apart = t.is_disjoint(&targets);
                    if !apart {
                        targets.append(t);
                        members.append(m);
                    }
                    apart
                });
                groups.push((targets, members));
            }
            for (targets, members) in groups {
                let targets: BTreeSet<u64> = targets.into_iter().take(MAX_TARGETS).collect();
                for site in members {
                    self.lessons.jumps.insert(site, targets.clone());
                }
            }
        }
        let jumps = &self.lessons.jumps;
        let has = |b: &isa::BlockShape| jumps.range(b.start.0..b.end.0).next().is_some();
        self.bodies.retain(|_, b| !b.blocks.iter().any(has));
    }
}
