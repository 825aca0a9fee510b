//! Signals that end the tool before it is done (Ctrl-C, a batch system's SIGTERM): a running linker is stopped and
//! temporary files are removed, then the tool dies of the signal, as its parent expects. Knows what is to be removed, not
//! what it is.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What a signal has to clean up. Once a signal is being handled the lock is never given back, so that nothing new is begun
/// and no message tells of files that are gone.
static STATE: Mutex<State> = Mutex::new(State { temporary: Vec::new(), child: None });

struct State {
    temporary: Vec<PathBuf>,
    child: Option<Pid>,
}

/// Holds off the handling of signals; waits for ever if one is being handled.
pub(crate) fn hold() -> impl Sized {
    state()
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(|e| e.into_inner())
}

/// Begins to handle signals. Those that the parent had ignored (nohup, a shell's background job) stay ignored.
pub(crate) fn watch() -> Result<()> {
    let ignored = ignored();
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|s| ignored >> (s - 1) & 1 == 0);
    let mut signals = Signals::new(wanted).context("cannot handle signals")?;
    // A file that would grow too large (ulimit -f) is a failed write like others; a handler, unlike ignoring the signal, is
    // not inherited by programs that are started.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))
        .context("cannot handle signals")?;
    std::thread::spawn(move || {
        for signal in &mut signals {
            let mut state = state();
            clean(&mut state);
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
    Ok(())
}

/// The mask of ignored signals.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    mask.and_then(|m| u64::from_str_radix(m.trim(), 16).ok()).unwrap_or(0)
}

fn clean(state: &mut State) {
    if let Some(group) = state.child {
        let _ = kill_process_group(group, Signal::KILL);
        // One that is just creating its output could do so behind us.
        for _ in 0..100 {
            if test_kill_process_group(group).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    for path in &state.temporary {
        // Another thread may be writing into the directory.
        for _ in 0..10 {
            let gone = std::fs::remove_file(path).is_ok() || std::fs::remove_dir_all(path).is_ok();
            if gone || !path.exists() {
                break;
            }
        }
    }
}

/// A file or directory that a signal removes, until this is dropped.
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    /// Makes it, with signals held off. It comes second, so that it is dropped, and removed, first.
    pub(crate) fn new<T>(make: impl FnOnce() -> Result<T>, path: impl Fn(&T) -> &Path) -> Result<(Self, T)> {
        let mut state = state();
        let made = make()?;
        let path = path(&made).to_path_buf();
        state.temporary.push(path.clone());
        Ok((Temporary(path), made))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        state().temporary.retain(|p| *p != self.0);
    }
}

/// Runs a command to its end, collecting its output; a signal that ends the tool ends the command and what it started, too.
pub(crate) fn output(command: &mut Command) -> std::io::Result<Output> {
    let child = {
        let mut state = state();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.process_group(0).spawn()?;
        state.child = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        child
    };
    let result = child.wait_with_output();
    state().child = None;
    result
}
