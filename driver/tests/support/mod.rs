//! Guest programs made here, the tool, and what lies in a directory.
#![allow(dead_code)]

use assert_cmd::Command;
use std::path::{Path, PathBuf};

/// Where the tool keeps compiled functions in tests: in `XLATE_CACHE`, not among the user's.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// The tool.
pub fn xlate() -> Command {
    let mut c = Command::new(assert_cmd::cargo::cargo_bin!("xlate"));
    c.env("XLATE_CACHE", cache()).env_remove("XLATE_CACHE_MAX");
    c
}

/// A static AArch64 program of one segment that exits with status 42.
pub fn tiny() -> Vec<u8> {
    elf(&[0xd280_0540, 0xd280_0ba8, 0xd400_0001]) // mov x0, #42; mov x8, #93; svc #0
}

/// A static AArch64 program of one segment with that code.
pub fn elf(code: &[u32]) -> Vec<u8> {
    let mut f = Vec::new();
    f.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let half = |f: &mut Vec<u8>, v: u16| f.extend_from_slice(&v.to_le_bytes());
    let word = |f: &mut Vec<u8>, v: u32| f.extend_from_slice(&v.to_le_bytes());
    let xword = |f: &mut Vec<u8>, v: u64| f.extend_from_slice(&v.to_le_bytes());
    half(&mut f, 2); // ET_EXEC
    half(&mut f, 183); // EM_AARCH64
    word(&mut f, 1);
    xword(&mut f, 0x40_0078);
    xword(&mut f, 64);
    xword(&mut f, 0);
    word(&mut f, 0);
    for v in [64, 56, 1, 0, 0, 0] {
        half(&mut f, v);
    }
    word(&mut f, 1); // PT_LOAD
    word(&mut f, 5);
    let size = 0x78 + 4 * code.len() as u64;
    for v in [0, 0x40_0000, 0x40_0000, size, size, 0x1000] {
        xword(&mut f, v);
    }
    for w in code {
        word(&mut f, *w);
    }
    f
}

pub fn message(command: &mut Command) -> (Option<i32>, String) {
    let out = command.output().expect("xlate starts");
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

/// Names in a directory, sorted.
pub fn files(dir: &Path) -> Vec<String> {
    let mut v: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    v.sort();
    v
}
