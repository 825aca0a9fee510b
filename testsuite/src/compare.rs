//! Runs a guest program translated and under qemu-user, and compares what it did.

use crate::{store, tools};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

/// What a program did, as its parent sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Exit code, or minus the number of the signal that ended it.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 3000;
        let cut = |b: &[u8]| {
            let text = |b| String::from_utf8_lossy(b).into_owned();
            match b.len().checked_sub(2 * SHOWN) {
                Some(left) if left > 0 => {
                    format!("{} [{left} bytes] {}", text(&b[..SHOWN]), text(&b[SHOWN + left..]))
                }
                _ => text(b),
            }
        };
        write!(f, "status {} stdout {:?} stderr {:?}", self.status, cut(&self.stdout), cut(&self.stderr))
    }
}

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct Run<'a> {
    /// Arguments after the program's name.
    pub args: Vec<&'a str>,
    /// Standard input.
    pub stdin: &'a [u8],
    /// Further environment.
    pub env: Vec<(&'a str, &'a str)>,
    /// Working directory.
    pub dir: Option<PathBuf>,
    /// When it is killed [default: one minute]; its status is then -1000.
    pub timeout: Option<Duration>,
    /// qemu's processor, if not its default.
    pub cpu: Option<&'a str>,
}

/// Where translations by this `xlate` are kept. What other builds of it made is removed once it is old: each is gigabytes.
fn translations(xlate: &Path) -> Result<PathBuf, String> {
    static PRUNED: Once = Once::new();
    const OLD: Duration = Duration::from_secs(6 * 3600);
    let mut h = DefaultHasher::new();
    let meta = std::fs::metadata(xlate).map_err(|e| format!("{}: {e}", xlate.display()))?;
    (meta.len(), meta.modified().ok()).hash(&mut h);
    let all = store().join("translated");
    let ours = all.join(format!("{:016x}", h.finish()));
    PRUNED.call_once(|| {
        let others = std::fs::read_dir(&all).into_iter().flatten().flatten().map(|e| e.path());
        for other in others.filter(|o| *o != ours) {
            let modified = std::fs::metadata(&other).and_then(|m| m.modified());
            if modified.is_ok_and(|m| m.elapsed().is_ok_and(|age| age > OLD)) {
                let _ = std::fs::remove_dir_all(&other);
            }
        }
    });
    Ok(ours)
}

/// Translates `program` with `flags`; kept by content of program, flags and translator.
pub fn translate(program: &Path, flags: &[&str]) -> Result<PathBuf, String> {
    let mut h = DefaultHasher::new();
    std::fs::read(program).map_err(|e| format!("{}: {e}", program.display()))?.hash(&mut h);
    // Programs whose name and content differ are never one file, which the other's user might remove.
    (program, flags).hash(&mut h);
    let xlate = tools::xlate();
    // The name stays, because programs look at it: busybox is what argv[0] says.
    let dir = translations(&xlate)?.join(format!("{:016x}", h.finish()));
    std::fs::create_dir_all(&dir).map_err(|e| e.to_string())?;
    let out = dir.join(program.file_name().expect("a program has a name"));
    if !out.exists() {
        let mut command = Command::new(&xlate);
        command.arg(program).arg("-o").arg(&out).args(flags).env("XLATE_CACHE", store().join("functions"));
        let result = command.output();
        let result = result.map_err(|e| format!("{}: {e}", xlate.display()))?;
        if !result.status.success() {
            return Err(format!("xlate {}: {}", program.display(), String::from_utf8_lossy(&result.stderr)));
        }
    }
    Ok(out)
}

/// Runs a translated program.
pub fn run_translated(program: &Path, run: &Run) -> Outcome {
    execute(Command::new(program), run)
}

/// Runs a guest program under qemu-user.
pub fn run_qemu(program: &Path, run: &Run) -> Outcome {
    let mut c = Command::new(if is_arm32(program) { tools::qemu_arm() } else { tools::qemu() });
    if let Some(cpu) = run.cpu {
        c.args(["-cpu", cpu]);
    }
    c.arg(program);
    let mut out = execute(c, run);
    // Its own remark on a program that dies of a signal is not the program's.
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    out.stderr = text
        .split_inclusive('\n')
        .filter(|l| !l.starts_with("qemu: uncaught target signal"))
        .collect::<String>()
        .into();
    if is_arm32(program) {
        // So Linux on Armv8 names the machine of 32-bit programs.
        if let Ok(text) = std::str::from_utf8(&out.stdout) {
            out.stdout = text.replace("armv7l", "armv8l").into();
        }
    }
    out
}

/// True for AArch32 programs (EM_ARM).
fn is_arm32(program: &Path) -> bool {
    let mut header = [0; 20];
    let read = std::fs::File::open(program).and_then(|mut f| f.read_exact(&mut header));
    read.is_ok() && header[18..] == [40, 0]
}

fn execute(mut c: Command, run: &Run) -> Outcome {
    c.args(&run.args)
        .envs(run.env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(dir) = &run.dir {
        c.current_dir(dir);
    }
    let mut child = c.spawn().unwrap_or_else(|e| panic!("{c:?}: {e}"));
    let mut stdin = child.stdin.take().expect("invariant: piped");
    let input = run.stdin.to_vec();
    let feed = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let mut out = child.stdout.take().expect("invariant: piped");
    let mut err = child.stderr.take().expect("invariant: piped");
    let collect_out = std::thread::spawn(move || {
        let mut b = Vec::new();
        let _ = out.read_to_end(&mut b);
        b
    });
    let collect_err = std::thread::spawn(move || {
        let mut b = Vec::new();
        let _ = err.read_to_end(&mut b);
        b
    });
    let end = Instant::now() + run.timeout.unwrap_or(Duration::from_secs(60));
    let status = loop {
        match child.try_wait().expect("invariant: a child can be waited for") {
            Some(s) => break s.code().unwrap_or_else(|| -s.signal().unwrap_or(0)),
            None if Instant::now() > end => {
                let _ = child.kill();
                let _ = child.wait();
                break -1000;
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let _ = feed.join();
    let stdout = collect_out.join().expect("invariant: the reader does not panic");
    let stderr = collect_err.join().expect("invariant: the reader does not panic");
    Outcome { status, stdout, stderr }
}
