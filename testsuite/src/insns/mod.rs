//! Random instructions from the encoding tables as guest programs. Takes encodings and a seed, gives cases and an assembly
//! table for `guest/insn-cases.c`, which executes each case on many states and reports what it changed: one program, run under
//! qemu-user and in every engine, whose reports are then compared execution by execution.

pub(crate) mod a32;
pub(crate) mod a64;
mod excuse;
mod ledger;
mod plan;
mod table;

pub use a32::A32;
pub use a64::A64;
pub use ledger::{LEDGERS, ledger, shrunk};
pub use plan::{Plan, sequences, single};
pub use table::{build_table, table};

use crate::compare::{Outcome, Run, run_qemu, run_translated, translate};
use crate::guest::Target;
use excuse::Excuse;
use ir::GuestAddr;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// A small generator (xorshift), so that a seed names a program for ever.
pub struct Random(pub u64);

impl Random {
    /// Next 32 bits.
    pub fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.word()) * u64::from(n)) >> 32) as u32
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}

/// Code bytes from an address on.
pub struct Bytes<'a> {
    /// Of the first byte.
    pub start: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl Bytes<'_> {
    fn read<const N: usize>(&self, addr: GuestAddr) -> Option<[u8; N]> {
        let at = usize::try_from(addr.0.checked_sub(self.start)?).ok()?;
        self.bytes.get(at..)?.first_chunk().copied()
    }
}

impl isa::Code for Bytes<'_> {
    fn word(&self, pc: GuestAddr) -> Option<u32> {
        self.read(pc).map(u32::from_le_bytes)
    }

    fn half(&self, pc: GuestAddr) -> Option<u16> {
        self.read(pc).map(u16::from_le_bytes)
    }
}

/// One encoding of an instruction set, in one of its states.
#[derive(Clone, Debug)]
pub struct Encoding {
    /// Its name, unique in the set.
    pub name: &'static str,
    /// The architecture feature that it belongs to: where it stands among others, and its name.
    pub feature: (usize, String),
    /// Which of the set's encodings it is.
    pub index: usize,
    /// Why no case executes it, if none does.
    pub excluded: Option<&'static str>,
    /// It always raises a signal.
    pub raises: bool,
}

/// What is particular to the encodings of one instruction set.
pub trait InstructionSet: Sync {
    /// What its programs are compiled to.
    fn target(&self) -> Target;
    /// qemu's processor with the features that xlate advertises, as far as it lets them be chosen.
    fn processor(&self) -> &'static str;
    /// Another of qemu's processors, and the encodings that it shows, because the first one has more features.
    fn other_processor(&self) -> (&'static str, &'static [&'static str]);
    /// Bits of FPCR, or of FPSCR, that states may set, hexadecimal.
    fn modes(&self) -> &'static str;
    /// The encodings.
    fn encodings(&self) -> Vec<Encoding>;
    /// A random case of an encoding, the first of it or a further one. None if the word drawn belongs to another encoding, or
    /// cannot be compared at all.
    fn case(&self, encoding: &Encoding, first: bool, random: &mut Random) -> Option<Case>;
    /// False for reserved operand values.
    fn is_defined(&self, case: &Case) -> bool;
    /// Some instructions of an encoding, unconditional and defined, in bytes: the same each time.
    fn samples(&self, encoding: &Encoding) -> Vec<Vec<u8>>;
    /// The code address 0 in the encoding's state.
    fn entry(&self, encoding: &Encoding) -> GuestAddr;
    /// A random sequence of about `length` instructions.
    fn sequence(&self, length: usize, random: &mut Random) -> Sequence;
    /// Appends the text of a case, whose label is `c` and the number.
    fn write(&self, text: &mut String, number: usize, case: &Case);
    /// Why single executions may differ.
    fn excuses(&self) -> &'static [Excuse];
    /// A readable line for each instruction of a case: the encoding and the disassembly.
    fn describe(&self, case: &Case) -> String;
}

/// What stands around a case's instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// Nothing.
    Plain,
    /// The link register comes from the thread pointer and goes there, so that it is an operand like others.
    Link,
    /// As `Link`, with landing places before and behind; which of them is the target of a register, plus some bytes.
    Landings {
        /// The one before.
        back: bool,
        /// Padding before the one behind, in instructions.
        padding: u32,
        /// What is added to the address: not 0 for a misaligned target, or one in Thumb state.
        off: u64,
    },
    /// A breakpoint behind each instruction, whose frame shows the complete state.
    Stops,
    /// A loop around it, executed `LOOPS` times, that counts in the link register.
    Loop,
}

/// How often [`Layout::Loop`] executes the instructions.
pub(crate) const LOOPS: u32 = 3;

/// An item of a case's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item {
    /// An instruction.
    Word(u32),
    /// A conditional branch over as many of the following items as there are, up to that number.
    Skip(u32, usize),
}

