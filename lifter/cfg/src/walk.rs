//! Walks one function: from its entry along direct control flow, inside given bounds, up to other functions' entries.
//! Gives a partition of what it reached into blocks. Knows nothing of values: indirect jumps are told their targets.

use crate::text::{Kind, Text, Unit};
use image::Range;
use isa::{Flow, Isa};
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
    /// The byte behind its last instruction.
    pub(crate) end: u64,
    /// How its last instruction ends it; `Next` if it was cut there.
    pub(crate) kind: Kind,
    /// The code address of its last instruction, without the state of an IT block; its start if it was cut.
    pub(crate) site: u64,
}

/// The state of a walk; more targets may be fed in while indirect jumps get resolved.
pub(crate) struct Walk<'a> {
    text: &'a Text<'a>,
    pub(crate) limits: Limits<'a>,
    entry: u64,
    work: BTreeSet<u64>,
    /// AArch32: literals that the code reached so far reads, start and end. They stand behind the code that reads them, so that,
    /// lowest address first, what looks like code there is known for what it is when control seems to come to it.
    literals: BTreeMap<u64, u64>,
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
            work: BTreeSet::from([entry]),
            literals: BTreeMap::new(),
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
                w.work.insert(p);
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
                self.work.insert(target);
            } else {
                self.undefined = true;
            }
        } else {
            self.out.insert((site, target));
        }
    }

    fn run(&mut self) {
        while let Some(start) = self.next_start() {
            if let Some((&at, piece)) = self.pieces.range_mut(..=start).next_back() {
                if at == start {
                    continue;
                }
                if self.text.bytes(start) < piece.end {
                    let tail = *piece;
                    // Else it is the middle of an instruction or an IT block, or code in another state: that is not followed.
                    if is_boundary(self.text, at, start) {
                        *piece = Piece { end: self.text.bytes(start), kind: Kind::Next, site: at };
                        self.pieces.insert(start, tail);
                    }
                    continue;
                }
            }
            self.scan(start);
            if self.too_much_shared() {
                return;
            }
        }
    }

    /// What to follow next; the order matters for literals only.
    fn next_start(&mut self) -> Option<u64> {
        match self.text.image.isa {
            Isa::A64 => self.work.pop_last(),
            Isa::A32 => self.work.pop_first(),
        }
    }

    /// True if a literal that this function reads stands at the code address `at`, or behind what aligns it.
    fn is_literal(&self, at: u64) -> bool {
        let at = self.text.bytes(at);
        let holds = |a: u64| self.literals.range(..=a).next_back().is_some_and(|(_, &end)| a < end);
        !self.literals.is_empty() && (holds(at) || at % 4 == 2 && self.text.is_padding(at) && holds(at + 2))
    }

    /// Follows straight-line code from `start`.
    fn scan(&mut self, start: u64) {
        let stop = self.pieces.range(start..).next().map_or(u64::MAX, |p| self.text.bytes(*p.0));
        // Where the next instruction stands, and the one before; in an IT block with its state.
        let (mut at, mut site) = (start, start);
        let kind = loop {
            let here = self.text.bytes(at);
            if here >= stop {
                break Kind::Next;
            }
            if at != start && !self.falls(site, self.text.plain(at)) {
                break Kind::Next;
            }
            let unit = self.text.unit(at);
            if unit.kind == Kind::Data || self.is_literal(at) {
                self.undefined = true;
                break Kind::Next;
            }
            let end = self.text.bytes(unit.next);
            if end > stop {
                // It overlaps a block: the runtime goes on there.
                break Kind::Next;
            }
            if !self.is_own(self.text.plain(at)) && at != self.entry {
                self.duplicated += end - here;
                if self.too_much_shared() {
                    break Kind::Next;
                }
            }
            for l in self.text.literals(at) {
                self.literals.insert(l.start, l.end);
            }
            let place = at;
            site = self.text.plain(at);
            at = unit.next;
            match unit.kind {
                Kind::Next | Kind::Nop => continue,
                // In the middle of an IT block.
                Kind::Syscall if self.text.plain(at) != at => continue,
                Kind::Data => {}
                Kind::Return | Kind::Trap if !unit.conditional => {}
                Kind::Undefined => self.undefined = true,
                Kind::Indirect => {
                    self.indirect.insert(site);
                    if unit.conditional {
                        self.leave(place, unit);
                    }
                }
                Kind::Jump
                | Kind::Branch
                | Kind::Call
                | Kind::IndirectCall
                | Kind::Syscall
                | Kind::Return
                | Kind::Trap => self.leave(place, unit),
            }
            break unit.kind;
        };
        let end = self.text.bytes(at);
        if end > self.text.bytes(start) {
            self.pieces.insert(start, Piece { end, kind, site });
        }
    }

    /// Follows the ways from the instruction at `place`, whose condition may keep control on the way.
    fn leave(&mut self, place: u64, unit: Unit) {
        let site = self.text.plain(place);
        match self.text.flow(place) {
            Flow::Jump(t) | Flow::Branch(t) => self.jump(site, t.0),
            Flow::Call(t) => {
                self.calls.insert((site, t.0));
                if self.limits.noreturn.contains(&t.0) && !unit.conditional {
                    return;
                }
            }
            Flow::IndirectCall | Flow::Syscall | Flow::Next | Flow::Indirect | Flow::Return | Flow::Trap => {}
        }
        let next = self.text.plain(unit.next);
        match unit.kind {
            Kind::Jump => {}
            // What follows a call that does not return may be anything: the next function, padding, data.
            Kind::Call | Kind::IndirectCall => {
                let inside = (self.is_own(next) || !self.is_own(site)) && !self.is_literal(next);
                if inside && !self.limits.entries.contains(&next) && self.text.kind(next).is_code() {
                    self.work.insert(next);
                }
            }
            _ => {
                if self.falls(site, next) {
                    if self.text.kind(next).is_code() {
                        self.work.insert(next);
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

/// True if an instruction outside IT blocks begins at `to` when going on from `at`.
fn is_boundary(text: &Text<'_>, mut at: u64, to: u64) -> bool {
    if text.image.isa == Isa::A64 {
        return true;
    }
    while text.bytes(at) < text.bytes(to) {
        at = text.next(at);
    }
    at == to
}
