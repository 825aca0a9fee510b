//! The encoding table of A64: one row per encoding, a bit string with the manual's name, the architecture feature and
//! the function that lifts it. The same rows drive decoding, the random-instruction tests and the coverage page.
//! Takes a word, gives its row; knows nothing of what the instruction does.

use super::cx::{Cx, Lift};
use std::sync::OnceLock;

/// Architecture feature that an encoding belongs to (Arm ARM D17 ID registers, Linux HWCAP names).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Feature {
    /// Armv8.0 base.
    Base,
    /// Scalar floating point.
    Fp,
    /// Advanced SIMD.
    AdvSimd,
    /// Half-precision arithmetic (FEAT_FP16).
    Fp16,
    /// FEAT_CRC32.
    Crc32,
    /// FEAT_LSE.
    Lse,
    /// FEAT_LRCPC, FEAT_LRCPC2.
    Lrcpc,
    /// FEAT_RDM.
    Rdm,
    /// FEAT_AES, FEAT_PMULL.
    Aes,
    /// FEAT_SHA1.
    Sha1,
    /// FEAT_SHA256.
    Sha256,
    /// FEAT_SHA512.
    Sha512,
    /// FEAT_SHA3.
    Sha3,
    /// FEAT_DotProd.
    DotProd,
    /// FEAT_JSCVT.
    JsCvt,
    /// FEAT_FCMA.
    Fcma,
    /// FEAT_FHM.
    Fhm,
    /// FEAT_FlagM, FEAT_FlagM2.
    FlagM,
    /// FEAT_FRINTTS.
    FrintTs,
    /// FEAT_PAuth and FEAT_BTI in the hint space.
    Hints,
    /// FEAT_DPB, FEAT_DPB2.
    Dpb,
    /// FEAT_SB.
    Sb,
    /// FEAT_I8MM.
    I8mm,
}

/// One encoding.
#[derive(Clone, Copy)]
pub struct Row {
    /// Name as the Arm ARM titles it, with the variant: `ADD (immediate)`. Unique in the table.
    pub name: &'static str,
    /// 32 characters, bit 31 first: `0`, `1`, or a letter for an operand bit; spaces are for reading.
    pub pattern: &'static str,
    /// Feature.
    pub feature: Feature,
    /// Lifts a word of this encoding; `Err(Undefined)` for operand values that the manual calls UNDEFINED.
    pub lift: fn(&mut Cx<'_, '_>, u32) -> Lift,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]", self.name, self.pattern)
    }
}

impl Row {
    /// (mask, value): a word belongs to the row if `word & mask == value`. Panics on a malformed pattern, which a test
    /// rules out.
    pub fn bits(&self) -> (u32, u32) {
        let (mut mask, mut value, mut n) = (0u32, 0u32, 0);
        for c in self.pattern.chars().filter(|c| *c != ' ') {
            mask <<= 1;
            value <<= 1;
            n += 1;
            match c {
                '0' => mask |= 1,
                '1' => {
                    mask |= 1;
                    value |= 1;
                }
                _ => {}
            }
        }
        assert_eq!(n, 32, "pattern of {} has {n} bits", self.name);
        (mask, value)
    }
}

/// All rows of all groups.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    super::GROUPS.iter().flat_map(|g| g.iter())
}

/// Rows in compact form: `"name" "pattern" Feature lift;`.
macro_rules! rows {
    ($($name:literal $pattern:literal $feature:ident $lift:path;)*) => {
        &[$($crate::a64::table::Row {
            name: $name,
            pattern: $pattern,
            feature: $crate::a64::table::Feature::$feature,
            lift: $lift,
        }),*]
    };
}
pub(super) use rows as row_table;

/// A row's mask and value, and the row.
type Entry = (u32, u32, &'static Row);

struct Index {
    /// All entries, grouped by bucket, the most specific of a bucket first.
    entries: Vec<Entry>,
    /// Where the entries of each value of bits 31:21 begin; one more at the end.
    starts: Vec<u32>,
}

const TOP: u32 = 0xffe0_0000;

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut all: Vec<Entry> = rows()
            .map(|row| {
                let (mask, value) = row.bits();
                (mask, value, row)
            })
            .collect();
        all.sort_by_key(|(mask, ..)| std::cmp::Reverse(mask.count_ones()));
        let mut buckets: Vec<Vec<Entry>> = vec![Vec::new(); 2048];
        for &entry in &all {
            // Every value of the free bits among bits 31:21.
            let free = !entry.0 & TOP;
            let mut chosen = 0u32;
            loop {
                buckets[((entry.1 & TOP | chosen) >> 21) as usize].push(entry);
                chosen = chosen.wrapping_sub(free) & free;
                if chosen == 0 {
                    break;
                }
            }
        }
        let mut starts = Vec::with_capacity(2049);
        let mut entries = Vec::new();
        for bucket in buckets {
            starts.push(entries.len() as u32);
            entries.extend(bucket);
        }
        starts.push(entries.len() as u32);
        Index { entries, starts }
    })
}

/// The row that `word` belongs to: of those that match, the one with most fixed bits. `None`: unallocated.
pub fn decode(word: u32) -> Option<&'static Row> {
    let index = index();
    let top = (word >> 21) as usize;
    let bucket = &index.entries[index.starts[top] as usize..index.starts[top + 1] as usize];
    bucket.iter().find(|(mask, value, _)| word & mask == *value).map(|e| e.2)
}
