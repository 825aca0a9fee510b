//! Names of functions: a symbol at the entry, or `sub_<address>`; unique in the program.

use image::Image;
use isa::FunctionShape;
use std::collections::HashMap;

/// Chooses names.
pub(crate) struct Names<'a>(&'a Image);

impl<'a> Names<'a> {
    /// Names from that image's symbols.
    pub(crate) fn new(image: &'a Image) -> Self {
        Names(image)
    }

    /// The best symbol at `entry`: a function's before a label's, without leading underscores before with, short before
    /// long.
    pub(crate) fn of(&mut self, entry: u64) -> String {
        // Labels have no state in their addresses.
        let start = self.0.isa.bytes_at(entry);
        let i = self.0.symbols.partition_point(|s| s.addr < start);
        self.0.symbols[i..]
            .iter()
            .take_while(|s| s.addr <= entry)
            .filter(|s| s.addr == entry || !s.function)
            .min_by_key(|s| (!s.function, s.name.starts_with('_'), s.name.len(), &s.name))
            .map_or_else(|| format!("sub_{start:x}"), |s| s.name.clone())
    }

    /// Appends the address to every name that more than one function has.
    pub(crate) fn make_unique<'f>(&self, functions: impl Iterator<Item = &'f mut FunctionShape>) {
        let functions: Vec<&mut FunctionShape> = functions.collect();
        let mut uses: HashMap<String, usize> = HashMap::new();
        for f in &functions {
            *uses.entry(f.name.clone()).or_default() += 1;
        }
        for f in functions {
            // A name with an address appended can be a symbol's own name; then it gets another.
            while uses.get(&f.name).is_some_and(|&n| n > 1) {
                f.name = format!("{}.{:x}", f.name, f.entry.0);
                *uses.entry(f.name.clone()).or_default() += 1;
            }
        }
    }
}
