//! Integration tests: a tiny random CLIP on tiny synthetic images with captions.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod embedded;
mod gallery;
mod index;
mod pairs;
mod settings;
mod shards;
mod support;
mod training;
