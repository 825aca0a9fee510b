//! Guest programs on the runtime alone, without any lifted code: an image with empty tables around an ELF file, linked
//! with the library, so that the interpreter executes everything. The loader, signals and system calls meet real
//! programs here before the translator does.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run(command: &mut Command) -> Output {
    let out = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(out.status.success(), "{command:?}: {}\n{}", out.status, String::from_utf8_lossy(&out.stderr));
    out
}

/// The library as cargo built it for this test: the newest, because a hash in the name depends on more than the source.
fn library() -> PathBuf {
    let exe = std::env::current_exe().expect("own path");
    let deps = exe.parent().expect("deps directory");
    let entries = std::fs::read_dir(deps).expect("deps directory").map(|e| e.expect("entry").path());
    let is_library = |p: &PathBuf| {
        let name = p.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("libxlate_rt") && name.ends_with(".a")
    };
    let newest = entries.filter(is_library).max_by_key(|p| p.metadata().and_then(|m| m.modified()).ok());
    newest.unwrap_or_else(|| panic!("no libxlate_rt in {}", deps.display()))
}

/// Assembly of an `ImageDesc` for the ELF file, with no function in its tables.
fn image(elf: &Path) -> String {
    let d = std::fs::read(elf).expect("guest program");
    let u16 = |at: usize| u16::from_le_bytes(d[at..at + 2].try_into().unwrap()) as u64;
    let u32 = |at: usize| u32::from_le_bytes(d[at..at + 4].try_into().unwrap());
    let u64 = |at: usize| u64::from_le_bytes(d[at..at + 8].try_into().unwrap());
    let (phoff, phent, phnum) = (u64(32), u16(54), u16(56));
    let (mut segments, mut phdr, mut exec_stack) = (String::new(), 0, 1);
    let mut count = 0;
    for h in (0..phnum).map(|i| (phoff + i * phent) as usize) {
        let (kind, flags, offset, vaddr, filesz, memsz) =
            (u32(h), u32(h + 4), u64(h + 8), u64(h + 16), u64(h + 32), u64(h + 40));
        match kind {
            1 => {
                let prot = (flags & 1) << 2 | flags & 2 | flags >> 2 & 1;
                writeln!(segments, ".quad {vaddr}, {memsz}, {offset}, {filesz}\n.long {prot}, 0").unwrap();
                count += 1;
                if (offset..offset + filesz).contains(&phoff) {
                    phdr = vaddr + phoff - offset;
                }
            }
            0x6474_e551 => exec_stack = flags & 1,
            _ => {}
        }
    }
    format!(
        ".section .data.rel.ro, \"aw\"\n.globl xl_image\n.p2align 4\nxl_image:\n.quad {}, {}\n.long 0, {}\n\
         .quad {}, {phdr}, {phnum}, {phent}, {exec_stack}\n.quad file, file_end - file, segments, {count}\n\
         .quad 0, 0, 0, 0, 0, 0, 0, file, file\n.fill {} - (. - xl_image), 1, 0\nsegments:\n{segments}\
         .section .guest, \"a\"\n.p2align 12\nfile: .incbin \"{}\"\nfile_end:\n.p2align 12\n\
         .section .note.GNU-stack, \"\", @progbits\n",
        abi::IMAGE_MAGIC,
        abi::ABI_HASH,
        (u16(16) == 3) as u32,
        u64(24),
        size_of::<abi::ImageDesc>(),
        elf.display()
    )
}

/// Compiles `guest/<name>.c` for AArch64 with those flags and wraps it.
fn build(dir: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/guest/{name}.c"));
    let (elf, asm, exe) = (dir.join("guest"), dir.join("image.s"), dir.join(name));
    run(Command::new("aarch64-linux-gnu-gcc").args(flags).arg("-o").arg(&elf).arg(source).arg("-lm"));
    std::fs::write(&asm, image(&elf)).expect("image");
    run(Command::new("cc").arg("-static-pie").arg("-o").arg(&exe).arg(asm).arg(library()));
    exe
}

fn check(name: &str, flags: &[&str], status: i32, stdout: &str) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let exe = build(dir.path(), name, flags);
    // A program that blocks its signals and hangs must not hang the test.
    let out =
        Command::new("timeout").args(["-k", "1", "120"]).arg(&exe).arg("an argument").output().expect("run");
    assert_eq!(String::from_utf8_lossy(&out.stdout), stdout, "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(status));
}

#[test]
fn static_program() {
    check("start", &["-O2", "-static"], 3, "argc 2, an argument, auxv ok, bss ok, brk ok\n");
}

#[test]
fn static_pie_program() {
    check("start", &["-O2", "-static-pie", "-fPIE"], 3, "argc 2, an argument, auxv ok, bss ok, brk ok\n");
}

#[test]
fn signal_frames_masks_and_order() {
    check("frames", &["-O1", "-static"], 0, "60 checks, 0 failures\n");
}

#[test]
fn signals_at_a_high_rate() {
    check("storm", &["-O1", "-static"], 0, "bad 0, signals 1\n");
}
