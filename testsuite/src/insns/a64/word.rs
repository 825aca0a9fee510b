//! One random case of an encoding: its operands, what must come before it, and what the states must provide so that it
//! does something worth comparing. Takes a row and random numbers, gives a case.

use crate::insns::{Case, Item, Layout, Needs, Random};
use isa::a64::{Feature, Row};

/// Registers that a word may use.
#[derive(Clone, Copy)]
pub enum Registers {
    /// All but x30, often few of them, and 31 more often than by chance.
    Any,
    /// The first five; accesses have bases in x16–x23 and indices in x8–x11, as sequences need.
    Five,
}

/// x16–x23, which point into the window.
pub const POINTERS: u32 = 0xff_0000;

/// Bits `hi..=lo` of `w`.
fn bits(w: u32, hi: u32, lo: u32) -> u32 {
    w >> lo & ((1 << (hi - lo + 1)) - 1)
}

fn set(w: u32, hi: u32, lo: u32, value: u32) -> u32 {
    let mask = ((1 << (hi - lo + 1)) - 1) << lo;
    w & !mask | value << lo & mask
}

/// True for loads, stores and what else has a base register.
pub fn is_memory(w: u32) -> bool {
    w >> 25 & 5 == 4
}

/// True for cache maintenance by address.
fn is_cache(w: u32) -> bool {
    w & 0xfff8_f000 == 0xd508_7000
}

/// A random word of `row`, with operands that it can be executed with.
pub fn word(row: &Row, registers: Registers, random: &mut Random) -> u32 {
    let (mask, value) = row.bits();
    let letters: Vec<char> = row.pattern.chars().filter(|c| *c != ' ').collect();
    let field = |hi: usize, letter: char| letters[31 - hi..36 - hi].iter().all(|c| *c == letter);
    let mut w = value | random.word() & !mask;
    let memory = is_memory(w);
    let writeback = row.name.contains("-index");
    let few = match registers {
        Registers::Five => 5,
        Registers::Any if random.one_in(4) => 2 + random.below(3),
        Registers::Any => 30,
    };
    let first = if few < 5 && matches!(registers, Registers::Any) { random.below(20) } else { 0 };
    for (hi, names) in [(4, "dt"), (9, "n"), (14, "aut"), (20, "ms")] {
        if !names.chars().any(|l| field(hi, l)) {
            continue;
        }
        let shift = hi as u32 - 4;
        let mut r = bits(w, hi as u32, shift);
        if r != 31 {
            r = if random.one_in(16) { 31 } else { first + r % few };
        }
        let index = field(hi, 'm');
        r = match registers {
            _ if memory && hi == 9 => {
                if r == 31 {
                    31
                } else {
                    16 + r % 8
                }
            }
            Registers::Any if memory && index && r != 31 => r % 8,
            Registers::Five if memory && index && r != 31 => 8 + r % 4,
            // A base register that is loaded or stored: not if it is written back.
            _ if memory && (16..24).contains(&r) && (writeback || !random.one_in(3)) => r - 16,
            _ => r,
        };
        w = set(w, hi as u32, shift, r);
    }
    if row.name.contains("(literal") {
        // From nearby text, or far below the program; its data changes with what the engines print.
        let near = (random.word() & 31).wrapping_sub(16);
        w = set(w, 23, 5, if random.one_in(4) { 0x40000 } else { near });
    }
    if is_cache(w) {
        w = w & !31 | (16 + (w & 7));
    }
    w
}

/// Read-write system registers of EL0: NZCV, FPCR, FPSR, TPIDR_EL0; and others that it can read or not, as bits 20:5.
const SYSTEM_REGISTERS: [u32; 14] = [
    0xda10, 0xda20, 0xda21, 0xde82, 0xda10, 0xda20, 0xda21, 0xde82, 0xde83, 0xd801, 0xd807, 0xdf00, 0xc000,
    0xc020,
];

/// A random case of `row`, the first of it or a further one. None if the word drawn belongs to another row, or cannot be
/// compared at all.
pub fn case(row: &'static Row, first: bool, random: &mut Random) -> Option<Case> {
    let mut w = word(row, Registers::Any, random);
    let mut layout = Layout::Plain;
    let mut needs = Needs::default();
    let mut before = Vec::new();
    match row.name {
        "B" | "BL" | "B.cond" | "CBZ" | "CBNZ" | "TBZ" | "TBNZ" => layout = landings(random, 0),
        "BR" | "BLR" | "RET" => {
            // x30, too; the zero register jumps to nowhere.
            let n = if first {
                17
            } else if random.one_in(6) {
                30
            } else {
                bits(w, 9, 5)
            };
            w = set(w, 9, 5, n);
            let off = if !first && random.one_in(8) { 1 + u64::from(random.below(3)) } else { 0 };
            layout = landings(random, off);
            let slot = if n == 30 { 31 } else { n };
            if n != 31 {
                needs.kind = Needs::TARGET | slot << Needs::REGISTER_SHIFT;
            }
        }
        // Semihosting in qemu.
        "HLT" if bits(w, 20, 5) == 0xf000 => return None,
        "SVC" => needs.kind = Needs::SYSCALL,
        "MRS" | "MSR (register)" => {
            if !random.one_in(4) {
                let r = SYSTEM_REGISTERS[random.below(14) as usize];
                w = set(w, 20, 5, r | 1 << 15);
            }
            // The counters.
            if row.name == "MRS" && bits(w, 18, 12) == 0x3e {
                return None;
            }
            // Of FPCR and FPSR only what AArch64 has; qemu's processor knows AArch32, too. AND Xt, Xt, #….
            let t = bits(w, 4, 0);
            match bits(w, 19, 5) | 1 << 15 {
                0xda20 if row.name != "MRS" && t != 31 => before.push(0x926a_1000 | t << 5 | t),
                0xda21 if row.name != "MRS" && t != 31 => before.push(0x9240_6c00 | t << 5 | t),
                _ => {}
            }
        }
        _ => {}
    }
    if !isa::a64::decode(w).is_some_and(|r| std::ptr::eq(r, row)) {
        return None;
    }
    if is_memory(w) && !row.name.contains("(literal") || is_cache(w) {
        needs = Needs { kind: needs.kind | Needs::MEMORY, pointers: POINTERS, indices: 0xff, ..needs };
        access(row, w, &mut needs, &mut before, random);
    } else if layout == Layout::Plain
        && before.is_empty()
        && needs.kind == 0
        && uses_x30(row)
        && random.one_in(8)
    {
        layout = Layout::Link;
        w = with_x30(row, w, random);
        if !isa::a64::decode(w).is_some_and(|r| std::ptr::eq(r, row)) {
            return None;
        }
    }
    needs.kind |= class(row, w) << Needs::CLASS_SHIFT;
    let items = before.into_iter().chain([w]).map(Item::Word).collect();
    Some(Case { row: row.name, thumb: false, items, layout, needs, seed: w })
}

