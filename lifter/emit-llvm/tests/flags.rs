//! Flags in compiled code: each instruction that writes them, read in another block by every condition, at joins of
//! different writers, and at a fault, against the IR's evaluator.
#![allow(unsafe_code)]

mod harness;

use abi::{EXIT_PC, GuestState};
use emit_llvm::Checkpoints;
use harness::graph::{LAST, Words, assemble, compare_at_store, edge, reference};
use harness::*;
use ir::*;
use isa::a64::{FILE, reg};
use isa::{BlockShape, FunctionShape};

/// Instructions that write flags, on x1–x4 and v1, v2.
fn writers() -> Vec<(&'static str, u32)> {
    let mut w = Vec::new();
    let r = |m: u32, n: u32, d: u32| m << 16 | n << 5 | d;
    for (name, op) in [
        ("subs x", 0xeb00_0000),
        ("subs w", 0x6b00_0000),
        ("adds x", 0xab00_0000),
        ("adds w", 0x2b00_0000),
        ("ands x", 0xea00_0000),
        ("ands w", 0x6a00_0000),
        ("bics x", 0xea20_0000),
        ("adcs x", 0xba00_0000),
        ("sbcs w", 0x7a00_0000),
    ] {
        // Result discarded, new, in place of each operand; zero register; equal operands.
        for (m, n, d) in [(2, 1, 31), (2, 1, 5), (2, 1, 1), (2, 1, 2), (1, 31, 5), (31, 1, 5), (1, 1, 5)] {
            w.push((name, op | r(m, n, d)));
        }
    }
    for (name, op) in [
        ("subs x imm", 0xf100_0000),
        ("subs w imm", 0x7100_0000),
        ("adds x imm", 0xb100_0000),
        ("adds w imm", 0x3100_0000),
    ] {
        for imm in [0, 1, 0xfff, 1 << 12, 0x1fff] {
            for d in [31, 1, 5] {
                w.push((name, op | imm << 10 | 1 << 5 | d));
            }
        }
    }
    // Behind another writer, so that the guard is a comparison of the same block, and on unknown flags.
    for cond in [0, 1, 2, 8, 11, 13] {
        for nzcv in [0, 2, 4, 9, 15] {
            w.push(("ccmp x", 0xfa40_0000 | r(2, 1, nzcv) | cond << 12));
            w.push(("ccmp w #0", 0x7a40_0800 | r(0, 1, nzcv) | cond << 12));
            w.push(("ccmn x #3", 0xba40_0800 | r(3, 1, nzcv) | cond << 12));
            w.push(("fccmp d", 0x1e60_0400 | r(2, 1, nzcv) | cond << 12));
        }
    }
    for (name, op) in [("fcmp d", 0x1e60_2000), ("fcmp s", 0x1e20_2000), ("fcmp h", 0x1ee0_2000)] {
        w.push((name, op | r(2, 1, 0)));
        w.push((name, op | r(0, 1, 8)));
        w.push((name, op | r(2, 1, 0x10)));
    }
    w.push(("cfinv", 0xd500_401f));
    w.push(("setf8", 0x3a00_080d | 1 << 5));
    w.push(("setf16", 0x3a00_480d | 1 << 5));
    w.push(("axflag", 0xd500_405f));
    w.push(("rmif", 0xba00_0405 | 3 << 15 | 1 << 5));
    w.push(("rmif", 0xba00_040a | 1 << 5));
    w.push(("msr nzcv", 0xd51b_4200 | 1));
    w
}

