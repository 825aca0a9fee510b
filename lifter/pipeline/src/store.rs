//! Compiled functions by what they were compiled from: keys, entries, and the interface of what keeps them. Takes IR and
//! the emitter's options; does no I/O itself.

use crate::canonical::Canonical;
use emit_llvm::Options;
use std::hash::{Hash, Hasher};

/// Names an entry: a hash of everything that decides its contents.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key(pub [u8; 32]);

/// Where compiled functions are kept. An entry that is damaged is one that is not there; failures are the store's affair.
pub trait Store: Sync {
    /// The entry, if it is there and whole.
    fn get(&self, key: &Key) -> Option<Vec<u8>>;
    /// Keeps an entry.
    fn put(&self, key: &Key, entry: &[u8]);
}

/// What all functions of one translation have in common, hashed.
pub(crate) struct Keys(blake3::Hasher);

impl Keys {
    /// `emitter` names LLVM, processor and passes; the options' remaining fields are taken from `options`.
    pub(crate) fn new(options: &Options, emitter: &str) -> Keys {
        let mut h = blake3::Hasher::new();
        h.update(env!("XLATE_EMITTER").as_bytes());
        h.update(&abi::ABI_HASH.to_le_bytes());
        h.update(&(emitter.len() as u64).to_le_bytes());
        h.update(emitter.as_bytes());
        let Options { opt, hot, regs, position_independent, dispatch_unit, .. } = options;
        h.update(format!("{opt} {position_independent} {hot:?} {regs:?} {dispatch_unit}").as_bytes());
        Keys(h)
    }

    /// The key of `f`, compiled with `options`.
    pub(crate) fn of(&self, f: &Canonical, options: &Options) -> Key {
        let mut bytes = Bytes(Vec::with_capacity(1 << 16));
        // The first six are those of `new`, the processor being a part of `emitter`.
        let Options {
            opt: _,
            cpu: _,
            hot: _,
            regs: _,
            position_independent: _,
            dispatch_unit: _,
            checkpoints,
            addresses,
            text_base,
            text_size,
        } = options;
        format!("{checkpoints:?} {addresses:?} {text_base} {text_size}").hash(&mut bytes);
        f.identity().hash(&mut bytes);
        let mut h = self.0.clone();
        h.update(&bytes.0);
        Key(*h.finalize().as_bytes())
    }
}

/// Collects what `Hash` implementations write: the canonical bytes of a function for this build of the tool.
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// A compiled function as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// Resume points: address as in the canonical function, and index.
    pub(crate) resume: Vec<(u64, u32)>,
    pub(crate) object: Vec<u8>,
}

impl Entry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + 12 * self.resume.len() + self.object.len());
        out.extend_from_slice(&(self.resume.len() as u32).to_le_bytes());
        for (address, index) in &self.resume {
            out.extend_from_slice(&address.to_le_bytes());
            out.extend_from_slice(&index.to_le_bytes());
        }
        out.extend_from_slice(&self.object);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Entry> {
        let (count, mut rest) = bytes.split_first_chunk()?;
        let mut resume = Vec::new();
        for _ in 0..u32::from_le_bytes(*count) {
            let (address, after) = rest.split_first_chunk()?;
            let (index, after) = after.split_first_chunk()?;
            resume.push((u64::from_le_bytes(*address), u32::from_le_bytes(*index)));
            rest = after;
        }
        Some(Entry { resume, object: rest.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_and_short_ones_do_not() {
        let entry = Entry { resume: vec![(8, 1), (16, 2)], object: b"object".to_vec() };
        let bytes = entry.encode();
        assert_eq!(Entry::decode(&bytes), Some(entry));
        for n in 0..28 {
            assert_eq!(Entry::decode(&bytes[..n]), None);
        }
    }
}
