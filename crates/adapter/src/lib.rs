//! R-Adapter (Kim, Jeong, Kim, Kwak: "Efficient and Versatile Robust Fine-Tuning of Zero-shot Models", ECCV 2024,
//! arXiv 2408.05749) for [`radapter_clip`]'s CLIP.
//!
//! An adapter is a linear map after a sublayer, before the residual sum: `y + s·F y`, with `F` a full matrix or a
//! product of two thin ones. As only linear maps follow each other there, it can be [merged](merge()) into the linear
//! before it, and the result is a plain CLIP of unchanged cost. The types show it: `Clip<RAdapter>` goes in, `Clip`
//! comes out.
//!
//! ```
//! use burn::tensor::Device;
//! use radapter_adapter::{AdapterConfig, AdapterSet, Alpha, attach, merge_checked};
//! use radapter_clip::config::ClipConfig;
//! use radapter_clip::model::Clip;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut config = ClipConfig::preset("ViT-B-32-quickgelu")?;
//! # config.embed_dim = 16;
//! # (config.vision.width, config.vision.heads, config.vision.layers, config.vision.mlp_width) = (32, 2, 1, 64);
//! # (config.text.width, config.text.heads, config.text.layers, config.text.mlp_width) = (16, 2, 1, 32);
//! let clip = Clip::from_state(&config, &config.random_state(0), &Device::flex().autodiff())?;
//! // Frozen, with an adapter after every attention and every MLP, which training would change.
//! let adapted = attach(clip, &AdapterConfig::default(), 0)?;
//! let adapters = AdapterSet::from_model(&adapted);
//! assert_eq!(adapters.len(), 4);
//! // Half of what was trained, folded into the weights.
//! let merged = merge_checked(&adapted, Alpha::new(0.5)?)?;
//! assert!(merged.difference < 1e-6);
//! # Ok(())
//! # }
//! ```
//!
//! | item | what it is for |
//! |---|---|
//! | [`AdapterConfig`], [`attach`] | where adapters are placed, and their form; attaching them to a frozen model |
//! | [`Dropping`] | dropping adapters at random while training |
//! | [`AdapterSet`], [`AdapterFile`] | the adapters' values on the host, and the file that stores them |
//! | [`Alpha`], [`Alphas`], [`with_alpha`] | re-scaling the adapters at inference, alike or each by its own α |
//! | [`merge()`], [`merge_checked`] | folding the adapters of a model in memory into its weights |
//! | [`merge_state`], [`merge_checkpoint`] | the same on a checkpoint's tensors |
//! | [`Probe`] | comparing two models' embeddings |
//!
//! No module holds a random generator, a training flag or a counter: what a forward pass does follows from its arguments.

mod alpha;
mod alphas;
mod attach;
mod config;
mod draws;
mod dropping;
mod error;
mod file;
mod merge;
mod parameters;
mod probe;
mod radapter;
mod set;
mod weights;

pub use alpha::Alpha;
pub use alphas::{Alphas, Depth, EachAlpha, TowerAlphas, place_of};
pub use attach::{attach, attach_trained, with_alpha};
pub use config::{AdapterConfig, Layers, Rank, Scale, Sites, Towers};
pub use dropping::{DropMode, Dropping};
pub use error::AdapterError;
pub use file::{AdapterFile, BaseMatch, FORMAT};
pub use merge::{Merged, merge, merge_checked, merge_checkpoint, merge_state};
pub use parameters::{AdapterParameter, adapters, parameters};
pub use probe::{Probe, ProbeEmbeddings, tolerance};
pub use radapter::{LowRank, Map, RAdapter, Residual};
pub use set::AdapterSet;
pub use weights::{AdapterWeights, MapWeights};
