//! Trains and evaluates both methods for all seeds.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_clip::checkpoint::Checkpoint;
use radapter_datasets::shapes::World;
use radapter_methods::METHODS;
use radapter_settings::Settings;
use radapter_training::finetuned::FineTunedRun;
use radapter_training::{Report, RunOptions};

use crate::results::{Claim, Row, claim};
use crate::{Budget, Contender, Experiment, Figures, Model, Quickstart, page, run};

/// Called before each piece of work.
pub type ProgressListener<'a> = dyn FnMut(Piece<'_>) + 'a;

/// A piece of work that begins: a training or an evaluation. Each takes seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Pieces done.
    pub done: u64,
    /// Description, such as the method and the seed.
    pub what: &'a str,
}

/// A comparison whose data are drawn.
pub struct Comparison<'a> {
    pub(crate) quickstart: &'a Quickstart,
    pub(crate) experiment: Box<dyn Experiment>,
    pub(crate) budget: Budget,
    base: &'a Checkpoint,
    pub(crate) device: &'a Device,
}

/// What a comparison measured.
#[derive(Clone, Debug)]
pub struct Compared {
    /// One row for each method, α and seed.
    pub rows: Vec<Row>,
    /// The models of the first seed that the report shows: zero-shot, full fine-tuning, and R-Adapter at the α of the claim.
    pub shown: Vec<Shown>,
    /// R-Adapter of the first seed, merged at the α of the claim.
    pub merged: Model,
}

/// A model whose predictions the report shows.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the types explain the fields")]
pub struct Shown {
    pub method: Contender,
    pub model: Model,
    pub figures: Figures,
}

impl<'a> Comparison<'a> {
    /// Draws the data.
    ///
    /// # Errors
    /// Errors of the data; a world and a budget with at least one image of each split cause none.
    pub fn draw(
        quickstart: &'a Quickstart,
        world: &World,
        budget: Budget,
        base: &'a Checkpoint,
        device: &'a Device,
    ) -> anyhow::Result<Self> {
        Ok(Self { quickstart, experiment: (quickstart.draw)(world, &budget)?, budget, base, device })
    }

    /// Trains a run of a method into a folder that holds no run.
    ///
    /// # Errors
    /// Errors of the settings and of the training, and an interruption.
    pub fn train(&self, method: Contender, lr: f64, seed: u64, options: RunOptions) -> anyhow::Result<Report> {
        let name = if method == Contender::RAdapter { "r-adapter" } else { self.quickstart.full_fine_tuning };
        let mut settings = Settings::default();
        settings.set("method", name)?;
        settings.set("lr", lr)?;
        settings.set("seed", seed as i64)?;
        settings.set("steps", self.budget.steps as i64)?;
        settings.set("batch_size", self.budget.batch_size as i64)?;
        // The embedded model was pretrained at its own temperature; both methods keep it.
        settings.set("loss.temperature", "checkpoint")?;
        // One validation, at the end: both methods are evaluated after the last step, neither at its luckiest epoch.
        settings.set("validate_every", "end")?;
        // It is measured at each α.
        settings.set("alpha_rule", "none")?;
        settings.set("save_every", "none")?;
        run::finished(&format!("{method}, seed {seed}"), self.experiment.train(self.base, &settings, options)?)
    }

    /// The number of pieces of work in [`run`](Self::run).
    pub fn pieces(&self) -> u64 {
        let Budget { seeds, alphas, .. } = &self.budget;
        // For each seed two trainings, full fine-tuning once, and R-Adapter at each α.
        (1 + seeds.len() * (3 + alphas.len())) as u64
    }

    /// Trains and evaluates both methods for all seeds. The folder `runs` receives the runs; `interrupt` stops the training.
    ///
    /// # Errors
    /// Errors of training and measuring, and an interruption.
    pub fn run(
        &self,
        runs: &Path,
        interrupt: Arc<AtomicBool>,
        progress: &mut ProgressListener<'_>,
    ) -> anyhow::Result<Compared> {
        let Self { quickstart, experiment, budget, base, device } = self;
        let mut done = 0;
        let mut begin = |what: &str| {
            progress(Piece { done, what });
            done += 1;
        };
        begin("measuring zero-shot");
        let model = experiment.zero_shot(base, device)?;
        let figures = experiment.measure(&model, device)?;
        // Measured once; independent of the seed.
        let zero_shot = |&seed| Row::new(Contender::ZeroShot, seed, &figures);
        let mut rows: Vec<Row> = budget.seeds.iter().map(zero_shot).collect();
        let mut shown = vec![Shown { method: Contender::ZeroShot, model, figures }];
        for (index, &seed) in budget.seeds.iter().enumerate() {
            for method in [Contender::FullFineTuning, Contender::RAdapter] {
                begin(&format!("training {method}, seed {seed}"));
                let folder = runs.join(format!("{method}-{seed}"));
                let mut options = RunOptions::new(&folder, (*device).clone());
                options.interrupt = interrupt.clone();
                let report = self.train(method, quickstart.rates.of(method), seed, options)?;
                let bytes = stored_bytes(&FineTunedRun::open(METHODS, &folder)?);
                let alphas = match method {
                    Contender::RAdapter => budget.alphas.iter().copied().map(Some).collect(),
                    _ => vec![None],
                };
                for alpha in alphas {
                    let at = alpha.map_or(String::new(), |alpha| format!(", alpha {alpha}"));
                    begin(&format!("measuring {method}, seed {seed}{at}"));
                    let model = experiment.tuned(&folder, base, alpha.map(Alpha::new).transpose()?, device)?;
                    let figures = experiment.measure(&model, device)?;
                    rows.push(Row {
                        alpha,
                        tuned_parameters: report.tuned_parameters,
                        seconds: report.seconds,
                        bytes,
                        ..Row::new(method, seed, &figures)
                    });
                    if index == 0 && alpha.is_none_or(|alpha| alpha == quickstart.alpha) {
                        shown.push(Shown { method, model, figures });
                    }
                }
            }
        }
        let merged = shown.iter().find(|shown| shown.method == Contender::RAdapter).map(|shown| shown.model.clone());
        let merged = merged.with_context(|| format!("the budget has no run at alpha {}", quickstart.alpha))?;
        Ok(Compared { rows, shown, merged })
    }

    /// The claim of the comparison, if the rows contain what it is about.
    pub fn claim(&self, rows: &[Row]) -> Option<Claim> {
        claim(rows, self.quickstart.alpha)
    }

    /// Warns of a reduced budget, whose figures show nothing.
    pub fn caveat(&self) -> Option<&'static str> {
        let is_reduced = self.budget.steps < (self.quickstart.full)().steps;
        is_reduced.then_some("A reduced run, to see that everything works: its figures mean nothing.")
    }

    /// A note for the terminal that explains the figures.
    pub fn note(&self) -> Option<String> {
        self.experiment.note()
    }

    /// Renders the report as an HTML page.
    ///
    /// # Errors
    /// Errors of the models and images that it shows.
    pub fn page(&self, compared: &Compared) -> anyhow::Result<String> {
        page::page(self, compared)
    }
}

/// The size of a run's trained tensors on disk.
fn stored_bytes(run: &FineTunedRun) -> u64 {
    run.evaluated_files().iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum()
}
