//! The programs: each source file of `testsuite/bench` with a directive in its second line, `// bench: class=C small=N
//! [flags=F]`, and Debian's rows. Builds a program for an ARM instruction set and for this machine by the same compiler
//! version, flags and kind of C library.

use super::debian;
use crate::guest::Target;
use crate::{guest, store, temporary};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program of the benchmark with its input.
#[derive(Clone, Debug)]
pub struct Program {
    /// Name of the file, or of the applet.
    pub name: String,
    /// Its instruction set.
    pub target: Target,
    /// Kind of work: int, fp, simd, calls, c++…
    pub class: String,
    /// Arguments.
    pub args: Vec<String>,
    /// File to read on standard input.
    pub stdin: Option<PathBuf>,
    pub(super) origin: Origin,
    /// Dynamically linked with glibc, for both machines.
    pub shared: bool,
}

/// Where the executables come from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// A source file and the compiler's flags for both machines.
    Source { file: PathBuf, flags: Vec<String> },
    /// The busybox of both architectures' packages.
    Busybox,
}

/// A program's two executables.
#[derive(Clone, Debug)]
pub struct Built {
    /// For ARM.
    pub arm: PathBuf,
    /// For this machine.
    pub native: PathBuf,
}

/// Classes in the order of the table; the means of floating point and of SIMD are of one class each.
const CLASSES: &[&str] = &[
    "int",
    "hash",
    "compression",
    "string",
    "calls",
    "indirect",
    "interpreter",
    "allocation",
    "c++",
    "debian",
    "fp",
    "simd",
];

/// All programs for an instruction set, class by class; `small` for the inputs of tests.
pub fn programs(target: Target, small: bool) -> Vec<Program> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench");
    let mut all: Vec<Program> = std::fs::read_dir(&dir)
        .expect("the benchmark's directory can be read")
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "c" || e == "cc"))
        .map(|p| ours(&p, target, small))
        .collect();
    all.extend(debian::programs(target, small));
    let class = |p: &Program| {
        let n = CLASSES.iter().position(|c| *c == p.class);
        n.unwrap_or_else(|| panic!("{}: no class `{}`; see CLASSES", p.name, p.class))
    };
    all.sort_by_key(|p| (class(p), p.name.clone()));
    all
}

/// Those of them that there is a source of, dynamically linked.
pub fn shared_programs(target: Target, small: bool) -> Vec<Program> {
    let mut all = programs(target, small);
    all.retain(|p| matches!(p.origin, Origin::Source { .. }));
    all.iter_mut().for_each(|p| p.shared = true);
    all
}

fn ours(file: &Path, target: Target, small: bool) -> Program {
    let text = std::fs::read_to_string(file).expect("a source can be read");
    let directive = text.lines().nth(1).and_then(|l| l.strip_prefix("// bench: "));
    let directive = directive.unwrap_or_else(|| panic!("{}: line 2 must be `// bench: …`", file.display()));
    let value = |key: &str| directive.split(' ').find_map(|w| w.strip_prefix(key)?.strip_prefix('='));
    let required =
        |key: &str| value(key).unwrap_or_else(|| panic!("{}: `// bench:` lacks {key}=", file.display()));
    let mut flags = vec![value("flags").unwrap_or("-O2").to_string()];
    if file.extension().is_some_and(|e| e == "cc") {
        flags.push("-lstdc++".into());
    }
    Program {
        target,
        name: file.file_stem().expect("a source has a name").to_string_lossy().into_owned(),
        class: required("class").into(),
        args: if small { vec![required("small").into()] } else { Vec::new() },
        stdin: None,
        origin: Origin::Source { file: file.into(), flags },
        shared: false,
    }
}

impl Program {
    /// Both executables; kept by content.
    pub fn build(&self) -> Built {
        match &self.origin {
            Origin::Busybox => debian::build(self.target),
            Origin::Source { file, flags } => {
                let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
                // Debian's libstdc++ is linked with glibc.
                let cxx = file.extension().is_some_and(|e| e == "cc");
                let libc = match (self.shared, cxx) {
                    (true, _) => guest::Libc::Shared,
                    (_, true) => guest::Libc::Glibc,
                    (_, false) => guest::Libc::Musl,
                };
                let mut own = flags.clone();
                if self.target != Target::A64 && self.class == "simd" {
                    // Debian's armhf does without NEON.
                    own.push("-march=armv7-a+simd");
                }
                let arm =
                    guest::build_for(self.target, &[file], libc, &own).unwrap_or_else(|e| panic!("{e}"));
                let mut own = flags.clone();
                if self.target != Target::A64 {
                    // Programs whose numbers are of the processor's width make them 32 bits wide.
                    own.push("-DNARROW");
                }
                Built { arm, native: native(file, libc, &own) }
            }
        }
    }
}

/// Compiles a source for this machine.
pub(super) fn native(file: &Path, libc: guest::Libc, flags: &[&str]) -> PathBuf {
    let compiler = if libc == guest::Libc::Musl { "musl-gcc" } else { "cc" };
    let linkage = if libc == guest::Libc::Shared { "-pie" } else { "-static" };
    let text = std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let stem = file.file_stem().expect("a source has a name").to_string_lossy();
    let hash = guest::content_hash(
        &[&text, compiler.as_bytes(), linkage.as_bytes(), flags.join(" ").as_bytes()].concat(),
    );
    let dir = store().join("native");
    std::fs::create_dir_all(&dir).expect("the store can be written");
    let out = dir.join(format!("{stem}-{hash:016x}"));
    if !out.exists() {
        let temp = temporary(&out);
        let mut c = Command::new(compiler);
        c.arg(linkage).arg("-o").arg(&temp).arg(file).args(flags).arg("-lm");
        let result =
            c.output().unwrap_or_else(|e| panic!("{compiler}: {e}; `cargo xtask setup --test` installs it"));
        assert!(result.status.success(), "{c:?}: {}", String::from_utf8_lossy(&result.stderr));
        std::fs::rename(&temp, &out).expect("the store can be written");
    }
    out
}
