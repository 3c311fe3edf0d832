//! Fuzzes [`radapter_fuzz::lists::list`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::lists::list(data));
