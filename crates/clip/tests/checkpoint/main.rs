//! Checkpoints: every form in, both forms out, bit for bit; what is damaged, lies or is another model's is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod architecture;
mod damaged;
mod export;
#[cfg(feature = "hub")]
mod hub;
mod reading;
mod support;
