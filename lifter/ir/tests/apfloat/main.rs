//! The evaluator's floating point against a second implementation that shares nothing with it or with qemu: LLVM's APFloat
//! in Rust. Products of corner values of each format, and random ones near them, in all rounding modes, with and without
//! flushing and default NaNs: result and cumulative flags. What APFloat leaves open (NaNs, flushing, when a result is
//! tiny) is written here after the Arm ARM's pseudocode (J1.3, shared/functions/float). `XLATE_TEST_FULL` takes more values.

mod arith;
mod convert;
mod oracle;
