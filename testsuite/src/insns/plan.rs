//! Which cases a run executes and on how many states: what names a program and its report. Takes sizes and a seed; the
//! environment may narrow or enlarge it.

use super::{Case, EXCLUDED, Random, word};
use isa::a64::{Row, is_defined, rows};

/// Cases, and how they are executed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The cases.
    pub cases: Vec<Case>,
    /// States for each.
    pub states: usize,
    /// FPCR bits that the states may set, hexadecimal.
    pub modes: String,
    /// Seed of the states.
    pub seed: String,
}

/// `count` cases for each encoding that is not excluded, of those whose names contain `named`.
pub fn single(count: usize, seed: u64, named: &str) -> Vec<Case> {
    let mut random = Random(seed);
    rows()
        .filter(|r| EXCLUDED.iter().all(|e| e.0 != r.name) && r.name.contains(named))
        .flat_map(|r| of_row(r, count, &mut random))
        .collect()
}

fn of_row(row: &'static Row, count: usize, random: &mut Random) -> Vec<Case> {
    let mut cases = Vec::new();
    // Reserved operand values are worth few cases.
    let mut undefined = count.div_ceil(8);
    // An encoding without operands has one word, a narrow one few; other states still make a difference.
    for _ in 0..60 * count {
        if cases.len() == count {
            break;
        }
        let Some(case) = word::case(row, cases.is_empty(), random) else { continue };
        if !is_defined(case.seed) {
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
