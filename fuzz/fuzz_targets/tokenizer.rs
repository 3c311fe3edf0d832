//! Fuzzes [`radapter_fuzz::text::tokenizer`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::text::tokenizer(data));
