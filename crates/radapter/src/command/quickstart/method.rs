use std::fmt;
use std::path::Path;

use anyhow::bail;
use radapter_classification::plan::Plan;
use radapter_clip::checkpoint::Checkpoint;
use radapter_training::RunOptions;
use radapter_training::config::{ConfigError, Settings};
use radapter_training::{Outcome, Report};
use serde::{Deserialize, Serialize};

use super::{Budget, Data};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// No training: the classifier made of class names.
    ZeroShot,
    /// In classification image tower and classifier, cross-entropy, weight decay 0.1, as WiSE-FT's (arXiv 2109.01903); in retrieval
    /// both towers as FLYP's, in segmentation the image tower as OVSeg's, both by CLIP's own loss.
    FullFineTuning,
    /// Adapters in both towers, MPM-NCE.
    RAdapter,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroShot => "zero-shot",
            Self::FullFineTuning => "full-fine-tuning",
            Self::RAdapter => "r-adapter",
        })
    }
}

/// One learning rate for each method that trains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearningRates {
    /// For all weights.
    pub full_fine_tuning: f64,
    /// For adapters.
    pub r_adapter: f64,
}

impl LearningRates {
    /// Chosen by `cargo xtask tune-quickstart` on in-distribution validation photos of another world; see `docs/results.md`.
    pub const CHOSEN: Self = Self { full_fine_tuning: 1e-3, r_adapter: 1e-2 };

    /// That of a method.
    pub fn of(&self, method: Method) -> f64 {
        match method {
            Method::RAdapter => self.r_adapter,
            _ => self.full_fine_tuning,
        }
    }
}

/// What is the same in all comparisons; `full` is what full fine-tuning tunes.
pub(super) fn settings(
    method: Method,
    full: &str,
    lr: f64,
    seed: u64,
    steps: u64,
    batch_size: usize,
) -> Result<Settings, ConfigError> {
    let mut settings = Settings::default();
    let tune = if method == Method::RAdapter { "adapters" } else { full };
    for assignment in [
        format!("tune = \"{tune}\""),
        format!("lr = {lr:e}"),
        format!("seed = {seed}"),
        format!("steps = {steps}"),
        format!("batch_size = {batch_size}"),
        // The embedded model was pretrained at its own temperature; both methods keep it.
        "loss.temperature = \"checkpoint\"".to_owned(),
        // One validation, at the end: both methods are measured as they end, none by its luckiest epoch.
        "validate_every = \"end\"".to_owned(),
        "save_every = \"none\"".to_owned(),
    ] {
        settings.set(&assignment)?;
    }
    Ok(settings)
}

/// Trains into a folder that holds no run.
///
/// # Errors
/// What the plan and the training give, and an interruption.
pub fn train(
    method: Method,
    lr: f64,
    seed: u64,
    base: &Checkpoint,
    data: &Data,
    budget: &Budget,
    options: RunOptions,
) -> anyhow::Result<Report> {
    let settings = settings(method, "all", lr, seed, budget.steps, budget.batch_size)?;
    let plan = Plan::new(base.clone(), &settings, Some(data.training.clone()))?;
    finished(plan.train(options)?.outcome, method, seed)
}

/// The size of a run's trained tensors on disk.
pub(super) fn stored_bytes(files: &[&Path]) -> u64 {
    files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum()
}

/// The report of a run that was not interrupted.
pub(super) fn finished(outcome: Outcome, method: Method, seed: u64) -> anyhow::Result<Report> {
    match outcome {
        Outcome::Finished(report) => Ok(report),
        Outcome::Interrupted { step } => bail!("interrupted behind step {step} of {method}, seed {seed}"),
    }
}
