//! Fuzzes [`radapter_fuzz::captions::coco_captions`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::captions::coco_captions(data));
