//! Tests across crates, through the command as a user runs it.
//!
//! They make the data that they need (a tiny CLIP, small drawn images). Those that compare with golden files of other programs read
//! them from `RADAPTER_GOLDEN`, else from `../shared/golden/clip-small` beside the workspace, and are skipped with a note if there
//! are none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli;
mod parity;
#[cfg(feature = "remote")]
mod remote;
mod support;
