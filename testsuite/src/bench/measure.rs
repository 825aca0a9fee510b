//! Runs a command and asks the kernel what it cost. Takes programs and ways of running them, gives medians; knows no
//! table and no translation.
//!
//! # Safety
//! `wait4` is called on a child that was just started here and is waited for nowhere else.
#![allow(unsafe_code)]

use super::Program;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Lengths of a variable in the environment, one for each run in turn. The environment's size decides where the stack of a
/// program begins, and that is worth up to half of the time of some (nbody under qemu-user): runs have different ones, the
/// same in all ways of running, and none depends on the caller's environment.
const PADDING: [usize; 5] = [0, 1040, 2080, 560, 3120];

/// How a program is run.
#[derive(Clone, Debug)]
pub(super) struct Way {
    emulator: Option<&'static str>,
    file: PathBuf,
    env: Vec<(&'static str, &'static str)>,
}

impl Way {
    /// Directly.
    pub(super) fn host(file: &Path) -> Way {
        Way { emulator: None, file: file.into(), env: Vec::new() }
    }

    /// By an emulator.
    pub(super) fn under(emulator: &'static str, file: &Path) -> Way {
        Way { emulator: Some(emulator), file: file.into(), env: Vec::new() }
    }

    /// With that environment, too.
    pub(super) fn with(mut self, env: &[(&'static str, &'static str)]) -> Way {
        self.env.extend(env);
        self
    }

    /// The command of the run of that number, in an environment of its own.
    pub(super) fn command(&self, program: &Program, run: usize) -> Command {
        let mut c = match self.emulator {
            Some(e) => Command::new(e),
            None => Command::new(&self.file),
        };
        if self.emulator.is_some() {
            c.arg(&self.file);
        }
        c.env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("PADDING", "x".repeat(PADDING[run % PADDING.len()]));
        c.args(&program.args).envs(self.env.iter().copied());
        match &program.stdin {
            Some(file) => c.stdin(File::open(file).expect("the input can be read")),
            None => c.stdin(Stdio::null()),
        };
        c
    }
}

/// What a finished command cost.
pub(super) struct Cost {
    /// How it ended.
    pub(super) status: ExitStatus,
    /// Its standard output.
    pub(super) stdout: Vec<u8>,
    /// User seconds.
    pub(super) user: f64,
    /// Largest resident set, bytes.
    pub(super) peak_memory: u64,
}

/// Runs a command to its end.
#[allow(clippy::zombie_processes)] // `wait4` instead of `wait`: it tells the cost.
pub(super) fn cost(mut c: Command) -> Cost {
    let mut child = c.stdout(Stdio::piped()).spawn().unwrap_or_else(|e| panic!("{c:?}: {e}"));
    let mut stdout = Vec::new();
    child.stdout.take().expect("invariant: piped").read_to_end(&mut stdout).expect("a pipe can be read");
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: the child is ours and was not waited for; both pointers are to live values, and all-zero bits are a rusage.
    let usage = unsafe {
        let pid = libc::wait4(child.id() as i32, &mut status, 0, usage.as_mut_ptr());
        assert!(pid > 0, "{c:?}: cannot be waited for");
        usage.assume_init()
    };
    Cost {
        status: ExitStatus::from_raw(status),
        stdout,
        user: usage.ru_utime.tv_sec as f64 + usage.ru_utime.tv_usec as f64 * 1e-6,
        peak_memory: usage.ru_maxrss as u64 * 1024,
    }
}

/// Median user seconds of each way, run in turn so that a slow spell of the machine meets all of them. Panics if one
/// fails or prints something else than the first.
pub(super) fn interleaved(program: &Program, ways: &[Way], runs: usize) -> Vec<f64> {
    let mut times = vec![Vec::new(); ways.len()];
    let mut expected: Option<Vec<u8>> = None;
    for run in 0..runs {
        for (way, times) in ways.iter().zip(&mut times) {
            let cost = cost(way.command(program, run));
            assert!(cost.status.success(), "{}: {way:?} {}", program.name, cost.status);
            let expected = expected.get_or_insert_with(|| cost.stdout.clone());
            assert!(
                cost.stdout == *expected,
                "{}: {way:?} prints {:?}, not {:?}",
                program.name,
                String::from_utf8_lossy(&cost.stdout[..cost.stdout.len().min(300)]),
                String::from_utf8_lossy(&expected[..expected.len().min(300)]),
            );
            // Below the clock's resolution a ratio means nothing, but it should not be infinite.
            times.push(cost.user.max(1e-6));
        }
    }
    times.into_iter().map(median).collect()
}

/// Middle one of an odd number, mean of the middle two of an even number.
pub(super) fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    let n = v.len();
    assert!(n > 0, "no runs: --runs takes a number from 1");
    (v[n / 2] + v[(n - 1) / 2]) / 2.0
}

/// Geometric mean; `None` of nothing.
pub(super) fn geomean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let logs: Vec<f64> = values.map(f64::ln).collect();
    (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
        let mean = geomean([2.0, 8.0].into_iter());
        assert!(mean.is_some_and(|m| (m - 4.0).abs() < 1e-12), "{mean:?}");
        assert_eq!(geomean(std::iter::empty()), None);
    }
}
