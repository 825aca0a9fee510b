//! System calls about signals: arguments to `crate::signal`, which keeps dispositions, masks and frames. Calls that send
//! go to the host kernel as they are.

use super::{Call, err};
use crate::signal;

/// `rt_sigaction`.
pub fn rt_sigaction(c: &mut Call<'_>) -> i64 {
    let a = c.args;
    signal::rt_sigaction(c.thread, a[0], a[1], a[2], a[3])
}

/// `rt_sigprocmask`.
pub fn rt_sigprocmask(c: &mut Call<'_>) -> i64 {
    let a = c.args;
    signal::rt_sigprocmask(c.thread, a[0], a[1], a[2], a[3])
}

/// `rt_sigpending`.
pub fn rt_sigpending(c: &mut Call<'_>) -> i64 {
    let a = c.args;
    signal::rt_sigpending(c.thread, a[0], a[1])
}

/// `rt_sigsuspend`.
pub fn rt_sigsuspend(c: &mut Call<'_>) -> i64 {
    let a = c.args;
    signal::rt_sigsuspend(c.thread, a[0], a[1])
}

/// `rt_sigtimedwait`.
pub fn rt_sigtimedwait(c: &mut Call<'_>) -> i64 {
    let a = c.args;
    signal::rt_sigtimedwait(c.thread, a[0], a[1], a[2], a[3])
}

/// `sigaltstack`.
pub fn sigaltstack(c: &mut Call<'_>) -> i64 {
    let a = c.args;
    signal::sigaltstack(c.thread, c.state, a[0], a[1])
}

/// `rt_sigreturn`.
pub fn rt_sigreturn(c: &mut Call<'_>) -> i64 {
    signal::rt_sigreturn(c.thread, c.state)
}

/// `rt_tgsigqueueinfo`.
pub fn rt_tgsigqueueinfo(c: &mut Call<'_>) -> i64 {
    let a = c.args;
    signal::rt_tgsigqueueinfo(a[0], a[1], a[2], a[3])
}

/// `restart_syscall`: no call waits for its rest, since the runtime repeats interrupted calls itself.
pub fn restart_syscall(_: &mut Call<'_>) -> i64 {
    err(libc::EINTR)
}
