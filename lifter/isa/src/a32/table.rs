//! The encoding tables of AArch32: one row per encoding of A32, T32 (32 bits) and T16 (Thumb's 16 bits), and one for the
//! encodings that A32 and T32 share, Advanced SIMD and floating point. Takes bits, gives rows; knows nothing of what an
//! instruction does.

use super::Place;
use super::cx::Cx;
use crate::cx::Lift;
use std::sync::OnceLock;

/// What an encoding belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Set {
    /// A32: 32 bits. A pattern that begins with `cccc` does not match condition 1111, the unconditional space.
    A32,
    /// Thumb, 16 bits.
    T16,
    /// Thumb, 32 bits: the first halfword in bits 31:16.
    T32,
    /// Advanced SIMD, floating point and coprocessor 14 and 15 encodings, in A32's form: T32 has the same ones elsewhere (Arm
    /// ARM F3.1: `1110 11` is A32's with condition 1110, `111U 1111` is `1111 001U`, `1111 1001` is `1111 0100`).
    Both,
}

/// Architecture feature that an encoding belongs to (Linux HWCAP names).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Feature {
    /// Armv7-A without what follows, and Armv8-A's additions that need no announcement.
    Base,
    /// SDIV and UDIV (HWCAP_IDIVA, HWCAP_IDIVT).
    Idiv,
    /// VFPv2, VFPv3.
    Vfp,
    /// VFPv4: fused multiply-add (HWCAP_VFPv4).
    Vfp4,
    /// Advanced SIMD (HWCAP_NEON).
    Neon,
    /// Armv8's VRINT, VSEL, VMAXNM, VCVTA and their like.
    Fp8,
    /// CRC32 (HWCAP2_CRC32).
    Crc32,
    /// AES and VMULL.P64 (HWCAP2_AES, HWCAP2_PMULL).
    Aes,
    /// SHA-1 (HWCAP2_SHA1).
    Sha1,
    /// SHA-256 (HWCAP2_SHA2).
    Sha2,
}

/// One encoding.
#[derive(Clone, Copy)]
pub struct Row {
    /// Name as the Arm ARM titles it, with the variant: `ADD (immediate)`. Unique in its set.
    pub name: &'static str,
    /// Set.
    pub set: Set,
    /// 32 characters (T16: 16), most significant first: `0`, `1`, or a letter for an operand bit; spaces are for reading.
    /// Of the bits `S` one at least is zero (a size that is not 11), of the bits `H` one at least is one (an immh that is not 0).
    pub pattern: &'static str,
    /// Feature.
    pub feature: Feature,
    /// Lifts a word of this encoding as if its condition held; `Err(Undefined)` for operand values that the manual calls
    /// UNDEFINED or UNPREDICTABLE.
    pub lift: fn(&mut Cx<'_, '_>, u32) -> Lift,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} [{}]", self.set, self.name, self.pattern)
    }
}

impl Row {
    /// (mask, value): a word belongs to the row if `word & mask == value`. Panics on a malformed pattern, which a test rules
    /// out.
    pub fn bits(&self) -> (u32, u32) {
        let (mut mask, mut value, mut n) = (0u32, 0u32, 0);
        for c in self.pattern.chars().filter(|c| *c != ' ') {
            let fixed = matches!(c, '0' | '1') as u32;
            mask = mask << 1 | fixed;
            value = value << 1 | (c == '1') as u32;
            n += 1;
        }
        let expected = if self.set == Set::T16 { 16 } else { 32 };
        assert_eq!(n, expected, "pattern of {} has {n} bits", self.name);
        (mask, value)
    }

    /// The bits of a letter.
    fn letters(&self, letter: char) -> u32 {
        let bits = self.pattern.chars().filter(|c| *c != ' ');
        bits.fold(0, |mask, c| mask << 1 | (c == letter) as u32)
    }

    /// True if `word`, in the form of its set, has the pattern; of those that do, decoding takes the row with most fixed bits.
    pub fn matches(&'static self, word: u32) -> bool {
        Entry::new(self).matches(word)
    }

    /// True for A32 encodings with a condition.
    pub fn conditional(&self) -> bool {
        self.pattern.starts_with("cccc")
    }
}

/// Rows in compact form: `Set: "name" "pattern" Feature lift;`, `lift` being a function or a closure.
macro_rules! row_table {
    ($set:ident: $($name:literal $pattern:literal $feature:ident $lift:expr;)*) => {
        &[$($crate::a32::table::Row {
            name: $name,
            set: $crate::a32::table::Set::$set,
            pattern: $pattern,
            feature: $crate::a32::table::Feature::$feature,
            lift: $lift,
        }),*]
    };
}
pub(super) use row_table;

/// All rows of all sets.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    super::GROUPS.iter().chain(super::simd::GROUPS).flat_map(|g| g.iter())
}

/// An instruction's bytes and what they mean where they stand.
#[derive(Clone, Copy, Debug)]
pub struct Insn {
    /// Its encoding; `None`: unallocated.
    pub row: Option<&'static Row>,
    /// The word in the form of its row's set.
    pub word: u32,
    /// Length in bytes: 2 or 4.
    pub len: u32,
    /// Its condition, 0–14 (14: always).
    pub cond: u32,
}

