//! What `xlate run` got from its parent and the program is to get unchanged: which of the standard streams were closed, and
//! whether SIGPIPE and SIGCHLD were ignored. Rust's start-up opens /dev/null for closed streams and ignores SIGPIPE, and
//! executing a command makes SIGPIPE the default again, so that all this has to be looked at before `main`; and a parent that
//! ignores SIGCHLD would make a linker's status unobtainable.
//!
//! # Safety
//! The one function that runs before `main` calls the kernel only, through C functions that need no start-up, and writes
//! atomics. The one between the decision to execute and `execve` does the same.
#![allow(unsafe_code)]

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Of descriptors 0, 1, 2: not open at the start.
static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];
/// Ignored at the start.
static IGNORED: [(libc::c_int, AtomicBool); 2] =
    [(libc::SIGPIPE, AtomicBool::new(false)), (libc::SIGCHLD, AtomicBool::new(false))];

#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    for (fd, closed) in (0..).zip(&CLOSED) {
        // SAFETY: F_GETFD takes no pointer, and changes nothing.
        closed.store(unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0, Relaxed);
    }
    for (signal, ignored) in &IGNORED {
        // SAFETY: a `sigaction` of zeros is a value of its type; the kernel fills it.
        let ignores = unsafe {
            let mut old: libc::sigaction = std::mem::zeroed();
            libc::sigaction(*signal, std::ptr::null(), &mut old) == 0 && old.sa_sigaction == libc::SIG_IGN
        };
        ignored.store(ignores, Relaxed);
    }
    disposition(libc::SIGCHLD, libc::SIG_DFL);
}

fn disposition(signal: libc::c_int, to: libc::sighandler_t) {
    // SAFETY: SIG_DFL and SIG_IGN are dispositions; there is no handler that could be lost.
    unsafe { libc::signal(signal, to) };
}

/// Executes `command` in place of this process, with the streams and signals that this process was given. Returns only if
/// that fails.
pub(crate) fn exec(command: &mut Command) -> std::io::Error {
    let restore = || {
        for (signal, ignored) in &IGNORED {
            disposition(*signal, if ignored.load(Relaxed) { libc::SIG_IGN } else { libc::SIG_DFL });
        }
        for (fd, closed) in (0..).zip(&CLOSED) {
            if closed.load(Relaxed) {
                // Not at once: who reads this process's messages if there is no program?
                // SAFETY: the descriptor is Rust's stand-in for a closed stream, which nothing else owns.
                unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
            }
        }
        Ok(())
    };
    // SAFETY: only kernel calls and atomics.
    unsafe { command.pre_exec(restore) }.exec()
}
