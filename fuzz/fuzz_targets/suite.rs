//! Fuzzes [`radapter_fuzz::runs::suite`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::runs::suite(data));
