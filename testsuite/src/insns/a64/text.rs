//! The assembly text of A64's cases. Takes cases, gives text; knows nothing of what the instructions do but how far a branch
//! goes.

use crate::insns::{Case, Item, LOOPS, Layout, Needs};
use std::fmt::Write as _;

/// BRK #1: a stop.
const STOP: u32 = 0xd420_0020;

/// Back to the caller although x30 may be anything; it goes to the thread pointer, to be seen.
const EXIT: &str = "\tmsr tpidr_el0, x30\n\tadrp x30, run_ret\n\tadd x30, x30, :lo12:run_ret\n\tret\n";
/// Instructions in it.
const EXIT_WORDS: i32 = 4;

/// A direct branch with this offset in instructions.
pub fn branch_to(w: u32, offset: i32) -> u32 {
    let field = |bits: u32, at: u32| {
        let mask = (1 << bits) - 1;
        w & !(mask << at) | (offset as u32 & mask) << at
    };
    match w >> 24 & 0x7e {
        0x14 | 0x16 => field(26, 0),
        0x36 => field(14, 5),
        _ => field(19, 5),
    }
}

/// True for branches whose target is in the instruction.
pub fn is_direct_branch(w: u32) -> bool {
    matches!(w >> 24 & 0x7e, 0x14 | 0x16 | 0x34 | 0x36) || w >> 24 == 0x54
}

/// Appends the text of case `i`.
pub fn write(s: &mut String, i: usize, c: &Case) {
    let word = |s: &mut String, w: u32| {
        let _ = writeln!(s, "\t.inst 0x{w:08x}");
    };
    if let Layout::Landings { .. } = c.layout {
        let _ = writeln!(s, "b{i}:\tsub sp, sp, #32\n{EXIT}");
    }
    let _ = writeln!(s, "\t.type c{i}, %function\nc{i}:");
    if c.layout == Layout::Link || c.needs.kind & Needs::TARGET != 0 {
        s.push_str("\tmrs x30, tpidr_el0\n");
    }
    if c.layout == Layout::Loop {
        let _ = writeln!(s, "\tmov x30, #{LOOPS}\nl{i}:");
    }
    for (n, item) in c.items.iter().enumerate() {
        let left = c.items.len() - n - 1;
        match *item {
            Item::Word(w) => match c.layout {
                Layout::Landings { back, padding, .. } if is_direct_branch(w) => {
                    let off = if back { -(1 + EXIT_WORDS) } else { 1 + EXIT_WORDS + padding as i32 };
                    word(s, branch_to(w, off));
                }
                _ => word(s, w),
            },
            Item::Skip(w, over) => {
                let over = over.min(left) as i32;
                word(s, branch_to(w, 1 + if c.layout == Layout::Stops { 1 + 2 * over } else { over }));
            }
        }
        if c.layout == Layout::Stops {
            word(s, STOP);
        }
    }
    match c.layout {
        Layout::Plain | Layout::Stops => s.push_str("\tret\n"),
        Layout::Link => s.push_str(EXIT),
        Layout::Loop => {
            let _ = writeln!(s, "\tsub x30, x30, #1\n\tcbnz x30, l{i}\n{EXIT}");
        }
        Layout::Landings { padding, .. } => {
            s.push_str(EXIT);
            for _ in 0..padding {
                s.push_str("\tnop\n");
            }
            let _ = writeln!(s, "f{i}:\tsub sp, sp, #16\n{EXIT}");
        }
    }
    let _ = writeln!(s, "\t.size c{i}, . - c{i}");
}
