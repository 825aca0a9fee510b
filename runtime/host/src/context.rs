//! What a host thread needs besides the kernel's part: a thread pointer with the C library's thread-local variables
//! behind it, and three stacks (for the runtime, for lifted code, for signal handlers). Takes nothing, gives contexts to
//! run in, from a pool that is as large as ever were in use at once.
//!
//! A guest's `clone` becomes the host's `clone` with the guest's own flags, on the stack and thread pointer of a context. So
//! ids, clear_child_tid, robust lists, pidfds, and what is shared or not, are the kernel's own doing. The C library makes
//! each context by starting a thread, which ends at once, past the C library: this believes that it still runs.
//!
//! # Safety
//! A context belongs to whoever took it from the pool, until the thread that runs in it has cleared `busy`, after which it
//! touches no memory. Contexts are never freed.
#![allow(unsafe_code)]

use crate::entry;
use crate::heap;
use crate::hostcall::{Errno, check, syscall};
use crate::recall;
use crate::signal::host::{self, host_action, swap_host_mask};
use crate::thread::{self, Thread};
use std::arch::{asm, global_asm};
use std::ffi::c_void;
use std::mem::offset_of;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stacks and thread pointer of a host thread.
#[repr(C)]
pub struct Context {
    /// 1 while a host thread may run here.
    busy: AtomicU32,
    /// Of the runtime's stack: what the host's `clone` gets.
    stack: AtomicU64,
    thread_pointer: AtomicU64,
    /// Top and limit of the stack for lifted code.
    lifted: [u64; 2],
    /// Where the stack for signal handlers begins.
    handlers: u64,
    /// Id of the thread that made it.
    maker: AtomicI32,
    /// What runs here, or will.
    thread: AtomicPtr<Thread>,
    /// Whoever runs here does not give it back (see [`lend`]).
    lent: AtomicBool,
    /// More of the stack for lifted code than `KEPT` may hold memory.
    deep: AtomicBool,
    /// The thread may be freed: it ended, or executed a program, between two things that it did.
    ended: AtomicBool,
}

#[derive(Default)]
struct Pool {
    all: Vec<&'static Context>,
    free: Vec<&'static Context>,
    /// Free as soon as the kernel has cleared `busy`.
    lent: Vec<&'static Context>,
    /// Interpreters of threads that ended, with what they have lifted: short-lived threads mostly run the same code.
    interps: Vec<exec::Interp>,
}

static POOL: Mutex<Pool> =
    Mutex::new(Pool { all: Vec::new(), free: Vec::new(), lent: Vec::new(), interps: Vec::new() });

/// How many interpreters are kept.
const INTERPS: usize = 8;

/// Bytes of the runtime's stack.
const STACK: u64 = 512 * 1024;
const GUARD: u64 = crate::mem::PAGE;
/// Bytes of the stack for lifted code: as many as the guest's own stacks usually have, and some for wider frames.
const LIFTED: u64 = 64 << 20;
/// What of it is not given back to the system when a thread ends.
const KEPT: u64 = 128 * 1024;
/// What the end of a thread needs below itself.
const IN_USE: u64 = 64 * 1024;

global_asm!(
    // rdi context: the thread that made it is here at the end of its life, on the stack that it leaves to others.
    ".globl xl_context_made",
    ".hidden xl_context_made",
    "xl_context_made:",
    "lea rax, [rsp - 128]",
    "and rax, -16",
    "mov [rdi + {stack}], rax",
    "mov rax, fs:[0]",
    "mov [rdi + {thread_pointer}], rax",
    "xor esi, esi",
    // rdi context, rsi status: ends the thread. From the store on, the stack and the thread pointer are another's.
    ".globl xl_context_leave",
    ".hidden xl_context_leave",
    "xl_context_leave:",
    "mov r12, rsi",
    "add rdi, {busy}",
    "mov dword ptr [rdi], 0",
    "mov eax, {futex}",
    "mov esi, {wake}",
    "mov edx, 1",
    "syscall",
    "mov rdi, r12",
    "mov eax, {exit}",
    "syscall",
    "ud2",
    stack = const offset_of!(Context, stack),
    thread_pointer = const offset_of!(Context, thread_pointer),
    busy = const offset_of!(Context, busy),
    futex = const libc::SYS_futex,
    wake = const libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
    exit = const libc::SYS_exit,
);

