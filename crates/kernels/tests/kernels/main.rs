//! Every kernel against the same function composed of burn's own operations, or against double precision.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adamw;
mod attention;
mod bf16;
mod gelu;
mod layer_norm;
mod matmul_add;
mod patches;
mod quick_gelu;
mod support;
mod threads;
