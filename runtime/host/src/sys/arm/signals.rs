//! Signals: the calls of 32-bit programs whose structures differ, and those that only old kernel interfaces have. Takes calls,
//! gives r0; `crate::signal` does the work.

use crate::hostcall::{Errno, syscall};
use crate::signal::{self, info32};
use crate::sys::shape::{Dir, Part, with};
use crate::sys::{Call, err, guest, ret, signals};

use super::layout::{OLD_SIGACTION, RUSAGE, TIME, TIME64};

/// `sigaction`: masks of 32 signals.
pub fn sigaction(c: &mut Call<'_>) -> i64 {
    c.args[3] = 8;
    with(
        c,
        &[
            Part { arg: 1, dir: Dir::In, shape: &OLD_SIGACTION },
            Part { arg: 2, dir: Dir::Out, shape: &OLD_SIGACTION },
        ],
        signals::rt_sigaction,
    )
}

/// `sigprocmask`: changes the first 32 signals only.
pub fn sigprocmask(c: &mut Call<'_>) -> i64 {
    let [how, new, old, ..] = c.args;
    const LOW: u64 = 0xffff_ffff;
    ret((|| {
        let before = c.thread.signals.mask;
        if new != 0 {
            let set = guest::read::<u32>(new)? as u64;
            let mask = match how as i32 {
                libc::SIG_BLOCK => before | set,
                libc::SIG_UNBLOCK => before & !set,
                libc::SIG_SETMASK => before & !LOW | set,
                _ => return Err(Errno(libc::EINVAL)),
            };
            let how = libc::SIG_SETMASK as u64;
            let r = signal::rt_sigprocmask(c.thread, how, &raw const mask as u64, 0, 8);
            if r != 0 {
                return Ok(r as u64);
            }
        }
        guest::write_opt(old, before as u32)?;
        Ok(0)
    })())
}

/// `sigpending`.
pub fn sigpending(c: &mut Call<'_>) -> i64 {
    signal::rt_sigpending(c.thread, c.args[0], 4)
}

/// `sigsuspend`: the mask itself is the third argument.
pub fn sigsuspend(c: &mut Call<'_>) -> i64 {
    let mask = c.args[2];
    signal::rt_sigsuspend(c.thread, &raw const mask as u64, 8)
}

/// `sigreturn`.
pub fn sigreturn(c: &mut Call<'_>) -> i64 {
    signal::sigreturn32(c.thread, c.state, false)
}

/// `rt_sigreturn`.
pub fn rt_sigreturn(c: &mut Call<'_>) -> i64 {
    signal::sigreturn32(c.thread, c.state, true)
}

/// The signal information of the guest that argument `i` points to, in the host's form.
fn info_from(c: &Call<'_>, i: usize) -> Result<[u8; info32::SIZE], Errno> {
    guest::read::<[u8; info32::SIZE]>(c.args[i]).map(|b| info32::to_host(&b))
}

/// `rt_sigqueueinfo`, `rt_tgsigqueueinfo`, `pidfd_send_signal`: with the information at argument `i`.
fn send(c: &mut Call<'_>, i: usize, inner: fn(&mut Call<'_>) -> i64) -> i64 {
    match info_from(c, i) {
        Ok(info) => {
            c.args[i] = info.as_ptr() as u64;
            inner(c)
        }
        Err(e) => e.as_return(),
    }
}

/// `rt_sigqueueinfo`.
pub fn rt_sigqueueinfo(c: &mut Call<'_>) -> i64 {
    send(c, 2, |c| c.forward())
}

/// `rt_tgsigqueueinfo`.
pub fn rt_tgsigqueueinfo(c: &mut Call<'_>) -> i64 {
    send(c, 3, signals::rt_tgsigqueueinfo)
}

/// `pidfd_send_signal`.
pub fn pidfd_send_signal(c: &mut Call<'_>) -> i64 {
    if c.args[2] == 0 { c.forward() } else { send(c, 2, |c| c.forward()) }
}

/// What the host wrote, for the guest at `at`, unless null.
fn write_info(at: u64, host: &[u8; info32::SIZE]) -> Result<(), Errno> {
    if at == 0 { Ok(()) } else { guest::copy_to_guest(at, &info32::of_host(host)) }
}

fn timedwait(c: &mut Call<'_>, limit: Part) -> i64 {
    let to = c.args[1];
    let mut info = [0u8; info32::SIZE];
    c.args[1] = info.as_mut_ptr() as u64;
    let r = with(c, &[limit], signals::rt_sigtimedwait);
    if r <= 0 { r } else { ret(write_info(to, &info).map(|()| r as u64)) }
}

/// `rt_sigtimedwait`.
pub fn rt_sigtimedwait(c: &mut Call<'_>) -> i64 {
    timedwait(c, Part { arg: 2, dir: Dir::In, shape: &TIME })
}

/// `rt_sigtimedwait_time64`.
pub fn rt_sigtimedwait_time64(c: &mut Call<'_>) -> i64 {
    timedwait(c, Part { arg: 2, dir: Dir::In, shape: &TIME64 })
}

/// `waitid`.
pub fn waitid(c: &mut Call<'_>) -> i64 {
    let to = c.args[2];
    let mut info = [0u8; info32::SIZE];
    c.args[2] = info.as_mut_ptr() as u64;
    let r = with(c, &[Part { arg: 4, dir: Dir::Out, shape: &RUSAGE }], |c| c.forward());
    if r < 0 || to == 0 {
        return r;
    }
    // Nothing waited for: the kernel clears what it otherwise fills, and leaves the rest alone.
    ret(guest::copy_to_guest(to, &info32::of_host(&info)[..24]).map(|()| r as u64))
}

/// `pause` ends with every handler.
pub fn pause(c: &mut Call<'_>) -> i64 {
    c.forward()
}

/// `signalfd`: without flags.
pub fn signalfd(c: &mut Call<'_>) -> i64 {
    c.args[3] = 0;
    c.forward()
}

/// `nice`: by priorities, as C libraries have it where there is no such call.
pub fn nice(c: &mut Call<'_>) -> i64 {
    const PRIO_PROCESS: u64 = 0;
    // The kernel gives 20 − nice.
    let now = 20 - syscall(libc::SYS_getpriority, [PRIO_PROCESS, 0, 0, 0, 0, 0]);
    let wanted = (now + (c.int(0) as i64).clamp(-40, 40)).clamp(-20, 19);
    match syscall(libc::SYS_setpriority, [PRIO_PROCESS, 0, wanted as u64, 0, 0, 0]) {
        r if r == err(libc::EACCES) => err(libc::EPERM),
        r => r,
    }
}
