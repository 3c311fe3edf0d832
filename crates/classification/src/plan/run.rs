use std::sync::Arc;

use radapter_clip::model::Clip;
use radapter_datasets::SkipReport;
use radapter_embedding::EmbedOptions;
use radapter_training::config::Settings;
use radapter_training::{
    Outcome, RunDir, RunOptions, Setup, TrainData, TrainError, TrainOutcome, Validator, resume, train,
};

use super::{CLASSES_FILE, Plan, PlanError, SPLIT_FILE};
use crate::config::{ClassificationConfig, SettingsError};
use crate::data::ClassificationData;
use crate::head::Head;
use crate::validator::ClassificationValidator;

impl Plan {
    /// Begins the run in a folder that holds none, and goes on until it is complete or interrupted.
    ///
    /// The folder gets the [trainer's files](RunDir), the [classes](super::CLASSES_FILE) and the
    /// [split](super::SPLIT_FILE).
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
    /// [`PlanError::Training`] if the model or the images are not those the run began with, the state is missing or
    /// damaged, and for whatever stops a run.
    pub fn resume(self, options: RunOptions, from_step: Option<u64>) -> Result<TrainOutcome, PlanError> {
        let (setup, report) = self.setup(options)?;
        finish(resume(setup, from_step), &report)
    }

    fn setup(self, options: RunOptions) -> Result<(Setup, SkipReport), PlanError> {
        let Self { base, config, task, classes, train, val, split, .. } = self;
        let clip = Clip::from_state(&base.config, &base.state, &options.device)?;
        let objective = config.loss.objective();
        let embed = EmbedOptions {
            threads: config.workers,
            on_error: task.on_error,
            decoding: task.decode,
            pixel_cache: options.pixel_cache.clone(),
            ..EmbedOptions::default()
        };
        let head = if objective.needs_text() {
            None
        } else {
            let head = Head::zero_shot(&clip, &classes, &task.eval_templates, embed.batch)?;
            Some(head.weights().to_tensor(&options.device))
        };
        let validator: Option<Box<dyn Validator>> = match val {
            Some(images) => Some(Box::new(ClassificationValidator::new(
                images,
                classes.clone(),
                task.eval_templates.clone(),
                embed,
            )?)),
            None => None,
        };
        let templates = objective.needs_text().then_some(&task.templates);
        let data = ClassificationData::new(train, &base.config, templates, task.augment, task.on_error)
            .decoded(task.decode)
            .cached(options.pixel_cache.clone());
        let report = data.skip_report();
        let split = serde_json::to_string_pretty(&split)
            .map_err(|error| SettingsError::Record { key: SPLIT_FILE, reason: error.to_string() })?;
        let setup = Setup {
            base: clip,
            base_hash: base.state.hash(),
            data: Arc::new(data) as Arc<dyn TrainData>,
            objective,
            head,
            validator,
            config,
            task: task.to_table()?,
            files: vec![
                (CLASSES_FILE.to_owned(), classes.to_json().into_bytes()),
                (SPLIT_FILE.to_owned(), split.into_bytes()),
            ],
            devices: options.devices,
            memory: options.memory,
            run_dir: options.run_dir,
            progress: options.progress,
            interrupt: options.interrupt,
        };
        Ok((setup, report))
    }
}

fn finish(result: Result<Outcome, TrainError>, report: &SkipReport) -> Result<TrainOutcome, PlanError> {
    Ok(TrainOutcome { outcome: result?, skipped: report.entries() })
}

/// Checks that settings given together with a resume say what the run in a folder says; names of templates, class names
/// and paths are compared by what they name.
///
/// # Errors
/// [`TrainError::Contradiction`] with the first that does not, and [`PlanError`] for unknown keys and folders without a
/// run.
pub fn check_resume(run: &RunDir, given: &Settings) -> Result<(), PlanError> {
    let record = run.record()?;
    super::recorded_task(run, record.task.clone())?;
    let mut given = ClassificationConfig::as_recorded(given)?.table().clone();
    // Compared whole: the folders' names are keys, and may have dots in them.
    if let Some(names) = given.remove("class_names") {
        let recorded = record.task.get("class_names");
        if recorded != Some(&names) {
            let show = |value: Option<&toml::Value>| value.map_or_else(|| "none".to_owned(), ToString::to_string);
            return Err(PlanError::Training(TrainError::Contradiction {
                key: "class_names".to_owned(),
                run: show(recorded),
                given: show(Some(&names)),
            }));
        }
    }
    Ok(record.check(&Settings::from_table(given, "the arguments"))?)
}
