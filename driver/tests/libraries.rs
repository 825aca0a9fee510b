//! The options that say which libraries are translated with a program.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use support::{message, tiny, xlate};

fn gcc(directory: &Path, name: &str, args: &[&str]) -> PathBuf {
    let (c, out) = (directory.join("t.c"), directory.join(name));
    std::fs::write(&c, "int main(void) { return 0; }").unwrap();
    let result =
        Command::new("aarch64-linux-gnu-gcc").args(args).arg(&c).arg("-o").arg(&out).output().unwrap();
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    out
}

#[test]
fn libraries_are_those_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let program = gcc(dir.path(), "program", &[]);
    let plugin = gcc(dir.path(), "plugin.so", &["-shared", "-fPIC"]);
    let told = |args: &[&str]| {
        let mut c = xlate();
        c.args(["inspect", "--emit", "image", "-v"]).arg(&program).args(args).env_remove("XLATE_SYSROOT");
        let (status, text) = message(&mut c);
        assert_eq!(status, Some(0), "{text}");
        ["ld-linux-aarch64.so.1", "libc.so.6", "plugin.so"].map(|name| text.contains(&format!("/{name}: ")))
    };
    let plugin = plugin.to_str().unwrap();
    assert_eq!(told(&[]), [false; 3]);
    assert_eq!(told(&["--libraries", "needed"]), [true, true, false]);
    assert_eq!(told(&["--library", plugin]), [true; 3]);
    assert_eq!(told(&["--library", plugin, "--libraries", "none"]), [false, false, true]);
    // A directory without libraries: they are compiled when the program runs.
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let (status, text) = message(
        xlate()
            .args(["inspect", "--emit", "image", "--libraries", "needed"])
            .arg(&program)
            .env("XLATE_SYSROOT", &empty),
    );
    assert_eq!((status, text.as_str()), (Some(0), ""));
}

#[test]
fn a_library_that_cannot_be_used_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let program = gcc(dir.path(), "program", &[]);
    let fixed = gcc(dir.path(), "fixed", &["-static"]);
    let plain = dir.path().join("tiny");
    std::fs::write(&plain, tiny()).unwrap();
    let fails = |program: &Path, library: &Path, what: &str| {
        for command in [&["inspect", "--emit", "image"][..], &["run"], &[]] {
            let (status, text) = message(xlate().args(command).arg("--library").arg(library).arg(program));
            assert_eq!(status, Some(2), "{text}");
            let told = text.contains(&format!("--library {}: ", library.display()));
            assert!(told && text.contains(what) && text.contains("; "), "{text}");
        }
    };
    fails(&program, Path::new("/does/not/exist"), "cannot be read");
    fails(&program, dir.path(), "not a regular file");
    fails(&program, &dir.path().join("t.c"), "not an ELF file");
    fails(&program, &fixed, "not a shared library");
    fails(&plain, &fixed, "statically linked");
}

/// Any stage of a library can be looked at, as of a program; it is translated with a program only.
#[test]
fn a_library_can_be_inspected() {
    let dir = tempfile::tempdir().unwrap();
    let library = gcc(dir.path(), "library.so", &["-shared", "-fPIC"]);
    for emit in ["image", "cfg", "ir", "coverage"] {
        let out = xlate().args(["inspect", "--emit", emit]).arg(&library).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(
            out.status.success() && text.contains(if emit == "coverage" { "symbol" } else { "main" }),
            "{text}"
        );
    }
    let (status, text) = message(xlate().arg(&library));
    assert!(status == Some(2) && text.contains("library.so: this "), "{text}");
}
