//! The dispatcher: one loop per guest thread that lets lifted code or the interpreter run, and deals with what they
//! come back with. Takes a thread with its registers set, returns never: the process ends in a system call or by a
//! signal. Knows no instruction and no system call number.
//!
//! # Safety
//! The thread and its state are leaked boxes. Lifted code and `xl_rt_syscall` reach them through raw pointers while the
//! dispatcher waits, so the dispatcher keeps no reference across an entry.
#![allow(unsafe_code)]

use crate::entry;
use crate::fault;
use crate::jit::{self, Ran};
use crate::memory::Memory;
use crate::polycode;
use crate::profile::{self, Via};
use crate::signal::{self, FaultInfo, Restart};
use crate::stats;
use crate::thread::{Calls, Thread};
use crate::trace::{self, Topic};
use crate::verify;
use abi::{Exit, GuestState};
use exec::{Access, Event, Fault, FaultKind};
use ir::TrapKind;
use std::sync::atomic::{Ordering, compiler_fence};

const ILL_ILLOPC: i32 = 1;
const TRAP_BRKPT: i32 = 1;
const BUS_ADRERR: i32 = 2;

/// Runs the thread.
///
/// # Safety
/// `thread` is the calling host thread's, leaked, with its stack for lifted code, and no other reference to it is live.
pub unsafe fn run(thread: *mut Thread) -> ! {
    // SAFETY: see the module's heading; constant in the thread.
    let stack = unsafe { (*thread).lifted_stack };
    let mut at = At::default();
    // SAFETY: no lifted code of this thread runs now.
    unsafe { (*thread).interp.watch(profile::watch()) };
    loop {
        // SAFETY: as the caller promises.
        unsafe { turn(thread, &mut at, stack) }
    }
}

/// What the dispatcher knows of where the guest is.
#[derive(Default)]
struct At {
    /// The next instruction must be interpreted, whatever the tables say.
    alone: bool,
    /// How control came here.
    via: Via,
    /// Where lifted code waits for a return; 0: nowhere.
    back: u64,
}

