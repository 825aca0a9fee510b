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
    let covered = Cover::new(&s.bodies).ranges();
    let data = merged(s.bodies.values().flat_map(|b| b.data.iter().copied()).collect());
    let mut gaps = without(&without(&text, &covered), &data);
    // What stands behind an undefined instruction is not reached without it.
    gaps.retain(|g| !s.in_undefined_function(g.start));
    let mut entries = s.entries.clone();
    let mut found = Vec::new();
    for gap in gaps {
        let mut at = gap.start.next_multiple_of(4);
        while at + 4 <= gap.end {
            let kind = s.text.kind(at);
            if !kind.is_code() || kind == Kind::Trap || s.text.is_padding(at) {
                at += 4;
                continue;
            }
            match extent(s, &entries, at, gap) {
                Some(end) => {
                    found.push(at);
                    entries.insert(at);
                    at = end;
                }
                // Not a function: the next could begin behind the next word that control does not pass.
                None => {
                    while at + 4 <= gap.end && !s.text.kind(at).ends() {
                        at += 4;
                    }
                    at += 4;
                }
            }
        }
    }
    found
}

/// Where the function that could begin at `entry` stops covering `gap` without a hole; `None` if it is none.
pub(crate) fn extent(s: &Search<'_>, entries: &BTreeSet<u64>, entry: u64, gap: Range) -> Option<u64> {
    let text = &s.text;
    let own = Range { start: entry, end: gap.end };
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
    let mut end = entry;
    for (&start, p) in walk.pieces.range(entry..) {
        if start > end {
            break;
        }
        end = end.max(p.end);
    }
    (end > entry).then_some(end)
}
