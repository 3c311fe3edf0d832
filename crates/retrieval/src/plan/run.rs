use std::sync::Arc;

use radapter_clip::model::Clip;
use radapter_datasets::SkipReport;
use radapter_embedding::EmbedOptions;
use radapter_training::config::Settings;
use radapter_training::{
    Outcome, RunDir, RunOptions, Setup, TrainData, TrainError, TrainOutcome, Validator, resume, train,
};

use super::{Plan, PlanError, SPLIT_FILE};
use crate::config::{RetrievalConfig, SettingsError};
use crate::gallery::Gallery;
use crate::validator::RetrievalValidator;

impl Plan {
    /// Begins the run in a folder that holds none, and goes on until it is complete or interrupted.
    ///
    /// The folder gets the [trainer's files](RunDir) and the [split](super::SPLIT_FILE).
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
    /// [`PlanError::Training`] if the model or the captions are not those the run began with, the state is missing or
    /// damaged, and for whatever stops a run.
    pub fn resume(self, options: RunOptions, from_step: Option<u64>) -> Result<TrainOutcome, PlanError> {
        let (setup, report) = self.setup(options)?;
        finish(resume(setup, from_step), &report)
    }

    fn setup(self, options: RunOptions) -> Result<(Setup, SkipReport), PlanError> {
        let Self { base, config, task, val, split, data, skipped, .. } = self;
        let objective = config.loss.objective();
        if !objective.needs_text() {
            let reason = "loss.kind = cross-entropy compares images with classes, and retrieval has none: expected \
                          mpm-nce or info-nce"
                .to_owned();
            return Err(TrainError::NothingToTrain { reason }.into());
        }
        let clip = Clip::from_state(&base.config, &base.state, &options.device)?;
        let embed = EmbedOptions {
            threads: config.workers,
            on_error: task.on_error,
            decoding: task.decode,
            pixel_cache: options.pixel_cache.clone(),
            ..EmbedOptions::default()
        };
        let gallery = val.map(|val| Gallery::new(&val, &task.templates));
        let report = skipped.clone();
        let validator =
            gallery.map(|gallery| Box::new(RetrievalValidator::new(gallery, embed, report)) as Box<dyn Validator>);
        let split = serde_json::to_string_pretty(&split)
            .map_err(|error| SettingsError::Record { key: SPLIT_FILE, reason: error.to_string() })?;
        let setup = Setup {
            base: clip,
            base_hash: base.state.hash(),
            data: Arc::new(data.cached(options.pixel_cache)) as Arc<dyn TrainData>,
            objective,
            head: None,
            validator,
            config,
            task: task.to_table()?,
            files: vec![(SPLIT_FILE.to_owned(), split.into_bytes())],
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

/// Checks that settings given together with a resume say what the run in a folder says; paths and splits are compared by
/// what they name.
///
/// # Errors
/// [`TrainError::Contradiction`] with the first that does not, and [`PlanError`] for unknown keys and folders without a
/// run.
pub fn check_resume(run: &RunDir, given: &Settings) -> Result<(), PlanError> {
    let record = run.record()?;
    super::recorded_task(run, record.task.clone())?;
    Ok(record.check(&RetrievalConfig::as_recorded(given)?)?)
}
