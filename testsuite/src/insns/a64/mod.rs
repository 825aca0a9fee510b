//! What is particular to A64: words, sequences, text, and where qemu is not followed.

mod excused;
mod sequence;
mod text;
mod word;

use super::excuse::Excuse;
use super::{Case, Encoding, InstructionSet, Item, Random, Sequence};
use crate::guest::Target;
use excused::{EXCLUDED, EXCUSES, OTHER_PROCESSOR};
use ir::GuestAddr;
use isa::a64::{Row, rows};
use std::sync::LazyLock;
pub(crate) use text::{branch_to, is_direct_branch};

/// AArch64's instruction set.
pub struct A64;

/// The rows of the decode table, which encodings count.
static ROWS: LazyLock<Vec<&'static Row>> = LazyLock::new(|| rows().collect());

/// Encodings that always raise a signal.
const RAISING: &[&str] = &[
    "BRK",
    "DCPS1",
    "DCPS2",
    "DCPS3",
    "DRPS",
    "ERET",
    "HLT",
    "HVC",
    "MSR (immediate)",
    "SMC",
    "SYS",
    "SYSL",
];

/// Words of each encoding that the ledger looks at.
const SAMPLES: usize = 24;

impl InstructionSet for A64 {
    fn target(&self) -> Target {
        Target::A64
    }

    fn processor(&self) -> &'static str {
        "max,sve=off,pauth=off"
    }

    fn other_processor(&self) -> (&'static str, &'static [&'static str]) {
        OTHER_PROCESSOR
    }

    fn modes(&self) -> &'static str {
        // RMode, FZ, DN, AHP, FZ16.
        "7c80000"
    }

    fn encodings(&self) -> Vec<Encoding> {
        let encoding = |(index, row): (usize, &&'static Row)| Encoding {
            name: row.name,
            feature: (row.feature as usize, format!("{:?}", row.feature)),
            index,
            excluded: EXCLUDED.iter().find(|e| e.0 == row.name).map(|e| e.1),
            raises: RAISING.contains(&row.name),
        };
        ROWS.iter().enumerate().map(encoding).collect()
    }

    fn case(&self, encoding: &Encoding, first: bool, random: &mut Random) -> Option<Case> {
        word::case(ROWS[encoding.index], first, random)
    }

    fn is_defined(&self, case: &Case) -> bool {
        isa::a64::is_defined(case.seed)
    }

    fn samples(&self, encoding: &Encoding) -> Vec<Vec<u8>> {
        let row = ROWS[encoding.index];
        let mut random = Random(u64::from(row.bits().1) | 1 << 40);
        (0..40 * SAMPLES)
            .map(|_| word::word(row, word::Registers::Any, &mut random))
            .filter(|w| {
                isa::a64::decode(*w).is_some_and(|r| std::ptr::eq(r, row)) && isa::a64::is_defined(*w)
            })
            .take(SAMPLES)
            .map(|w| w.to_le_bytes().to_vec())
            .collect()
    }

    fn entry(&self, _: &Encoding) -> GuestAddr {
        GuestAddr(0)
    }

    fn sequence(&self, length: usize, random: &mut Random) -> Sequence {
        sequence::sequence(length, random)
    }

    fn write(&self, text: &mut String, number: usize, case: &Case) {
        text::write(text, number, case);
    }

    fn excuses(&self) -> &'static [Excuse] {
        EXCUSES
    }

    fn describe(&self, case: &Case) -> String {
        let one = |i: &Item| match *i {
            Item::Word(w) => line(w, ""),
            Item::Skip(w, n) => line(w, &format!(" over {n}")),
        };
        format!("{:?}\n{}", case.layout, case.items.iter().map(one).collect::<Vec<_>>().join("\n"))
    }
}

fn line(w: u32, more: &str) -> String {
    let row = isa::a64::decode(w).map_or("unallocated", |r| r.name);
    format!("{w:08x} {}{more} [{row}]", isa::a64::decode::disassemble(w, GuestAddr(0)))
}
