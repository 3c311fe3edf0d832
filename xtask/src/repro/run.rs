//! Runs of the reproductions, with progress on stderr.

use std::path::Path;

use anyhow::Context as _;
use burn::tensor::Device;
use radapter::clip::checkpoint::Checkpoint;
use radapter::settings::Settings;
use radapter::training::{ProgressEvent, Report, RunOptions, Task};
use radapter_experiments::run::complete;

/// The report of the run in `folder`: a finished run is read, an unfinished one resumed, a missing one trained.
pub(crate) fn train<T: Task>(
    what: &str,
    settings: &Settings,
    base: &Checkpoint,
    folder: &Path,
    device: &Device,
) -> anyhow::Result<Report> {
    let mut options = RunOptions::new(folder, device.clone());
    let name = what.to_owned();
    let mut settings = settings.clone();
    // The reproductions measure at each α.
    settings.set("alpha_rule", "none")?;
    options.progress = Box::new(move |event: &ProgressEvent| {
        if let ProgressEvent::Validated { step, values, .. } = event {
            let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
            eprintln!("{name}: step {step}: {}", values.join(", "));
        }
    });
    complete::<T>(what, base, &settings, options)
}

/// A path as the value of a setting.
pub(crate) fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("the path {} is not UTF-8", path.display()))
}
