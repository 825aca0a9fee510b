//! The static library that every output links: the C entry point and the symbols that lifted code calls. Everything
//! behind them is in `host`.
//!
//! # Safety
//! `xl_image` is defined by the output that this library is linked into.
#![allow(unsafe_code)]

use abi::{GuestState, ImageDesc};
use std::ffi::{c_char, c_int};

#[global_allocator]
static HEAP: host::heap::Heap = host::heap::Heap;

#[allow(improper_ctypes)]
unsafe extern "C" {
    static xl_image: ImageDesc;
}

/// Entry of the output.
///
/// # Safety
/// Called by the C runtime.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(_argc: c_int, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    // Lifted code refers to it by name only.
    std::hint::black_box(host::entry::soft_op_address());
    // SAFETY: the C runtime passes its vectors; the image is this executable's.
    unsafe { host::start::main(argv, envp, &xl_image) }
}

/// See `abi::symbol::SYSCALL`.
///
/// # Safety
/// Called by lifted code with its thread's state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xl_rt_syscall(state: *mut GuestState) -> u64 {
    // SAFETY: as the caller promises.
    unsafe { host::dispatch::syscall(state) }
}

/// See `abi::symbol::RUN`.
///
/// # Safety
/// Called by lifted code with its thread's state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xl_rt_run(state: *mut GuestState) -> u32 {
    // SAFETY: as the caller promises.
    unsafe { host::dispatch::absent(state) }
}

/// See `abi::symbol::AGAIN`.
///
/// # Safety
/// Called by lifted code with its thread's state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xl_rt_again(state: *mut GuestState, pc: u64) -> u32 {
    // SAFETY: as the caller promises.
    unsafe { host::dispatch::again(state, pc) }
}
