//! Which cases a run executes and on how many states: what names a program and its report. Takes an instruction set, sizes and
//! a seed; the environment may narrow or enlarge it.

use super::{Case, Encoding, InstructionSet, Layout, Random};

/// Cases, and how they are executed.
#[derive(Clone)]
pub struct Plan {
    /// The instruction set.
    pub set: &'static dyn InstructionSet,
    /// The cases.
    pub cases: Vec<Case>,
    /// States for each.
    pub states: usize,
    /// FPCR bits that the states may set, hexadecimal, if not the set's.
    pub modes: Option<String>,
    /// Seed of the states.
    pub seed: String,
}

/// `count` cases for one in `every` encodings that is not excluded, of those whose names contain `named`.
pub fn single(set: &dyn InstructionSet, count: usize, every: usize, seed: u64, named: &str) -> Vec<Case> {
    let mut random = Random(seed);
    set.encodings()
        .iter()
        .filter(|e| e.excluded.is_none() && e.name.contains(named) && e.index.is_multiple_of(every))
        .flat_map(|e| of_encoding(set, e, count, &mut random))
        .collect()
}

fn of_encoding(
    set: &dyn InstructionSet,
    encoding: &Encoding,
    count: usize,
    random: &mut Random,
) -> Vec<Case> {
    let mut cases = Vec::new();
    // Reserved operand values are worth few cases.
    let mut undefined = count.div_ceil(8);
    // An encoding without operands has one word, a narrow one few; other states still make a difference.
    for _ in 0..60 * count {
        if cases.len() == count {
            break;
        }
        let Some(case) = set.case(encoding, cases.is_empty(), random) else { continue };
        if !set.is_defined(&case) {
            if undefined == 0 {
                continue;
            }
            undefined -= 1;
        }
        cases.push(case);
    }
    // Privileged ones are always undefined.
    while cases.len() < count && !cases.is_empty() {
        let again = cases[random.below(cases.len() as u32) as usize].clone();
        cases.push(again);
    }
    for (i, c) in cases.iter_mut().enumerate() {
        // Cases of one word meet other states each.
        c.seed = c.seed.wrapping_add((i as u32).wrapping_mul(0x9e37_79b1));
    }
    cases
}

/// Cases of `count` sequences of 4 to 20 instructions. Every fourth is there in all its beginnings, too (so that the
/// state after each instruction is compared without anything that keeps the optimiser from its work), every fourth
/// with a stop after each instruction, and every fourth as the body of a loop.
pub fn sequences(set: &dyn InstructionSet, count: usize, seed: u64) -> Vec<Case> {
    let mut random = Random(seed);
    let mut cases = Vec::new();
    for n in 0..count {
        let s = set.sequence(4 + n % 17, &mut random);
        let seed = random.word();
        let mut add = |items: &[_], layout| {
            cases.push(Case { row: "", thumb: s.thumb, items: items.to_vec(), layout, needs: s.needs, seed });
        };
        add(&s.items, Layout::Plain);
        match n % 4 {
            0 => s.beginnings.iter().for_each(|k| add(&s.items[..*k], Layout::Plain)),
            1 => add(&s.items, Layout::Stops),
            2 => add(&s.items, Layout::Loop),
            _ => {}
        }
    }
    cases
}
