//! The folder of a run: settings, metrics, results, report and trained parameters.

pub(crate) mod metrics;
pub(crate) mod options;
pub(crate) mod report;
pub(crate) mod results;
pub(crate) mod run_dir;
pub mod tensorboard;
pub(crate) mod tuned;
