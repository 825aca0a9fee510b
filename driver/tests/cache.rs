//! The cache of compiled functions: what is taken from it, and that nothing that happens to it spoils a translation.

mod support;

use assert_cmd::Command;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use support::{elf, files, xlate};
use tempfile::TempDir;

/// A guest program, a cache, and room for outputs.
struct Place(TempDir);

impl Place {
    /// The program calls `calls` functions of its own, and exits with 42.
    fn new(calls: usize) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        std::fs::write(place.path("arm"), program(calls)).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn translation(&self, out: &str, args: &[&str]) -> Command {
        let mut c = xlate();
        c.arg(self.path("arm")).arg("-o").arg(self.path(out)).args(["--stats", "--json"]).args(args);
        c.env("XLATE_CACHE", self.path("cache"));
        c
    }

    /// Translates; gives hits, functions, output, messages.
    fn translate(&self, args: &[&str]) -> (u64, u64, Vec<u8>, String) {
        let done = self.translation("out", args).output().unwrap();
        let text = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(0), "{text}");
        let stats: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        let n = |name: &str| stats[name].as_u64().unwrap();
        assert_eq!(std::process::Command::new(self.path("out")).status().unwrap().code(), Some(42));
        (n("cache_hits"), n("functions"), std::fs::read(self.path("out")).unwrap(), text)
    }

    /// All kept functions.
    fn entries(&self) -> Vec<PathBuf> {
        let dir = self.path("cache/functions");
        let shards = files(&dir).into_iter().map(|s| dir.join(s));
        shards.flat_map(|s| files(&s).into_iter().map(move |f| s.join(f))).collect()
    }
}

fn program(calls: usize) -> Vec<u8> {
    program_with_gap(calls, 0)
}

/// As `program`, with room for `gap` instructions between the first function and the others.
fn program_with_gap(calls: usize, gap: u32) -> Vec<u8> {
    let calls = calls as u32;
    let mut code = vec![0xd280_0540]; // mov x0, #42
    // bl each function: they follow the four instructions, two each
    code.extend((0..calls).map(|n| 0x9400_0000 | (calls + 3 + gap + 2 * n - (n + 1))));
    code.extend([0xd280_0ba8, 0xd400_0001]); // mov x8, #93; svc #0
    code.extend((0..gap).map(|_| 0)); // udf
    for n in 0..calls {
        code.extend([0xd280_0001 | (n & 0xffff) << 5, 0xd65f_03c0]); // mov x1, #n; ret
    }
    elf(&code)
}

#[test]
fn a_second_translation_takes_all_from_the_cache_and_is_the_same() {
    let p = Place::new(5);
    let (hits, functions, first, _) = p.translate(&[]);
    assert_eq!((hits, functions), (0, 6));
    assert_eq!(p.entries().len(), 6);
    let (hits, _, second, _) = p.translate(&["--jobs", "1"]);
    assert_eq!(hits, 6);
    assert!(first == second, "outputs differ");
    let (hits, _, third, _) = p.translate(&["--no-cache"]);
    assert_eq!(hits, 0);
    assert!(first == third, "outputs differ");
}

#[test]
fn functions_at_other_addresses_are_found() {
    let p = Place::new(0);
    std::fs::write(p.path("arm"), program_with_gap(5, 1)).unwrap();
    p.translate(&[]);
    std::fs::write(p.path("arm"), program_with_gap(5, 100)).unwrap();
    let (hits, functions, out, _) = p.translate(&[]);
    assert_eq!((hits, functions), (6, 6));
    assert!(out == p.translate(&["--no-cache"]).2);
}

#[test]
fn other_options_are_other_entries() {
    let p = Place::new(1);
    p.translate(&[]);
    for args in [["-O1", "-v"], ["-O0", "-v"], ["--target-cpu", "x86-64-v3"], ["--checkpoints", "commit"]] {
        assert_eq!(p.translate(&args).0, 0, "{args:?}");
        assert_eq!(p.translate(&args).0, 2, "{args:?}");
    }
}

#[test]
fn damaged_entries_are_replaced() {
    let p = Place::new(5);
    let good = p.translate(&[]).2;
    let damage: [fn(Vec<u8>) -> Vec<u8>; 6] = [
        |_| Vec::new(),
        |b| b[..b.len() / 2].to_vec(),
        |b| b[..20].to_vec(),
        |mut b| {
            let n = b.len();
            b[n - 1] ^= 1;
            b
        },
        |mut b| {
            b[3] ^= 1;
            b
        },
        |mut b| {
            b.push(0);
            b
        },
    ];
    for (path, f) in p.entries().iter().zip(damage) {
        std::fs::write(path, f(std::fs::read(path).unwrap())).unwrap();
    }
    let (hits, _, out, text) = p.translate(&[]);
    assert_eq!((hits, text.as_str()), (0, ""));
    assert!(out == good);
    assert_eq!(p.translate(&[]).0, 6);
}

