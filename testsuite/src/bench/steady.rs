//! The run-time compiler alone, in steady state: each program in two sizes, natively, compiled at run time with nothing
//! translated ahead of time, and under qemu-user. What the larger run takes more than the smaller one is work in code that is
//! compiled already: start-up, and compilation by either, are in both. Gives rows for the report.

use super::measure::{Way, cost, median};
use super::{Options, Program, chosen};
use crate::compare;
use crate::torture::Engine;
use serde::Serialize;

/// One program's figures: medians of differences of user seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Steady {
    /// The name of its instruction set.
    pub target: &'static str,
    /// Name.
    pub program: String,
    /// Kind of work.
    pub class: String,
    /// Compiled for this machine.
    pub native_s: f64,
    /// Compiled at run time.
    pub jit_s: f64,
    /// Under qemu-user.
    pub qemu_s: f64,
    /// The small run compiled at run time: compilation, for the most part.
    pub jit_small_s: f64,
}

impl Steady {
    /// Compiled at run time / native.
    pub fn ratio(&self) -> f64 {
        self.jit_s / self.native_s
    }

    /// qemu / native.
    pub fn qemu_ratio(&self) -> f64 {
        self.qemu_s / self.native_s
    }

    /// qemu / compiled at run time.
    pub fn gain(&self) -> f64 {
        self.qemu_s / self.jit_s
    }
}

/// Measures the chosen programs; with `small` the two sizes are the same, and the figures mean nothing.
pub(super) fn measure(options: &Options) -> Vec<Steady> {
    let sizes = chosen(options, options.small).zip(chosen(options, true));
    sizes.map(|(large, small)| measure_one(&large, &small, options)).collect()
}

fn measure_one(large: &Program, small: &Program, options: &Options) -> Steady {
    let built = large.build();
    let engine = Engine::run_time();
    let output = compare::translate(&built.arm, &engine.xflags).unwrap_or_else(|e| panic!("{e}"));
    let ways = [
        Way::host(&built.native),
        Way::host(&output).with(&engine.env),
        Way::under(large.target.qemu(), &built.arm),
    ];
    let mut differences = [const { Vec::new() }; 3];
    let mut small_times = Vec::new();
    for run in 0..options.runs {
        let mut printed = [None, None];
        for (n, (way, differences)) in ways.iter().zip(&mut differences).enumerate() {
            let [more, less] = [(large, 0), (small, 1)].map(|(program, size)| {
                let cost = cost(way.command(program, run));
                assert!(cost.status.success(), "{}: {way:?} {}", program.name, cost.status);
                let expected = printed[size].get_or_insert_with(|| cost.stdout.clone());
                assert!(cost.stdout == *expected, "{}: {way:?} prints something else", program.name);
                cost.user
            });
            // Below the clock's resolution a ratio means nothing, but it should not be infinite.
            differences.push((more - less).max(1e-6));
            if n == 1 {
                small_times.push(less);
            }
        }
    }
    let [native_s, jit_s, qemu_s] = differences.map(median);
    let row = Steady {
        target: large.target.name(),
        program: large.name.clone(),
        class: large.class.clone(),
        native_s,
        jit_s,
        qemu_s,
        jit_small_s: median(small_times),
    };
    eprintln!(
        "{} {:<12} steady: native {:.3} s, compiled at run time {:.2} times that, qemu {:.2}: {:.2} times faster",
        row.target,
        row.program,
        row.native_s,
        row.ratio(),
        row.qemu_ratio(),
        row.gain()
    );
    row
}
