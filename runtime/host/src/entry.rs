//! The ways between the runtime and lifted code: onto the stack of lifted code and back, out of it from a signal
//! handler, and soft operations, which keep every register. Takes host addresses; knows no guest instruction.
//!
//! # Safety
//! The routines follow `abi`'s contract of lifted code. `host_sp` is written at each entry and read only while the
//! frame it points to is alive: who enters lifted code while other lifted code waits puts it back (see `dispatch::absent`).
#![allow(unsafe_code)]

use crate::heap;
use crate::hostcall::{Errno, check, syscall};
use abi::{GuestState, HostFeature};
use std::arch::global_asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::mem::offset_of;

/// Assembly: pushes the registers that callers of the C convention have kept for them.
macro_rules! push_kept {
    () => {
        "push rbp; push rbx; push r12; push r13; push r14; push r15"
    };
}

/// Assembly: pops what [`push_kept`] pushes.
macro_rules! pop_kept {
    () => {
        "pop r15; pop r14; pop r13; pop r12; pop rbx; pop rbp"
    };
}

pub(crate) use {pop_kept, push_kept};

global_asm!(
    // (rdi state, rsi host entry, rdx stack top or 0: this stack, rcx xl_enter) → rax guest pc
    ".globl xl_host_enter",
    ".hidden xl_host_enter",
    ".p2align 4",
    "xl_host_enter:",
    push_kept!(),
    "mov rbx, rdi",
    "mov [rdi + {host_sp}], rsp",
    "test rdx, rdx",
    "cmovz rdx, rsp",
    "and rdx, -16",
    "mov rsp, rdx",
    "call rcx",
    "mov rsp, [rbx + {host_sp}]",
    "jmp 2f",
    // A checkpoint without label: rdi state.
    ".globl xl_host_leave",
    ".hidden xl_host_leave",
    "xl_host_leave:",
    "mov rsp, [rdi + {host_sp}]",
    "mov rax, -1",
    "2:",
    pop_kept!(),
    "ret",
    // r11 is the state: keeps all but the flags. Rust keeps rbx and r12–r15.
    ".globl xl_rt_soft_op",
    ".p2align 4",
    "xl_rt_soft_op:",
    "push rbp",
    "mov rbp, rsp",
    "push rax",
    "push rcx",
    "push rdx",
    "push rsi",
    "push rdi",
    "push r8",
    "push r9",
    "push r10",
    "push r11",
    "mov rdi, r11",
    "mov rsi, [r11 + {op}]",
    "mov dword ptr [rdi + {in_lifted}], 0",
    "sub rsp, 512",
    "and rsp, -32",
    // Upper halves that were loaded count as used until VZEROUPPER even if they are zero, and processors from Ice Lake on take
    // hundreds of cycles each time that code with VEX prefixes and code without them meet then: only what is in use is kept.
    "cmp byte ptr [rip + {upper_halves}], {NONE}",
    "je 2f",
    "cmp byte ptr [rip + {upper_halves}], {KEPT}",
    "je 3f",
    "mov ecx, 1",
    "xgetbv",
    "test al, {AVX_STATE}",
    "jnz 3f",
    "2:",
    ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movaps xmmword ptr [rsp + 32*\\i], xmm\\i",
    ".endr",
    "call {soft_op}",
    ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movaps xmm\\i, xmmword ptr [rsp + 32*\\i]",
    ".endr",
    "jmp 4f",
    "3:",
    ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "vmovaps ymmword ptr [rsp + 32*\\i], ymm\\i",
    ".endr",
    "vzeroupper",
    "call {soft_op}",
    ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "vmovaps ymm\\i, ymmword ptr [rsp + 32*\\i]",
    ".endr",
    "4:",
    "lea rsp, [rbp - 72]",
    "pop r11",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rdi",
    "pop rsi",
    "pop rdx",
    "pop rcx",
    "pop rax",
    "mov dword ptr [r11 + {in_lifted}], 1",
    "cmp dword ptr [r11 + {pending}], 0",
    "pop rbp",
    "jne 5f",
    "cmp dword ptr [r11 + {stepping}], 0",
    "jne 5f",
    "ret",
    // A signal came meanwhile, or verification steps: step to the next checkpoint (see fault.rs).
    "5:",
    "pushfq",
    "or qword ptr [rsp], 0x100",
    "popfq",
    "ret",
    host_sp = const offset_of!(GuestState, host_sp),
    in_lifted = const offset_of!(GuestState, in_lifted),
    pending = const offset_of!(GuestState, pending),
    stepping = const offset_of!(GuestState, stepping),
    op = const offset_of!(GuestState, soft_op),
    upper_halves = sym UPPER_HALVES,
    NONE = const NONE,
    KEPT = const KEPT,
    AVX_STATE = const AVX_STATE,
    soft_op = sym crate::soft::soft_op,
);

unsafe extern "C" {
    fn xl_host_enter(state: *mut GuestState, entry: u64, stack: u64, enter: u64) -> u64;
    fn xl_host_leave();
    fn xl_rt_soft_op();
}

/// What soft operations do with the upper halves of the vector registers: [`NONE`], [`KEPT`] or [`KEPT_IF_USED`].
static mut UPPER_HALVES: u8 = NONE;