unsafe extern "C" {
    fn xl_context_made(context: *const c_void) -> !;
    fn xl_context_leave(context: *const c_void, status: u64) -> !;
}

/// No context is made, taken or given back while this lives; to be held across `fork`.
pub struct Held(MutexGuard<'static, Pool>);

fn lock() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stops changes of the pool.
pub fn hold() -> Held {
    Held(lock())
}

impl Held {
    /// In the child of a `fork`, which has one thread, running in `own`: all other contexts are free. What their threads
    /// had allocated is lost.
    pub fn after_fork_child(mut self, own: Option<&'static Context>) {
        let pool = &mut *self.0;
        let others = pool.all.iter().filter(|c| !own.is_some_and(|o| std::ptr::eq(o, **c)));
        pool.free = others.copied().collect();
        pool.lent.clear();
        for c in &pool.free {
            c.reset();
            c.busy.store(0, Ordering::Relaxed);
        }
    }
}

/// Takes a context.
pub fn take() -> Result<&'static Context, Errno> {
    let mut pool = lock();
    let (back, lent): (Vec<_>, Vec<_>) =
        std::mem::take(&mut pool.lent).into_iter().partition(|c| c.busy.load(Ordering::Acquire) == 0);
    pool.lent = lent;
    for c in back {
        c.free_thread();
        pool.free.push(c);
    }
    let idle = pool.free.iter().rposition(|c| c.busy.load(Ordering::Acquire) == 0);
    let context = match idle.or_else(|| pool.free.len().checked_sub(1)) {
        Some(i) => pool.free.remove(i),
        None => {
            let context = Context::make(pool.all.is_empty())?;
            pool.all.push(context);
            context
        }
    };
    drop(pool);
    // Its last thread is at its very end.
    context.wait();
    if context.deep.load(Ordering::Relaxed) {
        context.trim();
    }
    context.busy.store(1, Ordering::Relaxed);
    Ok(context)
}

/// An interpreter for a new thread.
pub fn interp() -> exec::Interp {
    lock().interps.pop().unwrap_or_else(|| exec::Interp::new(crate::thread::process().image.isa))
}

/// Gives a context back in which nothing runs.
pub fn give_back(context: &'static Context) {
    context.reset();
    context.busy.store(0, Ordering::Release);
    lock().free.push(context);
}

/// Gives a context back that the kernel says when it is free (by `busy`), and in which a thread runs until then.
pub fn give_back_later(context: &'static Context) {
    lock().lent.push(context);
}

/// Ends the calling thread, which runs in `context`, with all signals blocked. Its context is free then, unless it was
/// lent.
///
/// # Safety
/// `thread` is the calling host thread's, and nothing will use it or what it holds.
pub unsafe fn leave(context: &'static Context, thread: *mut Thread, status: u64) -> ! {
    thread::set_current(None);
    if context.lent.load(Ordering::Relaxed) {
        context.ended.store(true, Ordering::Relaxed);
        loop {
            syscall(libc::SYS_exit, [status, 0, 0, 0, 0, 0]);
        }
    }
    // SAFETY: as the caller promises.
    let interp = unsafe {
        let empty = exec::Interp::new((*thread).process.image.isa);
        let interp = std::mem::replace(&mut (*thread).interp, empty);
        Thread::end(thread);
        interp
    };
    context.reset();
    let mut pool = lock();
    pool.free.push(context);
    let unkept = if pool.interps.len() < INTERPS {
        pool.interps.push(interp);
        None
    } else {
        Some(interp)
    };
    drop(pool);
    drop(unkept);
    // SAFETY: nothing of this stack and of thread-local variables is used behind the store.
    unsafe { xl_context_leave(std::ptr::from_ref(context).cast(), status) }
}

