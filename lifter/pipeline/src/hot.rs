//! Which guest registers travel in host registers across calls: those the program names most often. Takes lifted
//! functions, gives the slots; the choice is part of the output's metadata, so that it may differ per program.

use abi::{HOT_GPRS, HOT_VECS};
use emit_llvm::Hot;
use ir::{Function, Inst, Reg};
use isa::a64::reg;

/// Counts static uses. Registers of equal count keep the order of the procedure call standard: arguments and results
/// first, then frame and link register.
pub fn choose(functions: &[Function]) -> Hot {
    let mut count = vec![0u64; isa::a64::FILE.regs.len()];
    for inst in functions.iter().flat_map(|f| &f.blocks).flat_map(|b| &b.insts) {
        if let Inst::Get(r) | Inst::Set(r, _) = inst {
            count[r.0 as usize] += 1;
        }
    }
    let gprs: [Reg; HOT_GPRS] = top(&count, (0..31).map(reg::x).chain([reg::SP]));
    let vecs: [Reg; HOT_VECS] = top(&count, (0..32).map(reg::v));
    Hot { gprs, vecs }
}

fn top<const N: usize>(count: &[u64], candidates: impl Iterator<Item = Reg>) -> [Reg; N] {
    let mut all: Vec<Reg> = candidates.collect();
    all.sort_by_key(|r| std::cmp::Reverse(count[r.0 as usize]));
    let mut chosen: [Reg; N] = std::array::from_fn(|i| all[i]);
    chosen.sort();
    chosen
}
