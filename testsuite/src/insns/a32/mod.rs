//! What is particular to AArch32, A32 and Thumb: words, sequences, text, and where qemu is not followed.

mod excused;
mod meaning;
mod sequence;
mod text;
mod word;

use super::excuse::Excuse;
use super::{Case, Encoding, InstructionSet, Item, Random, Sequence};
use crate::guest::Target;
use excused::{EXCLUDED, EXCUSES};
use ir::GuestAddr;
use isa::a32::{Place, Row, Set, decode, decode::disassemble, is_it, rows};
pub(crate) use meaning::bytes;
use std::sync::LazyLock;
pub(crate) use text::{branch_to, is_direct_branch};
pub(crate) use word::{comparable, thumb_form};

/// AArch32's instruction sets. A program has A32 and Thumb cases.
pub struct A32;

/// An encoding in one of the states that it exists in.
pub struct Tested {
    /// The row of the decode table.
    pub row: &'static Row,
    /// In Thumb state.
    pub thumb: bool,
    /// Its name with the set as it is executed: `T32 ADC, ADCS (register)`.
    pub title: String,
    /// No word of it does anything but raise a signal.
    pub raises: bool,
    /// It may access memory.
    pub accesses: bool,
}

/// Where the instructions of cases are lifted.
const START: u32 = 0x1000;

/// All encodings, which [`Encoding::index`] counts.
static TESTED: LazyLock<Vec<Tested>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for row in rows() {
        let states: &[bool] = match row.set {
            Set::A32 => &[false],
            Set::T16 | Set::T32 => &[true],
            Set::Both => &[false, true],
        };
        for &thumb in states {
            let set = match (row.set, thumb) {
                (Set::Both, true) => Set::T32,
                (Set::Both, false) => Set::A32,
                (set, _) => set,
            };
            let title = format!("{set:?} {}", row.name);
            all.push(Tested::new(row, thumb, title));
        }
    }
    all
});

impl Tested {
    fn new(row: &'static Row, thumb: bool, title: String) -> Tested {
        let mut tested = Tested { row, thumb, title, raises: true, accesses: false };
        let mut random = Random(1);
        let at = Place { addr: START, thumb, it: 0, passed: false };
        for _ in 0..200 {
            let w = word::plain(&tested, &mut random);
            if !tested.is(at, w) {
                continue;
            }
            let Some(meaning) = meaning::lift(w, at) else { continue };
            if meaning.leaves() != meaning::Leaves::Trap {
                tested.raises = false;
                tested.accesses = meaning.address().is_some();
                break;
            }
        }
        tested
    }

    /// True if the word is one of this encoding.
    pub fn is(&self, at: Place, w: u32) -> bool {
        decode(at, w).row.is_some_and(|r| std::ptr::eq(r, self.row))
    }
}

/// Words of each encoding that the ledger looks at; most encodings are there twice, for A32 and T32.
const SAMPLES: usize = 3;

impl InstructionSet for A32 {
    fn target(&self) -> Target {
        Target::A32
    }

    fn processor(&self) -> &'static str {
        "max"
    }

    fn other_processor(&self) -> (&'static str, &'static [&'static str]) {
        ("max", &[])
    }

    fn modes(&self) -> &'static str {
        // RMode, FZ, DN, AHP.
        "7c00000"
    }

    fn encodings(&self) -> Vec<Encoding> {
        let encoding = |(index, t): (usize, &'static Tested)| Encoding {
            name: &t.title,
            feature: (t.row.feature as usize, format!("{:?}", t.row.feature)),
            index,
            excluded: EXCLUDED.iter().find(|e| e.0 == t.row.name).map(|e| e.1),
            raises: t.raises,
        };
        TESTED.iter().enumerate().map(encoding).collect()
    }

    fn case(&self, encoding: &Encoding, first: bool, random: &mut Random) -> Option<Case> {
        word::case(&TESTED[encoding.index], first, random)
    }

    fn is_defined(&self, _: &Case) -> bool {
        // Of encodings that have defined words, no others are executed: see `word::case`.
        true
    }

    fn samples(&self, encoding: &Encoding) -> Vec<Vec<u8>> {
        let t = &TESTED[encoding.index];
        let at = Place { addr: START, thumb: t.thumb, it: 0, passed: false };
        let mut random = Random(u64::from(t.row.bits().1) | 1 << 40);
        (0..40 * SAMPLES)
            .map(|_| word::word(t, word::Registers::Any, 14, &mut random))
            .filter(|w| t.is(at, *w) && meaning::lift(*w, at).is_some())
            .take(SAMPLES)
            .map(|w| meaning::bytes(t.thumb, w))
            .collect()
    }

    fn entry(&self, encoding: &Encoding) -> GuestAddr {
        Place { addr: 0, thumb: TESTED[encoding.index].thumb, it: 0, passed: false }.into()
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
        let mut at = Place { addr: 0, thumb: case.thumb, it: 0, passed: false };
        let mut lines = vec![format!("{:?} {}", case.layout, if case.thumb { "Thumb" } else { "A32" })];
        for item in &case.items {
            let w = item.word();
            let over = if let Item::Skip(_, n) = item { format!(" over {n}") } else { String::new() };
            let row = decode(at, w).row.map_or("unallocated", |r| r.name);
            lines.push(format!("{w:08x} {}{over} [{row}]", disassemble(at, w)));
            at = at.next(meaning::length(case.thumb, w));
            if case.thumb && w >> 16 == 0 && is_it(w) {
                at.it = w as u8;
            }
        }
        lines.join("\n")
    }
}
