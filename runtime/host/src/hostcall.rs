//! Calls into the host kernel. Takes a number and six words, gives what the kernel returned (negative error numbers
//! included). Knows no guest convention: the system call layer translates.
//!
//! # Safety
//! A system call can do anything to the process. The functions are safe to call in Rust's sense only if the arguments
//! do not let the kernel write into the runtime's own objects; callers pass guest pointers or their own buffers.
#![allow(unsafe_code)]

use std::arch::{asm, global_asm};

/// An error number of Linux (the generic numbering, which AArch64 and x86-64 share).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

/// Interrupted by a signal; restarted if the handler has SA_RESTART or no handler runs. Never seen by the guest.
pub const ERESTARTSYS: i64 = 512;
/// Interrupted by a signal before it began; restarted always.
pub const ERESTARTNOINTR: i64 = 513;
/// Interrupted by a signal; restarted only if no handler runs.
pub const ERESTARTNOHAND: i64 = 514;
/// As `ERESTARTNOHAND`, through `restart_syscall` (the call depends on how much time is left).
pub const ERESTART_RESTARTBLOCK: i64 = 516;

impl Errno {
    /// The value that a system call returns for this error.
    pub const fn as_return(self) -> i64 {
        -(self.0 as i64)
    }
}

/// A return value as a result: −4095…−1 are errors.
pub fn check(r: i64) -> Result<u64, Errno> {
    if (-4095..0).contains(&r) { Err(Errno(-r as i32)) } else { Ok(r as u64) }
}

