//! Random sequences in few registers, so that instructions meet each other's results: what an optimiser can get wrong.
//! Takes a length and random numbers, gives instructions.

use super::excused::{EXCLUDED, EXCUSES, several};
use super::word::{POINTERS, Registers, is_memory, word};
use crate::insns::{Case, Item, Layout, Needs, Random, Sequence, excuse};
use isa::a64::Row;
use std::sync::LazyLock;

/// What reads and writes flags and modes, without its register: NZCV, FPCR, FPSR; CFINV, XAFLAG, AXFLAG.
const SYSTEM: [u32; 9] = [
    0xd53b_4200,
    0xd51b_4200,
    0xd53b_4400,
    0xd51b_4400,
    0xd53b_4420,
    0xd51b_4420,
    0xd500_401f,
    0xd500_403f,
    0xd500_405f,
];

/// Rows that may stand in a sequence: no exceptions, branches and system instructions (chosen apart), nothing that has to
/// be prepared.
static ROWS: LazyLock<[Vec<&Row>; 4]> = LazyLock::new(|| {
    let fit = |r: &&Row| {
        let top = r.bits().1 >> 24;
        let leaves = top & 0x7c == 0x14 || top & 0x7c == 0x34 || top == 0x54 || top & 0xfc == 0xd4;
        // Accesses of which qemu does not check the alignment.
        let unchecked = r.name.starts_with("LDAP") || r.name.starts_with("STX") || r.name.starts_with("STLX");
        !leaves && !unchecked && r.name != "FJCVTZS" && !r.name.contains("(literal")
    };
    let known = |r: &&Row| EXCLUDED.iter().all(|e| e.0 != r.name);
    let all: Vec<&Row> = isa::a64::rows().filter(fit).filter(known).collect();
    let memory = |r: &&Row| is_memory(r.bits().1);
    let flags = |r: &&Row| {
        let n = r.name;
        !memory(r)
            && isa::a64::is_integer_row(r)
            && (n.contains("S (")
                || n.starts_with("CC")
                || n.starts_with("CS")
                || n.starts_with("ADC")
                || n.starts_with("SBC"))
            || ["FCMP", "FCCMP", "FCSEL", "FCMPE"].iter().any(|p| n.starts_with(p))
    };
    [
        all.iter().copied().filter(flags).collect(),
        all.iter().copied().filter(memory).collect(),
        all.iter().copied().filter(|r| !memory(r) && isa::a64::is_integer_row(r)).collect(),
        all.iter().copied().filter(|r| !isa::a64::is_integer_row(r)).collect(),
    ]
});

/// One instruction of a sequence, or two if the second needs the first.
fn items(random: &mut Random) -> Vec<Item> {
    match random.below(25) {
        0 => match SYSTEM[random.below(SYSTEM.len() as u32) as usize] {
            w if w & 31 == 31 => vec![Item::Word(w)],
            // Of FPSR and FPCR only what AArch64 has; qemu's processor knows AArch32, too. AND Xt, Xt, #….
            w @ (0xd51b_4400 | 0xd51b_4420) => {
                let t = random.below(5);
                let and = if w == 0xd51b_4420 { 0x9240_6c00 } else { 0x926a_1000 };
                vec![Item::Word(and | t << 5 | t), Item::Word(w | t)]
            }
            w => vec![Item::Word(w | random.below(5))],
        },
        1 => {
            // B.cond, CBZ, CBNZ, TBZ, TBNZ over some instructions.
            let t = random.below(5);
            let w = match random.below(4) {
                0 | 1 => 0x5400_0000 | random.below(14),
                2 => 0x3400_0000 | random.word() & 0x8100_0000 | t,
                _ => 0x3600_0000 | random.word() & 0x81f8_0000 | t,
            };
            vec![Item::Skip(w, 1 + random.below(4) as usize)]
        }
        24 => {
            // A comparison and a choice between its operands: what is, but for NaNs, a minimum or a maximum.
            let operands = random.word() & 1 << 22 | random.below(5) << 5 | random.below(5) << 16;
            let (n, m) = (operands >> 5 & 31, operands >> 16 & 31);
            let select = if random.below(2) == 0 { operands } else { operands & 1 << 22 | m << 5 | n << 16 };
            let select = 0x1e20_0c00 | select | random.below(16) << 12 | random.below(5);
            vec![Item::Word(0x1e20_2000 | operands | random.below(2) << 4), Item::Word(select)]
        }
        n => {
            let group = match n {
                2..=6 => 0,
                7..=9 => 1,
                10..=14 => 2,
                _ => 3,
            };
            let rows = &ROWS[group];
            let mut w = word(rows[random.below(rows.len() as u32) as usize], Registers::Five, random);
            if w & 0x3b00_0000 == 0x3900_0000 {
                // Near the base: of the offset only six bits.
                w &= !(0xfc0 << 10);
            }
            vec![Item::Word(w)]
        }
    }
}

/// True if the word is an instruction, of a row that may be executed.
fn usable(item: Item) -> bool {
    let w = item.word();
    let known = isa::a64::decode(w).is_some_and(|r| EXCLUDED.iter().all(|e| e.0 != r.name));
    let one = |row| Case {
        row,
        thumb: false,
        items: vec![item],
        layout: Layout::Plain,
        needs: Needs::default(),
        seed: 0,
    };
    known
        && isa::a64::is_defined(w)
        && isa::a64::decode(w)
            .is_some_and(|r| excuse::find(EXCUSES, &one(r.name), "", " signal 4 ").is_none())
}

/// About `length` instructions.
pub fn sequence(length: usize, random: &mut Random) -> Sequence {
    let mut all = Vec::new();
    while all.len() < length {
        let more = items(random);
        if more.iter().all(|i| usable(*i)) {
            all.extend(more);
        }
    }
    // A branch must not come between a write to FPSR or FPCR and what makes its operand fit.
    for i in 0..all.len() {
        if let Item::Skip(w, n) = all[i] {
            let write = all.get(i + 1 + n).is_some_and(|t| t.word() & 0xffff_ffc0 == 0xd51b_4400);
            all[i] = Item::Skip(w, n + usize::from(write));
        }
    }
    let parts = all.iter().any(|i| isa::a64::decode(i.word()).is_some_and(|r| several(r.name)));
    let inside = if parts { Needs::INSIDE } else { 0 };
    let needs =
        Needs { kind: Needs::MEMORY | inside, pointers: POINTERS, indices: 0xf00, ..Needs::default() };
    Sequence { thumb: false, beginnings: (1..all.len()).collect(), items: all, needs }
}
