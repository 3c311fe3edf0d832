//! Ensembles in weight space: several models of one shape become one, which costs at inference what each of them does.
//!
//! | function | what it computes | source |
//! |---|---|---|
//! | [`interpolate`] | `(1 − α)·base + α·tuned` | WiSE-FT, arXiv 2109.01903; over the depth LiNeS, arXiv 2410.17146 |
//! | [`soup`] | the mean of models | model soups, arXiv 2203.05482 |
//! | [`stock`] | `base + t·mean(tuned − base)`, t for each tensor | Model Stock, arXiv 2403.19522 |
//! | [`soup_of_adapters`] | the adapters whose effect is the mean of several | |
//!
//! Models are read one tensor at a time, and the result goes into a [`Spool`](radapter_clip::state_dict::Spool), so that
//! memory holds one tensor of each model. Arithmetic is in f64; a result is f32, except that a tensor which is the same in
//! all models keeps its bytes.
//!
//! ```
//! use radapter_clip::state_dict::{RawTensor, Spool, StateDict};
//! use radapter_ensemble::{Member, soup};
//!
//! let model = |value| StateDict::from_iter([("logit_scale".to_owned(), RawTensor::from_f32([], vec![value]))]);
//! let (a, b) = (model(1.0), model(3.0));
//! let members = [Member { name: "a", state: &a }, Member { name: "b", state: &b }];
//! let mean = soup(&members, Spool::new(std::env::temp_dir())?)?;
//! assert_eq!(mean.get("logit_scale").map(RawTensor::to_f32), Some(vec![2.0]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adapters;
mod combine;
mod error;
mod interpolate;
mod soup;
mod stock;

pub use adapters::soup_of_adapters;
pub use combine::{Member, check_alike};
pub use error::EnsembleError;
pub use interpolate::{interpolate, mix};
pub use soup::soup;
pub use stock::{stock, stock_factor};
