//! Which guest registers travel in host registers across calls: those that would otherwise go through the state most
//! often, and, in vector registers, those that functions save and restore most often. Takes lifted functions, gives the
//! slots; the choice is part of the output's metadata, so that it may differ per program.

use emit_llvm::Hot;
use ir::{CallTarget, Function, GuestAddr, Reg, Term};
use isa::a64::reg;
use isa::{Isa, a32};
use rayon::prelude::*;
use std::collections::HashMap;

/// Adds up what part of each function's run loads and stores would be, by loop depth, and by where it is called from: any
/// function may be the one that counts, large ones are not more likely to be. Registers of equal count keep the order of the
/// procedure call standard: arguments and results first, then frame and link register.
pub fn choose(isa: Isa, functions: &[Function]) -> Hot {
    let weights = function_weights(functions);
    let traffic: Vec<[Vec<u64>; 2]> = functions
        .par_iter()
        .map(|f| [emit_llvm::register_traffic(f, isa.file()), emit_llvm::saves(f, isa.file())])
        .collect();
    let mut count = vec![0u64; isa.file().regs.len()];
    let mut saved = count.clone();
    for ((f, [traffic, saves]), w) in functions.iter().zip(&traffic).zip(weights) {
        let blocks = emit_llvm::block_weights(f);
        let time: u64 = f.blocks.iter().zip(blocks).map(|(b, n)| (b.insts.len() as u64 + 1) * n).sum();
        let add = |count: &mut [u64], t: &[u64]| {
            for (c, n) in count.iter_mut().zip(t) {
                *c += ((n * w) << 20) / time.max(1);
            }
        };
        add(&mut count, traffic);
        add(&mut saved, saves);
    }
    let (link, gprs): (Reg, Vec<Reg>) = match isa {
        Isa::A64 => (reg::LR, (0..31).map(reg::x).chain([reg::SP]).collect()),
        Isa::A32 => (a32::reg::RETURN, (0..15).map(a32::reg::r).chain([a32::reg::RETURN]).collect()),
    };
    // Returns go by it.
    count[link.0 as usize] = u64::MAX;
    let hot: [Reg; abi::HOT_GPRS] = top(&count, gprs.iter().copied());
    // Vector registers compete with those that are at home in their slots by the accesses that either saves.
    for v in (0..32).map(reg::v) {
        saved[v.0 as usize] = count[v.0 as usize];
    }
    let homes = gprs.iter().copied().filter(|r| !hot.contains(r));
    Hot {
        gprs: hot,
        vecs: top(&saved, homes.chain((0..32).map(reg::v))),
        link,
        link_is_guest: isa == Isa::A64,
    }
}

/// How often each function may run: as the busiest of the places it is called from, which two rounds bring in from two calls
/// away. Bounded, because the guess gets worse with each factor.
fn function_weights(functions: &[Function]) -> Vec<u64> {
    const MOST: u64 = 8;
    let index: HashMap<GuestAddr, usize> = functions.iter().enumerate().map(|(i, f)| (f.entry, i)).collect();
    let mut weights = vec![1u64; functions.len()];
    for _ in 0..2 {
        let before = weights.clone();
        for (caller, f) in functions.iter().enumerate() {
            let blocks = emit_llvm::block_weights(f);
            for (b, w) in f.blocks.iter().zip(blocks) {
                if let Term::Call { target: CallTarget::Direct(a), .. } = b.term
                    && let Some(&callee) = index.get(&a)
                {
                    let w = (w * before[caller]).min(MOST);
                    weights[callee] = weights[callee].max(w);
                }
            }
        }
    }
    weights
}

fn top<const N: usize>(count: &[u64], candidates: impl Iterator<Item = Reg>) -> [Reg; N] {
    let mut all: Vec<Reg> = candidates.collect();
    all.sort_by_key(|r| std::cmp::Reverse(count[r.0 as usize]));
    let mut chosen: [Reg; N] = std::array::from_fn(|i| all[i]);
    chosen.sort();
    chosen
}
