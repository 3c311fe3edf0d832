//! Tests across crates, through the command as a user runs it.
//!
//! They make what they need (a tiny CLIP, small drawn images). Those that compare with golden files of other programs look for them
//! where `RADAPTER_GOLDEN` says, else in `../shared/golden/clip-small` beside the workspace, and say so when there are none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli;
mod parity;
#[cfg(feature = "remote")]
mod remote;
mod support;