/// if x20 { first } else { second }; every condition to x6–x19; a load from x28; return. `before` comes in front of both.
fn function(at: u64, before: Option<u32>, first: u32, second: u32, resume: bool) -> Function {
    const NOP: u32 = 0xd503_201f;
    let before = before.unwrap_or(NOP);
    let mut words = vec![0xb400_0000 | 4 << 5 | 20, before, first, 0x1400_0003, before, second];
    words.extend((0..14).map(|cond: u32| 0x9a9f_07e0 | (cond ^ 1) << 12 | (6 + cond)));
    words.extend([0xf940_0000 | 28 << 5 | 29, 0xd65f_03c0]);
    let end = at + 4 * words.len() as u64;
    let block =
        |start: u64, end: u64| BlockShape { start: GuestAddr(start), end: GuestAddr(end), switch: None };
    let shape = FunctionShape {
        isa: isa::Isa::A64,
        name: format!("f{at:x}"),
        entry: GuestAddr(at),
        blocks: vec![block(at, at + 4), block(at + 4, at + 16), block(at + 16, at + 24), block(at + 24, end)],
    };
    let mut f = isa::lift_function(&shape, &Words(at, words));
    for b in &mut f.blocks[1..] {
        b.resume = resume;
    }
    ir::pass::run_default(&mut f, &FILE);
    f
}

#[test]
fn every_writer_and_reader() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let writers = writers();
    let pick = |random: &mut Random| writers[(random.next() >> 20) as usize % writers.len()].1;
    let mut cases = Vec::new();
    for &(_, w) in &writers {
        cases.push((None, w, w));
        cases.push((Some(pick(&mut random)), w, w));
        cases.push((None, w, pick(&mut random)));
        cases.push((Some(pick(&mut random)), w, pick(&mut random)));
    }
    let edges = [
        0,
        1,
        2,
        3,
        0xfff,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0x1_0000_0000,
        0x3ff0_0000_0000_0000,
        0x7ff0_0000_0000_0000,
        0x7ff8_0000_7fc0_0000,
        i64::MAX as u64,
        i64::MIN as u64,
        u64::MAX,
        0x1234_5678_8765_4321,
    ];
    for (opt, checkpoints) in [
        (0, Checkpoints::Commit),
        (1, Checkpoints::Callbr),
        (2, Checkpoints::Callbr),
        (3, Checkpoints::Callbr),
    ] {
        // All of them once; a part at the other levels, whose lowering is the same.
        let step = if opt == 2 { 1 } else { 5 };
        let cases: Vec<_> = cases.iter().copied().step_by(step).collect();
        for (n, cases) in cases.chunks(256).enumerate() {
            let functions: Vec<Function> = cases
                .iter()
                .enumerate()
                .map(|(i, &(before, a, b))| {
                    function(0x10000 + 0x100 * i as u64, before, a, b, (i + n).is_multiple_of(3))
                })
                .collect();
            let program = Program::new(&functions, &options(opt, checkpoints));
            for (i, f) in functions.iter().enumerate() {
                for round in 0..24 {
                    let mut s = GuestState::default();
                    let mut edge = || edges[(random.next() >> 30) as usize % edges.len()];
                    for x in &mut s.x[1..5] {
                        *x = edge();
                    }
                    for v in &mut s.v[1..3] {
                        *v = [edge(), edge()];
                    }
                    if round % 4 == 0 {
                        s.v[2] = s.v[1];
                        s.x[2] = s.x[1];
                    }
                    s.nzcv = std::array::from_fn(|n| (random.next() >> (20 + n) & 1) as u8);
                    s.x[20] = round & 1;
                    let good = 77u64;
                    let faults = round % 3 == 0;
                    s.x[28] = if faults { 8 } else { &raw const good as u64 };
                    s.x[30] = 0x4000_0000;
                    let mut regs = vec![0u128; FILE.regs.len()];
                    for (r, x) in regs.iter_mut().zip(s.x) {
                        *r = x as u128;
                    }
                    for (n, v) in s.v.iter().enumerate() {
                        regs[reg::v(n as u32).0 as usize] = v[0] as u128 | (v[1] as u128) << 64;
                    }
                    for (n, &f) in s.nzcv.iter().enumerate() {
                        regs[reg::N.0 as usize + n] = f as u128;
                    }
                    let before = s.clone();
                    reference(f, &FILE, &mut regs);
                    let pc = program.run_faulting(i, &mut s);
                    let what = || {
                        format!(
                            "-O{opt} {:08x?} x {:x?} v {:x?} nzcv {:?}",
                            cases[i],
                            &before.x[1..5],
                            &before.v[1..3],
                            before.nzcv
                        )
                    };
                    assert_eq!(pc, if faults { EXIT_PC } else { 0x4000_0000 }, "{}", what());
                    let flags: [u8; 4] = std::array::from_fn(|n| regs[reg::N.0 as usize + n] as u8);
                    assert_eq!(s.nzcv, flags, "{}", what());
                    let expected: Vec<u64> = regs[..20].iter().map(|&r| r as u64).collect();
                    assert_eq!(s.x[..20], expected, "{}", what());
                }
            }
        }
    }
}