impl Item {
    /// The instruction, of a branch with offset 0.
    pub fn word(self) -> u32 {
        match self {
            Item::Word(w) | Item::Skip(w, _) => w,
        }
    }
}

/// What the window that a case accesses holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fill {
    /// Random bytes.
    #[default]
    Random,
    /// This word everywhere.
    Word(u32),
    /// The address of the landing place everywhere.
    Target,
}

/// What the program must prepare for a case: the flags in `guest/insn-cases.c`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Needs {
    /// Flags.
    pub kind: u32,
    /// What the instruction adds to its base register, or to the one that is jumped to.
    pub bias: i32,
    /// Registers that point into the window, a bit each.
    pub pointers: u32,
    /// Registers that hold small numbers.
    pub indices: u32,
    /// What the window holds.
    pub fill: Fill,
}

impl Needs {
    pub(crate) const MEMORY: u32 = 1;
    pub(crate) const INDEX_WORD: u32 = 2;
    pub(crate) const SYSCALL: u32 = 4;
    pub(crate) const TARGET: u32 = 8;
    pub(crate) const ALIGNED: u32 = 0x80;
    pub(crate) const INSIDE: u32 = 0x2000;
    pub(crate) const CLASS_SHIFT: u32 = 4;
    pub(crate) const REGISTER_SHIFT: u32 = 8;
}

/// Instructions that are executed together on each state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// Name of the encoding that it tests, empty for a sequence.
    pub row: &'static str,
    /// In Thumb state.
    pub thumb: bool,
    /// What is executed.
    pub items: Vec<Item>,
    /// What stands around it.
    pub layout: Layout,
    /// What it needs.
    pub needs: Needs,
    /// What its states are drawn from: cases of one seed meet the same states.
    pub seed: u32,
}

/// A random sequence.
pub struct Sequence {
    /// In Thumb state.
    pub thumb: bool,
    /// What is executed.
    pub items: Vec<Item>,
    /// Numbers of items, fewer than all, that may be executed alone: the beginnings.
    pub beginnings: Vec<usize>,
    /// What it needs.
    pub needs: Needs,
}

/// An engine: a name, flags for `xlate`, and `XLATE_ENGINE`.
pub const ENGINES: &[(&str, &[&str], &str)] = &[
    ("interpreter", &["-O0", "--no-lift"], "interp"),
    ("llvm -O0", &["-O0"], "auto"),
    ("llvm -O2", &["-O2"], "auto"),
    ("run-time compiler", &["-O0", "--no-lift"], "jit"),
];

/// How an engine did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Instructions executed and compared.
    pub executions: usize,
    /// For each row: executions, and how many of them ended without a signal.
    pub rows: BTreeMap<&'static str, (usize, usize)>,
    /// Executions that differ, with the reason why they may: how many of each.
    pub excused: BTreeMap<(&'static str, &'static str), usize>,
    /// Those that differ without reason: (case, qemu's line, the engine's line).
    pub differences: Vec<(usize, String, String)>,
    /// Time that qemu took, and the engine.
    pub times: (Duration, Duration),
}

/// Executions that differ are looked at one by one up to this number.
const LOOKED_AT: usize = 40_000;

