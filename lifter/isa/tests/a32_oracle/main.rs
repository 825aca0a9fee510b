//! The meaning of every A32 and Thumb encoding against qemu: random words of each row with random registers, executed by
//! `ir::eval` here and by `testsuite/guest/insn-oracle32.c` under qemu-arm; registers, flags, memory, the next place and faults
//! are compared. Words that the manual leaves UNPREDICTABLE, of which the two may make different things, are those for which
//! LLVM's disassembler warns or fails.
//!
//! `XLATE_SEED`, `XLATE_RANDOM` (words for each row and state), `XLATE_ROW` (part of a row's name), `XLATE_SET` (`a32`, `t16`,
//! `t32`: as executed; `both`: rows that A32 and T32 share), `XLATE_SHOW` (differences shown of each row) vary the choice;
//! `XLATE_DOUBTFUL` shows what differs but is unpredictable.
//! `XLATE_WORD` (hexadecimal, with `XLATE_SET` for its state) runs one word only and shows its IR.

mod case;
#[path = "../common/mod.rs"]
mod common;
mod excused;
mod integer;
mod world;

use case::{A32_PAGE, Case, State, T32_PAGE};
use common::machine::SIGSEGV;
use common::random::Random;
use common::{Directory, ask, build, number};
use excused::{doubtful, excused, excused_access, normalise, several, unusable};
use isa::a32::{self, Place, Row, Set};
use std::collections::BTreeMap;
use std::path::Path;
use world::{Ours, accesses, execute, lift};

/// Cases that the oracle executes in one go.
const BATCH: usize = 4000;

/// A word in the form in which Thumb has this A32 form of a shared encoding.
fn thumb_form(word: u32) -> u32 {
    match word >> 24 {
        0xf2 | 0xf3 => 0xef00_0000 | (word >> 24 & 1) << 28 | word & 0x00ff_ffff,
        0xf4 => 0xf900_0000 | word & 0x00ff_ffff,
        _ => word,
    }
}

/// A random word of the row, if it is not another row's.
fn random_case(random: &mut Random, row: &'static Row, thumb: bool) -> Option<Case> {
    let (mask, value) = row.bits();
    let mut word = value | random.next() as u32 & !mask;
    // Should-be-zero and should-be-one bits as they should be.
    let letters = row.pattern.chars().filter(|c| *c != ' ').rev().enumerate();
    for (i, c) in letters {
        match c {
            'z' => word &= !(1 << i),
            'o' => word |= 1 << i,
            _ => {}
        }
    }
    if row.set == Set::T16 {
        word &= 0xffff;
    }
    if row.conditional() {
        let cond = if thumb || random.below(10) != 0 { 14 } else { random.below(14) as u32 };
        word = word & 0x0fff_ffff | cond << 28;
    }
    let mut at = Place { addr: A32_PAGE + 4, thumb, it: 0, passed: false };
    if thumb {
        at.addr = T32_PAGE + 4 + 2 * random.below(2) as u32;
        if random.below(10) == 0 {
            let mask = if random.below(2) == 0 { 8 } else { 1 + random.below(15) as u8 };
            at.it = (random.below(14) as u8) << 4 | mask;
        }
    }
    if row.set == Set::Both && thumb {
        word = thumb_form(word);
    }
    if row.name == "IT" && word & 15 == 0 {
        return None; // a hint
    }
    let found = a32::decode(at, word).row?;
    (found.name == row.name && found.set == row.set).then_some(Case { row, word, at })
}

/// The case with a state in which it is likely to do something.
fn with_state(random: &mut Random, case: Case) -> Option<(Case, State, Ours)> {
    let memory = accesses(&lift(&case, case.at.tested(), &case.code()).insts);
    for _ in 0..4 {
        let mut state = State::random(random, memory);
        if several(case.row.name) && random.below(8) != 0 {
            // qemu refuses what is not aligned, Linux makes it good.
            state.r.iter_mut().for_each(|r| *r &= !3);
        }
        let ours = execute(&case, &state);
        if unusable(&case, &ours) || ours.after.signal == SIGSEGV && random.below(4) != 0 {
            continue;
        }
        return Some((case, state, ours));
    }
    None
}

