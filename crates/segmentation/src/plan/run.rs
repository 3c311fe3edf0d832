use std::sync::Arc;

use radapter_clip::model::Clip;
use radapter_datasets::SkipReport;
use radapter_embedding::EmbedOptions;
use radapter_training::config::Settings;
use radapter_training::{
    Outcome, RunDir, RunOptions, Setup, TrainData, TrainError, TrainOutcome, Validator, resume, train,
};

use super::{Plan, PlanError, SEGMENTS_FILE, SPLIT_FILE};
use crate::config::{SegmentationConfig, SettingsError};
use crate::validator::SegmentValidator;

impl Plan {
    /// Begins the run in a folder that holds none, and goes on until it is complete or interrupted.
    ///
    /// The folder gets the [trainer's files](RunDir), the [split](super::SPLIT_FILE) and, of captions, the
    /// [segments that were mined](super::SEGMENTS_FILE).
    ///
    /// # Errors
    /// [`PlanError::Training`] if the folder holds a run, and for whatever stops one.
    pub fn train(self, options: RunOptions) -> Result<TrainOutcome, PlanError> {
        let (setup, report) = self.setup(options)?;
        finish(train(setup), &report)
    }

    /// Continues the run that this plan was [made of](Plan::of_run), from its newest state or that of step `from_step`.
    ///
    /// # Errors
    /// [`PlanError::Training`] if the model or the segments are not those the run began with, the state is missing or
    /// damaged, and for whatever stops a run.
    pub fn resume(self, options: RunOptions, from_step: Option<u64>) -> Result<TrainOutcome, PlanError> {
        let (setup, report) = self.setup(options)?;
        finish(resume(setup, from_step), &report)
    }

    fn setup(self, options: RunOptions) -> Result<(Setup, SkipReport), PlanError> {
        let Self { base, config, task, val_labels: labels, val, split, data, cropper, skipped, mined, .. } = self;
        let objective = config.loss.objective();
        if !objective.needs_text() {
            let reason = "loss.kind = cross-entropy compares images with a classifier, and open-vocabulary segmentation has none: \
                          expected mpm-nce or info-nce"
                .to_owned();
            return Err(TrainError::NothingToTrain { reason }.into());
        }
        let clip = Clip::from_state(&base.config, &base.state, &options.device)?;
        let embed = EmbedOptions { threads: config.workers, on_error: task.on_error, ..EmbedOptions::default() };
        let validator = val.map(|set| {
            let templates = task.templates.clone();
            let skipped = skipped.clone();
            Box::new(SegmentValidator { set, labels, templates, cropper, options: embed, skipped })
                as Box<dyn Validator>
        });
        let split = serde_json::to_string_pretty(&split)
            .map_err(|error| SettingsError::Record { key: SPLIT_FILE, reason: error.to_string() })?;
        let mut files = vec![(SPLIT_FILE.to_owned(), split.into_bytes())];
        files.extend(mined.map(|mined| (SEGMENTS_FILE.to_owned(), mined)));
        let setup = Setup {
            base: clip,
            base_hash: base.state.hash(),
            data: Arc::new(data) as Arc<dyn TrainData>,
            objective,
            head: None,
            validator,
            config,
            task: task.to_table()?,
            files,
            devices: options.devices,
            memory: options.memory,
            run_dir: options.run_dir,
            progress: options.progress,
            interrupt: options.interrupt,
        };
        Ok((setup, skipped))
    }
}

fn finish(result: Result<Outcome, TrainError>, report: &SkipReport) -> Result<TrainOutcome, PlanError> {
    Ok(TrainOutcome { outcome: result?, skipped: report.entries() })
}

/// Checks that settings given together with a resume say what the run in a folder says; paths and names are compared by what
/// they stand for.
///
/// # Errors
/// [`TrainError::Contradiction`] with the first that does not, and [`PlanError`] for unknown keys and folders without a
/// run.
pub fn check_resume(run: &RunDir, given: &Settings) -> Result<(), PlanError> {
    let record = run.record()?;
    super::recorded_task(run, record.task.clone())?;
    Ok(record.check(&SegmentationConfig::as_recorded(given)?)?)
}
