//! Runs of any task: the one place where the experiments make plans of training.

use anyhow::bail;
use radapter_classification::plan::{self as classification, TrainingImages};
use radapter_clip::checkpoint::Checkpoint;
use radapter_retrieval::plan::{self as retrieval, TrainingCaptions};
use radapter_segmentation::plan::{self as segmentation, Preparation, TrainingSegments};
use radapter_training::config::{ConfigError, Settings};
use radapter_training::{Outcome, Report, RunDir, RunOptions, TrainOutcome};

/// Training data of a task. The type selects the task.
pub trait TrainingData: Sized {
    /// Trains a new run, on `data` or on what the settings name.
    ///
    /// # Errors
    /// Errors of the settings, the data and the training.
    fn train(
        data: Option<Self>,
        base: &Checkpoint,
        settings: &Settings,
        options: RunOptions,
    ) -> anyhow::Result<TrainOutcome>;

    /// Resumes a run on the data that its settings name.
    ///
    /// # Errors
    /// Errors of the run's files, the data and the training.
    fn resume(base: &Checkpoint, run: &RunDir, options: RunOptions) -> anyhow::Result<TrainOutcome>;
}

impl TrainingData for TrainingImages {
    fn train(
        data: Option<Self>,
        base: &Checkpoint,
        settings: &Settings,
        options: RunOptions,
    ) -> anyhow::Result<TrainOutcome> {
        Ok(classification::Plan::new(base.clone(), settings, data)?.train(options)?)
    }

    fn resume(base: &Checkpoint, run: &RunDir, options: RunOptions) -> anyhow::Result<TrainOutcome> {
        Ok(classification::Plan::of_run(base.clone(), run, None)?.resume(options, None)?)
    }
}

impl TrainingData for TrainingCaptions {
    fn train(
        data: Option<Self>,
        base: &Checkpoint,
        settings: &Settings,
        options: RunOptions,
    ) -> anyhow::Result<TrainOutcome> {
        Ok(retrieval::Plan::new(base.clone(), settings, data)?.train(options)?)
    }

    fn resume(base: &Checkpoint, run: &RunDir, options: RunOptions) -> anyhow::Result<TrainOutcome> {
        Ok(retrieval::Plan::of_run(base.clone(), run, None)?.resume(options, None)?)
    }
}

impl TrainingData for TrainingSegments {
    fn train(
        data: Option<Self>,
        base: &Checkpoint,
        settings: &Settings,
        options: RunOptions,
    ) -> anyhow::Result<TrainOutcome> {
        let mut preparation = Preparation { device: options.device.clone(), progress: &mut |_, _| {} };
        Ok(segmentation::Plan::new(base.clone(), settings, data, &mut preparation)?.train(options)?)
    }

    fn resume(base: &Checkpoint, run: &RunDir, options: RunOptions) -> anyhow::Result<TrainOutcome> {
        let mut preparation = Preparation { device: options.device.clone(), progress: &mut |_, _| {} };
        Ok(segmentation::Plan::of_run(base.clone(), run, None, &mut preparation)?.resume(options, None)?)
    }
}

/// Settings from assignments in TOML, as `--set` takes them.
///
/// # Errors
/// [`ConfigError`] for an assignment that is not valid.
pub fn settings<T: AsRef<str>>(assignments: impl IntoIterator<Item = T>) -> Result<Settings, ConfigError> {
    let mut settings = Settings::default();
    for assignment in assignments {
        settings.set(assignment.as_ref())?;
    }
    Ok(settings)
}

/// The report of the run in the folder of `options`: a finished run is read, an unfinished one resumed, a missing one trained with
/// `settings` on the data that they name. `what` names the run in errors.
///
/// # Errors
/// Errors of the run's files, the settings, the data and the training, and an interruption.
pub fn complete<T: TrainingData>(
    what: &str,
    base: &Checkpoint,
    settings: &Settings,
    options: RunOptions,
) -> anyhow::Result<Report> {
    match RunDir::open(&options.run_dir) {
        Ok(run) => match run.report()? {
            Some(report) => Ok(report),
            None => finished(what, T::resume(base, &run, options)?),
        },
        Err(_) => finished(what, T::train(None, base, settings, options)?),
    }
}

/// The report of a run that was not interrupted.
pub(crate) fn finished(what: &str, done: TrainOutcome) -> anyhow::Result<Report> {
    match done.outcome {
        Outcome::Finished(report) => Ok(report),
        Outcome::Interrupted { step } => bail!("{what}: interrupted after step {step}"),
    }
}
