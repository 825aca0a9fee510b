//! The search itself: sources name entries, walks of entries name more, until nothing new comes; first from what is
//! certain, then from pointers, then by sweeping what is left. Every step is a function of the state before it, and
//! results are merged in address order, so that the outcome does not depend on threads.

use crate::body::{Body, analyse};
use crate::names::Names;
use crate::slice::CALLER_SAVED;
use crate::sweep;
use crate::text::{Kind, Text};
use crate::walk::Limits;
use crate::{Found, Options, Program, Source};
use image::{Image, Range};
use ir::GuestAddr;
use isa::FunctionShape;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Code of other functions that a function may duplicate, in bytes; where more would be needed, the place jumped to
/// becomes a function.
const SHARE_LIMIT: u64 = 512;

/// The search ends at the latest then; it needs a handful of rounds on real programs.
const MAX_ROUNDS: usize = 500;

/// How often functions are looked at again because more is known of what they call.
const MAX_REFINEMENTS: usize = 8;

/// State of the search.
pub(crate) struct Search<'a> {
    pub(crate) text: Text<'a>,
    image: &'a Image,
    /// Known function ranges (symbols with sizes, unwind ranges) by start.
    ranges: Vec<Range>,
    sources: BTreeMap<u64, Source>,
    pub(crate) entries: BTreeSet<u64>,
    pub(crate) bodies: BTreeMap<u64, Body>,
    /// Where a function continues in others' code.
    shared: BTreeMap<u64, BTreeSet<u64>>,
    /// Labels in functions whose address is taken.
    labels: BTreeMap<u64, BTreeSet<u64>>,
    /// Functions that never return.
    pub(crate) noreturn: BTreeSet<u64>,
    /// The general registers that functions write, callees included.
    pub(crate) writes: BTreeMap<u64, u32>,
    /// Cold parts of functions.
    parts: BTreeMap<u64, Vec<Range>>,
    /// Entries that turned out to be such parts, and are not to become entries again.
    absorbed: BTreeSet<u64>,
    /// Entries added or removed since the last analysis.
    changed: BTreeSet<u64>,
    /// Code addresses that data holds.
    data_pointers: BTreeSet<u64>,
    rounds: usize,
    refinements: usize,
}

/// Finds the code of `image`.
pub(crate) fn discover(image: &Image, options: &Options) -> Program {
    let text = Text::new(image);
    let mut s = Search {
        data_pointers: data_pointers(&text),
        ranges: known_ranges(&text),
        text,
        image,
        sources: BTreeMap::new(),
        entries: BTreeSet::new(),
        bodies: BTreeMap::new(),
        shared: BTreeMap::new(),
        labels: BTreeMap::new(),
        noreturn: BTreeSet::new(),
        writes: BTreeMap::new(),
        parts: BTreeMap::new(),
        absorbed: BTreeSet::new(),
        changed: BTreeSet::new(),
        rounds: 0,
        refinements: 0,
    };
    s.seed(options);
    s.settle();
    loop {
        if s.code_pointers() || s.accept_data_pointers() {
            s.settle();
            continue;
        }
        if options.sweep {
            let found = sweep::candidates(&s);
            if s.add_all(found, Source::Sweep) {
                s.settle();
                continue;
            }
        }
        break;
    }
    s.finish()
}

/// Ranges that symbols and unwind tables give.
fn known_ranges(text: &Text<'_>) -> Vec<Range> {
    let symbols = text.image.symbols.iter().filter(|s| s.function && s.size >= 4);
    let mut ranges: Vec<Range> = symbols
        .map(|s| Range { start: s.addr, end: s.addr.saturating_add(s.size) })
        .chain(text.image.unwind.iter().copied())
        .filter(|r| {
            r.start % 4 == 0 && text.range(r.start).is_some_and(|t| r.end <= t.end.next_multiple_of(4))
        })
        .collect();
    ranges.sort();
    ranges.dedup();
    ranges
}

