//! Fuzzes [`radapter_fuzz::checkpoints::safetensors`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::checkpoints::safetensors(data));
