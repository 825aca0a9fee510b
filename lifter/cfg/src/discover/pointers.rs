//! Pointers into text, in code and in data: which of them make functions, and which are labels inside one.

use super::{Cover, Search, merged};
use crate::Source;
use crate::body::Body;
use crate::text::{Kind, Text};
use isa::Isa;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Words of data that could be code addresses, and relocated pointers into text.
pub(super) fn data_pointers(text: &Text<'_>) -> BTreeSet<u64> {
    let (image, size) = (text.image, text.image.word_size());
    let mut found: BTreeSet<u64> = image.pointers.iter().map(|p| p.target).collect();
    if !image.position_independent {
        for s in &image.segments {
            let start = s.vaddr.next_multiple_of(size);
            let Some(bytes) = image.bytes_at(start, s.file_backed().end.saturating_sub(start)) else {
                continue;
            };
            let words = bytes.par_chunks_exact(size as usize).enumerate().filter_map(|(i, w)| {
                let at = start + size * i as u64;
                let value = w.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b));
                let code = image.isa.is_aligned(value) && text.range(value).is_some();
                (code && text.range(at).is_none()).then_some(value)
            });
            found.par_extend(words);
        }
    }
    found.retain(|&a| text.kind(a).is_code());
    found
}

impl Search<'_> {
    pub(super) fn code_pointers(&mut self) -> bool {
        let pointers: BTreeSet<u64> =
            self.bodies.values().flat_map(|b| b.pointers.iter().chain(&b.table_functions).copied()).collect();
        self.accept_by_state(&pointers, Source::CodePointer)
    }

    pub(super) fn accept_data_pointers(&mut self) -> bool {
        let pointers = std::mem::take(&mut self.data_pointers);
        let any = self.accept_by_state(&pointers, Source::DataPointer);
        self.data_pointers = pointers;
        any
    }

    /// As `accept`: first those in the state of most functions, from which more may be learnt about the others.
    fn accept_by_state(&mut self, pointers: &BTreeSet<u64>, source: Source) -> bool {
        let thumb = self.is_mostly_thumb();
        let (likely, other) =
            pointers.iter().partition(|&&a| self.image.isa == Isa::A64 || (self.text.bytes(a) != a) == thumb);
        self.accept(&likely, source) || self.accept(&other, source)
    }

    /// Makes functions, or labels of functions, of those `pointers` that look like it.
    fn accept(&mut self, pointers: &BTreeSet<u64>, source: Source) -> bool {
        let cover = Cover::new(self.image.isa, &self.bodies);
        // AArch32's numbers look like code addresses, and its literals like code.
        let data = match self.image.isa {
            Isa::A64 => Vec::new(),
            Isa::A32 => merged(self.bodies.values().flat_map(|b| b.data.iter().copied()).collect()),
        };
        let is_data = |a: u64| data.get(data.partition_point(|d| d.end <= a)).is_some_and(|d| d.contains(a));
        let thumb = self.is_mostly_thumb();
        let only_arm = self.only_arm();
        // Where nothing says the state, what seems to be a function in the state that is not the program's must look like one.
        let in_doubt = |a: u64| {
            let bytes = self.text.bytes(a);
            let other = (bytes != a) != thumb && self.text.places(bytes).len() != 1;
            let ended = || self.text.follows_end(a) || is_data(bytes.wrapping_sub(1));
            self.image.isa == Isa::A32 && other && (only_arm || !(self.text.is_prologue(a) && ended()))
        };
        let pointers: Vec<u64> = pointers.iter().copied().filter(|&a| !is_data(a) && !in_doubt(a)).collect();
        let mut any = false;
        let mut again = BTreeSet::new();
        for a in pointers {
            if self.entries.contains(&a)
                || matches!(self.text.kind(a), Kind::Data | Kind::Undefined | Kind::Trap)
            {
                continue;
            }
            any |= match (cover.owner(a), self.known_function(a)) {
                // Inside a function: a label, if the function has jumps that could lead there.
                (covered, Some((_, start))) => {
                    let jumps = |b: &Body| !b.unresolved.is_empty() || b.pointer_jumps > 0;
                    if self.labels.contains_key(&start) || self.bodies.get(&start).is_some_and(jumps) {
                        again.insert(start);
                        self.labels.entry(start).or_default().insert(a)
                    } else {
                        covered.is_none() && self.add(a, source)
                    }
                }
                // Without known ranges a function may have been taken for what follows a call that does not return.
                (Some(_), None) => self.text.is_prologue(a) && self.may_follow_end(a) && self.add(a, source),
                (None, None) => self.looks_like_entry(a) && self.plausible(a) && self.add(a, source),
            };
        }
        if any {
            for f in again {
                self.forget(f);
            }
        }
        any
    }

    /// Where text may hold read-only data, or the state is not known, what a pointer leads to must be code throughout.
    fn plausible(&self, addr: u64) -> bool {
        let sure = self.image.text_exact && self.text.places(self.text.bytes(addr)).len() == 1;
        sure || self.is_sound(addr)
    }

    /// True if `addr` lies in a known function that meets an undefined instruction.
    pub(crate) fn in_undefined_function(&self, addr: u64) -> bool {
        let known = self.known_function(addr);
        known.is_some_and(|(_, start)| self.bodies.get(&start).is_none_or(|b| b.undefined))
    }

    fn may_follow_end(&self, addr: u64) -> bool {
        self.text.follows_end(addr) || self.text.follows_call(addr)
    }

    /// True if `addr` could begin a function by what stands before it or at it.
    pub(crate) fn looks_like_entry(&self, addr: u64) -> bool {
        let kind = self.text.kind(addr);
        if !kind.is_code() || kind == Kind::Trap {
            return false;
        }
        self.text.follows_end(addr) || self.text.is_prologue(addr)
    }
}