/// There are none.
const NONE: u8 = 0;
/// They are kept.
const KEPT: u8 = 1;
/// They are kept if XINUSE (Intel's manual, volume 1, 13.6) says that they hold something.
const KEPT_IF_USED: u8 = 2;

/// The bit of the upper halves in XCR0 and in XINUSE.
const AVX_STATE: u64 = 1 << 2;

/// The address of the soft operation routine; using it keeps the linker from dropping the routine.
pub fn soft_op_address() -> u64 {
    xl_rt_soft_op as *const () as u64
}

/// Looks at the processor; gives a set of [`abi::HostFeature`]s. Called once, before any other thread exists.
pub fn init() -> u32 {
    // By hand: the standard library's detection asks CPUID some ten times, each of which costs microseconds in a
    // virtual machine, and programs start often.
    const OSXSAVE_AVX: u32 = 1 << 27 | 1 << 28;
    const FMA: u32 = 1 << 12;
    const AES: u32 = 1 << 25;
    const PCLMUL: u32 = 1 << 1;
    const SHA: u32 = 1 << 29;
    const SSE_STATE: u64 = 1 << 1;
    const XGETBV_OF_XINUSE: u32 = 1 << 2;
    let features = __cpuid(1).ecx;
    let has = features & OSXSAVE_AVX == OSXSAVE_AVX;
    // SAFETY: OSXSAVE says that the instruction exists.
    let avx = has && unsafe { _xgetbv(0) } & (SSE_STATE | AVX_STATE) == SSE_STATE | AVX_STATE;
    let upper_halves = match avx {
        false => NONE,
        // Leaf 13 exists where XSAVE does.
        true if __cpuid_count(13, 1).eax & XGETBV_OF_XINUSE != 0 => KEPT_IF_USED,
        true => KEPT,
    };
    // SAFETY: no other thread and no lifted code runs yet.
    unsafe { (&raw mut UPPER_HALVES).write(upper_halves) };
    // Nobody has the SHA extensions without AES-NI.
    let sha = features & AES != 0 && __cpuid_count(7, 0).ebx & SHA != 0;
    let found = [
        (HostFeature::Fma, avx && features & FMA != 0),
        (HostFeature::Aes, features & AES != 0),
        (HostFeature::Pclmul, features & PCLMUL != 0),
        (HostFeature::Sha, sha),
    ];
    found.iter().filter(|f| f.1).fold(0, |set, f| set | f.0 as u32)
}

/// Where a signal handler sends lifted code whose state is complete; with rdi = the state.
pub fn leave_address() -> u64 {
    xl_host_leave as *const () as u64
}

/// Drops lifted code's host frames and goes back to the dispatcher, which looks at the state's reason.
///
/// # Safety
/// Called from lifted code's stack, with all of the guest's state in `state`; no value of a caller has to be dropped.
pub unsafe fn leave(state: *mut GuestState) -> ! {
    // SAFETY: as the caller promises.
    unsafe {
        std::arch::asm!("jmp {to}", to = sym xl_host_leave, in("rdi") state, options(noreturn));
    }
}

/// Runs lifted code at `entry` until it comes back with a guest pc.
///
/// # Safety
/// `entry` is a lifted function of the image that `enter` belongs to, `state` the calling thread's, and `stack` the
/// top of its stack for lifted code, on which nothing lives, or 0 if this runs on it.
pub unsafe fn enter(state: *mut GuestState, entry: u64, stack: u64, enter: u64) -> u64 {
    // SAFETY: as the caller promises.
    unsafe { xl_host_enter(state, entry, stack, enter) }
}

/// Bytes of the initial thread's stack for lifted code: deep guest recursion costs host frames; committed only as used.
pub const STACK: u64 = 512 << 20;

/// Below the limit that lifted code keeps there is room for the runtime and for functions that do not look at it.
const RESERVE: u64 = 512 * 1024;

/// Makes a stack for lifted code of that size if possible: (top, limit).
pub fn new_stack(size: u64) -> Result<(u64, u64), Errno> {
    // MAP_STACK keeps huge pages away, the first of which would cost more than a short program.
    let flags = libc::MAP_NORESERVE | libc::MAP_STACK;
    let map = |size: u64| heap::map(size, libc::PROT_READ | libc::PROT_WRITE, flags).map(|a| (a, size));
    // An address-space limit (ulimit -v) may leave less; deep recursion then drops frames more often.
    let (base, size) =
        map(size).or_else(|_| map(size / 8)).or_else(|_| map(8 << 20)).or_else(|_| map(2 << 20))?;
    check(syscall(libc::SYS_mprotect, [base, 4096, 0, 0, 0, 0]))?;
    Ok((base + size, base + RESERVE))
}

/// Gives back a stack for lifted code.
pub fn free_stack((top, limit): (u64, u64)) {
    let base = limit - RESERVE;
    heap::unmap(base, top - base);
}

/// Gives the memory of a stack for lifted code, on which nothing lives, back to the system, but for the first `kept` bytes.
pub fn trim_stack((top, limit): (u64, u64), kept: u64) {
    let base = limit - RESERVE + 4096;
    syscall(libc::SYS_madvise, [base, top - kept - base, libc::MADV_DONTNEED as u64, 0, 0, 0]);
}
