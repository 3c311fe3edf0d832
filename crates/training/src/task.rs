//! The interface between tasks and the trainer.

use std::fmt;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Encoder;
use radapter_datasets::SkipReport;
use radapter_settings::{Declared, SettingsError};

use crate::choice::HeldOutSamples;
use crate::config::{Recipe, TrainSettings};
use crate::data::TrainData;
use crate::error::TrainError;
use crate::run::options::RunOptions;
use crate::run::run_dir::RunDir;
use crate::run_loop::validation::Validator;

/// Task with its data.
///
/// Its settings are declared next to the trainer's, and share one namespace with them.
pub trait Task: Sized + 'static {
    /// Name on the command line and in a run's record.
    const NAME: &'static str;
    /// One-line description.
    const ABOUT: &'static str;
    /// Example commands for the help of `train`.
    const EXAMPLES: &'static str;
    /// The task's defaults for the trainer's settings, as TOML: α, the validation metric.
    const DEFAULTS: &'static str;
    /// Default label smoothing ε for MPM-NCE.
    const SMOOTHING: f64 = 0.0;
    /// Published recipes.
    const RECIPES: &'static [Recipe];
    /// Whether the task has classes, and so a classifier that images can be compared with instead of texts.
    const HAS_CLASSIFIER: bool = false;
    /// What the samples are, in the plural: the unit of speeds.
    const SAMPLES: &'static str = "images";
    /// File of a run's folder that lists the rows of its classifier: a run starts only from a classifier with the same rows.
    const CLASSIFIER_ROWS: Option<&'static str> = None;
    /// Names of the validation metrics, the values of `best`; empty if they are not known beforehand.
    const METRICS: &'static [&'static str] = &[];
    /// Whether decoded images can be cached for later epochs.
    const USES_PIXEL_CACHE: bool = true;

    /// Settings of the task itself, besides the trainer's.
    type Settings: Declared + Clone + fmt::Debug;
    /// Data in memory, used instead of files.
    type Data;
    /// Why the task cannot be trained.
    type Error: std::error::Error + From<SettingsError> + From<TrainError> + Send + Sync + 'static;

    /// Reads and splits the data.
    ///
    /// # Errors
    /// Settings that exclude each other, and data that are missing or unusable.
    fn prepare(settings: Self::Settings, sources: Sources<'_, Self>) -> Result<Self, Self::Error>;

    /// Returns the task's own settings.
    fn settings(&self) -> &Self::Settings;

    /// Returns the number of training samples per epoch.
    fn samples(&self) -> usize;

    /// Describes the training and validation data in one line.
    fn summary(&self) -> String;

    /// Returns notes about the data for the user.
    fn notes(&self) -> Vec<String>;

    /// Returns the inputs of the loop; `model` is on the run's device, without autodiff.
    ///
    /// # Errors
    /// Settings that the task does not support.
    fn parts(self, model: &dyn Encoder, train: &TrainSettings, options: &RunOptions) -> Result<Parts, Self::Error>;
}

/// Sources of a task's data.
pub struct Sources<'a, T: Task> {
    /// Model to fine-tune.
    pub base: &'a Checkpoint,
    /// Data in memory, used instead of files.
    pub data: Option<T::Data>,
    /// Run to resume.
    pub run: Option<&'a RunDir>,
    /// Random seed of splits.
    pub seed: u64,
    /// Device for the base model, if preparing the data needs it.
    pub device: &'a Device,
    /// Called with the number of images read, and of all images.
    pub progress: &'a mut dyn FnMut(usize, usize),
}

/// Inputs of the loop from a task.
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Parts {
    pub data: Arc<dyn TrainData>,
    /// Initial classifier `[classes, embed_dim]`, on the model's device; for an objective without texts.
    pub head: Option<Tensor<2>>,
    /// Validation. Without it there is no best state and no early stopping.
    pub validator: Option<Box<dyn Validator>>,
    /// What is validated on, in the form of training samples.
    pub held_out: Option<HeldOutSamples>,
    /// Files for the run's folder, as names and contents.
    pub files: Vec<(String, Vec<u8>)>,
    /// Collects samples that cannot be read.
    pub skipped: SkipReport,
}
