//! Top-1 and top-5 accuracy, accuracy of each class, confusion.
//!
//! Everything here is a function of scores on the host. Ties go to the lower class index and NaN is
//! refused, so that results never depend on the sort.

mod error;
mod evaluation;
mod ranking;
mod tally;

pub use error::AccuracyError;
pub use evaluation::{ClassAccuracy, Confusion, Evaluation};
pub use ranking::{rank, top_k};
pub use tally::Tally;
