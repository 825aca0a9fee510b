//! The process and its guest threads. Takes nothing, gives the structures that dispatcher, signals and system calls
//! share. What a signal handler may touch is in [`Shared`] and nowhere else; the rest belongs to the thread alone.
//!
//! # Safety
//! `Shared` and the guest state are leaked at thread creation and live as long as the thread, so the pointers kept in
//! the thread-local variable and in the state stay valid. Only the owning thread and its own signal handlers use them.
#![allow(unsafe_code)]

use crate::hostcall::syscall;
use crate::image::Loaded;
use crate::mem::AddressSpace;
use crate::signal::{Actions, SigInfo, ThreadSignals};
use crate::trace::Options;
use abi::GuestState;
use std::cell::{Cell, UnsafeCell};
use std::ffi::CString;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU64};

/// The guest process.
pub struct Process {
    /// The program.
    pub image: Loaded,
    /// Its memory.
    pub mem: AddressSpace,
    /// Signal dispositions.
    pub actions: Actions,
    /// The auxiliary vector it was given, AT_NULL included.
    pub auxv: Vec<(u64, u64)>,
    /// `argv` as the guest got it.
    pub argv: Vec<CString>,
    /// Path of the output file (what AT_EXECFN and `/proc/self/exe` say).
    pub exe: CString,
    /// What the XLATE_* variables ask for.
    pub options: Options,
    /// Guest address of the signal return code.
    pub trampoline: u64,
}

/// What a thread shares with its signal handlers.
pub struct Shared {
    /// The thread's guest state.
    pub state: *mut GuestState,
    /// Number of the signal that waits for delivery, 0 if none. While one waits, the host blocks all others.
    pub waiting: AtomicI32,
    /// Its information.
    pub waiting_info: UnsafeCell<SigInfo>,
    /// Signals that the host may never block (SIGSEGV …) but the guest does: sent by `kill` and kept here, by bit.
    pub held: AtomicU64,
    /// Their information, by position in `signal::UNBLOCKABLE`.
    pub held_info: UnsafeCell<[SigInfo; 5]>,
    /// Host signal, `si_code` and `si_addr` of the last fault in a guest access of the runtime.
    pub fault: Cell<(i32, i32, u64)>,
}

/// A guest thread.
pub struct Thread {
    /// Its process.
    pub process: &'static Process,
    /// What signal handlers see.
    pub shared: &'static Shared,
    /// Host (and guest) thread id.
    pub tid: i32,
    /// Mask, alternate stack, and what is to be restarted.
    pub signals: ThreadSignals,
    /// `set_tid_address`.
    pub clear_child_tid: u64,
    /// `set_robust_list`: head and length.
    pub robust_list: (u64, u64),
    /// Top of the host stack on which lifted code runs.
    pub lifted_stack: u64,
    /// The engine for what has no lifted code.
    pub interp: exec::Interp,
}

static PROCESS: OnceLock<Process> = OnceLock::new();

thread_local! {
    static CURRENT: Cell<*const Shared> = const { Cell::new(std::ptr::null()) };
}

/// The process. Only after [`publish`].
pub fn process() -> &'static Process {
    PROCESS.get().expect("invariant: the process exists before its threads")
}

/// The process, if there is one yet. For signal handlers.
pub fn try_process() -> Option<&'static Process> {
    PROCESS.get()
}

/// Makes the process known. Called once.
pub fn publish(p: Process) -> &'static Process {
    PROCESS.get_or_init(|| p)
}

/// What the calling host thread shares with its signal handlers; `None` if it is no guest thread. Async-signal-safe:
/// the variable has no destructor and no lazy initialisation.
pub fn current() -> Option<&'static Shared> {
    // SAFETY: null or a leaked box, see the module's heading.
    unsafe { CURRENT.get().as_ref() }
}

/// Makes `shared` that of the calling host thread. For the two sides of `vfork`, which share thread-local variables.
pub fn set_current(shared: &'static Shared) {
    CURRENT.set(shared);
}

/// The thread's id from the kernel.
pub fn gettid() -> i32 {
    syscall(libc::SYS_gettid, [0; 6]) as i32
}

impl Thread {
    /// Makes the calling host thread a guest thread in state `state`, with all that signal handlers need.
    pub fn new(process: &'static Process, state: GuestState, mask: u64) -> Box<Thread> {
        let state = Box::into_raw(Box::new(state));
        let shared: &'static Shared = Box::leak(Box::new(Shared {
            state,
            waiting: AtomicI32::new(0),
            waiting_info: UnsafeCell::new(SigInfo::default()),
            held: AtomicU64::new(0),
            held_info: UnsafeCell::new([SigInfo::default(); 5]),
            fault: Cell::new((0, 0, 0)),
        }));
        let mut thread = Box::new(Thread {
            process,
            shared,
            tid: gettid(),
            signals: ThreadSignals::new(mask),
            clear_child_tid: 0,
            robust_list: (0, 0),
            lifted_stack: 0,
            interp: exec::Interp::new(),
        });
        // SAFETY: just made, and not yet shared.
        unsafe { (*state).thread = &raw mut *thread as u64 };
        CURRENT.set(shared);
        thread
    }
}
