//! Runs that are taken up where they stand: a finished one as it is, an unfinished one resumed, else a new one.

use std::path::Path;

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use radapter::training::config::Settings;
use radapter::training::{Outcome, ProgressEvent, Report, RunDir, RunOptions, TrainOutcome};

/// How a task's plan comes to be.
pub(crate) enum Begin<'a> {
    New(&'a Settings),
    Resume(&'a RunDir),
}

/// The report of the run in `folder`; `go` makes the task's plan and trains by it or resumes.
pub(crate) fn train(
    what: &str,
    settings: &[String],
    folder: &Path,
    device: &Device,
    go: impl FnOnce(Begin, RunOptions) -> anyhow::Result<TrainOutcome>,
) -> anyhow::Result<Report> {
    let mut options = RunOptions::new(folder, device.clone());
    let name = what.to_owned();
    options.progress = Box::new(move |event: &ProgressEvent| {
        if let ProgressEvent::Validated { step, values, .. } = event {
            let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
            eprintln!("{name}: step {step}: {}", values.join(", "));
        }
    });
    let done = match RunDir::open(folder) {
        Ok(run) => match run.report()? {
            Some(report) => return Ok(report),
            None => go(Begin::Resume(&run), options)?,
        },
        Err(_) => {
            let mut given = Settings::default();
            for assignment in settings {
                given.set(assignment).with_context(|| format!("the setting {assignment}"))?;
            }
            go(Begin::New(&given), options)?
        }
    };
    match done.outcome {
        Outcome::Finished(report) => Ok(report),
        Outcome::Interrupted { step } => bail!("{what}: interrupted behind step {step}"),
    }
}

/// A path as a TOML value.
pub(crate) fn toml_path(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().with_context(|| format!("the path {} is not UTF-8", path.display()))?;
    Ok(toml_text(text))
}

/// A text as a TOML value.
pub(crate) fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
