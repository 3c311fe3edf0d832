//! From settings to a run: everything a run is decided by, before its first step.
//!
//! A [`Plan`] has the segments read, or mined from captions, and split, and the settings resolved. It can be looked at and
//! printed, and then [trained](Plan::train), or, made from the record of a run, [resumed](Plan::resume).

mod error;
mod record;
mod run;
mod sets;

use radapter_clip::checkpoint::Checkpoint;
use radapter_datasets::SkipReport;
use radapter_training::config::{ResolvedConfig, Settings, Situation, TrainConfig};
use radapter_training::{RunDir, RunRecord, TrainData};

pub use error::PlanError;
pub use record::{SEGMENTS_FILE, SegmentsError};
pub use run::check_resume;
pub use sets::{Preparation, SplitRecord, TrainingSegments};

use crate::config::{ResolvedSegmentation, SegmentationConfig};
use crate::crop::Cropper;
use crate::data::{Labels, SegmentData, SegmentSet};
use sets::Sets;

/// The file, in a run's folder, with the [images held out](SplitRecord).
pub const SPLIT_FILE: &str = "split.json";

/// A run that is ready to begin or to go on.
#[derive(Debug)]
pub struct Plan {
    /// The model that is tuned.
    pub base: Checkpoint,
    /// The trainer's settings.
    pub config: ResolvedConfig,
    /// Segmentation's settings.
    pub task: ResolvedSegmentation,
    /// Settings that are allowed and probably unwanted, in words.
    pub warnings: Vec<String>,
    /// What segments are labelled with.
    pub labels: Labels,
    /// Images trained on.
    pub train_images: usize,
    /// What validation segments are labelled with, and told apart by.
    pub val_labels: Labels,
    /// The segments validated on, if there are any.
    pub val: Option<SegmentSet>,
    /// What was held out.
    pub split: SplitRecord,
    data: SegmentData,
    cropper: Cropper,
    skipped: SkipReport,
    /// What mining found, to be kept with the run.
    mined: Option<Vec<u8>>,
}

impl Plan {
    /// A new run. The segments are those that the settings name, unless given in memory; nouns of captions are given to masks
    /// by the base model, which takes its time.
    ///
    /// # Errors
    /// [`PlanError`] for unknown keys, values outside their range, and segments that cannot be had.
    pub fn new(
        base: Checkpoint,
        settings: &Settings,
        segments: Option<TrainingSegments>,
        preparation: &mut Preparation<'_>,
    ) -> Result<Self, PlanError> {
        let (trainer, task) = settings.parse::<SegmentationConfig>()?;
        let task = task.resolve()?;
        Self::build(
            base,
            task,
            |base, samples| resolve(&trainer, base, samples),
            |base, task, seed, skipped| sets::read(base, task, segments, seed, preparation, skipped),
        )
    }

    /// The run in a folder, as it was begun. The segments are read from where they were then, unless given in memory; those
    /// that were mined, from the run.
    ///
    /// # Errors
    /// [`PlanError`] if the folder holds no run of segmentation, or its segments cannot be had.
    pub fn of_run(
        base: Checkpoint,
        run: &RunDir,
        segments: Option<TrainingSegments>,
        preparation: &mut Preparation<'_>,
    ) -> Result<Self, PlanError> {
        let RunRecord { train, task, .. } = run.record()?;
        let task = recorded_task(run, task)?;
        Self::build(
            base,
            task,
            |_, _| Ok((train.clone(), Vec::new())),
            |base, task, seed, skipped| {
                if segments.is_none() && task.captions.is_some() {
                    return sets::recorded(task, record::read(&run.path().join(SEGMENTS_FILE))?, seed, preparation);
                }
                sets::read(base, task, segments, seed, preparation, skipped)
            },
        )
    }

    /// The training samples.
    pub fn data(&self) -> &dyn TrainData {
        &self.data
    }

    fn build(
        base: Checkpoint,
        task: ResolvedSegmentation,
        configure: impl Fn(&Checkpoint, usize) -> Result<(ResolvedConfig, Vec<String>), PlanError>,
        read: impl FnOnce(&Checkpoint, &ResolvedSegmentation, u64, &SkipReport) -> Result<Sets, PlanError>,
    ) -> Result<Self, PlanError> {
        // The split hangs on the seed, which does not hang on the number of segments.
        let (first, _) = configure(&base, 1)?;
        let skipped = SkipReport::default();
        let Sets { labels, train, val_labels, val, split, notes, mined } = read(&base, &task, first.seed, &skipped)?;
        let cropper = Cropper::new(&base.config, task.crop).map_err(crate::config::SettingsError::from)?;
        let train_images = train.images.len();
        let data = SegmentData::new(train, &labels, &base.config, &task, cropper.clone(), skipped.clone());
        let (config, mut warnings) = configure(&base, data.len())?;
        warnings.extend(notes);
        Ok(Self {
            base,
            config,
            task,
            warnings,
            labels,
            train_images,
            val_labels,
            val,
            split,
            data,
            cropper,
            skipped,
            mined,
        })
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
pub(crate) fn recorded_task(run: &RunDir, table: toml::Table) -> Result<ResolvedSegmentation, PlanError> {
    table.try_into().map_err(|error: toml::de::Error| PlanError::NotSegmentation {
        path: run.path().to_owned(),
        reason: error.message().to_owned(),
    })
}
