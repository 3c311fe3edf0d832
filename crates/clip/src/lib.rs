//! A complete CLIP on [burn]: image tower, text tower, tokenizer, and checkpoints in OpenCLIP's
//! and Hugging Face's formats, read and written exactly.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use radapter_clip::config::ClipConfig;
//! use radapter_clip::model::{Clip, Context};
//! use radapter_clip::tokenizer::Tokenizer;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Two small towers with random weights; `Checkpoint::open` reads trained ones.
//! let mut config = ClipConfig::preset("ViT-B-32-quickgelu")?;
//! config.embed_dim = 16;
//! (config.vision.width, config.vision.heads, config.vision.layers, config.vision.mlp_width) = (32, 2, 1, 64);
//! (config.text.width, config.text.heads, config.text.layers, config.text.mlp_width) = (16, 2, 1, 32);
//! let device = Device::flex();
//! let clip = Clip::from_state(&config, &config.random_state(0), &device)?;
//!
//! let texts = ["a photo of a cat", "a photo of a dog"];
//! let tokens = Tokenizer::clip().encode_batch(&texts, config.text.context_length);
//! let texts = clip.encode_text(&tokens, &Context::inference());
//! let images = clip.encode_image(Tensor::zeros([1, 3, 224, 224], &device), &Context::inference());
//! // Embeddings have length 1, so that their product is the cosine.
//! assert_eq!(images.matmul(texts.transpose()).dims(), [1, 2]);
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`checkpoint`] | [`Checkpoint`](checkpoint::Checkpoint): config and tensors of every published format, read and written |
//! | [`config`] | [`ClipConfig`](config::ClipConfig): sizes and activation, presets, OpenCLIP's and transformers' JSON |
//! | [`model`] | [`Clip`](model::Clip): the forward pass, and [`Adapter`](model::Adapter), the hooks for fine-tuning methods |
//! | [`state_dict`] | [`StateDict`](state_dict::StateDict): tensors by name as they are stored |
//! | [`tokenizer`] | [`Tokenizer`](tokenizer::Tokenizer): CLIP's byte-pair encoding, text cleaning included |

pub mod checkpoint;
pub mod config;
pub mod model;
pub mod state_dict;
pub mod tokenizer;