/// Has an engine go on at pc, and deals with what it comes back with. Lifted code runs on `stack`; 0: on the present one, on top of
/// lifted code that waits.
///
/// # Safety
/// As for [`run`], but that lifted code may wait.
unsafe fn turn(thread: *mut Thread, at: &mut At, stack: u64) {
    // SAFETY: see the module's heading; these are constant in the thread.
    let (state, process) = unsafe { ((*thread).shared.state, (*thread).process) };
    let image = process.image;
    let mut memory = Memory::new(&process.mem);
    let stats = process.options.stats;
    // SAFETY: no lifted code of this thread runs now.
    let (t, s) = unsafe { (&mut *thread, &mut *state) };
    s.in_lifted = 0;
    polycode::settle();
    if signal::is_pending(t.shared) {
        signal::deliver(t, s, None);
        at.alone = false;
        return;
    }
    // Nothing is translated for other modes.
    let translatable = image.isa.modes(s).are_usual();
    let lifted = translatable && !process.options.interpreter_only && !polycode::refused();
    let compiles = translatable && process.options.jit;
    let found = if lifted && !at.alone { image.entry(s.pc) } else { None };
    let event = match found {
        Some(e) => {
            crate::trace!(Topic::Dispatch, "{:#x}: lifted code, resume {}", s.pc, e.resume);
            s.exit = Exit::None as u32;
            s.code_epoch = polycode::epoch();
            s.resume = e.resume;
            s.stack_limit = if e.resume == 0 { s.stack_limit_real } else { u64::MAX };
            set_in_lifted(state, true);
            // A signal from here on steps to a checkpoint; one before is seen now.
            if signal::is_pending(t.shared) {
                return;
            }
            stats::entered(stats);
            // SAFETY: the entry is from this image's tables; nothing lives on the stack for lifted code, or this runs on it.
            let pc = unsafe {
                let stub = image.desc.enter as u64;
                match (*thread).verify {
                    None => entry::enter(state, e.host, stack, stub),
                    Some(_) => verify::enter(thread, state, e.host, stack, stub),
                }
            };
            set_in_lifted(state, false);
            stats::lifted(stats);
            // SAFETY: lifted code is back.
            let s = unsafe { &mut *state };
            s.settle_flags();
            at.via = Via::left(s);
            if s.exit == Exit::None as u32 {
                s.pc = pc;
            } else {
                at.alone = left(s);
            }
            return;
        }
        None if at.alone => {
            at.alone = false;
            crate::trace!(Topic::Fallback, "{:#x}: interpreting one instruction", s.pc);
            interpreted(t, s, stats, |t, s| t.interp.step(s, &mut memory))
        }
        None => {
            profile::arrived(process, s.pc, std::mem::take(&mut at.via));
            if compiles && !profile::learns(process, s.pc) {
                stats::begin(stats);
                verify::start(t, s);
                // SAFETY: the thread's state; the references above are not used until it is back.
                match unsafe { jit::run(process, state) } {
                    Ran::Not => {}
                    ran => {
                        stats::compiled(stats);
                        // SAFETY: compiled code is back.
                        let (t, s) = unsafe { (&mut *thread, &mut *state) };
                        s.settle_flags();
                        verify::behind_regions(t, s);
                        at.alone = matches!(ran, Ran::Alone);
                        if matches!(ran, Ran::Syscall) {
                            system_call(t, s);
                        }
                        return;
                    }
                }
            }
            if lifted {
                crate::trace!(Topic::Fallback, "{:#x}: interpreting", s.pc);
            } else {
                crate::trace!(Topic::Dispatch, "{:#x}: interpreting", s.pc);
            }
            let may_compile = compiles.then_some((jit::mode(s), process.options.jit_threshold));
            interpreted(t, s, stats, |t, s| {
                t.interp.run(s, &mut memory, |pc| {
                    lifted && (pc == at.back || image.entry(pc).is_some())
                        || may_compile.is_some_and(|(mode, threshold)| {
                            !image.isa.is_inner(pc)
                                && !profile::learns(process, pc)
                                && jit::wants(mode, threshold, pc)
                        })
                })
            })
        }
    };
    handle(t, s, event);
}

/// Lets the interpreter do `f`, and counts.
fn interpreted(
    t: &mut Thread,
    s: &mut GuestState,
    stats: bool,
    f: impl FnOnce(&mut Thread, &mut GuestState) -> Event,
) -> Event {
    let (pc, before) = (s.pc, t.interp.executed());
    stats::begin(stats);
    let event = f(t, s);
    stats::interpreted(stats, pc, t.interp.executed() - before);
    event
}

fn set_in_lifted(state: *mut GuestState, on: bool) {
    // SAFETY: the calling thread's state; its signal handlers read the word.
    unsafe { (&raw mut (*state).in_lifted).write_volatile(on as u32) };
}

/// Lifted code came back with a reason; true if the instruction at `pc` is to be interpreted.
fn left(s: &mut GuestState) -> bool {
    const CHECKPOINT: u32 = Exit::Checkpoint as u32;
    const TRAP: u32 = Exit::Trap as u32;
    const FALLBACK: u32 = Exit::Fallback as u32;
    const STACK_LIMIT: u32 = Exit::StackLimit as u32;
    const PC: u32 = Exit::Pc as u32;
    const STALE: u32 = Exit::Stale as u32;
    crate::trace!(Topic::Dispatch, "{:#x}: lifted code left, reason {}", s.pc, s.exit);
    match s.exit {
        CHECKPOINT | TRAP | FALLBACK => true,
        STACK_LIMIT | PC => false,
        STALE => {
            // One that was to be resumed has left `pc` as it was.
            if std::mem::take(&mut s.resume) == 0 {
                s.pc = polycode::guest_entry(s.soft_op);
            }
            s.stack_limit = s.stack_limit_real;
            false
        }
        other => trace::die(format_args!(
            "internal error: lifted code left at {:#x} for reason {other}; this is a bug in xlate",
            s.pc
        )),
    }
}

