//! The training loop: it turns a CLIP, training samples and an objective into adapters (or tuned weights), on burn-train's
//! learner, and knows no task.
//!
//! # What it promises
//! * **The same run after a resume.** A run that is killed at any moment and resumed ends, on the CPU backend with the same
//!   number of threads, with the same bits as one that never stopped. Everything a step depends on is a function of the
//!   run's seed and the step's number, or is in the [state] that is saved: parameters, averages, moments, counters.
//! * **Nothing half-written.** Files and state folders are written aside, synced and renamed.
//! * **One source of truth for settings.** [`TrainConfig`](config::TrainConfig) is what a user says, resolved once into
//!   [`ResolvedConfig`](config::ResolvedConfig), which the run directory records.
//!
//! # Why not burn-train's own loop
//! It saves only whole epochs, loses the work of an interrupted one, writes its files from three threads, so that a kill can
//! leave a set that does not belong together, and keys the optimizer's state by identifiers that are random in each process.
//! So [`train`] runs burn-train's learner, metrics and event store under its own strategy, with state keyed by parameter
//! names.

mod cached;
mod checkpointed;
pub mod config;
mod data;
mod error;
pub mod finetuned;
mod loader;
mod memory;
mod metrics;
mod model;
mod objective;
mod optimizer;
mod parameters;
mod progress;
mod renderer;
mod report;
mod results;
mod run_dir;
mod run_options;
mod scalar;
mod schedule;
pub mod state;
mod stopping;
mod strategy;
mod tensor_file;
pub mod tensorboard;
mod train;
mod tuning;
mod validation;
mod workers;

pub use data::{DataError, Sample, SampleKey, SampleOrder, TrainData};
pub use error::TrainError;
pub use metrics::{Line, StepTimes, TrainLine, ValidationLine, read_metrics};
pub use objective::{Contrastive, CrossEntropy, Objective, Side};
pub use progress::{Progress, ProgressEvent, Silent, StepProgress};
pub use report::{Best, Outcome, Report};
pub use run_dir::{RunDir, RunRecord};
pub use run_options::{FreeMemory, RunOptions, TrainOutcome};
pub use schedule::Schedule;
pub use train::{Setup, resume, train};
pub use validation::Validator;
