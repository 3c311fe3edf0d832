//! The losses of robust CLIP fine-tuning: MPM-NCE, InfoNCE and cross-entropy.
//!
//! Every loss is a pure function of tensors: no module, no state, no files and no random numbers. Labels are host data,
//! because which pairs are positives never needs a gradient; a mask is built on the host and uploaded once per call.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use radapter_losses::{MpmNceConfig, Positives, mpm_nce};
//!
//! # fn main() -> Result<(), radapter_losses::LossError> {
//! # fn normalized_embeddings() -> Tensor<2> { Tensor::from_data([[1.0, 0.0], [0.0, 1.0]], &Device::flex()) }
//! let (image, text) = (normalized_embeddings(), normalized_embeddings());
//! let positives = Positives::from_labels(&["cat", "dog"]);
//! let loss: Tensor<1> = mpm_nce(image, text, &positives, &MpmNceConfig::default())?;
//! # Ok(())
//! # }
//! ```
//!
//! | item | what it is |
//! |---|---|
//! | [`mpm_nce`], [`MpmNceConfig`] | multi-positive margin NCE, R-Adapter's loss |
//! | [`info_nce`] | the loss CLIP was pretrained with |
//! | [`cross_entropy`] | cross-entropy over class logits with label smoothing |
//! | [`Positives`] | which pairs of a batch belong together |
//! | [`calibration`] | likelihood, best temperature and calibration error of logits on the host |

pub mod calibration;
mod cross_entropy;
mod error;
mod mpm_nce;
mod positives;

pub use cross_entropy::cross_entropy;
pub use error::LossError;
pub use mpm_nce::{MpmNceConfig, info_nce, mpm_nce};
pub use positives::Positives;
