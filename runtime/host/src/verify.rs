//! Verification (`XLATE_VERIFY=1`): lifted code is brought from checkpoint to checkpoint by single steps, and at each its
//! exact state is compared with the interpreter's. Takes entries into lifted code as the dispatcher makes them; ends the
//! process with a report at the first difference. What is compared, and how, is `exec::Shadow`'s business.
//!
//! A checkpoint shows its state by leaving lifted code, as for a signal. To go on behind it, the handler has kept what it
//! interrupted: host registers, the guest state (fault blocks write to it) and the host frames next to the stack pointer
//! (in which fault blocks may spill). A trap at a known place makes the handler put the registers back.
//!
//! Other threads and processes that write to memory between two checkpoints look like wrong loads: the report says so.
//!
//! # Safety
//! The handler writes the capture while the dispatcher waits for lifted code, the dispatcher reads it afterwards, both on
//! the same thread. Frames are copied within the stack for lifted code, above its pointer.
#![allow(unsafe_code)]

use crate::entry::push_kept;
use crate::fault;
use crate::jit;
use crate::memory::Memory;
use crate::signal;
use crate::thread::{Shared, Thread};
use crate::trace;
use abi::{Exit, GuestState};
use exec::{AsCode, Difference, Divergence, Shadow, Unequal};
use ir::GuestAddr;
use std::arch::global_asm;
use std::cell::{Cell, UnsafeCell};
use std::mem::offset_of;

global_asm!(
    // As xl_host_enter, stepping from there on.
    ".globl xl_verify_enter",
    ".hidden xl_verify_enter",
    "xl_verify_enter:",
    "pushfq",
    "or qword ptr [rsp], 0x100",
    "popfq",
    "jmp xl_host_enter",
    // (rdi state) → rax guest pc: what was interrupted returns through xl_host_enter's end, whose frame this is.
    ".globl xl_verify_resume",
    ".hidden xl_verify_resume",
    "xl_verify_resume:",
    push_kept!(),
    "mov [rdi + {host_sp}], rsp",
    ".globl xl_verify_trap",
    ".hidden xl_verify_trap",
    "xl_verify_trap:",
    "ud2",
    host_sp = const offset_of!(GuestState, host_sp),
);

unsafe extern "C" {
    fn xl_verify_enter(state: *mut GuestState, entry: u64, stack: u64, enter: u64) -> u64;
    fn xl_verify_resume(state: *mut GuestState) -> u64;
    fn xl_verify_trap();
}

/// Bytes of host frames that are kept: more than any frame that a fault block could spill into.
const FRAMES: usize = 64 << 10;
/// Bytes of the extended host state that are kept, AVX-512's included.
const EXTENDED: usize = 4096;

/// What the handler keeps at a checkpoint.
pub struct Capture {
    /// The last exit was a step's, so that what follows is valid.
    taken: Cell<bool>,
    stack_top: Cell<u64>,
    registers: UnsafeCell<[i64; 23]>,
    extended: UnsafeCell<[u8; EXTENDED]>,
    state: UnsafeCell<GuestState>,
    frames: UnsafeCell<Vec<u8>>,
}

/// The verification of a thread.
pub struct Verify {
    capture: &'static Capture,
    shadow: Shadow,
}

/// Size of what the kernel keeps behind `fpregs`: `struct _fpx_sw_bytes` (asm/sigcontext.h) says it.
fn extended_size(fp: *const u8) -> usize {
    const SW_RESERVED: usize = 464;
    const MAGIC1: u32 = 0x4650_5853;
    // SAFETY: a signal frame has 512 bytes of FXSAVE data at least.
    let (magic, size) =
        unsafe { (fp.add(SW_RESERVED).cast::<u32>().read(), fp.add(SW_RESERVED + 4).cast::<u32>().read()) };
    if magic == MAGIC1 { (size as usize).min(EXTENDED) } else { 512 }
}

impl Capture {
    /// Keeps what a step has brought to a checkpoint. In the handler, before lifted code is left.
    pub fn take(&self, s: &Shared, uc: &libc::ucontext_t) {
        let g = &uc.uc_mcontext.gregs;
        let sp = g[libc::REG_RSP as usize] as u64;
        let fp = uc.uc_mcontext.fpregs.cast::<u8>();
        // SAFETY: see the module's heading; the frames lie between stack pointer and top.
        unsafe {
            *self.registers.get() = *g;
            std::ptr::copy_nonoverlapping(fp, self.extended.get().cast(), extended_size(fp));
            std::ptr::copy_nonoverlapping(s.state, self.state.get(), 1);
            let frames = &mut *self.frames.get();
            let len = (self.stack_top.get().saturating_sub(sp) as usize).min(FRAMES);
            frames.clear();
            frames.extend_from_slice(std::slice::from_raw_parts(sp as *const u8, len));
        }
        self.taken.set(true);
    }

