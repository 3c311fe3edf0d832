use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_classification::classes::Classes;
use radapter_classification::finetuned::{ClassificationRun, Classifier};
use radapter_classification::head::Head;
use radapter_classification::suite::{Prediction, SuiteResult, evaluate_suite};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Clip;
use radapter_datasets::Templates;
use radapter_embedding::EmbedOptions;
use radapter_training::RunOptions;

use super::method::stored_bytes;
use super::results::CLAIMED_ALPHA;
use super::{Budget, Data, LearningRates, Method, Row, train};
use crate::command::progress::{Progress, Style};

/// Who hears of progress, and who may stop the work.
pub struct Ears {
    pub(crate) session_progress: Style,
    pub(crate) interrupt: Arc<AtomicBool>,
}

impl Ears {
    /// Nobody.
    pub fn none() -> Self {
        Self { session_progress: Style::Hidden, interrupt: Arc::default() }
    }
}

/// A model's answers: each set's name, and one for each of its images.
pub type Answers = Vec<(String, Vec<Prediction>)>;

/// What the comparison gave.
pub struct Compared {
    /// One row for each method, α and seed.
    pub rows: Vec<Row>,
    /// The answers of zero-shot, full fine-tuning and R-Adapter (α = 0.5) of the first seed, set by set.
    pub answers: Vec<(Method, Answers)>,
    /// R-Adapter of the first seed, merged at α = 0.5.
    pub merged: Classifier,
}

/// Trains and measures all methods for all seeds; runs go into `runs`.
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
    // A training counts as much as a measurement on the bar; both take seconds.
    let pieces = 1 + budget.seeds.len() * (3 + budget.alphas.len());
    let bar = Bar { progress: ears.session_progress.start("quickstart", "pieces", pieces as u64), done: 0 };
    let mut work = Work { base, data, device, bar, rows: Vec::new(), answers: Vec::new() };
    work.zero_shot(budget)?;
    let mut merged = None;
    for &seed in &budget.seeds {
        for method in [Method::FullFineTuning, Method::RAdapter] {
            let folder = runs.join(format!("{method}-{seed}"));
            let mut options = RunOptions::new(&folder, device.clone());
            options.interrupt = ears.interrupt.clone();
            work.bar.tell(&format!("training {method}, seed {seed}"));
            let report = train(method, rates.of(method), seed, base, data, budget, options)?;
            work.bar.next();
            let run = ClassificationRun::open(&folder)?;
            let alphas = match method {
                Method::RAdapter => budget.alphas.iter().copied().map(Some).collect(),
                _ => vec![None],
            };
            for alpha in alphas {
                let model = run.model(base, alpha.map(Alpha::new).transpose()?, device)?;
                let mut files = vec![run.dir().evaluated()?];
                files.extend(run.dir().evaluated_head()?);
                let files: Vec<&Path> = files.iter().map(|file| file.as_path()).collect();
                let cost = Cost {
                    tuned_parameters: report.tuned_parameters,
                    seconds: report.seconds,
                    bytes: stored_bytes(&files),
                };
                let shown = alpha.is_none_or(|alpha| alpha == CLAIMED_ALPHA) && seed == budget.seeds[0];
                work.measure(method, alpha, seed, &model.clip, &model.head, &cost, shown)?;
                if shown && method == Method::RAdapter {
                    merged = Some(model);
                }
            }
        }
    }
    work.bar.progress.finish();
    let merged = merged.context("the budget has no run at alpha 0.5")?;
    Ok(Compared { rows: work.rows, answers: work.answers, merged })
}

/// What a model took to make.
struct Cost {
    tuned_parameters: usize,
    seconds: f64,
    bytes: u64,
}

struct Work<'a> {
    base: &'a Checkpoint,
    data: &'a Data,
    device: &'a Device,
    bar: Bar,
    rows: Vec<Row>,
    answers: Vec<(Method, Answers)>,
}

impl Work<'_> {
    /// Measured once, told for each seed: it hangs on none.
    fn zero_shot(&mut self, budget: &Budget) -> anyhow::Result<()> {
        let clip = Clip::from_state(&self.base.config, &self.base.state, self.device)?;
        let classes = Classes::new(self.data.training.train.classes.clone())?;
        let head = Head::zero_shot(&clip, &classes, &Templates::default(), EmbedOptions::default().batch)?;
        let cost = Cost { tuned_parameters: 0, seconds: 0.0, bytes: 0 };
        self.measure(Method::ZeroShot, None, budget.seeds[0], &clip, &head, &cost, true)?;
        let first = self.rows[0].clone();
        self.rows.extend(budget.seeds[1..].iter().map(|&seed| Row { seed, ..first.clone() }));
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "a row has that many columns")]
    fn measure(
        &mut self,
        method: Method,
        alpha: Option<f64>,
        seed: u64,
        clip: &Clip,
        head: &Head,
        cost: &Cost,
        shown: bool,
    ) -> anyhow::Result<()> {
        let at = alpha.map_or(String::new(), |alpha| format!(", alpha {alpha}"));
        self.bar.tell(&format!("measuring {method}, seed {seed}{at}"));
        let outcome = evaluate_suite(clip, head, &self.data.suite, &EmbedOptions::default(), &mut |_, _| {})?;
        let SuiteResult { id, ood, ood_average } = outcome.result;
        self.rows.push(Row {
            method,
            alpha,
            seed,
            id: id.evaluation.top1,
            ood: ood.into_iter().map(|set| (set.name, set.evaluation.top1)).collect(),
            ood_average,
            unseen_id: None,
            unseen_ood_average: None,
            tuned_parameters: cost.tuned_parameters,
            seconds: cost.seconds,
            bytes: cost.bytes,
        });
        if shown {
            self.answers.push((method, outcome.predictions));
        }
        self.bar.next();
        Ok(())
    }
}

struct Bar {
    progress: Progress,
    done: u64,
}

impl Bar {
    fn tell(&self, what: &str) {
        self.progress.set(self.done, what);
    }

    fn next(&mut self) {
        self.done += 1;
    }
}