/// Runs the plan's program under qemu and in an engine and compares each execution.
pub fn compare(plan: &Plan, engine: usize) -> Result<Report, String> {
    let (name, flags, env) = ENGINES[engine];
    let set = plan.set;
    let program = build_table(set.target(), &table(set, &plan.cases));
    let translated = translate(&program, flags)?;
    let states = plan.states.to_string();
    let modes = plan.modes.as_deref().unwrap_or(set.modes());
    let args = |mode| vec![states.as_str(), modes, plan.seed.as_str(), mode];
    let run = |mode, stdin| Run {
        args: args(mode),
        stdin,
        timeout: Some(Duration::from_secs(1800)),
        ..Run::default()
    };
    let engine = |r: Run| run_translated(&translated, &Run { env: vec![("XLATE_ENGINE", env)], ..r });
    let clock = Instant::now();
    let expected = hashes("qemu", &qemu_as(set.processor(), &program, &run("h", &[])), plan)?;
    let qemu_time = clock.elapsed();
    let clock = Instant::now();
    let got = hashes(name, &engine(run("h", &[])), plan)?;
    let mut report = Report { times: (qemu_time, clock.elapsed()), ..Report::default() };

    let mut differ: Vec<usize> = Vec::new();
    for (i, (e, g)) in expected.iter().zip(&got).enumerate() {
        let case = &plan.cases[i / plan.states];
        if e != g {
            differ.push(i);
        } else if !case.row.is_empty() {
            count(&mut report, case.row, *e as u8);
        }
        report.executions += if case.row.is_empty() { case.items.len() } else { 1 };
    }
    let unseen = differ.len().saturating_sub(LOOKED_AT);
    differ.truncate(LOOKED_AT);
    let pairs: Vec<u8> = differ
        .iter()
        .flat_map(|i| [(i / plan.states) as u32, (i % plan.states) as u32])
        .flat_map(u32::to_le_bytes)
        .collect();
    let (other_processor, shown_by_it) = set.other_processor();
    let e = lines(&qemu_as(set.processor(), &program, &run("d", &pairs)));
    let other = lines(&qemu_as(other_processor, &program, &run("d", &pairs)));
    let g = lines(&engine(run("d", &pairs)));
    if e.len() != differ.len() || other.len() != differ.len() || g.len() != differ.len() {
        return Err(format!("{name}: {} differ; qemu shows {}, {name} {}", differ.len(), e.len(), g.len()));
    }
    for (((i, mut e), mut other), g) in differ.into_iter().zip(e).zip(other).zip(g) {
        let n = i / plan.states;
        let case = &plan.cases[n];
        if shown_by_it.contains(&case.row) {
            std::mem::swap(&mut e, &mut other);
            if e == g {
                count(&mut report, case.row, u8::from(g.contains(" signal ")));
                continue;
            }
        }
        match excuse::find(set.excuses(), case, &e, &g).filter(|_| e != g) {
            Some(reason) => *report.excused.entry((case.row, reason)).or_default() += 1,
            None => report.differences.push((n, e, g)),
        }
    }
    if unseen > 0 {
        return Err(format!("{name}: {unseen} more differ; the first: {:?}", report.differences.first()));
    }
    Ok(report)
}

fn count(report: &mut Report, row: &'static str, signal: u8) {
    let entry = report.rows.entry(row).or_default();
    entry.0 += 1;
    entry.1 += usize::from(signal == 0);
}

/// The hashes that a run reports, one for each execution.
fn hashes(who: &str, o: &Outcome, plan: &Plan) -> Result<Vec<u64>, String> {
    let all: Vec<u64> = o
        .stdout
        .chunks_exact(8)
        .map(|c| u64::from_le_bytes(c.try_into().expect("invariant: chunks of 8")))
        .collect();
    if o.status == 0 && all.len() == plan.cases.len() * plan.states {
        return Ok(all);
    }
    let err = String::from_utf8_lossy(&o.stderr);
    let at = plan.cases.get(all.len() / plan.states).map(|c| plan.set.describe(c)).unwrap_or_default();
    Err(format!("{who} ends with status {} after {} executions, about at\n{at}\n{err}", o.status, all.len()))
}

/// The program's report in lines, each with the FPCR of the run in front of what changed.
pub fn lines(o: &Outcome) -> Vec<String> {
    String::from_utf8_lossy(&o.stdout).lines().map(String::from).collect()
}

/// qemu with the features that xlate advertises, as far as it lets them be chosen.
pub fn qemu(set: &dyn InstructionSet, program: &Path, run: &Run) -> Outcome {
    qemu_as(set.processor(), program, run)
}

fn qemu_as(cpu: &str, program: &Path, run: &Run) -> Outcome {
    run_qemu(program, &Run { cpu: Some(cpu), ..run.clone() })
}