    /// True at the trap that asks for [`Capture::restore`].
    pub fn is_resume(&self, rip: u64) -> bool {
        rip == xl_verify_trap as *const () as u64
    }

    /// Puts the registers back. In the handler of the trap.
    pub fn restore(&self, uc: &mut libc::ucontext_t) {
        let fp = uc.uc_mcontext.fpregs.cast::<u8>();
        // SAFETY: see the module's heading; both frames are of the same processor and size.
        unsafe {
            uc.uc_mcontext.gregs = *self.registers.get();
            std::ptr::copy_nonoverlapping(self.extended.get().cast::<u8>(), fp, extended_size(fp));
        }
    }

    /// Puts guest state and frames back.
    fn rewind(&self, state: *mut GuestState) {
        // SAFETY: see the module's heading. The state's copy was one when lifted code was interrupted.
        unsafe {
            write_state(state, &*self.state.get());
            let sp = (*self.registers.get())[libc::REG_RSP as usize] as *mut u8;
            let frames = &*self.frames.get();
            std::ptr::copy_nonoverlapping(frames.as_ptr(), sp, frames.len());
        }
    }
}

/// Writes all of the state but the word that signal handlers write.
///
/// # Safety
/// `to` is the calling thread's state, and no lifted code of it runs.
unsafe fn write_state(to: *mut GuestState, from: &GuestState) {
    const PENDING: usize = offset_of!(GuestState, pending);
    const BEHIND: usize = PENDING + size_of::<u32>();
    let (to, from) = (to.cast::<u8>(), std::ptr::from_ref(from).cast::<u8>());
    // SAFETY: both are whole states; the caller answers for `to`.
    unsafe {
        std::ptr::copy_nonoverlapping(from, to, PENDING);
        std::ptr::copy_nonoverlapping(from.add(BEHIND), to.add(BEHIND), size_of::<GuestState>() - BEHIND);
    }
}

impl Verify {
    /// For a thread whose stack for lifted code ends at `stack_top`.
    pub fn new(stack_top: u64) -> Verify {
        let capture = Capture {
            taken: Cell::new(false),
            stack_top: Cell::new(stack_top),
            registers: UnsafeCell::new([0; 23]),
            extended: UnsafeCell::new([0; EXTENDED]),
            state: UnsafeCell::new(GuestState::default()),
            frames: UnsafeCell::new(Vec::with_capacity(FRAMES)),
        };
        Verify {
            capture: Box::leak(Box::new(capture)),
            shadow: Shadow::new(crate::thread::process().image.isa),
        }
    }

    /// What the thread's signal handlers need, as long as this lives.
    pub fn capture(&self) -> &'static Capture {
        self.capture
    }
}

impl Drop for Verify {
    fn drop(&mut self) {
        // SAFETY: the box that `new` leaked; the thread has ended, so that no handler of it runs.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(self.capture).cast_mut()) });
    }
}

/// As [`crate::entry::enter`], comparing at each checkpoint.
///
/// # Safety
/// As there; `thread` verifies.
pub unsafe fn enter(thread: *mut Thread, state: *mut GuestState, host: u64, stack: u64, stub: u64) -> u64 {
    // SAFETY: the dispatcher keeps no reference; neither does this function across an entry.
    unsafe {
        start(&mut *thread, &*state);
        (*state).stepping = 1;
        let mut pc = xl_verify_enter(state, host, stack, stub);
        loop {
            (&raw mut (*state).in_lifted).write_volatile(0);
            let exact = {
                let s = &mut *state;
                s.settle_flags();
                s.clone()
            };
            let at = if exact.exit == Exit::None as u32 { pc } else { exact.pc };
            let (Some(capture), shared) = ((*thread).shared.capture.get(), (*thread).shared) else {
                return pc;
            };
            let stepped = capture.taken.replace(false);
            if exact.exit == Exit::Stale as u32 {
                // At the entry of a function, which the dispatcher knows; nothing has been executed of it.
                return pc;
            }
            follow(&mut *thread, &exact, at, stepped);
            if !stepped {
                return pc;
            }
            capture.rewind(state);
            (&raw mut (*state).in_lifted).write_volatile(1);
            if signal::is_pending(shared) {
                (&raw mut (*state).in_lifted).write_volatile(0);
                write_state(state, &exact);
                return pc;
            }
            pc = xl_verify_resume(state);
        }
    }
}

