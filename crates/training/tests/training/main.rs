//! The training loop on tiny models and synthetic data.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod config;
mod device;
mod drafts;
mod faults;
mod gradients;
mod precision;
mod resume;
mod runs;
mod start_from;
mod support;
