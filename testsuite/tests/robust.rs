//! Whatever the input is, the tool answers: a bounded run of the fuzz targets, and systematic damage to real programs. No
//! panic, no abort, no hang, and messages that say what to do. (The long form: `XLATE_TEST_FULL`, or `testsuite/fuzz`.)

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use testsuite::compare::{Run, run_translated};
use testsuite::fuzz::elf::{self, Header};
use testsuite::fuzz::{self, TARGETS, mutate};
use testsuite::guest::{Libc, ours};
use testsuite::{insns, tools};

/// Names the input when something under test panics.
struct Naming<'a>(&'a dyn Fn() -> String);

impl Drop for Naming<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input was: {}", (self.0)());
        }
    }
}

/// Runs a target on `count` inputs, or twenty times as many.
fn run(name: &str, count: u64, length: usize) {
    let body = TARGETS.iter().find(|t| t.0 == name).expect("the target exists").1;
    let count = if testsuite::full() { 20 * count } else { count };
    for seed in 0..count {
        let _name = Naming(&|| format!("fuzz::input({seed}, {length}) of target {name}"));
        body(&fuzz::input(seed, length));
    }
}

#[test]
fn fuzz_image() {
    run("image", 3000, 600);
}

#[test]
fn fuzz_lift() {
    run("lift", 6000, 500);
}

#[test]
fn fuzz_emit() {
    run("emit", 150, 240);
}

#[test]
fn fuzz_ir_text() {
    run("ir-text", 6000, 300);
}

#[test]
fn fuzz_interp() {
    run("interp", 3000, 2000);
}

/// Loads and discovers every damaged form of `file`; gives how many loaded.
fn damaged(file: &[u8], every: usize) -> (usize, usize) {
    let forms = mutate::single_fields(file).step_by(every).chain(mutate::truncations(file));
    let (mut all, mut loaded) = (0, 0);
    for (what, bytes) in forms {
        let _name = Naming(&|| what.clone());
        all += 1;
        loaded += usize::from(fuzz::examine(bytes).is_some());
    }
    (all, loaded)
}

#[test]
fn damage_to_single_fields() {
    let (all, loaded) = damaged(&elf::rich(), 1);
    assert!(all > 2000 && loaded > all / 4 && loaded < all, "{loaded} of {all}");
}

#[test]
fn damage_to_real_programs() {
    let every = if testsuite::full() { 1 } else { 11 };
    let stages = std::fs::read(ours("stages.s", Libc::None, &[])).expect("it was built");
    let (all, loaded) = damaged(&stages, every);
    assert!(loaded > all / 10 && loaded < all, "{loaded} of {all}");
}

/// A program of `words`, which are mapped again at these distances, in segments of their own.
fn spread(words: &[u32], at: &[u64]) -> Vec<u8> {
    let start = 64 + 56 * (1 + at.len() as u64);
    let size = 4 * words.len() as u64;
    let again = at.iter().map(|a| Header::load(5, start, elf::BASE + start + a, size));
    let loads: Vec<Header> = [Header::load(5, 0, elf::BASE, start + size)].into_iter().chain(again).collect();
    let mut f = elf::headers(2, elf::BASE + start, &loads);
    f.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    f
}

/// mov x0, #42; mov x8, #93; svc #0
const EXIT: [u32; 3] = [0xd280_0540, 0xd280_0ba8, 0xd400_0001];

/// The exit program with one more segment of zeros only.
fn with_zeros(vaddr: u64, size: u64) -> Vec<u8> {
    let start = 64 + 56 * 2;
    let text = Header::load(5, 0, elf::BASE, start + 12);
    let zeros = Header { filesz: 0, memsz: size, ..Header::load(6, 0, vaddr, 0) };
    let mut f = elf::headers(2, elf::BASE + start, &[text, zeros]);
    f.extend(EXIT.iter().flat_map(|w| w.to_le_bytes()));
    f
}