extern "C" fn made(context: *mut c_void) -> *mut c_void {
    // SAFETY: what `make` passed.
    unsafe {
        (*context.cast::<Context>()).maker.store(thread::gettid(), Ordering::Relaxed);
        xl_context_made(context)
    }
}

impl Context {
    fn make(first: bool) -> Result<&'static Context, Errno> {
        let lifted = entry::new_stack(LIFTED)?;
        let handlers = host::new_handler_stack().inspect_err(|_| entry::free_stack(lifted))?;
        let free = || {
            entry::free_stack(lifted);
            host::free_handler_stack(handlers);
        };
        let stack = new_stack().inspect_err(|_| free())?;
        let raw = Box::into_raw(Box::new(Context {
            busy: AtomicU32::new(1),
            stack: AtomicU64::new(0),
            thread_pointer: AtomicU64::new(0),
            lifted: [lifted.0, lifted.1],
            handlers,
            maker: AtomicI32::new(0),
            thread: AtomicPtr::default(),
            lent: AtomicBool::new(false),
            deep: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }));
        // SAFETY: just made; freed below only if nothing else knows it.
        let context: &'static Context = unsafe { &*raw };
        if first {
            exec::prepare(crate::thread::process().image.isa);
        }
        // The C library's own start of its first thread takes signal 33 for itself, whose use is the guest's.
        const SETXID: i32 = 33;
        let before = swap_host_mask(!0);
        let action = first.then(|| host_action(SETXID, None));
        let started = start(context, stack);
        if let Some(Ok(a)) = action {
            let _ = host_action(SETXID, Some(a));
        }
        swap_host_mask(before);
        if let Err(e) = started {
            heap::unmap(stack, STACK);
            free();
            // SAFETY: made above, and no thread was started.
            drop(unsafe { Box::from_raw(raw) });
            return Err(e);
        }
        context.wait();
        // It counts against limits and shows in /proc until it is gone.
        while exists(context.maker.load(Ordering::Relaxed)) {
            syscall(libc::SYS_sched_yield, [0; 6]);
        }
        Ok(context)
    }

    /// (top, limit) of the stack for lifted code.
    pub fn lifted_stack(&self) -> (u64, u64) {
        (self.lifted[0], self.lifted[1])
    }

    /// Waits for the end of whoever runs here.
    fn wait(&self) {
        let (at, wait) = (self.busy.as_ptr() as u64, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG);
        while self.busy.load(Ordering::Acquire) != 0 {
            syscall(libc::SYS_futex, [at, wait as u64, 1, 0, 0, 0]);
        }
    }

    fn reset(&self) {
        self.thread.store(std::ptr::null_mut(), Ordering::Relaxed);
        self.lent.store(false, Ordering::Relaxed);
        self.ended.store(false, Ordering::Relaxed);
        self.trim();
    }

    /// Gives memory of the stack for lifted code back to the system.
    fn trim(&self) {
        // A system call of lifted code runs on that stack, `exit` included: then its upper part stays.
        let (top, limit) = self.lifted_stack();
        let here = std::ptr::from_ref(&top) as u64;
        let used = if (limit..top).contains(&here) { top - here + IN_USE } else { 0 };
        self.deep.store(used > KEPT, Ordering::Relaxed);
        entry::trim_stack((top, limit), used.max(KEPT).next_multiple_of(crate::mem::PAGE));
    }

    /// Frees what ran here and could not do so itself; to be called when it has left.
    fn free_thread(&self) {
        let thread = self.thread.load(Ordering::Relaxed);
        if !thread.is_null() {
            // SAFETY: `lend` put it there, and it was not freed.
            recall::leave(unsafe { (*thread).shared });
        }
        if self.ended.load(Ordering::Relaxed) && !thread.is_null() {
            // SAFETY: `lend` put it there; who ran it has ended.
            unsafe { Thread::end(thread) };
        }
        // One that was killed may have been at anything: what it allocated is lost.
        self.reset();
    }

    /// To be called by what runs here when it may be gone at once (true: it executes a program), or goes on (false).
    pub fn set_ended(&self, ended: bool) {
        self.ended.store(ended, Ordering::Relaxed);
    }

    /// Who runs here will not give the context back.
    pub fn lend(&self) {
        self.lent.store(true, Ordering::Relaxed);
    }

    /// After [`Context::lend`] and the end of who ran here: the context is the caller's again.
    pub fn take_back(&'static self) {
        self.free_thread();
        give_back(self);
    }

    /// Address of the word that is 1 while a thread may run here.
    pub fn busy_word(&self) -> u64 {
        self.busy.as_ptr() as u64
    }

    /// What the kernel's `clone` needs: top of the stack and thread pointer.
    pub fn place(&self) -> (u64, u64) {
        (self.stack.load(Ordering::Relaxed), self.thread_pointer.load(Ordering::Relaxed))
    }

    /// Puts the thread there that will run.
    pub fn set_thread(&self, thread: *mut Thread) {
        self.thread.store(thread, Ordering::Relaxed);
    }

    /// Executes the `clone` with number and arguments given, which name this context's place; the child goes on in `run`.
    ///
    /// # Safety
    /// The arguments ask for a child in the same memory, on [`Context::place`], which [`Context::set_thread`] was given.
    pub unsafe fn clone(&'static self, nr: i64, a: [u64; 6]) -> i64 {
        let ret: i64;
        // SAFETY: as the caller promises; the parent returns from the system call as from any.
        unsafe {
            asm!(
                "syscall",
                "test rax, rax",
                "jnz 2f",
                "mov rdi, r12",
                "and rsp, -16",
                "xor ebp, ebp",
                "call {run}",
                "ud2",
                "2:",
                run = sym run,
                inlateout("rax") nr => ret,
                in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3], in("r8") a[4], in("r9") a[5],
                in("r12") self,
                lateout("rcx") _, lateout("r11") _,
            );
        }
        ret
    }
}

