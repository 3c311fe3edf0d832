//! Errors of training runs.

use std::path::{Path, PathBuf};

use radapter_clip::model::{Precision, Unit};
use radapter_files::{IoError, io_error};
use radapter_losses::LossError;

use crate::data::DataError;

/// Why a run could not start, continue or end. Steps and epochs are counted from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum TrainError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The folder of a new run already holds a run.
    #[error(
        "{path} already holds a run; resume it (`--resume`), or choose another directory",
        path = path.display()
    )]
    RunExists { path: PathBuf },
    /// Another process is training the run.
    #[error("{path}: another process is training this run; wait for it, or stop it", path = path.display())]
    Busy { path: PathBuf },
    /// The folder for a new run holds other files.
    #[error("{path} is not empty (it contains {found}); choose another directory for the run", path = path.display())]
    NotEmpty { path: PathBuf, found: String },
    /// The folder holds no run.
    #[error("{path} is not a run directory: it has no {file}", path = path.display())]
    NoRun { path: PathBuf, file: &'static str },
    /// A file of the run is damaged, or of another version.
    #[error("{path} is unreadable: {reason}", path = path.display())]
    Unreadable { path: PathBuf, reason: String },
    /// A saved state is missing or damaged. `older` is the step of an older state that may be resumed instead.
    #[error(
        "the saved state {path} cannot be used: {reason}{hint}",
        path = path.display(),
        hint = older_hint(*older)
    )]
    State { path: PathBuf, reason: String, older: Option<u64> },
    /// A resumed run got a setting that differs from the recorded one.
    #[error("a resumed run cannot change `{key}`: the run has {run}, found {given}")]
    Contradiction { key: String, run: String, given: String },
    /// A resumed run of bf16 would be computed by another unit than before.
    #[error(
        "the run's bf16 was computed by {of_run}, and here it would be by {here}, which rounds differently: the result would not be \
         that of an uninterrupted run. Resume it where bf16 is computed by {of_run}, or accept this with --allow-other-arithmetic, \
         which the run records",
        of_run = unit_name(*run),
        here = unit_name(*found)
    )]
    OtherArithmetic {
        /// `None` for another device than the CPU.
        run: Option<Unit>,
        /// `None` for another device than the CPU.
        found: Option<Unit>,
    },
    /// A run whose weights a new run cannot start from.
    #[error("{run} cannot start this run: {reason}", run = run.display())]
    StartFrom { run: PathBuf, reason: String },
    /// A batch is too small for the loss.
    #[error("step {step} has {found} samples, but the loss needs at least {needed}; raise batch_size, or add samples")]
    BatchTooSmall { step: u64, found: usize, needed: usize },
    /// A step cannot fit into the device's memory. Sizes are in bytes, `needed` is a lower bound, and `part` counts samples run at once.
    #[error(
        "running {part} samples at once needs at least {needed:.1} GiB, but the device has {available:.1} GiB free; {advice}",
        needed = gib(*needed),
        available = gib(*available)
    )]
    Memory { part: usize, needed: u64, available: u64, advice: String },
    /// The device failed in a step: out of memory, lost, or a fault of its library. `saved` is the last step with a saved state.
    #[error("the device failed in step {step}: {reason}; {saved}; `--resume` continues the run. If its memory ran out, \
             micro_batch gives the same gradients in smaller parts, and checkpointing = true uses less memory", saved = saved_hint(*saved))]
    Device { step: u64, reason: String, saved: Option<u64> },
    /// The training set has no samples.
    #[error("the training set is empty")]
    NoSamples,
    /// The method does not keep to what [`Tuning`](crate::Tuning) asks of it.
    #[error("the method is faulty: {reason}")]
    Method { reason: String },
    /// No parameter would be trained.
    #[error("{reason}")]
    NothingToTrain { reason: String },
    /// A sample could not be loaded.
    #[error(
        "sample {index} of the training set (epoch {epoch}): {error}; on_error = \"skip\" leaves out what cannot be read"
    )]
    Data { index: usize, epoch: u64, error: DataError },
    /// The sample order of an epoch could not be determined.
    #[error("the sample order of epoch {epoch}: {error}")]
    Order { epoch: u64, error: DataError },
    /// A sample does not have the shape that the model needs.
    #[error("sample {index} of the training set: {what}: expected {expected}, found {found}")]
    SampleShape { index: usize, what: &'static str, expected: String, found: String },
    /// The code that loads samples panicked.
    #[error("loading a training sample panicked: {message}")]
    LoaderPanicked { message: String },
    /// The loss or its gradient is NaN or infinite. `last_good` is the last step whose parameters are finite.
    #[error(
        "step {step}: the {what} is {value}. The parameters of step {last_good} are kept. Try a lower learning rate (now \
         {lr:e}), a higher loss.temperature, a longer warmup, or clip_norm = 1{f16}; NaN in the first step points to the model or \
         the images", f16 = f16_hint(*precision)
    )]
    NotFinite { step: u64, what: &'static str, value: f64, last_good: u64, lr: f64, precision: Precision },
    /// The loss could not be computed.
    #[error("step {step}: {error}")]
    Loss { step: u64, error: LossError },
    /// The task's validation failed.
    #[error("validation after step {step}: {error}")]
    Validation { step: u64, error: Box<dyn std::error::Error + Send + Sync> },
    /// The metric for selecting the best state is not one of the validation's.
    #[error("`best = \"{metric}\"` is not a validation metric; expected one of {found}")]
    NoSuchMetric { metric: String, found: String },
    #[error(transparent)]
    Settings(#[from] radapter_settings::SettingsError),
    #[error(transparent)]
    Model(#[from] radapter_clip::model::ModelError),
    /// The run belongs to another task.
    #[error("{path} is a run of task {found}; expected task {expected}", path = path.display())]
    OtherTask { path: PathBuf, expected: &'static str, found: String },
    /// The adapters do not fit the model.
    #[error(transparent)]
    Adapter(Box<radapter_adapter::AdapterError>),
    /// The run is trained, but its α could not be chosen.
    #[error("the run is trained, but alpha could not be chosen: {0}; `radapter sweep --select` can choose it later")]
    Choice(Box<crate::choice::ChoiceError>),
}

fn unit_name(unit: Option<Unit>) -> &'static str {
    match unit {
        Some(Unit::Amx) => "the processor's matrix unit (unit = \"amx\")",
        Some(Unit::F32) => "f32 arithmetic (unit = \"f32\")",
        None => "another device than the CPU",
    }
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

fn f16_hint(precision: Precision) -> &'static str {
    match precision {
        Precision::F16 => ", or precision = bf16 or f32, whose range does not end at 65504",
        Precision::F32 | Precision::Bf16 => "",
    }
}

fn saved_hint(saved: Option<u64>) -> String {
    match saved {
        Some(step) => format!("the state of step {step} is saved"),
        None => "no state is saved".to_owned(),
    }
}

fn older_hint(older: Option<u64>) -> String {
    match older {
        Some(step) => format!("; an older state exists, of step {step}: resume from it with `--from-step {step}`"),
        None => "; there is no older state".to_owned(),
    }
}

impl TrainError {
    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |error| io_error(action, path)(error).into()
    }
}
