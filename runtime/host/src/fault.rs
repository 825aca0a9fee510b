//! What a host signal means for interrupted code: recovers faults of lifted code at its checkpoints and faults of the
//! runtime's guest accesses, and brings lifted code to its next checkpoint when a signal is to be delivered. Takes the
//! host's signal context, changes where it goes on. Everything here runs in a signal handler.
//!
//! # Safety
//! See `signal/host.rs`: nothing is allocated and no lock taken. The state pointer is the interrupted thread's own.
#![allow(unsafe_code)]

use crate::hostcall;
use crate::signal::{SigInfo, host};
use crate::thread::{self, Shared};
use crate::trace::{self, Topic};
use crate::{entry, polycode, sites, verify};
use abi::Exit;
use exec::Flushed;

/// The context that a host signal interrupted.
pub struct Context<'a>(&'a mut libc::ucontext_t);

/// Trap flag of RFLAGS: a debug exception after the next instruction.
const TRAP_FLAG: i64 = 0x100;
/// `si_code` of a debug exception for which DR6 says that it is a step.
const TRAP_TRACE: i32 = 2;
/// `si_code` of a debug exception for which DR6 says nothing, which the kernel takes for INT1's (arch/x86/kernel/traps.c).
const TRAP_BRKPT: i32 = 1;

impl<'a> Context<'a> {
    /// Of the kernel's frame.
    pub fn new(uc: &'a mut libc::ucontext_t) -> Self {
        Context(uc)
    }

    fn reg(&mut self, r: libc::c_int) -> &mut i64 {
        &mut self.0.uc_mcontext.gregs[r as usize]
    }

    /// Where the interrupted code is.
    pub fn rip(&self) -> u64 {
        self.0.uc_mcontext.gregs[libc::REG_RIP as usize] as u64
    }

    /// Where it goes on.
    pub fn set_rip(&mut self, to: u64) {
        *self.reg(libc::REG_RIP) = to as i64;
    }

    /// A call that the present signal alone has interrupted, and that the guest must not see interrupted, begins again.
    pub fn begin_call_again(&mut self) {
        const INTERRUPTED: i64 = -libc::EINTR as i64;
        if let Some(insn) = hostcall::behind_call(self.rip())
            && *self.reg(libc::REG_RAX) == INTERRUPTED
        {
            *self.reg(libc::REG_RAX) = *self.reg(libc::REG_RBX);
            self.set_rip(insn);
        }
    }

    /// Goes on at `to`, which is to return to `back`.
    fn call(&mut self, to: u64, back: u64) {
        let sp = self.reg(libc::REG_RSP);
        *sp -= 8;
        // SAFETY: lifted code is interrupted at the entry of a function, below whose return address nothing lives.
        unsafe { (*sp as *mut u64).write(back) };
        self.set_rip(to);
    }

    fn single_step(&mut self, on: bool) {
        let flags = self.reg(libc::REG_EFL);
        *flags = if on { *flags | TRAP_FLAG } else { *flags & !TRAP_FLAG };
    }

    fn mxcsr(&mut self) -> Option<&mut u32> {
        // SAFETY: the kernel's frame has the floating-point state behind it, or none.
        unsafe { self.0.uc_mcontext.fpregs.as_mut() }.map(|f| &mut f.mxcsr)
    }

    /// The signal mask in force when the handler returns.
    pub fn set_mask(&mut self, mask: u64) {
        // SAFETY: the kernel's mask is the first word of libc's, which is larger.
        unsafe { (&raw mut self.0.uc_sigmask).cast::<u64>().write(mask) };
    }

    /// After a step in lifted code: leaves it at a checkpoint, so that it can go on there if this is for verification.
    fn step_ended(&mut self, s: &Shared) {
        if let Some(c) = verify::capture(s).filter(|_| !host::is_pending(s) && is_checkpoint(self.rip())) {
            c.take(s, self.0);
        }
        self.leave(s);
    }

