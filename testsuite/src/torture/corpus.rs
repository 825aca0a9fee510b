//! The corpora: which files of gcc's test suite are tests that run, how each directory's `.exp` file compiles them, and
//! where they come from. Takes a corpus and a level such as `-O2`, gives tests with complete compiler flags. Knows nothing
//! of translation.

use super::dg::Directives;
use crate::guest::Target;
use crate::store;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A set of gcc's tests. `gcc.target/aarch64/sve*` is no corpus, because SVE is not announced to guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corpus {
    /// `gcc.c-torture/execute` with `ieee`.
    Execute,
    /// `gcc.c-torture/execute/builtins`.
    Builtins,
    /// The tests of `gcc.target/aarch64`, `simd`, `fp16`, `acle` and `torture` that run.
    Aarch64,
    /// `gcc.target/aarch64/aapcs64`: calls between code of several styles.
    Aapcs64,
    /// `gcc.target/aarch64/advsimd-intrinsics`, which are 32-bit programs' tests, too.
    AdvSimd,
    /// `gcc.dg/vect` with `complex`.
    Vect,
    /// `gcc.dg/vect/tsvc`: loops that take up to a minute each under qemu, and so are run only when asked for.
    Tsvc,
    /// The tests of `gcc.dg/torture` and `c-c++-common/torture` that run.
    DgTorture,
    /// The tests of `gcc.dg` itself that run.
    Dg,
    /// qemu's own tests of user-mode emulation, which are no files of gcc's: see `tcg`.
    Tcg,
}

/// One test at one level.
#[derive(Clone, Debug)]
pub struct Test {
    /// File below gcc's test suite, and level.
    pub name: String,
    /// What to compile, the test itself first.
    pub sources: Vec<PathBuf>,
    /// All flags.
    pub flags: Vec<String>,
    /// Why it is not for this machine.
    pub unsuitable: Option<String>,
    /// Cannot share a program with others.
    pub alone: bool,
}

