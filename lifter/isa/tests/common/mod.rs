//! What the tests against qemu share: random numbers, an executor of IR, and the oracle programs.
#![allow(dead_code)] // each test uses a part

pub mod machine;
pub mod random;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// A number from the environment.
pub fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// What LLVM's disassembler says of lines of bytes: its output, and each message with the number of its line, from 0.
pub fn disassembled(options: &[&str], lines: String) -> (String, Vec<(usize, String)>) {
    let mut child = Command::new("llvm-mc-19")
        .arg("--disassemble")
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("llvm-mc-19 (of llvm-19, which xtask setup installs)");
    let mut stdin = child.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let out = child.wait_with_output().expect("llvm-mc-19 runs");
    writer.join().expect("no panic").expect("llvm-mc-19 reads everything");
    // "<stdin>:7:1: warning: invalid instruction encoding"
    let message = |m: &str| {
        let (line, text) = m.strip_prefix("<stdin>:")?.split_once(':')?;
        Some((line.parse::<usize>().ok()? - 1, text.to_string()))
    };
    let messages = String::from_utf8_lossy(&out.stderr).lines().filter_map(message).collect();
    (String::from_utf8_lossy(&out.stdout).into_owned(), messages)
}

/// LLVM's name and features of the A32 or T32 that we decode.
pub fn a32_options(thumb: bool) -> [&'static str; 2] {
    [
        if thumb { "--triple=thumbv8a-none-linux-gnueabihf" } else { "--triple=armv8a-none-linux-gnueabihf" },
        "-mattr=+neon,+fp-armv8,+crypto,+crc,+hwdiv,+hwdiv-arm,+mp,+sha2,+aes",
    ]
}

/// Compiles `testsuite/guest/<source>` into `dir`.
pub fn build(compiler: &str, source: &str, options: &[&str], dir: &Path) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testsuite/guest").join(source);
    let program = dir.join(source).with_extension("");
    let status =
        Command::new(compiler).args(options).args(["-O1", "-static", "-o"]).arg(&program).arg(path).status();
    assert!(status.unwrap_or_else(|e| panic!("{compiler} (xtask setup installs it): {e}")).success());
    program
}

/// Standard output of `program` under qemu with `input` on standard input, or how it died.
pub fn ask(qemu: &str, program: &Path, input: Vec<u8>) -> Result<Vec<u8>, ExitStatus> {
    let mut child = Command::new(qemu)
        .args(["-cpu", "max"])
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{qemu} (xtask setup installs it): {e}"));
    let mut stdin = child.stdin.take().expect("piped");
    // Both directions at once: neither pipe holds everything.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let out = child.wait_with_output().expect("qemu runs");
    let written = writer.join().expect("no panic");
    if !out.status.success() {
        return Err(out.status);
    }
    written.expect("the oracle reads everything");
    Ok(out.stdout)
}

/// A directory for this test's files, removed when it is dropped.
pub struct Directory(pub PathBuf);

impl Directory {
    /// A new one.
    pub fn new(name: &str) -> Directory {
        let dir = std::env::temp_dir().join(format!("xlate-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("temporary directory");
        Directory(dir)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
