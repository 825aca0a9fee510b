//! Functions of random A32 instructions, compared with the evaluator at each of their stores.

use super::graph::{LAST, assemble, compare_at_store, edge};
use super::{Program, Random};
use abi::GuestState;
use emit_llvm::{Checkpoints, Hot, Options};
use ir::{Function, Reg};
use isa::Isa;
use isa::a32::{FILE, reg};

/// Options for A32, with r7 and r8 at home in vector slots.
pub fn options(opt: u8, checkpoints: Checkpoints) -> Options {
    let hot = Hot {
        gprs: [0, 1, 2, 3, 4, 5, 6, 11, 13]
            .map(reg::r)
            .into_iter()
            .chain([reg::RETURN])
            .collect::<Vec<Reg>>()
            .try_into()
            .expect("there are ten"),
        vecs: std::array::from_fn(|n| if n < 2 { reg::r(n as u32 + 7) } else { reg::d(n as u32 - 2) }),
        link: reg::RETURN,
        link_is_guest: false,
    };
    Options { hot, regs: &FILE, ..super::options(opt, checkpoints) }
}

/// Blocks of instructions and stores, which walk upwards, with branches at random.
fn random_graph(at: u64, random: &mut Random, instruction: fn(&mut Random) -> u32) -> Function {
    let below = |random: &mut Random, n: u32| (random.next() >> 33) as u32 % n;
    let count = 2 + below(random, 5);
    let blocks = (0..count).map(|b| {
        // A block without a store only goes on, so that every run ends at the edge.
        let stores = b + 1 == count || below(random, 4) != 0;
        let position = below(random, 4);
        let mut words = Vec::new();
        for item in 0..4 {
            if stores && item == position {
                // str r0, [r11], #4
                words.push(0xe48b_0004);
            }
            words.push(instruction(random));
        }
        let target = if stores { below(random, count) } else { b + 1 + below(random, count - b - 1) };
        words.push(target << 8 | below(random, 14));
        words
    });
    let blocks = blocks.collect();
    assemble(Isa::A32, at, blocks, |kind, offset| {
        let cond = if kind & LAST != 0 { 14 } else { kind };
        cond << 28 | 0x0a00_0000 | offset.wrapping_sub(2) & 0xff_ffff
    })
}

/// Functions of `instruction`s in loops, run to each of their stores from states that `start` fills: whatever is pending, in registers
/// or kept from before must be right there. r0 and r11 are the stores'.
pub fn random_loops(seed: u64, instruction: fn(&mut Random) -> u32, start: fn(&mut Random, &mut GuestState)) {
    let mut random = Random(seed);
    let edge = edge();
    for (opt, checkpoints, count) in
        [(2, Checkpoints::Callbr, 120), (3, Checkpoints::Callbr, 24), (0, Checkpoints::Commit, 40)]
    {
        let functions: Vec<Function> =
            (0..count).map(|i| random_graph(0x10000 + 0x100 * i, &mut random, instruction)).collect();
        let program = Program::new(&functions, &options(opt, checkpoints));
        for (i, f) in functions.iter().enumerate() {
            for stores in 0..24u64 {
                let mut s = GuestState::default();
                start(&mut random, &mut s);
                s.x[11] = edge - 4 * stores;
                compare_at_store(&program, (i, f), &FILE, s, stores, 15, opt);
            }
        }
    }
}
