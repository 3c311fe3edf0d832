//! Fuzzes [`radapter_fuzz::captions::karpathy`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::captions::karpathy(data));
