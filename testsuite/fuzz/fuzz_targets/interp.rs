//! See `testsuite::fuzz::interp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| testsuite::fuzz::interp(data));