fn handle(t: &mut Thread, s: &mut GuestState, event: Event) {
    if matches!(event, Event::Trap(_) | Event::Unsupported | Event::Fault(_)) {
        // A signal that has come meanwhile came before the instruction, which is executed again after its handler: the mask
        // of a handler for the fault could block it, when it was another thread's to take.
        signal::block_host();
        if t.shared.waiting.load(Ordering::Relaxed) != 0 {
            return;
        }
    }
    match event {
        Event::Continue => {}
        Event::Syscall { .. } => system_call(t, s),
        Event::Trap(TrapKind::Breakpoint(_)) => signal::trap(t, s, libc::SIGTRAP, TRAP_BRKPT),
        Event::Trap(TrapKind::Undefined) | Event::Unsupported => {
            let at = signal::instruction(t, s);
            signal::fault(t, s, libc::SIGILL, ILL_ILLOPC, at, FaultInfo::default())
        }
        Event::Fault(f) => memory_fault(t, s, f),
        // Interpreted runs compare their bytes.
        Event::InvalidateCode { addr } => {
            crate::trace!(Topic::Dispatch, "code invalidated at {addr:#x}");
            polycode::line(addr);
            jit::invalidate_line(addr);
        }
    }
}

fn memory_fault(t: &mut Thread, s: &mut GuestState, f: Fault) {
    let (signo, code) = match f.kind {
        FaultKind::Unmapped => (libc::SIGSEGV, crate::access::SEGV_MAPERR),
        FaultKind::Permission => (libc::SIGSEGV, crate::access::SEGV_ACCERR),
        FaultKind::Alignment => (libc::SIGBUS, crate::access::BUS_ADRALN),
        FaultKind::Bus => (libc::SIGBUS, BUS_ADRERR),
    };
    let accessible = t.process.mem.query(f.addr).is_some_and(|v| v.prot != 0);
    let info = FaultInfo {
        // `arm64_notify_die` reports misaligned pcs and stacks without it.
        address: if (f.access, f.kind) == (Access::Execute, FaultKind::Alignment) { 0 } else { f.addr },
        esr: syndrome(f, accessible),
    };
    signal::fault(t, s, signo, code, f.addr, info);
}

/// ESR_EL1 as the hardware would report the fault (Arm ARM D24.2.40): class, instruction length, and status.
/// `accessible`: the address is mapped with some permission.
fn syndrome(f: Fault, accessible: bool) -> u64 {
    const PC_ALIGNMENT: u64 = 0x22;
    const INSTRUCTION_ABORT: u64 = 0x20;
    const DATA_ABORT: u64 = 0x24;
    const WRITE: u64 = 1 << 6;
    const MAINTENANCE: u64 = 1 << 8;
    let status = match f.kind {
        // Addresses of the kernel's half: Linux does not tell what is mapped there.
        _ if f.addr >> 55 & 1 != 0 => 0x04,
        FaultKind::Permission if accessible => 0x0f,
        // PROT_NONE, and what a file does not reach, have no valid entry in Linux' page tables: translation faults.
        FaultKind::Unmapped | FaultKind::Permission | FaultKind::Bus => 0x07,
        FaultKind::Alignment => 0x21,
    };
    let (class, iss) = match (f.access, f.kind) {
        (Access::Execute, FaultKind::Alignment) => (PC_ALIGNMENT, 0),
        (Access::Execute, _) => (INSTRUCTION_ABORT, status),
        (Access::Read, _) => (DATA_ABORT, status),
        (Access::Write, _) => (DATA_ABORT, status | WRITE),
        (Access::Maintain, _) => (DATA_ABORT, status | WRITE | MAINTENANCE),
    };
    class << 26 | 1 << 25 | iss
}

