//! The search itself: sources name entries, walks of entries name more, until nothing new comes; first from what is
//! certain, then from pointers, then by sweeping what is left. Every step is a function of the state before it, and
//! results are merged in address order, so that the outcome does not depend on threads.

mod cover;
mod edges;
mod learned;
mod pointers;

pub(crate) use cover::{Cover, merged, without};
pub use learned::Learned;
use learned::Lessons;
use pointers::data_pointers;

use crate::body::{Body, analyse};
use crate::names::Names;
use crate::sweep;
use crate::text::Text;
use crate::walk::Limits;
use crate::{Found, Options, Program, Source};
use image::{Image, Range};
use ir::GuestAddr;
use isa::FunctionShape;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

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
    /// Known function ranges (symbols with sizes, unwind ranges) by start, and the code addresses where they begin.
    ranges: Vec<(Range, u64)>,
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
    /// Entries that were absorbed and are functions again: others share too much with their owners, or these do not reach them any more.
    separated: BTreeSet<u64>,
    /// Entries added or removed since the last analysis.
    changed: BTreeSet<u64>,
    /// Code addresses that data holds.
    data_pointers: BTreeSet<u64>,
    lessons: Lessons,
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
        separated: BTreeSet::new(),
        changed: BTreeSet::new(),
        rounds: 0,
        refinements: 0,
        lessons: Lessons::new(image.isa, &options.findings),
    };
    s.seed();
    s.settle();
    loop {
        if s.place_starts() {
            s.settle();
            continue;
        }
        if s.code_pointers() || s.accept_data_pointers() || s.learn() {
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

/// Ranges that symbols and unwind tables give, and the code address at which each begins.
fn known_ranges(text: &Text<'_>) -> Vec<(Range, u64)> {
    let symbols = text.image.symbols.iter().filter(|s| s.function && s.size >= text.step());
    // Unwind tables do not say the state.
    let unwind = text.image.unwind.iter().filter_map(|&r| match text.places(r.start)[..] {
        [place] => Some((r, place)),
        _ => None,
    });
    let mut ranges: Vec<(Range, u64)> = symbols
        .map(|s| {
            let start = text.bytes(s.addr);
            (Range { start, end: start.saturating_add(s.size) }, s.addr)
        })
        .chain(unwind)
        .filter(|&(r, place)| {
            text.image.isa.is_aligned(place)
                && text.range(r.start).is_some_and(|t| r.end <= t.end.next_multiple_of(4))
        })
        .collect();
    ranges.sort();
    ranges.dedup();
    ranges
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

    fn seed(&mut self) {
        let image = self.image;
        self.add(image.entry, Source::Entry);
        self.add_all(image.symbols.iter().filter(|s| s.function).map(|s| s.addr), Source::Symbol);
        self.add_all(image.init.iter().copied(), Source::Init);
        self.add_all(image.unwind.iter().map(|r| r.start), Source::Unwind);
        // Labels without a type, of hand-written code: only where nothing better says what stands there.
        let labels = image.symbols.iter().filter(|s| !s.function);
        let labels: Vec<u64> = labels.flat_map(|s| self.text.places(s.addr)).collect();
        let labels =
            labels.into_iter().filter(|&a| self.known_range(a).is_none() && self.looks_like_entry(a));
        self.add_all(labels.collect::<Vec<_>>(), Source::Symbol);
    }

    /// Starts of functions whose state the file does not say: as mapping symbols say, or as others call them, or as
    /// what stands there looks.
    fn place_starts(&mut self) -> bool {
        let mut any = false;
        for &start in &self.image.starts {
            let places = self.text.places(start);
            if places.iter().any(|p| self.entries.contains(p) || self.absorbed.contains(p)) {
                continue;
            }
            let place = match places[..] {
                [place] => Some(place),
                _ => self.best_place(&places),
            };
            any |= place.is_some_and(|p| self.add(p, Source::Unwind));
        }
        any
    }

    /// How many functions are in Thumb state.
    fn thumb_entries(&self) -> usize {
        self.entries.iter().filter(|&&e| self.text.bytes(e) != e).count()
    }

    /// True if most functions are in Thumb state.
    pub(crate) fn is_mostly_thumb(&self) -> bool {
        2 * self.thumb_entries() > self.entries.len()
    }

    /// True if hardly any function is in Thumb state, of enough to tell: what seems to be one is a mistake.
    pub(crate) fn only_arm(&self) -> bool {
        const ENOUGH: usize = 64;
        self.entries.len() >= ENOUGH && 100 * self.thumb_entries() < self.entries.len()
    }

    /// That of the code addresses of one place at which a function most likely begins.
    fn best_place(&self, places: &[u64]) -> Option<u64> {
        let thumb = self.is_mostly_thumb();
        let mut places = places.to_vec();
        places.sort_by_key(|&p| (self.text.bytes(p) != p) != thumb);
        let prologue = places.iter().copied().find(|&p| self.text.is_prologue(p) && self.is_sound(p));
        prologue.or_else(|| places.iter().copied().find(|&p| self.is_sound(p)))
    }

    /// True if what is reached from `addr` is code throughout.
    fn is_sound(&self, addr: u64) -> bool {
        sweep::extent(self, &self.entries, addr, self.own_range(addr).0).is_some()
    }

    /// The innermost known range that holds `addr`, and the code address at which it begins.
    fn known_function(&self, addr: u64) -> Option<(Range, u64)> {
        let i = self.ranges.partition_point(|r| r.0.start <= addr);
        self.ranges[..i].iter().rev().take(16).copied().find(|r| r.0.contains(addr))
    }

    /// The innermost known range that holds `addr`.
    fn known_range(&self, addr: u64) -> Option<Range> {
        self.known_function(addr).map(|r| r.0)
    }

    /// The range that limits the function at `entry`, and whether it is known or guessed.
    pub(crate) fn own_range(&self, entry: u64) -> (Range, bool) {
        let start = self.text.bytes(entry);
        match self.known_range(entry) {
            Some(r) => (Range { start, end: r.end }, r.start == start),
            None => {
                let step = self.text.step();
                let end = self.text.range(entry).map_or(start + step, |t| t.end);
                let next = self.entries.range(start + step..).next();
                let next = next.map_or(end, |&n| self.text.bytes(n).min(end));
                (Range { start, end: next }, false)
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

    /// Has `f` analysed again.
    fn forget(&mut self, f: u64) -> bool {
        self.bodies.remove(&f).is_some()
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
                    jumps: &self.lessons.jumps,
                    points: self.lessons.points.get(&e).unwrap_or(&none),
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
                targets.iter().for_each(|&t| self.separate(t));
                self.add_all(targets, Source::TailCall);
                self.bodies.remove(&e);
                self.changed.insert(e);
            } else {
                self.bodies.insert(e, body);
            }
        }
    }

    fn finish(self) -> Program {
        let mut names = Names::new(self.image);
        let mut program = Program::default();
        let mut covered = Vec::new();
        let mut data: Vec<Range> = Vec::new();
        for (&entry, body) in &self.bodies {
            let Some(&source) = self.sources.get(&entry) else { continue };
            covered.extend(
                body.blocks.iter().map(|b| Range { start: self.text.bytes(b.start.0), end: b.end.0 }),
            );
            data.extend(&body.data);
            program.jump_tables += body.tables;
            program.unresolved_jumps.extend(&body.unresolved);
            program.pointer_jumps += body.pointer_jumps;
            if body.blocks.is_empty() {
                continue;
            }
            let shape = FunctionShape {
                isa: self.image.isa,
                name: names.of(entry),
                entry: GuestAddr(entry),
                blocks: body.blocks.clone(),
            };
            let mut points: Vec<u64> =
                self.lessons.points.get(&entry).into_iter().flatten().copied().collect();
            points.retain(|p| body.blocks.binary_search_by_key(p, |b| b.start.0).is_ok());
            program.functions.push(Found { shape, source, points });
        }
        names.make_unique(program.functions.iter_mut().map(|f| &mut f.shape));
        program.unresolved_jumps.sort_unstable();
        program.unresolved_jumps.dedup();
        let covered = merged(covered);
        let text: Vec<Range> = self.text.ranges().collect();
        program.text = text.iter().map(Range::len).sum();
        program.gaps = without(&text, &covered);
        program.covered = program.text - program.gaps.iter().map(Range::len).sum::<u64>();
        program.learned = self.lessons.done(program.count(Source::Profile));
        let data = merged(data);
        for g in &program.gaps {
            for at in (g.start..g.end).step_by(self.text.step() as usize) {
                let i = data.partition_point(|d| d.end <= at);
                let marked = self.text.is_marked_data(at) || data.get(i).is_some_and(|d| d.contains(at));
                if marked {
                    program.data += self.text.step();
                } else if self.text.is_padding(at) {
                    program.padding += self.text.step();
                }
            }
        }
        program
    }
}
