//! The assembly text of AArch32's cases. Takes cases, gives text; knows nothing of what the instructions do but how far a
//! branch goes.

use super::meaning::length;
use crate::insns::{Case, Item, LOOPS, Layout};
use isa::a32::{Place, is_it};
use std::fmt::Write as _;

/// Takes LR from TPIDRURW: 4 bytes.
const LINK: &str = "\tmrc p15, 0, lr, c13, c0, 2\n";
/// Back to the caller although LR may be anything; it goes to TPIDRURW, to be seen.
const EXIT: &str =
    "\tmcr p15, 0, lr, c13, c0, 2\n\tmovw lr, #:lower16:run_ret\n\tmovt lr, #:upper16:run_ret\n\tbx lr\n";

/// Bytes of [`EXIT`].
fn exit_length(thumb: bool) -> i32 {
    if thumb { 14 } else { 16 }
}

/// A breakpoint.
fn stop(thumb: bool) -> u32 {
    if thumb { 0xbe00 } else { 0xe120_0070 }
}

/// True if the case begins with [`LINK`].
fn links(c: &Case) -> bool {
    c.layout == Layout::Link || matches!(c.layout, Layout::Landings { .. })
}

/// The state of ITSTATE behind each item.
fn it_states(c: &Case) -> Vec<u8> {
    let mut at = Place { addr: 0, thumb: c.thumb, it: 0, passed: false };
    let behind = |i: &Item| {
        let w = i.word();
        at = at.next(length(c.thumb, w));
        if c.thumb && w >> 16 == 0 && is_it(w) {
            at.it = w as u8;
        }
        at.it
    };
    c.items.iter().map(behind).collect()
}

/// Instructions before the items, in bytes.
fn head_length(c: &Case) -> i32 {
    if links(c) || c.layout == Layout::Loop { 4 } else { 0 }
}

/// Where each item of a case stands, and the landing places, in bytes from its entry.
pub struct Positions {
    /// The items, and what is behind the last.
    pub items: Vec<i32>,
    /// The landing place that the case has.
    pub landing: i32,
}

/// The positions in a case's text.
pub fn positions(c: &Case) -> Positions {
    let mut at = head_length(c);
    let mut items = vec![at];
    for (item, it) in c.items.iter().zip(it_states(c)) {
        at += length(c.thumb, item.word()) as i32;
        if c.layout == Layout::Stops && it & 15 == 0 {
            at += length(c.thumb, stop(c.thumb)) as i32;
        }
        items.push(at);
    }
    let words = |bytes: i32| (bytes + 3) & !3;
    let landing = match c.layout {
        // Its SUB, too.
        Layout::Landings { back: true, off, .. } if off & 1 != 0 => -words(2 + exit_length(true)),
        Layout::Landings { back: true, .. } => -words(4 + exit_length(false)),
        Layout::Landings { padding, .. } => words(at + exit_length(c.thumb)) + 4 * padding as i32,
        _ => 0,
    };
    Positions { items, landing }
}

/// A direct branch with the offset from its own address.
pub fn branch_to(thumb: bool, w: u32, offset: i32) -> u32 {
    let field = |w: u32, bits: u32, at: u32, value: i32| {
        let mask = (1 << bits) - 1;
        w & !(mask << at) | (value as u32 & mask) << at
    };
    let o = offset - if thumb { 4 } else { 8 };
    if !thumb {
        // BLX: bit 24 counts halfwords.
        let w = if w >> 28 == 15 { field(w, 1, 24, o >> 1) } else { w };
        return field(w, 24, 0, o >> 2);
    }
    if w >> 16 == 0 {
        return match w >> 12 {
            0xb => field(field(w, 5, 3, o >> 1), 1, 9, o >> 6),
            0xd => field(w, 8, 0, o >> 1),
            _ => field(w, 11, 0, o >> 1),
        };
    }
    let sign = o >> 31;
    if w >> 12 & 5 == 0 {
        // Conditional.
        let w = field(field(w, 11, 0, o >> 1), 6, 16, o >> 12);
        return field(field(field(w, 1, 13, o >> 18), 1, 11, o >> 19), 1, 26, sign);
    }
    let w = field(field(w, 11, 0, o >> 1), 10, 16, o >> 12);
    field(field(field(w, 1, 13, !(o >> 23 ^ sign)), 1, 11, !(o >> 22 ^ sign)), 1, 26, sign)
}

