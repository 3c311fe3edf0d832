//! Fuzzes [`radapter_fuzz::images::webp`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::images::webp(data));