/// Blocks that compare, overwrite operands, store and branch at random. The stores walk upwards.
fn random_graph(at: u64, random: &mut Random) -> Function {
    let mut below = |n: u32| (random.next() >> 33) as u32 % n;
    let count = 2 + below(5);
    let mut blocks: Vec<Vec<u32>> = Vec::new();
    for b in 0..count {
        let mut words = Vec::new();
        let stores = b + 1 == count || below(4) != 0;
        let position = below(4);
        for item in 0..4 {
            if stores && item == position {
                // str xzr, [x27], #8
                words.push(0xf800_0400 | 8 << 12 | 27 << 5 | 31);
            }
            let r = |m: u32, n: u32, d: u32| m << 16 | n << 5 | d;
            let (m, n, d) = (1 + below(5), 1 + below(5), 1 + below(5));
            let discard = if below(2) == 0 { 31 } else { d };
            words.push(match below(12) {
                0 | 1 => 0xeb00_0000 | r(m, n, discard),
                2 => 0x6b00_0000 | r(m, n, discard),
                3 => 0xf100_0400 | r(0, n, discard),
                4 => 0xab00_0000 | r(m, n, discard),
                5 => 0x6a00_0000 | r(m, n, discard),
                6 => 0xfa40_0000 | r(m, n, below(16)) | below(14) << 12,
                7 => 0x3100_0400 | 0x1f << 10 | r(0, n, discard),
                // mov, add #1, csinc, nop.
                8 => 0xaa00_03e0 | r(m, 0, d),
                9 => 0x9100_0400 | r(0, n, d),
                10 => 0x9a80_0400 | r(m, n, d) | below(14) << 12,
                _ => 0xd503_201f,
            });
        }
        // A block without a store only goes on, so that every run ends at the edge.
        let target = if stores { below(count) } else { b + 1 + below(count - b - 1) };
        words.push(target << 8 | below(3) << 4 | below(14));
        blocks.push(words);
    }
    assemble(isa::Isa::A64, at, blocks, |last, offset| match (last & LAST != 0, last >> 4 & 15) {
        (true, _) => 0x1400_0000 | offset & 0x3ff_ffff,
        (_, 0) => 0xb400_0000 | (offset & 0x7_ffff) << 5 | (1 + (last & 3)),
        (_, 1) => 0x3600_0000 | (offset & 0x3fff) << 5 | (1 + (last & 3)),
        _ => 0x5400_0000 | (offset & 0x7_ffff) << 5 | last & 15,
    })
}

/// Flags that are noted late, with operands in registers that are overwritten some time, must be right at each store.
#[test]
fn random_loops() {
    let mut random = Random(0x0dd0_1234_9e37_79b9);
    let edge = edge();
    for (opt, checkpoints, count) in
        [(2, Checkpoints::Callbr, 160), (3, Checkpoints::Callbr, 40), (0, Checkpoints::Commit, 40)]
    {
        let functions: Vec<Function> =
            (0..count).map(|i| random_graph(0x10000 + 0x100 * i, &mut random)).collect();
        let program = Program::new(&functions, &options(opt, checkpoints));
        for (i, f) in functions.iter().enumerate() {
            for stores in 0..24u64 {
                let mut s = GuestState::default();
                for x in &mut s.x[1..6] {
                    *x = (random.next() >> 40 & 3).wrapping_sub(1);
                }
                s.x[27] = edge - 8 * stores;
                s.nzcv = std::array::from_fn(|n| (random.next() >> (20 + n) & 1) as u8);
                compare_at_store(&program, (i, f), &FILE, s, stores, 28, opt);
            }
        }
    }
}

