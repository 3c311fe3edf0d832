//! Fuzzes [`radapter_fuzz::index::index_segment`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::index::index_segment(data));
