//! Cuts a program into compilation units. The cut depends on the functions alone, so that the output is the same
//! whatever the number of jobs; units are small enough that all cores stay busy to the end.

use ir::Function;

/// IR instructions in a unit, about: some thousand guest instructions, half a second of LLVM's time.
const UNIT_WEIGHT: usize = 24_000;

/// Functions with more blocks than this are compiled with `Checkpoints::Commit`: the cost of fault blocks, at which all
/// registers meet, grows faster than the function (docs/decisions/0006-large-functions.md).
const LARGE_BLOCKS: usize = 250;

/// True if `f` is so large that it is compiled more cheaply, in a unit of its own.
pub fn is_large(f: &Function) -> bool {
    f.blocks.len() > LARGE_BLOCKS
}

/// Size of a unit in IR instructions.
pub fn weight(functions: &[Function]) -> usize {
    functions.iter().map(function_weight).sum()
}

fn function_weight(f: &Function) -> usize {
    // A block costs about as much as some instructions even when it is empty.
    f.blocks.iter().map(|b| b.insts.len() + 8).sum()
}

/// Units of consecutive functions (by address: neighbours call each other); a large function is a unit of its own.
pub fn cut(functions: &[Function]) -> Vec<&[Function]> {
    let mut units = Vec::new();
    let (mut start, mut sum) = (0, 0);
    for (i, f) in functions.iter().enumerate() {
        let w = function_weight(f);
        let alone = is_large(f) || i > 0 && is_large(&functions[i - 1]);
        if i > start && (alone || sum + w > UNIT_WEIGHT) {
            units.push(&functions[start..i]);
            (start, sum) = (i, 0);
        }
        sum += w;
    }
    if start < functions.len() {
        units.push(&functions[start..]);
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::{Block, GuestAddr, Inst, Term};

    fn function(n: usize) -> Function {
        let insts = vec![Inst::ClearEx; n];
        let block = Block { pc: GuestAddr(0), insts, term: Term::Indirect(ir::Value(0)), resume: false };
        Function { name: String::new(), entry: GuestAddr(0), blocks: vec![block] }
    }

    #[test]
    fn units_keep_order_and_bound_their_size_save_for_single_large_functions() {
        let fs: Vec<Function> = [10, 23_000, 5_000, 90_000, 7].map(function).into();
        let sizes: Vec<usize> = cut(&fs).iter().map(|u| u.len()).collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
        assert!(cut(&[]).is_empty());
    }
}
