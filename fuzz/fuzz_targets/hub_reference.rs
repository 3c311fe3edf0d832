//! Fuzzes [`radapter_fuzz::checkpoints::hub_reference`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::checkpoints::hub_reference(data));
