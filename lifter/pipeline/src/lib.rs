//! Stages 1–5 as one function: a loaded guest image in, linkable x86-64 objects out, with a report of what was found and
//! what it cost. Does no I/O but progress; knows each stage only by its public function.

mod canonical;
mod emit;
pub mod hot;
mod libraries;
mod literals;
mod merge;
pub mod profile;
mod stats;
mod store;
mod tables;
mod units;

pub use libraries::Library;
pub use stats::{Progress, Quiet, Stage, Stats};
pub use store::{Key, Store};

use emit::Emitter;
use emit_llvm::{Addresses, Checkpoints};
use image::{Image, Range};
use ir::{Function, GuestAddr};
use isa::Isa;
use rayon::prelude::*;
use std::ffi::CString;
use std::time::Instant;

/// Choices of one translation. The output depends on these and the image only, never on the number of jobs.
#[derive(Clone, Debug)]
pub struct Options {
    /// 0–3.
    pub opt: u8,
    /// LLVM name of the target processor: `x86-64-v2`, `native`…
    pub cpu: String,
    /// How guest state is kept recoverable; `None` chooses by `opt`.
    pub checkpoints: Option<Checkpoints>,
    /// What profiles say about this program, sorted.
    pub findings: Vec<abi::profile::Finding>,
    /// Lift code at all; without it the output interprets everything.
    pub lift: bool,
    /// The directory under which the translated program looks for the ARM system's files.
    pub sysroot: Option<CString>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            opt: 2,
            cpu: "x86-64-v2".into(),
            checkpoints: None,
            findings: Vec::new(),
            lift: true,
            sysroot: None,
        }
    }
}

/// A finished translation.
pub struct Translation {
    /// Objects in link order.
    pub objects: Vec<Vec<u8>>,
    /// Counts and times.
    pub stats: Stats,
}

/// Why a translation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The emitter failed: a bug in xlate.
    #[error("internal: this is a bug: emitting unit {unit}: {source}")]
    Emit {
        /// Name of the unit.
        unit: String,
        /// What failed.
        source: emit_llvm::Error,
    },
    /// An emitted object is not of the expected form: a bug in xlate.
    #[error("internal: this is a bug: joining objects: {0}")]
    Merge(String),
    /// The tables' object could not be written: a bug in xlate.
    #[error("internal: this is a bug: writing the tables: {0}")]
    Tables(String),
}

/// Translates `image`, with libraries that it loads, on rayon's current thread pool. Functions that `store` has are not compiled
/// again; the result is the same with and without it.
pub fn translate(
    image: &Image,
    libraries: &[Library],
    options: &Options,
    store: Option<&dyn Store>,
    progress: &dyn Progress,
) -> Result<Translation, Error> {
    let mut stats = Stats::default();
    let placed = libraries::place(image, if options.lift { libraries } else { &[] });
    stats.libraries = placed.len();
    let images: Vec<&Image> = std::iter::once(image).chain(placed.iter().map(|p| &p.image)).collect();

    let programs: Vec<cfg::Program> = stats.time(Stage::Discover, progress, images.len(), || {
        let one = |image: &&Image| {
            let program = if options.lift { discover(image, options) } else { cfg::Program::default() };
            progress.advance(1);
            program
        };
        images.iter().map(one).collect()
    });
    programs.iter().for_each(|p| stats.record_program(p));
    let found = libraries::join(programs);

    let lifted = stats.time(Stage::Lift, progress, found.len(), || lift(&images, &found, progress));
    let (functions, literals): (Vec<_>, Vec<_>) = lifted.into_iter().unzip();
    let common = libraries::common(&images, &found);
    let shapes: Vec<cfg::Found> = found.into_iter().map(|f| f.1).collect();
    stats.record_functions(&functions);

    let layout = Layout::of(&images);
    let emit = emit_options(image, options, &layout, hot::choose(image.isa, &functions[common]));
    let emitter = Emitter::new(&functions, &shapes, layout, &emit, store)?;
    let emitted = stats.time(Stage::Emit, progress, functions.len(), || emitter.emit_all(progress))?;
    stats.cache_hits = emitted.iter().filter(|e| e.hit).count();
    let mut resume = Vec::new();
    let mut merger = merge::Merger::default();
    for e in emitted {
        resume.extend(e.resume);
        merger.add(e.piece);
    }

    let objects = stats.time(Stage::Tables, progress, 1, || -> Result<_, Error> {
        let code =
            tables::Code { functions: &functions, shapes: &shapes, literals: &literals, resume: &resume };
        let guest = tables::Guest { image, libraries: &placed, sysroot: options.sysroot.as_deref() };
        let tables = tables::write(&guest, &layout, &emit, &code)?;
        let glue =
            emit_llvm::emit_glue(&emit).map_err(|source| Error::Emit { unit: "glue".into(), source })?;
        let code = merger.finish().map_err(|e| Error::Merge(e.to_string()))?;
        Ok(vec![code, glue, tables])
    })?;
    stats.guest_file_bytes = image.file.len() as u64;
    stats.object_bytes = objects.iter().map(|o| o.len() as u64).sum();
    Ok(Translation { objects, stats })
}