/// Executes the system call whose return address is pc, restarts or delivers what is due.
fn system_call(t: &mut Thread, s: &mut GuestState) {
    let next = s.pc;
    let before = t.process.image.isa.system_call_before(next, s.nzcv);
    if signal::is_pending(t.shared) {
        // It came before the call.
        s.pc = before;
        if signal::deliver(t, s, None) {
            return;
        }
        s.pc = next;
    }
    let call = Restart { x0: s.x[0], pc: before };
    crate::sys::dispatch(t, s);
    signal::deliver(t, s, Some(call));
}

/// `xl_rt_syscall`: the system call of lifted code (see `abi::symbol::SYSCALL`).
///
/// # Safety
/// Called by lifted code only, with its thread's state.
pub unsafe extern "C" fn syscall(state: *mut GuestState) -> u64 {
    set_in_lifted(state, false);
    // SAFETY: as the caller promises; the dispatcher holds no reference now.
    let (t, s) = unsafe { (&mut *((*state).thread as *mut Thread), &mut *state) };
    let stats = t.process.options.stats;
    stats::lifted(stats);
    s.settle_flags();
    verify::at_system_call(t, s);
    system_call(t, s);
    loop {
        polycode::settle();
        // Whoever changes the epoch from here on calls this thread.
        set_in_lifted(state, true);
        compiler_fence(Ordering::SeqCst);
        if s.code_epoch != polycode::epoch() || !t.process.image.isa.modes(s).are_usual() {
            set_in_lifted(state, false);
            // Frames may be of functions whose guest code has changed, and nothing is translated for the modes that a frame may have had.
            s.exit = Exit::Pc as u32;
            verify::start(t, s);
            stats::begin(stats);
            // SAFETY: called by lifted code; the state is complete, and only references are left behind.
            unsafe { entry::leave(state) }
        }
        if !signal::is_pending(t.shared) {
            stats::begin(stats);
            verify::behind_system_call(t, s);
            return s.pc;
        }
        set_in_lifted(state, false);
        signal::deliver(t, s, None);
    }
}

/// What must be left below a call on top of lifted code's frames, for the run-time compiler.
const ROOM: u64 = 256 * 1024;

/// `xl_rt_run`: lifted code calls, or jumps to, what has no lifted function (see `abi::symbol::RUN`).
///
/// Its callers' frames stay, and a dispatcher on top of them runs what is called until that returns, or its guest frame is gone.
/// Frames are only a cache of return addresses: where code has changed, and where the stack is full, all of them are given up.
///
/// # Safety
/// Called by lifted code only, with its thread's state.
pub unsafe extern "C" fn absent(state: *mut GuestState) -> u32 {
    set_in_lifted(state, false);
    // SAFETY: as the caller promises; no reference is kept across a turn of the dispatcher.
    let thread = unsafe { (*state).thread as *mut Thread };
    // SAFETY: as above.
    let (t, s) = unsafe { (&mut *thread, &mut *state) };
    let (stats, isa, outer) = (t.process.options.stats, t.process.image.isa, t.calls);
    s.exit = Exit::Pc as u32;
    if !waits(t, s) {
        set_in_lifted(state, true);
        return 0;
    }
    stats::lifted(stats);
    s.settle_flags();
    let (sp, link, epoch, host_sp) = (s.sp, isa.link(s), s.code_epoch, s.host_sp);
    t.calls = Calls { sp, host_sp: if outer.sp == u64::MAX { host_sp } else { outer.host_sp } };
    let here = std::ptr::from_ref(&outer) as u64;
    if here < s.stack_limit_real + ROOM {
        // SAFETY: called by lifted code, below whose entry only references are left.
        unsafe { give_frames_up(t, s) }
    }
    crate::trace!(Topic::Dispatch, "{:#x}: called by lifted code, which waits", s.pc);
    let mut at = At { via: Via::left(s), back: link, alone: false };
    let returned = loop {
        // SAFETY: on top of lifted code, which waits.
        unsafe { turn(thread, &mut at, 0) }
        // SAFETY: as above.
        let (t, s) = unsafe { (&mut *thread, &mut *state) };
        let full = s.exit == Exit::StackLimit as u32;
        let returned = s.sp == sp && isa.code_addr(s.pc) == link;
        if at.alone || !(full || returned || s.sp > sp) {
            continue;
        }
        polycode::settle();
        // Whoever changes the epoch from here on calls this thread.
        set_in_lifted(state, true);
        compiler_fence(Ordering::SeqCst);
        if signal::is_pending(t.shared) {
            set_in_lifted(state, false);
            continue;
        }
        if full || epoch != polycode::epoch() || !isa.modes(s).are_usual() {
            set_in_lifted(state, false);
            // SAFETY: as above.
            unsafe { give_frames_up(t, s) }
        }
        (s.host_sp, s.code_epoch, t.calls) = (host_sp, epoch, outer);
        break returned;
    };
    stats::begin(stats);
    // SAFETY: as above.
    let s = unsafe { &mut *state };
    s.source = 0;
    // Whoever returned by another register is looked for by the frames.
    let returned = returned && isa.note_return(s);
    s.exit = if returned { Exit::None } else { Exit::Pc } as u32;
    u32::from(returned)
}

