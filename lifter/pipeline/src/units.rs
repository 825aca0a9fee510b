//! Sizes of functions: what they cost to compile, and which are so large that they are compiled more cheaply.

use ir::Function;

/// Functions with more blocks than this are compiled with `Checkpoints::Mixed`: the cost of fault blocks, at which all
/// registers meet, grows faster than the function (docs/decisions/0006-large-functions.md).
const LARGE_BLOCKS: usize = 1000;

/// Functions whose switches have more cases than this share them, if they can: interpreters with a dispatch of their own behind each
/// operation (docs/decisions/0006-large-functions.md).
pub const MOST_CASES: usize = 2000;

/// True if `f` is so large that it is compiled more cheaply.
pub fn is_large(f: &Function) -> bool {
    f.blocks.len() > LARGE_BLOCKS
}

/// Size of a function in IR instructions.
pub fn weight(f: &Function) -> usize {
    // A block costs about as much as some instructions even when it is empty.
    f.blocks.iter().map(|b| b.insts.len() + 8).sum()
}