fn random_words(seed: u64, count: usize) -> Vec<u32> {
    fuzz::input(seed, 4 * count).chunks_exact(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect()
}

/// Words that are mostly instructions. System calls could do anything, and there are instructions that qemu executes
/// otherwise: NOP stands for them.
fn random_program(seed: u64, count: usize) -> Vec<u32> {
    let bytes = fuzz::input(seed, 16 * count);
    let s = &mut fuzz::Source::new(&bytes);
    let harmless = |w: u32| {
        let name = isa::a64::decode(w).map_or("", |r| r.name);
        let other = ["DC ", "IC ", "SYS", "MSR (imm", "MRS", "HLT"].iter().any(|n| name.starts_with(n));
        if w & 0xffe0_001f == 0xd400_0001 || other { 0xd503_201f } else { w }
    };
    (0..count).map(|i| harmless(s.instruction(i, count))).collect()
}

#[test]
fn jump_tables_that_lead_anywhere() {
    let text = 0x1000 + 4 * elf::CODE.iter().position(|&w| w == 0x0604_0200).expect("the table");
    for byte in 0..=255u8 {
        let mut file = elf::rich();
        file[text..text + 4].copy_from_slice(&[byte, 0, byte.wrapping_add(1), byte ^ 0x80]);
        let _name = Naming(&|| format!("table byte {byte:#x}"));
        assert!(fuzz::examine(file).is_some());
    }
}

#[test]
fn large_hostile_texts_are_discovered_in_bounded_time() {
    let count = if testsuite::full() { 1 << 19 } else { 1 << 16 };
    let mut texts: Vec<Vec<u32>> = vec![random_words(1, 5 * count)];
    // NOP, jumps, calls and conditional branches to the next word, returns, indirect jumps, and all of these at random.
    let all = [0xd503_201f, 0x1400_0001, 0x9400_0001, 0xb400_0020, 0xd65f_03c0, 0xd61f_0000];
    texts.extend(all.map(|w| vec![w; count]));
    let random = random_words(2, count / 4);
    texts.push(
        random.iter().map(|r| fuzz::aim(all[*r as usize % 6], i64::from(r >> 8 & 0x1fff) - 0xfff)).collect(),
    );
    for text in texts {
        let _name = Naming(&|| format!("text of {} words that begins with {:#x}", text.len(), text[0]));
        fuzz::examine(elf::tiny(&text));
    }
}

/// A directory for files under test.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a temporary directory"))
    }

    /// Runs the tool on `file`, with bounded memory and time. It succeeds, or says why not.
    fn xlate(&self, file: &[u8], args: &[&str]) -> (bool, String) {
        let input = self.0.path().join("the-input");
        std::fs::write(&input, file).expect("it can be written");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&input, executable).expect("it can be made executable");
        let mut c = Command::new("bash");
        c.args(["-c", "ulimit -v 8000000; exec timeout -s KILL 120 \"$0\" \"$@\""])
            .arg(tools::xlate())
            .args(args);
        let out = c.arg(&input).current_dir(self.0.path()).output().expect("bash starts");
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        match out.status.code() {
            Some(0) => (true, text),
            Some(2) => {
                assert!(text.starts_with("xlate: ") && text.contains("the-input"), "{text}");
                (false, text)
            }
            _ => panic!("{args:?}: {}: {text}", out.status),
        }
    }

    /// Translates `file` to `out`.
    fn translate(&self, file: &[u8]) -> std::path::PathBuf {
        let (ok, text) = self.xlate(file, &["-o", "out", "-O1"]);
        assert!(ok, "{text}");
        self.0.path().join("out")
    }
}

#[test]
fn the_tool_answers_damaged_files() {
    let place = Place::new();
    let every = if testsuite::full() { 5 } else { 29 };
    let rich = elf::rich();
    let forms: Vec<_> =
        mutate::single_fields(&rich).chain(mutate::truncations(&rich)).step_by(every).collect();
    let (mut all, mut good) = (0, 0);
    for (i, (what, bytes)) in forms.iter().enumerate() {
        let _name = Naming(&|| what.clone());
        let args: &[&str] = match i % 10 {
            0 => &["-o", "out", "-O0"],
            1 => &["inspect", "--emit", "asm"],
            2 => &["inspect", "--emit", "ir"],
            3..=5 => &["inspect", "--emit", "coverage", "--verbose"],
            _ => &["inspect", "--emit", "image"],
        };
        good += usize::from(place.xlate(bytes, args).0);
        all += 1;
    }
    assert!(all >= 100 && good > all / 4 && good < all, "{good} of {all}");
}

#[test]
fn extreme_layouts_are_translated_and_run() {
    let place = Place::new();
    let many: Vec<u64> = (1..1100).map(|i| i * 0x2_0000).collect();
    for (name, file) in [
        ("4 GiB of zeros", with_zeros(0x1000_0000, 4 << 30)),
        ("texts 4 GiB apart", spread(&EXIT, &[4 << 30])),
        ("texts 64 TiB apart", spread(&EXIT, &[1 << 45])),
        ("1100 segments", spread(&EXIT, &many)),
        ("1 MiB of random text", elf::tiny(&[&EXIT[..], &random_words(3, 1 << 18)].concat())),
    ] {
        let out = place.translate(&file);
        let size = std::fs::metadata(&out).expect("it was written").len();
        assert!(size < 64 << 20, "{name}: {size} bytes");
        let outcome = run_translated(&out, &Run::default());
        assert_eq!(outcome.status, 42, "{name}: {outcome:?}");
    }
    // More than there is: an error, not a crash.
    let outcome = run_translated(&place.translate(&with_zeros(0x1000_0000, 1 << 45)), &Run::default());
    assert_eq!(outcome.status, 2, "{outcome:?}");
    assert!(String::from_utf8_lossy(&outcome.stderr).contains("memory"), "{outcome:?}");
}

#[test]
fn random_programs_end_as_under_qemu() {
    let place = Place::new();
    let count = if testsuite::full() { 300 } else { 16 };
    let mut different = Vec::new();
    for seed in 0..count {
        let words = random_program(seed, 40);
        let file = elf::tiny(&words);
        let out = place.translate(&file);
        let run = Run { timeout: Some(std::time::Duration::from_secs(5)), ..Run::default() };
        let expected = insns::qemu(&place.0.path().join("the-input"), &run);
        let got = run_translated(&out, &run);
        if got.status != expected.status {
            different.push(format!(
                "seed {seed}: {got:?} and under qemu {expected:?}\n{}",
                insns::describe(&words)
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
