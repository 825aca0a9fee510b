//! Makes ELF files for the tests: by hand, and with the cross compiler.
#![allow(dead_code)]

use std::path::Path;
use std::process::Command;

/// A minimal sound program: one segment that holds headers and two instructions at 0x400080.
pub fn minimal() -> Vec<u8> {
    let mut f = Vec::new();
    f.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    f.extend(2u16.to_le_bytes()); // e_type at 16
    f.extend(183u16.to_le_bytes()); // e_machine at 18
    f.extend(1u32.to_le_bytes());
    f.extend(0x40_0080u64.to_le_bytes()); // e_entry at 24
    f.extend(64u64.to_le_bytes()); // e_phoff at 32
    f.extend(0u64.to_le_bytes()); // e_shoff at 40
    f.extend(0u32.to_le_bytes());
    for v in [64u16, 56, 1, 64, 0, 0] {
        f.extend(v.to_le_bytes()); // e_ehsize 52, e_phentsize 54, e_phnum 56, e_shentsize 58, e_shnum, e_shstrndx
    }
    f.extend(1u32.to_le_bytes()); // p_type at 64
    f.extend(5u32.to_le_bytes());
    for v in [0u64, 0x40_0000, 0x40_0000, 0x88, 0x88, 0x1000] {
        f.extend(v.to_le_bytes()); // p_offset 72, p_vaddr 80, p_paddr, p_filesz 96, p_memsz 104, p_align 112
    }
    f.resize(0x80, 0);
    f.extend(0xd280_0ba8u32.to_le_bytes()); // mov x8, #93
    f.extend(0xd400_0001u32.to_le_bytes()); // svc #0
    f
}

/// Compiles C with the cross compiler and gives the file.
pub fn compile(source: &str, args: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (c, out) = (dir.path().join("t.c"), dir.path().join("t"));
    std::fs::write(&c, source).expect("source written");
    run(Command::new("aarch64-linux-gnu-gcc").args(args).arg("-o").arg(&out).arg(&c));
    std::fs::read(&out).expect("program built")
}

/// Drops the symbol tables with the cross binutils.
pub fn strip(bytes: &[u8], args: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("t");
    std::fs::write(&path, bytes).expect("program written");
    tool("aarch64-linux-gnu-strip", args, &path);
    std::fs::read(&path).expect("program stripped")
}

fn tool(name: &str, args: &[&str], path: &Path) {
    run(Command::new(name).args(args).arg(path));
}

fn run(c: &mut Command) {
    let out = c.output().unwrap_or_else(|e| panic!("{c:?}: {e} (install the AArch64 cross toolchain)"));
    assert!(out.status.success(), "{c:?}: {}", String::from_utf8_lossy(&out.stderr));
}
