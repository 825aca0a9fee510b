//! Pointers into text, in code and in data: which of them make functions, and which are labels inside one.

use super::{Cover, Search};
use crate::Source;
use crate::body::Body;
use crate::sweep;
use crate::text::{Kind, Text};
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Words of data that could be code addresses, and relocated pointers into text.
pub(super) fn data_pointers(text: &Text<'_>) -> BTreeSet<u64> {
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
    pub(super) fn code_pointers(&mut self) -> bool {
        let pointers: BTreeSet<u64> =
            self.bodies.values().flat_map(|b| b.pointers.iter().chain(&b.table_functions).copied()).collect();
        self.accept(&pointers, Source::CodePointer)
    }

    pub(super) fn accept_data_pointers(&mut self) -> bool {
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

    /// Where text may hold read-only data, what a pointer leads to must be code throughout.
    fn plausible(&self, addr: u64) -> bool {
        let (own, _) = self.own_range(addr);
        self.image.text_exact || sweep::extent(self, &self.entries, addr, own).is_some()
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
}
