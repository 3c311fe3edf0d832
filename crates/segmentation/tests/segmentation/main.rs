//! The crate from outside: a tiny random CLIP on tiny drawn images with label maps.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod mining;
mod peer;
mod regions;
mod segmenter;
mod settings;
mod support;
mod training;