/// Sets in which a row is executed: true is Thumb.
fn states(row: &Row, choice: &str) -> Vec<bool> {
    let thumb = match row.set {
        Set::A32 => vec![false],
        Set::T16 | Set::T32 => vec![true],
        Set::Both => vec![false, true],
    };
    let wanted = |thumb: &bool| match choice {
        "a32" => !thumb,
        "t16" => row.set == Set::T16,
        "t32" => *thumb && row.set != Set::T16,
        "both" => row.set == Set::Both,
        _ => true,
    };
    thumb.into_iter().filter(wanted).collect()
}

#[derive(Default)]
struct Tally {
    compared: usize,
    /// UNPREDICTABLE words.
    doubtful: usize,
    failures: Vec<String>,
}

/// Drops UNPREDICTABLE words that are undefined here: qemu would jump anywhere for some of them, into the oracle, too.
fn drop_unpredictable(cases: &mut Vec<(Case, State, Ours)>, tallies: &mut BTreeMap<String, Tally>) {
    let asked: Vec<Case> = cases.iter().filter(|c| c.2.undefined).map(|c| c.0).collect();
    let doubtful = doubtful(&asked, "potentially undefined");
    let mut n = 0..;
    cases.retain(|(case, _, ours)| {
        let drop = ours.undefined
            && (n.next().is_some_and(|n| doubtful.contains(&n))
                || excused(case).is_some()
                || excused_access(case));
        if drop {
            tallies.entry(title(case.row, case.at.thumb)).or_default().doubtful += 1;
        }
        !drop
    });
}

/// Compares a batch of cases with what the oracle program does.
fn compare(oracle: &Path, mut cases: Vec<(Case, State, Ours)>, tallies: &mut BTreeMap<String, Tally>) {
    drop_unpredictable(&mut cases, tallies);
    let mut input = Vec::new();
    for (case, before, _) in &cases {
        before.write(case, &mut input);
    }
    let output = match ask("qemu-arm-static", oracle, input) {
        Ok(output) => output,
        Err(status) if cases.len() == 1 => {
            // It jumped into the oracle itself, say.
            let (case, ..) = &cases[0];
            if !doubtful(&[*case], "").contains(&0) && excused(case).is_none() {
                let tally = tallies.entry(title(case.row, case.at.thumb)).or_default();
                tally
                    .failures
                    .push(format!("{:08x} at {:x}: kills the oracle: {status}", case.word, case.at.addr));
            }
            return;
        }
        Err(_) => {
            let mut first = cases;
            let second = first.split_off(first.len() / 2);
            compare(oracle, first, tallies);
            return compare(oracle, second, tallies);
        }
    };
    let mut rest = output.as_slice();
    let mut failed = Vec::new();
    for (case, before, ours) in cases {
        let mut qemu = State::read(&mut rest, !before.memory.is_empty());
        let mut here = ours.after.clone();
        let tally = tallies.entry(title(case.row, case.at.thumb)).or_default();
        if normalise(&case, &mut here, &mut qemu) || here == qemu {
            tally.compared += 1;
            continue;
        }
        let what = if ours.undefined {
            format!("undefined here, signal {} in qemu", qemu.signal)
        } else {
            here.differences(&qemu).join("; ")
        };
        let registers: Vec<String> =
            before.r.iter().enumerate().map(|(i, r)| format!("r{i}={r:x}")).collect();
        let it = if case.at.it != 0 { format!(" in IT {:02x}", case.at.it) } else { String::new() };
        let text = format!(
            "{:08x}{it} at {:x}: {what}\n      cpsr={:08x} fpscr={:08x} {}",
            case.word,
            case.at.addr,
            before.cpsr,
            before.fpscr,
            registers.join(" ")
        );
        failed.push((case, ours.undefined, text));
    }
    assert!(rest.is_empty(), "the oracle answers every record");
    let asked: Vec<Case> = failed.iter().map(|(c, ..)| *c).collect();
    let doubtful = doubtful(&asked, "");
    for (i, (case, undefined, text)) in failed.into_iter().enumerate() {
        let tally = tallies.entry(title(case.row, case.at.thumb)).or_default();
        if doubtful.contains(&i) || excused(&case).is_some() || undefined && excused_access(&case) {
            tally.doubtful += 1;
            if std::env::var_os("XLATE_DOUBTFUL").is_some() {
                println!("{}: {text}", title(case.row, case.at.thumb));
            }
        } else {
            tally.failures.push(text);
        }
    }
}

