//! Integration tests: a tiny random CLIP on tiny synthetic images with label maps.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod mining;
mod peer;
mod regions;
mod segmenter;
mod settings;
mod support;
mod training;
