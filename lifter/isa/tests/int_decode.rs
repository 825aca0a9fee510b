//! Our encoding table against two other decoders: yaxpeax-arm, and LLVM's (`llvm-mc-19`). Words are made from the rows
//! with random operand bits, from those with one bit flipped, and at random.

mod common;

use common::random::Random;
use common::{disassembled, number};
use isa::a64::{self, decode};
use std::collections::HashMap;

fn words(per_row: usize) -> Vec<u32> {
    let mut random = Random::seeded(number("XLATE_SEED", 1));
    let mut words = Vec::new();
    for row in a64::rows() {
        let (mask, value) = row.bits();
        for _ in 0..per_row {
            let word = value | random.next() as u32 & !mask;
            words.extend([word, word ^ 1 << (random.next() % 32), random.next() as u32]);
        }
    }
    words
}

/// Failures by what differs, the word left out, with a count and an example.
fn summary(failures: Vec<(String, u32)>) -> String {
    let mut by_kind: HashMap<String, (usize, u32)> = HashMap::new();
    for (kind, word) in failures {
        by_kind.entry(kind).or_insert((0, word)).0 += 1;
    }
    let mut lines: Vec<_> = by_kind.into_iter().map(|(k, (n, w))| format!("{n:6} × {w:08x}: {k}")).collect();
    lines.sort();
    lines.join("\n")
}

/// Allocated encodings that lift to an undefined instruction because EL0 may not execute them.
fn allocated(word: u32) -> bool {
    const PRIVILEGED: &[&str] = &[
        "ERET",
        "DRPS",
        "HVC",
        "SMC",
        "HLT",
        "DCPS1",
        "DCPS2",
        "DCPS3",
        "SYS",
        "SYSL",
        "MRS",
        "MSR (immediate)",
        "MSR (register)",
    ];
    a64::decode(word).is_some_and(|r| PRIVILEGED.contains(&r.name)) || a64::is_defined(word)
}

#[test]
fn agrees_with_yaxpeax() {
    let failures: Vec<_> = words(20)
        .into_iter()
        .filter_map(|w| decode::compare(w, allocated(w)).err().map(|e| (e[10..].to_string(), w)))
        .collect();
    assert!(failures.is_empty(), "{}", summary(failures));
}

/// LLVM's names for encodings of ours, where it knows no other.
const ALIASES: &[(&str, &[&str])] = &[
    ("SBFM", &["SBFIZ", "SBFX", "ASR", "SXTB", "SXTH", "SXTW"]),
    ("UBFM", &["UBFIZ", "UBFX", "LSL", "LSR", "UXTB", "UXTH"]),
    ("BFM", &["BFI", "BFXIL", "BFC"]),
    ("MOVZ", &["MOV"]),
    ("MOVN", &["MOV"]),
    ("ORR (immediate)", &["MOV"]),
    ("LSLV", &["LSL"]),
    ("LSRV", &["LSR"]),
    ("ASRV", &["ASR"]),
    ("RORV", &["ROR"]),
    ("DUP (element, scalar)", &["MOV"]),
    ("PRFM (register)", &["RPRFM"]),
];

fn same(ours: &str, theirs: &str, word: u32) -> bool {
    decode::is_mnemonic_of(ours, theirs)
        || ALIASES.iter().any(|(o, all)| *o == ours && all.contains(&theirs))
        || ours == "B.cond" && theirs.starts_with("B.")
        || theirs == "HINT" && word & 0xffff_f01f == 0xd503_201f
        || ["DC ", "IC "].iter().any(|p| ours.starts_with(p) && theirs == p.trim())
}

/// Why LLVM takes what we do not.
fn excused(word: u32, theirs: &str) -> Option<&'static str> {
    match theirs {
        "MSR" | "MRS" if word >> 19 & 3 == 0 => Some("op0 = 0 is no system register"),
        "SB" | "XAFLAG" | "AXFLAG" | "CFINV" => Some("CRm should be zero; qemu, too, takes it for a must"),
        "UDF" => Some("permanently undefined: no row"),
        _ => None,
    }
}

#[test]
fn agrees_with_llvm() {
    let words = words(20);
    let text: String =
        words.iter().map(|w| w.to_le_bytes().map(|b| format!("0x{b:02x}")).join(" ") + "\n").collect();
    let features = "-mattr=+fp-armv8,+neon,+fullfp16,+crc,+lse,+lor,+rdm,+aes,+sha2,+sha3,+dotprod,+jsconv,\
        +complxnum,+fp16fml,+flagm,+altnzcv,+fptoint,+rcpc,+rcpc-immo,+sb,+ccpp,+ccdp,+predres,+ras,+perfmon,+el3,+i8mm";
    let (stdout, messages) = disassembled(&["--triple=aarch64", "-M", "no-aliases", features], text);
    // Such a line gives no output.
    let mut invalid = vec![false; words.len()];
    for (line, _) in messages.iter().filter(|(_, m)| m.contains("invalid instruction")) {
        invalid[*line] = true;
    }
    let mut lines = stdout.lines().map(str::trim).filter(|l| !l.is_empty() && *l != ".text");
    let mut failures = Vec::new();
    for (&word, &invalid) in words.iter().zip(&invalid) {
        let theirs = if invalid { None } else { Some(lines.next().expect("a line for every word")) };
        let theirs = theirs.map(|t| t.split_whitespace().next().unwrap_or(t).to_uppercase());
        let ours = a64::decode(word).filter(|_| allocated(word)).map(|r| r.name);
        let failure = match (ours, theirs) {
            (None, None) => continue,
            (Some(o), Some(t)) if same(o, &t, word) => continue,
            (_, Some(t)) if excused(word, &t).is_some() => continue,
            (o, t) => format!("ours {o:?}, LLVM's {t:?}"),
        };
        failures.push((failure, word));
    }
    assert!(failures.is_empty(), "{}", summary(failures));
}
