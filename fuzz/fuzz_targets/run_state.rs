//! Fuzzes [`radapter_fuzz::runs::run_state`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::runs::run_state(data));
