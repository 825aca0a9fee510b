//! The assembly table of the cases, and the guest program made with it. Takes cases, gives text and an executable.

use super::{Case, Fill, InstructionSet, Layout};
use crate::guest::{Libc, Target, build_for};
use crate::{store, temporary};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The assembly table for these cases.
pub fn table(set: &dyn InstructionSet, cases: &[Case]) -> String {
    let pointer = if set.target() == Target::A64 { ".quad" } else { ".word" };
    let mut s = String::from("\t.text\n");
    for (i, c) in cases.iter().enumerate() {
        set.write(&mut s, i, c);
    }
    let _ = writeln!(
        s,
        "\t.section .rodata\n\t.balign 8\n\t.global case_count, case_entry, case_word, case_info"
    );
    let _ = writeln!(s, "case_count: .quad {}\ncase_entry:", cases.len());
    for i in 0..cases.len() {
        let _ = writeln!(s, "\t{pointer} c{i}");
    }
    s.push_str("case_info:\n");
    for (i, c) in cases.iter().enumerate() {
        let target = match c.layout {
            Layout::Landings { back: true, off, .. } => format!("b{i}+{off}"),
            Layout::Landings { back: false, off, .. } => format!("f{i}+{off}"),
            _ => "0".into(),
        };
        let fill = match c.needs.fill {
            Fill::Random => "0".into(),
            Fill::Word(w) => w.to_string(),
            Fill::Target => target.clone(),
        };
        let n = &c.needs;
        let _ = writeln!(
            s,
            "\t{pointer} {target}\n\t.word {}, {}, {}, {}, {fill}, 0",
            n.kind, n.bias, n.pointers, n.indices
        );
    }
    s.push_str("case_word:\n");
    for c in cases {
        let _ = writeln!(s, "\t.word 0x{:08x}", c.seed);
    }
    s
}

/// Builds the case program with this assembly table.
pub fn build_table(target: Target, text: &str) -> PathBuf {
    let dir = store().join("cases");
    std::fs::create_dir_all(&dir).expect("the store can be written");
    let path = dir.join(format!("cases-{:016x}.s", crate::guest::content_hash(text.as_bytes())));
    if !path.exists() {
        let temp = temporary(&path);
        std::fs::write(&temp, text)
            .and_then(|()| std::fs::rename(&temp, &path))
            .expect("the store can be written");
    }
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest/insn-cases.c");
    // 32 bits: where few random pointers go.
    let flags: &[&str] = match target {
        Target::A64 => &["-O1", "-w"],
        Target::A32 | Target::T32 => &["-O1", "-w", "-mfpu=neon", "-Wl,-Ttext-segment=0x60000000"],
    };
    build_for(target, &[&main, &path], Libc::Musl, flags).unwrap_or_else(|e| panic!("{e}"))
}
