//! The losses against PyTorch's values, against a plain double-precision reference, and by their properties.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its own fixture should stop")]

mod cross_entropy;
mod finite_differences;
mod golden;
mod properties;
mod refusals;
mod support;
