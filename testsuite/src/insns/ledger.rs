//! The coverage ledgers: for each encoding of a decode table, what each engine makes of it and whether the random test
//! compares it with qemu. Takes an instruction set, the lifter and the emitter, gives a committed page that may only improve.

use super::{A32, A64, Bytes, Encoding, InstructionSet};
use abi::symbol::SOFT_OP;
use emit_llvm::{Checkpoints, Options, emit_raw_llvm_text};
use ir::GuestAddr;
use isa::{BlockShape, Flow, FunctionShape, lift_function};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What lifted code does for an encoding, from worst to best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Translation {
    /// The dispatcher interprets it.
    Fallback,
    /// The runtime evaluates it.
    Soft,
    /// So for some forms of its operands.
    Partly,
    /// Host code, but the runtime evaluates rare inputs, or all on hosts that lack an instruction.
    Corner,
    /// Host code.
    Native,
    /// Leaves lifted code by its nature: system calls and traps.
    Exit,
    /// Always undefined at EL0.
    Undefined,
}

impl Translation {
    const ALL: [(Translation, &'static str); 7] = [
        (Translation::Fallback, "fallback"),
        (Translation::Soft, "soft"),
        (Translation::Partly, "partly soft"),
        (Translation::Corner, "corners soft"),
        (Translation::Native, "native"),
        (Translation::Exit, "exit"),
        (Translation::Undefined, "undefined"),
    ];

    fn name(self) -> &'static str {
        Translation::ALL[self as usize].1
    }

    fn parse(name: &str) -> Option<Translation> {
        Translation::ALL.iter().find(|t| t.1 == name).map(|t| t.0)
    }
}

/// The pages in `docs`, with what they are of.
pub const LEDGERS: [(&str, &dyn InstructionSet); 2] =
    [("coverage-ledger.md", &A64), ("coverage-ledger-aarch32.md", &A32)];

/// Emits instructions as one run that begins at `entry`, with no pass, so that nothing is removed; gives what the runtime does
/// for them.
fn emitted(set: &dyn InstructionSet, entry: GuestAddr, code: &[u8], opt: u8) -> Translation {
    let isa = set.target().isa();
    let end = GuestAddr(code.len() as u64);
    let block = BlockShape { start: entry, end, switch: None };
    let shape = FunctionShape { isa, name: "words".into(), entry, blocks: vec![block] };
    let f = lift_function(&shape, &Bytes { start: 0, bytes: code });
    let options = Options {
        opt,
        cpu: "x86-64-v2".into(),
        checkpoints: if opt == 0 { Checkpoints::Commit } else { Checkpoints::Callbr },
        text_base: GuestAddr(0),
        text_size: end.0,
        addresses: emit_llvm::Addresses::Fixed,
        position_independent: false,
        hot: pipeline::hot::choose(isa, std::slice::from_ref(&f)),
        regs: isa.file(),
        dispatch_unit: if isa.is_32() { 1 } else { 4 },
    };
    if f.blocks.iter().any(|b| matches!(b.term, ir::Term::Fallback { .. })) {
        return Translation::Fallback;
    }
    let text = emit_raw_llvm_text(&f, &options, &|_| None).unwrap_or_else(|e| panic!("{code:x?}: {e}"));
    let (mut cold, mut always, mut in_soft) = (false, false, false);
    for line in text.lines() {
        if let Some((label, _)) = line.split_once(':').filter(|l| !l.0.starts_with(' ')) {
            in_soft = label.starts_with("soft");
        } else if line.contains("call ") && line.contains(SOFT_OP) {
            *(if in_soft { &mut cold } else { &mut always }) = true;
        }
    }
    match (always, cold) {
        (true, _) => Translation::Soft,
        (false, true) => Translation::Corner,
        (false, false) => Translation::Native,
    }
}

/// What lifted code of this optimisation does for the encoding.
fn translation(set: &dyn InstructionSet, encoding: &Encoding, opt: u8) -> Translation {
    let samples = set.samples(encoding);
    let Some(first) = samples.first() else { return Translation::Undefined };
    let entry = set.entry(encoding);
    match set.target().isa().leaving(&Bytes { start: 0, bytes: first }, entry).map(|l| l.flow) {
        Some(Flow::Next) => {}
        Some(Flow::Syscall | Flow::Trap) => return Translation::Exit,
        _ => return emitted(set, entry, first, opt),
    }
    let all = emitted(set, entry, &samples.concat(), opt);
    if all != Translation::Soft {
        return all;
    }
    let each: Vec<Translation> = samples.iter().map(|code| emitted(set, entry, code, opt)).collect();
    if each.iter().all(|t| *t == Translation::Soft) { Translation::Soft } else { Translation::Partly }
}

/// The engines' columns.
pub const ENGINE_COLUMNS: [&str; 2] = ["-O0", "-O2"];

