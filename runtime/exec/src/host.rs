//! The two things the engines ask of the host processor and its kernel: the floating-point control and status word
//! that lifted code runs under, and the monotonic clock.
//!
//! # Safety
//! MXCSR is read and written; Rust code does not depend on it (it does no floating-point arithmetic here).
#![allow(unsafe_code)]

use std::arch::asm;

/// All exceptions masked, round to nearest, no flags.
pub(crate) const MXCSR_DEFAULT: u32 = 0x1f80;

/// The host's MXCSR.
pub(crate) fn mxcsr() -> u32 {
    let mut word = 0u32;
    // SAFETY: STMXCSR writes the 4 bytes of `word` and touches nothing else.
    unsafe { asm!("stmxcsr [{}]", in(reg) &mut word, options(nostack, preserves_flags)) };
    word
}

/// Sets MXCSR: rounding, flushing, flags and traps, no reserved bit.
pub(crate) fn set_mxcsr(word: u32) {
    // SAFETY: LDMXCSR reads 4 bytes. Unmasked exceptions are handled by the runtime's signal handler, and Rust code does no
    // floating-point arithmetic here.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &word, options(nostack, preserves_flags, readonly)) };
}

/// Does `f`, which computes with floating-point numbers of its own, in the default mode, and leaves MXCSR, flags and all, as it was.
pub fn apart<T>(f: impl FnOnce() -> T) -> T {
    let word = mxcsr();
    set_mxcsr(MXCSR_DEFAULT);
    let result = f();
    set_mxcsr(word);
    result
}

/// CNTVCT_EL0: nanoseconds of CLOCK_MONOTONIC, as `abi::COUNTER_HZ` says.
pub(crate) fn counter() -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of this frame.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    (t.tv_sec as u64).wrapping_mul(abi::COUNTER_HZ).wrapping_add(t.tv_nsec as u64)
}
