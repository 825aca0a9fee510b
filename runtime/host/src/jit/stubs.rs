//! Ways between the dispatcher and compiled code, in assembly, and what compiled code calls.
//!
//! # Safety
//! Compiled code passes its thread's state, and addresses of what its region's `Things` hold.
#![allow(unsafe_code)]

use crate::access;
use crate::entry::{pop_kept, push_kept};
use crate::memory::Memory;
use crate::thread::Thread;
use abi::GuestState;
use exec::{GuestMemory, Soft};
use ir::{SysReg, TypedOp};
use jit::{Atomic, AtomicOp, Helpers, Left, ROUND_SIZE};
use std::arch::global_asm;
use std::mem::offset_of;

global_asm!(
    // (rdi state, rsi host entry) → rax link or reason
    ".globl xl_jit_enter",
    ".hidden xl_jit_enter",
    ".p2align 4",
    "xl_jit_enter:",
    push_kept!(),
    "mov [rdi + {host_sp}], rsp",
    "sub rsp, 8",
    "mov rax, rsi",
    "xor esi, esi",
    "call rax",
    "add rsp, 8",
    "jmp 2f",
    // After a fault: rdi state, which is exact.
    ".globl xl_jit_leave",
    ".hidden xl_jit_leave",
    "xl_jit_leave:",
    "mov rsp, [rdi + {host_sp}]",
    "mov eax, {alone}",
    "2:",
    pop_kept!(),
    "ret",
    // The entry of links that lead nowhere yet: (rdi state, rsi link) → link
    ".globl xl_jit_unlinked",
    ".hidden xl_jit_unlinked",
    ".p2align 4",
    "xl_jit_unlinked:",
    "mov rax, rsi",
    "ret",
    // Helpers that keep all registers but the flags: Rust keeps rbx and r12–r15, compiled code uses no ymm.
    ".macro xl_keeping name, function",
    ".globl \\name",
    ".hidden \\name",
    ".p2align 4",
    "\\name:",
    "push rbp",
    "mov rbp, rsp",
    ".irp r, rax,rcx,rdx,rsi,rdi,r8,r9,r10,r11",
    "push \\r",
    ".endr",
    "sub rsp, 264",
    "and rsp, -16",
    ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movaps xmmword ptr [rsp + 16*\\i], xmm\\i",
    ".endr",
    "call \\function",
    ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movaps xmm\\i, xmmword ptr [rsp + 16*\\i]",
    ".endr",
    "lea rsp, [rbp - 72]",
    ".irp r, r11,r10,r9,r8,rdi,rsi,rdx,rcx,rax",
    "pop \\r",
    ".endr",
    "pop rbp",
    "ret",
    ".endm",
    "xl_keeping xl_jit_soft, {soft}",
    "xl_keeping xl_jit_settle, {settle}",
    "xl_keeping xl_jit_verify, {verify}",
    ".purgem xl_keeping",
    // See `Helpers::round`.
    ".macro xl_rounding load, round, store",
    ".irp mode, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    ".p2align 5",
    "movups xmmword ptr [rsp - 24], xmm0",
    "\\load xmm0, [rdi]",
    "\\round xmm0, xmm0, \\mode",
    "\\store [rdi], xmm0",
    "movups xmm0, xmmword ptr [rsp - 24]",
    "ret",
    ".endr",
    ".endm",
    ".globl xl_jit_round",
    ".hidden xl_jit_round",
    ".p2align 5",
    "xl_jit_round:",
    "xl_rounding movss, roundss, movss",
    "xl_rounding movsd, roundsd, movsd",
    "xl_rounding movups, roundps, movups",
    "xl_rounding movups, roundpd, movups",
    // Were one too long, this would go backwards.
    ".org xl_jit_round + 4 * 16 * {round_size}",
    ".purgem xl_rounding",
    round_size = const ROUND_SIZE,
    soft = sym soft,
    settle = sym settle,
    verify = sym crate::verify::in_region,
    host_sp = const offset_of!(GuestState, host_sp),
    alone = const Left::Alone as u64,
);

unsafe extern "C" {
    pub(super) fn xl_jit_enter(state: *mut GuestState, host: u64) -> u64;
    pub(super) fn xl_jit_leave();
    pub(super) fn xl_jit_unlinked();
    pub(super) fn xl_jit_soft();
    pub(super) fn xl_jit_round();
    pub(super) fn xl_jit_settle();
    pub(super) fn xl_jit_verify();
}

/// The entry of links that lead nowhere yet.
pub(super) fn unlinked() -> u64 {
    xl_jit_unlinked as *const () as u64
}

pub(super) fn helpers() -> Helpers {
    Helpers {
        soft: xl_jit_soft as *const () as u64,
        round: xl_jit_round as *const () as u64,
        settle: xl_jit_settle as *const () as u64,
        verify: xl_jit_verify as *const () as u64,
        read_sys: read_sys as *const () as u64,
        atomic: atomic as *const () as u64,
    }
}

unsafe extern "C" fn soft(
    state: *mut GuestState,
    op: *const TypedOp,
    args: *const [u128; 3],
    out: *mut u128,
) {
    // SAFETY: compiled code passes its thread's state, an operation of the arena, and its own frame.
    unsafe { *out = exec::eval_in(&mut *state, &*op, &*args) };
}

unsafe extern "C" fn settle(state: *mut GuestState) {
    // SAFETY: compiled code passes its thread's state.
    unsafe { (*state).settle_flags() };
}

unsafe extern "C" fn read_sys(state: *mut GuestState, reg: u64) -> u64 {
    let reg = [SysReg::Fpcr, SysReg::Fpsr, SysReg::Counter, SysReg::Endian][reg as usize];
    // SAFETY: compiled code passes its thread's state.
    let state = unsafe { &mut *state };
    Soft::Read(reg).run(state);
    state.soft_result[0]
}

/// See [`Helpers::atomic`].
unsafe extern "C" fn atomic(
    state: *mut GuestState,
    op: *const Atomic,
    addr: u64,
    args: *const [u128; 2],
    out: *mut u128,
) -> u64 {
    // SAFETY: compiled code passes its thread's state, an access of the arena, and its own frame.
    let (s, op, args) = unsafe { (&mut *state, &*op, &*args) };
    // SAFETY: the thread's, see `thread`; only its constant part is looked at.
    let process = unsafe { (*(s.thread as *const Thread)).process };
    let isa = process.image.isa;
    let (addr, size) = (isa.data_addr(addr), op.size);
    let mask = if size == 16 { u128::MAX } else { (1 << (size * 8)) - 1 };
    let result = match op.op {
        AtomicOp::Rmw(rmw) => {
            let r = Memory::new(&process.mem).rmw(rmw, addr, size, (args[0] & mask) as u64);
            r.map(u128::from).map_err(drop)
        }
        AtomicOp::Cas => access::cas(addr, size, args[0] & mask, args[1] & mask).map_err(drop),
        AtomicOp::StoreEx => {
            let open = s.excl_size == size as u64 && isa.data_addr(s.excl_addr) == addr;
            let expected = (s.excl_value[0] as u128 | (s.excl_value[1] as u128) << 64) & mask;
            let stored = if open {
                access::cas(addr, size, expected, args[0] & mask).map(|old| old == expected)
            } else {
                Ok(false)
            };
            if stored.is_ok() {
                s.excl_size = 0;
            }
            stored.map(|stored| !stored as u128).map_err(drop)
        }
    };
    match result {
        Ok(v) => {
            // SAFETY: as above.
            unsafe { *out = v };
            0
        }
        Err(()) => 1,
    }
}
