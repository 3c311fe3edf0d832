//! Fuzzes [`radapter_fuzz::masks::rle`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::masks::rle(data));
