//! Programs that generate code, in steady state: LuaJIT with the scripts of `testsuite/guest/gens/speed.lua`, translated and under
//! qemu-user, each script in two sizes. What the larger takes more than the smaller is work in traces that both have compiled.
//! Gives rows for the report.

use super::Options;
use super::measure::{cost, median};
use crate::compare;
use crate::guest::{Target, with_package};
use serde::Serialize;
use std::path::Path;
use std::process::Command;

/// Scripts with their small and large inputs.
const SCRIPTS: &[(&str, u32, u32)] = &[
    ("fannkuch", 9, 10),
    ("nbody", 100_000, 2_000_000),
    ("spectral", 200, 900),
    ("mandelbrot", 200, 900),
    ("life", 100, 1_200),
    ("objects", 60_000, 1_000_000),
    ("heapsort", 100_000, 1_500_000),
    ("ffi", 80_000, 1_600_000),
    ("fib", 27, 35),
    ("bintrees", 11, 15),
    ("sieve", 20_000, 3_000_000),
    ("bits", 1_000_000, 40_000_000),
    ("queens", 9, 12),
    ("matmul", 60, 300),
    ("strings", 4_000, 60_000),
    ("coroutines", 50_000, 800_000),
    ("calls", 100_000, 3_000_000),
];

/// One script's figures: medians of user seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Generator {
    /// Name.
    pub program: String,
    /// LuaJIT's own instruction set; the code it generates for 32-bit processors is A32.
    pub target: &'static str,
    /// Translated: large run less small one.
    pub translated_s: f64,
    /// The same under qemu-user.
    pub qemu_s: f64,
    /// The small run, translated: compilation, for the most part.
    pub translated_small_s: f64,
    /// The same under qemu-user.
    pub qemu_small_s: f64,
}

impl Generator {
    /// qemu / translated.
    pub fn gain(&self) -> f64 {
        self.qemu_s / self.translated_s
    }
}

/// Measures the chosen scripts; with `small`, only that they print the same.
pub(super) fn measure(target: Target, options: &Options) -> Vec<Generator> {
    let program = with_package(target, "gens/luajit.c", "libluajit-5.1-dev", "libluajit-5.1.a", "luajit-2.1");
    let flags: Vec<&str> = options.xflags.iter().map(String::as_str).collect();
    let flags = if flags.is_empty() { vec!["-O2"] } else { flags };
    let output = compare::translate(&program, &flags).unwrap_or_else(|e| panic!("{e}"));
    let wanted = |name: &str| options.names.is_empty() || options.names.iter().any(|n| n == name);
    SCRIPTS
        .iter()
        .filter(|s| wanted(s.0))
        .map(|s| measure_one(s, target, &program, &output, options))
        .collect()
}

fn measure_one(
    &(name, small, large): &(&str, u32, u32),
    target: Target,
    program: &Path,
    output: &Path,
    options: &Options,
) -> Generator {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest/gens/speed.lua");
    let large = if options.small { small } else { large };
    let (mut differences, mut smalls) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
    for _ in 0..options.runs {
        let mut printed = [None, None];
        for way in 0..2 {
            let mut time = |size: usize, n: u32| {
                let mut c = if way == 0 { Command::new(output) } else { Command::new(target.qemu()) };
                if way == 1 {
                    c.arg(program);
                }
                c.arg(&script).args([name, &n.to_string()]);
                let cost = cost(c);
                assert!(cost.status.success(), "{name} {n}: {}", cost.status);
                let expected = printed[size].get_or_insert_with(|| cost.stdout.clone());
                assert!(cost.stdout == *expected, "{name} {n} prints something else under qemu");
                cost.user
            };
            let (more, less) = (time(0, large), time(1, small));
            // Below the clock's resolution a ratio means nothing, but it should not be infinite.
            differences[way].push((more - less).max(1e-6));
            smalls[way].push(less);
        }
    }
    let [translated_s, qemu_s] = differences.map(median);
    let [translated_small_s, qemu_small_s] = smalls.map(median);
    let row = Generator {
        program: name.into(),
        target: target.name(),
        translated_s,
        qemu_s,
        translated_small_s,
        qemu_small_s,
    };
    eprintln!(
        "{name:<12} LuaJIT, steady: translated {translated_s:.3} s, {:.2} times faster than qemu",
        row.gain()
    );
    row
}
