//! Integration tests: a tiny random CLIP on tiny synthetic images.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calibration;
mod data;
mod evaluation;
mod finetuned;
mod head;
mod imagenet;
mod plan;
mod settings;
mod support;
mod training;
