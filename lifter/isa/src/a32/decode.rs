//! The disassembler: yaxpeax-arm's ARMv7 decoder, in Thumb state, too. Takes words, gives text; nothing is lifted from it, and
//! it is no judge of our tables, for it knows neither Armv8's additions nor all of Advanced SIMD: what it does not know is
//! shown by the name of our row. It panics on some words: that stops here.

use super::Place;
use super::table::{Insn, decode};
use crate::a64::decode::contained;
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv7::InstDecoder;

/// Assembly text of the instruction at `place`: `word` as [`decode`] takes it. Branch targets are absolute. What only our table
/// knows is its row's name with the word, `.inst 0x…` is no instruction.
pub fn disassemble(place: Place, word: u32) -> String {
    let insn = decode(place, word);
    // Thumb: the first halfword first.
    let bytes = if place.thumb && insn.len == 4 { word.rotate_left(16) } else { word };
    let (bytes, len) = (bytes.to_le_bytes(), insn.len as usize);
    let text = contained(|| {
        let decoder = InstDecoder::default().with_thumb_mode(place.thumb);
        decoder.decode(&mut U8Reader::new(&bytes[..len])).ok().map(|i| i.to_string())
    });
    match (text.flatten(), insn.row) {
        (Some(text), Some(_)) => {
            let base = base(place, &text);
            absolute(&conditional(text, place, insn), base)
        }
        (None, Some(row)) => format!("{} {word:#0width$x}", row.name, width = 2 + 2 * len),
        (_, None) => format!(".inst {word:#0width$x}", width = 2 + 2 * len),
    }
}

/// The text of an instruction within an IT block, of which the second decoder knows nothing, with its condition.
fn conditional(text: String, place: Place, insn: Insn) -> String {
    const NAMES: [&str; 15] =
        ["eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", ""];
    if !place.in_it() {
        return text;
    }
    let end = text.find([' ', '.']).unwrap_or(text.len());
    // T16's arithmetic leaves the flags alone there.
    let stem = match text[..end].strip_suffix('s') {
        Some(stem) if insn.len == 2 && insn.word < 0x4400 => stem,
        _ => &text[..end],
    };
    format!("{stem}{}{}", NAMES[insn.cond.min(14) as usize], &text[end..])
}

/// What yaxpeax-arm's `$` is: the instruction in A32, PC in Thumb, from which BLX goes to a multiple of 4.
fn base(place: Place, text: &str) -> u32 {
    match place.thumb {
        false => place.addr,
        true if text.starts_with("blx") => place.pc() & !3,
        true => place.pc(),
    }
}

/// `$+0x10` made absolute.
fn absolute(text: &str, addr: u32) -> String {
    let Some(at) = text.find('$') else { return text.into() };
    let offset = &text[at + 1..];
    let (negative, digits) = match offset.as_bytes().first() {
        Some(b'+') => (false, &offset[1..]),
        Some(b'-') => (true, &offset[1..]),
        _ => return text.into(),
    };
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    let Ok(n) = u32::from_str_radix(&digits[..end], 16) else { return text.into() };
    let to = if negative { addr.wrapping_sub(n) } else { addr.wrapping_add(n) };
    format!("{}{to:#x}{}", &text[..at], &digits[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(thumb: bool) -> Place {
        Place { addr: 0x1000, thumb, it: 0, passed: false }
    }

    #[test]
    fn text_is_absolute_and_never_missing() {
        for (thumb, word, text) in [
            (false, 0xea00_0002, "b 0x1010"),
            (false, 0xe081_0002, "add r0, r1, r2"),
            (true, 0x1888, "adds r0, r1, r2"),
            (true, 0xf000_f802, "bl.w 0x1008"),
            (false, 0xffff_ffff, ".inst 0xffffffff"),
        ] {
            assert_eq!(disassemble(at(thumb), word), text);
        }
        for i in 0..100_000u32 {
            let word = i.wrapping_mul(0x9e37_79b9);
            disassemble(at(false), word);
            disassemble(at(true), if word >> 29 == 7 { word } else { word & 0xffff });
        }
    }

    #[test]
    fn it_blocks_show_their_condition() {
        let within = Place { it: 0x08, ..at(true) };
        assert_eq!(disassemble(within, 0x2001), "moveq r0, 0x1");
    }
}
