use std::path::{Path, PathBuf};

use burn::tensor::Device;
use radapter::clip::checkpoint::Checkpoint;
use radapter::retrieval::plan::Plan;
use radapter::training::Report;

use crate::repro::run::{self, Begin, toml_path, toml_text};

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
            format!("captions = {}", toml_path(&self.file)?),
            format!("images = {}", toml_path(&self.images)?),
            format!("split = {}", toml_text(splits)),
        ])
    }
}

/// The run of these settings.
pub(crate) fn train(
    what: &str,
    settings: &[String],
    base: &Checkpoint,
    folder: &Path,
    device: &Device,
) -> anyhow::Result<Report> {
    run::train(what, settings, folder, device, |begin, options| {
        Ok(match begin {
            Begin::New(given) => Plan::new(base.clone(), given, None)?.train(options)?,
            Begin::Resume(run) => Plan::of_run(base.clone(), run, None)?.resume(options, None)?,
        })
    })
}