/// A loop of one block that faults in each of its turns: the flags are those of the turn before, or of before the loop.
#[test]
fn faults_in_a_loop() {
    let edge = edge();
    // Each compares, in another way, something that changes with something that may.
    for (name, compare) in [
        ("cmp x3, x4", 0xeb04_007fu32),
        ("cmp w3, w4", 0x6b04_007f),
        ("cmp x4, x3", 0xeb03_009f),
        ("subs x5, x5, #1", 0xf100_04a5),
        ("adds x4, x4, x5", 0xab05_0084),
        ("subs x5, x4, x5", 0xeb05_0085),
        ("tst x5, x3", 0xea03_00bf),
        ("fcmp d1, d2", 0x1e62_2020),
        ("ccmp x3, x4, #5, mi", 0xfa44_4065),
    ] {
        // mov x29, x30; loop: ldr x9, [x3]; add x3, x3, #8; the comparison; cbnz x3, loop; ret
        let words = vec![0xaa1e_03fd, 0xf940_0069, 0x9100_2063, compare, 0xb5ff_ffa3, 0xd65f_03c0];
        let block = |start: u64, end: u64| BlockShape {
            start: GuestAddr(0x10000 + start),
            end: GuestAddr(0x10000 + end),
            switch: None,
        };
        let shape = FunctionShape {
            isa: isa::Isa::A64,
            name: "loop".into(),
            entry: GuestAddr(0x10000),
            blocks: vec![block(0, 4), block(4, 20), block(20, 24)],
        };
        let mut f = isa::lift_function(&shape, &Words(0x10000, words));
        ir::pass::run_default(&mut f, &FILE);
        for (opt, checkpoints) in
            [(0, Checkpoints::Commit), (2, Checkpoints::Callbr), (3, Checkpoints::Callbr)]
        {
            let program = Program::new(std::slice::from_ref(&f), &options(opt, checkpoints));
            for turns in 0..4u64 {
                let mut s = GuestState::default();
                s.x[3] = edge - 8 * turns;
                (s.x[4], s.x[5]) = (edge - 8, 3);
                (s.v[1][0], s.v[2][0]) = (1f64.to_bits(), 2f64.to_bits());
                s.nzcv = [1, 0, 1, 0];
                let mut regs = vec![0u128; FILE.regs.len()];
                for (r, x) in regs.iter_mut().zip(s.x) {
                    *r = x as u128;
                }
                for n in 1..3 {
                    regs[reg::v(n as u32).0 as usize] = s.v[n][0] as u128;
                }
                for (n, &f) in s.nzcv.iter().enumerate() {
                    regs[reg::N.0 as usize + n] = f as u128;
                }
                // The reference stops at loads: one turn of the loop without it.
                let mut turn = f.clone();
                turn.blocks.truncate(2);
                turn.blocks.remove(0);
                turn.blocks[0].insts.iter_mut().for_each(|i| {
                    if let Inst::Load { ty, .. } = *i {
                        *i = Inst::Const { ty, bits: 0 };
                    }
                });
                turn.blocks[0].term = Term::Jump(BlockId(1));
                let stop =
                    Inst::Load { ty: Type::I64, addr: Value(0), order: Order::Relaxed, align: Align::Any };
                turn.blocks.push(Block { insts: vec![stop], ..turn.blocks[0].clone() });
                for _ in 0..turns {
                    reference(&turn, &FILE, &mut regs);
                }
                assert_eq!(program.run_faulting(0, &mut s), EXIT_PC);
                let what = format!("{name} -O{opt} {turns} turns");
                let flags: [u8; 4] = std::array::from_fn(|n| regs[reg::N.0 as usize + n] as u8);
                assert_eq!((s.pc, s.x[3], s.nzcv), (0x10004, edge, flags), "{what}");
            }
        }
    }
}
