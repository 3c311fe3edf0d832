//! The network: image tower, text tower, and what may stand behind their sublayers.
//!
//! Activations travel as `[batch · tokens, width]`, so that every linear layer is one matrix product whatever the batch;
//! weights keep torch's `(out, in)` layout and the module fields OpenCLIP's names, so that a parameter's path is its name in
//! a checkpoint and no transposition can be forgotten.
//!
//! `clip` knows no fine-tuning method: a [`Block`] is generic over an [`Adapter`] of its attention and of its MLP, and
//! [`NoAdapter`], the default, is the plain CLIP.

mod activation;
mod adapter;
mod attention;
mod block;
mod clip;
mod context;
mod distinct_texts;
mod encoder;
mod image_tower;
mod init;
mod linear;
mod normalize;
mod passage;
mod place;
mod pooled;
mod precision;
mod state;
mod text_tower;
mod transformer;

pub use adapter::{Adapter, At, LinearLayer, NoAdapter, SoftPrompt};
pub use attention::Attention;
pub use block::{Block, Mlp};
pub use clip::Clip;
pub use context::{Context, Mode, Rows};
pub use distinct_texts::DistinctTexts;
pub use encoder::Encoder;
pub use image_tower::{ImageTower, PatchEmbedding};
pub use linear::{LayerNorm, Linear, Weights};
pub use normalize::l2_normalize;
pub use passage::Passage;
pub use place::{ParsePlaceError, Place, Site, Tower};
pub use pooled::Pooled;
pub use precision::{ParsePrecisionError, Precision};
pub use state::{ModelError, parameter_name};
pub use text_tower::{TextTower, TokenEmbedding};
pub use transformer::Transformer;
