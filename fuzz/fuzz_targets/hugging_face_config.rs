//! Fuzzes [`radapter_fuzz::checkpoints::hugging_face_config`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::checkpoints::hugging_face_config(data));
