//! Golden host-code sizes: what hot guest instructions and small functions cost in host instructions and bytes. A code
//! sequence that gets longer shows as a difference in `testsuite/sizes/golden.txt`. With `XLATE_UPDATE_DOCS=1` the file is
//! rewritten.

mod count;

use count::Size;
use rayon::prelude::*;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use testsuite::guest::{Libc, build, content_hash};
use testsuite::{root, store, temporary};

const HEAD: &str = "\
# Host code at -O2 for the default processor: instructions and bytes of the hot part, bytes of the rest (fault blocks, leaving
# to the runtime, soft operations). Guest instructions are counted beyond an empty function; `;` separates several.
# Hot registers: x0-x7, x30, sp, v0-v7. Generated: XLATE_UPDATE_DOCS=1 cargo test -p xlate-testsuite --test sizes
# insns  bytes   cold  guest
";

/// The instructions of `sizes/insns.txt`, one case a line.
fn cases() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("testsuite/sizes/insns.txt")).expect("the file exists");
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines.map(String::from).collect()
}

/// One program: a function `i<n>` for each case, `empty`, and those of `sizes/functions.s`.
fn program(cases: &[String]) -> PathBuf {
    let mut s = String::from("\t.arch armv8.4-a+crypto+fp16\n\t.text\n\t.global _start\n");
    let mut function = |name: &str, body: &str| {
        let _ = writeln!(s, "\t.type {name}, %function\n{name}:\t{body}\n\tret\n\t.size {name}, . - {name}");
    };
    function("_start", "");
    function("empty", "");
    for (i, case) in cases.iter().enumerate() {
        function(&format!("i{i}"), case);
    }
    s.push_str("\t.balign 16\n");
    s.push_str(
        &std::fs::read_to_string(root().join("testsuite/sizes/functions.s")).expect("the file exists"),
    );
    let dir = store().join("sizes");
    std::fs::create_dir_all(&dir).expect("the store can be written");
    let path = dir.join(format!("sizes-{:016x}.s", content_hash(s.as_bytes())));
    if !path.exists() {
        let temp = temporary(&path);
        std::fs::write(&temp, s)
            .and_then(|()| std::fs::rename(&temp, &path))
            .expect("the store can be written");
    }
    build(&path, Libc::None, &["-Wl,-Ttext=0x400000,--build-id=none"]).unwrap_or_else(|e| panic!("{e}"))
}

/// Names of functions (of `functions.s`, by address) and the sizes of all.
fn measure(program: &std::path::Path) -> (Vec<String>, HashMap<String, Size>) {
    let bytes = std::fs::read(program).expect("it was built");
    let image = image::load("sizes", bytes).unwrap_or_else(|e| panic!("{e}"));
    let options = pipeline::Options::default();
    let found = pipeline::discover(&image, &options);
    let lifted: Vec<ir::Function> = found.functions.iter().map(|f| pipeline::lift_one(&image, f)).collect();
    let mut emit = pipeline::emit_options_for(&image, &options, &lifted);
    // A fixed choice: a new case must not change the others.
    let gprs: Vec<ir::Reg> = (0..8).chain([30]).map(isa::a64::reg::x).chain([isa::a64::reg::SP]).collect();
    emit.hot.gprs = gprs.try_into().expect("as many as slots");
    emit.hot.vecs = std::array::from_fn(|i| isa::a64::reg::v(i as u32));
    let names: HashMap<ir::GuestAddr, &str> = lifted.iter().map(|f| (f.entry, f.name.as_str())).collect();
    let resolve = |a: ir::GuestAddr| names.get(&a).map(|n| format!("{}{n}", abi::symbol::FUNCTION_PREFIX));
    // Each in an object of its own, where it stands does not depend on the others.
    let sizes = lifted.par_iter().map(|f| {
        let unit = emit_llvm::emit_unit("sizes", std::slice::from_ref(f), &emit, &resolve);
        count::sizes(&unit.unwrap_or_else(|e| panic!("{e}")).object)
    });
    let sizes = sizes.flatten_iter().collect();
    let own = |n: &str| {
        n == "_start" || n == "empty" || n.strip_prefix('i').is_some_and(|d| d.parse::<u32>().is_ok())
    };
    let functions = lifted.iter().map(|f| f.name.clone()).filter(|n| !own(n)).collect();
    (functions, sizes)
}

/// A line's three numbers and its name.
fn parse(line: &str) -> Option<(&str, [i64; 3])> {
    let mut rest = line;
    let mut numbers = [0; 3];
    for n in &mut numbers {
        let (word, tail) = rest.trim_start().split_once(' ')?;
        *n = word.parse().ok()?;
        rest = tail;
    }
    Some((rest.trim(), numbers))
}

fn render() -> String {
    let cases = cases();
    let (functions, sizes) = measure(&program(&cases));
    let mut text = String::from(HEAD);
    let mut line = |[insns, hot, cold]: [i64; 3], name: &str| {
        let _ = writeln!(text, "{insns:7} {hot:6} {cold:6}  {name}");
    };
    let numbers = |s: &Size| [s.insns as i64, s.hot as i64, s.cold as i64];
    let empty = numbers(&sizes["empty"]);
    for (i, case) in cases.iter().enumerate() {
        let n = numbers(&sizes[&format!("i{i}")]);
        line(std::array::from_fn(|k| n[k] - empty[k]), case);
    }
    for name in functions {
        line(numbers(&sizes[&name]), &format!("{name}()"));
    }
    text
}

#[test]
fn code_sizes_are_as_recorded() {
    let path = root().join("testsuite/sizes/golden.txt");
    let now = render();
    if std::env::var_os("XLATE_UPDATE_DOCS").is_some() {
        std::fs::write(&path, now).expect("the file can be written");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    if golden == now {
        return;
    }
    let before: HashMap<&str, [i64; 3]> = golden.lines().filter_map(parse).collect();
    let (mut grown, mut other) = (String::new(), String::new());
    for (name, n) in now.lines().filter_map(parse) {
        match before.get(name) {
            Some(b) if b == &n => {}
            Some(b) if n[0] > b[0] || n[1] > b[1] || n[2] > b[2] => {
                let _ = writeln!(grown, "  {name}: {b:?} became {n:?}");
            }
            old => {
                let _ = writeln!(other, "  {name}: {old:?} became {n:?}");
            }
        }
    }
    panic!(
        "[instructions, bytes, cold bytes] that grew:\n{grown}that shrank or are new:\n{other}testsuite/sizes/golden.txt is not \
         current; if this is meant, run with XLATE_UPDATE_DOCS=1"
    );
}

#[test]
fn there_are_enough_cases() {
    let cases = cases();
    assert!(cases.len() >= 100, "{}", cases.len());
    let mut unique = cases.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), cases.len(), "a case stands there twice");
}
