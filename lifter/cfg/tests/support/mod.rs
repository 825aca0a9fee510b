//! Builds guest programs with the cross compilers, and asks questions about what was found in them.
#![allow(dead_code)]

use cfg::{Found, Options, Program};
use image::Image;
use std::collections::BTreeSet;
use std::process::Command;

/// Compiles C or assembly (by `suffix`) with gcc and loads it.
pub fn gcc(source: &str, suffix: &str, args: &[&str]) -> Image {
    build(source, suffix, |c, out, extra| {
        run(Command::new("aarch64-linux-gnu-gcc").args(args).args(extra).arg("-o").arg(out).arg(c))
    })
}

/// The same for AArch32.
pub fn gcc32(source: &str, suffix: &str, args: &[&str]) -> Image {
    build(source, suffix, |c, out, extra| {
        run(Command::new("arm-linux-gnueabihf-gcc").args(args).args(extra).arg("-o").arg(out).arg(c))
    })
}

/// Compiles C for AArch32 with clang, links with gcc, and loads it.
pub fn clang32(source: &str, args: &[&str]) -> Image {
    build(source, "c", |c, out, extra| {
        let object = format!("{out}.o");
        run(Command::new("clang-19")
            .args(["--target=arm-linux-gnueabihf", "-march=armv7-a", "-fno-unwind-tables"])
            .args(args)
            .args(["-c", "-o", &object, c]));
        run(Command::new("arm-linux-gnueabihf-gcc").args(extra).args(["-o", out, &object]));
    })
}

/// Compiles C with clang, links with gcc, and loads it.
pub fn clang(source: &str, args: &[&str]) -> Image {
    build(source, "c", |c, out, extra| {
        let object = format!("{out}.o");
        run(Command::new("clang-19")
            .arg("--target=aarch64-linux-gnu")
            .args(args)
            .args(["-c", "-o", &object, c]));
        run(Command::new("aarch64-linux-gnu-gcc").args(extra).args(["-o", out, &object]));
    })
}

const BARE: [&str; 4] = ["-static", "-nostdlib", "-nostartfiles", "-Wl,-e,start"];

fn build(source: &str, suffix: &str, compile: impl FnOnce(&str, &str, &[&str])) -> Image {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (input, out) = (path(&format!("t.{suffix}")), path("t"));
    std::fs::write(&input, source).expect("source written");
    compile(&input, &out, &BARE);
    image::load("t", std::fs::read(&out).expect("program built")).expect("program loads")
}

/// Compiles a hosted program, statically against the C library.
pub fn hosted(source: &str, args: &[&str]) -> Vec<u8> {
    hosted_with("aarch64-linux-gnu-gcc", source, args)
}

/// The same for AArch32.
pub fn hosted32(source: &str, args: &[&str]) -> Vec<u8> {
    hosted_with("arm-linux-gnueabihf-gcc", source, args)
}

fn hosted_with(gcc: &str, source: &str, args: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (input, out) = (dir.path().join("t.c"), dir.path().join("t"));
    std::fs::write(&input, source).expect("source written");
    run(Command::new(gcc).args(args).arg("-o").arg(&out).arg(&input));
    std::fs::read(&out).expect("program built")
}

/// Drops all symbols.
pub fn strip(bytes: &[u8]) -> Vec<u8> {
    strip_with("aarch64-linux-gnu-strip", bytes)
}

/// Drops all symbols of an AArch32 program.
pub fn strip32(bytes: &[u8]) -> Vec<u8> {
    strip_with("arm-linux-gnueabihf-strip", bytes)
}

fn strip_with(tool: &str, bytes: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("t");
    std::fs::write(&path, bytes).expect("program written");
    run(Command::new(tool).arg("-s").arg(&path));
    std::fs::read(&path).expect("program stripped")
}

fn run(c: &mut Command) {
    let out = c.output().unwrap_or_else(|e| panic!("{c:?}: {e} (install the cross toolchain)"));
    assert!(out.status.success(), "{c:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// Discovery without the sweep, which would hide what other sources miss.
pub fn discover(image: &Image) -> Program {
    cfg::discover(image, &Options { sweep: false, ..Options::default() })
}

/// The function of that name.
pub fn function<'p>(p: &'p Program, name: &str) -> &'p Found {
    p.functions
        .iter()
        .find(|f| f.shape.name == name)
        .unwrap_or_else(|| panic!("no {name} in\n{}", p.cfg_report()))
}

/// All jump-table targets of a function.
pub fn targets(f: &Found) -> Vec<usize> {
    f.shape.blocks.iter().filter_map(|b| b.switch.as_ref().map(Vec::len)).collect()
}

/// Entries of all functions.
pub fn entries(p: &Program) -> BTreeSet<u64> {
    p.functions.iter().map(|f| f.shape.entry.0).collect()
}

/// Discovers the image with its symbols and without, checks both, and that the function of that name has one table with that
/// many targets, and nothing is unresolved.
pub fn check_table(image: Image, name: &str, wanted: usize) {
    let entry = image.symbols.iter().find(|s| s.name == name).expect("a symbol").addr;
    let mut stripped = image.clone();
    stripped.symbols.clear();
    stripped.mapping.clear();
    for image in [image, stripped] {
        let p = discover(&image);
        check(&p);
        let f = p.functions.iter().find(|f| f.shape.entry.0 == entry).expect("it is called");
        assert_eq!(targets(f), [wanted], "{}", p.cfg_report());
        assert!(p.unresolved_jumps.is_empty(), "{}", p.report());
        assert!(p.coverage() > 0.95, "{}", p.report());
    }
}

/// What every program must satisfy whatever it was made from.
pub fn check(p: &Program) {
    let names: BTreeSet<&str> = p.functions.iter().map(|f| f.shape.name.as_str()).collect();
    assert_eq!(names.len(), p.functions.len(), "names are unique");
    for w in p.functions.windows(2) {
        assert!(w[0].shape.entry < w[1].shape.entry, "functions are in order and unique");
    }
    for f in &p.functions {
        let s = &f.shape;
        assert!(s.blocks.iter().any(|b| b.start == s.entry), "{} has its entry block", s.name);
        assert!(s.blocks.iter().all(|b| b.start < b.end));
        let first = |b: &isa::BlockShape| s.isa.bytes_at(b.start.0);
        assert!(s.blocks.windows(2).all(|w| w[0].end.0 <= first(&w[1])), "{}: blocks overlap", s.name);
        for t in s.blocks.iter().filter_map(|b| b.switch.as_ref()).flatten() {
            assert!(s.blocks.iter().any(|b| b.start == *t), "{}: {t} is a block", s.name);
        }
    }
    assert_eq!(p.covered + p.gaps.iter().map(|g| g.len()).sum::<u64>(), p.text);
}
