//! The encoding table on real code: every word of the text of Debian's arm64 libc, libcrypto and busybox is decoded by
//! us and by yaxpeax-arm, and both must say the same. Nearly all of it must be defined.

use isa::a64::{decode::compare, is_defined};
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::Path;
use testsuite::packages::{busybox, first, unpacked};

/// The words of `path`'s executable sections with the number of times each occurs. The loader refuses libraries, so the
/// section headers are read here.
fn words(path: &Path) -> HashMap<u32, usize> {
    let file = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let number = |at: usize, size: usize| {
        file[at..at + size].iter().rev().fold(0, |n: usize, &byte| n << 8 | usize::from(byte))
    };
    let (table, size, count) = (number(40, 8), number(58, 2), number(60, 2));
    let mut words = HashMap::new();
    for header in (0..count).map(|i| table + i * size) {
        // SHT_PROGBITS with SHF_EXECINSTR.
        if number(header + 4, 4) == 1 && number(header + 8, 8) & 4 != 0 {
            let (start, len) = (number(header + 24, 8), number(header + 32, 8));
            for word in file[start..start + len].chunks_exact(4) {
                let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
                *words.entry(word).or_insert(0) += 1;
            }
        }
    }
    words
}

fn check(path: &Path, undefined_at_most: f64) {
    let mut words = words(path);
    // Padding.
    words.remove(&0);
    let total: usize = words.values().sum();
    let results: Vec<_> = words
        .par_iter()
        .map(|(&word, &n)| {
            let defined = is_defined(word);
            (n, defined, compare(word, defined).err())
        })
        .collect();
    let undefined: usize = results.iter().filter(|r| !r.1).map(|r| r.0).sum();
    let differences: Vec<_> = results.iter().filter_map(|r| r.2.as_deref()).collect();
    println!("{}: {total} words, {} different, {undefined} undefined", path.display(), words.len());
    assert!(total > 100_000, "{}: only {total} words of text", path.display());
    assert!(differences.is_empty(), "{}:\n{}", path.display(), differences.join("\n"));
    let share = undefined as f64 / total as f64;
    assert!(share <= undefined_at_most, "{}: {:.3} % are undefined", path.display(), 100.0 * share);
}

#[test]
fn libc() {
    let dir = unpacked("libc6");
    let name = "lib/aarch64-linux-gnu/libc.so.6";
    // Its SVE and MTE variants of string functions, which our HWCAP keeps out.
    check(&first(&dir, &[name, &format!("usr/{name}")]), 0.002);
}

#[test]
fn libcrypto() {
    // Its tables lie between its functions.
    check(&first(&unpacked("libssl3"), &["usr/lib/aarch64-linux-gnu/libcrypto.so.3"]), 0.05);
}

#[test]
fn busybox_static() {
    check(&busybox(), 0.002);
}
