//! The same checks on every backend that this build has: `cargo test --release -p radapter-tests --features vulkan --test backends`.
//!
//! The CPU is always among them. Each other backend has its own tolerance, as its products are summed in another order and, on some
//! GPUs, in another precision; what it is compared with are the CPU's values, and PyTorch's where the golden files are at hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;
mod devices;
mod model;
#[path = "../support/model.rs"]
#[allow(dead_code, reason = "shared with the other tests, which use all of it")]
mod tiny;
