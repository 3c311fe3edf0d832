//! Fuzzes [`radapter_fuzz::index::embedded`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::index::embedded(data));