/// Executes a host system call that does not block for long.
pub fn syscall(nr: i64, a: [u64; 6]) -> i64 {
    let ret: i64;
    // SAFETY: the kernel's convention; see the module's heading for what the caller answers for.
    unsafe {
        asm!("syscall", inlateout("rax") nr => ret,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    ret
}

// Between `xl_safe_begin` and the system call instruction (inclusive: it has not been executed when rip stands there)
// a signal handler that records a signal moves rip to `xl_safe_interrupted`; so no signal is lost between the look at
// `pending` and the kernel.
global_asm!(
    ".globl xl_safe_syscall",
    ".hidden xl_safe_syscall",
    "xl_safe_syscall:", // (rdi: *const u32 pending, rsi: nr, rdx: *const [u64; 6])
    "push rbx",
    "mov r11, rdi",
    "mov rax, rsi",
    "mov rbx, rsi",
    "mov rcx, rdx",
    "mov rdi, [rcx]",
    "mov rsi, [rcx + 8]",
    "mov rdx, [rcx + 16]",
    "mov r10, [rcx + 24]",
    "mov r8, [rcx + 32]",
    "mov r9, [rcx + 40]",
    ".globl xl_safe_begin",
    ".hidden xl_safe_begin",
    "xl_safe_begin:",
    "cmp dword ptr [r11], 0",
    "jne xl_safe_pending",
    ".globl xl_safe_insn",
    ".hidden xl_safe_insn",
    "xl_safe_insn:",
    "syscall",
    ".globl xl_safe_behind",
    ".hidden xl_safe_behind",
    "xl_safe_behind:",
    "pop rbx",
    "ret",
    "xl_safe_pending:",
    "mov rax, -512",
    "pop rbx",
    "ret",
    ".globl xl_safe_interrupted",
    ".hidden xl_safe_interrupted",
    "xl_safe_interrupted:",
    "mov rax, -513",
    "pop rbx",
    "ret",
);

unsafe extern "C" {
    fn xl_safe_syscall(pending: *const u32, nr: i64, args: *const [u64; 6]) -> i64;
    static xl_safe_begin: u8;
    static xl_safe_insn: u8;
    static xl_safe_behind: u8;
    static xl_safe_interrupted: u8;
}

/// Executes a host system call that may block. Gives −`ERESTARTSYS` or −`ERESTARTNOINTR`, with nothing done, if a
/// signal for the guest waits or comes before the kernel is entered; −EINTR if one interrupted it there.
pub fn safe_syscall(nr: i64, args: [u64; 6]) -> i64 {
    let Some(t) = crate::thread::current() else { return syscall(nr, args) };
    // SAFETY: the current thread's state outlives the call; the routine follows the C convention.
    unsafe { xl_safe_syscall(&raw const (*t.state).pending, nr, &args) }
}

/// For a signal handler interrupted at `rip`, where a system call may just have ended that can be interrupted: where its instruction
/// is. It may be executed again with its number, which is in rbx then, in rax.
pub fn behind_call(rip: u64) -> Option<u64> {
    (rip == &raw const xl_safe_behind as u64).then_some(&raw const xl_safe_insn as u64)
}

/// For a signal handler interrupted at `rip`: where to go on so that a system call not yet begun does not begin.
pub fn interrupted_before_call(rip: u64) -> Option<u64> {
    let (begin, insn, out) = (
        &raw const xl_safe_begin as u64,
        &raw const xl_safe_insn as u64,
        &raw const xl_safe_interrupted as u64,
    );
    (begin..=insn).contains(&rip).then_some(out)
}

// The kernel's interface for 32-bit programs, where it knows how their structures are laid out. Faults where a kernel does not
// offer it (see `access::fixup`).
global_asm!(
    ".globl xl_compat_call",
    ".hidden xl_compat_call",
    "xl_compat_call:", // (rdi: number, rsi: *const [u64; 6])
    "push rbx",
    "push rbp",
    "mov eax, edi",
    "mov ebx, [rsi]",
    "mov ecx, [rsi + 8]",
    "mov edx, [rsi + 16]",
    "mov edi, [rsi + 32]",
    "mov ebp, [rsi + 40]",
    "mov esi, [rsi + 24]",
    ".globl xl_compat_insn",
    ".hidden xl_compat_insn",
    "xl_compat_insn:",
    "int 0x80",
    "movsxd rax, eax",
    "pop rbp",
    "pop rbx",
    "ret",
    ".globl xl_compat_fault",
    ".hidden xl_compat_fault",
    "xl_compat_fault:",
    "mov rax, -38", // ENOSYS
    "pop rbp",
    "pop rbx",
    "ret",
);

unsafe extern "C" {
    fn xl_compat_call(nr: u32, args: *const [u64; 6]) -> i64;
}

/// Number of `ioctl` in the interface for 32-bit programs.
pub const I386_IOCTL: u32 = 54;
/// Of `getdents`.
pub const I386_GETDENTS: u32 = 141;
/// Of `getdents64`.
pub const I386_GETDENTS64: u32 = 220;
/// Of `io_submit`.
pub const I386_IO_SUBMIT: u32 = 248;
/// Of `set_robust_list`.
pub const I386_SET_ROBUST_LIST: u32 = 311;
/// Of `get_robust_list`.
pub const I386_GET_ROBUST_LIST: u32 = 312;
/// Of `io_uring_setup`.
pub const I386_IO_URING_SETUP: u32 = 425;
const I386_GETPID: u32 = 20;

/// Executes a system call of the host kernel's interface for 32-bit programs, whose structures those of ARM's EABI mostly are, too;
/// `None` if there is none. Pointers must lie below 4 GiB. The call is one that does not wait.
pub fn compat(nr: u32, args: [u64; 6]) -> Option<i64> {
    use std::sync::atomic::{AtomicU8, Ordering};
    /// 0 not known, 1 offered, 2 not.
    static OFFERED: AtomicU8 = AtomicU8::new(0);
    // SAFETY: follows the C convention; a fault of the instruction is recovered.
    let call = |nr, args: &[u64; 6]| unsafe { xl_compat_call(nr, args) };
    if OFFERED.load(Ordering::Relaxed) == 0 {
        // A filter may end a process that uses it.
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let free = status.lines().any(|l| l.strip_prefix("Seccomp:").is_some_and(|v| v.trim() == "0"));
        let works = free && call(I386_GETPID, &[0; 6]) == syscall(libc::SYS_getpid, [0; 6]);
        OFFERED.store(if works { 1 } else { 2 }, Ordering::Relaxed);
    }
    (OFFERED.load(Ordering::Relaxed) == 1).then(|| call(nr, &args))
}