fn landings(random: &mut Random, off: u64) -> Layout {
    Layout::Landings { back: random.one_in(3), padding: random.below(5), off }
}

/// True for data processing with general registers in the usual places.
fn uses_x30(row: &Row) -> bool {
    let p: Vec<char> = row.pattern.chars().filter(|c| *c != ' ').collect();
    isa::a64::is_integer_row(row) && p[27..].iter().all(|c| *c == 'd' || *c == 't')
}

fn with_x30(row: &Row, w: u32, random: &mut Random) -> u32 {
    let p: Vec<char> = row.pattern.chars().filter(|c| *c != ' ').collect();
    let fields: Vec<u32> = [(4, "dt"), (9, "n"), (14, "at"), (20, "m")]
        .into_iter()
        .filter(|(hi, names)| p[31 - hi..36 - hi].iter().all(|c| names.contains(*c)))
        .map(|(hi, _)| hi as u32)
        .collect();
    let mut w = w;
    for &hi in &fields {
        if random.one_in(fields.len() as u32) {
            w = set(w, hi, hi - 4, 30);
        }
    }
    w
}

/// For loads and stores: where the base register must point, and what makes exclusives and compare-and-swap succeed.
fn access(row: &Row, w: u32, needs: &mut Needs, before: &mut Vec<u32>, random: &mut Random) {
    let size = bits(w, 31, 30);
    let (n, s) = (bits(w, 9, 5), bits(w, 20, 16));
    let signed = |value: u32, width: u32| (value << (32 - width)) as i32 >> (32 - width);
    if row.pattern.contains("iiiiiiiiiiii") {
        let scale = if row.name.contains("128-bit") { 4 } else { size };
        needs.bias = (bits(w, 21, 10) << scale) as i32;
    } else if row.pattern.contains("iiiiiiiii") && !row.name.contains("post") {
        needs.bias = signed(bits(w, 20, 12), 9);
    } else if row.pattern.contains("iiiiiii") && !row.name.contains("post") {
        // The scale: by opc, and V.
        let scale = if w >> 26 & 1 == 1 { 2 + size } else { 2 + (size >> 1) };
        needs.bias = signed(bits(w, 21, 15), 7) << scale;
    } else if row.name.contains("(register") || row.name.contains(", register") {
        // Option x10 takes 32 bits of the index.
        if bits(w, 13, 13) == 0 {
            needs.kind |= Needs::INDEX_WORD;
        }
    }
    let helper = 24 + random.below(6);
    let half = !random.one_in(3);
    match row.name {
        // A load of the same place and size, into a register that is not in use.
        "STXR{B,H}" | "STLXR{B,H}" if half => before.push(size << 30 | 0x085f_7c00 | n << 5 | helper),
        "STXP" | "STLXP" if half => {
            let second = 24 + (helper - 23) % 6;
            before.push(w & 1 << 30 | 0x887f_0000 | second << 10 | n << 5 | helper);
        }
        // What is compared is there: LDR of that size, LDP.
        "CAS{A}{L}{B,H}" if half && s != n => before.push(size << 30 | 0x3940_0000 | n << 5 | s),
        "CASP{A}{L}" if half && s % 2 == 0 && s < 30 && s != n && s + 1 != n => {
            let x = bits(w, 30, 30);
            before.push(x << 31 | 0x2940_0000 | (s + 1) << 10 | n << 5 | s);
        }
        _ => {}
    }
}

/// What V registers should hold for this word, as the case program counts: 1–3 floating point by width, 4 integers.
fn class(row: &Row, w: u32) -> u32 {
    if isa::a64::is_integer_row(row) {
        return 0;
    }
    let name = row.name.trim_start_matches(['S', 'U']);
    let float = row.name.starts_with('F') || ["CVTF"].iter().any(|p| name.starts_with(p));
    if !float {
        return if row.feature == Feature::AdvSimd { 4 } else { 0 };
    }
    if row.feature == Feature::Fp16 || row.feature == Feature::Fhm || row.name.contains("half") {
        return 1;
    }
    // Scalar data processing has the type in bits 23:22, vectors have sz in bit 22.
    match (row.feature, bits(w, 23, 22)) {
        (Feature::Fp, 0) => 2,
        (Feature::Fp, 1) => 3,
        (Feature::Fp, 3) => 1,
        (_, x) if x & 1 == 0 => 2,
        _ => 3,
    }
}
