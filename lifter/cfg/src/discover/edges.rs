//! What the edges between functions say: new functions behind calls and jumps, cold parts that belong to others, functions
//! that never return, registers that calls change.

use super::{Cover, MAX_REFINEMENTS, Search};
use crate::Source;
use crate::body::Body;
use crate::slice::CALLER_SAVED;
use std::collections::{BTreeMap, BTreeSet, HashMap};

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
                let fall = t == site + 4 && self.text.is_padding(t);
                if !fall && !self.entries.contains(&t) && self.text.kind(t).is_code() {
                    pending.entry(t).or_default().insert(e);
                }
            }
        }
        if pending.is_empty() {
            return false;
        }
        let cover = Cover::new(&self.bodies);
        let called: BTreeSet<u64> = self
            .bodies
            .values()
            .flat_map(|b| b.calls.iter().map(|c| c.1).chain(b.pointers.iter().copied()))
            .collect();
        let mut progress = false;
        for (target, from) in pending {
            let owner = match self.known_range(target) {
                Some(r) if self.entries.contains(&r.start) => Some(r.start),
                _ => cover.owner(target),
            };
            let Some(owner) = owner else {
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
                if only && self.is_fragment(f, &called) {
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

    /// Functions from which no way leads to a return, and has their callers analysed again.
    pub(super) fn find_noreturn(&mut self) -> bool {
        let mut returns: BTreeSet<u64> =
            self.bodies.iter().filter(|(_, b)| b.returns).map(|(&e, _)| e).collect();
        loop {
            let reaches = |t: u64| !self.bodies.contains_key(&t) || returns.contains(&t);
            let more: Vec<u64> = self
                .bodies
                .iter()
                .filter(|(e, b)| !returns.contains(e) && b.out.iter().any(|o| reaches(o.1)))
                .map(|(&e, _)| e)
                .collect();
            if more.is_empty() {
                break;
            }
            returns.extend(more);
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
        let mut writes: BTreeMap<u64, u32> = self.bodies.iter().map(|(&e, b)| (e, b.writes)).collect();
        let mut grown = true;
        while grown {
            grown = false;
            for (e, b) in &self.bodies {
                let to =
                    b.calls.iter().chain(&b.out).map(|c| writes.get(&c.1).copied().unwrap_or(CALLER_SAVED));
                let all = to.fold(b.writes, |all, w| all | w);
                if writes.get(e) != Some(&all) {
                    writes.insert(*e, all);
                    grown = true;
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
