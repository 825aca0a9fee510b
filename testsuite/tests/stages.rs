//! Snapshots of every stage for one small program, and of `xlate inspect`, which shows them.

use std::collections::HashMap;
use std::process::Command;
use testsuite::compare::{Run, run_qemu, run_translated, translate};
use testsuite::guest::{Libc, Target, ours, ours_for};
use testsuite::tools;

fn program() -> std::path::PathBuf {
    ours("stages.s", Libc::None, &["-Wl,-Ttext=0x400000,--build-id=none"])
}

/// AArch32, a function in each state.
fn program32() -> std::path::PathBuf {
    ours_for(Target::A32, "stages32.s", Libc::None, &["-Wl,-Ttext=0x10000,--build-id=none"])
}

fn inspect(emit: &str, function: Option<&str>) -> String {
    inspect_of(&program(), emit, function)
}

fn inspect_of(program: &std::path::Path, emit: &str, function: Option<&str>) -> String {
    let mut c = Command::new(tools::xlate());
    c.arg("inspect").arg(program).args(["--emit", emit]);
    if let Some(f) = function {
        c.args(["--function", f]);
    }
    let out = c.output().expect("xlate starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).expect("inspect prints UTF-8");
    // The file's path differs from machine to machine.
    let text = text.replace(&program.display().to_string(), "PROGRAM");
    if emit == "llvm" { stable(&text) } else { text }
}

/// LLVM's text without what makes a small change a large difference: values are numbered within their block, the type of
/// all guest registers has a name, and registers' slots, the aggregate's parts and declarations are left out.
fn stable(llvm: &str) -> String {
    let bodies = llvm.lines().skip_while(|l| !l.starts_with("define"));
    let mut lines: Vec<String> = Vec::new();
    for line in bodies {
        let out = ["declare", "attributes", "; Function Attrs", "!"].iter().any(|p| line.starts_with(p));
        if !out && !line.contains(" = alloca ") && !line.contains(" = insertvalue ") {
            lines.push(registers_named(line));
        }
    }
    let mut names: HashMap<String, String> = HashMap::new();
    let (mut block, mut count) = (String::from("entry"), 0);
    for line in &lines {
        if let Some((label, rest)) = line.split_once(':').filter(|_| !line.starts_with([' ', 'd', '}'])) {
            let pred = rest.split_once("preds = %").map(|p| p.1.split(',').next().unwrap_or(p.1));
            block = match (label.parse::<u32>(), pred) {
                (Err(_), _) | (_, None) => label.to_string(),
                (Ok(_), Some(p)) => format!("{}.next", names.get(p).map_or(p, String::as_str)),
            };
            names.insert(label.to_string(), block.clone());
            count = 0;
        } else if let Some((name, _)) = line.strip_prefix("  %").and_then(|l| l.split_once(" = ")) {
            if name.parse::<u32>().is_ok() {
                names.insert(name.to_string(), format!("{block}.{count}"));
                count += 1;
            }
        } else if line.starts_with("define") {
            names.clear();
        }
    }
    let mut text = String::new();
    for line in lines {
        match line.split_once(':').filter(|_| !line.starts_with([' ', 'd', '}'])) {
            // The list of predecessors repeats the branches.
            Some((label, _)) => text.push_str(&format!("{}:", names.get(label).map_or(label, |n| n))),
            None => text.push_str(&renamed(&line, &names)),
        }
        text.push('\n');
    }
    text.trim_end().to_string()
}

/// `line` with the long aggregate type as `%REGS`.
fn registers_named(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("{ i64, i64, i64,") {
        let end = at + rest[at..].find('}').map_or(rest.len() - at, |e| e + 1);
        out.push_str(&rest[..at]);
        out.push_str("%REGS");
        rest = &rest[end..];
    }
    out + rest
}

/// `line` with each `%number` of `names` replaced.
fn renamed(line: &str, names: &HashMap<String, String>) -> String {
    let mut parts = line.split('%');
    let mut out = parts.next().unwrap_or("").to_string();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        out.push('%');
        match names.get(&part[..end]) {
            Some(name) if end > 0 && !line.starts_with("define") => out.push_str(name),
            _ => out.push_str(&part[..end]),
        }
        out.push_str(&part[end..]);
    }
    out
}

macro_rules! stage {
    ($name:ident, $emit:literal, $function:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(inspect($emit, $function));
        }
    };
}

stage!(image, "image", None);
stage!(insns, "insns", None);
stage!(cfg, "cfg", None);
stage!(coverage, "coverage", None);
stage!(ir, "ir", None);
stage!(llvm_start, "llvm", Some("_start"));
stage!(llvm_sum, "llvm", Some("sum"));
stage!(llvm_choose, "llvm", Some("choose"));
stage!(llvm_increment, "llvm", Some("increment"));
stage!(llvm_half, "llvm", Some("half"));
stage!(asm_sum, "asm", Some("sum"));

macro_rules! stage32 {
    ($name:ident, $emit:literal, $function:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(inspect_of(&program32(), $emit, $function));
        }
    };
}

stage32!(insns32, "insns", None);
stage32!(cfg32, "cfg", None);
stage32!(ir32, "ir", None);
stage32!(llvm32_start, "llvm", Some("_start"));
stage32!(llvm32_sum, "llvm", Some("sum"));

#[test]
fn the_program_behaves_as_under_qemu() {
    let program = program();
    let expected = run_qemu(&program, &Run::default());
    assert_eq!(expected.status, 42);
    for flags in [&["-O0"][..], &["-O1"], &["-O2"], &["-O3"], &["--no-lift"]] {
        let translated = translate(&program, flags).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(run_translated(&translated, &Run::default()), expected, "{flags:?}");
    }
}

#[test]
fn the_output_does_not_depend_on_the_number_of_jobs() {
    let program = ours("hello.c", Libc::Musl, &["-O2"]);
    let bytes = |jobs: &str| {
        std::fs::read(translate(&program, &["--jobs", jobs]).unwrap_or_else(|e| panic!("{e}"))).unwrap()
    };
    assert!(bytes("1") == bytes("2"));
}
