//! PACS: fine-tuned on photos, evaluated on all four domains.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use burn::tensor::Device;
use radapter::adapter::Alpha;
use radapter::classification::classes::Classes;
use radapter::classification::finetuned::ClassificationRun;
use radapter::classification::head::Head;
use radapter::classification::read::read_labelled;
use radapter::classification::suite::{Suite, TestSet, evaluate_suite};
use radapter::classification::task::Classification;
use radapter::clip::checkpoint::Checkpoint;
use radapter::clip::model::{Clip, Encoder, Precision};
use radapter::datasets::OnError;
use radapter::datasets::Templates;
use radapter::embedding::EmbedOptions;
use radapter::methods::METHODS;
use radapter::settings::Settings;
use radapter::training::Report;

use super::arm::chosen;
use super::row::Row;
use super::run::{text, train};
use super::{arm, write};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// PACS: `train/photo/<class>/…` and `test/{photo,art_painting,cartoon,sketch}/<class>/…`
    #[arg(long)]
    data: PathBuf,
    /// Directory of the model
    #[arg(long)]
    weights: PathBuf,
    /// Folder of runs and results
    #[arg(long, default_value = "target/repro-pacs")]
    out: PathBuf,
    /// Folder for the table and the plot
    #[arg(long, default_value = "docs")]
    docs: PathBuf,
    /// Epochs of every run
    #[arg(long, default_value_t = 10)]
    epochs: u64,
    /// Seeds of the runs
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1, 2])]
    seeds: Vec<u64>,
    /// Train only this method (`radapter methods` lists them) and write no table, so that several processes can share the work
    #[arg(long, value_name = "NAME")]
    method: Vec<String>,
}

pub(super) const DOMAINS: [&str; 4] = ["photo", "art_painting", "cartoon", "sketch"];

/// A method with five learning rates.
type Arm = arm::Arm<5>;

const ARMS: [Arm; 3] = [
    Arm::new("full fine-tuning", "full", [3e-6, 1e-5, 3e-5, 1e-4, 3e-4]),
    Arm::new("R-Adapter, full rank", "r-adapter", [1e-4, 5e-4, 2e-3, 5e-3, 1e-2]),
    Arm::new("R-Adapter, rank 4", "r-adapter", [5e-4, 2e-3, 5e-3, 2e-2, 5e-2]).with_rank(4),
];

/// What all runs share.
struct Work<'a> {
    args: &'a Args,
    photos: PathBuf,
    base: Checkpoint,
    suite: Suite,
    device: Device,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let photos = args.data.join("train/photo");
    let classes = Classes::new(read_labelled(&photos, None, OnError::Fail)?.classes)?;
    let work = Work {
        args,
        photos,
        base: Checkpoint::open(&args.weights, None)?,
        suite: suite(&args.data, "photo", &classes)?,
        device: Device::flex(),
    };
    let mut rows = work.zero_shot(&classes)?;
    for arm in chosen(&ARMS, &args.method)? {
        let (lr, validation) = work.choose(&arm)?;
        eprintln!("{}: learning rate {lr:.0e} by ID validation {:.1} %", arm.name, 100.0 * validation);
        if args.method.is_empty() {
            for &seed in &args.seeds {
                rows.extend(work.measure(&arm, lr, seed)?);
            }
        }
    }
    if args.method.is_empty() { write::write(&rows, args.epochs, &args.out, &args.docs) } else { Ok(()) }
}

/// The test images of a domain, and those of the others as shifted sets.
pub(super) fn suite(data: &Path, id: &str, classes: &Classes) -> anyhow::Result<Suite> {
    let others = DOMAINS.into_iter().filter(|domain| *domain != id);
    let ood = others.map(|domain| test_set(data, domain, classes)).collect::<anyhow::Result<_>>()?;
    Ok(Suite { id: test_set(data, id, classes)?, ood })
}

/// The images of `data/test/<domain>`.
pub(super) fn test_set(data: &Path, domain: &str, classes: &Classes) -> anyhow::Result<TestSet> {
    let images = read_labelled(&data.join("test").join(domain), None, OnError::Fail)?;
    Ok(TestSet::new(domain, images, classes)?)
}

