//! Which function holds an address, and arithmetic on sets of ranges.

use crate::body::Body;
use image::Range;
use isa::{BlockShape, Isa};
use std::collections::BTreeMap;

/// Which function's body holds an address.
pub(crate) struct Cover(Vec<(u64, u64, u64)>);

impl Cover {
    /// Of all bodies.
    pub(crate) fn new(isa: Isa, bodies: &BTreeMap<u64, Body>) -> Cover {
        let start = |b: &BlockShape| isa.bytes_at(b.start.0);
        let mut all: Vec<(u64, u64, u64)> =
            bodies.iter().flat_map(|(&e, b)| b.blocks.iter().map(move |b| (start(b), b.end.0, e))).collect();
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