/// An encoding, and what the engines make of it.
type Line<'a> = (&'a Encoding, [Translation; 2]);

/// The page of an instruction set.
pub fn ledger(set: &dyn InstructionSet) -> String {
    let all = set.encodings();
    let found: Vec<[Translation; 2]> =
        all.par_iter().map(|e| [translation(set, e, 0), translation(set, e, 2)]).collect();
    let mut groups: BTreeMap<&(usize, String), Vec<Line<'_>>> = BTreeMap::new();
    for (e, t) in all.iter().zip(&found) {
        groups.entry(&e.feature).or_default().push((e, *t));
    }
    let mut s = String::from(
        "# Coverage ledger\n\n\
         <!-- Generated: `XLATE_UPDATE_DOCS=1 cargo test -p xlate-testsuite --test ledger`; do not edit. -->\n\n\
         For each encoding of the decode table: what lifted code makes of it (target x86-64-v2), and whether the random test\n\
         (`cargo test -p xlate-testsuite --test insns`) compares it with qemu in the interpreter, at -O0 and at -O2. The\n\
         interpreter executes every encoding. A test fails when an encoding gets worse.\n\n\
         - native: host code. corners soft: host code, and the runtime evaluates rare inputs, or all on hosts\n  \
         without AES, PCLMULQDQ, SHA or FMA. partly soft: the runtime evaluates some forms of the operands. soft: all. exit: leaves lifted code by its nature. undefined: SIGILL always.\n\
         - Letters behind yes: executions with that property are excused.\n\n",
    );
    for (i, e) in set.excuses().iter().enumerate() {
        let _ = writeln!(s, "  {}. {}", letter(i), e.reason);
    }
    s.push_str("\n| | encodings |");
    for c in ENGINE_COLUMNS {
        let _ = write!(s, " {c} |");
    }
    s.push_str("\n|---|---|---|---|\n");
    for (t, name) in Translation::ALL.iter().rev() {
        let n = |i: usize| found.iter().filter(|f| f[i] == *t).count();
        if n(0) + n(1) > 0 {
            let _ = writeln!(s, "| {name} | | {} | {} |", n(0), n(1));
        }
    }
    let compared = all.iter().filter(|e| e.excluded.is_none()).count();
    let _ = writeln!(s, "| compared with qemu | {compared} of {} | | |", all.len());
    for ((_, feature), mut list) in groups {
        list.sort_by_key(|r| r.0.name);
        let _ = writeln!(s, "\n## {feature} ({})\n", list.len());
        let _ = writeln!(s, "| encoding | -O0 | -O2 | compared |\n|---|---|---|---|");
        for (r, t) in list {
            let compared = match r.excluded {
                Some(reason) => format!("no: {reason}"),
                None => {
                    let letters: Vec<String> = set
                        .excuses()
                        .iter()
                        .enumerate()
                        .filter(|(_, e)| (e.rows)(r.name))
                        .map(|(i, _)| format!(" {}", letter(i)))
                        .collect();
                    format!("yes{}", letters.concat())
                }
            };
            let _ = writeln!(s, "| {} | {} | {} | {compared} |", r.name, t[0].name(), t[1].name());
        }
    }
    s
}

fn letter(i: usize) -> char {
    char::from(b'a' + i as u8)
}

/// An encoding's line: its name, what the engines do, and whether it is compared.
fn entries(page: &str) -> BTreeMap<&str, (Vec<Translation>, bool)> {
    page.lines()
        .filter_map(|l| {
            let cells: Vec<&str> = l.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
            let [name, engines @ .., compared] = &cells[..] else { return None };
            let engines: Option<Vec<Translation>> = engines.iter().map(|e| Translation::parse(e)).collect();
            Some((*name, (engines?, compared.starts_with("yes"))))
        })
        .filter(|(_, (engines, _))| engines.len() == ENGINE_COLUMNS.len())
        .collect()
}

/// The encodings for which `new` is worse than `old`: gone, less native, or no longer compared.
pub fn shrunk(old: &str, new: &str) -> Vec<String> {
    let new = entries(new);
    entries(old)
        .into_iter()
        .filter(|(name, (engines, compared))| {
            new.get(name).is_none_or(|(e, c)| e.iter().zip(engines).any(|(n, o)| n < o) || *compared && !c)
        })
        .map(|(name, _)| name.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worse_line_is_found() {
        let page = |line: &str| format!("| encoding | -O0 | -O2 | compared |\n|---|---|---|---|\n{line}\n");
        let old = page("| ADC | corners soft | native | yes a |");
        for (new, worse) in [
            ("| ADC | native | native | yes |", false),
            ("| ADC | corners soft | corners soft | yes |", true),
            ("| ADC | corners soft | native | no: why |", true),
            ("| ADD | native | native | yes |", true),
        ] {
            assert_eq!(!shrunk(&old, &page(new)).is_empty(), worse, "{new}");
        }
    }
}
