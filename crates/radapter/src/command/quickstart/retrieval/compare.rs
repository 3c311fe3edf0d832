use std::path::Path;

use burn::tensor::Device;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Clip;
use radapter_embedding::EmbedOptions;
use radapter_retrieval::plan::Plan;
use radapter_training::{Report, RunOptions};

use super::super::comparison::{Compared, Comparison, Figures, SceneBudget};
use super::super::method::{finished, settings};
use super::super::{Ears, LearningRates, Method};
use super::{CLAIMED_ALPHA, Data};

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
    budget: &SceneBudget,
    options: RunOptions,
) -> anyhow::Result<Report> {
    let settings = settings(method, "all", lr, seed, budget.steps, budget.batch_size)?;
    let plan = Plan::new(base.clone(), &settings, Some(data.training.clone()))?;
    finished(plan.train(options)?.outcome, method, seed)
}

/// Trains and measures both methods for all seeds; runs go into `runs`. The figures are mean recalls.
///
/// # Errors
/// What training and measuring give, and an interruption.
pub fn compare(
    base: &Checkpoint,
    data: &Data,
    budget: &SceneBudget,
    rates: &LearningRates,
    runs: &Path,
    device: &Device,
    ears: &Ears,
) -> anyhow::Result<Compared> {
    Comparison { base, rates, budget, claimed: CLAIMED_ALPHA, runs, device, ears }
        .run(&|method, lr, seed, options| train(method, lr, seed, base, data, budget, options), &|model| {
            measure(model, data, device)
        })
}

/// Mean recall on each domain.
fn measure(model: &Checkpoint, data: &Data, device: &Device) -> anyhow::Result<Figures> {
    let clip = Clip::from_state(&model.config, &model.state, device)?;
    let mut recalls = Vec::with_capacity(data.sets.len());
    for (name, gallery) in &data.sets {
        let outcome = gallery.evaluate(&clip, &EmbedOptions::default(), &mut |_| {})?;
        recalls.push((name.clone(), outcome.evaluation.mean_recall));
    }
    let id = recalls.remove(0).1;
    Ok(Figures { id, ood: recalls.into_iter().collect(), unseen: None })
}
