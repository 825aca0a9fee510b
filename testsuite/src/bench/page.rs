//! Writes `docs/benchmark.md` and its chart from a [`Report`], with what a reader needs to judge the figures: processor,
//! kernel and versions of the compilers, but not the machine's name.

use super::{Report, svg, table};
use crate::{root, tools};
use std::process::Command;

/// Writes both files; gives their names.
pub fn write(report: &Report) -> Result<[&'static str; 2], String> {
    let files = ["docs/benchmark.md", "docs/benchmark.svg"];
    for (file, text) in files.iter().zip([page(report), svg(report)?]) {
        std::fs::write(root().join(file), text).map_err(|e| format!("{file}: {e}"))?;
    }
    Ok(files)
}

fn page(report: &Report) -> String {
    let steady = if report.steady.is_empty() { "" } else { STEADY };
    let exactness = if report.rows.iter().any(|r| r.unchecked_s.is_some()) { EXACTNESS } else { "" };
    format!(
        "# Benchmark\n\nWritten by `cargo xtask bench --markdown`; do not edit.\n\n{}\n{HOW}{exactness}{steady}\n\
         ![Run time as a multiple of native](benchmark.svg)\n\n{}",
        machine(report.runs),
        table(report)
    )
}

const HOW: &str = "
Each program is compiled from the same source with the same flags and kind of C library (musl for C, glibc for C++) for both
machines and prints a checksum, which must be the same in all ways of running it; the rows of class `debian` run the same
package's arm64 (translated, qemu) and amd64 (native) build. Times are user times; ratios are those of medians of runs made in
turn. `integer` is everything that is neither class `fp` nor `simd`. Translations are first ones, without a cache.
";

const EXACTNESS: &str = "
The checkpoints' cost is the time with checkpoints over the time without them (`--unsafe-no-checkpoints`: guest accesses are
volatile loads and stores of LLVM, and faults and asynchronous signals are lost).
";

const STEADY: &str = "
The tables of the steady state are of the run-time compiler alone, with nothing translated ahead of time (`--no-lift`, `XLATE_ENGINE=jit`):
differences of the user times of the program's ordinary run and of its small one, in which the same code is compiled already.
";

fn machine(runs: usize) -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let field = |text: &str, key: &str, separator: char| {
        let line = text.lines().find(|l| l.starts_with(key));
        line.and_then(|l| Some(l.split_once(separator)?.1.trim().trim_matches('"').to_string()))
            .unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // A release may carry a builder's or an owner's name after its number.
    let release = read("/proc/sys/kernel/osrelease");
    let kernel = release.split(['-', '+', '\n']).next().unwrap_or_default();
    let lines = [
        ("date", first_line("date", &["-u", "+%F"])),
        ("processor", format!("{}, {cores} cores", field(&cpuinfo, "model name", ':'))),
        ("system", format!("{}, Linux {kernel}", field(&read("/etc/os-release"), "PRETTY_NAME", '='))),
        ("xlate's LLVM", emit_llvm::llvm_version()),
        (
            "compilers",
            format!(
                "{}; {}",
                first_line("cc", &["--version"]),
                first_line(tools::cross_gcc(), &["--version"])
            ),
        ),
        ("emulator", first_line(tools::qemu(), &["--version"])),
        ("runs", runs.to_string()),
    ];
    lines.iter().map(|(name, value)| format!("- {name}: {value}\n")).collect()
}

fn first_line(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).output().map(|o| o.stdout).unwrap_or_default();
    String::from_utf8_lossy(&out).lines().next().unwrap_or("unknown").to_string()
}
