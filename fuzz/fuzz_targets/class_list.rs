//! Fuzzes [`radapter_fuzz::masks::class_list`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::masks::class_list(data));
