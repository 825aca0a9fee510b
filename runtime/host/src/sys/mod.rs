//! Linux system calls of the guest. Takes a number and six words from the guest's registers as arm64 or arm Linux define them,
//! carries the call out on the host kernel (x86-64) and gives x0 or r0. Guest memory is identity-mapped, so most calls pass
//! unchanged; `rows.rs` and `arm/rows.rs` say for each call what happens and why.

mod arm;
mod doc;
mod event;
mod exec;
mod file;
mod guest;
mod identity;
mod ipc;
mod layout;
mod limits;
mod memory;
mod memory_file;
mod own;
mod process;
mod procfs;
mod rows;
mod shape;
mod signals;
mod strace;
mod table;
mod text;

pub use doc::markdown;
pub use exec::read_link;
pub use exec::{EXE_VARIABLE, is_runtimes_own};
pub use limits::Limits;
pub use own::OwnFile;
pub use process::begin;
pub use table::{Arg, Interrupt, Policy, Ret, Row, find, table};

use crate::hostcall::{self, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS, Errno};
use crate::polycode;
use crate::recall;
use crate::signal;
use crate::sysroot::{self, Sysroot};
use crate::thread::Thread;
use crate::trace::Topic;
use abi::GuestState;
use isa::Isa;
use std::ffi::CString;
use std::sync::atomic::{AtomicU64, Ordering};

/// A system call being carried out.
pub struct Call<'a> {
    /// The calling thread.
    pub thread: &'a mut Thread,
    /// Its registers, with `pc` behind the `svc`.
    pub state: &'a mut GuestState,
    /// What is called.
    pub row: &'static Row,
    /// x0–x5, or r0–r5.
    pub args: [u64; 6],
}

/// A result or error as x0 holds it.
fn ret(r: Result<u64, Errno>) -> i64 {
    match r {
        Ok(v) => v as i64,
        Err(e) => e.as_return(),
    }
}

/// −errno.
const fn err(errno: i32) -> i64 {
    -(errno as i64)
}

impl Call<'_> {
    /// Argument as the C type `int`.
    fn int(&self, i: usize) -> i32 {
        self.args[i] as i32
    }

    /// The host's number of this call.
    fn host_nr(&self) -> i64 {
        self.row.host.expect("invariant: rows whose handlers forward have a host number") as i64
    }

    /// The same call on the host with these arguments.
    fn host(&self, args: [u64; 6]) -> i64 {
        self.host_as(self.row.interrupt, args)
    }

    /// As [`Call::host`], an interruption having the given meaning.
    fn host_as(&self, interrupt: Interrupt, args: [u64; 6]) -> i64 {
        if interrupt == Interrupt::Never {
            return hostcall::syscall(self.host_nr(), args);
        }
        match hostcall::safe_syscall(self.host_nr(), args) {
            // The signal came before the call began: it is as if it had come before the `svc`.
            r if r == -ERESTARTSYS || r == -ERESTARTNOINTR => -ERESTARTNOINTR,
            r if r == err(libc::EINTR) && signal::host::was_for_others(self.thread) => -ERESTARTNOINTR,
            r if r == err(libc::EINTR) => match interrupt {
                Interrupt::Never | Interrupt::Eintr => r,
                Interrupt::Restart => -ERESTARTSYS,
                Interrupt::Socket if file::has_time_limit(self.row.name, args[0] as i32) => r,
                Interrupt::Socket => -ERESTARTSYS,
                // The host kernel has forgotten how much time was left by now; only a signal that has a guest handler
                // gets here, and after a handler both mean EINTR.
                Interrupt::NoHandler | Interrupt::Block => -ERESTARTNOHAND,
            },
            r => r,
        }
    }

    /// The call as the guest made it.
    fn forward(&self) -> i64 {
        self.host(self.args)
    }

    fn run(&mut self) -> i64 {
        match self.row.policy {
            Policy::Forward => self.forward(),
            Policy::Convert(f) | Policy::Emulate(f) => f(self),
            Policy::Shaped(parts, f) => shape::with(self, parts, f),
            Policy::Nosys => err(libc::ENOSYS),
        }
    }
}

/// The result of the call that has just been carried out.
pub fn result(isa: Isa, state: &GuestState) -> i64 {
    match isa {
        Isa::A64 => state.x[0] as i64,
        Isa::A32 => state.x[0] as u32 as i32 as i64,
    }
}

/// Sets it.
pub fn set_result(isa: Isa, state: &mut GuestState, r: i64) {
    state.x[0] = match isa {
        Isa::A64 => r as u64,
        Isa::A32 => r as u32 as u64,
    };
}

