//! Fuzzes [`radapter_fuzz::images::tiff`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::images::tiff(data));
