//! Top-1, top-5 and per-class accuracy, and the confusion matrix.
//!
//! Everything here is a function of scores on the host. Ties go to the lower class index and NaN is
//! refused, so that results never depend on the sort.

mod bootstrap;
mod error;
mod evaluation;
mod ranking;
mod tally;

pub use bootstrap::{RESAMPLES, Resamples};
pub use error::AccuracyError;
pub use evaluation::{ClassAccuracy, Confusion, Evaluation};
pub use ranking::{rank, top_k};
pub use tally::{TOP, Tally};
