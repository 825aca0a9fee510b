//! Layering rules, checked from the manifests and the source text: which crate may use which, where a foreign library
//! stops, and that each file says at its head what it is. Takes the tree, gives a list of violations.

use crate::{Result, root};
use std::path::{Path, PathBuf};

/// Crate directory → crates of the workspace that it may depend on (not as dev-dependencies, which may be any).
const EDGES: &[(&str, &[&str])] = &[
    ("lifter/image", &["isa"]),
    ("lifter/ir", &[]),
    ("lifter/flags", &["ir", "abi"]),
    ("lifter/isa", &["ir", "abi"]),
    ("lifter/cfg", &["image", "ir", "isa", "abi"]),
    ("lifter/emit-llvm", &["ir", "flags", "abi"]),
    ("lifter/pipeline", &["image", "ir", "flags", "isa", "cfg", "emit-llvm", "abi"]),
    ("runtime/abi", &[]),
    ("runtime/exec", &["abi", "ir", "isa"]),
    ("runtime/jit", &["abi", "ir", "flags", "isa", "exec"]),
    ("runtime/host", &["abi", "ir", "isa", "exec", "jit"]),
    ("runtime/rt", &["abi", "host"]),
    ("driver", &["image", "ir", "flags", "isa", "cfg", "emit-llvm", "pipeline", "abi"]),
    ("xtask", &[]),
];

/// Foreign crate (as written in source) → files or directories that may name it.
const FOREIGN: &[(&str, &[&str])] = &[
    ("yaxpeax_arm", &["lifter/isa/src/a64/decode.rs", "lifter/isa/src/a32/decode.rs"]),
    ("yaxpeax_arch", &["lifter/isa/src/a64/decode.rs", "lifter/isa/src/a32/decode.rs"]),
    (
        "object",
        &[
            "xtask/src/tidy.rs",
            "lifter/image/",
            "lifter/pipeline/src/merge.rs",
            "lifter/pipeline/src/tables.rs",
            "testsuite/",
            "lifter/emit-llvm/src/tied.rs",
            "lifter/emit-llvm/tests/",
            "runtime/host/src/linker.rs",
        ],
    ),
    ("inkwell", &["lifter/emit-llvm/"]),
    ("cranelift_codegen", &["runtime/jit/"]),
    ("cranelift_frontend", &["runtime/jit/"]),
    ("syscalls", &["runtime/host/src/sys"]),
    ("dlmalloc", &["runtime/host/src/heap.rs"]),
    ("libc", &["runtime/", "driver/", "testsuite/", "lifter/emit-llvm/tests/"]),
];

const MEMBERS: &[&str] =
    &["image", "ir", "flags", "isa", "cfg", "emit-llvm", "pipeline", "abi", "exec", "jit", "host"];

/// Checks the tree.
pub fn run() -> Result<()> {
    let problems = check(root());
    if problems.is_empty() {
        println!("xtask: tidy");
        return Ok(());
    }
    for p in &problems {
        eprintln!("tidy: {p}");
    }
    Err(format!("{} violations of docs/architecture.md", problems.len()))
}

fn check(root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for (dir, allowed) in EDGES {
        let manifest = std::fs::read_to_string(root.join(dir).join("Cargo.toml")).unwrap_or_default();
        for used in workspace_dependencies(&manifest) {
            if !allowed.contains(&used.as_str()) {
                problems.push(format!("{dir}/Cargo.toml: {dir} may not depend on {used}"));
            }
        }
    }
    let mut files = Vec::new();
    for top in ["lifter", "runtime", "driver", "testsuite", "xtask"] {
        rust_files(&root.join(top), &mut files);
    }
    files.sort();
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if name.contains("/src/") && !text.starts_with("//!") && !text.starts_with("#!") {
            problems.push(format!(
                "{name}: no `//!` head that says what the file takes, gives and must not know"
            ));
        }
        for (krate, places) in FOREIGN {
            if !places.iter().any(|p| name.starts_with(p)) && uses(&text, krate) {
                problems.push(format!("{name}: names `{krate}`, which stops at {}", places.join(", ")));
            }
        }
    }
    problems
}

/// Names of workspace crates under `[dependencies]`.
fn workspace_dependencies(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut out = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section == "[dependencies]" || section == "[build-dependencies]" {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            if MEMBERS.contains(&name) {
                out.push(name.to_string());
            }
        }
    }
    out
}

fn uses(text: &str, krate: &str) -> bool {
    let path = format!("{krate}::");
    text.lines().filter(|l| !l.trim_start().starts_with("//")).any(|l| {
        l.match_indices(&path).any(|(i, _)| {
            let before = l[..i].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
        })
    })
}

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !path.ends_with("target") {
                rust_files(&path, out);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        assert_eq!(super::check(super::root()), Vec::<String>::new());
    }

    #[test]
    fn a_foreign_path_is_seen_and_a_longer_name_is_not() {
        assert!(super::uses("use object::read;", "object"));
        assert!(!super::uses("use my_object::read;", "object"));
        assert!(!super::uses("// object::read", "object"));
    }
}
