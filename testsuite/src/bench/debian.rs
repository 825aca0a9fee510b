//! Rows that compare the same Debian package of both architectures: applets of `busybox-static` at real work on
//! inputs made here. Its amd64 build is what runs natively.

use super::programs::{Built, Origin, Program};
use crate::guest::Target;
use crate::{packages, store, temporary};
use std::path::PathBuf;

/// Name, arguments, bytes of input.
const APPLETS: &[(&str, &[&str], usize)] = &[
    ("sha256sum", &["sha256sum"], 48 << 20),
    ("gzip", &["gzip", "-9", "-c"], 3 << 20),
    ("bzip2", &["bzip2", "-c"], 2 << 20),
    ("awk", &["awk", AWK], 2 << 20),
    ("sort", &["sort", "-k", "2"], 4 << 20),
    ("grep", &["grep", "-E", "-c", "(re|un)[a-z]*(ed|ing) .*[0-9]{2}7( |$)"], 24 << 20),
];

const AWK: &str = "{ for (i = 1; i <= NF; i++) { count[$i]++; total += length($i) * i % 7 } \
    if ($2 ~ /^s.*e/) hits++ } END { for (w in count) n++; print n, total, hits }";

/// The rows, none for A32, because armhf's packages are T32; `small` for the inputs of tests.
pub(super) fn programs(target: Target, small: bool) -> Vec<Program> {
    if target == Target::A32 {
        return Vec::new();
    }
    APPLETS
        .iter()
        .map(|(name, args, bytes)| Program {
            shared: false,
            target,
            name: format!("busybox {name}"),
            class: "debian".into(),
            args: args.iter().map(|a| a.to_string()).collect(),
            stdin: Some(text(if small { 20_000 } else { *bytes })),
            origin: Origin::Busybox,
        })
        .collect()
}

pub(super) fn build(target: Target) -> Built {
    let native = packages::unpacked_for("amd64", "busybox-static");
    let arm = match target {
        Target::A64 => packages::busybox(),
        Target::A32 | Target::T32 => packages::busybox_armhf(),
    };
    Built { arm, native: packages::first(&native, &["bin/busybox", "usr/bin/busybox"]) }
}

/// A file of `bytes` bytes of words and numbers in lines, the same on each machine.
fn text(bytes: usize) -> PathBuf {
    let dir = store().join("bench-input");
    std::fs::create_dir_all(&dir).expect("the store can be written");
    let path = dir.join(format!("text-{bytes}"));
    if path.exists() {
        return path;
    }
    const STEMS: &[&str] =
        &["act", "load", "store", "sign", "form", "play", "trace", "point", "scale", "move", "late"];
    const HEADS: &[&str] = &["", "", "", "re", "un", "trans", "sub", "in"];
    const TAILS: &[&str] = &["", "s", "ed", "ing", "er", "able", ""];
    let mut seed = 1u32;
    let mut next = move |n: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 12) as usize % n
    };
    let mut out = String::with_capacity(bytes + 100);
    while out.len() < bytes {
        for _ in 0..4 + next(9) {
            if next(6) == 0 {
                out += &next(100_000).to_string();
            } else {
                out += HEADS[next(HEADS.len())];
                out += STEMS[next(STEMS.len())];
                out += TAILS[next(TAILS.len())];
            }
            out.push(' ');
        }
        out.pop();
        out.push('\n');
    }
    let temp = temporary(&path);
    std::fs::write(&temp, out).expect("the store can be written");
    std::fs::rename(&temp, &path).expect("the store can be written");
    path
}
