//! The same checks on every backend that this build has: `cargo test --release -p radapter-tests --features vulkan --test backends`.
//!
//! The CPU is always among them. Each other backend is compared with the CPU's values, and with PyTorch's if the golden files are
//! available. Each has its own tolerance, because it sums products in another order and, on some GPUs, in another precision.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;
mod devices;
mod model;
#[path = "../support/model.rs"]
#[allow(dead_code, reason = "shared with the other tests, which use all of it")]
mod tiny;
