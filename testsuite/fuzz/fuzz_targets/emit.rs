//! See `testsuite::fuzz::emit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| testsuite::fuzz::emit(data));
