//! What a translation reports: counts, times, progress. Takes the stages' values, gives numbers; prints nothing.

use serde::Serialize;
use std::collections::BTreeMap;

/// A stage of the pipeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Code discovery.
    Discover,
    /// Lifting to IR.
    Lift,
    /// LLVM code generation.
    Emit,
    /// Tables and embedded guest file.
    Tables,
    /// The system linker.
    Link,
}

impl Stage {
    /// Word for messages.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Discover => "discover",
            Stage::Lift => "lift",
            Stage::Emit => "emit",
            Stage::Tables => "tables",
            Stage::Link => "link",
        }
    }
}

/// Hears of progress; called from several threads.
pub trait Progress: Sync {
    /// A stage of `total` steps begins.
    fn begin(&self, stage: Stage, total: u64);
    /// `n` more steps are done.
    fn advance(&self, n: u64);
    /// The stage is over.
    fn end(&self, stage: Stage);
}

/// Hears nothing.
pub struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _: Stage, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self, _: Stage) {}
}

/// Counts and times of one translation.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// Libraries translated with the program.
    pub libraries: usize,
    /// Functions lifted.
    pub functions: usize,
    /// Their number by the source that named them.
    pub sources: BTreeMap<String, usize>,
    /// Blocks lifted.
    pub blocks: usize,
    /// Guest instructions lifted.
    pub guest_instructions: usize,
    /// IR instructions after passes.
    pub ir_instructions: usize,
    /// Instructions left to the interpreter for lack of meaning in the IR.
    pub fallbacks: usize,
    /// Undefined instructions in lifted code.
    pub undefined: usize,
    /// Bytes of text, and of text covered by lifted blocks.
    pub text_bytes: u64,
    /// Bytes of text covered by lifted blocks.
    pub covered_bytes: u64,
    /// Recovered jump tables.
    pub jump_tables: usize,
    /// Indirect jumps left to dispatch.
    pub unresolved_jumps: usize,
    /// What profiles gave: targets of indirect jumps, places made enterable, bytes of code that nothing else led to (and among
    /// `sources`, functions).
    pub learned_targets: usize,
    /// See `learned_targets`.
    pub learned_points: usize,
    /// See `learned_targets`.
    pub learned_bytes: u64,
    /// Findings of profiles that were explained already.
    pub learned_known: usize,
    /// Findings of profiles that are no code, or too many.
    pub learned_ignored: usize,
    /// Functions taken from the cache instead of being compiled.
    pub cache_hits: usize,
    /// Bytes of the guest file, which the objects and the output contain as it is.
    pub guest_file_bytes: u64,
    /// Bytes of objects handed to the linker.
    pub object_bytes: u64,
    /// Bytes of the output file.
    pub output_bytes: u64,
    /// Wall time per stage, seconds.
    pub seconds: Vec<(Stage, f64)>,
}

impl Stats {
    pub(crate) fn record_program(&mut self, program: &cfg::Program) {
        self.functions += program.functions.len();
        for f in &program.functions {
            *self.sources.entry(f.source.name().to_string()).or_default() += 1;
        }
        self.text_bytes += program.text;
        self.covered_bytes += program.covered;
        self.jump_tables += program.jump_tables;
        self.unresolved_jumps += program.unresolved_jumps.len();
        let l = &program.learned;
        self.learned_targets += l.targets;
        self.learned_points += l.points;
        self.learned_bytes += l.bytes;
        self.learned_known += l.known;
        self.learned_ignored += l.ignored;
    }

    pub(crate) fn record_functions(&mut self, functions: &[ir::Function]) {
        for b in functions.iter().flat_map(|f| &f.blocks) {
            self.blocks += 1;
            self.ir_instructions += b.insts.len();
            self.guest_instructions += b.insts.iter().filter(|i| matches!(i, ir::Inst::Mark(_))).count();
            match b.term {
                ir::Term::Fallback { .. } => self.fallbacks += 1,
                ir::Term::Trap { kind: ir::TrapKind::Undefined, .. } => self.undefined += 1,
                _ => {}
            }
        }
    }

    /// Share of text that was lifted, 0–1.
    pub fn coverage(&self) -> f64 {
        if self.text_bytes == 0 { 0.0 } else { self.covered_bytes as f64 / self.text_bytes as f64 }
    }
}
