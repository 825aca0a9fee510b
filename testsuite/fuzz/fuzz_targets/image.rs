//! See `testsuite::fuzz::image`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| testsuite::fuzz::image(data));
