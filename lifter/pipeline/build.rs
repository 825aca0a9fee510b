//! Hashes the sources that decide what code a function becomes: part of the function cache's keys, so that a translator
//! built from other sources never takes what an earlier one left.

use std::path::{Path, PathBuf};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("invariant: the crate lies two levels below the workspace");
    let mut files = vec![root.join("Cargo.lock")];
    for dir in [
        "lifter/ir/src",
        "lifter/flags/src",
        "lifter/emit-llvm/src",
        "lifter/pipeline/src",
        "runtime/abi/src",
    ] {
        println!("cargo:rerun-if-changed={}", root.join(dir).display());
        collect(&root.join(dir), &mut files);
    }
    println!("cargo:rerun-if-changed={}", root.join("Cargo.lock").display());
    files.sort();
    let mut hash = blake3::Hasher::new();
    for file in files {
        let name = file.strip_prefix(root).expect("invariant: found below the root");
        hash.update(name.as_os_str().as_encoded_bytes());
        let contents = std::fs::read(&file).unwrap_or_default();
        hash.update(blake3::hash(&contents).as_bytes());
    }
    println!("cargo:rustc-env=XLATE_EMITTER={}", hash.finalize().to_hex());
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
