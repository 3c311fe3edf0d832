//! Fuzzes [`radapter_fuzz::checkpoints::adapter_file`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::checkpoints::adapter_file(data));
