//! Checkpoints: every form is read, both forms are written bit for bit; damaged, inconsistent and foreign files are
//! refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod architecture;
mod archives;
mod damaged;
mod export;
mod foreign;
#[cfg(feature = "hub")]
mod hub;
mod reading;
mod support;
mod tokenizers;
