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

/// A minimal sound 32-bit program: one segment that holds headers and two A32 instructions at 0x10054.
pub fn minimal32() -> Vec<u8> {
    let mut f = Vec::new();
    f.extend(b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0");
    f.extend(2u16.to_le_bytes()); // e_type at 16
    f.extend(40u16.to_le_bytes()); // e_machine at 18
    // e_version 20, e_entry 24, e_phoff 28, e_shoff 32, e_flags 36.
    for v in [1u32, 0x1_0054, 52, 0, 0x0500_0400] {
        f.extend(v.to_le_bytes());
    }
    for v in [52u16, 32, 1, 40, 0, 0] {
        f.extend(v.to_le_bytes()); // e_ehsize 40, e_phentsize 42, e_phnum 44, e_shentsize 46, e_shnum, e_shstrndx
    }
    // p_type 52, p_offset 56, p_vaddr 60, p_paddr, p_filesz 68, p_memsz 72, p_flags 76, p_align 80.
    for v in [1u32, 0, 0x1_0000, 0x1_0000, 0x5c, 0x5c, 5, 0x1000] {
        f.extend(v.to_le_bytes());
    }
    f.extend(0xe3a0_7001u32.to_le_bytes()); // mov r7, #1
    f.extend(0xef00_0000u32.to_le_bytes()); // svc #0
    f
}

/// Compiles C for AArch32 and gives the file.
pub fn compile32(source: &str, args: &[&str]) -> Vec<u8> {
    compile_with("arm-linux-gnueabihf-gcc", source, args)
}

/// Compiles C with the cross compiler and gives the file.
pub fn compile(source: &str, args: &[&str]) -> Vec<u8> {
    compile_with("aarch64-linux-gnu-gcc", source, args)
}

fn compile_with(gcc: &str, source: &str, args: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (c, out) = (dir.path().join("t.c"), dir.path().join("t"));
    std::fs::write(&c, source).expect("source written");
    run(Command::new(gcc).args(args).arg("-o").arg(&out).arg(&c));
    std::fs::read(&out).expect("program built")
}

/// Drops the symbol tables with the cross binutils.
pub fn strip(bytes: &[u8], args: &[&str]) -> Vec<u8> {
    strip_with("aarch64-linux-gnu-strip", bytes, args)
}

/// Drops the symbol tables of an AArch32 program.
pub fn strip32(bytes: &[u8], args: &[&str]) -> Vec<u8> {
    strip_with("arm-linux-gnueabihf-strip", bytes, args)
}

fn strip_with(strip: &str, bytes: &[u8], args: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("t");
    std::fs::write(&path, bytes).expect("program written");
    tool(strip, args, &path);
    std::fs::read(&path).expect("program stripped")
}

fn tool(name: &str, args: &[&str], path: &Path) {
    run(Command::new(name).args(args).arg(path));
}

fn run(c: &mut Command) {
    let out = c.output().unwrap_or_else(|e| panic!("{c:?}: {e} (install the cross toolchains)"));
    assert!(out.status.success(), "{c:?}: {}", String::from_utf8_lossy(&out.stderr));
}
