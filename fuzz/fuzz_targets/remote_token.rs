//! Fuzzes [`radapter_fuzz::remote::remote_token`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::remote::remote_token(data));
