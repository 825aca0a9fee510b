//! Builds guest programs with the cross compilers, against glibc or musl, and keeps them by content.

use crate::{packages, store, temporary, tools};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The C library a guest program is linked with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Libc {
    /// Debian's musl: small programs.
    Musl,
    /// The cross compiler's glibc.
    Glibc,
    /// The same, dynamically linked.
    Shared,
    /// None: the source brings `_start`.
    None,
}

/// The instruction set a guest program is compiled to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Target {
    /// AArch64.
    A64,
    /// AArch32, A32 instructions.
    A32,
    /// AArch32, T32 instructions.
    T32,
}

impl Target {
    /// All of them.
    pub const ALL: [Target; 3] = [Target::A64, Target::A32, Target::T32];

    /// The name in reports and options: `A64`.
    pub fn name(self) -> &'static str {
        match self {
            Target::A64 => "A64",
            Target::A32 => "A32",
            Target::T32 => "T32",
        }
    }

    /// The instruction set that translates it.
    pub fn isa(self) -> isa::Isa {
        match self {
            Target::A64 => isa::Isa::A64,
            Target::A32 | Target::T32 => isa::Isa::A32,
        }
    }

    /// Its cross compiler.
    pub fn gcc(self) -> &'static str {
        match self {
            Target::A64 => tools::cross_gcc(),
            Target::A32 | Target::T32 => tools::cross_gcc_arm(),
        }
    }

    /// Its user-mode emulator.
    pub fn qemu(self) -> &'static str {
        match self {
            Target::A64 => tools::qemu(),
            Target::A32 | Target::T32 => tools::qemu_arm(),
        }
    }

    /// A program of its binutils, such as `ld`.
    pub fn binutil(self, program: &str) -> String {
        match self {
            Target::A64 => tools::cross(program),
            Target::A32 | Target::T32 => format!("{}-{program}", self.triplet()),
        }
    }

    /// Debian's architecture whose packages have its programs: of 32-bit ones most are T32.
    pub fn architecture(self) -> &'static str {
        match self {
            Target::A64 => "arm64",
            Target::A32 | Target::T32 => "armhf",
        }
    }

    /// The directory of that architecture below `/usr/lib`.
    pub fn triplet(self) -> &'static str {
        match self {
            Target::A64 => "aarch64-linux-gnu",
            Target::A32 | Target::T32 => "arm-linux-gnueabihf",
        }
    }

    /// Where Debian's cross compiler has its libraries.
    pub fn sysroot(self) -> &'static str {
        match self {
            Target::A64 => "/usr/aarch64-linux-gnu",
            Target::A32 | Target::T32 => "/usr/arm-linux-gnueabihf",
        }
    }

    /// What tells the compiler the instruction set.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Target::A64 => &[],
            Target::A32 => &["-marm"],
            Target::T32 => &["-mthumb"],
        }
    }
}

/// Compiles and links `source` (C or assembly), statically but with [`Libc::Shared`], with `flags`; the result is kept by content.
pub fn build(source: &Path, libc: Libc, flags: &[&str]) -> Result<PathBuf, String> {
    build_all(&[source], libc, flags)
}

/// A hash that names content in the store.
pub fn content_hash(bytes: &[u8]) -> u64 {
    let mut h = DefaultHasher::new();
    bytes.hash(&mut h);
    h.finish()
}

/// Hashes a source and what it includes of its own directory (`#include "name"`).
fn hash_text(source: &Path, h: &mut DefaultHasher) -> Result<(), String> {
    let bytes = std::fs::read(source).map_err(|e| format!("{}: {e}", source.display()))?;
    bytes.hash(h);
    for line in String::from_utf8_lossy(&bytes).lines() {
        if let Some((name, _)) = line.strip_prefix("#include \"").and_then(|l| l.split_once('"')) {
            let part = source.with_file_name(name);
            // Others than ours come from the compiler's directories.
            if part.exists() {
                hash_text(&part, h)?;
            }
        }
    }
    Ok(())
}

/// As [`build`], from several sources, the first of which names the result.
pub fn build_all(sources: &[&Path], libc: Libc, flags: &[&str]) -> Result<PathBuf, String> {
    build_for(Target::A64, sources, libc, flags)
}

/// As [`build_all`], for any instruction set.
pub fn build_for(target: Target, sources: &[&Path], libc: Libc, flags: &[&str]) -> Result<PathBuf, String> {
    let mut h = DefaultHasher::new();
    (target, libc, flags, sources).hash(&mut h);
    for source in sources {
        hash_text(source, &mut h)?;
    }
    let source = sources[0];
    let stem = source.file_stem().expect("a source file has a name").to_string_lossy();
    let dir = store().join("guest");
    std::fs::create_dir_all(&dir).map_err(|e| e.to_string())?;
    let out = dir.join(format!("{stem}-{:016x}", h.finish()));
    if out.exists() {
        return Ok(out);
    }
    let temp = temporary(&out);
    let mut gcc = Command::new(target.gcc());
    gcc.args(target.flags()).arg("-o").arg(&temp);
    if libc != Libc::Shared {
        gcc.arg("-static");
    }
    match libc {
        Libc::Glibc | Libc::Shared => {
            gcc.args(sources).args(flags).arg("-lm").arg("-lpthread");
        }
        Libc::None => {
            gcc.args(["-nostdlib", "-ffreestanding"]).args(flags).args(sources);
        }
        Libc::Musl => musl(&mut gcc, target, sources, flags),
    }
    let result = gcc.output().map_err(|e| e.to_string())?;
    if !result.status.success() {
        return Err(format!("{gcc:?}: {}", String::from_utf8_lossy(&result.stderr)));
    }
    std::fs::rename(&temp, &out).map_err(|e| e.to_string())?;
    Ok(out)
}

