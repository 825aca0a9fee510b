//! The command under test, a program for it, and what both leave behind.

use assert_cmd::Command;
use std::path::Path;

pub fn xlate() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("xlate"))
}

/// A static AArch64 program of one segment that exits with status 42.
pub fn tiny() -> Vec<u8> {
    let code: [u32; 3] = [0xd280_0540, 0xd280_0ba8, 0xd400_0001]; // mov x0, #42; mov x8, #93; svc #0
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
    for v in [0, 0x40_0000, 0x40_0000, 0x84, 0x84, 0x1000] {
        xword(&mut f, v);
    }
    for w in code {
        word(&mut f, w);
    }
    f
}

pub fn message(command: &mut Command) -> (Option<i32>, String) {
    let out = command.output().expect("xlate starts");
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

pub fn files(dir: &Path) -> Vec<String> {
    let mut v: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    v.sort();
    v
}
