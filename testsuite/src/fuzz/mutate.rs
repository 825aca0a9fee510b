//! Damage to ELF files: each numeric field that a reader looks at, set to values that readers trip over; truncations;
//! and damage drawn from arbitrary bytes.

use super::Source;
use super::elf::{Sizes, TEXT};
use super::instructions::{bytes, word};
use crate::guest::Target;
use isa::Isa;

/// A numeric field of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Which table it is in: `header`, `segment`, `section`, `symbol`, `relocation`, `dynamic`, `frame`.
    pub table: &'static str,
    /// Offset in the file.
    pub at: usize,
    /// Bytes, 1 to 8.
    pub size: usize,
}

/// Sizes of the fields of each table's rows.
struct Rows {
    header: &'static [usize],
    segment: &'static [usize],
    section: &'static [usize],
    symbol: &'static [usize],
    relocation: &'static [usize],
    dynamic: &'static [usize],
}

const ROWS64: Rows = Rows {
    header: &[1, 1, 1, 1, 1, 1, 1, 1, 8, 2, 2, 4, 8, 8, 8, 4, 2, 2, 2, 2, 2, 2],
    segment: &[4, 4, 8, 8, 8, 8, 8, 8],
    section: &[4, 4, 8, 8, 8, 8, 4, 4, 8, 8],
    symbol: &[4, 1, 1, 2, 8, 8],
    relocation: &[8, 4, 4, 8],
    dynamic: &[8, 8],
};

const ROWS32: Rows = Rows {
    header: &[1, 1, 1, 1, 1, 1, 1, 1, 8, 2, 2, 4, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2],
    segment: &[4; 8],
    section: &[4; 10],
    symbol: &[4, 4, 4, 1, 1, 2],
    // REL: of r_info, one byte is the type.
    relocation: &[4, 1, 1, 2],
    dynamic: &[4, 4],
};

const WORD: &[usize] = &[4];

/// A number of `size` bytes at `at`, if the file has them.
pub fn get(file: &[u8], at: usize, size: usize) -> Option<u64> {
    let mut v = [0; 8];
    v[..size].copy_from_slice(file.get(at..at.checked_add(size)?)?);
    Some(u64::from_le_bytes(v))
}

/// Sets the number, if the file is long enough.
pub fn set(file: &mut [u8], at: usize, size: usize, value: u64) {
    if let Some(place) = at.checked_add(size).and_then(|end| file.get_mut(at..end)) {
        place.copy_from_slice(&value.to_le_bytes()[..size]);
    }
}

/// The fields of a well-formed file: headers, and the first rows of each table.
pub fn fields(file: &[u8]) -> Vec<Field> {
    /// Rows of one table: more are like these.
    const ROWS: usize = 6;
    let mut out = Vec::new();
    let mut table = |name, mut at: usize, row: &[usize], bytes: usize| {
        let width: usize = row.iter().sum();
        for _ in 0..(bytes / width).min(ROWS) {
            for &size in row {
                if at + size <= file.len() {
                    out.push(Field { table: name, at, size });
                }
                at += size;
            }
        }
    };
    // ELFCLASS64 or ELFCLASS32.
    let isa = if file.get(4) == Some(&1) { Isa::A32 } else { Isa::A64 };
    let (sizes, rows) = (Sizes::of(isa), if isa == Isa::A64 { ROWS64 } else { ROWS32 });
    let (word, segment, section) = (sizes.word as usize, sizes.program as usize, sizes.section as usize);
    let long = |at| get(file, at, word).unwrap_or(0) as usize;
    let half = |at| get(file, at, 2).unwrap_or(0) as usize;
    // e_phoff and e_shoff stand behind e_entry; e_phnum and e_shnum before the end of the header.
    let (headers, end) = (24 + word, sizes.file as usize);
    table("header", 0, rows.header, end);
    for i in 0..half(end - 8) {
        table("segment", long(headers) + segment * i, rows.segment, segment);
    }
    for i in 0..half(end - 4) {
        let header = long(headers + word) + section * i;
        table("section", header, rows.section, section);
        let (offset, size) = (long(header + 8 + 2 * word), long(header + 8 + 3 * word));
        match get(file, header + 4, 4) {
            Some(2 | 11) => table("symbol", offset, rows.symbol, size),
            Some(4 | 9) => table("relocation", offset, rows.relocation, size),
            Some(6) => table("dynamic", offset, rows.dynamic, size),
            Some(7 | 14 | 19) => table("array", offset, WORD, size),
            // Unwind tables have no type of their own in 64-bit files; text is of this type, too.
            Some(1 | 0x7000_0001) => table("frame", offset, WORD, size),
            _ => {}
        }
    }
    out
}

