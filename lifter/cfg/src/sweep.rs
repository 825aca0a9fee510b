//! The speculative sweep: code that nothing names. Walks what no body covers and takes it for a function if everything
//! reached from there is instructions. Safe, because code that is never used is only size.

use crate::discover::{Cover, Search, merged, without};
use crate::text::Kind;
use crate::walk::{Limits, Walk};
use image::Range;
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
    let thumb = entries.iter().filter(|&e| s.text.bytes(*e) != *e).count();
    let state = u64::from(2 * thumb > entries.len());
    let mut found = Vec::new();
    for gap in gaps {
        let mut at = gap.start.next_multiple_of(step);
        while at + step <= gap.end {
            let mut places = s.text.places(at);
            places.sort_by_key(|p| *p & 1 != state);
            places.retain(|&p| {
                let kind = s.text.kind(p);
                kind.is_code() && kind != Kind::Trap && s.text.bytes(s.text.next(p)) <= gap.end
            });
            let Some(&first) = places.first().filter(|_| !s.text.is_padding(at)) else {
                at += step;
                continue;
            };
            let extents = places.iter().map(|&p| (p, extent(s, &entries, p, gap)));
            match extents.filter_map(|(p, end)| Some((p, end?))).next() {
                Some((place, end)) => {
                    found.push(place);
                    entries.insert(place);
                    at = end;
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

/// Where the function that could begin at `entry` stops covering `gap` without a hole; `None` if it is none.
pub(crate) fn extent(s: &Search<'_>, entries: &BTreeSet<u64>, entry: u64, gap: Range) -> Option<u64> {
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
    (end > first).then_some(end)
}
