//! What is known of one compiled region: its guest code, and whether it is still that.

use crate::mem::PAGE;
use crate::memory::Memory;
use exec::GuestMemory;
use ir::GuestAddr;
use std::cell::RefCell;
use std::collections::HashMap;

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
    /// Ways lead there. A region that is not valid becomes so again if its guest code turns out to be the same.
    pub(super) valid: bool,
}

impl Region {
    /// The pages of its code; one may come twice.
    pub(super) fn pages(&self) -> impl Iterator<Item = u64> + use<> {
        let numbers = |(start, len): (u64, u32)| start / PAGE..=(start + len as u64 - 1) / PAGE;
        self.ranges.clone().into_iter().flat_map(numbers)
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
