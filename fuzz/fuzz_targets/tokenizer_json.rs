//! Fuzzes [`radapter_fuzz::checkpoints::tokenizer_json`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::checkpoints::tokenizer_json(data));
