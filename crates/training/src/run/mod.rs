//! The folder of a run: its settings, metrics, results and report, and the model it becomes.

pub mod finetuned;
pub(crate) mod metrics;
pub(crate) mod options;
pub(crate) mod report;
pub(crate) mod results;
pub(crate) mod run_dir;
pub mod tensorboard;