impl Work<'_> {
    fn folder(&self, arm: &Arm, lr: f64, seed: u64) -> PathBuf {
        let name = arm.name.replace([' ', ','], "-");
        self.args.out.join(format!("runs/{name}-lr{lr:e}-seed{seed}"))
    }

    /// Trains with this learning rate and seed, or reads the finished run.
    fn train(&self, arm: &Arm, lr: f64, seed: u64) -> anyhow::Result<Report> {
        let mut settings = Settings::default();
        settings.set("train", text(&self.photos)?)?;
        settings.set("val_fraction", 0.2)?;
        settings.set("epochs", self.args.epochs as i64)?;
        settings.set("batch_size", 64)?;
        settings.set("loss.temperature", "checkpoint")?;
        settings.set("method", arm.method)?;
        if let Some(rank) = arm.rank {
            settings.set("adapter.rank", rank)?;
        }
        settings.set("lr", lr)?;
        settings.set("seed", seed as i64)?;
        let what = format!("{} lr {lr:.0e} seed {seed}", arm.name);
        train::<Classification>(&what, &settings, &self.base, &self.folder(arm, lr, seed), &self.device)
    }

    /// The learning rate with the best mean accuracy on held-out photos, and that accuracy; ties go to the smaller rate.
    fn choose(&self, arm: &Arm) -> anyhow::Result<(f64, f64)> {
        let mut best = (arm.grid[0], f64::NEG_INFINITY);
        for lr in arm.grid {
            let mut sum = 0.0;
            for &seed in &self.args.seeds {
                sum += self.train(arm, lr, seed)?.best.context("the run has no validation")?.value;
            }
            let mean = sum / self.args.seeds.len() as f64;
            eprintln!("{}: lr {lr:.0e}: ID validation {:.1} %", arm.name, 100.0 * mean);
            if mean > best.1 {
                best = (lr, mean);
            }
        }
        Ok(best)
    }

    fn zero_shot(&self, classes: &Classes) -> anyhow::Result<Vec<Row>> {
        let clip = Clip::from_state(&self.base.config, &self.base.state, &self.device)?;
        let options = EmbedOptions::default();
        let head = Head::zero_shot(&clip, classes, &Templates::default(), options.batch)?;
        let outcome = evaluate_suite(&clip, &head, &self.suite, &options, &mut |_, _| {})?;
        Ok(self.args.seeds.iter().map(|&seed| Row::new("zero-shot", seed, &outcome.result)).collect())
    }

    /// The rows of one run: R-Adapter at each α; full fine-tuning alone and interpolated with the base (WiSE-FT).
    fn measure(&self, arm: &Arm, lr: f64, seed: u64) -> anyhow::Result<Vec<Row>> {
        let report = self.train(arm, lr, seed)?;
        let run = ClassificationRun::open(METHODS, self.folder(arm, lr, seed))?;
        let is_scaled = arm.registered()?.is_scaled();
        let mut rows = Vec::new();
        for tenth in 0..=10 {
            let alpha = Alpha::new(f64::from(tenth) / 10.0)?;
            let model = run.model(&self.base, Some(alpha.into()), &self.device)?;
            let evaluate = |encoder: &dyn Encoder| {
                evaluate_suite(encoder, &model.head, &self.suite, &EmbedOptions::default(), &mut |_, _| {})
            };
            let outcome = model.model.with_encoder(&self.device, Precision::F32, evaluate)??;
            let name = if is_scaled || tenth == 10 { arm.name } else { "WiSE-FT" };
            let mut row = Row::new(name, seed, &outcome.result);
            row.lr = Some(lr);
            row.alpha = (is_scaled || tenth < 10).then_some(alpha.get());
            row.validation = report.best.as_ref().map(|best| best.value);
            row.tuned_parameters = report.tuned_parameters;
            row.seconds = report.seconds;
            rows.push(row);
        }
        Ok(rows)
    }
}
