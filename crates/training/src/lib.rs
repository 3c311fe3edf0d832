//! Training loop that fine-tunes CLIP on a task's samples by a method, and resumes interrupted runs bit for bit.
//!
//! # Guarantees
//! * **Exact resume.** A run that is killed at any moment and resumed ends, on the CPU backend with the same
//!   number of threads, with the same bits as an uninterrupted one. Everything a step depends on is a function of the
//!   run's seed and the step's number, or is in the [state] that is saved: parameters, averages, moments, counters.
//! * **Atomic writes.** Files and state folders are written under another name, synced and renamed.
//! * **One declaration per setting.** [`TrainSettings`](config::TrainSettings) has key, type, default, range and help of each; a run
//!   records the values it used.
//! * **No task and no method by name.** A [`Task`] provides data and validation, a [`Method`] selects what is trained and how; a
//!   [`Plan`] makes a run of both.
//!
//! # The settings of a run
//! Values come in layers, each overriding the ones before: defaults, the task's, the method's, a recipe's, the user's.
//!
//! ```
//! use radapter_settings::{Facts, Schema, Settings};
//! use radapter_training::config::TrainSettings;
//!
//! # fn main() -> Result<(), radapter_settings::SettingsError> {
//! let task = Settings::from_toml("best = 'top1'\nalpha = 0.5", "the task")?;
//! let method = Settings::from_toml("method = 'r-adapter'", "the method")?;
//! let mut given = Settings::default();
//! given.assign("epochs=3")?;
//!
//! let schema = Schema::of::<TrainSettings>();
//! let facts = Facts { samples: 640, ..Facts::default() };
//! let settings: TrainSettings = schema.overlay(&[&task, &method, &given])?.resolve(&facts).part()?;
//! assert_eq!((settings.batch_size, settings.total_steps(640)), (64, 30));
//! // The learning rate rises over the warm-up, here of one step, and falls along a cosine.
//! let schedule = settings.schedule(30);
//! assert_eq!(schedule.lr_at(0), 5e-4);
//! assert!(schedule.lr_at(29) < 1e-5);
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//! | | |
//! |---|---|
//! | [`config`] | the trainer's settings |
//! | `task`, [`method`], [`tuning`] | what a task and a method are |
//! | [`plan`] | from settings to a run; `any`: the same for a task of a registry |
//! | `train`, `start`, `setup` | starting and resuming a run, and the checks before |
//! | `start_from` | starting from the weights of another run |
//! | `run_loop` | the loop, its batches, validation, teacher, memory check |
//! | `gradients` | the loss of a step and its gradients: whole, in parts, block by block, on several devices |
//! | `optimizer` | AdamW by parameter names, clipping, moving average, learning-rate schedule |
//! | [`state`] | parameters by name, saved states, early stopping |
//! | `run` | the run's folder: record, metrics, results, report, [`tensorboard`] |
//! | [`finetuned`] | the models of runs |
//! | [`choice`] | rules that choose a run's α |
//!
//! # Why not burn-train
//! It saves only whole epochs, loses an interrupted one, writes its files from three threads, so that a kill can
//! leave an inconsistent set, and keys the optimizer's state by identifiers that are random in each process.

mod any;
pub mod choice;
pub mod config;
mod data;
mod error;
pub mod finetuned;
mod gradients;
pub mod method;
mod model;
mod objective;
mod optimizer;
pub mod plan;
mod progress;
pub mod regularizer;
mod run;
mod run_loop;
mod setup;
mod start;
mod start_from;
pub mod state;
mod task;
mod train;
pub mod tuning;

pub use any::{AnyError, AnyInputs, AnyPlan, AnyTask, Registered};
pub use data::{DataError, Sample, SampleKey, SampleOrder, TrainData};
pub use error::TrainError;
pub use gradients::times::StepTimes;
pub use method::Method;
pub use objective::{ClassTexts, Contrastive, CrossEntropy, Objective, Side};
pub use optimizer::averaging::Averaging;
pub use optimizer::schedule::Schedule;
pub use plan::Plan;
pub use progress::{IgnoreProgress, ProgressEvent, ProgressListener, StepProgress};
pub use run::metrics::{Line, TrainLine, ValidationLine, read_metrics};
pub use run::options::{FreeMemory, RunOptions, TrainOutcome};
pub use run::report::{Best, Outcome, Report};
pub use run::run_dir::{OtherArithmetic, RunDir, RunRecord};
pub use run::tensorboard;
pub use run_loop::validation::Validator;
pub use setup::Setup;
pub use start::Start;
pub use task::{Parts, Sources, Task};
pub use train::{resume, train};
pub use tuning::Tuning;

/// Serializes a record of a run's folder as pretty-printed JSON.
///
/// # Panics
/// If the record has keys that are not strings, which no record has.
pub fn json(record: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(record).expect("a record of texts, numbers and lists is JSON")
}