/// Carries out the system call of the guest's registers: number in x8, arguments in x0–x5, result to x0; arm: r7, r0–r5, r0. An
/// interrupted call leaves −`ERESTARTSYS` and the like there, which signal delivery turns into EINTR or a restart.
pub fn dispatch(thread: &mut Thread, state: &mut GuestState) {
    let isa = thread.process.isa();
    // The kernel takes the number as an `int`.
    let nr = match isa {
        Isa::A64 => state.x[8] as u32 as u64,
        Isa::A32 if arm::is_old(thread, state) => return,
        Isa::A32 => state.x[7] as u32 as u64,
    };
    let row = find(isa, nr);
    let args = match row {
        Some(row) if isa == Isa::A32 => arm::arguments(row, state),
        _ => [state.x[0], state.x[1], state.x[2], state.x[3], state.x[4], state.x[5]],
    };
    let Some(row) = row else {
        note_once(nr, "unknown number");
        if thread.process.options.strace {
            strace::unknown(thread.tid, nr, &args);
        }
        if isa == Isa::A64 || !arm::unknown(thread, state, nr) {
            set_result(isa, state, err(libc::ENOSYS));
        }
        return;
    };
    if matches!(row.policy, Policy::Nosys) {
        note_once(nr, row.name);
    }
    let traced = thread.process.options.strace.then(|| strace::Line::enter(thread.tid, row, &args));
    if polycode::guards() {
        text::before(isa, row, &args);
    }
    // Not while the same signal is on its way to that thread from the runtime.
    let held = match row.name {
        _ if args[1] != SIGNAL && args[2] != SIGNAL => None,
        "tkill" if args[1] == SIGNAL => Some(recall::hold_for_signal(args[0] as i32)),
        "tgkill" | "rt_tgsigqueueinfo" if args[2] == SIGNAL => Some(recall::hold_for_signal(args[1] as i32)),
        _ => None,
    };
    // Lives until the call has ended.
    let (args, _path) = in_sysroot(&thread.process.sysroot, row.name, args);
    let mut call = Call { thread, state, row, args };
    let r = call.run();
    drop(held);
    text::after(row, &args, r);
    if let Some(line) = traced {
        line.leave(call.thread.tid, row, r);
    }
    if row.ret != Ret::Registers {
        set_result(isa, call.state, r);
    }
}

/// The arguments with the host's name of a file that is in the sysroot, in the string that is given, too.
fn in_sysroot(sysroot: &Sysroot, name: &str, mut args: [u64; 6]) -> ([u64; 6], Option<CString>) {
    if sysroot.directory().is_empty() {
        return (args, None);
    }
    let path = sysroot::argument(name, &args).and_then(|(i, nofollow)| {
        let there = sysroot.resolve(&file::path(args[i]).ok()?, nofollow)?;
        args[i] = there.as_ptr() as u64;
        Some(there)
    });
    (args, path)
}

/// See [`recall::SIGNAL`].
const SIGNAL: u64 = recall::SIGNAL as u64;

/// Says once per number, under `XLATE_TRACE=syscall`, that the guest asked for something it did not get.
fn note_once(nr: u64, why: &str) {
    static SAID: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
    let slot = &SAID[(nr as usize / 64) % 8];
    if slot.fetch_or(1 << (nr % 64), Ordering::Relaxed) >> (nr % 64) & 1 == 0 {
        crate::trace!(Topic::Syscall, "system call {nr} ({why}) answered with ENOSYS");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syscalls::aarch64::Sysno as Guest;
    use syscalls::x86_64::Sysno as Host;

    #[test]
    fn every_number_has_a_row() {
        for guest in Guest::iter() {
            assert_eq!(find(Isa::A64, guest.id() as u64).map(|r| r.name), Some(guest.name()));
        }
        assert!(table(Isa::A64).windows(2).all(|w| w[0].nr < w[1].nr), "in order, each once");
        assert!(table(Isa::A64).iter().all(|r| std::ptr::eq(find(Isa::A64, r.nr as u64).unwrap(), r)));
        assert!(
            find(Isa::A64, 244).is_none()
                && find(Isa::A64, 511).is_none()
                && find(Isa::A64, u64::MAX).is_none()
        );
    }

    #[test]
    fn host_numbers_go_by_name() {
        for r in table(Isa::A64) {
            match r.host {
                Some(h) => assert_eq!(Host::new(h as usize).map(|s| s.name()), Some(r.name)),
                None => assert!(!matches!(r.policy, Policy::Forward), "{}", r.name),
            }
            assert_eq!(r.note.is_empty(), matches!(r.policy, Policy::Forward), "{}", r.name);
        }
    }
}
