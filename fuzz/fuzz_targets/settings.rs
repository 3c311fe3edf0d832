//! Fuzzes [`radapter_fuzz::runs::settings`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::runs::settings(data));
