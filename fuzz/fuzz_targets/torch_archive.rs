//! Fuzzes [`radapter_fuzz::checkpoints::torch_archive`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::checkpoints::torch_archive(data));
