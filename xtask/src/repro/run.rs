//! Runs of the reproductions: settings as TOML assignments, progress on stderr.

use std::path::Path;

use anyhow::Context as _;
use burn::tensor::Device;
use radapter::clip::checkpoint::Checkpoint;
use radapter::training::{ProgressEvent, Report, RunOptions};
use radapter_experiments::run::{TrainingData, complete, settings};

/// The report of the run in `folder`: a finished run is read, an unfinished one resumed, a missing one trained.
pub(crate) fn train<T: TrainingData>(
    what: &str,
    assignments: &[String],
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
    complete::<T>(what, base, &settings(assignments)?, options)
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
