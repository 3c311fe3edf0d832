//! R-Adapter (Kim, Jeong, Kim, Kwak: "Efficient and Versatile Robust Fine-Tuning of Zero-shot Models", ECCV 2024,
//! arXiv 2408.05749) for [`radapter_clip`]'s CLIP.
//!
//! An adapter is a linear map behind a sublayer, before the residual sum: `y + s·F y`, with `F` a full matrix or a
//! product of two thin ones. Because nothing but a matrix product stands between it and the linear in front, it can be
//! [merged](merge()) into that linear, and the model that comes out is a plain CLIP of unchanged cost, which its type
//! says: `Clip<RAdapter>` goes in, `Clip` comes out.
//!
//! The way of the data:
//!
//! * [`AdapterConfig`] says where adapters stand and of which kind they are; [`attach`] builds them into a frozen model.
//! * While training they are dropped at random ([`Dropping`]) as a function of the forward pass's seed and step, and an
//!   average of them is kept ([`Ema`]).
//! * [`AdapterSet`] is their values on the host, [`AdapterFile`] the form in which they are stored.
//! * [`Alpha`] scales them ([`with_alpha`]), and [`merge`](merge()) and [`merge_state`] fold them in;
//!   [`merge_checked`] compares the embeddings before and after.
//!
//! No module holds a random generator, a training flag or a counter: what a forward pass does follows from its arguments.

mod alpha;
mod attach;
mod config;
mod draws;
mod dropping;
mod ema;
mod error;
mod file;
mod merge;
mod parameters;
mod probe;
mod radapter;
mod set;
mod weights;

pub use alpha::{Alpha, AlphaError};
pub use attach::{attach, attach_trained, with_alpha};
pub use config::{AdapterConfig, Layers, Rank, Scale, Sites, Towers};
pub use dropping::{DropMode, Dropping};
pub use ema::Ema;
pub use error::AdapterError;
pub use file::{AdapterFile, BaseMatch, FORMAT};
pub use merge::{Merged, merge, merge_checked, merge_state};
pub use parameters::{AdapterParameter, adapters, parameters};
pub use probe::{Probe, ProbeEmbeddings, tolerance};
pub use radapter::{LowRank, Map, RAdapter, Residual};
pub use set::AdapterSet;
pub use weights::{AdapterWeights, MapWeights};
