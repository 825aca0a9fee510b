//! The speculative sweep: code that nothing names. Walks what no body covers and takes it for a function if everything
//! reached from there is instructions. Safe, because code that is never used is only size.

use crate::discover::{Cover, Search, merged, without};
use crate::text::Kind;
use crate::walk::{Limits, Walk};
use image::Range;
use isa::Isa;
use std::collections::{BTreeMap, BTreeSet};

/// Entries to add: at most one run over all gaps.
pub(crate) fn candidates(s: &Search<'_>) -> Vec<u64> {
    let text: Vec<Range> = s.text.ranges().collect();
    let covered = Cover::new(s.text.image.isa, &s.bodies).ranges();
    let data = merged(s.bodies.values().flat_map(|b| b.data.iter().copied()).collect());
    let mut gaps = without(&without(&text, &covered), &data);
    // What stands behind an undefined instruction is not reached without it.
    gaps.retain(|g| !s.in_undefined_function(g.start));
    let step = s.text.step();
    let mut entries = s.entries.clone();
    // The state of most functions, where nothing else says it.
    let state = u64::from(s.is_mostly_thumb());
    let only_arm = s.only_arm();
    let mut found = Vec::new();
    for gap in gaps {
        let mut at = gap.start.next_multiple_of(step);
        while at + step <= gap.end {
            let mut places = s.text.places(at);
            places.sort_by_key(|p| *p & 1 != state);
            places.retain(|&p| {
                let kind = s.text.kind(p);
                let possible = !only_arm || s.text.bytes(p) == p;
                possible && kind.is_code() && kind != Kind::Trap && s.text.bytes(s.text.next(p)) <= gap.end
            });
            let Some(&first) = places.first().filter(|_| !s.text.is_padding(at)) else {
                at += step;
                continue;
            };
            let extents = places.iter().map(|&p| (p, extent(s, &entries, p, gap)));
            match extents.filter_map(|(p, end)| Some((p, end?))).next() {
                Some((place, extent)) => {
                    found.push(place);
                    entries.insert(place);
                    at = extent.end;
                    if s.text.image.isa == Isa::A32 {
                        // Literals follow functions, and tables follow jumps: what these are is known when it was analysed.
                        if extent.jumps {
                            break;
                        }
                        let mut literals = extent.literals;
                        literals.sort();
                        // Up to three bytes align the first.
                        for l in literals.iter().filter(|l| l.end > extent.end) {
                            if l.start <= at + 3 {
                                at = at.max(l.end);
                            }
                        }
                    }
                }
                // Not a function: the next could begin behind the next instruction that control does not pass.
                None => {
                    let mut pc = first;
                    while s.text.bytes(pc) + step <= gap.end && !s.text.kind(pc).ends() {
                        pc = s.text.next(pc);
                    }
                    at = s.text.bytes(s.text.next(pc));
                }
            }
        }
    }
    found
}

/// What a function that a sweep found covers.
pub(crate) struct Extent {
    /// Where it stops covering the gap without a hole.
    end: u64,
    /// The literals that it reads, of AArch32.
    literals: Vec<Range>,
    /// It stops with an indirect jump, behind which its table may stand.
    jumps: bool,
}

/// The function that could begin at `entry` in `gap`; `None` if it is none.
pub(crate) fn extent(s: &Search<'_>, entries: &BTreeSet<u64>, entry: u64, gap: Range) -> Option<Extent> {
    let text = &s.text;
    let own = Range { start: text.bytes(entry), end: gap.end };
    let shared = BTreeSet::new();
    let limits = Limits {
        entries,
        own,
        parts: &[],
        shared: &shared,
        labels: &shared,
        jumps: &BTreeMap::new(),
        points: &shared,
        noreturn: &s.noreturn,
        writes: &s.writes,
        share_limit: 0,
    };
    let walk = Walk::new(text, entry, limits);
    let calls = walk.calls.iter().all(|c| text.kind(c.1).is_code());
    let out = walk.out.iter().all(|o| text.kind(o.1).is_code());
    if walk.undefined || !calls || !out {
        return None;
    }
    let first = text.bytes(entry);
    let mut end = first;
    for (&start, p) in walk.pieces.range(entry..) {
        if text.bytes(start) > end {
            break;
        }
        end = end.max(p.end);
    }
    let mut literals = Vec::new();
    if text.image.isa == Isa::A32 {
        for (&start, p) in &walk.pieces {
            let mut at = start;
            while text.bytes(at) < p.end {
                literals.extend(text.literals(at));
                at = text.next(at);
            }
        }
    }
    // Behind a conditional jump stands the branch to the default case (`addls pc, pc, r0, lsl #2`).
    let jumps = walk.pieces.values().any(|p| p.kind == Kind::Indirect && (p.end..=p.end + 4).contains(&end));
    (end > first).then_some(Extent { end, literals, jumps })
}
