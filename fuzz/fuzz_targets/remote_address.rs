//! Fuzzes [`radapter_fuzz::remote::remote_address`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::remote::remote_address(data));
