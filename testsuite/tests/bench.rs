//! The benchmark works: its programs print the same natively, translated and under qemu-user, the command writes every
//! output it offers, and translation without checkpoints says what it is. Nothing here looks at a time.

use assert_cmd::Command;
use testsuite::compare::{Run, run_translated, translate};
use testsuite::guest::{Libc, Target, build};
use testsuite::{bench, full, store};

/// Of different kinds and with musl, which makes them small; all others have their place in the full run.
const QUICK: &[&str] = &["bignum", "json", "libm", "lz", "sad", "threaded", "vecfloat"];

#[test]
fn programs_print_the_same_in_all_ways() {
    print_the_same(Target::A64, QUICK);
}

#[test]
fn programs_for_a32_print_the_same_in_all_ways() {
    print_the_same(Target::A32, &["bignum", "threaded"]);
}

#[test]
fn programs_for_t32_print_the_same_in_all_ways() {
    print_the_same(Target::T32, &["json", "sad"]);
}

/// Checks the programs of `quick`, in the full run all.
fn print_the_same(target: Target, quick: &[&str]) {
    let programs = bench::programs(target, true);
    assert!(programs.len() >= 36, "{}", programs.len());
    for p in programs.iter().filter(|p| full() || quick.contains(&p.name.as_str())) {
        bench::check(p, &["-O2"]);
        if full() {
            bench::check(p, &["-O2", "--unsafe-no-checkpoints"]);
        }
    }
}

#[test]
fn the_command_measures_several_instruction_sets() {
    let out = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["--small", "--runs", "1", "--target", "a32,t32", "--json", "-", "fib", "--", "-O0"])
        .env("XLATE_BIN", testsuite::tools::xlate())
        .output()
        .expect("the benchmark starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("it is JSON");
    for (n, target) in ["A32", "T32"].iter().enumerate() {
        assert_eq!(json["rows"][n]["target"], *target, "{json}");
        assert_eq!(json["rows"][n]["program"], "fib", "{json}");
    }
    let mean = |target: &str| {
        let means = json["means"].as_array().into_iter().flatten();
        means.filter(|m| m["target"] == target && m["group"] == "integer").count()
    };
    assert_eq!((mean("A32"), mean("T32")), (1, 1), "{json}");
}

#[test]
fn the_command_writes_all_its_outputs() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let (json, chart) = (dir.path().join("out.json"), dir.path().join("out.svg"));
    let out = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["--small", "--runs", "1", "--exactness", "--jit", "fib", "sieve"])
        .arg("--json")
        .arg(&json)
        .arg("--chart")
        .arg(&chart)
        .args(["--", "-O0"])
        .env("XLATE_BIN", testsuite::tools::xlate())
        .output()
        .expect("the benchmark starts");
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    for part in [
        "| fib | calls |",
        "| sieve | int |",
        "| integer | 2 |",
        "checkpoints' cost",
        "| translation of |",
        "| fib | calls |",
        "| steady state |",
        "qemu / jit",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    let json = std::fs::read(json).expect("the JSON file was written");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("it is JSON");
    assert_eq!(json["rows"].as_array().map(Vec::len), Some(2));
    for key in ["native_s", "translated_s", "qemu_s", "unchecked_s"] {
        assert!(json["rows"][0][key].as_f64().is_some_and(|s| s > 0.0), "{key} in {json}");
    }
    for key in ["guest_instructions", "peak_memory", "output_bytes", "object_bytes"] {
        assert!(json["rows"][0]["translation"][key].as_u64().is_some_and(|n| n > 1000), "{key} in {json}");
    }
    assert_eq!(json["steady"].as_array().map(Vec::len), Some(2));
    assert!(json["steady_means"][0]["qemu_per_jit"].is_f64(), "{json}");
    let chart = std::fs::read_to_string(chart).expect("the chart was written");
    assert!(chart.starts_with("<svg") && chart.trim_end().ends_with("</svg>"), "{chart}");
    assert!(chart.contains("sieve") && !chart.contains("NaN"), "{chart}");
}

#[test]
fn an_unknown_program_is_an_error() {
    let out =
        Command::new(env!("CARGO_BIN_EXE_bench")).arg("no-such").output().expect("the benchmark starts");
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("no-such"));
}

#[test]
fn a_fault_without_checkpoints_is_fatal_and_says_why() {
    let source = store().join("unchecked-fault.c");
    let text = "#include <signal.h>\n#include <stdlib.h>\nstatic void caught(int n) { _Exit(n); }\n\
                int main(int argc, char **argv) { signal(SIGSEGV, caught); return argv[argc + 1000000000][0]; }\n";
    std::fs::write(&source, text).expect("the store can be written");
    let arm = build(&source, Libc::Musl, &["-O1"]).unwrap_or_else(|e| panic!("{e}"));
    let run = Run::default();
    let exact = translate(&arm, &["-O1"]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(run_translated(&exact, &run).status, libc::SIGSEGV);
    let inexact = translate(&arm, &["-O1", "--unsafe-no-checkpoints"]).unwrap_or_else(|e| panic!("{e}"));
    let out = run_translated(&inexact, &run);
    assert_eq!(out.status, -libc::SIGABRT, "{out:?}");
    let message = String::from_utf8_lossy(&out.stderr);
    assert!(message.contains("--unsafe-no-checkpoints"), "{message}");
}