/// Words of data that could be code addresses, and relocated pointers into text.
fn data_pointers(text: &Text<'_>) -> BTreeSet<u64> {
    let image = text.image;
    let mut found: BTreeSet<u64> = image.pointers.iter().map(|p| p.target).collect();
    if !image.position_independent {
        for s in &image.segments {
            let start = s.vaddr.next_multiple_of(8);
            let Some(bytes) = image.bytes_at(start, s.file_backed().end.saturating_sub(start)) else {
                continue;
            };
            let words = bytes.par_chunks_exact(8).enumerate().filter_map(|(i, w)| {
                let at = start + 8 * i as u64;
                let value = u64::from_le_bytes(w.try_into().ok()?);
                (value % 4 == 0 && text.range(value).is_some() && text.range(at).is_none()).then_some(value)
            });
            found.par_extend(words);
        }
    }
    found.retain(|&a| text.kind(a).is_code());
    found
}

impl Search<'_> {
    fn add(&mut self, addr: u64, source: Source) -> bool {
        if self.entries.contains(&addr) || self.absorbed.contains(&addr) || !self.text.kind(addr).is_code() {
            return false;
        }
        self.sources.insert(addr, source);
        self.entries.insert(addr);
        self.changed.insert(addr);
        true
    }

    fn add_all(&mut self, addrs: impl IntoIterator<Item = u64>, source: Source) -> bool {
        addrs.into_iter().fold(false, |any, a| self.add(a, source) | any)
    }

    fn seed(&mut self, options: &Options) {
        let image = self.image;
        self.add(image.entry, Source::Entry);
        self.add_all(image.symbols.iter().filter(|s| s.function).map(|s| s.addr), Source::Symbol);
        self.add_all(image.init.iter().copied(), Source::Init);
        self.add_all(image.unwind.iter().map(|r| r.start), Source::Unwind);
        self.add_all(options.extra_entries.iter().copied(), Source::Profile);
        // Labels without a type, of hand-written code: only where nothing better says what stands there.
        let labels: Vec<u64> = image.symbols.iter().filter(|s| !s.function).map(|s| s.addr).collect();
        let labels =
            labels.into_iter().filter(|&a| self.known_range(a).is_none() && self.looks_like_entry(a));
        self.add_all(labels.collect::<Vec<_>>(), Source::Symbol);
    }

    /// The innermost known range that holds `addr`.
    fn known_range(&self, addr: u64) -> Option<Range> {
        let i = self.ranges.partition_point(|r| r.start <= addr);
        self.ranges[..i].iter().rev().take(16).copied().find(|r| r.contains(addr))
    }

    /// The range that limits the function at `entry`, and whether it is known or guessed.
    pub(crate) fn own_range(&self, entry: u64) -> (Range, bool) {
        match self.known_range(entry) {
            Some(r) => (Range { start: entry, end: r.end }, r.start == entry),
            None => {
                let end = self.text.range(entry).map_or(entry + 4, |t| t.end);
                let next = self.entries.range(entry + 1..).next().map_or(end, |&n| n.min(end));
                (Range { start: entry, end: next }, false)
            }
        }
    }

    /// Analyses what is new or changed, adds what it names, until nothing is new.
    fn settle(&mut self) {
        loop {
            self.rounds += 1;
            if self.rounds > MAX_ROUNDS {
                return;
            }
            self.analyse_dirty();
            if !(self.follow_calls() || self.follow_jumps() || self.find_noreturn() || self.find_writes()) {
                break;
            }
        }
    }

    fn analyse_dirty(&mut self) {
        let changed = std::mem::take(&mut self.changed);
        let dirty: Vec<u64> = self
            .entries
            .iter()
            .copied()
            .filter(|&e| match self.bodies.get(&e) {
                None => true,
                Some(b) => {
                    b.own != self.own_range(e).0
                        || b.blocks.iter().any(|b| changed.range(b.start.0..=b.end.0).any(|&c| c != e))
                }
            })
            .collect();
        let none = BTreeSet::new();
        let bodies: Vec<(u64, Body)> = dirty
            .par_iter()
            .map(|&e| {
                let (own, sure) = self.own_range(e);
                let limits = Limits {
                    entries: &self.entries,
                    own,
                    parts: self.parts.get(&e).map_or(&[], |p| p),
                    shared: self.shared.get(&e).unwrap_or(&none),
                    labels: self.labels.get(&e).unwrap_or(&none),
                    noreturn: &self.noreturn,
                    writes: &self.writes,
                    share_limit: SHARE_LIMIT,
                };
                (e, analyse(&self.text, e, limits, sure))
            })
            .collect();
        for (e, body) in bodies {
            if body.too_much_shared {
                // What it shares becomes functions of their own.
                let targets = self.shared.remove(&e).unwrap_or_default();
                self.add_all(targets, Source::TailCall);
                self.bodies.remove(&e);
                self.changed.insert(e);
            } else {
                self.bodies.insert(e, body);
            }
        }
    }

    fn follow_calls(&mut self) -> bool {
        let targets: BTreeSet<u64> = self.bodies.values().flat_map(|b| b.calls.iter().map(|c| c.1)).collect();
        self.add_all(targets, Source::Call) || !self.changed.is_empty()
    }

    /// Jumps out of functions: to new functions, to places inside others, or between a function and its cold part.
    fn follow_jumps(&mut self) -> bool {
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
    fn find_noreturn(&mut self) -> bool {
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
    fn find_writes(&mut self) -> bool {
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

    /// Has `f` analysed again.
    fn forget(&mut self, f: u64) -> bool {
        self.bodies.remove(&f).is_some()
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

    fn code_pointers(&mut self) -> bool {
        let pointers: BTreeSet<u64> =
            self.bodies.values().flat_map(|b| b.pointers.iter().chain(&b.table_functions).copied()).collect();
        self.accept(&pointers, Source::CodePointer)
    }

    fn accept_data_pointers(&mut self) -> bool {
        let pointers = std::mem::take(&mut self.data_pointers);
        let any = self.accept(&pointers, Source::DataPointer);
        self.data_pointers = pointers;
        any
    }

    /// Makes functions, or labels of functions, of those `pointers` that look like it.
    fn accept(&mut self, pointers: &BTreeSet<u64>, source: Source) -> bool {
        let cover = Cover::new(&self.bodies);
        let mut any = false;
        let mut again = BTreeSet::new();
        for &a in pointers {
            if self.entries.contains(&a)
                || matches!(self.text.kind(a), Kind::Data | Kind::Undefined | Kind::Trap)
            {
                continue;
            }
            any |= match (cover.owner(a), self.known_range(a)) {
                // Inside a function: a label, if the function has jumps that could lead there.
                (covered, Some(r)) => {
                    let jumps = |b: &Body| !b.unresolved.is_empty() || b.pointer_jumps > 0;
                    if self.labels.contains_key(&r.start) || self.bodies.get(&r.start).is_some_and(jumps) {
                        again.insert(r.start);
                        self.labels.entry(r.start).or_default().insert(a)
                    } else {
                        covered.is_none() && self.add(a, source)
                    }
                }
                // Without known ranges a function may have been taken for what follows a call that does not return.
                (Some(_), None) => self.is_prologue(a) && self.may_follow_end(a) && self.add(a, source),
                (None, None) => self.looks_like_entry(a) && self.add(a, source),
            };
        }
        if any {
            for f in again {
                self.forget(f);
            }
        }
        any
    }

    /// True if `addr` lies in a known function that meets an undefined instruction.
    pub(crate) fn in_undefined_function(&self, addr: u64) -> bool {
        let body = self.known_range(addr).and_then(|r| self.bodies.get(&r.start));
        self.known_range(addr).is_some() && body.is_none_or(|b| b.undefined)
    }

    fn may_follow_end(&self, addr: u64) -> bool {
        let before = self.text.kind(addr - 4);
        before.ends() || self.text.is_padding(addr - 4) || before == Kind::Call
    }

    /// True if `addr` could begin a function by what stands before it or at it.
    pub(crate) fn looks_like_entry(&self, addr: u64) -> bool {
        let kind = self.text.kind(addr);
        if !kind.is_code() || kind == Kind::Trap {
            return false;
        }
        let before = self.text.kind(addr.wrapping_sub(4));
        before.ends() || self.text.is_padding(addr - 4) || self.is_prologue(addr)
    }

    /// BTI c and jc, PACIASP, and stores of a frame at the stack pointer or its move down.
    fn is_prologue(&self, addr: u64) -> bool {
        let Some(w) = self.text.word(addr) else { return false };
        matches!(w, 0xd503_245f | 0xd503_24df | 0xd503_233f)
            || w & 0xffc0_03e0 == 0xa980_03e0
            || w & 0xffe0_0fe0 == 0xf800_0fe0
            || w & 0xff80_03ff == 0xd100_03ff
    }

    fn finish(self) -> Program {
        let mut names = Names::new(self.image);
        let mut program = Program::default();
        let mut covered = Vec::new();
        let mut data: Vec<Range> = Vec::new();
        for (&entry, body) in &self.bodies {
            let Some(&source) = self.sources.get(&entry) else { continue };
            covered.extend(body.blocks.iter().map(|b| Range { start: b.start.0, end: b.end.0 }));
            data.extend(&body.data);
            program.jump_tables += body.tables;
            program.unresolved_jumps.extend(&body.unresolved);
            program.pointer_jumps += body.pointer_jumps;
            if body.blocks.is_empty() {
                continue;
            }
            let shape =
                FunctionShape { name: names.of(entry), entry: GuestAddr(entry), blocks: body.blocks.clone() };
            program.functions.push(Found { shape, source });
        }
        names.make_unique(program.functions.iter_mut().map(|f| &mut f.shape));
        program.unresolved_jumps.sort_unstable();
        program.unresolved_jumps.dedup();
        let covered = merged(covered);
        let text: Vec<Range> = self.text.ranges().collect();
        program.text = text.iter().map(Range::len).sum();
        program.gaps = without(&text, &covered);
        program.covered = program.text - program.gaps.iter().map(Range::len).sum::<u64>();
        let data = merged(data);
        for g in &program.gaps {
            for at in (g.start..g.end).step_by(4) {
                let i = data.partition_point(|d| d.end <= at);
                let marked = self.text.kind(at) == Kind::Data || data.get(i).is_some_and(|d| d.contains(at));
                if marked {
                    program.data += 4;
                } else if self.text.is_padding(at) {
                    program.padding += 4;
                }
            }
        }
        program
    }
}

/// Which function's body holds an address.
pub(crate) struct Cover(Vec<(u64, u64, u64)>);

impl Cover {
    /// Of all bodies.
    pub(crate) fn new(bodies: &BTreeMap<u64, Body>) -> Cover {
        let mut all: Vec<(u64, u64, u64)> =
            bodies.iter().flat_map(|(&e, b)| b.blocks.iter().map(move |b| (b.start.0, b.end.0, e))).collect();
        // At equal places the nearest entry before it comes last and is found first.
        all.sort_unstable();
        Cover(all)
    }

    /// The function that holds `addr`; if several do, the one with the nearest entry before it.
    pub(crate) fn owner(&self, addr: u64) -> Option<u64> {
        let i = self.0.partition_point(|b| b.0 <= addr);
        let near = self.0[..i].iter().rev().take(64).filter(|b| addr < b.1);
        near.map(|b| b.2).max_by_key(|&e| if e <= addr { (true, e) } else { (false, e) })
    }

    /// Covered ranges, merged.
    pub(crate) fn ranges(&self) -> Vec<Range> {
        merged(self.0.iter().map(|b| Range { start: b.0, end: b.1 }).collect())
    }
}

/// Sorted, disjoint.
pub(crate) fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort();
    let mut out: Vec<Range> = Vec::new();
    for r in ranges {
        match out.last_mut() {
            Some(l) if r.start <= l.end => l.end = l.end.max(r.end),
            _ => out.push(r),
        }
    }
    out
}

/// `all` without `holes`, both sorted and disjoint.
pub(crate) fn without(all: &[Range], holes: &[Range]) -> Vec<Range> {
    let mut out = Vec::new();
    for r in all {
        let mut start = r.start;
        let first = holes.partition_point(|h| h.end <= r.start);
        for h in holes[first..].iter().take_while(|h| h.start < r.end) {
            if h.start > start {
                out.push(Range { start, end: h.start });
            }
            start = start.max(h.end);
        }
        if start < r.end {
            out.push(Range { start, end: r.end });
        }
    }
    out
}