/// A thread begins, with all signals blocked.
extern "C" fn run(context: &'static Context) -> ! {
    let thread = context.thread.load(Ordering::Relaxed);
    host::use_handler_stack(context.handlers);
    // SAFETY: the parent left it for this thread alone; the reference ends before the dispatcher takes over.
    unsafe {
        thread::set_current(Some((*thread).shared));
        crate::sys::begin(&mut *thread);
        crate::dispatch::run(thread)
    }
}

/// A stack for the runtime, with an inaccessible page at its end.
fn new_stack() -> Result<u64, Errno> {
    let flags = libc::MAP_NORESERVE | libc::MAP_STACK;
    let at = heap::map(STACK, libc::PROT_READ | libc::PROT_WRITE, flags)?;
    check(syscall(libc::SYS_mprotect, [at, GUARD, 0, 0, 0, 0]))?;
    Ok(at)
}

/// Has the C library start a thread that makes `context` what it is, and waits for its end.
fn start(context: &'static Context, stack: u64) -> Result<(), Errno> {
    // SAFETY: plain data, initialised by `pthread_attr_init`.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    let mut id: libc::pthread_t = 0;
    // SAFETY: the attributes, the id and the stack are ours; the context lives for ever.
    let r = unsafe {
        libc::pthread_attr_init(&mut attributes);
        let (low, size) = ((stack + GUARD) as *mut c_void, (STACK - GUARD) as usize);
        libc::pthread_attr_setstack(&mut attributes, low, size);
        libc::pthread_attr_setdetachstate(&mut attributes, libc::PTHREAD_CREATE_DETACHED);
        let at = std::ptr::from_ref(context).cast_mut().cast();
        let r = libc::pthread_create(&mut id, &attributes, made, at);
        libc::pthread_attr_destroy(&mut attributes);
        r
    };
    if r != 0 { Err(Errno(r)) } else { Ok(()) }
}

/// True if the thread of this process exists.
pub fn exists(tid: i32) -> bool {
    let pid = syscall(libc::SYS_getpid, [0; 6]) as u64;
    check(syscall(libc::SYS_tgkill, [pid, tid as u64, 0, 0, 0, 0])).is_ok()
}
