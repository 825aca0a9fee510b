//! The encoding table itself: patterns, names, overlaps, and that every row lifts to IR that verifies.

mod common;

use common::random::Random;
use ir::{Builder, GuestAddr, TrapKind};
use isa::a64::{self, Feature, Outcome, features, reg};
use std::collections::{HashMap, HashSet};

#[test]
fn patterns_have_32_bits_and_names_are_unique() {
    let mut names = HashSet::new();
    for row in a64::rows() {
        row.bits();
        assert!(names.insert(row.name), "two rows are called {}", row.name);
    }
}

#[test]
fn overlapping_rows_are_ordered_by_specificity() {
    let rows: Vec<_> = a64::rows().map(|r| (r.bits(), r)).collect();
    for (i, ((mask_a, value_a), a)) in rows.iter().enumerate() {
        for ((mask_b, value_b), b) in &rows[i + 1..] {
            if (value_a ^ value_b) & mask_a & mask_b != 0 {
                continue;
            }
            // "Shift by immediate" with immh = 0 is "modified immediate": not nested, but ordered.
            assert!(mask_a.count_ones() != mask_b.count_ones(), "{a:?} and {b:?} overlap");
        }
    }
}

#[test]
fn decoding_finds_the_most_specific_row() {
    let rows: Vec<_> = a64::rows().map(|r| (r.bits(), r)).collect();
    let mut random = Random(1);
    for ((mask, value), row) in &rows {
        for _ in 0..4 {
            let word = value | random.next() as u32 & !mask;
            let expected = rows
                .iter()
                .filter(|((m, v), _)| word & m == *v)
                .max_by_key(|((m, _), _)| m.count_ones())
                .map(|(_, r)| r.name);
            assert_eq!(a64::decode(word).map(|r| r.name), expected, "{word:08x}, made from {}", row.name);
        }
    }
}

/// Allocated encodings that EL0 may not execute, or (MRS, MSR) only for few operand values.
const ALWAYS_UNDEFINED: &[&str] = &[
    "ERET",
    "DRPS",
    "HVC",
    "SMC",
    "HLT",
    "DCPS1",
    "DCPS2",
    "DCPS3",
    "SYS",
    "SYSL",
    "MRS",
    "MSR (immediate)",
    "MSR (register)",
];

#[test]
fn every_row_lifts_to_valid_ir() {
    let mut random = Random(2);
    for row in a64::rows() {
        let (mask, value) = row.bits();
        let mut defined = 0;
        for i in 0..64u32 {
            let free = match i {
                0 => 0,
                1 => u32::MAX,
                _ => random.next() as u32,
            };
            let word = value | free & !mask;
            let mut b = Builder::new(&a64::FILE, GuestAddr(0x1000));
            let outcome = a64::lift_insn(&mut b, word, GuestAddr(0x1000));
            let block = b.finish(ir::Term::Fallback { pc: GuestAddr(0x1000) });
            let errors = ir::verify_insts(&block.insts, &a64::FILE);
            assert!(errors.is_empty(), "{}: {word:08x}: {errors:?}", row.name);
            let mut written = false;
            for inst in &block.insts {
                assert!(
                    !(written && inst.is_checkpoint()),
                    "{}: {word:08x}: access after a register write",
                    row.name
                );
                written |= matches!(inst, ir::Inst::Set(..));
            }
            if outcome == Outcome::Next
                || matches!(outcome, Outcome::End(e) if !matches!(e, isa::Exit::Trap { kind: TrapKind::Undefined, .. }))
            {
                defined += 1;
            }
            if outcome == Outcome::Next {
                assert_eq!(a64::flow(word, GuestAddr(0x1000)), isa::Flow::Next, "{}: {word:08x}", row.name);
            }
        }
        assert!(
            defined != 0 || ALWAYS_UNDEFINED.contains(&row.name),
            "{}: no word of it is defined",
            row.name
        );
    }
}

#[test]
fn announced_features_and_rows_agree() {
    let mut rows: HashMap<Feature, usize> = HashMap::new();
    for row in a64::rows() {
        *rows.entry(row.feature).or_default() += 1;
    }
    let announced: HashSet<_> = features::ANNOUNCED.iter().filter_map(|a| a.feature).collect();
    for feature in &announced {
        assert!(rows.contains_key(feature), "{feature:?} is announced, but no row has it");
    }
    for feature in rows.keys() {
        let silent = matches!(feature, Feature::Base | Feature::Hints);
        assert!(silent || announced.contains(feature), "{feature:?} has rows, but is not announced");
    }
}

