//! See `testsuite::fuzz::lift`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| testsuite::fuzz::lift(data));
