//! What the comparison leaves out of the integer instructions: UNPREDICTABLE operands, which are undefined here while qemu goes
//! on, often to nowhere.

use crate::case::Case;
use isa::a32::{Feature, Set};

/// The register that the letter stands for in the row's pattern, if it has four bits.
fn register(case: &Case, letter: char) -> Option<u32> {
    let letters: Vec<char> = case.row.pattern.chars().filter(|c| *c != ' ').collect();
    let places: Vec<usize> = (0..letters.len()).filter(|i| letters[*i] == letter).collect();
    let bit = |i: &usize| case.word >> (letters.len() - 1 - i) & 1;
    (places.len() == 4).then(|| places.iter().fold(0, |n, i| n << 1 | bit(i)))
}

/// True if R15 is an operand where it is UNPREDICTABLE, or two results go to one register; for words that are undefined here.
pub fn unpredictable(case: &Case) -> bool {
    let row = case.row;
    if !matches!(row.feature, Feature::Base | Feature::Idiv | Feature::Crc32) {
        return false;
    }
    let is = |names: &[&str]| names.iter().any(|n| row.name.starts_with(n));
    let access = row.pattern.contains("tttt") && !is(&["MCR", "MRC", "MRRC"]);
    let tests = is(&["TST", "TEQ", "CMP", "CMN", "MSR", "MCR", "MRC", "MRRC"]);
    if access || !(tests || register(case, 'd').or(register(case, 'h')).is_some()) {
        return is(&["IT"]) && case.word >> 5 & 7 == 7;
    }
    if is(&["MSR"]) && register(case, 'm') == Some(0) {
        return true;
    }
    let high = register(case, 'h');
    let saturates = row.name.contains("SAT");
    let registers = if saturates { "dn" } else { "dnmathls" };
    registers.chars().any(|c| register(case, c) == Some(15)) || high.is_some() && high == register(case, 'l')
}

/// True if qemu would go on with big-endian data, or if it gives its own counter, or none, or ID registers.
pub fn particular(case: &Case) -> bool {
    let name = case.row.name;
    if name == "MRRC" || name == "MRC" && matches!(case.word >> 16 & 15, 0 | 14) {
        return true;
    }
    let extension = match case.row.set {
        Set::A32 => case.word >> 17,
        _ => case.word >> 9,
    };
    let big = case.word >> if case.at.thumb { 3 } else { 9 } & 1 != 0;
    name.starts_with("SETEND") && big || name.starts_with("MSR (") && extension & 1 != 0
}
