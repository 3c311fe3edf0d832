//! Top-1 and top-5 accuracy, accuracy of each class, confusion.
//!
//! Everything here is a function of scores on the host. Equal scores are broken by the lower class index and NaN is
//! refused, so that a number never depends on how a sort happened to go.

mod error;
mod evaluation;
mod ranking;
mod tally;

pub use error::AccuracyError;
pub use evaluation::{ClassAccuracy, Confusion, Evaluation};
pub use ranking::{rank, top_k};
pub use tally::Tally;