impl Corpus {
    /// All, with the names the command line uses.
    pub const ALL: &[(&'static str, Corpus)] = &[
        ("execute", Corpus::Execute),
        ("builtins", Corpus::Builtins),
        ("aarch64", Corpus::Aarch64),
        ("aapcs64", Corpus::Aapcs64),
        ("advsimd", Corpus::AdvSimd),
        ("vect", Corpus::Vect),
        ("tsvc", Corpus::Tsvc),
        ("dg-torture", Corpus::DgTorture),
        ("dg", Corpus::Dg),
        ("tcg", Corpus::Tcg),
    ];

    /// True if its `.exp` file runs each test at several levels; the others say in each test how to compile it.
    pub fn has_levels(self) -> bool {
        match self {
            Corpus::Execute | Corpus::Builtins | Corpus::Aapcs64 | Corpus::AdvSimd | Corpus::DgTorture => {
                true
            }
            Corpus::Aarch64 | Corpus::Vect | Corpus::Tsvc | Corpus::Dg | Corpus::Tcg => false,
        }
    }

    /// Its tests for programs of an instruction set, sorted; `level` is ignored where there are none.
    pub fn tests(self, level: &str, guest: Target) -> Vec<Test> {
        if self == Corpus::Tcg {
            return super::tcg::tests(guest);
        }
        let mut all: Vec<Test> = self.files().iter().filter_map(|f| self.test(f, level, guest)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn directories(self) -> &'static [&'static str] {
        match self {
            Corpus::Execute => &["gcc.c-torture/execute", "gcc.c-torture/execute/ieee"],
            Corpus::Builtins => &["gcc.c-torture/execute/builtins"],
            Corpus::Aarch64 => &[
                "gcc.target/aarch64",
                "gcc.target/aarch64/simd",
                "gcc.target/aarch64/fp16",
                "gcc.target/aarch64/acle",
                "gcc.target/aarch64/torture",
            ],
            Corpus::Aapcs64 => &["gcc.target/aarch64/aapcs64"],
            Corpus::AdvSimd => &["gcc.target/aarch64/advsimd-intrinsics"],
            Corpus::Vect => &["gcc.dg/vect", "gcc.dg/vect/complex"],
            Corpus::Tsvc => &["gcc.dg/vect/tsvc"],
            Corpus::DgTorture => &["gcc.dg/torture", "c-c++-common/torture"],
            Corpus::Dg => &["gcc.dg"],
            Corpus::Tcg => &[],
        }
    }

    /// What a test does that has no `dg-do`.
    fn default_action(self) -> &'static str {
        match self {
            Corpus::Execute | Corpus::Builtins | Corpus::Aapcs64 => "run",
            Corpus::AdvSimd | Corpus::Vect | Corpus::Tsvc | Corpus::Tcg => "run",
            Corpus::Aarch64 | Corpus::DgTorture | Corpus::Dg => "compile",
        }
    }

    fn files(self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for dir in self.directories() {
            let dir = sources().join(dir);
            for entry in
                std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())).flatten()
            {
                if entry.path().extension().is_some_and(|e| e == "c") {
                    all.push(entry.path());
                }
            }
        }
        all
    }

    /// The test in `file`, if that is one that runs.
    fn test(self, file: &Path, level: &str, guest: Target) -> Option<Test> {
        let text = String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned();
        let stem = file.file_stem()?.to_string_lossy().into_owned();
        let directives = Directives::of(&text, guest);
        if directives.action.as_deref().unwrap_or(self.default_action()) != "run" {
            return None;
        }
        let dir = file.parent()?;
        let mut sources = vec![file.to_path_buf()];
        sources.extend(directives.sources.iter().map(|s| dir.join(s)));
        let mut flags: Vec<String> = vec!["-w".into()];
        if self.has_levels() {
            flags.extend(level.split_whitespace().map(str::to_string));
        }
        let own: &[&str] = match self {
            Corpus::Execute | Corpus::DgTorture | Corpus::Dg => &[],
            Corpus::Builtins => {
                // Its companion replaces library functions, and calls `main_test`.
                if stem.ends_with("-lib") {
                    return None;
                }
                sources.push(dir.join(format!("{stem}-lib.c")));
                sources.push(dir.join("lib/main.c"));
                &[
                    "-fno-tree-dse",
                    "-fno-tree-loop-distribute-patterns",
                    "-fno-tracer",
                    "-fno-ipa-ra",
                    "-fno-inline-functions",
                ]
            }
            Corpus::Aarch64 => &["-ansi", "-pedantic-errors"],
            Corpus::Aapcs64 if stem.starts_with("rec_") => &["-fno-inline"],
            Corpus::Aapcs64 if stem.starts_with("ice_") => return None,
            Corpus::Aapcs64 => {
                if !sources.iter().any(|s| s.ends_with("abitest.S")) {
                    sources.push(dir.join("abitest.S"));
                }
                if stem.starts_with("func-ret-") { &["-fno-ipa-ra"] } else { &[] }
            }
            Corpus::AdvSimd if guest == Target::A64 => &["-march=armv8.2-a+fp16"],
            Corpus::AdvSimd if level.contains("-mfpu=") => &[],
            Corpus::AdvSimd => &["-mfpu=crypto-neon-fp-armv8", "-mfp16-format=ieee"],
            // Included by others.
            Corpus::Vect if stem.ends_with("template") || stem == "complex-operations" => return None,
            Corpus::Vect | Corpus::Tsvc | Corpus::Tcg => &[],
        };
        let defaults = match self {
            Corpus::Vect | Corpus::Tsvc => vect_flags(&stem),
            _ => own.to_vec(),
        };
        // In these two, what the directory asks for stays whatever the test says.
        let kept = matches!(self, Corpus::Builtins | Corpus::Aapcs64 | Corpus::AdvSimd);
        if kept || directives.options.is_none() {
            flags.extend(defaults.iter().map(|s| s.to_string()));
        }
        flags.extend(
            directives.options.iter().flatten().chain(&directives.more).filter(|f| !dumps(f)).cloned(),
        );
        let unsuitable = match &directives.missing {
            Some(what) => Some(format!("needs {what}")),
            None => directives.skipped(&flags).then(|| "dg-skip-if".to_string()),
        };
        let below = file.strip_prefix(self::sources()).unwrap_or(file);
        let name = if self.has_levels() {
            format!("{} {level}", below.display())
        } else {
            below.display().to_string()
        };
        let alone = needs_own_program(&flags, &text);
        Some(Test { name, sources, flags, unsuitable, alone })
    }
}

/// Flags that only write further files.
fn dumps(flag: &str) -> bool {
    flag.starts_with("-fdump") || flag.starts_with("-save-temps") || flag.starts_with("-fopt-info")
}

