//! What is known of one compiled region: its guest code, and whether it is still that.

use crate::mem::PAGE;
use crate::memory::Memory;
use exec::GuestMemory;
use ir::GuestAddr;
use jit::Link;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::AtomicI32;

/// A guest address and a mode: 1 with FPCR.FZ, else 0.
pub(super) type Key = (u64, usize);

pub(super) struct Region {
    pub(super) key: Key,
    /// It looks at its guest code itself.
    pub(super) checked: bool,
    pub(super) host: u64,
    /// Guest code: address and length.
    pub(super) ranges: Vec<(u64, u32)>,
    /// Its bytes when it was compiled.
    pub(super) code: Box<[u8]>,
    /// Its links that lead where direct branches of its code do, and the addresses of these.
    pub(super) exits: Vec<(u64, *const Link)>,
    /// Its counter, if it is one of those that are compiled again when they are entered often.
    pub(super) counter: Option<*const AtomicI32>,
    /// Ways lead there. A region that is not valid becomes so again if its guest code turns out to be the same.
    pub(super) valid: bool,
}

/// A branch out of a region that has another target now.
pub(super) struct Patch {
    /// Where in [`Region::code`].
    pub(super) at: usize,
    /// What stands there now.
    pub(super) word: u32,
    pub(super) link: *const Link,
    pub(super) to: u64,
}

impl Region {
    /// The pages of its code; one may come twice.
    pub(super) fn pages(&self) -> impl Iterator<Item = u64> + use<> {
        let numbers = |(start, len): (u64, u32)| start / PAGE..=(start + len as u64 - 1) / PAGE;
        self.ranges.clone().into_iter().flat_map(numbers)
    }

    /// If its code can be executed, and is what it was but for targets of branches that lead out of it, those that have other targets.
    /// `None`: compiled anew, it would be another.
    pub(super) fn patches(&self, memory: &Memory) -> Option<Vec<Patch>> {
        if self.checked {
            return self.is_current(memory).then(Vec::new);
        }
        let mut patches = Vec::new();
        let mut at = 0;
        for &(start, len) in &self.ranges {
            let mut now = vec![0; len as usize];
            memory.fetch(start, &mut now).ok()?;
            let then = &self.code[at..at + len as usize];
            if now != then {
                for (n, (now, then)) in now.chunks_exact(4).zip(then.chunks_exact(4)).enumerate() {
                    let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                    let (now, then) = (word(now), word(then));
                    if now == then {
                        continue;
                    }
                    let from = start + n as u64 * 4;
                    let link = self.exits.iter().find(|e| e.0 == from)?.1;
                    let to = isa::a64::retargeted(then, now, GuestAddr(from))?.0;
                    patches.push(Patch { at: at + n * 4, word: now, link, to });
                }
            }
            at += len as usize;
        }
        Some(patches)
    }

    /// True if its code can be executed, and is what it was.
    pub(super) fn is_current(&self, memory: &Memory) -> bool {
        let mut rest = &self.code[..];
        self.ranges.iter().all(|&(start, len)| {
            let (this, behind) = rest.split_at(len as usize);
            rest = behind;
            memory.code_is(start, this)
        })
    }
}

/// Guest code as it was when it was first looked at.
pub(super) struct Fetch<'a> {
    pub(super) memory: &'a Memory,
    pub(super) words: RefCell<HashMap<u64, u32>>,
}

impl Fetch<'_> {
    pub(super) fn bytes(&self, ranges: &[(u64, u32)]) -> Box<[u8]> {
        let words = self.words.borrow();
        let of = |(start, len): (u64, u32)| (start..start + len as u64).step_by(4);
        ranges.iter().flat_map(|&r| of(r)).flat_map(|pc| words[&pc].to_le_bytes()).collect()
    }
}

impl isa::Code for Fetch<'_> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        if pc.0 & 3 != 0 {
            return None;
        }
        if let Some(&word) = self.words.borrow().get(&pc.0) {
            return Some(word);
        }
        let mut bytes = [0; 4];
        self.memory.fetch(pc.0, &mut bytes).ok()?;
        let word = u32::from_le_bytes(bytes);
        self.words.borrow_mut().insert(pc.0, word);
        Some(word)
    }
}
