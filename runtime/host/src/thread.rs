//! The process and its guest threads. Takes nothing, gives the structures that dispatcher, signals and system calls
//! share. What a signal handler may touch is in [`Shared`] and nowhere else; the rest belongs to the thread alone.
//!
//! # Safety
//! `Shared` and the guest state live until [`Thread::end`], after which the host thread runs nothing of the guest and
//! takes no signal. Only the owning thread and its own signal handlers use them.
#![allow(unsafe_code)]

use crate::context::{self, Context};
use crate::hostcall::syscall;
use crate::image::Loaded;
use crate::mem::AddressSpace;
use crate::signal::{Actions, Group, SigInfo, ThreadSignals, UNBLOCKABLE_SET};
use crate::sys::{Limits, OwnFile};
use crate::sysroot::Sysroot;
use crate::trace::Options;
use crate::verify::{Capture, Verify};
use abi::GuestState;
use isa::Isa;
use std::cell::{Cell, UnsafeCell};
use std::ffi::CString;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64};
use std::sync::{Arc, OnceLock};

/// What all tasks have in common that share the guest's memory: the threads of the process, and children that `vfork` or
/// a `clone` of that kind made.
pub struct Process {
    /// The program.
    pub image: Loaded,
    /// Its memory.
    pub mem: AddressSpace,
    /// The auxiliary vector it was given, AT_NULL included.
    pub auxv: Vec<(u64, u64)>,
    /// `argv` as the guest got it.
    pub argv: Vec<CString>,
    /// The output file, and what the guest sees of it.
    pub own: OwnFile,
    /// What the XLATE_* variables ask for.
    pub options: Options,
    /// Guest address of the signal return code.
    pub trampoline: u64,
    /// Where the ARM system's files are.
    pub sysroot: Sysroot,
}

/// What a thread shares with its signal handlers.
pub struct Shared {
    /// The thread's guest state.
    pub state: *mut GuestState,
    /// Number of the signal that waits for delivery, 0 if none. While one waits, the host blocks all others.
    pub waiting: AtomicI32,
    /// Its information.
    pub waiting_info: UnsafeCell<SigInfo>,
    /// Signals that the host may never block (SIGSEGV …), sent to this thread.
    pub own: Kept,
    /// The same, sent to the process: the host has chosen this thread to tell. And [`Kept::LOOK`].
    pub for_process: Kept,
    /// Of these signals, what the thread blocks now; other threads read it.
    pub blocked: Arc<AtomicU64>,
    /// Host signal, `si_code` and `si_addr` of the last fault in a guest access of the runtime.
    pub fault: Cell<(i32, i32, u64)>,
    /// 1 while the host signal of `recall` is on its way to the thread.
    pub called: AtomicU32,
    /// The oldest generation of compiled code that the thread may be in; 0 if it is in none (see `jit`).
    pub compiled: AtomicU64,
    /// What verification keeps at checkpoints, if the thread verifies.
    pub capture: Cell<Option<&'static Capture>>,
}

/// Signals that handlers have noted and the thread has not yet taken.
#[derive(Default)]
pub struct Kept {
    /// By bit.
    pub set: AtomicU64,
    /// Their information, by position in `signal::UNBLOCKABLE`.
    pub info: UnsafeCell<[SigInfo; 5]>,
}

impl Kept {
    /// Among the signals' bits: another thread says that the process has one for this thread.
    pub const LOOK: u64 = 1 << 63;
}

/// A guest thread. What `clone` can share or not is behind an `Arc` of its own.
pub struct Thread {
    /// Its process.
    pub process: &'static Process,
    /// What signal handlers see.
    pub shared: &'static Shared,
    /// Host (and guest) thread id.
    pub tid: i32,
    /// Signal dispositions (CLONE_SIGHAND).
    pub actions: Arc<Actions>,
    /// Resource limits (CLONE_THREAD).
    pub limits: Arc<Limits>,
    /// Signals that wait for any thread of the process (CLONE_THREAD).
    pub group: Arc<Group>,
    /// `personality`, once it was asked for.
    pub personality: Option<u64>,
    /// Mask, alternate stack, and what is to be restarted.
    pub signals: ThreadSignals,
    /// Of an `execve` in progress.
    pub exec: Exec,
    /// The host thread's stacks; none for the initial thread, whose are the process's.
    pub context: Option<&'static Context>,
    /// Top of the host stack on which lifted code runs.
    pub lifted_stack: u64,
    /// Of calls of what has no lifted function that run on top of lifted code's frames.
    pub calls: Calls,
    /// The engine for what has no lifted code.
    pub interp: exec::Interp,
    /// What it does before anything else.
    pub first: First,
    /// Comparison of lifted code with the interpreter.
    pub verify: Option<Verify>,
}

/// Calls of what has no lifted function, while lifted code waits for them (see `dispatch::absent`).
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    /// Guest stack pointer at the innermost of them, `u64::MAX` if there is none.
    pub sp: u64,
    /// `GuestState::host_sp` of the entry below the outermost.
    pub host_sp: u64,
}

