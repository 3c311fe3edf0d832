//! Fuzzes [`radapter_fuzz::masks::coco_results`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::masks::coco_results(data));
