//! Adapters against PyTorch's values, by their properties, and with invalid files.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod dropping;
mod files;
mod golden;
mod initial;
mod merging;
mod properties;
mod savings;
mod settings;
mod support;
mod training;