/// Builds `testsuite/guest/<name>`.
pub fn ours(name: &str, libc: Libc, flags: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest").join(name);
    build(&source, libc, flags).unwrap_or_else(|e| panic!("{e}"))
}

/// Builds `testsuite/guest/<name>` for an instruction set.
pub fn ours_for(target: Target, name: &str, libc: Libc, flags: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest").join(name);
    build_for(target, &[&source], libc, flags).unwrap_or_else(|e| panic!("{e}"))
}

/// Builds `testsuite/guest/<name>` for `target` with `archive` of Debian's `package`, whose headers are in `include` below
/// `/usr/include`, too.
pub fn with_package(target: Target, name: &str, package: &str, archive: &str, include: &str) -> PathBuf {
    let usr = packages::unpacked_for(target.architecture(), package).join("usr");
    let lib = usr.join("lib").join(target.triplet()).join(archive).display().to_string();
    let all = usr.join("include");
    let flags = [
        "-O2".to_string(),
        format!("-I{}", all.display()),
        format!("-I{}", all.join(target.triplet()).display()),
        format!("-I{}", all.join(include).display()),
        lib,
    ];
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    flags.push("-ldl");
    ours_for(target, name, Libc::Glibc, &flags)
}

/// Builds the Go program `testsuite/guest/<name>`: static, without C. Go's compiler makes A32 of 32-bit programs.
pub fn go(target: Target, name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest").join(name);
    let text = std::fs::read(&source).expect("the source can be read");
    let dir = store().join("guest");
    std::fs::create_dir_all(&dir).expect("the store can be written");
    let stem = source.file_stem().expect("a source file has a name").to_string_lossy();
    let architecture = match target {
        Target::A64 => "arm64",
        Target::A32 => "arm",
        Target::T32 => panic!("Go has no Thumb"),
    };
    let out = dir.join(format!("{stem}-{architecture}-{:016x}", content_hash(&text)));
    if !out.exists() {
        let temp = temporary(&out);
        let mut go = Command::new(tools::go());
        go.args(["build", "-trimpath", "-o"]).arg(&temp).arg(&source).env("GOCACHE", store().join("go"));
        for (name, value) in [
            ("GO111MODULE", "off"),
            ("GOOS", "linux"),
            ("GOARCH", architecture),
            ("GOARM", "7"),
            ("CGO_ENABLED", "0"),
            ("GOFLAGS", ""),
        ] {
            go.env(name, value);
        }
        checked(&mut go).unwrap_or_else(|e| panic!("{e}"));
        std::fs::rename(&temp, &out).expect("the store can be written");
    }
    out
}

/// Compiles `sources` without linking into one object file `out`.
pub fn object(
    target: Target,
    sources: &[PathBuf],
    libc: Libc,
    flags: &[String],
    out: &Path,
) -> Result<(), String> {
    let mut parts = Vec::new();
    for (n, source) in sources.iter().enumerate() {
        let part = if sources.len() == 1 { out.to_path_buf() } else { out.with_extension(format!("{n}.o")) };
        let mut gcc = Command::new(target.gcc());
        gcc.args(target.flags());
        if libc == Libc::Musl {
            musl_headers(&mut gcc, target);
        }
        checked(gcc.args(flags).arg("-c").arg(source).arg("-o").arg(&part))?;
        parts.push(part);
    }
    if sources.len() > 1 {
        let mut ld = Command::new(target.binutil("ld"));
        checked(ld.arg("-r").args(&parts).arg("-o").arg(out))?;
        for part in parts {
            let _ = std::fs::remove_file(part);
        }
    }
    Ok(())
}

/// Runs a command; what it said is the error.
pub fn checked(command: &mut Command) -> Result<(), String> {
    let result = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if result.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&result.stderr)))
}

/// Debian's musl for a target: its tree, and the directories below `usr/include` and `usr/lib`.
fn musl_root(target: Target) -> (PathBuf, &'static str) {
    match target {
        Target::A64 => (packages::unpacked("musl-dev").join("usr"), "aarch64-linux-musl"),
        Target::A32 | Target::T32 => {
            (packages::unpacked_for("armhf", "musl-dev").join("usr"), "arm-linux-musleabihf")
        }
    }
}

/// Makes the cross compiler use musl's headers instead of its own C library's.
fn musl_headers(gcc: &mut Command, target: Target) {
    static OWN: [OnceLock<String>; 2] = [const { OnceLock::new() }; 2];
    let own = OWN[(target != Target::A64) as usize].get_or_init(|| {
        let own = Command::new(target.gcc()).arg("-print-file-name=include").output();
        String::from_utf8_lossy(&own.expect("the cross compiler runs").stdout).trim().to_string()
    });
    gcc.args(["-nostdinc", "-fno-pie"]);
    if target == Target::A64 {
        gcc.arg("-mno-outline-atomics");
    }
    let (root, name) = musl_root(target);
    gcc.arg("-isystem").arg(root.join("include").join(name)).arg("-isystem").arg(own);
}

/// The cross compiler with Debian's musl instead of its own C library.
fn musl(gcc: &mut Command, target: Target, sources: &[&Path], flags: &[&str]) {
    let (root, name) = musl_root(target);
    let lib = root.join("lib").join(name);
    musl_headers(gcc, target);
    gcc.args(["-nostdlib", "-no-pie"])
        .args(flags)
        .arg(lib.join("crt1.o"))
        .arg(lib.join("crti.o"))
        .args(sources)
        .arg("-Wl,--start-group")
        .arg(lib.join("libc.a"))
        .args(["-lgcc", "-lgcc_eh", "-Wl,--end-group"])
        .arg(lib.join("crtn.o"));
}
