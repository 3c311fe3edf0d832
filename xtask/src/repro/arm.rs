use std::path::Path;

use burn::tensor::Device;
use radapter::classification::plan::Plan;
use radapter::clip::checkpoint::Checkpoint;
use radapter::training::Report;

use super::run::{self, Begin};

/// A method as a set of settings, and the learning rates it may have.
pub(crate) struct Arm {
    pub(crate) name: &'static str,
    pub(crate) settings: &'static [&'static str],
    pub(crate) grid: [f64; 5],
    /// Whether it has an α.
    pub(crate) scaled: bool,
}

impl Arm {
    /// The run of this learning rate and seed: a finished one as it is, an unfinished one resumed, else a new one.
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
        run::train(&what, &settings, folder, device, |begin, options| {
            Ok(match begin {
                Begin::New(given) => Plan::new(base.clone(), given, None)?.train(options)?,
                Begin::Resume(run) => Plan::of_run(base.clone(), run, None)?.resume(options, None)?,
            })
        })
    }
}
