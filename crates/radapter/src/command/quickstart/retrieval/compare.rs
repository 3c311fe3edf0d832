use std::path::Path;

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Clip;
use radapter_embedding::EmbedOptions;
use radapter_retrieval::plan::Plan;
use radapter_training::finetuned::FineTunedRun;
use radapter_training::{Outcome, Report, RunOptions};

use super::super::method::{settings, stored_bytes};
use super::super::{Ears, LearningRates, Method, Row};
use super::{Budget, CLAIMED_ALPHA, Data};

/// What the comparison gave.
pub struct Compared {
    /// One row for each method, α and seed; the figures are mean recalls.
    pub rows: Vec<Row>,
    /// R-Adapter of the first seed, merged at α = 0.8.
    pub merged: Checkpoint,
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
    let settings = settings(method, lr, seed, budget.steps, budget.batch_size)?;
    let plan = Plan::new(base.clone(), &settings, Some(data.training.clone()))?;
    match plan.train(options)?.outcome {
        Outcome::Finished(report) => Ok(report),
        Outcome::Interrupted { step } => bail!("interrupted behind step {step} of {method}, seed {seed}"),
    }
}

/// Trains and measures both methods for all seeds; runs go into `runs`.
///
/// # Errors
/// What training and measuring give, and an interruption.
pub fn compare(
    base: &Checkpoint,
    data: &Data,
    budget: &Budget,
    rates: &LearningRates,
    runs: &Path,
    device: &Device,
    ears: &Ears,
) -> anyhow::Result<Compared> {
    let pieces = 1 + budget.seeds.len() * (3 + budget.alphas.len());
    let bar = ears.session_progress.start("quickstart", "pieces", pieces as u64);
    let mut done = 0;
    let mut step = |what: String| {
        bar.set(done, &what);
        done += 1;
    };
    step("measuring zero-shot".to_owned());
    let zero_shot = measure(Method::ZeroShot, budget.seeds[0], base, data, device)?;
    let mut rows: Vec<Row> = budget.seeds.iter().map(|&seed| Row { seed, ..zero_shot.clone() }).collect();
    let mut merged = None;
    for &seed in &budget.seeds {
        for method in [Method::FullFineTuning, Method::RAdapter] {
            let folder = runs.join(format!("{method}-{seed}"));
            let mut options = RunOptions::new(&folder, device.clone());
            options.interrupt = ears.interrupt.clone();
            step(format!("training {method}, seed {seed}"));
            let report = train(method, rates.of(method), seed, base, data, budget, options)?;
            let run = FineTunedRun::open(&folder)?;
            let bytes = stored_bytes(&[&run.dir().evaluated()?]);
            let alphas: &[f64] = if method == Method::RAdapter { &budget.alphas } else { &[1.0] };
            for &alpha in alphas {
                step(format!("measuring {method}, seed {seed}, alpha {alpha}"));
                let model = run.model(base, Some(Alpha::new(alpha)?), device)?.checkpoint;
                rows.push(Row {
                    alpha: (method == Method::RAdapter).then_some(alpha),
                    tuned_parameters: report.tuned_parameters,
                    seconds: report.seconds,
                    bytes,
                    ..measure(method, seed, &model, data, device)?
                });
                if method == Method::RAdapter && alpha == CLAIMED_ALPHA && seed == budget.seeds[0] {
                    merged = Some(model);
                }
            }
        }
    }
    bar.finish();
    let merged = merged.context("the budget has no run at alpha 0.8")?;
    Ok(Compared { rows, merged })
}

/// Mean recall on each domain.
fn measure(method: Method, seed: u64, model: &Checkpoint, data: &Data, device: &Device) -> anyhow::Result<Row> {
    let clip = Clip::from_state(&model.config, &model.state, device)?;
    let mut recalls = Vec::with_capacity(data.sets.len());
    for (name, gallery) in &data.sets {
        let outcome = gallery.evaluate(&clip, &EmbedOptions::default(), &mut |_| {})?;
        recalls.push((name.clone(), outcome.evaluation.mean_recall));
    }
    let id = recalls.remove(0).1;
    let ood_average = recalls.iter().map(|(_, recall)| recall).sum::<f64>() / recalls.len().max(1) as f64;
    Ok(Row {
        method,
        alpha: None,
        seed,
        id,
        ood: recalls.into_iter().collect(),
        ood_average,
        tuned_parameters: 0,
        seconds: 0.0,
        bytes: 0,
    })
}
