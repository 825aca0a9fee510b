//! The encoding tables of AArch32 themselves: patterns, names, overlaps, and that every row lifts to IR that verifies.

mod common;

use common::random::Random;
use ir::{GuestAddr, TrapKind};
use isa::a32::{self, FILE, Place, Row, Set};
use isa::{Code, Exit, Run};
use std::collections::{HashMap, HashSet};

#[test]
fn patterns_have_their_length_and_names_are_unique() {
    let mut names = HashSet::new();
    for row in a32::rows() {
        row.bits();
        assert!(names.insert((row.set, row.name)), "two rows of {:?} are called {}", row.set, row.name);
    }
}

/// True if the rows' words are looked up in the same place.
fn together(a: &Row, b: &Row) -> bool {
    a.set == b.set && a.conditional() == b.conditional()
}

#[test]
fn overlapping_rows_are_ordered_by_specificity() {
    let rows: Vec<_> = a32::rows().map(|r| (r.bits(), r)).collect();
    let mut unordered = Vec::new();
    for (i, ((mask_a, value_a), a)) in rows.iter().enumerate() {
        for ((mask_b, value_b), b) in &rows[i + 1..] {
            if !together(a, b) || (value_a ^ value_b) & mask_a & mask_b != 0 {
                continue;
            }
            if mask_a.count_ones() == mask_b.count_ones() {
                unordered.push(format!("{a:?} and {b:?}"));
            }
        }
    }
    assert!(unordered.is_empty(), "overlaps:\n{}", unordered.join("\n"));
}

#[test]
fn shared_encodings_hide_no_others() {
    // A32 looks among the shared rows first.
    let shared: Vec<_> = a32::rows().filter(|r| r.set == Set::Both).map(|r| (r.bits(), r)).collect();
    for row in a32::rows().filter(|r| r.set == Set::A32) {
        let (mask, value) = row.bits();
        for ((m, v), other) in shared.iter().filter(|(_, o)| o.conditional() == row.conditional()) {
            assert!((v ^ value) & m & mask != 0, "{other:?} hides words of {row:?}");
        }
    }
}

/// One instruction's bytes.
struct One(Place, u32, u32);

impl Code for One {
    fn word(&self, _: GuestAddr) -> Option<u32> {
        unreachable!("halves are asked for in Thumb state, words in A32, at that address")
    }

    fn half(&self, pc: GuestAddr) -> Option<u16> {
        match (pc.0 as u32).wrapping_sub(self.0.addr) {
            0 if self.2 == 4 => Some((self.1 >> 16) as u16),
            0 => Some(self.1 as u16),
            2 if self.2 == 4 => Some(self.1 as u16),
            _ => None,
        }
    }
}

struct Word(u32);

impl Code for Word {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        (pc.0 == 0x1000).then_some(self.0)
    }
}

/// Lifts one instruction.
fn lift(place: Place, word: u32, len: u32) -> Run {
    let end = GuestAddr(0x2000);
    if place.thumb {
        a32::lift_run(&One(place, word, len), place.into(), end, 1)
    } else {
        a32::lift_run(&Word(word), place.into(), end, 1)
    }
}

/// T32's form of a word of the shared encodings.
fn thumb_form(word: u32) -> u32 {
    match word >> 24 {
        top if top >> 4 < 15 => word & 0x0fff_ffff | 0xe000_0000,
        0xf2 | 0xf3 => word & 0x00ff_ffff | 0xef00_0000 | (word >> 24 & 1) << 28,
        0xf4 => word & 0x00ff_ffff | 0xf900_0000,
        _ => word,
    }
}

/// Places that a word of the row can stand at, with the word and its length there. The condition is known to hold or always.
fn places(row: &Row, word: u32) -> Vec<(Place, u32, u32)> {
    let place = |thumb, it, passed| Place { addr: 0x1000, thumb, it, passed };
    let mut all = Vec::new();
    if matches!(row.set, Set::A32 | Set::Both) {
        all.push((place(false, 0, row.conditional() && word >> 28 != 14), word, 4));
    }
    match row.set {
        Set::A32 => {}
        Set::Both => all.push((place(true, 0, false), thumb_form(word), 4)),
        Set::T16 | Set::T32 => {
            let len = if row.set == Set::T16 { 2 } else { 4 };
            all.push((place(true, 0, false), word, len));
            all.push((place(true, 0x08, true), word, len));
        }
    }
    all
}

/// Encodings that user mode may not execute.
const ALWAYS_UNDEFINED: &[&str] = &[
    "MSR (immediate), SPSR",
    "MSR (register), SPSR",
    "MSR (Banked register)",
    "MRS, SPSR",
    "MRS (Banked register)",
    "HLT",
    "HLT T1",
    "HVC",
    "SMC",
    "ERET",
    "SUB, SUBS (immediate) T5, ERET",
    "DCPS1, DCPS2, DCPS3",
    "MCRR",
    "LDM (User registers, exception return)",
    "STM (User registers)",
    "RFE",
    "RFE, RFEIA",
    "RFEDB",
    "SRS",
    "SRS, SRSIA",
    "SRSDB",
];

/// Encodings of which few words are defined: drawn more often.
const FEW: &[&str] = &["MCR", "MRC", "MRRC"];