/// Discovery with those of the options' findings that are about the image.
pub fn discover(image: &Image, options: &Options) -> cfg::Program {
    let findings = libraries::findings(image, &options.findings);
    cfg::discover(image, &cfg::Options { findings, ..Default::default() })
}

/// Lifts one function and runs the default passes.
pub fn lift_one(image: &Image, found: &cfg::Found) -> Function {
    lift_with_literals(image, found).0
}

/// As `lift_one`; and the literals whose values are in the function.
fn lift_with_literals(image: &Image, found: &cfg::Found) -> (Function, Vec<Range>) {
    let mut f = isa::lift_function(&found.shape, &cfg::ImageCode(image));
    for b in f.blocks.iter_mut().filter(|b| found.points.binary_search(&b.pc.0).is_ok()) {
        // Blocks without instructions only lead elsewhere, under the address of that.
        b.resume |= !b.insts.is_empty();
    }
    ir::pass::run_default(&mut f, image.isa.file());
    let literals = literals::fold(image, &mut f);
    ir::pass::share_switches(&mut f, units::MOST_CASES);
    debug_assert_eq!(ir::verify(&f, image.isa.file()), vec![]);
    (f, literals)
}

/// The emitter's options for `image`, with hot registers chosen for `functions`.
pub fn emit_options_for(image: &Image, options: &Options, functions: &[Function]) -> emit_llvm::Options {
    emit_options(image, options, &Layout::of(&[image]), hot::choose(image.isa, functions))
}

fn emit_options(
    image: &Image,
    options: &Options,
    layout: &Layout,
    hot: emit_llvm::Hot,
) -> emit_llvm::Options {
    emit_llvm::Options {
        opt: options.opt,
        cpu: options.cpu.clone(),
        checkpoints: options.checkpoints.unwrap_or(if options.opt == 0 {
            Checkpoints::Commit
        } else {
            Checkpoints::Callbr
        }),
        text_base: GuestAddr(layout.text_base),
        text_size: layout.text_size,
        addresses: Addresses::Fixed,
        position_independent: image.position_independent,
        hot,
        regs: image.isa.file(),
        dispatch_unit: layout.unit,
    }
}

/// Lifts functions, each of the image of that number.
fn lift(
    images: &[&Image],
    found: &[(usize, cfg::Found)],
    progress: &dyn Progress,
) -> Vec<(Function, Vec<Range>)> {
    found
        .par_iter()
        .map(|(image, found)| {
            let f = lift_with_literals(images[*image], found);
            progress.advance(1);
            f
        })
        .collect()
}

/// The options of one function: outside of loops, very large ones store their state before each access instead of keeping it
/// recoverable.
pub fn options_for(f: &Function, options: &emit_llvm::Options) -> emit_llvm::Options {
    let mut options = options.clone();
    if options.checkpoints == Checkpoints::Callbr && units::is_large(f) {
        options.checkpoints = Checkpoints::Mixed;
    }
    options
}

/// The text range that dispatch and checkpoint tables cover.
#[derive(Clone, Copy, Debug)]
struct Layout {
    text_base: u64,
    text_size: u64,
    /// Bytes of text for each entry of the dispatch table.
    unit: u64,
}

impl Layout {
    /// `images` are the program and its libraries in their places.
    fn of(images: &[&Image]) -> Layout {
        let text = || images.iter().flat_map(|i| &i.text);
        let start = text().map(|r| r.start).min().unwrap_or(0) & !3;
        let end = text().map(|r| r.end).max().unwrap_or(0).next_multiple_of(4);
        let unit = match images.first().map(|i| i.isa) {
            Some(Isa::A32) => 1,
            Some(Isa::A64) | None => 4,
        };
        Layout { text_base: start, text_size: end.saturating_sub(start), unit }
    }
}

impl Stats {
    /// Runs one stage under the clock.
    fn time<T>(&mut self, stage: Stage, progress: &dyn Progress, total: usize, f: impl FnOnce() -> T) -> T {
        progress.begin(stage, total as u64);
        let start = Instant::now();
        let result = f();
        self.seconds.push((stage, start.elapsed().as_secs_f64()));
        progress.end(stage);
        result
    }
}
