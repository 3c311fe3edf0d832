//! From settings to a run: everything a run is decided by, before its first step.
//!
//! A [`Plan`] has the images read and split, the settings resolved and the classes fixed. It can be looked at and printed,
//! and then [trained](Plan::train), or, made from the record of a run, [resumed](Plan::resume).

mod error;
mod images;
mod run;
mod split;

use radapter_clip::checkpoint::Checkpoint;
use radapter_datasets::LabelledImages;
use radapter_training::config::{ResolvedConfig, Settings, Situation, TrainConfig};
use radapter_training::{RunDir, RunRecord};

pub use error::PlanError;
pub use images::TrainingImages;
pub use run::check_resume;
pub use split::SplitRecord;

use crate::classes::Classes;
use crate::config::{ClassificationConfig, ResolvedClassification};
use split::Split;

/// The file, in a run's folder, with the [classes](Classes) in the order of the logits.
pub const CLASSES_FILE: &str = crate::head::CLASSES_FILE;
/// The file, in a run's folder, with the [images held out and chosen](SplitRecord).
pub const SPLIT_FILE: &str = "split.json";

/// A run that is ready to begin or to go on.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The model that is tuned.
    pub base: Checkpoint,
    /// The trainer's settings.
    pub config: ResolvedConfig,
    /// Classification's settings.
    pub task: ResolvedClassification,
    /// Settings that are allowed and probably unwanted, in words.
    pub warnings: Vec<String>,
    /// The classes, in the order of labels and logits.
    pub classes: Classes,
    /// The images trained on.
    pub train: LabelledImages,
    /// The images validated on, if there are any.
    pub val: Option<LabelledImages>,
    /// What was held out and chosen.
    pub split: SplitRecord,
}

impl Plan {
    /// A new run. The images are those of the keys `train` and `val`, unless given in memory.
    ///
    /// # Errors
    /// [`PlanError`] for unknown keys, values outside their range, and images that cannot be had.
    pub fn new(base: Checkpoint, settings: &Settings, images: Option<TrainingImages>) -> Result<Self, PlanError> {
        let (trainer, task) = settings.parse::<ClassificationConfig>()?;
        let task = task.resolve(trainer.recipe.unwrap_or_default())?;
        Self::build(base, task, images, |base, samples| resolve(&trainer, base, samples))
    }

    /// The run in a folder, as it was begun. The images are read from where they were then, unless given in memory.
    ///
    /// # Errors
    /// [`PlanError`] if the folder holds no run of classification, or its images cannot be had.
    pub fn of_run(base: Checkpoint, run: &RunDir, images: Option<TrainingImages>) -> Result<Self, PlanError> {
        let RunRecord { train, task, .. } = run.record()?;
        let task = recorded_task(run, task)?;
        Self::build(base, task, images, |_, _| Ok((train.clone(), Vec::new())))
    }

    fn build(
        base: Checkpoint,
        task: ResolvedClassification,
        images: Option<TrainingImages>,
        configure: impl Fn(&Checkpoint, usize) -> Result<(ResolvedConfig, Vec<String>), PlanError>,
    ) -> Result<Self, PlanError> {
        let images = match images {
            Some(images) => images,
            None => TrainingImages::read(&task)?,
        };
        let classes = Classes::new(images.train.classes.clone())?;
        // The split hangs on the seed, which does not hang on the number of images that remain.
        let (first, _) = configure(&base, images.train.samples.len())?;
        let Split { train, val, record } = split::split(images, &task, first.seed)?;
        let (config, mut warnings) = configure(&base, train.samples.len())?;
        warnings.extend(record.warnings(&classes));
        Ok(Self { base, config, task, warnings, classes, train, val, split: record })
    }
}

fn resolve(
    trainer: &TrainConfig,
    base: &Checkpoint,
    samples: usize,
) -> Result<(ResolvedConfig, Vec<String>), PlanError> {
    let resolved = trainer.resolve(&Situation {
        samples,
        checkpoint_temperature: base.temperature(),
        task: &crate::config::task_defaults(),
    })?;
    Ok((resolved.config, resolved.warnings))
}

/// The task's part of a run's record.
pub(crate) fn recorded_task(run: &RunDir, table: toml::Table) -> Result<ResolvedClassification, PlanError> {
    table.try_into().map_err(|error: toml::de::Error| PlanError::NotClassification {
        path: run.path().to_owned(),
        reason: error.message().to_owned(),
    })
}
