//! Compiles functions, or takes them from the store: the stage that costs most of a translation. Takes lifted functions,
//! gives for each what the joined object gets of it, the same whether it was compiled now or earlier.

use crate::canonical::Canonical;
use crate::merge::{self, Piece};
use crate::store::{Entry, Keys};
use crate::{Error, Layout, Progress, Store, options_for, units};
use emit_llvm::{Options, ResumePoint};
use ir::{Function, GuestAddr};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A compiled function in its place.
pub(crate) struct Emitted {
    pub(crate) piece: Piece,
    pub(crate) resume: Vec<ResumePoint>,
    /// True if the store had it.
    pub(crate) hit: bool,
}

/// What all functions of a translation share.
pub(crate) struct Emitter<'a> {
    functions: &'a [Function],
    shapes: &'a [cfg::Found],
    layout: Layout,
    options: &'a Options,
    store: Option<&'a dyn Store>,
    keys: Keys,
    names: HashMap<GuestAddr, &'a str>,
}

impl<'a> Emitter<'a> {
    /// `functions` are those of `shapes`, lifted, in the same order.
    pub(crate) fn new(
        functions: &'a [Function],
        shapes: &'a [cfg::Found],
        layout: Layout,
        options: &'a Options,
        store: Option<&'a dyn Store>,
    ) -> Result<Self, Error> {
        let emitter = emit_llvm::identity(options)
            .map_err(|source| Error::Emit { unit: "(the processor)".into(), source })?;
        let keys = Keys::new(options, &emitter);
        let names = functions.iter().map(|f| (f.entry, f.name.as_str())).collect();
        Ok(Emitter { functions, shapes, layout, options, store, keys, names })
    }

    /// All functions, in order; the largest are begun first, so that no thread is left with a large one at the end.
    pub(crate) fn emit_all(&self, progress: &dyn Progress) -> Result<Vec<Emitted>, Error> {
        let mut order: Vec<usize> = (0..self.functions.len()).collect();
        order.sort_by_key(|&i| (std::cmp::Reverse(units::weight(&self.functions[i])), i));
        let next = AtomicUsize::new(0);
        // A shared queue instead of a parallel iterator: rayon would split the order into halves.
        let mut done: Vec<(usize, Emitted)> = (0..rayon::current_num_threads())
            .into_par_iter()
            .map(|_| {
                let mut mine = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&i) = order.get(n) else { return Ok(mine) };
                    mine.push((i, self.emit(i)?));
                    progress.advance(1);
                }
            })
            .collect::<Result<Vec<_>, Error>>()?
            .into_iter()
            .flatten()
            .collect();
        done.sort_by_key(|d| d.0);
        Ok(done.into_iter().map(|d| d.1).collect())
    }

    /// One function from the store, or compiled and put there.
    fn emit(&self, i: usize) -> Result<Emitted, Error> {
        let f = &self.functions[i];
        let resolve = |a| self.names.get(&a).map(|n| format!("{}{n}", abi::symbol::FUNCTION_PREFIX));
        let canonical = Canonical::new(f, &self.shapes[i].shape, self.layout, &resolve);
        match self.emit_as(f, &canonical) {
            // LLVM made an address relative to the instruction: it has to know it.
            Err(Error::Merge(_)) if canonical.is_symbolic() => {
                self.emit_as(f, &Canonical::fixed(f, self.layout, &resolve))
            }
            other => other,
        }
    }

    fn emit_as(&self, f: &Function, canonical: &Canonical) -> Result<Emitted, Error> {
        let options = canonical.options(&options_for(f, self.options));
        let kept = self.store.map(|s| (s, self.keys.of(canonical, &options)));
        let placed = |entry: &Entry, hit| {
            emitted(f, canonical, entry, hit).map_err(|e| Error::Merge(format!("{}: {e}", f.name)))
        };
        if let Some((store, key)) = &kept
            && let Some(entry) = store.get(key).and_then(|bytes| Entry::decode(&bytes))
        {
            match placed(&entry, true) {
                // One that cannot be used in this way is compiled in the other.
                Err(e) if canonical.is_symbolic() => return Err(e),
                Err(_) => {}
                found => return found,
            }
        }
        let resolve = |a| canonical.resolve(a);
        let functions = std::slice::from_ref(&canonical.function);
        let unit = emit_llvm::emit_unit("f", functions, &options, &resolve)
            .map_err(|source| Error::Emit { unit: f.name.clone(), source })?;
        let resume = unit.resume.iter().map(|p| (p.guest.0, p.index)).collect();
        let entry = Entry { resume, object: unit.object };
        if let Some((store, key)) = kept {
            store.put(&key, &entry.encode());
        }
        placed(&entry, false)
    }
}

/// An entry in its place.
fn emitted(f: &Function, canonical: &Canonical, entry: &Entry, hit: bool) -> Result<Emitted, merge::Error> {
    let piece = Piece::new(&entry.object, canonical)?;
    let resume = entry.resume.iter().map(|&(address, index)| {
        let guest = canonical
            .real(GuestAddr(address))
            .ok_or_else(|| merge::Error::Malformed(format!("resume point {index}")))?;
        Ok(ResumePoint { guest, function: emit_llvm::symbol_of(f), index })
    });
    Ok(Emitted { piece, resume: resume.collect::<Result<_, merge::Error>>()?, hit })
}
