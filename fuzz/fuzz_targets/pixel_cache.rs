//! Fuzzes [`radapter_fuzz::images::pixel_cache`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::images::pixel_cache(data));
