//! Configs: presets, OpenCLIP's and Hugging Face's JSON, and refused values.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod both_forms;
mod hugging_face;
mod open_clip;
mod presets;
mod support;
