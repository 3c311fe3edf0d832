//! Fuzzes [`radapter_fuzz::checkpoints::open_clip_config`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::checkpoints::open_clip_config(data));
