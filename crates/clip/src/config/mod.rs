//! The architecture of a CLIP, in one form for every config format.
//!
//! Every format a checkpoint may come in ([OpenCLIP's JSON](ClipConfig::from_open_clip_json), [Hugging Face's
//! JSON](ClipConfig::from_hugging_face_json), a [preset's name](ClipConfig::preset)) ends in a [`ClipConfig`], which is
//! also what a run directory records. A key that asks for a network that is not built here is an error, so that no
//! model loads and silently computes something else.

mod error;
mod hugging_face;
mod json;
mod open_clip;
mod presets;
mod tensors;
mod validate;

use radapter_images::{Preprocess, PreprocessConfig};
use serde::{Deserialize, Serialize};

pub use error::ConfigError;
pub(crate) use hugging_face::may_be_clip_tokenizer;
pub use presets::PRESETS;
pub use tensors::is_ignored_buffer;

/// The architecture of a CLIP, two towers with one embedding size, and its image preprocessing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the types are documented")]
pub struct ClipConfig {
    /// Size of the shared embedding.
    pub embed_dim: usize,
    /// Activation inside the MLPs of both towers.
    pub activation: Activation,
    pub vision: VisionConfig,
    pub text: TextConfig,
    /// Applied to an image before the image tower.
    #[serde(default)]
    pub preprocess: PreprocessConfig,
}

/// The activation inside a block's MLP.
///
/// OpenAI's weights were trained with QuickGELU, most later ones with GELU. The weights do not record which, and the
/// wrong one costs accuracy without an error, so it always comes from a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `x · Φ(x)`, the exact form with erf.
    Gelu,
    /// `x · σ(1.702 x)`.
    QuickGelu,
}

/// The image tower: a pre-LN vision transformer with a class token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the name says it")]
pub struct VisionConfig {
    /// Side of the square input in pixels.
    pub image_size: usize,
    /// Side of a square patch in pixels.
    pub patch_size: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Number of residual blocks.
    pub layers: usize,
    /// Number of attention heads; divides `width`.
    pub heads: usize,
    /// Width of the MLP's hidden layer.
    pub mlp_width: usize,
    #[serde(default = "default_layer_norm_eps")]
    pub layer_norm_eps: f64,
}

/// The text tower: a causal transformer, pooled at the end-of-text token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the name says it")]
pub struct TextConfig {
    /// Number of position embeddings, the longest text in tokens.
    pub context_length: usize,
    /// Number of token embeddings.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Number of attention heads; divides `width`.
    pub heads: usize,
    /// Number of residual blocks.
    pub layers: usize,
    /// Width of the MLP's hidden layer.
    pub mlp_width: usize,
    #[serde(default = "default_layer_norm_eps")]
    pub layer_norm_eps: f64,
}

impl ClipConfig {
    /// Creates the transform from a decoded image to the image tower's input.
    pub fn preprocessor(&self) -> Preprocess {
        Preprocess::new(self.vision.image_size, &self.preprocess)
    }
}

impl VisionConfig {
    /// Patches along one side.
    pub fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }

    /// Tokens of one image: the class token and the patches.
    pub fn tokens(&self) -> usize {
        1 + self.grid() * self.grid()
    }
}

/// The default of torch, OpenCLIP and transformers.
pub(crate) const LAYER_NORM_EPS: f64 = 1e-5;

fn default_layer_norm_eps() -> f64 {
    LAYER_NORM_EPS
}
