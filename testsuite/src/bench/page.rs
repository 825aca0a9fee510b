//! Writes `docs/benchmark.md` and its chart from a [`Report`], with what a reader needs to judge the figures: processor,
//! kernel and versions of the compilers, but not the machine's name.

use super::report::tables;
use super::{Report, svg};
use crate::guest::Target;
use crate::root;
use std::process::Command;

/// Writes the page's sections of the instruction sets measured, leaving those of others as they are, and a chart for each;
/// gives the files' names.
pub fn write(report: &Report) -> Result<Vec<String>, String> {
    const PAGE: &str = "docs/benchmark.md";
    let file = root().join(PAGE);
    let old = std::fs::read_to_string(&file).unwrap_or_default();
    let mut files = vec![PAGE.to_string()];
    let mut sections = Vec::new();
    for target in Target::ALL {
        let report = report.of(target);
        if report.is_empty() {
            sections.extend(section_of(&old, target));
            continue;
        }
        let chart = format!("docs/{}", chart(target));
        std::fs::write(root().join(&chart), svg(&report)?).map_err(|e| format!("{chart}: {e}"))?;
        files.push(chart);
        sections.push(section(target, &report));
    }
    let page = format!("{TITLE}{HOW}\n{}\n", sections.join("\n\n"));
    std::fs::write(&file, page).map_err(|e| format!("{PAGE}: {e}"))?;
    Ok(files)
}

fn heading(target: Target) -> String {
    format!("## {}\n", target.name())
}

/// The chart's name beside the page.
fn chart(target: Target) -> String {
    match target {
        Target::A64 => "benchmark.svg".into(),
        Target::A32 | Target::T32 => format!("benchmark-{}.svg", target.name().to_lowercase()),
    }
}

/// A target's section of a page.
fn section_of(page: &str, target: Target) -> Option<String> {
    let start = page.find(&heading(target))?;
    let text = &page[start..];
    let end = text[2..].find("\n## ").map_or(text.len(), |n| n + 2);
    Some(text[..end].trim_end().to_string())
}

fn section(target: Target, report: &Report) -> String {
    let steady = if report.steady.is_empty() { "" } else { STEADY };
    let exactness = if report.rows.iter().any(|r| r.unchecked_s.is_some()) { EXACTNESS } else { "" };
    let text = format!(
        "{}\n{}{exactness}{steady}\n![Run time as a multiple of native]({})\n\n{}",
        heading(target),
        machine(target, report.runs),
        chart(target),
        tables(report)
    );
    text.trim_end().to_string()
}

const TITLE: &str =
    "# Benchmark\n\nWritten by `cargo xtask bench --markdown` (`--target a64,a32,t32`); do not edit.\n";

const HOW: &str = "
Each program is compiled from the same source with the same flags and kind of C library (musl for C, glibc for C++) for both
machines and prints a checksum, which must be the same in all ways of running it; the rows of class `debian` run the same
package's ARM (translated, qemu) and amd64 (native) build. Times are user times; ratios are those of medians of runs made in
turn. `integer` is everything that is neither class `fp` nor `simd`. Translations are first ones, without a cache. Each run has an
environment of its own, of another size each time: it decides where the stack begins, and one place in about fifteen costs qemu-user half
as much again in floating point.

A32 and T32 are compiled for Debian's armhf (Armv7 with VFPv3 of 16 registers), `simd` with NEON. What native programs do in 64-bit
words because they have them (`bignum`) is done in 32-bit words there, natively, too. Debian's packages are T32.
";

const EXACTNESS: &str = "
The checkpoints' cost is the time with checkpoints over the time without them (`--unsafe-no-checkpoints`: guest accesses are
volatile loads and stores of LLVM, and faults and asynchronous signals are lost).
";

const STEADY: &str = "
The tables of the steady state are of the run-time compiler alone, with nothing translated ahead of time (`--no-lift`, `XLATE_ENGINE=jit`):
differences of the user times of the program's ordinary run and of its small one, in which the same code is compiled already.
";

fn machine(target: Target, runs: usize) -> String {
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
            format!("{}; {}", first_line("cc", &["--version"]), first_line(target.gcc(), &["--version"])),
        ),
        ("emulator", first_line(target.qemu(), &["--version"])),
        ("runs", runs.to_string()),
    ];
    lines.iter().map(|(name, value)| format!("- {name}: {value}\n")).collect()
}

fn first_line(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).output().map(|o| o.stdout).unwrap_or_default();
    String::from_utf8_lossy(&out).lines().next().unwrap_or("unknown").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections() {
        let page = "# T\n\ntext\n\n## A64\n\none\n\n## T32\n\nthree\n";
        assert_eq!(section_of(page, Target::A64).as_deref(), Some("## A64\n\none"));
        assert_eq!(section_of(page, Target::A32), None);
        assert_eq!(section_of(page, Target::T32).as_deref(), Some("## T32\n\nthree"));
    }
}
