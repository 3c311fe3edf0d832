//! The network: image tower, text tower, and hooks for fine-tuning methods.
//!
//! Activations travel as `[batch · tokens, width]`, so that every linear layer is one matrix product whatever the batch;
//! weights keep torch's `(out, in)` layout and the module fields OpenCLIP's names, so that a parameter's path is its name in
//! a checkpoint and no transposition can be forgotten.
//!
//! `clip` knows no fine-tuning method: a [`Block`] is generic over an [`Adapter`] of its attention and of its MLP, and
//! [`NoAdapter`], the default, is the plain CLIP.

mod adapter;
mod attention;
mod block;
mod clip;
mod context;
mod encoder;
mod image_tower;
mod init;
mod layers;
mod precision;
mod soft_prompt;
mod state;
mod text_tower;
mod transformer;

pub use adapter::{Adapter, LinearLayer, NoAdapter};
pub use attention::Attention;
pub use block::{Block, Mlp};
pub use clip::Clip;
pub use context::{At, Context, Mode, ParsePlaceError, Place, Rows, Site, Tower};
pub use encoder::Encoder;
pub use image_tower::{ImageTower, PatchEmbedding};
pub use layers::{LayerNorm, Linear, l2_normalize};
pub use precision::{ParsePrecisionError, Precision, PrecisionChoice, Unit};
pub use radapter_kernels::Weights;
pub use soft_prompt::SoftPrompt;
pub use state::{ModelError, parameter_name};
pub use text_tower::{DistinctTexts, TextTower, TokenEmbedding};
pub use transformer::{Passage, Pooled, Transformer};
