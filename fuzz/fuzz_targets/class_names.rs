//! Fuzzes [`radapter_fuzz::lists::class_names`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::lists::class_names(data));
