//! Fuzzes [`radapter_fuzz::lists::table`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::lists::table(data));