#[test]
fn every_row_lifts_to_valid_ir() {
    let mut random = Random(2);
    let mut wrong = Vec::new();
    for row in a32::rows() {
        let (mask, value) = row.bits();
        let mut defined = 0;
        let count = if FEW.contains(&row.name) { 40000 } else { 100 };
        for i in 0..count {
            let free = match i {
                0 => 0,
                1 => u32::MAX,
                _ => random.next() as u32,
            };
            let width = if row.set == Set::T16 { 0xffff } else { u32::MAX };
            let mut word = (value | free & !mask) & width;
            if row.conditional() {
                word = word & 0x0fff_ffff | (word >> 28).min(14) << 28;
            }
            for (place, word, len) in places(row, word) {
                if !a32::decode(place, word).row.is_some_and(|r| std::ptr::eq(r, row)) {
                    continue;
                }
                let run = lift(place, word, len);
                let errors = ir::verify_insts(&run.insts, &FILE);
                assert!(errors.is_empty(), "{row:?}: {word:08x}: {errors:?}");
                let mut written = false;
                for inst in &run.insts {
                    assert!(
                        !(written && inst.is_checkpoint()),
                        "{row:?}: {word:08x}: access after a register write"
                    );
                    written |= matches!(inst, ir::Inst::Set(..));
                }
                assert_eq!(run.len, len, "{row:?}: {word:08x}");
                defined += !matches!(run.exit, Exit::Trap { kind: TrapKind::Undefined, .. }) as u32;
            }
        }
        // Of UDF, one word each is a breakpoint.
        if !row.name.starts_with("UDF") && (defined == 0) != ALWAYS_UNDEFINED.contains(&row.name) {
            wrong.push(format!("{defined} words are defined of {row:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn decoding_finds_the_most_specific_row() {
    let rows: Vec<_> = a32::rows().map(|r| (r.bits(), r)).collect();
    let mut random = Random(1);
    for ((mask, value), row) in &rows {
        for _ in 0..8 {
            let width = if row.set == Set::T16 { 0xffff } else { u32::MAX };
            let mut word = (value | random.next() as u32 & !mask) & width;
            if row.conditional() {
                word = word & 0x0fff_ffff | (word >> 28).min(14) << 28;
            }
            let expected = rows
                .iter()
                .filter(|((mask, value), r)| word & mask == *value && together(r, row) && r.matches(word))
                .max_by_key(|((m, _), _)| m.count_ones())
                .map(|(_, r)| r.name);
            let (place, word, _) = places(row, word)[0];
            let found = a32::decode(place, word).row.map(|r| r.name);
            assert_eq!(found, expected, "{word:08x}, made from {row:?}");
        }
    }
}

#[test]
fn selection_and_branching_agree_on_what_is_conditional() {
    // In an IT block or under a condition, what only computes is lifted without a branch.
    let mut random = Random(3);
    let mut selected: HashMap<Set, u32> = HashMap::new();
    for row in a32::rows() {
        let (mask, value) = row.bits();
        for _ in 0..16 {
            let width = if row.set == Set::T16 { 0xffff } else { u32::MAX };
            let mut word = (value | random.next() as u32 & !mask) & width;
            if row.conditional() {
                word &= 0x0fff_ffff;
            }
            let (place, word, len) = places(row, word).pop().expect("invariant: every row has a place");
            let place = Place { passed: false, ..place };
            let run = lift(place, word, len);
            let errors = ir::verify_insts(&run.insts, &FILE);
            assert!(errors.is_empty(), "{row:?}: {word:08x}: {errors:?}");
            if matches!(run.exit, Exit::Next(_)) {
                *selected.entry(row.set).or_default() += 1;
            }
        }
    }
    for set in [Set::A32, Set::T16, Set::T32] {
        assert!(selected[&set] > 100, "{selected:?}");
    }
}

/// Words of A32 one after the other from 0x1000 on.
struct Words<'a>(&'a [u32]);

impl Code for Words<'_> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        self.0.get((pc.0.checked_sub(0x1000)? / 4) as usize).copied()
    }
}

/// The comparison that the branch at the end of the words is made by, and its type.
fn comparison(words: &[u32]) -> Option<(ir::IntCmp, ir::Type)> {
    let run = a32::lift_run(&Words(words), GuestAddr(0x1000), GuestAddr(0x2000), usize::MAX);
    let Exit::Branch { cond, .. } = run.exit else { panic!("{:?}", run.exit) };
    let types = ir::value_types(&run.insts, &FILE);
    match run.insts[cond.0 as usize] {
        ir::Inst::Pure { op: ir::PureOp::Cmp(op), args, .. } => types[args[0].0 as usize].map(|t| (op, t)),
        _ => None,
    }
}

#[test]
fn compare_and_branch_is_one_comparison() {
    use ir::IntCmp::{Ne, Sge, Slt, Ult};
    use ir::Type::{I32, I64};
    // subs r2, r2, #1; bne
    assert_eq!(comparison(&[0xe252_2001, 0x1aff_fffd]), Some((Ne, I32)));
    // ands r2, r2, #1; bne: the carry stays as it is.
    assert_eq!(comparison(&[0xe212_2001, 0x1aff_fffd]), Some((Ne, I32)));
    // cmp r0, r2; sbcs r1, r1, r3; blt, bge, bcc: one comparison of 64 bits.
    for (branch, cmp) in [(0xba00_0000, Slt), (0xaa00_0000, Sge), (0x3a00_0000, Ult)] {
        assert_eq!(comparison(&[0xe150_0002, 0xe0d1_1003, branch]), Some((cmp, I64)));
    }
    // Behind others, SBCS has its own flags; and its Z is that of the upper word.
    assert_eq!(comparison(&[0xe0d1_1003, 0xba00_0000]), None);
    assert_eq!(comparison(&[0xe150_0002, 0xe0d1_1003, 0x0a00_0000]), None);
}
