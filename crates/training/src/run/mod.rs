//! The folder of a run: its settings, metrics, results and report, and what it leaves of its training.

pub(crate) mod metrics;
pub(crate) mod options;
pub(crate) mod report;
pub(crate) mod results;
pub(crate) mod run_dir;
pub mod tensorboard;
pub(crate) mod tuned;