/// True for branches whose target is in the instruction.
pub fn is_direct_branch(thumb: bool, w: u32) -> bool {
    match (thumb, w >> 16) {
        (false, _) => w >> 25 & 7 == 5,
        (true, 0) => w >> 12 == 0xd && w >> 9 != 0x6f || w >> 11 == 0x1c || w & 0xf500 == 0xb100,
        (true, _) => w >> 27 == 0x1e && w >> 15 & 1 == 1 && (w >> 12 & 5 != 0 || w >> 23 & 7 != 7),
    }
}

/// True for BLX to an address in the instruction.
pub fn changes_state(thumb: bool, w: u32) -> bool {
    if thumb { w >> 27 == 0x1e && w >> 12 & 13 == 12 } else { w >> 25 == 0x7d }
}

fn state(thumb: bool) -> &'static str {
    if thumb { "\t.thumb\n" } else { "\t.balign 4\n\t.arm\n" }
}

/// Appends the text of case `i`.
pub fn write(s: &mut String, i: usize, c: &Case) {
    let word = |s: &mut String, w: u32| {
        let _ = match (c.thumb, w >> 16) {
            (false, _) => writeln!(s, "\t.inst 0x{w:08x}"),
            (true, 0) => writeln!(s, "\t.inst.n 0x{w:04x}"),
            (true, _) => writeln!(s, "\t.inst.w 0x{w:08x}"),
        };
    };
    if i == 0 {
        s.push_str("\t.syntax unified\n\t.arch armv8-a\n");
    }
    let landing = |s: &mut String, name: char, off: u64, bytes: u32| {
        s.push_str(state(off & 1 != 0));
        let _ = writeln!(s, "\t.balign 4\n{name}{i}:\tsub sp, sp, #{bytes}\n{EXIT}\t.balign 4");
    };
    if let Layout::Landings { back: true, off, .. } = c.layout {
        landing(s, 'b', off, 32);
    }
    s.push_str("\t.balign 4\n");
    s.push_str(state(c.thumb));
    let thumb_func = if c.thumb { "\t.thumb_func\n" } else { "" };
    let _ = writeln!(s, "{thumb_func}\t.type c{i}, %function\nc{i}:");
    if links(c) {
        s.push_str(LINK);
    }
    if c.layout == Layout::Loop {
        // Four bytes in either state.
        let _ = writeln!(s, "\tmovw lr, #{LOOPS}\nl{i}:");
    }
    let positions = positions(c);
    for (n, (item, it)) in c.items.iter().zip(it_states(c)).enumerate() {
        match *item {
            Item::Word(w) if links(c) && is_direct_branch(c.thumb, w) => {
                // BLX to A32 counts from a multiple of 4.
                let from = if c.thumb && changes_state(true, w) { !3 } else { !0 };
                word(s, branch_to(c.thumb, w, positions.landing - (positions.items[n] & from)));
            }
            Item::Word(w) => word(s, w),
            Item::Skip(w, over) => {
                let to = positions.items[(n + 1 + over).min(c.items.len())];
                word(s, branch_to(c.thumb, w, to - positions.items[n]));
            }
        }
        if c.layout == Layout::Stops && it & 15 == 0 {
            word(s, stop(c.thumb));
        }
    }
    if c.layout == Layout::Loop {
        let _ = writeln!(s, "\tsubs lr, lr, #1\n\tbne l{i}");
    }
    s.push_str(if links(c) || c.layout == Layout::Loop { EXIT } else { "\tbx lr\n" });
    if let Layout::Landings { back: false, padding, off } = c.layout {
        s.push_str("\t.balign 4\n");
        for _ in 0..padding {
            word(s, if c.thumb { 0xf3af_8000 } else { 0xe320_f000 });
        }
        landing(s, 'f', off, 16);
    }
    let _ = writeln!(s, "\t.size c{i}, . - c{i}");
}
