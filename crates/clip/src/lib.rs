//! A complete CLIP on [burn]: image tower, text tower, tokenizer, and checkpoints in OpenCLIP's
//! and Hugging Face's formats, read and written exactly.

pub mod checkpoint;
pub mod config;
pub mod model;
pub mod state_dict;
pub mod tokenizer;