#[test]
fn a_cache_that_cannot_be_written_costs_one_warning() {
    let p = Place::new(5);
    std::fs::write(p.path("cache"), "a file").unwrap();
    let (hits, _, out, text) = p.translate(&[]);
    assert_eq!(hits, 0);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("warning") && text.contains("cache"), "{text}");
    assert!(out == p.translate(&["--no-cache"]).2);
    let mut run = xlate();
    run.arg("run").arg(p.path("arm")).env("XLATE_CACHE", p.path("cache")).assert().code(42);
    // Nothing says where: no cache, no complaint.
    let mut bare = p.translation("out", &[]);
    for name in ["XLATE_CACHE", "XDG_CACHE_HOME"] {
        bare.env_remove(name);
    }
    let done = bare.env("HOME", "").output().unwrap();
    assert!(done.status.success());
}

#[test]
fn translations_at_once_share_a_cache() {
    let p = Place::new(40);
    std::thread::scope(|s| {
        for n in 0..4 {
            let mut c = p.translation(&format!("out{n}"), &[]);
            s.spawn(move || c.assert().success());
        }
    });
    let first = std::fs::read(p.path("out0")).unwrap();
    for n in 1..4 {
        assert!(first == std::fs::read(p.path(&format!("out{n}"))).unwrap());
    }
    assert_eq!(p.entries().len(), 41);
    let (hits, _, out, _) = p.translate(&[]);
    assert_eq!(hits, 41);
    assert!(out == first);
}

#[test]
fn a_killed_translation_leaves_a_good_cache() {
    let p = Place::new(200);
    let mut left = 0;
    for n in 0..6 {
        let tool = assert_cmd::cargo::cargo_bin!("xlate");
        let mut child = std::process::Command::new(tool)
            .args([p.path("arm"), "-o".into(), p.path("killed")])
            .env("XLATE_CACHE", p.path("cache"))
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(10 + 25 * n));
        child.kill().unwrap();
        child.wait().unwrap();
        left += usize::from(p.path("cache/functions").exists() && !p.entries().is_empty());
    }
    // Some of them got far enough to leave something, unless the machine is very slow.
    println!("{left} of 6 left entries");
    let fresh = p.translate(&["--no-cache"]).2;
    assert!(p.translate(&[]).2 == fresh);
    let (hits, functions, out, _) = p.translate(&[]);
    assert_eq!(hits, functions);
    assert!(out == fresh);
}

#[test]
fn what_was_unused_for_longest_goes_first() {
    let p = Place::new(20);
    p.translate(&[]);
    let total: u64 = p.entries().iter().map(|e| e.metadata().unwrap().len()).sum();
    let old = SystemTime::now() - Duration::from_secs(100_000);
    for e in p.entries() {
        std::fs::File::options().write(true).open(e).unwrap().set_modified(old).unwrap();
    }
    let before = p.entries();
    // A use makes an entry young again; a file nobody finished goes, too.
    std::fs::write(before[0].with_file_name(".1-1"), "unfinished").unwrap();
    let unfinished = std::fs::File::options().write(true).open(before[0].with_file_name(".1-1")).unwrap();
    unfinished.set_modified(old).unwrap();
    let max = (total + total / 4).to_string();
    let (_, _, out, _) = p.translate(&["-O1", "--cache-max", &max]);
    assert!(!out.is_empty());
    let after = p.entries();
    let kept: u64 = after.iter().map(|e| e.metadata().unwrap().len()).sum();
    assert!(kept <= total, "{kept} of {total}");
    assert!(after.iter().all(|e| !e.to_string_lossy().contains("/.1-1")));
    // All that was made last is there.
    assert_eq!(p.translate(&["-O1"]).0, 21);
    // An account that makes no sense is taken again.
    std::fs::write(p.path("cache/usage"), "nonsense").unwrap();
    p.translate(&["-O0"]);
    let count: u64 = std::fs::read_to_string(p.path("cache/usage")).unwrap().parse().unwrap();
    let kept: u64 = p.entries().iter().map(|e| e.metadata().unwrap().len()).sum();
    assert_eq!(count, kept);
}

#[test]
fn the_command_shows_and_clears() {
    let p = Place::new(3);
    p.translate(&[]);
    let cache = |args: &[&str]| {
        let mut c = xlate();
        c.arg("cache").args(args).env("XLATE_CACHE", p.path("cache"));
        let out = c.output().unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap())
    };
    assert_eq!(cache(&["--dir"]).1.trim_end(), p.path("cache").to_str().unwrap());
    let (_, text) = cache(&[]);
    assert!(text.contains("functions         4"), "{text}");
    assert_eq!(cache(&["clear"]).0, Some(0));
    assert!(!p.path("cache/functions").exists());
    assert_eq!(cache(&["clear"]).0, Some(0));
    assert_eq!(p.translate(&[]).0, 0);
    let (status, text) = {
        let out = p.translation("out", &["--cache-max", "many"]).output().unwrap();
        (out.status.code(), String::from_utf8(out.stderr).unwrap())
    };
    assert_eq!(status, Some(2));
    assert!(text.contains("many"), "{text}");
}

#[test]
fn a_named_directory_wins() {
    let p = Place::new(1);
    let named = p.path("named");
    p.translate(&["--cache", named.to_str().unwrap()]);
    assert!(Path::new(&named).join("functions").exists());
    assert!(!p.path("cache").exists());
}
