//! The benchmark: programs of our own and applets of Debian's busybox, native, translated and under qemu-user. Takes
//! options, gives a [`Report`] that other files here print as a table, JSON, a chart or the documentation's page.
//! Speed is compared by user time and ratios of medians of interleaved runs; nothing here passes or fails by time.

mod chart;
mod debian;
mod generators;
mod measure;
mod page;
mod programs;
mod report;
mod start_up;
mod steady;
mod translation;

pub use chart::svg;
pub use generators::Generator;
pub use page::write as write_page;
pub use programs::{Program, programs, shared_programs};
pub use report::{json, table};
pub use steady::Steady;

use crate::guest::Target;
use serde::Serialize;
use std::collections::HashMap;
use std::path::PathBuf;
use translation::Translation;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The programs' instruction sets.
    pub targets: Vec<Target>,
    /// Runs of each program in each way.
    pub runs: usize,
    /// Inputs of tests instead of those of measurements.
    pub small: bool,
    /// Only programs of these names or classes; all if empty.
    pub names: Vec<String>,
    /// Measure with checkpoints off, too.
    pub exactness: bool,
    /// Runs of the empty program; none of it if zero.
    pub start_up_runs: usize,
    /// Measure the run-time compiler alone in steady state, too.
    pub jit: bool,
    /// Measure LuaJIT in steady state, too.
    pub luajit: bool,
    /// Measure translated programs.
    pub translated: bool,
    /// Dynamically linked programs, translated with their libraries.
    pub shared: bool,
    /// Further flags for the translator.
    pub xflags: Vec<String>,
}

impl Options {
    /// True if the program was chosen.
    fn wants(&self, program: &Program) -> bool {
        let named = |n: &String| *n == program.name || *n == program.class;
        self.names.is_empty() || self.names.iter().any(named)
    }
}

/// The translator's flag that turns checkpoints off.
const UNCHECKED: &str = "--unsafe-no-checkpoints";

/// One program's figures; times are medians of user seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The name of its instruction set.
    pub target: &'static str,
    /// Name.
    pub program: String,
    /// Kind of work.
    pub class: String,
    /// Compiled for this machine.
    pub native_s: f64,
    /// Translated.
    pub translated_s: f64,
    /// Under qemu-user.
    pub qemu_s: f64,
    /// Translated with checkpoints off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchecked_s: Option<f64>,
    /// What the translation cost and gave; several rows may share one.
    pub translation: Translation,
}

impl Row {
    /// Translated / native.
    pub fn ratio(&self) -> f64 {
        self.translated_s / self.native_s
    }

    /// qemu / native.
    pub fn qemu_ratio(&self) -> f64 {
        self.qemu_s / self.native_s
    }

    /// qemu / translated.
    pub fn gain(&self) -> f64 {
        self.qemu_s / self.translated_s
    }

    /// Time with checkpoints / time without.
    pub fn exactness(&self) -> Option<f64> {
        self.unchecked_s.map(|u| self.translated_s / u)
    }
}

/// Everything that one run of the benchmark found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// In the order of classes.
    pub rows: Vec<Row>,
    /// The run-time compiler alone; empty unless asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steady: Vec<Steady>,
    /// LuaJIT; empty unless asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub generators: Vec<Generator>,
    /// Wall seconds of an empty static program for each instruction set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub start_up: Vec<start_up::StartUp>,
    /// Runs of each.
    pub runs: usize,
}

impl Report {
    /// The part of one instruction set.
    pub fn of(&self, target: Target) -> Report {
        let name = target.name();
        Report {
            rows: self.rows.iter().filter(|r| r.target == name).cloned().collect(),
            steady: self.steady.iter().filter(|r| r.target == name).cloned().collect(),
            generators: self.generators.iter().filter(|g| g.target == name).cloned().collect(),
            start_up: self.start_up.iter().filter(|s| s.target == name).copied().collect(),
            runs: self.runs,
        }
    }

    /// The instruction sets of which it says something.
    pub fn targets(&self) -> Vec<Target> {
        Target::ALL.into_iter().filter(|t| !self.of(*t).is_empty()).collect()
    }

    /// True if nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.steady.is_empty() && self.generators.is_empty()
    }
}

/// The programs that the options choose.
fn chosen(options: &Options, small: bool) -> impl Iterator<Item = Program> {
    let of = if options.shared { shared_programs } else { programs };
    let all = options.targets.iter().flat_map(move |t| of(*t, small));
    all.filter(move |p| options.wants(p))
}

/// Measures, with a line of progress on stderr for each program.
pub fn run(options: &Options) -> Report {
    let mut translations: HashMap<(PathBuf, bool), (PathBuf, Translation)> = HashMap::new();
    let mut rows = Vec::new();
    for program in chosen(options, options.small).filter(|_| options.translated) {
        rows.push(measure_one(&program, options, &mut translations));
    }
    let targets = options.targets.iter().filter(|_| options.start_up_runs > 0);
    let start_up = targets.map(|t| start_up::measure(*t, options)).collect();
    let steady = if options.jit { steady::measure(options) } else { Vec::new() };
    let targets = options.targets.iter().filter(|_| options.luajit);
    let generators = targets.flat_map(|t| generators::measure(*t, options)).collect();
    Report { rows, steady, generators, start_up, runs: options.runs }
}

/// Runs a program natively, translated and under qemu-user, once; panics unless all print the same.
pub fn check(program: &Program, xflags: &[&str]) {
    let built = program.build();
    let translated = crate::compare::translate(&built.arm, xflags).unwrap_or_else(|e| panic!("{e}"));
    let ways = [
        measure::Way::host(&built.native),
        measure::Way::host(&translated),
        measure::Way::under(program.target.qemu(), &built.arm),
    ];
    measure::interleaved(program, &ways, 1);
}

fn measure_one(
    program: &Program,
    options: &Options,
    translations: &mut HashMap<(PathBuf, bool), (PathBuf, Translation)>,
) -> Row {
    let built = program.build();
    let mut translated = |unchecked: bool| {
        translations
            .entry((built.arm.clone(), unchecked))
            .or_insert_with(|| translation::translate(&built.arm, unchecked, options))
            .clone()
    };
    let (exact, translation) = translated(false);
    let mut ways = vec![
        measure::Way::host(&built.native),
        measure::Way::host(&exact),
        measure::Way::under(program.target.qemu(), &built.arm)
            .with(&[("QEMU_LD_PREFIX", program.target.sysroot())]),
    ];
    if options.exactness {
        ways.push(measure::Way::host(&translated(true).0));
    }
    let seconds = measure::interleaved(program, &ways, options.runs);
    let row = Row {
        target: program.target.name(),
        program: program.name.clone(),
        class: program.class.clone(),
        native_s: seconds[0],
        translated_s: seconds[1],
        qemu_s: seconds[2],
        unchecked_s: seconds.get(3).copied(),
        translation,
    };
    eprintln!(
        "{} {:<12} native {:.3} s, translated {:.2} times that, qemu {:.2}{}",
        row.target,
        row.program,
        row.native_s,
        row.ratio(),
        row.qemu_ratio(),
        row.exactness().map_or(String::new(), |e| format!(", checkpoints cost {:+.1} %", (e - 1.0) * 100.0))
    );
    row
}