impl Default for Calls {
    fn default() -> Self {
        Calls { sp: u64::MAX, host_sp: 0 }
    }
}

/// Strings and vectors of an `execve` in progress. A `vfork` child that executes a program leaves its parent's memory without
/// freeing anything: what it leaves goes with the thread.
#[derive(Default, Debug)]
pub struct Exec {
    /// The strings of another command than the guest's.
    pub strings: Vec<CString>,
    /// Its arguments.
    pub vector: Vec<u64>,
    /// Another environment than the guest's.
    pub environment: Vec<u64>,
    /// The guest's vectors, if it has pointers of 32 bits, in the host's form.
    pub wide: Vec<u64>,
}

/// What a new thread does for itself.
#[derive(Default, Debug)]
pub struct First {
    /// Takes back handlers (CLONE_CLEAR_SIGHAND).
    pub clear_handlers: bool,
    /// Writes its id there, unless 0.
    pub set_tid: u64,
}

impl Process {
    /// The guest's instruction set.
    pub fn isa(&self) -> Isa {
        self.image.isa
    }
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
    // SAFETY: null or alive, see the module's heading.
    unsafe { CURRENT.get().as_ref() }
}

/// Makes `shared` that of the calling host thread, or takes it away.
pub fn set_current(shared: Option<&'static Shared>) {
    CURRENT.set(shared.map_or(std::ptr::null(), std::ptr::from_ref));
}

/// The thread's id from the kernel.
pub fn gettid() -> i32 {
    syscall(libc::SYS_gettid, [0; 6]) as i32
}

impl Thread {
    /// The first thread of the process, in state `state`: the calling host thread, with all that signal handlers need.
    pub fn first(
        process: &'static Process,
        state: GuestState,
        mask: u64,
        actions: Actions,
        lifted_stack: u64,
    ) -> *mut Thread {
        let shared = Thread::shared(state);
        let tid = gettid();
        let thread = Thread::make(Thread {
            process,
            shared,
            tid,
            group: Group::of(tid, shared),
            actions: Arc::new(actions),
            limits: Arc::default(),
            personality: None,
            signals: ThreadSignals::new(mask),
            exec: Exec::default(),
            context: None,
            lifted_stack,
            calls: Calls::default(),
            interp: exec::Interp::new(process.image.isa),
            first: First::default(),
            verify: None,
        });
        // SAFETY: just made.
        set_current(Some(unsafe { (*thread).shared }));
        thread
    }

    /// A thread like this one with registers `state`, for the stacks of `context`; it has no id yet.
    pub fn like(&self, state: GuestState, context: &'static Context) -> *mut Thread {
        let (lifted_stack, limit) = context.lifted_stack();
        let state = GuestState {
            stack_limit: limit,
            stack_limit_real: limit,
            resume: 0,
            pending: 0,
            in_lifted: 0,
            excl_size: 0,
            ..state
        };
        Thread::make(Thread {
            process: self.process,
            shared: Thread::shared(state),
            tid: 0,
            actions: self.actions.clone(),
            limits: self.limits.clone(),
            group: self.group.clone(),
            personality: self.personality,
            signals: ThreadSignals::new(self.signals.mask),
            exec: Exec::default(),
            context: Some(context),
            lifted_stack,
            calls: Calls::default(),
            interp: context::interp(),
            first: First::default(),
            verify: None,
        })
    }

    fn shared(state: GuestState) -> &'static Shared {
        Box::leak(Box::new(Shared {
            state: Box::into_raw(Box::new(state)),
            waiting: AtomicI32::new(0),
            waiting_info: UnsafeCell::new(SigInfo::default()),
            own: Kept::default(),
            for_process: Kept::default(),
            blocked: Arc::new(AtomicU64::new(UNBLOCKABLE_SET)),
            fault: Cell::new((0, 0, 0)),
            called: AtomicU32::new(0),
            compiled: AtomicU64::new(0),
            capture: Cell::new(None),
        }))
    }

    fn make(mut thread: Thread) -> *mut Thread {
        if thread.process.options.verify {
            let verify = Verify::new(thread.lifted_stack);
            thread.shared.capture.set(Some(verify.capture()));
            thread.verify = Some(verify);
        }
        let state = thread.shared.state;
        let thread = Box::into_raw(Box::new(thread));
        // SAFETY: just made, and not yet shared.
        unsafe { (*state).thread = thread as u64 };
        thread
    }

    /// Frees the thread.
    ///
    /// # Safety
    /// It came from [`Thread::like`], and nothing uses it, its state or what it shares from now on: no lifted code, no
    /// signal handler, no reference.
    pub unsafe fn end(thread: *mut Thread) {
        // SAFETY: all three are boxes made above, and the caller's are the last uses.
        unsafe {
            let shared = std::ptr::from_ref((*thread).shared).cast_mut();
            drop(Box::from_raw((*shared).state));
            drop(Box::from_raw(shared));
            drop(Box::from_raw(thread));
        }
    }
}
