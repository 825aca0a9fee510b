//! Code discovery: [`image::Image`] → [`Program`]: which addresses are functions, their blocks and edges, jump tables,
//! and what remains unexplained. Does no I/O and never fails: what it cannot find is the runtime's business.

mod body;
mod bound;
mod discover;
mod names;
mod report;
mod slice;
mod sweep;
mod table;
mod text;
mod value;
mod walk;

pub use discover::Learned;
pub use report::{CfgReport, CoverageReport};
pub use text::ImageCode;

use image::Image;
use isa::FunctionShape;

/// Everything found.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Functions by entry address; entries are unique. Names are unique, too.
    pub functions: Vec<Found>,
    /// Text ranges that belong to no block, by address.
    pub gaps: Vec<image::Range>,
    /// Bytes of text covered by blocks.
    pub covered: u64,
    /// All bytes of text.
    pub text: u64,
    /// Recovered jump tables.
    pub jump_tables: usize,
    /// Indirect jumps that are neither tables nor tail calls as far as is known.
    pub unresolved_jumps: Vec<u64>,
    /// Number of indirect jumps through pointers from elsewhere: tail calls, as far as is known.
    pub pointer_jumps: usize,
    /// Bytes of gaps that only pad (NOP, zero).
    pub padding: u64,
    /// Bytes of gaps that are data: marked so, literals, jump tables.
    pub data: u64,
    /// What became of profiles' findings.
    pub learned: Learned,
}

/// A function and why it is believed to be one.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its shape.
    pub shape: FunctionShape,
    /// The first source that named its entry.
    pub source: Source,
    /// Starts of blocks at which the dispatcher is to be able to enter, besides those that the shape itself tells; sorted.
    pub points: Vec<u64>,
}

/// Where a function entry came from, most trusted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The file's entry address.
    Entry,
    /// A function symbol.
    Symbol,
    /// `.init_array` and its like.
    Init,
    /// An unwind range.
    Unwind,
    /// Target of a direct call.
    Call,
    /// Target of a jump out of another function.
    TailCall,
    /// A code address computed by code (ADR, ADRP + ADD).
    CodePointer,
    /// A relocation or a word in data that points into text.
    DataPointer,
    /// A recorded execution profile.
    Profile,
    /// A speculative sweep of a gap.
    Sweep,
}

/// What discovery may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What profiles say about this program.
    pub findings: Vec<abi::profile::Finding>,
    /// Sweep gaps for code that nothing names. On unless switched off.
    pub sweep: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { findings: Vec::new(), sweep: true }
    }
}

/// Discovers the code of `image`. Deterministic, uses all threads of the current rayon pool.
pub fn discover(image: &Image, options: &Options) -> Program {
    discover::discover(image, options)
}
