//! Fuzzes [`radapter_fuzz::checkpoints::weight_index`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::checkpoints::weight_index(data));
