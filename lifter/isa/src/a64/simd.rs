//! Advanced SIMD and cryptographic instructions, vector and scalar (Arm ARM C4.1.96), one file per encoding class.
//! Loads and stores are elsewhere.

use super::table::Row;

/// Rows of one feature in compact form: `Feature: "name" "pattern" lift;`, `lift` being a function or a closure.
macro_rules! rows {
    ($feature:ident: $($name:literal $pattern:literal $lift:expr;)*) => {
        &[$(Row { name: $name, pattern: $pattern, feature: Feature::$feature, lift: $lift }),*]
    };
}
pub(super) use rows;

mod crypto;
mod extra;
mod indexed;
mod lanes;
mod misc;
pub(crate) mod operands;
pub(crate) mod shift;
mod three_different;
mod three_same;

const CLASSES: &[&[&[Row]]] = &[
    three_same::ROWS,
    extra::ROWS,
    three_different::ROWS,
    misc::ROWS,
    lanes::ROWS,
    shift::ROWS,
    indexed::ROWS,
    crypto::ROWS,
];

/// Number of rows.
pub(super) const fn count(classes: &[&[&[Row]]]) -> usize {
    let (mut total, mut c) = (0, 0);
    while c < classes.len() {
        let mut g = 0;
        while g < classes[c].len() {
            total += classes[c][g].len();
            g += 1;
        }
        c += 1;
    }
    total
}

/// All rows as one table, at compile time.
pub(super) const fn concatenate<const N: usize>(classes: &[&[&[Row]]]) -> [Row; N] {
    let mut all = [classes[0][0][0]; N];
    let (mut at, mut c) = (0, 0);
    while c < classes.len() {
        let mut g = 0;
        while g < classes[c].len() {
            let mut i = 0;
            while i < classes[c][g].len() {
                all[at] = classes[c][g][i];
                at += 1;
                i += 1;
            }
            g += 1;
        }
        c += 1;
    }
    all
}

/// Rows of this group.
pub static ROWS: &[Row] = &concatenate::<{ count(CLASSES) }>(CLASSES);
