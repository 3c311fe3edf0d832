use std::path::{Path, PathBuf};

use radapter_clip::model::Precision;
use radapter_files::{IoError, io_error};
use radapter_losses::LossError;

use crate::data::DataError;

/// Why a run could not start, go on or end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The run directory is there already.
    #[error(
        "{path} holds a run already: resume it (`--resume`), or choose another directory",
        path = path.display()
    )]
    RunExists {
        /// The directory.
        path: PathBuf,
    },
    /// Another process works on the run.
    #[error("{path}: another process is training this run; wait for it, or stop it", path = path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// The folder for a new run has something else in it.
    #[error("{path} is not empty (it has {found}): choose another directory for the run", path = path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// One of the things in it.
        found: String,
    },
    /// The directory holds no run.
    #[error("{path} is no run directory: it has no {file}", path = path.display())]
    NoRun {
        /// The directory.
        path: PathBuf,
        /// The file that makes a run directory.
        file: &'static str,
    },
    /// A file of the run is there but cannot be understood.
    #[error("{path} is unreadable: {reason}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A saved state is missing or damaged.
    #[error(
        "the saved state {path} cannot be used: {reason}{hint}",
        path = path.display(),
        hint = older_hint(*older)
    )]
    State {
        /// The state's folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// The step of an older state that may be resumed instead.
        older: Option<u64>,
    },
    /// A resumed run was given another setting than it began with.
    #[error("a resumed run cannot change `{key}`: the run has {run}, {given} was given")]
    Contradiction {
        /// The setting.
        key: String,
        /// What the run has.
        run: String,
        /// What was given.
        given: String,
    },
    /// A batch is too small for the loss.
    #[error(
        "step {step} has {found} samples, and the loss needs at least {needed}: raise batch_size, or give more samples"
    )]
    BatchTooSmall {
        /// The step, counted from 1.
        step: u64,
        /// Samples it has.
        found: usize,
        /// Samples the objective needs.
        needed: usize,
    },
    /// A step cannot fit into the device's memory.
    #[error(
        "a step of {part} samples at a time needs at least {needed:.1} GiB, and the device has {available:.1} GiB free: {advice}",
        needed = gib(*needed),
        available = gib(*available)
    )]
    Memory {
        /// Samples that would be run at once.
        part: usize,
        /// Bytes, at the least.
        needed: u64,
        /// Bytes.
        available: u64,
        /// What would fit.
        advice: String,
    },
    /// The device failed in a step: out of memory, gone away, or a fault of its library.
    #[error("the device failed in step {step}: {reason}; {saved}, and `--resume` goes on from there. If its memory ran out, a run \
             with micro_batch has the same gradients in smaller parts, and one with checkpointing = true keeps less", saved = saved_hint(*saved))]
    Device {
        /// The step, counted from 1.
        step: u64,
        /// What its library said.
        reason: String,
        /// The last step whose state is saved.
        saved: Option<u64>,
    },
    /// There is nothing to train on.
    #[error("the training set is empty")]
    NoSamples,
    /// There is nothing to train.
    #[error("{reason}")]
    NothingToTrain {
        /// Which settings leave nothing.
        reason: String,
    },
    /// A sample could not be loaded.
    #[error("sample {index} of the training set (epoch {epoch}): {source}")]
    Data {
        /// Its index in the set.
        index: usize,
        /// The epoch, counted from 1.
        epoch: u64,
        /// Why.
        source: DataError,
    },
    /// Which samples come next could not be found out.
    #[error("the order of epoch {epoch}: {source}")]
    Order {
        /// The epoch, counted from 1.
        epoch: u64,
        /// Why.
        source: DataError,
    },
    /// A sample does not have the size the model wants.
    #[error("sample {index} of the training set: {what}: expected {expected}, found {found}")]
    SampleShape {
        /// Its index in the set.
        index: usize,
        /// Which part of it.
        what: &'static str,
        /// The size the model wants.
        expected: String,
        /// The size it has.
        found: String,
    },
    /// The code that loads samples panicked.
    #[error("loading a training sample panicked: {message}")]
    LoaderPanicked {
        /// The panic's message.
        message: String,
    },
    /// The loss or its gradient is NaN or infinite.
    #[error(
        "step {step}: the {what} is {value}. The parameters of step {last_good} are kept. Try a lower learning rate (now \
         {lr:e}), a higher loss.temperature, a longer warmup, or clip_norm = 1{f16}; NaN in the first step points to the model or \
         the images", f16 = f16_hint(*precision)
    )]
    NotFinite {
        /// The step, counted from 1.
        step: u64,
        /// Loss or gradient norm.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The last step whose parameters are good.
        last_good: u64,
        /// The learning rate of the step.
        lr: f64,
        /// The type of activations.
        precision: Precision,
    },
    /// The loss could not be computed.
    #[error("step {step}: {source}")]
    Loss {
        /// The step, counted from 1.
        step: u64,
        /// Why.
        source: LossError,
    },
    /// The task's validation failed.
    #[error("validation after step {step}: {source}")]
    Validation {
        /// The step, counted from 1.
        step: u64,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The metric that chooses the best is not among the validation's results.
    #[error("`best = \"{metric}\"` is not a validation metric; there are: {found}")]
    NoSuchMetric {
        /// The metric asked for.
        metric: String,
        /// Those the validation gave.
        found: String,
    },
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The adapters cannot be built into this model.
    #[error(transparent)]
    Adapter(Box<radapter_adapter::AdapterError>),
    /// burn-train stopped.
    #[error("burn-train: {0}")]
    Burn(String),
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

fn f16_hint(precision: Precision) -> &'static str {
    match precision {
        Precision::F16 => ", or precision = bf16 or f32, which do not end at 65504 as f16 does",
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
        Some(step) => format!("; an older state, of step {step}, is there: resume from it with `--from-step {step}`"),
        None => "; there is no older one".to_owned(),
    }
}

impl TrainError {
    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |error| io_error(action, path)(error).into()
    }
}
