//! Fuzzes [`radapter_fuzz::masks::npz`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::masks::npz(data));
