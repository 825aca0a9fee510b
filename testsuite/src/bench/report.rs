//! A [`Report`] as text: tables in Markdown (which read well on a terminal, too), and JSON.

use super::measure::geomean;
use super::{Generator, Report, Row, Steady};
use crate::guest::Target;
use std::fmt::Write;

type Member = fn(&str) -> bool;

/// Groups of rows whose geometric means are reported; integer is all that is neither floating point nor SIMD.
const GROUPS: &[(&str, Member)] = &[
    ("all", |_| true),
    ("integer", |class| class != "fp" && class != "simd"),
    ("floating point", |class| class == "fp"),
    ("SIMD", |class| class == "simd"),
];

/// A group's geometric means.
#[derive(serde::Serialize)]
struct Mean {
    target: &'static str,
    group: &'static str,
    programs: usize,
    translated_per_native: f64,
    qemu_per_native: f64,
    qemu_per_translated: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoints_cost: Option<f64>,
}

fn means(rows: &[Row]) -> Vec<Mean> {
    by_group(
        rows,
        |r| (r.target, r.class.as_str()),
        |target, group, rows| {
            Some(Mean {
                target,
                group,
                programs: rows.len(),
                translated_per_native: geomean(rows.iter().map(|r| r.ratio()))?,
                qemu_per_native: geomean(rows.iter().map(|r| r.qemu_ratio()))?,
                qemu_per_translated: geomean(rows.iter().map(|r| r.gain()))?,
                checkpoints_cost: geomean(rows.iter().filter_map(|r| r.exactness())),
            })
        },
    )
}

/// What `mean` makes of the rows of each instruction set and group; a group for which it makes nothing is left out.
/// `kind` tells a row's instruction set and class.
fn by_group<'a, R, M>(
    rows: &'a [R],
    kind: impl Fn(&R) -> (&'static str, &str),
    mean: impl Fn(&'static str, &'static str, &[&'a R]) -> Option<M>,
) -> Vec<M> {
    let mut means = Vec::new();
    for target in Target::ALL.map(Target::name) {
        for (group, member) in GROUPS {
            let wanted = |r: &&R| matches!(kind(r), (t, class) if t == target && member(class));
            let rows: Vec<&R> = rows.iter().filter(wanted).collect();
            means.extend(mean(target, group, &rows));
        }
    }
    means
}

/// Everything as JSON.
pub fn json(report: &Report) -> serde_json::Value {
    let mut value = serde_json::to_value(report).expect("invariant: numbers and names can be serialised");
    value["means"] = serde_json::to_value(means(&report.rows)).expect("invariant: numbers can be serialised");
    if !report.steady.is_empty() {
        let means = steady_means(&report.steady);
        value["steady_means"] = serde_json::to_value(means).expect("invariant: numbers can be serialised");
    }
    value
}

/// Geometric means of a group of programs in steady state.
#[derive(serde::Serialize)]
struct SteadyMean {
    target: &'static str,
    group: &'static str,
    programs: usize,
    jit_per_native: f64,
    qemu_per_native: f64,
    qemu_per_jit: f64,
}

fn steady_means(rows: &[Steady]) -> Vec<SteadyMean> {
    by_group(
        rows,
        |r| (r.target, r.class.as_str()),
        |target, group, rows| {
            Some(SteadyMean {
                target,
                group,
                programs: rows.len(),
                jit_per_native: geomean(rows.iter().map(|r| r.ratio()))?,
                qemu_per_native: geomean(rows.iter().map(|r| r.qemu_ratio()))?,
                qemu_per_jit: geomean(rows.iter().map(|r| r.gain()))?,
            })
        },
    )
}

/// The tables of the run-time compiler.
fn steady_table(rows: &[Steady]) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("invariant: a string can be written");
    line(
        "| steady state | class | native, s | jit / native | qemu / native | qemu / jit | small run, s |"
            .into(),
    );
    line("|---|---|---:|---:|---:|---:|---:|".into());
    for r in rows {
        line(format!(
            "| {} | {} | {:.3} | {:.2} | {:.2} | {:.2} | {:.3} |",
            r.program,
            r.class,
            r.native_s,
            r.ratio(),
            r.qemu_ratio(),
            r.gain(),
            r.jit_small_s
        ));
    }
    line(String::new());
    line("| geometric mean, steady state | programs | jit / native | qemu / native | qemu / jit |".into());
    line("|---|---:|---:|---:|---:|".into());
    for m in steady_means(rows) {
        line(format!(
            "| {} | {} | {:.2} | {:.2} | {:.2} |",
            m.group, m.programs, m.jit_per_native, m.qemu_per_native, m.qemu_per_jit
        ));
    }
    out
}

/// Tables for each instruction set, under a heading if it is not A64 alone: run times, means, translations, with a line on
/// start-up; and of the run-time compiler, if it was measured.
pub fn table(report: &Report) -> String {
    match report.targets()[..] {
        [Target::A64] => tables(report),
        ref several => {
            let part = |t: &Target| format!("## {}\n\n{}", t.name(), tables(&report.of(*t)));
            several.iter().map(part).collect::<Vec<String>>().join("\n")
        }
    }
}

/// The tables of a report on one instruction set.
pub(super) fn tables(report: &Report) -> String {
    let mut out = if report.rows.is_empty() { String::new() } else { translated_tables(report) };
    if !report.steady.is_empty() {
        if !out.is_empty() {
            out.push('\n');
        }
        out += &steady_table(&report.steady);
    }
    if !report.generators.is_empty() {
        if !out.is_empty() {
            out.push('\n');
        }
        out += &generators_table(&report.generators);
    }
    out
}

/// The table of LuaJIT.
fn generators_table(rows: &[Generator]) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("invariant: a string can be written");
    line("| LuaJIT, steady state | translated, s | qemu, s | qemu / translated | small run, s | under qemu, s |".into());
    line("|---|---:|---:|---:|---:|---:|".into());
    for r in rows {
        line(format!(
            "| {} | {:.3} | {:.3} | {:.2} | {:.3} | {:.3} |",
            r.program,
            r.translated_s,
            r.qemu_s,
            r.gain(),
            r.translated_small_s,
            r.qemu_small_s
        ));
    }
    if let Some(mean) = geomean(rows.iter().map(Generator::gain)) {
        line(format!("| geometric mean | | | {mean:.2} | | |"));
    }
    out
}