    /// Leaves lifted code at the checkpoint whose access is at rip; false if there is none.
    fn leave(&mut self, s: &Shared) -> bool {
        let Some(p) = thread::try_process() else { return false };
        let Some((pc, label)) = p.image.checkpoint(self.rip()) else { return false };
        // SAFETY: lifted code of this thread is interrupted at a checkpoint, where these words are ours to set.
        unsafe {
            (*s.state).pc = pc;
            (*s.state).exit = Exit::Checkpoint as u32;
        }
        self.single_step(false);
        if label != 0 {
            self.set_rip(label);
        } else {
            *self.reg(libc::REG_RDI) = s.state as i64;
            self.set_rip(entry::leave_address());
        }
        true
    }
}

/// Has the thread step from here to the next checkpoint of lifted code, where it leaves; `in_lifted` is set.
pub fn step() {
    // SAFETY: a trap flag; the handler keeps it while lifted code may run.
    unsafe { std::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") }
}

/// True if the thread may be in lifted code.
pub fn in_lifted(s: &Shared) -> bool {
    // SAFETY: the state lives as long as what is shared; the word is written by the thread.
    unsafe { (&raw const (*s.state).in_lifted).read_volatile() != 0 }
}

fn is_lifted(rip: u64) -> bool {
    thread::try_process().is_some_and(|p| p.image.is_lifted(rip))
}

fn is_checkpoint(rip: u64) -> bool {
    thread::try_process().is_some_and(|p| p.image.checkpoint(rip).is_some())
}

/// A floating-point trap, which only flushing to zero asks for: puts MXCSR in order, so that the instruction is executed
/// again, or goes to the code that asks the evaluator; false if it is none.
fn flush(s: &Shared, ctx: &mut Context<'_>) -> bool {
    let rip = ctx.rip();
    let Some(mxcsr) = ctx.mxcsr() else { return false };
    // SAFETY: the thread's own state; what it interrupted does not use these fields meanwhile.
    let state = unsafe { &mut *s.state };
    match exec::flush_trap(state, *mxcsr) {
        None => return false,
        Some(Flushed::Again(word)) => *mxcsr = word,
        Some(Flushed::Evaluate(word)) => {
            match thread::try_process().and_then(|p| sites::soft_way(p.image.desc, rip)) {
                Some(to) => {
                    *mxcsr = word;
                    ctx.set_rip(to);
                }
                None => *mxcsr = exec::inexact_trap(state, *mxcsr),
            }
        }
    }
    true
}

/// True for a debug exception. A hypervisor may lose what DR6 says of a step, as some do when another processor's turn comes between;
/// INT1 is executed nowhere.
fn is_step(info: &SigInfo) -> bool {
    info.signo == libc::SIGTRAP && matches!(info.code, TRAP_TRACE | TRAP_BRKPT)
}

/// A fault, or a step that [`interrupt`] or the end of a soft operation asked for.
pub fn synchronous(s: &Shared, info: &SigInfo, ctx: &mut Context<'_>) {
    let rip = ctx.rip();
    if info.signo == libc::SIGFPE && flush(s, ctx) {
        return;
    }
    if is_step(info) {
        // Left lifted code: whoever enters it next looks at `pending` first.
        if !in_lifted(s) {
            ctx.single_step(false);
        } else if is_lifted(rip) {
            ctx.step_ended(s);
        }
        return;
    }
    if info.signo == libc::SIGTRAP
        && is_lifted(rip)
        && let Some((to, back)) = polycode::trapped(rip)
    {
        return ctx.call(to, back);
    }
    if let Some(c) = verify::capture(s).filter(|c| c.is_resume(rip)) {
        return c.restore(ctx.0);
    }
    if matches!(info.signo, libc::SIGSEGV | libc::SIGBUS) {
        if is_lifted(rip) && ctx.leave(s) {
            crate::trace!(Topic::Fault, "fault at {:#x} in lifted code, host {rip:#x}", info.rest[0]);
            return;
        }
        if is_lifted(rip) && thread::try_process().is_some_and(|p| !p.image.has_checkpoints()) {
            without_checkpoints(info)
        }
        if let Some(pc) = crate::jit::guest_pc(rip) {
            crate::trace!(Topic::Fault, "fault at {:#x} in compiled code, host {rip:#x}", info.rest[0]);
            // SAFETY: compiled code of this thread is interrupted at an access, where the state is exact but for the pc.
            unsafe { (*s.state).pc = pc };
            *ctx.reg(libc::REG_RDI) = s.state as i64;
            ctx.set_rip(crate::jit::leave_address());
            return;
        }
        if let Some(to) = crate::access::fixup(rip) {
            s.fault.set((info.signo, info.code, info.rest[0]));
            ctx.set_rip(to);
            return;
        }
    }
    runtime_bug(info, ctx)
}

/// A signal was noted: lets no system call begin, and brings lifted code to its next checkpoint.
pub fn interrupt(s: &Shared, ctx: &mut Context<'_>) {
    host::keep_from_kernel(ctx);
    to_checkpoint(s, ctx);
}

/// Brings lifted code to its next checkpoint, where it leaves; `pending` is set.
pub fn to_checkpoint(s: &Shared, ctx: &mut Context<'_>) {
    if in_lifted(s) && !(is_lifted(ctx.rip()) && ctx.leave(s)) {
        ctx.single_step(true);
    }
}

/// A fault of a program that was translated without checkpoints: its guest state is lost.
fn without_checkpoints(info: &SigInfo) -> ! {
    trace::line(format_args!(
        "the program faulted at address {:#x}, and it was translated with --unsafe-no-checkpoints, which makes faults \
         fatal; translate it without this flag",
        info.rest[0],
    ));
    host::die_by(&SigInfo { signo: libc::SIGABRT, ..SigInfo::default() })
}

/// A fault that neither lifted code nor a guest access of the runtime should raise.
pub fn runtime_bug(info: &SigInfo, ctx: &Context<'_>) -> ! {
    let g = &ctx.0.uc_mcontext.gregs;
    let (image_code, pc) = match (thread::try_process(), thread::current()) {
        // SAFETY: the thread's own state; the word may be out of date, it is for the message only.
        (Some(p), Some(s)) => (p.image.desc.code as u64, unsafe { (*s.state).pc }),
        _ => (0, 0),
    };
    trace::line(format_args!(
        "internal error: signal {} (code {}) at host {:#x} (lifted code from {image_code:#x}), address {:#x}, \
         last guest pc {pc:#x}; this is a bug in xlate",
        info.signo,
        info.code,
        ctx.rip(),
        info.rest[0],
    ));
    trace::line(format_args!(
        "rax {:#x} rbx {:#x} rcx {:#x} rdx {:#x} rsi {:#x} rdi {:#x} rbp {:#x} rsp {:#x}",
        g[libc::REG_RAX as usize],
        g[libc::REG_RBX as usize],
        g[libc::REG_RCX as usize],
        g[libc::REG_RDX as usize],
        g[libc::REG_RSI as usize],
        g[libc::REG_RDI as usize],
        g[libc::REG_RBP as usize],
        g[libc::REG_RSP as usize],
    ));
    host::die_by(&SigInfo { signo: libc::SIGABRT, ..SigInfo::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI32, Ordering};

    static CODE: AtomicI32 = AtomicI32::new(0);

    const INT1: u8 = 0xf1;

    extern "C" fn note(_: i32, info: &libc::siginfo_t, uc: &mut libc::ucontext_t) {
        CODE.store(info.si_code, Ordering::Relaxed);
        let mut ctx = Context::new(uc);
        // Some hypervisors on AMD's processors raise the exception in front of the instruction.
        // SAFETY: rip is at code that can be read, this process's own.
        if unsafe { *(ctx.rip() as *const u8) } == INT1 {
            ctx.set_rip(ctx.rip() + 1);
        }
    }

    /// INT1 is how the kernel sees a step whose reason is lost.
    #[test]
    fn a_step_without_a_reason_is_one() {
        // SAFETY: the handler stores a number, and goes on behind INT1. No other test of this process handles SIGTRAP.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = note as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            assert_eq!(libc::sigaction(libc::SIGTRAP, &action, std::ptr::null_mut()), 0);
            std::arch::asm!(".byte {}", const INT1);
        }
        let info = SigInfo { signo: libc::SIGTRAP, code: CODE.load(Ordering::Relaxed), ..SigInfo::default() };
        assert!(is_step(&info), "{info:?}");
    }
}
