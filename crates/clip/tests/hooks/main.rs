//! The seam for fine-tuning methods: what hooks compute equals the same computed without them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod low_rank;
mod prompts;
mod sublayers;