/// What `gcc.dg/vect/vect.exp` compiles a test with, which depends on its name.
fn vect_flags(stem: &str) -> Vec<&'static str> {
    let mut flags =
        vec!["-ftree-vectorize", "-fno-tree-loop-distribute-patterns", "-fno-vect-cost-model", "-fno-common"];
    let by_name: &[(&str, &[&'static str])] = &[
        ("vec-scal-", &["-O"]),
        ("no-vfa-", &["-O2", "--param", "vect-max-version-for-alias-checks=0"]),
        ("fast-math-", &["-O2", "-ffast-math"]),
        ("no-fast-math-", &["-O2", "-fno-fast-math"]),
        ("no-math-errno-", &["-O2", "-fno-math-errno"]),
        ("wrapv-", &["-O2", "-fwrapv"]),
        ("trapv-", &["-O2", "-ftrapv"]),
        ("no-tree-dce-", &["-O2", "-fno-tree-dce"]),
        ("section-anchors-", &["-O2", "-fsection-anchors"]),
        ("aligned-section-anchors-", &["-O2", "-fsection-anchors"]),
        ("no-section-anchors-", &["-O2", "-fno-section-anchors"]),
        ("unswitch-loops-", &["-O2", "-funswitch-loops"]),
        ("no-trapping-math-", &["-O2", "-fno-trapping-math"]),
        ("no-scevccp-noreassoc-", &["-O2", "-fno-tree-scev-cprop", "-fno-tree-reassoc"]),
        ("no-scevccp-", &["-O2", "-fno-tree-scev-cprop"]),
        ("no-tree-dom-", &["-O2", "-fno-tree-dominator-opts"]),
        ("no-tree-pre-", &["-O2", "-fno-tree-pre"]),
        ("Os-vect-", &["-Os"]),
        ("ggc-", &["-O2", "--param", "ggc-min-expand=0", "--param", "ggc-min-heapsize=0"]),
        ("O3-", &["-O3", "-fno-ipa-cp-clone"]),
        ("O1-", &["-O1"]),
        ("O-", &["-O"]),
        ("no-tree-reassoc-", &["-O2", "-fno-tree-reassoc"]),
        ("no-tree-fre-", &["-O2", "-fno-tree-fre"]),
        ("no-fre-pre", &["-O2", "-fno-tree-fre", "-fno-tree-pre"]),
        ("no-tree-sra-", &["-O2", "-fno-tree-sra"]),
    ];
    let row = by_name.iter().find(|(prefix, _)| stem.starts_with(prefix));
    flags.extend(row.map_or(&["-O2"][..], |(_, f)| f));
    flags
}

/// True if the test changes what surrounds `main`: start-up, linking, or what all code of a program has in common.
fn needs_own_program(flags: &[String], text: &str) -> bool {
    let by_flag = ["-nostart", "-nostd", "-flto", "-shared", "-pie", "-p", "-pg", "-fprofile", "--coverage"];
    let by_flag_too = ["-fsanitize", "-fsplit-stack", "-mcmodel", "-static", "-T", "-r", "-fwhole-program"];
    let by_text = ["constructor", "destructor", "init_array", "ifunc", "__start_", "init_priority"];
    flags
        .iter()
        .any(|f| by_flag.iter().chain(&by_flag_too).any(|p| f == p || p.len() > 3 && f.starts_with(p)))
        || by_text.iter().any(|t| text.contains(t))
}

/// gcc's test suite, unpacked once: the C directories without SVE's.
fn sources() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = store().join("gcc-testsuite");
        let done = dir.join(".unpacked");
        let lock =
            std::fs::File::create(store().join("gcc-testsuite.lock")).expect("the store can be written");
        lock.lock().expect("the lock file can be locked");
        if !done.exists() {
            std::fs::create_dir_all(&dir).expect("the store can be written");
            let ok = Command::new("tar")
                .arg("-xJf")
                .arg(archive())
                .arg("-C")
                .arg(&dir)
                .args(["--wildcards", "--strip-components=3", "--exclude=*/aarch64/sve*"])
                .args([
                    "*/gcc/testsuite/gcc.c-torture/execute/*",
                    "*/gcc/testsuite/gcc.target/aarch64/*",
                    "*/gcc/testsuite/gcc.dg/*",
                    "*/gcc/testsuite/c-c++-common/torture/*",
                ])
                .status()
                .is_ok_and(|s| s.success());
            assert!(ok, "gcc-12-source could not be unpacked");
            std::fs::write(&done, "").expect("the store can be written");
        }
        dir
    })
}

fn archive() -> PathBuf {
    std::fs::read_dir("/usr/src/gcc-12")
        .expect("the package gcc-12-source is installed (`cargo xtask setup --test`)")
        .flatten()
        .map(|e| e.path())
        .find(|p| p.to_string_lossy().ends_with(".tar.xz") && p.to_string_lossy().contains("/gcc-12."))
        .expect("gcc-12-source holds an archive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_by_name() {
        assert!(vect_flags("no-scevccp-noreassoc-slp-1").contains(&"-fno-tree-reassoc"));
        assert!(!vect_flags("no-scevccp-outer-1").contains(&"-fno-tree-reassoc"));
        assert!(vect_flags("vect-1").contains(&"-O2") && vect_flags("O3-pr1").contains(&"-O3"));
    }

    #[test]
    fn some_need_their_own_program() {
        assert!(needs_own_program(&["-flto=2".into()], ""));
        assert!(needs_own_program(&[], "__attribute__((constructor))"));
        assert!(!needs_own_program(&["-O2".into(), "-pthread".into(), "-fno-inline".into()], "int main"));
    }
}