/// Goes back to the dispatcher below all lifted code.
///
/// # Safety
/// As for [`entry::leave`]; lifted code waits, and the state is complete.
unsafe fn give_frames_up(t: &mut Thread, s: &mut GuestState) -> ! {
    s.host_sp = std::mem::take(&mut t.calls).host_sp;
    s.exit = Exit::Pc as u32;
    stats::begin(t.process.options.stats);
    // SAFETY: as the caller promises.
    unsafe { entry::leave(s) }
}

/// True if lifted code is to wait for what it calls at pc.
fn waits(t: &Thread, s: &GuestState) -> bool {
    let image = &t.process.image;
    // A call has put its frame below that of the call before; jumps to and fro would pile up.
    s.sp < t.calls.sp
        && t.verify.is_none()
        && image.text().contains(&image.isa.bytes_at(image.isa.link(s)))
        && s.code_epoch == polycode::epoch()
        && !polycode::refused()
        && image.isa.modes(s).are_usual()
        // A jump out of calls to where there is lifted code: frames may be of it.
        && image.entry(s.pc).is_none()
}

/// `xl_rt_again`: control goes on at `pc`, and the frame that was just given up is of `GuestState::unwinding` (see
/// `abi::symbol::AGAIN`).
///
/// # Safety
/// Called by lifted code only, with its thread's state.
pub unsafe extern "C" fn again(state: *mut GuestState, pc: u64) -> u32 {
    set_in_lifted(state, false);
    // SAFETY: as the caller promises; the dispatcher holds no reference now.
    let (t, s) = unsafe { (&*((*state).thread as *const Thread), &mut *state) };
    let there = prepare_again(t, s, pc);
    set_in_lifted(state, true);
    compiler_fence(Ordering::SeqCst);
    if signal::is_pending(t.shared) || t.verify.is_some() {
        fault::step();
    }
    u32::from(there)
}

/// True if `s` is prepared for the resume point at `pc`, which is of the function `GuestState::unwinding`.
fn prepare_again(t: &Thread, s: &mut GuestState, pc: u64) -> bool {
    let image = t.process.image;
    let point = image.entry(pc).filter(|e| e.resume != 0);
    s.again_pc = pc;
    s.again_host = point.map_or(0, |e| e.host);
    let Some(e) = point.filter(|e| e.host == s.unwinding) else { return false };
    // Callers' frames may be of functions whose guest code has changed.
    if s.code_epoch != polycode::epoch() || polycode::refused() || !image.isa.modes(s).are_usual() {
        return false;
    }
    crate::trace!(Topic::Dispatch, "{pc:#x}: the frame is still there, resume {}", e.resume);
    s.settle_flags();
    s.pc = pc;
    s.exit = Exit::None as u32;
    s.source = 0;
    s.resume = e.resume;
    s.stack_limit = u64::MAX;
    true
}
