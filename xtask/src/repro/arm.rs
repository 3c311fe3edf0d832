use std::path::Path;

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use radapter::classification::plan::Plan;
use radapter::clip::checkpoint::Checkpoint;
use radapter::training::RunOptions;
use radapter::training::config::Settings;
use radapter::training::{Outcome, ProgressEvent, Report, RunDir};

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
        let mut options = RunOptions::new(folder, device.clone());
        let what = format!("{} lr {lr:.0e} seed {seed}", self.name);
        options.progress = Box::new(move |event: &ProgressEvent| {
            if let ProgressEvent::Validated { step, values, .. } = event {
                let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
                eprintln!("{what}: step {step}: {}", values.join(", "));
            }
        });
        let done = if RunDir::open(folder).is_ok() {
            let run = RunDir::open(folder)?;
            if let Some(report) = run.report()? {
                return Ok(report);
            }
            Plan::of_run(base.clone(), &run, None)?.resume(options, None)?
        } else {
            let mut settings = Settings::default();
            let own = [format!("lr = {lr:e}"), format!("seed = {seed}")];
            let assignments = common.iter().map(String::as_str).chain(self.settings.iter().copied());
            for assignment in assignments.chain(own.iter().map(String::as_str)) {
                settings.set(assignment).with_context(|| format!("the setting {assignment}"))?;
            }
            Plan::new(base.clone(), &settings, None)?.train(options)?
        };
        match done.outcome {
            Outcome::Finished(report) => Ok(report),
            Outcome::Interrupted { step } => bail!("{}: interrupted behind step {step}", folder.display()),
        }
    }
}
