//! Robust fine-tuning of CLIP by R-Adapter (Kim et al., ECCV 2024): raises accuracy on your data and keeps more accuracy elsewhere
//! than full fine-tuning.
//!
//! This crate re-exports the others and holds the `radapter` command.
//!
//! | module | |
//! |---|---|
//! | [`images`] | image files to model input: decoding, exact resize and crop, the pixel cache |
//! | [`clip`] | the model: towers, tokenizer, checkpoints |
//! | [`adapter`] | the adapters: dropping, averaging, re-scaling, merging |
//! | [`ensemble`] | models mixed in weight space: interpolation, soups, Model Stock |
//! | [`onnx`] | models as ONNX files, which ONNX Runtime and transformers.js run |
//! | [`losses`] | MPM-NCE, InfoNCE, cross-entropy |
//! | [`datasets`] | folders, tables, captions, templates, augmentation, the drawn world |
//! | [`embedding`] | images and texts to embeddings |
//! | [`settings`] | settings declared once: parsing, checks, layers, listings |
//! | [`training`] | the training loop, tasks and methods |
//! | [`methods`] | R-Adapter, full fine-tuning, FLYP, OVSeg by name |
//! | [`classification`] | zero-shot heads, accuracy, suites |
//! | [`retrieval`] | recall at K, training on captions, a searchable index of images |
//! | [`segmentation`] | masks, open-vocabulary label maps, mIoU, training on masked regions |
//! | [`tasks`] | the registry of tasks |
//!
//! # Adapters merge into the weights
//! The result of training is a plain CLIP of unchanged cost:
//!
//! ```
//! use burn::tensor::Device;
//! use radapter::adapter::{AdapterConfig, Alpha, attach, merge_checked};
//! use radapter::clip::config::ClipConfig;
//! use radapter::clip::model::{Clip, Context};
//! use radapter::clip::tokenizer::Tokenizer;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Any checkpoint does; here a tiny one with random weights.
//! let mut config = ClipConfig::preset("ViT-B-32")?;
//! (config.vision.width, config.vision.mlp_width, config.vision.layers) = (32, 64, 1);
//! (config.text.width, config.text.mlp_width, config.text.layers) = (32, 64, 1);
//! (config.vision.heads, config.text.heads) = (2, 2);
//! let device = Device::flex();
//! let clip = Clip::from_state(&config, &config.random_state(0), &device)?;
//!
//! let adapted = attach(clip, &AdapterConfig::default(), 0)?;
//! // ... train it ...
//! let merged = merge_checked(&adapted, Alpha::new(0.5)?)?;
//!
//! let text = Tokenizer::clip().encode("a photo of a cat.", 77);
//! let embedding = merged.clip.encode_text(&[text], &Context::inference());
//! assert_eq!(embedding.dims(), [1, 512]);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//! `flex` (CPU, default), `cuda`, `wgpu`, `vulkan`, `metal` compile backends in; `hub` reads `hf://owner/name`; `embedded`
//! contains the small model; `command` is the `radapter` command. Libraries set `default-features = false` and name the backends
//! they need.

pub use radapter_adapter as adapter;
pub use radapter_classification as classification;
pub use radapter_clip as clip;
pub use radapter_datasets as datasets;
pub use radapter_embedding as embedding;
pub use radapter_ensemble as ensemble;
pub use radapter_images as images;
pub use radapter_losses as losses;
pub use radapter_methods as methods;
pub use radapter_onnx as onnx;
pub use radapter_retrieval as retrieval;
pub use radapter_segmentation as segmentation;
pub use radapter_settings as settings;
pub use radapter_training as training;

#[cfg(feature = "command")]
pub mod command;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod tasks;
