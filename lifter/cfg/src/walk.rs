//! Walks one function: from its entry along direct control flow, inside given bounds, up to other functions' entries.
//! Gives a partition of what it reached into blocks. Knows nothing of values: indirect jumps are told their targets.

use crate::text::{Kind, Text};
use image::Range;
use isa::Flow;
use std::collections::{BTreeMap, BTreeSet};

/// What limits a walk.
pub(crate) struct Limits<'a> {
    /// All function entries.
    pub(crate) entries: &'a BTreeSet<u64>,
    /// The function's own range: jumps that leave it leave the function.
    pub(crate) own: Range,
    /// Other ranges that belong to it entirely (cold parts).
    pub(crate) parts: &'a [Range],
    /// Places in other functions' bodies that it jumps to: code from there on is duplicated.
    pub(crate) shared: &'a BTreeSet<u64>,
    /// Labels in it whose address is taken: where its indirect jumps lead that are nothing else.
    pub(crate) labels: &'a BTreeSet<u64>,
    /// Targets that indirect jumps were seen to have.
    pub(crate) jumps: &'a BTreeMap<u64, BTreeSet<u64>>,
    /// Places in it that were seen to be gone on at.
    pub(crate) points: &'a BTreeSet<u64>,
    /// Functions that never return.
    pub(crate) noreturn: &'a BTreeSet<u64>,
    /// The general registers that functions write, as far as known.
    pub(crate) writes: &'a BTreeMap<u64, u32>,
    /// How many bytes may be duplicated.
    pub(crate) share_limit: u64,
}

/// A block under construction, keyed by its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// Behind its last word.
    pub(crate) end: u64,
    /// How its last word ends it; `Next` if it was cut there.
    pub(crate) kind: Kind,
}

/// The state of a walk; more targets may be fed in while indirect jumps get resolved.
pub(crate) struct Walk<'a> {
    text: &'a Text<'a>,
    pub(crate) limits: Limits<'a>,
    entry: u64,
    work: Vec<u64>,
    /// Reached code, as disjoint blocks.
    pub(crate) pieces: BTreeMap<u64, Piece>,
    /// (site, target) of jumps that leave the function, conditional ones and falls into another function included.
    pub(crate) out: BTreeSet<(u64, u64)>,
    /// (site, target) of direct calls.
    pub(crate) calls: BTreeSet<(u64, u64)>,
    /// Addresses of indirect jumps.
    pub(crate) indirect: BTreeSet<u64>,
    /// True if control reaches a word that is no instruction.
    pub(crate) undefined: bool,
    duplicated: u64,
}

impl<'a> Walk<'a> {
    /// Walks from `entry`.
    pub(crate) fn new(text: &'a Text<'a>, entry: u64, limits: Limits<'a>) -> Self {
        let mut w = Walk {
            text,
            limits,
            entry,
            work: vec![entry],
            pieces: BTreeMap::new(),
            out: BTreeSet::new(),
            calls: BTreeSet::new(),
            indirect: BTreeSet::new(),
            undefined: false,
            duplicated: 0,
        };
        w.run();
        for &p in w.limits.points {
            if w.may_go(p) && text.kind(p).is_code() {
                w.work.push(p);
                w.run();
            }
        }
        w
    }

    /// Adds targets of an indirect jump at `site` and walks on. True if any was new.
    pub(crate) fn add_targets(&mut self, site: u64, targets: &[u64]) -> bool {
        let before = self.pieces.len();
        for &t in targets {
            self.jump(site, t);
        }
        self.run();
        self.pieces.len() != before
    }

    /// True if more than allowed would be duplicated.
    pub(crate) fn too_much_shared(&self) -> bool {
        self.duplicated > self.limits.share_limit
    }

    /// True if a block begins there or the walk may make one there.
    pub(crate) fn may_go(&self, addr: u64) -> bool {
        addr == self.entry
            || (!self.limits.entries.contains(&addr)
                && (self.is_own(addr) || self.limits.shared.contains(&addr)))
    }

    fn is_own(&self, addr: u64) -> bool {
        self.limits.own.contains(addr) || self.limits.parts.iter().any(|p| p.contains(addr))
    }

    fn jump(&mut self, site: u64, target: u64) {
        // Duplicated code may go anywhere but into an entry; the size limit ends it.
        let foreign = !self.is_own(site) && site != self.entry && !self.limits.entries.contains(&target);
        if self.may_go(target) || foreign {
            if self.text.kind(target).is_code() {
                self.work.push(target);
            } else {
                self.undefined = true;
            }
        } else {
            self.out.insert((site, target));
        }
    }

    fn run(&mut self) {
        while let Some(start) = self.work.pop() {
            if let Some((&at, piece)) = self.pieces.range_mut(..=start).next_back() {
                if at == start {
                    continue;
                }
                if start < piece.end {
                    let tail = *piece;
                    *piece = Piece { end: start, kind: Kind::Next };
                    self.pieces.insert(start, tail);
                    continue;
                }
            }
            self.scan(start);
            if self.too_much_shared() {
                return;
            }
        }
    }

    /// Follows straight-line code from `start`.
    fn scan(&mut self, start: u64) {
        let stop = self.pieces.range(start..).next().map_or(u64::MAX, |p| *p.0);
        let mut at = start;
        let kind = loop {
            if at == stop {
                break Kind::Next;
            }
            if at != start && !self.falls(at - 4, at) {
                break Kind::Next;
            }
            let kind = self.text.kind(at);
            if kind == Kind::Data {
                self.undefined = true;
                break Kind::Next;
            }
            if !self.is_own(at) && at != self.entry {
                self.duplicated += 4;
                if self.too_much_shared() {
                    break Kind::Next;
                }
            }
            let site = at;
            at += 4;
            match kind {
                Kind::Next | Kind::Nop => continue,
                Kind::Data | Kind::Return | Kind::Trap => {}
                Kind::Undefined => self.undefined = true,
                Kind::Indirect => {
                    self.indirect.insert(site);
                }
                Kind::Jump | Kind::Branch | Kind::Call | Kind::IndirectCall | Kind::Syscall => {
                    self.leave(site, kind);
                }
            }
            break kind;
        };
        if at > start {
            self.pieces.insert(start, Piece { end: at, kind });
        }
    }

    fn leave(&mut self, site: u64, kind: Kind) {
        match self.text.flow(site) {
            Flow::Jump(t) | Flow::Branch(t) => self.jump(site, t.0),
            Flow::Call(t) => {
                self.calls.insert((site, t.0));
                if self.limits.noreturn.contains(&t.0) {
                    return;
                }
            }
            Flow::IndirectCall | Flow::Syscall | Flow::Next | Flow::Indirect | Flow::Return | Flow::Trap => {}
        }
        let next = site + 4;
        match kind {
            Kind::Jump => {}
            // What follows a call that does not return may be anything: the next function, padding, data.
            Kind::Call | Kind::IndirectCall => {
                let inside = self.is_own(next) || !self.is_own(site);
                if inside && !self.limits.entries.contains(&next) && self.text.kind(next).is_code() {
                    self.work.push(next);
                }
            }
            _ => {
                if self.falls(site, next) {
                    if self.text.kind(next).is_code() {
                        self.work.push(next);
                    } else {
                        self.undefined = true;
                    }
                }
            }
        }
    }

    /// True if falling from `site` to `next` stays in the function; else notes that it leaves.
    fn falls(&mut self, site: u64, next: u64) -> bool {
        let leaves = self.is_own(site) && !self.is_own(next);
        if leaves || self.limits.entries.contains(&next) {
            self.out.insert((site, next));
            return false;
        }
        true
    }
}
