//! Trains or resumes runs of any task; the only place where the experiments make training plans.

use anyhow::bail;
use radapter_clip::checkpoint::Checkpoint;
use radapter_methods::METHODS;
use radapter_settings::Settings;
use radapter_training::plan::Inputs;
use radapter_training::{Outcome, Plan, Report, RunDir, RunOptions, Task, TrainOutcome};

fn inputs<'a, T: Task>(
    (base, reference): (&Checkpoint, Option<&str>),
    data: Option<T::Data>,
    options: &RunOptions,
    progress: &'a mut dyn FnMut(usize, usize),
) -> Inputs<'a, T> {
    let (base, device) = (base.clone(), options.device.clone());
    let reference = reference.map(str::to_owned);
    Inputs { methods: METHODS, base, reference, from: None, data, device, progress }
}

/// What the command calls the model that the drawn worlds are learned with.
pub(crate) const EMBEDDED: Option<&str> = Some("embedded");

/// Trains a new run on `data`, or on the data that the settings name if `data` is `None`. The base is recorded by the name that
/// the command knows it by, if one is given.
///
/// # Errors
/// Errors of the settings, the data and the training.
pub fn train<T: Task>(
    data: Option<T::Data>,
    base: (&Checkpoint, Option<&str>),
    settings: &Settings,
    options: RunOptions,
) -> anyhow::Result<TrainOutcome> {
    let mut ignore = |_, _| {};
    // What is compared and reproduced does not depend on the machine.
    let mut all = Settings::default();
    all.set("precision", "f32")?;
    all.extend(settings.clone())?;
    Ok(Plan::<T>::new(inputs(base, data, &options, &mut ignore), &all)?.train(options)?)
}

/// The report of the run in the folder of `options`: a finished run is read, an unfinished one resumed, a missing one trained with
/// `settings` on the data that they name. `what` names the run in errors.
///
/// # Errors
/// Errors of the run's files, the settings, the data and the training, and an interruption.
pub fn complete<T: Task>(
    what: &str,
    base: &Checkpoint,
    settings: &Settings,
    options: RunOptions,
) -> anyhow::Result<Report> {
    match RunDir::open(&options.run_dir) {
        Ok(run) => match run.report()? {
            Some(report) => Ok(report),
            None => {
                let mut ignore = |_, _| {};
                let plan = Plan::<T>::of_run(inputs((base, None), None, &options, &mut ignore), &run)?;
                finished(what, plan.resume(options, None)?)
            }
        },
        Err(_) => finished(what, train::<T>(None, (base, None), settings, options)?),
    }
}

/// The report of a finished run; an error if it was interrupted.
pub(crate) fn finished(what: &str, done: TrainOutcome) -> anyhow::Result<Report> {
    match done.outcome {
        Outcome::Finished(report) => Ok(report),
        Outcome::Interrupted { step } => bail!("{what}: interrupted after step {step}"),
    }
}
