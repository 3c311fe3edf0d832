//! Fuzzes [`radapter_fuzz::index::index_manifest`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| radapter_fuzz::index::index_manifest(data));
