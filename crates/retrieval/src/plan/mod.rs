//! From settings to a run: everything a run is decided by, before its first step.
//!
//! A [`Plan`] has the captions read and split and the settings resolved. It can be looked at and printed, and then
//! [trained](Plan::train), or, made from the record of a run, [resumed](Plan::resume).

mod error;
mod run;
mod sets;

use radapter_clip::checkpoint::Checkpoint;
use radapter_datasets::CaptionedImages;
use radapter_datasets::SkipReport;
use radapter_training::config::{ResolvedConfig, Settings, Situation, TrainConfig};
use radapter_training::{RunDir, RunRecord, TrainData};

pub use error::PlanError;
pub use run::check_resume;
pub use sets::{SplitRecord, TrainingCaptions};

use crate::config::{ResolvedRetrieval, RetrievalConfig};
use crate::data::RetrievalData;
use crate::gallery::truncated;
use sets::{Pairs, Sets};

/// The file, in a run's folder, with the [images held out](SplitRecord).
pub const SPLIT_FILE: &str = "split.json";

/// A run that is ready to begin or to go on.
#[derive(Debug)]
pub struct Plan {
    /// The model that is tuned.
    pub base: Checkpoint,
    /// The trainer's settings.
    pub config: ResolvedConfig,
    /// Retrieval's settings.
    pub task: ResolvedRetrieval,
    /// Settings that are allowed and probably unwanted, in words.
    pub warnings: Vec<String>,
    /// Images trained on; unknown of shards that are not scanned.
    pub train_images: Option<usize>,
    /// The images validated on, if there are any.
    pub val: Option<CaptionedImages>,
    /// What was held out.
    pub split: SplitRecord,
    data: RetrievalData,
    skipped: SkipReport,
}

impl Plan {
    /// A new run. The captions are those that the settings name, unless given in memory.
    ///
    /// # Errors
    /// [`PlanError`] for unknown keys, values outside their range, and captions that cannot be had.
    pub fn new(base: Checkpoint, settings: &Settings, captions: Option<TrainingCaptions>) -> Result<Self, PlanError> {
        let (trainer, task) = settings.parse::<RetrievalConfig>()?;
        let task = task.resolve(trainer.recipe.unwrap_or_default())?;
        Self::build(base, task, captions, |base, samples| resolve(&trainer, base, samples))
    }

    /// The run in a folder, as it was begun. The captions are read from where they were then, unless given in memory.
    ///
    /// # Errors
    /// [`PlanError`] if the folder holds no run of retrieval, or its captions cannot be had.
    pub fn of_run(base: Checkpoint, run: &RunDir, captions: Option<TrainingCaptions>) -> Result<Self, PlanError> {
        let RunRecord { train, task, .. } = run.record()?;
        let task = recorded_task(run, task)?;
        Self::build(base, task, captions, |_, _| Ok((train.clone(), Vec::new())))
    }

    /// The training samples.
    pub fn data(&self) -> &dyn TrainData {
        &self.data
    }

    fn build(
        base: Checkpoint,
        task: ResolvedRetrieval,
        captions: Option<TrainingCaptions>,
        configure: impl Fn(&Checkpoint, usize) -> Result<(ResolvedConfig, Vec<String>), PlanError>,
    ) -> Result<Self, PlanError> {
        // The split hangs on the seed, which does not hang on the number of pairs.
        let (first, _) = configure(&base, 1)?;
        let skipped = SkipReport::default();
        let Sets { pairs, val, mut split, captions, train_images, notes } =
            sets::read(&task, captions, first.seed, &skipped)?;
        let (model, template, augment) = (&base.config, task.templates.clone(), task.augment);
        let data = match pairs {
            Pairs::Listed(pairs) => {
                RetrievalData::listed(pairs, model, template, augment, task.on_error, skipped.clone())
            }
            Pairs::Streamed(pairs) => {
                RetrievalData::streamed(pairs, model, template, augment, task.on_error, skipped.clone())
            }
        };
        let data = data.decoded(task.decode);
        split.train_pairs = data.len();
        split.val_images = val.as_ref().map_or(0, CaptionedImages::len);
        let (config, mut warnings) = configure(&base, split.train_pairs)?;
        warnings.extend(notes);
        let length = base.config.text.context_length;
        let texts: Vec<String> = captions.iter().flat_map(|caption| task.templates.prompts(caption)).collect();
        let long = truncated(&texts, length);
        if long > 0 {
            let all = texts.len();
            warnings.push(format!("{long} of {all} training captions have more than {length} tokens and are cut off"));
        }
        Ok(Self { base, config, task, warnings, train_images, val, split, data, skipped })
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
pub(crate) fn recorded_task(run: &RunDir, table: toml::Table) -> Result<ResolvedRetrieval, PlanError> {
    table.try_into().map_err(|error: toml::de::Error| PlanError::NotRetrieval {
        path: run.path().to_owned(),
        reason: error.message().to_owned(),
    })
}
