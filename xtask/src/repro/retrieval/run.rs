use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use radapter::clip::checkpoint::Checkpoint;
use radapter::retrieval::plan::Plan;
use radapter::training::config::Settings;
use radapter::training::{Outcome, ProgressEvent, Report, RunDir, RunOptions};

/// A set of captions in Karpathy's form, and its images.
#[derive(Clone, Debug)]
pub(crate) struct Captions {
    pub(crate) file: PathBuf,
    pub(crate) images: PathBuf,
}

impl Captions {
    /// The settings that train on these splits.
    pub(crate) fn settings(&self, splits: &str) -> anyhow::Result<Vec<String>> {
        Ok(vec![
            format!("captions = {}", toml_text(&self.file)?),
            format!("images = {}", toml_text(&self.images)?),
            format!("split = {}", toml::Value::String(splits.to_owned())),
        ])
    }
}

/// The run of these settings: a finished one as it is, an unfinished one resumed, else a new one.
pub(crate) fn train(
    what: &str,
    settings: &[String],
    base: &Checkpoint,
    folder: &Path,
    device: &Device,
) -> anyhow::Result<Report> {
    let mut options = RunOptions::new(folder, device.clone());
    let name = what.to_owned();
    options.progress = Box::new(move |event: &ProgressEvent| {
        if let ProgressEvent::Validated { step, values, .. } = event {
            let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
            eprintln!("{name}: step {step}: {}", values.join(", "));
        }
    });
    let done = if RunDir::open(folder).is_ok() {
        let run = RunDir::open(folder)?;
        if let Some(report) = run.report()? {
            return Ok(report);
        }
        Plan::of_run(base.clone(), &run, None)?.resume(options, None)?
    } else {
        let mut given = Settings::default();
        for assignment in settings {
            given.set(assignment).with_context(|| format!("the setting {assignment}"))?;
        }
        Plan::new(base.clone(), &given, None)?.train(options)?
    };
    match done.outcome {
        Outcome::Finished(report) => Ok(report),
        Outcome::Interrupted { step } => bail!("{what}: interrupted behind step {step}"),
    }
}

fn toml_text(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().with_context(|| format!("the path {} is not UTF-8", path.display()))?;
    Ok(toml::Value::String(text.to_owned()).to_string())
}
