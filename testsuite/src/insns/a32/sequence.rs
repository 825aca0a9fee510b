//! Random sequences in few registers, with conditional instructions, IT blocks and branches, so that instructions meet each
//! other's results: what an optimiser can get wrong. Takes a length and random numbers, gives instructions.

use super::excused::{EXCLUDED, aligned_to_32, unusable};
use super::meaning::{Leaves, lift};
use super::word::{DATA, INDICES, POINTERS, Registers, fpscr_operand, is_simd};
use super::{START, TESTED, Tested, word};
use crate::insns::{Item, Needs, Random, Sequence};
use isa::a32::{Place, Set};
use std::sync::LazyLock;

/// Encodings that may stand in a sequence, by state (A32, Thumb) and kind: flags, memory, integer, floating point and vectors.
static ROWS: LazyLock<[[Vec<&'static Tested>; 4]; 2]> = LazyLock::new(|| {
    let fit = |t: &&'static Tested| {
        let name = t.row.name;
        // Exclusives fault differently; coprocessor and FPSCR accesses are chosen apart.
        let apart = ["SVC", "MCR", "MRC", "VMSR", "IT", "PLD", "SETEND", "CPS"];
        let exclusive = ["EX", "LDA", "STL", "SWP"].iter().any(|p| name.contains(p));
        let excluded = EXCLUDED.iter().any(|e| e.0 == name);
        !(t.raises || exclusive || excluded || apart.iter().any(|p| name.starts_with(p)))
    };
    let flags = |t: &Tested| {
        let names = [
            "CMP", "CMN", "TST", "TEQ", "SUBS", "ADDS", "SBCS", "ADCS", "MOVS", "SEL", "UADD8", "VCMP",
            "VMRS",
        ];
        names.iter().any(|n| t.row.name.contains(n)) && !t.accesses
    };
    let kind = |t: &Tested| match t {
        t if flags(t) => 0,
        t if t.accesses => 1,
        t if !is_simd(t.row) => 2,
        _ => 3,
    };
    [false, true].map(|thumb| {
        let all = TESTED.iter().filter(|t| t.thumb == thumb).filter(fit);
        let mut kinds = [const { Vec::new() }; 4];
        all.for_each(|t| kinds[kind(t)].push(t));
        kinds
    })
});

/// True if the word may stand at `at` in a sequence: it goes on to the next, and leaves bases and indices alone.
fn fits(t: &Tested, w: u32, at: Place) -> bool {
    if !t.is(at, w) || unusable(t.row, w, at).is_some() || aligned_to_32(t.row, w) {
        return false;
    }
    lift(w, at).is_some_and(|m| {
        let writeback = match t {
            t if !t.accesses => 0,
            // SP stays a multiple of 4, in the window.
            t if word::of_words(t) && !t.row.name.starts_with("LDRD") => POINTERS | 1 << 13,
            _ => POINTERS,
        };
        m.leaves() == Leaves::Next
            && m.writes() & !(DATA | writeback) == 0
            && (m.reads() | m.writes()) >> 14 & 1 == 0
    })
}

/// One instruction with the condition, where it may stand.
fn instruction(at: Place, cond: u32, random: &mut Random) -> u32 {
    let rows = &ROWS[usize::from(at.thumb)];
    loop {
        let kind = &rows[[0, 0, 1, 2, 2, 3, 3][random.below(7) as usize]];
        let t = kind[random.below(kind.len() as u32) as usize];
        // Narrow ones are most of what programs have, and few encodings.
        if at.thumb && t.row.set != Set::T16 && random.one_in(3) {
            continue;
        }
        let w = word::word(t, Registers::Five, cond, random);
        if fits(t, w, at) {
            return w;
        }
    }
}

/// A conditional branch, often under one of the conditions.
fn skip(thumb: bool, conditions: [u32; 2], random: &mut Random) -> u32 {
    let cond = if random.one_in(2) {
        conditions[random.below(2) as usize] ^ random.below(2)
    } else {
        random.below(14)
    };
    match (thumb, random.below(4)) {
        (false, _) => cond << 28 | 0x0a00_0000,
        (true, 0) => 0xb100 | random.below(2) << 11 | random.below(4),
        (true, 1) => 0xf000_8000 | cond << 22,
        (true, _) => 0xd000 | cond << 8,
    }
}

/// Instructions that belong together: a conditional one, an IT block, a write of FPSCR with what makes its operand fit.
fn unit(thumb: bool, conditions: [u32; 2], random: &mut Random) -> Vec<Item> {
    let at = Place { addr: START, thumb, it: 0, passed: false };
    let cond = conditions[random.below(2) as usize] ^ random.below(2);
    if random.one_in(24) {
        let t = random.below(4);
        return [fpscr_operand(thumb, t), 0xeee1_0a10 | t << 12].map(Item::Word).to_vec();
    }
    if !thumb {
        let cond = if random.one_in(2) { cond } else { 14 };
        return vec![Item::Word(instruction(at, cond, random))];
    }
    if !random.one_in(4) {
        return vec![Item::Word(instruction(at, 14, random))];
    }
    let it = cond << 4 | (1 + random.below(15));
    let mut items = vec![Item::Word(0xbf00 | it)];
    let mut inside = Place { it: it as u8, ..at };
    while inside.in_it() {
        let w = instruction(inside, 14, random);
        items.push(Item::Word(w));
        inside = Place { addr: START, ..inside.next(0) };
    }
    items
}

/// About `length` instructions.
pub fn sequence(length: usize, random: &mut Random) -> Sequence {
    let thumb = random.one_in(2);
    let conditions = [random.below(14), random.below(14)];
    let mut units: Vec<Vec<Item>> = Vec::new();
    while units.iter().map(Vec::len).sum::<usize>() < length {
        units.push(if random.one_in(12) {
            // How many units, until they are known.
            vec![Item::Skip(skip(thumb, conditions, random), 1 + random.below(4) as usize)]
        } else {
            unit(thumb, conditions, random)
        });
    }
    // A branch over nothing is no CBZ.
    units.push(unit(thumb, conditions, random));
    let lengths: Vec<usize> = units.iter().map(Vec::len).collect();
    for (n, unit) in units.iter_mut().enumerate() {
        if let [Item::Skip(_, over)] = &mut unit[..] {
            *over = lengths[n + 1..].iter().take(*over).sum();
        }
    }
    let items = units.concat();
    let mut ends: Vec<usize> = lengths
        .iter()
        .scan(0, |end, n| {
            *end += n;
            Some(*end)
        })
        .collect();
    ends.retain(|n| *n < items.len() && !matches!(items[n - 1], Item::Skip(..)));
    let kind = Needs::MEMORY | Needs::ALIGNED | Needs::INSIDE;
    Sequence {
        thumb,
        beginnings: ends,
        items,
        needs: Needs { kind, pointers: POINTERS, indices: INDICES, ..Needs::default() },
    }
}