fn title(row: &Row, thumb: bool) -> String {
    match (row.set, thumb) {
        (Set::Both, false) => format!("A32 {}", row.name),
        (Set::Both, true) => format!("T32 {}", row.name),
        (set, _) => format!("{set:?} {}", row.name),
    }
}

#[test]
fn agrees_with_qemu() {
    let per_row = number("XLATE_RANDOM", 12);
    let only = std::env::var("XLATE_ROW").unwrap_or_default();
    let choice = std::env::var("XLATE_SET").unwrap_or_default();
    let show = number("XLATE_SHOW", 3) as usize;
    let dir = Directory::new("a32-oracle");
    let options = ["-marm", "-mfpu=neon", "-Wl,-Ttext-segment=0x60000000"];
    let oracle = build("arm-linux-gnueabihf-gcc", "insn-oracle32.c", &options, &dir.0);
    let mut random = Random::seeded(number("XLATE_SEED", 1));
    let mut tallies = BTreeMap::new();
    let mut cases = Vec::new();
    for row in a32::rows().filter(|r| r.name.contains(&only)) {
        for thumb in states(row, &choice) {
            tallies.insert(title(row, thumb), Tally::default());
            for _ in 0..per_row {
                let Some(case) = random_case(&mut random, row, thumb) else { continue };
                cases.extend(with_state(&mut random, case));
            }
            if cases.len() >= BATCH {
                compare(&oracle, std::mem::take(&mut cases), &mut tallies);
            }
        }
    }
    if let Some(word) = std::env::var("XLATE_WORD").ok().and_then(|w| u32::from_str_radix(&w, 16).ok()) {
        cases.clear();
        tallies.clear();
        cases.extend(one_word(&mut random, word, choice.starts_with('t')));
    }
    compare(&oracle, cases, &mut tallies);
    report(&tallies, show);
}

/// States for one word; shows what it lifts to.
fn one_word(random: &mut Random, word: u32, thumb: bool) -> Vec<(Case, State, Ours)> {
    let addr = if thumb { T32_PAGE } else { A32_PAGE } + 4;
    let at = Place { addr, thumb, it: 0, passed: false };
    let row = a32::decode(at, word).row.unwrap_or_else(|| panic!("{word:08x} is unallocated"));
    let case = Case { row, word, at };
    let run = lift(&case, at, &case.code());
    println!("{row:?}\n{}{:?}", ir::display_insts(&run.insts, &a32::FILE), run.exit);
    (0..20).filter_map(|_| with_state(random, case)).collect()
}

fn report(tallies: &BTreeMap<String, Tally>, show: usize) {
    let mut text = Vec::new();
    for (name, t) in tallies.iter().filter(|(_, t)| !t.failures.is_empty()) {
        let of = t.failures.len() + t.compared + t.doubtful;
        text.push(format!("{name}: {} of {of} differ", t.failures.len()));
        text.extend(t.failures.iter().take(show).map(|f| format!("    {f}")));
    }
    let sum = |f: fn(&Tally) -> usize| tallies.values().map(f).sum::<usize>();
    let bare: Vec<&str> = tallies.iter().filter(|(_, t)| t.compared == 0).map(|(n, _)| n.as_str()).collect();
    println!(
        "{} rows: {} words agree, {} differ, {} differ but are unpredictable; rows without a word that agrees: {}",
        tallies.len(),
        sum(|t| t.compared),
        sum(|t| t.failures.len()),
        sum(|t| t.doubtful),
        bare.join(", ")
    );
    let text = text.join("\n");
    assert!(sum(|t| t.failures.len()) == 0, "{text}");
}
