//! `cargo xtask bench`: reads options, measures, prints tables or JSON, writes the chart and the documentation's page.
//! Exit status 2 if a program fails or prints something else than natively.

use clap::Parser;
use std::path::PathBuf;
use testsuite::bench;
use testsuite::guest::Target;

/// Compares translated programs with native ones and with qemu-user.
#[derive(Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
struct Cli {
    /// Only these programs or classes.
    names: Vec<String>,
    /// Instruction sets of the programs, several with commas.
    #[arg(long = "target", value_name = "TARGET", value_enum, default_value = "a64", value_delimiter = ',')]
    targets: Vec<Name>,
    /// Runs of each program in each way.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Write everything as JSON (`-`: to stdout, instead of the tables).
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a bar chart, of the first instruction set.
    #[arg(long, value_name = "FILE.svg")]
    chart: Option<PathBuf>,
    /// Write the sections of these instruction sets in docs/benchmark.md, with their charts.
    #[arg(long)]
    markdown: bool,
    /// Measure with checkpoints off, too: what exactness costs.
    #[arg(long, visible_alias = "no-checkpoints")]
    exactness: bool,
    /// Measure the run-time compiler alone in steady state, too: how much longer a large run takes than a small one.
    #[arg(long)]
    jit: bool,
    /// Measure the run-time compiler only.
    #[arg(long, conflicts_with_all = ["markdown", "exactness", "chart"])]
    only_jit: bool,
    /// Measure LuaJIT only, in steady state: its scripts are named as programs are.
    #[arg(long, conflicts_with_all = ["markdown", "exactness", "chart", "jit", "only_jit"])]
    luajit: bool,
    /// Dynamically linked programs, with glibc, translated with their libraries, which the cache may have.
    #[arg(long, conflicts_with_all = ["markdown", "luajit"])]
    shared: bool,
    /// The tests' small inputs: shows that everything works, measures nothing.
    #[arg(long)]
    small: bool,
    /// Only list the programs.
    #[arg(long)]
    list: bool,
    /// Flags for xlate.
    #[arg(last = true, value_name = "XLATE FLAGS")]
    xflags: Vec<String>,
}

/// An instruction set as an option names it.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// AArch64.
    A64,
    /// AArch32, A32 instructions.
    A32,
    /// AArch32, T32 instructions; Debian's armhf packages.
    T32,
}

impl From<Name> for Target {
    fn from(name: Name) -> Target {
        match name {
            Name::A64 => Target::A64,
            Name::A32 => Target::A32,
            Name::T32 => Target::T32,
        }
    }
}

fn main() {
    let cli = Cli::parse();
    let mut targets: Vec<Target> = Vec::new();
    for target in cli.targets.iter().map(|name| Target::from(*name)) {
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    if cli.list {
        for target in targets {
            for p in bench::programs(target, cli.small) {
                println!("{} {:<12} {}", target.name(), p.class, p.name);
            }
        }
        return;
    }
    let report = bench::run(&bench::Options {
        targets,
        runs: cli.runs.into(),
        small: cli.small,
        jit: cli.jit || cli.only_jit || cli.markdown,
        luajit: cli.luajit,
        translated: !cli.only_jit && !cli.luajit,
        exactness: cli.exactness || cli.markdown,
        start_up_runs: if !cli.names.is_empty() || cli.small || cli.only_jit || cli.luajit { 0 } else { 200 },
        names: cli.names.clone(),
        shared: cli.shared,
        xflags: cli.xflags.clone(),
    });
    if report.is_empty() {
        fail(format!("no program or class {:?}; --list names them", cli.names));
    }
    let to_stdout = cli.json.as_ref().is_some_and(|f| f.as_os_str() == "-");
    let json = format!("{:#}\n", bench::json(&report));
    if to_stdout {
        print!("{json}");
    } else {
        print!("{}", bench::table(&report));
        if let Some(file) = &cli.json {
            write(file, &json);
        }
    }
    if let Some(file) = &cli.chart {
        let first = report.targets()[0];
        write(file, &bench::svg(&report.of(first)).unwrap_or_else(|e| fail(e)));
    }
    if cli.markdown {
        let files = bench::write_page(&report).unwrap_or_else(|e| fail(e));
        eprintln!("wrote {}", files.join(", "));
    }
}

fn write(file: &std::path::Path, text: &str) {
    std::fs::write(file, text).unwrap_or_else(|e| fail(format!("{}: {e}", file.display())));
}

fn fail(message: String) -> ! {
    eprintln!("bench: {message}");
    std::process::exit(2)
}
