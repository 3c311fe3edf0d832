//! Fuzzes [`radapter_fuzz::captions::tar_shard`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::captions::tar_shard(data));
