//! Fuzzes [`radapter_fuzz::masks::label_map`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::masks::label_map(data));
