//! What the edges between functions say: new functions behind calls and jumps, cold parts that belong to others, functions
//! that never return, registers that calls change.

use super::{Cover, MAX_REFINEMENTS, Search};
use crate::Source;
use crate::body::Body;
use crate::slice::caller_saved;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Edges between functions by their target.
struct Reverse(Vec<(u64, u64)>);

impl Reverse {
    /// Of functions with their (site, target) pairs, in two parts.
    fn new<'a>(functions: impl Iterator<Item = (u64, &'a [(u64, u64)], &'a [(u64, u64)])>) -> Reverse {
        let pairs = functions.flat_map(|(e, a, b)| a.iter().chain(b).map(move |c| (c.1, e)));
        let mut edges: Vec<(u64, u64)> = pairs.collect();
        edges.sort_unstable();
        edges.dedup();
        Reverse(edges)
    }

    /// The functions from which an edge leads to `target`.
    fn of(&self, target: u64) -> impl Iterator<Item = u64> + '_ {
        let first = self.0.partition_point(|e| e.0 < target);
        self.0[first..].iter().take_while(move |e| e.0 == target).map(|e| e.1)
    }
}

impl Search<'_> {
    pub(super) fn follow_calls(&mut self) -> bool {
        let targets: BTreeSet<u64> = self.bodies.values().flat_map(|b| b.calls.iter().map(|c| c.1)).collect();
        self.add_all(targets, Source::Call) || !self.changed.is_empty()
    }

    /// Jumps out of functions: to new functions, to places inside others, or between a function and its cold part.
    pub(super) fn follow_jumps(&mut self) -> bool {
        let mut pending: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        let mut jumpers: HashMap<u64, BTreeSet<u64>> = HashMap::new();
        for (&e, b) in &self.bodies {
            for &(site, t) in &b.out {
                jumpers.entry(t).or_default().insert(e);
                // Padding behind a call that does not return is no code.
                let fall =
                    t == self.text.plain(self.text.next(site)) && self.text.is_padding(self.text.bytes(t));
                if !fall && !self.entries.contains(&t) && self.text.kind(t).is_code() {
                    pending.entry(t).or_default().insert(e);
                }
            }
        }
        if pending.is_empty() {
            return false;
        }
        let cover = Cover::new(self.image.isa, &self.bodies);
        let called: BTreeSet<u64> = self
            .bodies
            .values()
            .flat_map(|b| b.calls.iter().map(|c| c.1).chain(b.pointers.iter().copied()))
            .collect();
        let mut progress = false;
        for (target, from) in pending {
            let owner = match self.known_function(target) {
                Some((_, start)) if self.entries.contains(&start) => Some(start),
                _ => cover.owner(target),
            };
            let Some(owner) = owner else {
                // What absorbed it does not reach it any more.
                self.separate(target);
                progress |= self.add(target, Source::TailCall);
                continue;
            };
            for f in from {
                if f == owner || !self.entries.contains(&f) || !self.entries.contains(&owner) {
                    // Its own code, before its entry or behind its end: shared like any other.
                    if f == owner {
                        progress |= self.shared.entry(f).or_default().insert(target) && self.forget(f);
                    }
                    continue;
                }
                let only = jumpers.get(&f).is_some_and(|j| j.len() == 1 && j.contains(&owner));
                if only && !self.separated.contains(&f) && self.is_fragment(f, &called) {
                    let (own, _) = self.own_range(f);
                    self.entries.remove(&f);
                    self.sources.remove(&f);
                    self.absorbed.insert(f);
                    self.changed.insert(f);
                    self.bodies.remove(&f);
                    let inner = self.parts.remove(&f).unwrap_or_default();
                    let parts = self.parts.entry(owner).or_default();
                    parts.push(own);
                    parts.extend(inner);
                    self.forget(owner);
                    progress = true;
                } else {
                    progress |= self.shared.entry(f).or_default().insert(target) && self.forget(f);
                }
            }
        }
        progress
    }

    /// Makes a function of an absorbed part again, for good.
    pub(super) fn separate(&mut self, part: u64) {
        if self.absorbed.remove(&part) {
            self.separated.insert(part);
        }
    }

    /// Functions from which no way leads to a return, and has their callers analysed again.
    pub(super) fn find_noreturn(&mut self) -> bool {
        let jumpers = Reverse::new(self.bodies.iter().map(|(&e, b)| (e, &b.out[..], &[][..])));
        let leaves = |b: &Body| b.out.iter().any(|o| !self.bodies.contains_key(&o.1));
        let mut work: Vec<u64> =
            self.bodies.iter().filter(|(_, b)| b.returns || leaves(b)).map(|(&e, _)| e).collect();
        let mut returns: BTreeSet<u64> = BTreeSet::new();
        while let Some(e) = work.pop() {
            if returns.insert(e) {
                work.extend(jumpers.of(e));
            }
        }
        let new: Vec<u64> = self
            .bodies
            .keys()
            .copied()
            .filter(|e| !returns.contains(e) && !self.noreturn.contains(e))
            .collect();
        self.noreturn.extend(&new);
        let callers: Vec<u64> = self
            .bodies
            .iter()
            .filter(|(_, b)| b.calls.iter().any(|c| new.binary_search(&c.1).is_ok()))
            .map(|(&e, _)| e)
            .collect();
        for &c in &callers {
            self.forget(c);
        }
        !callers.is_empty()
    }

    /// Which registers functions write, with their callees; has those analysed again that have unexplained jumps and
    /// calls about which more is known now.
    pub(super) fn find_writes(&mut self) -> bool {
        let unexplained = |b: &Body| !b.unresolved.is_empty() || b.pointer_jumps > 0;
        if self.refinements >= MAX_REFINEMENTS || !self.bodies.values().any(unexplained) {
            return false;
        }
        let unknown = |b: &Body| {
            let known = b.calls.iter().chain(&b.out).all(|c| self.bodies.contains_key(&c.1));
            if known { 0 } else { caller_saved(self.image.isa) }
        };
        let mut writes: BTreeMap<u64, u32> =
            self.bodies.iter().map(|(&e, b)| (e, b.writes | unknown(b))).collect();
        let users = Reverse::new(self.bodies.iter().map(|(&e, b)| (e, &b.calls[..], &b.out[..])));
        let mut work: Vec<u64> = writes.keys().copied().collect();
        while let Some(e) = work.pop() {
            let more = writes.get(&e).copied().unwrap_or(0);
            for user in users.of(e) {
                let w = writes.entry(user).or_default();
                if *w | more != *w {
                    *w |= more;
                    work.push(user);
                }
            }
        }
        let better = |t: u64| writes.get(&t).is_some_and(|w| self.writes.get(&t) != Some(w));
        let again: Vec<u64> = self
            .bodies
            .iter()
            .filter(|(_, b)| unexplained(b) && b.calls.iter().any(|c| better(c.1)))
            .map(|(&e, _)| e)
            .collect();
        self.refinements += 1;
        self.writes = writes;
        for &f in &again {
            self.forget(f);
        }
        !again.is_empty()
    }

    /// True if nothing but a jump leads to `f`, as to the cold part of a function.
    fn is_fragment(&self, f: u64, called: &BTreeSet<u64>) -> bool {
        let by_name = || {
            let i = self.image.symbols.partition_point(|s| s.addr < f);
            let mut here = self.image.symbols[i..].iter().take_while(|s| s.addr == f).filter(|s| s.function);
            here.all(|s| s.name.contains(".cold"))
        };
        match self.sources.get(&f) {
            Some(Source::Symbol) if !by_name() => false,
            Some(Source::Symbol | Source::Unwind | Source::TailCall) => {
                !called.contains(&f) && !self.data_pointers.contains(&f) && f != self.image.entry
            }
            _ => false,
        }
    }
}
