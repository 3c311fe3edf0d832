//! CLIP as ONNX, which ONNX Runtime and transformers.js run.
//!
//! A model is written as the two towers or as one model that compares images with texts ([`Layout`]), in f32 or f16. R-Adapter's
//! adapters can stay in the graph with α as an input, so that one file has every trade-off between the base and the tuned model.
//!
//! ```
//! use radapter_clip::checkpoint::{Checkpoint, Format};
//! use radapter_clip::config::ClipConfig;
//! use radapter_files::Disk;
//! use radapter_onnx::{OnnxOptions, write_folder};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut config = ClipConfig::preset("ViT-B-32-quickgelu")?;
//! # config.embed_dim = 16;
//! # (config.vision.width, config.vision.heads, config.vision.layers, config.vision.mlp_width) = (32, 2, 1, 64);
//! # (config.text.width, config.text.heads, config.text.layers, config.text.mlp_width) = (16, 2, 1, 32);
//! // Random weights; `Checkpoint::open` reads trained ones.
//! let checkpoint = Checkpoint::new(config.clone(), config.random_state(0), Format::OpenClip, "random")?;
//! let folder = tempfile::tempdir()?;
//! let written = write_folder(&checkpoint, None, &OnnxOptions::default(), &Disk, folder.path())?;
//! assert_eq!(written, ["onnx/vision_model.onnx", "onnx/text_model.onnx"]);
//! assert!(folder.path().join("tokenizer.json").is_file());
//! # Ok(())
//! # }
//! ```
//!
//! | item | what it is for |
//! |---|---|
//! | [`write_folder`] | a folder that transformers.js loads |
//! | [`models`], [`OnnxFile`] | the models alone |
//! | [`OnnxOptions`], [`Opset`], [`OnnxDtype`], [`Layout`] | how they are written |
//!
//! Weights keep OpenCLIP's names and torch's layouts, and nodes are named for what they compute in OpenCLIP's modules. The same
//! model gives the same bytes.

mod block;
mod error;
mod file;
mod folder;
mod graph;
mod image_tower;
mod model;
mod options;
mod proto;
mod text_tower;

pub use error::OnnxError;
pub use file::OnnxFile;
pub use folder::{MODELS, write_folder};
pub use model::models;
pub use options::{Layout, OnnxDtype, OnnxOptions, Opset};

#[cfg(test)]
mod tests;
