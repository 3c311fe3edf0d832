//! Fuzzes [`radapter_fuzz::images::gif`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::images::gif(data));