#[test]
fn id_registers_show_the_features() {
    // PFR0: FP16, EL0 and EL1 in AArch64 only. ISAR0: atomics 2, SHA-512. Those without fields read as zero.
    assert_eq!(features::id_register(4, 0), Some(0x11_0011));
    assert_eq!(features::id_register(6, 0).map(|v| v >> 12 & 0xfff), Some(0x212));
    assert_eq!(features::id_register(4, 4), Some(0));
    assert_eq!(features::id_register(0, 1), None);
    assert_eq!(features::id_register(8, 0), None);
    assert_eq!(features::HWCAP & 3, 3);
}

#[test]
fn flow_of_branches() {
    let pc = GuestAddr(0x1000);
    let to = |offset| pc.offset(offset);
    use isa::Flow;
    for (word, flow) in [
        (0x1400_0002, Flow::Jump(to(8))),
        (0x97ff_ffff, Flow::Call(to(-4))),
        (0x5400_0040, Flow::Branch(to(8))),
        (0x5400_004e, Flow::Jump(to(8))),
        (0xb4ff_ffe0, Flow::Branch(to(-4))),
        (0x3707_ffe0, Flow::Branch(to(-4))),
        (0xd61f_0200, Flow::Indirect),
        (0xd61f_03c0, Flow::Return),
        (0xd63f_0200, Flow::IndirectCall),
        (0xd65f_03c0, Flow::Return),
        (0xd400_0001, Flow::Syscall),
        (0xd420_0000, Flow::Trap),
        (0x0000_0000, Flow::Trap),
        (0xd503_201f, Flow::Next),
    ] {
        assert_eq!(a64::flow(word, pc), flow, "{word:08x}");
    }
}

/// Words one after the other from 0x1000 on.
struct Words<'a>(&'a [u32]);

impl isa::Code for Words<'_> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        self.0.get((pc.0.checked_sub(0x1000)? / 4) as usize).copied()
    }
}

fn lift(words: &[u32]) -> isa::Run {
    a64::lift_run(&Words(words), GuestAddr(0x1000), GuestAddr(0x2000), usize::MAX)
}

#[test]
fn runs_end_where_they_should() {
    // nop; nop, then no more memory.
    let run = lift(&[0xd503_201f, 0xd503_201f]);
    assert_eq!((run.len, run.exit), (8, isa::Exit::Next(GuestAddr(0x1008))));
    // Nothing at all.
    assert_eq!(lift(&[]).exit, isa::Exit::Fallback { pc: GuestAddr(0x1000) });
    // An undefined word belongs to the run that it ends.
    let run = lift(&[0xd503_201f, 0]);
    assert_eq!(run.len, 8);
    assert!(matches!(run.exit, isa::Exit::Trap { pc: GuestAddr(0x1004), .. }));
    // At most so many instructions; an end.
    let three = [0xd503_201f; 3];
    assert_eq!(a64::lift_run(&Words(&three), GuestAddr(0x1000), GuestAddr(0x2000), 2).len, 8);
    assert_eq!(a64::lift_run(&Words(&three), GuestAddr(0x1000), GuestAddr(0x1004), 9).len, 4);
}

#[test]
fn compare_and_branch_is_one_comparison() {
    // subs x2, x2, #1; b.gt back: the condition is sgt(x2, 1), not made of flags.
    let run = lift(&[0xf100_0442, 0x54ff_ffec]);
    let isa::Exit::Branch { cond, .. } = run.exit else { panic!("{:?}", run.exit) };
    assert!(
        matches!(run.insts[cond.0 as usize], ir::Inst::Pure { op: ir::PureOp::Cmp(ir::IntCmp::Sgt), .. }),
        "{}",
        ir::display_insts(&run.insts, &a64::FILE)
    );
    // Flags that another instruction wrote are read: msr nzcv, x0; b.eq.
    let run = lift(&[0xf100_0442, 0xd51b_4200, 0x5400_0040]);
    let isa::Exit::Branch { cond, .. } = run.exit else { panic!("{:?}", run.exit) };
    assert_eq!(run.insts[cond.0 as usize], ir::Inst::Get(reg::Z));
}
