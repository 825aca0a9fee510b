//! A program that opens its own file, for which `guest/own.c` says what it is to find: the guest file, to which something was
//! appended.

use crate::compare::{Run, run_translated, translate};
use crate::guest::{Libc, Target, content_hash, ours_for};
use crate::{store, temporary};
use std::path::{Path, PathBuf};

/// Checks it with these flags of the translator and engines.
pub fn check(target: Target, ways: &[(&[&str], &str)]) {
    let program = with_appendix(&ours_for(target, "own.c", Libc::Musl, &["-O1"]));
    for (flags, engine) in ways {
        let translated = translate(&program, flags).unwrap_or_else(|e| panic!("{e}"));
        // The program makes links to its file and removes them, and the file.
        let dir = tempfile::tempdir_in(store()).expect("the store can be written");
        let own = dir.path().join("own");
        std::fs::copy(&translated, &own).expect("the store can be written");
        let run = Run {
            args: vec![program.to_str().expect("the store's path is text")],
            env: vec![("XLATE_ENGINE", engine)],
            dir: Some(dir.path().into()),
            ..Run::default()
        };
        let out = run_translated(&own, &run);
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let right = out.status == 0 && text.ends_with(" checks, 0 failures\n");
        assert!(right, "{target:?} {flags:?} {engine}: {out:?}");
    }
}

/// The program with a payload behind it, as self-extracting archives have it: of no round size, and with an end that `own.c` knows.
fn with_appendix(program: &Path) -> PathBuf {
    let mut bytes = std::fs::read(program).expect("a program can be read");
    bytes.extend((0..10_001u32).map(|i| ((i * i) >> 3) as u8));
    bytes.extend_from_slice(b"appended");
    let out = program.with_file_name(format!("own-appended-{:016x}", content_hash(&bytes)));
    if !out.exists() {
        let temp = temporary(&out);
        std::fs::write(&temp, &bytes).expect("the store can be written");
        std::fs::rename(&temp, &out).expect("the store can be written");
    }
    out
}