/// The condition of encodings without one.
const ALWAYS: u32 = 14;

/// True if `half`, in Thumb state, is the first half of a 32-bit instruction.
pub const fn is_wide(half: u16) -> bool {
    half >> 11 >= 0b11101
}

/// Decodes the A32 word, or the T32 (first halfword in bits 31:16) or T16 one, at `place`.
pub fn decode(place: Place, word: u32) -> Insn {
    let index = index();
    if !place.thumb {
        let top = word >> 28;
        let found = index.both(word).or_else(|| index.a32(word));
        return Insn { row: found, word, len: 4, cond: if top == 15 { ALWAYS } else { top } };
    }
    let cond = place.it_condition();
    if word >> 16 == 0 {
        let row = index.t16.find(word, word >> 8);
        // BKPT is executed whatever the condition.
        let cond = if word >> 8 == 0xbe { ALWAYS } else { cond };
        return Insn { row, word, len: 2, cond: cond.min(ALWAYS) };
    }
    let shared = shared_form(word).and_then(|w| index.both(w).map(|r| (r, w)));
    let (row, word) = match shared {
        Some((row, w)) => (Some(row), w),
        None => (index.t32.find(word, word >> 20), word),
    };
    Insn { row, word, len: 4, cond: cond.min(ALWAYS) }
}

/// A32's form of a T32 word of the spaces that both share.
fn shared_form(word: u32) -> Option<u32> {
    match word >> 24 {
        0xec..=0xee | 0xfc..=0xfe => Some(word),
        0xef | 0xff => Some(0xf200_0000 | (word >> 28 & 1) << 24 | word & 0x00ff_ffff),
        0xf9 if word >> 20 & 1 == 0 => Some(0xf400_0000 | word & 0x00ff_ffff),
        _ => None,
    }
}

/// Entries of one set by some of their bits, the most specific first.
struct Buckets {
    /// Per value of the bits.
    buckets: Vec<Vec<Entry>>,
}

/// A row as it is compared with words.
#[derive(Clone, Copy)]
struct Entry {
    mask: u32,
    value: u32,
    /// Bits that are not all ones, and bits that are not all zeros; 0 for none.
    not_ones: u32,
    not_zeros: u32,
    row: &'static Row,
}

impl Entry {
    fn new(row: &'static Row) -> Entry {
        let (mask, value) = row.bits();
        Entry { mask, value, not_ones: row.letters('S'), not_zeros: row.letters('H'), row }
    }

    fn matches(&self, word: u32) -> bool {
        word & self.mask == self.value
            && (self.not_ones == 0 || word & self.not_ones != self.not_ones)
            && (self.not_zeros == 0 || word & self.not_zeros != 0)
    }
}

impl Buckets {
    /// Rows that `choose` takes, by the `bits` bits from `low` on.
    fn new(choose: impl Fn(&Row) -> bool, low: u32, bits: u32) -> Buckets {
        let mut all: Vec<_> = rows().filter(|r| choose(r)).map(Entry::new).collect();
        all.sort_by_key(|e| std::cmp::Reverse(e.mask.count_ones()));
        let mut buckets = vec![Vec::new(); 1 << bits];
        for (i, bucket) in buckets.iter_mut().enumerate() {
            let (mask, value) = (((1u32 << bits) - 1) << low, (i as u32) << low);
            bucket.extend(all.iter().filter(|e| (e.value ^ value) & e.mask & mask == 0));
        }
        Buckets { buckets }
    }

    /// The row that `word` belongs to: of those that match, the one with most fixed bits.
    fn find(&self, word: u32, bucket: u32) -> Option<&'static Row> {
        let bucket = &self.buckets[bucket as usize & (self.buckets.len() - 1)];
        bucket.iter().find(|e| e.matches(word)).map(|e| e.row)
    }
}

struct Index {
    conditional: Buckets,
    unconditional: Buckets,
    t16: Buckets,
    t32: Buckets,
    both_conditional: Buckets,
    both_unconditional: Buckets,
}

impl Index {
    fn a32(&self, word: u32) -> Option<&'static Row> {
        match word >> 28 {
            15 => self.unconditional.find(word, word >> 20),
            _ => self.conditional.find(word, word >> 20),
        }
    }

    fn both(&self, word: u32) -> Option<&'static Row> {
        match word >> 28 {
            15 => self.both_unconditional.find(word, word >> 20),
            _ => self.both_conditional.find(word, word >> 20),
        }
    }
}

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let of = |set: Set, conditional: bool, bits: u32| {
            Buckets::new(move |r| r.set == set && r.conditional() == conditional, 20, bits)
        };
        Index {
            conditional: of(Set::A32, true, 8),
            unconditional: of(Set::A32, false, 8),
            t16: Buckets::new(|r| r.set == Set::T16, 8, 8),
            t32: of(Set::T32, false, 12),
            both_conditional: of(Set::Both, true, 8),
            both_unconditional: of(Set::Both, false, 8),
        }
    })
}
