//! A method of the reproduction on PACS.

use std::path::Path;

use burn::tensor::Device;
use radapter::classification::plan::TrainingImages;
use radapter::clip::checkpoint::Checkpoint;
use radapter::training::Report;

use super::run::train;

/// A method as a set of settings, and the learning rates it may have.
pub(crate) struct Arm {
    pub(crate) name: &'static str,
    pub(crate) settings: &'static [&'static str],
    pub(crate) grid: [f64; 5],
    /// Whether it has an α.
    pub(crate) scaled: bool,
}

impl Arm {
    /// The report of the run of this learning rate and seed.
    pub(crate) fn train(
        &self,
        lr: f64,
        seed: u64,
        common: &[String],
        base: &Checkpoint,
        folder: &Path,
        device: &Device,
    ) -> anyhow::Result<Report> {
        let mut settings = common.to_vec();
        settings.extend(self.settings.iter().map(|&setting| setting.to_owned()));
        settings.extend([format!("lr = {lr:e}"), format!("seed = {seed}")]);
        let what = format!("{} lr {lr:.0e} seed {seed}", self.name);
        train::<TrainingImages>(&what, &settings, base, folder, device)
    }
}
