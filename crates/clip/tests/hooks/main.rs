//! Hooks for fine-tuning methods: their results equal the same computation without hooks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod low_rank;
mod prompts;
mod sublayers;