fn translated_tables(report: &Report) -> String {
    let mut out = String::new();
    let exactness = report.rows.iter().any(|r| r.unchecked_s.is_some());
    let cost = |e: Option<f64>| e.map_or(String::new(), |e| format!(" {:+.1} % |", (e - 1.0) * 100.0));
    let (head, rule) = if exactness { (" checkpoints' cost |", "---:|") } else { ("", "") };
    let mut line = |text: String| writeln!(out, "{text}").expect("invariant: a string can be written");

    line(format!(
        "| program | class | native, s | translated / native | qemu / native | qemu / translated |{head}"
    ));
    line(format!("|---|---|---:|---:|---:|---:|{rule}"));
    for r in &report.rows {
        line(format!(
            "| {} | {} | {:.3} | {:.2} | {:.2} | {:.1} |{}",
            r.program,
            r.class,
            r.native_s,
            r.ratio(),
            r.qemu_ratio(),
            r.gain(),
            cost(r.exactness())
        ));
    }
    line(String::new());
    line(format!(
        "| geometric mean | programs | translated / native | qemu / native | qemu / translated |{head}"
    ));
    line(format!("|---|---:|---:|---:|---:|{rule}"));
    for m in means(&report.rows) {
        line(format!(
            "| {} | {} | {:.2} | {:.2} | {:.2} |{}",
            m.group,
            m.programs,
            m.translated_per_native,
            m.qemu_per_native,
            m.qemu_per_translated,
            cost(m.checkpoints_cost)
        ));
    }
    line(String::new());
    line("| translation of | instructions | s | instructions / s | peak memory, MB | output, kB | code and tables, bytes / instruction |".into());
    line("|---|---:|---:|---:|---:|---:|---:|".into());
    for r in translations(&report.rows) {
        let t = &r.translation;
        line(format!(
            "| {} | {} | {:.1} | {:.0} | {:.0} | {:.0} | {:.0} |",
            r.program.split(' ').next().unwrap_or_default(),
            t.guest_instructions,
            t.seconds,
            t.speed(),
            t.peak_memory as f64 / 1e6,
            t.output_bytes as f64 / 1e3,
            t.density()
        ));
    }
    for s in &report.start_up {
        line(String::new());
        line(format!(
            "Start-up of an empty program ({} linked with glibc): native {:.2} ms, translated {:.2} ms: {:.2} times.",
            s.linked,
            s.native_s * 1e3,
            s.translated_s * 1e3,
            s.translated_s / s.native_s
        ));
    }
    out
}

/// Rows of different translations: busybox stands for all of its applets.
fn translations(rows: &[Row]) -> impl Iterator<Item = &Row> {
    let mut busybox = 0;
    rows.iter().filter(move |r| {
        busybox += usize::from(r.class == "debian");
        r.class != "debian" || busybox == 1
    })
}