/// Values for a field that holds `old`, in a file of `len` bytes.
pub fn values(old: u64, len: u64) -> [u64; 18] {
    [
        0,
        1,
        2,
        0xffff,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        1 << 47,
        (1 << 47) - 1,
        1 << 63,
        (1 << 63) - 1,
        u64::MAX,
        len,
        len.wrapping_sub(1),
        old.wrapping_add(1),
        old.wrapping_sub(1),
        old.wrapping_mul(2),
        old ^ 0x1000,
    ]
}

/// Every single-field mutation of `file`, as description and bytes; values that a field cannot hold are cut to its size.
pub fn single_fields(file: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    fields(file).into_iter().flat_map(move |f| {
        let old = get(file, f.at, f.size).unwrap_or(0);
        let mask = u64::MAX >> (64 - 8 * f.size);
        let mut new: Vec<u64> = values(old, file.len() as u64).iter().map(|v| v & mask).collect();
        new.sort_unstable();
        new.dedup();
        new.into_iter().filter(move |&v| v != old).map(move |v| {
            let mut bytes = file.to_vec();
            set(&mut bytes, f.at, f.size, v);
            (format!("{} field at {:#x}: {old:#x} → {v:#x}", f.table, f.at), bytes)
        })
    })
}

/// `file` cut short around every place where a table begins or ends.
pub fn truncations(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut at: Vec<usize> = fields(file).iter().flat_map(|f| [f.at, f.at + f.size]).collect();
    at.extend([0, 1, 4, 15, 16, 17, 63, 64, file.len() / 2]);
    at.extend(at.clone().iter().map(|a| a.saturating_sub(1)));
    at.sort_unstable();
    at.dedup();
    at.retain(|&a| a < file.len());
    at.into_iter().map(|a| (format!("cut to {a} bytes"), file[..a].to_vec())).collect()
}

/// `file`, which is for `target`, with damage as the source of choices says.
pub fn damage(target: Target, file: &[u8], s: &mut Source<'_>) -> Vec<u8> {
    let mut out = file.to_vec();
    let fields = fields(file);
    for _ in 0..1 + s.below(6) {
        let f = fields[s.below(fields.len())];
        let old = get(&out, f.at, f.size).unwrap_or(0);
        let values = values(old, out.len() as u64);
        match s.byte() % 8 {
            0..=3 => set(&mut out, f.at, f.size, values[s.below(values.len())]),
            4 => set(&mut out, f.at, f.size, s.long()),
            5 => {
                let n = out.len();
                set(&mut out, s.below(n), 1 + s.below(8), s.long());
            }
            6 => {
                // One table's row over another's.
                let (from, to, n) = (f.at, fields[s.below(fields.len())].at, 56);
                if from.max(to) + n <= out.len() {
                    out.copy_within(from..from + n, to);
                }
            }
            _ => {
                // Text.
                let at = TEXT + 2 * s.below(128);
                let new = bytes(target, word(s, target));
                out[at..][..new.len()].copy_from_slice(&new);
            }
        }
    }
    if s.byte() < 16 {
        out.truncate(s.below(out.len() + 1));
    }
    out
}
