//! What the comparisons on retrieval and segmentation have in common: they measure checkpoints, and differ in how one is
//! trained and measured.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_clip::checkpoint::{Checkpoint, SaveOptions};
use radapter_training::finetuned::FineTunedRun;
use radapter_training::{Report, RunOptions};

use super::method::stored_bytes;
use super::{Ears, LearningRates, Method, Row};
use crate::command::output;

/// What the comparison gave.
pub struct Compared {
    /// One row for each method, α and seed.
    pub rows: Vec<Row>,
    /// R-Adapter of the first seed, merged at the α that was fixed beforehand.
    pub merged: Checkpoint,
}

/// How much of everything.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneBudget {
    /// Training photos.
    pub train_images: usize,
    /// Validation photos.
    pub val_images: usize,
    /// Test scenes of each domain.
    pub test_images: usize,
    /// Optimizer steps of a run.
    pub steps: u64,
    /// Pairs of a step.
    pub batch_size: usize,
    /// Seeds of the runs.
    pub seeds: Vec<u64>,
    /// Where R-Adapter is measured, the α of the claim among them.
    pub alphas: Vec<f64>,
}

impl Compared {
    /// Writes the rows and the merged checkpoint, in the base's format.
    pub(super) fn write(&self, out: &Path, base: &Checkpoint) -> anyhow::Result<()> {
        output::write_file(&out.join("results.json"), &serde_json::to_vec_pretty(&self.rows)?)?;
        output::write_dir(&out.join("merged"), |dir| {
            Ok(self.merged.save(dir, &SaveOptions::new(base.format).with_dtype(base.dtype))?)
        })
    }
}

/// What is compared, and where.
pub(super) struct Comparison<'a> {
    pub(super) base: &'a Checkpoint,
    pub(super) rates: &'a LearningRates,
    pub(super) budget: &'a SceneBudget,
    /// The α that was fixed beforehand.
    pub(super) claimed: f64,
    /// The folder of the runs.
    pub(super) runs: &'a Path,
    pub(super) device: &'a Device,
    pub(super) ears: &'a Ears,
}

/// A model's figures, as fractions.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    /// In distribution.
    pub(super) id: f64,
    /// On each shifted set.
    pub(super) ood: BTreeMap<String, f64>,
    /// On classes that were kept apart in training: in distribution, and the mean of the shifted sets.
    pub(super) unseen: Option<(f64, f64)>,
}

impl Comparison<'_> {
    /// Trains and measures both methods for all seeds. `train` begins a run of a method, learning rate and seed.
    pub(super) fn run(
        &self,
        train: &dyn Fn(Method, f64, u64, RunOptions) -> anyhow::Result<Report>,
        measure: &dyn Fn(&Checkpoint) -> anyhow::Result<Figures>,
    ) -> anyhow::Result<Compared> {
        let SceneBudget { seeds, alphas, .. } = self.budget;
        let pieces = 1 + seeds.len() * (3 + alphas.len());
        let bar = self.ears.session_progress.start("quickstart", "pieces", pieces as u64);
        let mut done = 0;
        let mut step = |what: String| {
            bar.set(done, &what);
            done += 1;
        };
        step("measuring zero-shot".to_owned());
        let zero_shot = row(Method::ZeroShot, seeds[0], measure(self.base)?);
        let mut rows: Vec<Row> = seeds.iter().map(|&seed| Row { seed, ..zero_shot.clone() }).collect();
        let mut merged = None;
        for &seed in seeds {
            for method in [Method::FullFineTuning, Method::RAdapter] {
                let folder = self.runs.join(format!("{method}-{seed}"));
                let mut options = RunOptions::new(&folder, self.device.clone());
                options.interrupt = self.ears.interrupt.clone();
                step(format!("training {method}, seed {seed}"));
                let report = train(method, self.rates.of(method), seed, options)?;
                let run = FineTunedRun::open(&folder)?;
                let bytes = stored_bytes(&[&run.dir().evaluated()?]);
                let alphas: &[f64] = if method == Method::RAdapter { alphas } else { &[1.0] };
                for &alpha in alphas {
                    step(format!("measuring {method}, seed {seed}, alpha {alpha}"));
                    let model = run.model(self.base, Some(Alpha::new(alpha)?), self.device)?.checkpoint;
                    rows.push(Row {
                        alpha: (method == Method::RAdapter).then_some(alpha),
                        tuned_parameters: report.tuned_parameters,
                        seconds: report.seconds,
                        bytes,
                        ..row(method, seed, measure(&model)?)
                    });
                    if method == Method::RAdapter && alpha == self.claimed && seed == seeds[0] {
                        merged = Some(model);
                    }
                }
            }
        }
        bar.finish();
        let merged = merged.with_context(|| format!("the budget has no run at alpha {}", self.claimed))?;
        Ok(Compared { rows, merged })
    }
}

fn row(method: Method, seed: u64, Figures { id, ood, unseen }: Figures) -> Row {
    let ood_average = ood.values().sum::<f64>() / ood.len().max(1) as f64;
    let (unseen_id, unseen_ood_average) = unseen.unzip();
    Row {
        method,
        alpha: None,
        seed,
        id,
        ood,
        ood_average,
        unseen_id,
        unseen_ood_average,
        tuned_parameters: 0,
        seconds: 0.0,
        bytes: 0,
    }
}
