//! Fuzzes [`radapter_fuzz::captions::caption_table`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::captions::caption_table(data));
