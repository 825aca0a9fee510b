//! The second decoder: yaxpeax-arm, as disassembler and as a check of our encoding table. Takes words, gives text and
//! verdicts; nothing is lifted from it (see `docs/decisions/0001-a64-encoding-table.md`). It panics on some words: that
//! stops here.

use super::table::decode;
use ir::GuestAddr;
use std::cell::Cell;
use std::panic::{self, UnwindSafe};
use std::sync::Once;
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::{DecodeError, InstDecoder, Instruction};

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f`; `None` if it panics, of which the panic hook then says nothing.
pub(crate) fn contained<T>(f: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                previous(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    let result = panic::catch_unwind(f).ok();
    QUIET.set(before);
    result
}

fn yaxpeax(word: u32) -> Result<Instruction, DecodeError> {
    InstDecoder::default().decode(&mut U8Reader::new(&word.to_le_bytes()))
}

/// Assembly text of `word` at `pc`, with absolute branch targets; `.inst 0x…` if there is none.
pub fn disassemble(word: u32, pc: GuestAddr) -> String {
    let text = contained(|| yaxpeax(word).ok().map(|i| i.to_string())).flatten();
    match text {
        Some(text) => absolute(text, word, pc),
        None => format!(".inst {word:#010x}"),
    }
}

/// `$+0x10` made absolute; for ADRP relative to the page.
fn absolute(text: String, word: u32, pc: GuestAddr) -> String {
    let Some(at) = text.find('$') else { return text };
    let offset = &text[at + 1..];
    let (sign, digits) = match offset.as_bytes().first() {
        Some(b'+') => (1, &offset[1..]),
        Some(b'-') => (-1, &offset[1..]),
        _ => return text,
    };
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    let Ok(n) = i64::from_str_radix(&digits[..end], 16) else { return text };
    let base = if word & 0x9f00_0000 == 0x9000_0000 { GuestAddr(pc.0 & !0xfff) } else { pc };
    format!("{}{}{}", &text[..at], base.offset(sign * n), &digits[end..])
}

/// What the second decoder says of a word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opinion {
    /// An instruction of this mnemonic (without aliases).
    Allocated(String),
    /// Not an instruction.
    Unallocated,
    /// It does not know, or panicked.
    None,
}

/// Asks the second decoder.
pub fn second_opinion(word: u32) -> Opinion {
    match contained(|| yaxpeax(word).map(|i| format!("{:?}", i.opcode))) {
        Some(Ok(opcode)) if opcode == "Invalid" => Opinion::Unallocated,
        Some(Ok(opcode)) => {
            // Some opcodes carry operands: `Bcc(3)`, `LDADD(1)`.
            let end = opcode.find('(').unwrap_or(opcode.len());
            Opinion::Allocated(opcode[..end].to_string())
        }
        Some(Err(DecodeError::IncompleteDecoder)) | None => Opinion::None,
        Some(Err(_)) => Opinion::Unallocated,
    }
}

/// The mnemonics that a row's name stands for: `LDAR{B,H}` is LDAR, LDARB, LDARH; `A, B (vector)` is A and B.
pub fn mnemonics(name: &str) -> Vec<String> {
    let mut all = Vec::new();
    let name = name.split(" (").next().unwrap_or(name);
    // Commas within braces separate suffixes, others names.
    let mut depth = 0;
    let parts = name.split(|c| {
        depth += (c == '{') as i32 - (c == '}') as i32;
        c == ',' && depth == 0
    });
    for part in parts {
        let mut expanded = vec![String::new()];
        let mut rest = part.trim();
        while let Some(open) = rest.find('{') {
            let Some(close) = rest[open..].find('}') else { break };
            let suffixes: Vec<&str> =
                std::iter::once("").chain(rest[open + 1..open + close].split(',')).collect();
            expanded = expanded
                .iter()
                .flat_map(|e| suffixes.iter().map(move |s| format!("{e}{}{s}", &rest[..open])))
                .collect();
            rest = &rest[open + close + 1..];
        }
        all.extend(expanded.into_iter().map(|e| e + rest));
    }
    all
}

/// True if a decoder's mnemonic `theirs` is one of those of the row called `ours` (or its second half, `…2`).
pub fn is_mnemonic_of(ours: &str, theirs: &str) -> bool {
    mnemonics(ours).iter().any(|m| m == theirs || theirs.strip_suffix('2') == Some(m))
}

/// Where the second decoder is known to be of another opinion: our row's name or a prefix of it, its mnemonic (empty:
/// unallocated), and the reason.
pub const EXCLUSIONS: &[(&str, &str, &str)] = &[
    ("NOP", "HINT", "one opcode for the hint space"),
    ("YIELD", "HINT", "one opcode for the hint space"),
    ("WFE", "HINT", "one opcode for the hint space"),
    ("WFI", "HINT", "one opcode for the hint space"),
    ("SEV", "HINT", "one opcode for the hint space"),
    ("SEVL", "HINT", "one opcode for the hint space"),
    ("BTI", "HINT", "one opcode for the hint space"),
    ("DC ", "SYS", "one opcode for SYS"),
    ("IC ", "SYS", "one opcode for SYS"),
    ("CFINV", "MSR", "one opcode for MSR (immediate)"),
    ("XAFLAG", "MSR", "one opcode for MSR (immediate)"),
    ("AXFLAG", "MSR", "one opcode for MSR (immediate)"),
    ("HINT", "PACM", "FEAT_PAuth_LR, newer than us"),
    ("B.cond", "Bcc", "its name"),
    ("DSB", "SSBB", "DSB #0 by its newer name"),
    ("DSB", "PSSBB", "DSB #4 by its newer name"),
    ("FMLAL2 (by element)", "FMLAL", "no opcode for the second half"),
    ("FMLSL2 (by element)", "FMLSL", "no opcode for the second half"),
    ("FMLAL (vector)", "", "FEAT_FHM's vector forms are missing"),
    ("FMLAL2 (vector)", "", "FEAT_FHM's vector forms are missing"),
    ("FMLSL (vector)", "", "FEAT_FHM's vector forms are missing"),
    ("FMLSL2 (vector)", "", "FEAT_FHM's vector forms are missing"),
    ("FRINT32", "", "FEAT_FRINTTS's vector forms are missing"),
    ("FRINT64", "", "FEAT_FRINTTS's vector forms are missing"),
    ("USDOT", "", "FEAT_I8MM is missing"),
    ("SUDOT", "", "FEAT_I8MM is missing"),
    ("SMMLA", "", "FEAT_I8MM is missing"),
    ("UMMLA", "", "FEAT_I8MM is missing"),
    ("USMMLA", "", "FEAT_I8MM is missing"),
];

/// Compares our decoder's verdict and mnemonic for `word` with the second decoder's. `defined`: `word` is an instruction
/// by our account (see [`super::is_defined`]); if not, there is nothing to compare, because yaxpeax-arm takes most
/// reserved operand values. The error says what differs.
pub fn compare(word: u32, defined: bool) -> Result<(), String> {
    let Some(row) = decode(word).filter(|_| defined) else { return Ok(()) };
    let theirs = match second_opinion(word) {
        Opinion::None => return Ok(()),
        Opinion::Unallocated => String::new(),
        Opinion::Allocated(theirs) if is_mnemonic_of(row.name, &theirs) => return Ok(()),
        Opinion::Allocated(theirs) => theirs,
    };
    if EXCLUSIONS.iter().any(|(ours, t, _)| row.name.starts_with(ours) && *t == theirs) {
        return Ok(());
    }
    Err(format!("{word:08x}: ours {}, theirs {theirs:?}", row.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_mnemonics() {
        assert_eq!(mnemonics("ADD (immediate)"), ["ADD"]);
        assert_eq!(mnemonics("LDAR{B,H}"), ["LDAR", "LDARB", "LDARH"]);
        assert_eq!(mnemonics("A{X}, B (vector, y)"), ["A", "AX", "B"]);
    }

    #[test]
    fn text_is_absolute_and_never_missing() {
        assert_eq!(disassemble(0x1400_0004, GuestAddr(0x1000)), "b 0x1010");
        assert_eq!(disassemble(0x9100_0420, GuestAddr(0)), "add x0, x1, #0x1");
        assert_eq!(disassemble(0, GuestAddr(0)), "udf #0x0");
        for i in 0..100_000u32 {
            disassemble(i.wrapping_mul(0x9e37_79b9), GuestAddr(0));
        }
    }
}