/// Begins anew at `s`: the dispatcher or a system call has changed it.
pub fn start(t: &mut Thread, s: &GuestState) {
    if let Some(v) = &mut t.verify {
        v.shadow.start(s);
    }
}

/// Lifted code has come to a system call; `s` is settled, its pc behind the instruction.
pub fn at_system_call(t: &mut Thread, s: &GuestState) {
    if t.verify.is_some() {
        follow(t, s, s.pc, false);
    }
}

/// The system call is over; lifted code goes on at `s`, stepping.
pub fn behind_system_call(t: &mut Thread, s: &GuestState) {
    if t.verify.is_some() {
        start(t, s);
        fault::step();
    }
}

/// Compares within a region compiled at run time; see `jit::Helpers::verify`.
///
/// # Safety
/// Called by compiled code only, with its thread's state.
pub unsafe extern "C" fn in_region(state: *mut GuestState, pc: u64, access: u64) {
    // SAFETY: as the caller promises; the dispatcher holds no reference now.
    let (t, mut exact) = unsafe { (&mut *((*state).thread as *mut Thread), (*state).clone()) };
    exact.settle_flags();
    follow(t, &exact, pc, access != 0);
}

/// Compares `s`, which is settled, behind regions compiled at run time.
pub fn behind_regions(t: &mut Thread, s: &GuestState) {
    if t.verify.is_some() {
        follow(t, s, s.pc, false);
    }
}

fn follow(t: &mut Thread, s: &GuestState, pc: u64, checkpoint: bool) {
    let mut memory = Memory::new(&t.process.mem);
    let Some(v) = &mut t.verify else { return };
    if let Err(d) = v.shadow.follow(s, pc, checkpoint, &mut memory) {
        if !jit::is_changing(d.from, &memory) {
            report(&d, &memory)
        }
        // What was changed without cache maintenance is executed as it was, until the region looks at it again.
        v.shadow.start(&GuestState { pc, ..s.clone() });
        v.shadow.follow(s, pc, checkpoint, &mut memory).expect("invariant: the shadow is there");
    }
}

/// An instruction as the report names it: address, bits, encoding.
fn instruction(pc: u64, memory: &Memory) -> String {
    let isa = crate::thread::process().image.isa;
    let at = isa.bytes_at(pc);
    match isa.name_at(&AsCode(memory), GuestAddr(pc)) {
        Some((bits, name)) => format!("{at:#x} ({bits}, {name})"),
        None => format!("{at:#x} (not readable)"),
    }
}

fn report(d: &Divergence, memory: &Memory) -> ! {
    trace::line(format_args!(
        "verification: translated code and interpreter differ at {}; both were equal at {}",
        instruction(d.at, memory),
        instruction(d.from, memory),
    ));
    match &d.difference {
        Difference::Registers(list) => {
            for Unequal { name, translated, expected, writer } in list {
                let by = writer.map_or(String::new(), |w| format!(", set by {}", instruction(w, memory)));
                trace::line(format_args!(
                    "verification: {name} is {translated:#x} in translated code, {expected:#x} in the interpreter{by}"
                ));
            }
        }
        Difference::Memory { pc, addr, translated: Some(byte), expected } => trace::line(format_args!(
            "verification: the byte at {addr:#x} is {byte:#x}, {expected:#x} is what {} stores",
            instruction(*pc, memory)
        )),
        Difference::Memory { pc, addr, translated: None, .. } => trace::line(format_args!(
            "verification: {} stores to {addr:#x}, which cannot be read",
            instruction(*pc, memory)
        )),
        Difference::Access(pc) => trace::line(format_args!(
            "verification: the interpreter accesses memory at {}, translated code does not",
            instruction(*pc, memory)
        )),
        Difference::Path(pc) => trace::line(format_args!(
            "verification: the interpreter went another way, to {}",
            instruction(*pc, memory)
        )),
    }
    trace::die(format_args!(
        "verification failed (if other threads or processes write to the program's memory, that may be why)"
    ))
}

/// The capture of the thread, if it verifies. For signal handlers.
pub fn capture(s: &Shared) -> Option<&'static Capture> {
    s.capture.get()
}
