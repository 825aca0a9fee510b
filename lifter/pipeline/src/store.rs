//! Compiled functions by what they were compiled from: keys, entries, and the interface of what keeps them. Takes IR and
//! the emitter's options; does no I/O itself.

use emit_llvm::Options;
use ir::{CallTarget, Function, GuestAddr, Term};
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
        let Options { opt, cpu: _, checkpoints: _, text_base, text_size, position_independent, hot, regs } =
            options;
        h.update(format!("{opt} {text_base} {text_size} {position_independent} {hot:?} {regs:?}").as_bytes());
        Keys(h)
    }

    /// The key of `f`, compiled with `options`; `resolve` names the functions it may call.
    pub(crate) fn of(
        &self,
        f: &Function,
        options: &Options,
        resolve: &dyn Fn(GuestAddr) -> Option<String>,
    ) -> Key {
        let mut bytes = Bytes(Vec::with_capacity(1 << 16));
        format!("{:?}", options.checkpoints).hash(&mut bytes);
        f.hash(&mut bytes);
        for b in &f.blocks {
            match b.term {
                Term::Goto(a) => resolve(a).hash(&mut bytes),
                Term::Call { target: CallTarget::Direct(a), ret, .. } => {
                    (resolve(a), resolve(ret)).hash(&mut bytes);
                }
                Term::Call { ret: a, .. } | Term::Syscall { next: a, .. } => resolve(a).hash(&mut bytes),
                Term::Jump(_)
                | Term::Branch { .. }
                | Term::Switch { .. }
                | Term::Indirect(_)
                | Term::Return(_)
                | Term::Trap { .. }
                | Term::Fallback { .. } => {}
            }
        }
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
    /// Resume points: distance from the function's entry, and index.
    pub(crate) resume: Vec<(i64, u32)>,
    pub(crate) object: Vec<u8>,
}

impl Entry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + 12 * self.resume.len() + self.object.len());
        out.extend_from_slice(&(self.resume.len() as u32).to_le_bytes());
        for (distance, index) in &self.resume {
            out.extend_from_slice(&distance.to_le_bytes());
            out.extend_from_slice(&index.to_le_bytes());
        }
        out.extend_from_slice(&self.object);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Entry> {
        let (count, mut rest) = bytes.split_first_chunk()?;
        let mut resume = Vec::new();
        for _ in 0..u32::from_le_bytes(*count) {
            let (distance, after) = rest.split_first_chunk()?;
            let (index, after) = after.split_first_chunk()?;
            resume.push((i64::from_le_bytes(*distance), u32::from_le_bytes(*index)));
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
        let entry = Entry { resume: vec![(-8, 1), (16, 2)], object: b"object".to_vec() };
        let bytes = entry.encode();
        assert_eq!(Entry::decode(&bytes), Some(entry));
        for n in 0..28 {
            assert_eq!(Entry::decode(&bytes[..n]), None);
        }
    }
}
