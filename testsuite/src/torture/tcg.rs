//! qemu's tests of user-mode emulation (`tests/tcg` of Debian's source package `qemu`): those of `multiarch` and
//! `multiarch/linux`, and for AArch64 and AArch32 what their `Makefile.target` build for user mode. Takes an instruction set,
//! gives tests with the flags that the makefiles say.

use super::Test;
use crate::guest::Target;
use crate::{packages, store};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What every test is compiled with; warnings are not what is tested here. The C library's parts need no flag.
const COMMON: &[&str] = &["-w", "-O0", "-g", "-fno-strict-aliasing"];

/// A hardware capability that 64-bit tests need: beginning of their names, bit in AT_HWCAP or 64 + bit in AT_HWCAP2, name.
const NEEDS: &[(&str, u32, &str)] = &[
    ("pauth-", 30, "pointer authentication"),
    ("bti-", 64 + 17, "branch target identification"),
    ("mte-", 64 + 18, "memory tagging"),
    ("sve", 22, "SVE"),
    ("sme-", 64 + 23, "SME"),
    ("gcs", 32, "guarded control stacks"),
    // A fault of an SVE2 instruction.
    ("test-826", 64 + 1, "SVE2"),
];

/// What 32-bit tests need that is never there, by the beginning of their names.
const NEEDS_32: &[(&str, &str)] = &[
    ("test-arm-iwmmxt", "iWMMXt"),
    ("test-armv6m", "a microcontroller without system"),
    // Nor do 64-bit kernels have it.
    ("hello-arm", "the kernel interface before the EABI"),
];

/// Flags of single 64-bit tests, by the beginning of their names.
const FLAGS: &[(&str, &[&str])] = &[
    ("pauth-", &["-march=armv8.3-a"]),
    ("bti-1", &["-mbranch-protection=standard", "-nostdlib"]),
    ("bti-3", &["-mbranch-protection=standard", "-nostdlib"]),
    ("mte-", &["-march=armv8.5-a+memtag"]),
    ("sysregs", &["-march=armv8.1-a+sve"]),
    ("sve-ioctls", &["-march=armv8.1-a+sve"]),
    ("test-826", &["-march=armv8.1-a+sve2"]),
    ("dcpop", &["-march=armv8.2-a"]),
    ("dcpodp", &["-march=armv8.5-a"]),
    ("test-aes", &["-O", "-march=armv8-a+aes"]),
];

/// Flags of single 32-bit tests.
const FLAGS_32: &[(&str, &[&str])] = &[("float_madds", &["-mfpu=neon-vfpv4"]), ("pcalign-a32", &["-marm"])];

/// All of them for programs of that instruction set, sorted.
pub fn tests(guest: Target) -> Vec<Test> {
    let dir = sources();
    let own = if guest == Target::A64 { "aarch64" } else { "arm" };
    let mut files = Vec::new();
    for below in ["multiarch", "multiarch/linux", own] {
        let entries = std::fs::read_dir(dir.join(below)).expect("the source package has these directories");
        let source = |p: &PathBuf| p.extension().is_some_and(|e| e == "c" || e == "S");
        files.extend(entries.flatten().map(|e| e.path()).filter(source));
    }
    // The makefiles take one from the directory of 32-bit Arm, and compile two once more.
    if guest == Target::A64 {
        files.push(dir.join("arm/fcvt.c"));
    }
    let mut all: Vec<Test> = files
        .iter()
        // Parts that others include.
        .filter(|f| !f.to_string_lossy().ends_with(".inc.c") && !f.ends_with("float_helpers.c"))
        .map(|f| test(dir, f, COMMON, "", guest))
        .collect();
    for name in ["sha1", "sha512"] {
        let file = dir.join("multiarch").join(name).with_extension("c");
        all.push(test(dir, &file, &["-w", "-O3"], " -O3", guest));
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn test(dir: &Path, file: &Path, common: &[&str], level: &str, guest: Target) -> Test {
    let stem = file.file_stem().expect("invariant: it ends in .c").to_string_lossy();
    let begins = |prefix: &str| stem.starts_with(prefix);
    let (table, missing) = if guest == Target::A64 {
        (FLAGS, NEEDS.iter().find(|n| begins(n.0) && !announced(n.1)).map(|n| n.2))
    } else {
        (FLAGS_32, NEEDS_32.iter().find(|n| begins(n.0)).map(|n| n.1))
    };
    let flags: Vec<&str> = table.iter().filter(|f| begins(f.0)).flat_map(|f| f.1).copied().collect();
    let mut sources = vec![file.to_path_buf()];
    if stem.starts_with("float_") {
        sources.push(dir.join("multiarch/libs/float_helpers.c"));
    }
    Test {
        name: format!("{}{level}", file.strip_prefix(dir).unwrap_or(file).display()),
        sources,
        alone: flags.contains(&"-nostdlib"),
        flags: common.iter().chain(&flags).map(|f| f.to_string()).collect(),
        unsuitable: missing.map(|what| format!("needs {what}")),
    }
}

fn announced(bit: u32) -> bool {
    use isa::a64::features::{HWCAP, HWCAP2};
    if bit < 64 { HWCAP >> bit & 1 != 0 } else { HWCAP2 >> (bit - 64) & 1 != 0 }
}

/// `tests/tcg`, unpacked once.
fn sources() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = store().join("qemu-tests");
        let done = dir.join(".unpacked");
        let lock = std::fs::File::create(store().join("qemu-tests.lock")).expect("the store can be written");
        lock.lock().expect("the lock file can be locked");
        if !done.exists() {
            std::fs::create_dir_all(&dir).expect("the store can be written");
            let mut tar = Command::new("tar");
            tar.arg("-xf").arg(archive()).arg("-C").arg(&dir);
            tar.args(["--wildcards", "--strip-components=3", "*/tests/tcg/*"]);
            assert!(tar.status().is_ok_and(|s| s.success()), "qemu's source could not be unpacked");
            std::fs::write(&done, "").expect("the store can be written");
        }
        dir
    })
}

fn archive() -> PathBuf {
    let files = std::fs::read_dir(packages::source("qemu")).expect("the store can be read").flatten();
    let original =
        |p: &PathBuf| p.to_string_lossy().contains(".orig.tar") && p.extension().is_some_and(|e| e != "asc");
    files.map(|e| e.path()).find(original).expect("a source package has an original archive")
}
