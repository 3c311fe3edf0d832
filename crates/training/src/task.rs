//! What a task is: everything the trainer asks of it.

use std::fmt;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Encoder;
use radapter_datasets::SkipReport;
use radapter_settings::{Declared, SettingsError};

use crate::config::{Recipe, TrainSettings};
use crate::data::TrainData;
use crate::error::TrainError;
use crate::run::options::RunOptions;
use crate::run::run_dir::RunDir;
use crate::run_loop::validation::Validator;

/// A task whose data are read: what is trained and validated on.
///
/// Its settings are declared once, beside the trainer's, and share one list of keys with them.
pub trait Task: Sized + 'static {
    /// Its name on the command line and in a run's record.
    const NAME: &'static str;
    /// What training does, in a line.
    const ABOUT: &'static str;
    /// Commands to copy, for the help of `train`.
    const EXAMPLES: &'static str;
    /// The trainer's settings that it changes, as TOML: α, the validation metric.
    const DEFAULTS: &'static str;
    /// The label smoothing ε that its recipe has for MPM-NCE.
    const SMOOTHING: f64 = 0.0;
    /// Published recipes.
    const RECIPES: &'static [Recipe];
    /// Whether it has classes, and so a classifier that images can be compared with instead of texts.
    const HAS_CLASSIFIER: bool = false;
    /// Whether decoded images can be kept for the next epoch.
    const USES_PIXEL_CACHE: bool = true;

    /// Its own settings.
    type Settings: Declared + Clone + fmt::Debug;
    /// Data in memory, which take the place of files.
    type Data;
    /// Why it cannot be trained.
    type Error: std::error::Error + From<SettingsError> + From<TrainError> + Send + Sync + 'static;

    /// Reads and splits the data.
    ///
    /// # Errors
    /// Settings that exclude each other, and data that are missing or unusable.
    fn prepare(settings: Self::Settings, sources: Sources<'_, Self>) -> Result<Self, Self::Error>;

    /// Its settings.
    fn settings(&self) -> &Self::Settings;

    /// Training samples of an epoch.
    fn samples(&self) -> usize;

    /// What is trained and validated on, in a line.
    fn summary(&self) -> String;

    /// What the user should know of the data.
    fn notes(&self) -> Vec<String>;

    /// What the loop needs; `model` is on the run's device, without autodiff.
    ///
    /// # Errors
    /// Settings that the task cannot be trained with.
    fn parts(self, model: &dyn Encoder, train: &TrainSettings, options: &RunOptions) -> Result<Parts, Self::Error>;
}

/// What data are read from.
pub struct Sources<'a, T: Task> {
    /// The model that is tuned.
    pub base: &'a Checkpoint,
    /// Data in memory, if they are not read from files.
    pub data: Option<T::Data>,
    /// The run that is resumed.
    pub run: Option<&'a RunDir>,
    /// The seed of splits.
    pub seed: u64,
    /// Where the base model computes, if preparing needs it.
    pub device: &'a Device,
    /// Progress of reading: so many of so many images.
    pub progress: &'a mut dyn FnMut(usize, usize),
}

/// A task's part of a run.
pub struct Parts {
    /// The training set.
    pub data: Arc<dyn TrainData>,
    /// The classifier `[classes, embed_dim]` that training starts from, on the model's device: for an objective without texts.
    pub head: Option<Tensor<2>>,
    /// The task's measure. Without one there is no validation, no best and no early stopping.
    pub validator: Option<Box<dyn Validator>>,
    /// Files for the run's folder, names and contents.
    pub files: Vec<(String, Vec<u8>)>,
    /// Where samples that cannot be read are noted.
    pub skipped: SkipReport,
}
