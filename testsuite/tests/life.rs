//! The dumps in docs/life-of-an-instruction.md are what `xlate inspect` prints. With `XLATE_UPDATE_DOCS=1` they are
//! rewritten.

use std::process::Command;
use testsuite::guest::{Libc, ours};
use testsuite::{root, tools};

#[test]
fn the_dumps_are_real() {
    let path = root().join("docs/life-of-an-instruction.md");
    let page = std::fs::read_to_string(&path).expect("the page exists");
    let program = ours("stages.s", Libc::None, &["-Wl,-Ttext=0x400000,--build-id=none"]);
    let mut out = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(what) = line.strip_prefix("<!-- dump: ").and_then(|l| l.strip_suffix(" -->")) else {
            continue;
        };
        let (emit, function) = what.split_once(' ').expect("a dump names stage and function");
        let dump = Command::new(tools::xlate())
            .arg("inspect")
            .arg(&program)
            .args(["--emit", emit, "--function", function])
            .output()
            .expect("xlate starts");
        out.push_str("```\n");
        // Assembler directives say nothing here.
        for l in
            String::from_utf8_lossy(&dump.stdout).lines().filter(|l| emit != "asm" || !l.starts_with("\t."))
        {
            out.push_str(l.trim_end());
            out.push('\n');
        }
        while out.ends_with("\n\n") {
            out.pop();
        }
        out.push_str("```\n");
        assert_eq!(lines.next(), Some("```"), "a dump's block follows its mark");
        for l in lines.by_ref() {
            if l == "```" {
                break;
            }
        }
    }
    if std::env::var_os("XLATE_UPDATE_DOCS").is_some() {
        std::fs::write(&path, out).expect("the page can be written");
    } else {
        assert!(page == out, "a dump is not current; run this test with XLATE_UPDATE_DOCS=1");
    }
    for file in page.split('`').filter(|w| w.ends_with(".rs") || w.ends_with(".s")) {
        assert!(root().join(file).exists(), "{file} does not exist");
    }
}
