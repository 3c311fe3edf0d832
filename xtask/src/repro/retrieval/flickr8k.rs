//! Flickr8k: two methods with equal tuning budgets, tuned on images held out from training and evaluated on `val` and on zero-shot
//! PACS.

use std::path::PathBuf;

use burn::tensor::Device;
use radapter::adapter::Alpha;
use radapter::clip::checkpoint::Checkpoint;
use radapter::clip::model::{Clip, Encoder, Precision};
use radapter::datasets::captions::{self, CaptionsOptions};
use radapter::datasets::{OnError, SkipReport, Templates};
use radapter::embedding::EmbedOptions;
use radapter::methods::METHODS;
use radapter::retrieval::gallery::Gallery;
use radapter::retrieval::task::Retrieval;
use radapter::settings::Settings;
use radapter::training::Report;
use radapter::training::finetuned::FineTunedRun;

use super::captions::Captions;
use super::forgetting::Pacs;
use super::row::Row;
use super::table;
use crate::repro::arm::chosen;
use crate::repro::cache::kept;
use crate::repro::grid::{Arm, Choice};
use crate::repro::run::train;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with `flickr8k/dataset_flickr8k.json`, `flickr8k/images/` and `pacs/test/<domain>/<class>/`
    #[arg(long)]
    data: PathBuf,
    /// Directory of the model
    #[arg(long)]
    weights: PathBuf,
    /// Folder of runs and results
    #[arg(long, default_value = "target/repro-flickr8k")]
    out: PathBuf,
    /// Folder for the table and the plot
    #[arg(long, default_value = "docs")]
    docs: PathBuf,
    /// Epochs of every run, each over all pairs (five per image); the best checkpoint is kept
    #[arg(long, default_value_t = 1)]
    epochs: u64,
    /// Seeds of the runs; choices are made with the first
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1, 2])]
    seeds: Vec<u64>,
    /// Train and evaluate only this method (`radapter methods` lists them) and write no table, so that several processes can share the
    /// work
    #[arg(long, value_name = "NAME")]
    method: Vec<String>,
}

const ARMS: [Arm; 2] =
    [Arm::new("full fine-tuning", "flyp", [3e-5, 1e-4, 3e-4]), Arm::new("R-Adapter", "r-adapter", [5e-4, 2e-3, 5e-3])];

/// What all runs share.
struct Work<'a> {
    args: &'a Args,
    base: Checkpoint,
    device: Device,
    common: Settings,
    gallery: Gallery,
    pacs: Pacs,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let folder = args.data.join("flickr8k");
    let captions = Captions { file: folder.join("dataset_flickr8k.json"), images: folder.join("images") };
    let mut common = Settings::default();
    captions.set(&mut common, "train")?;
    // 600 of the 6000 training images.
    common.set("val_fraction", 0.1)?;
    common.set("epochs", args.epochs as i64)?;
    common.set("batch_size", 128)?;
    // Twice in an epoch of all 27,000 pairs.
    common.set("validate_every", 106)?;
    common.set("keep", "best")?;
    common.set("save_every", 50)?;
    let options =
        CaptionsOptions { images: Some(captions.images), splits: vec!["val".to_owned()], ..CaptionsOptions::default() };
    let val = captions::read(&captions.file, &options, OnError::Fail, &SkipReport::default())?;
    let work = Work {
        args,
        base: Checkpoint::open(&args.weights, None)?,
        device: Device::flex(),
        common,
        gallery: Gallery::new(&val, &Templates::from_list(vec!["{}".to_owned()])?),
        pacs: Pacs::open(&args.data.join("pacs"))?,
    };
    let mut rows = vec![work.zero_shot()?];
    for arm in chosen(&ARMS, &args.method)? {
        let held_out = |choice| Ok(work.train(&arm, choice)?.best.map(|best| best.value));
        let choice = arm.choose(args.seeds[0], held_out)?;
        for &seed in &args.seeds {
            rows.extend(work.measure(&arm, Choice { seed, ..choice })?);
        }
    }
    if !args.method.is_empty() {
        return Ok(());
    }
    table::write(&rows, "flickr8k", args.epochs, &args.out, &args.docs)
}

impl Work<'_> {
    fn train(&self, arm: &Arm, choice: Choice) -> anyhow::Result<Report> {
        let mut settings = self.common.clone();
        arm.set(&mut settings, choice)?;
        let folder = arm.folder(&self.args.out, choice);
        train::<Retrieval>(&arm.title(choice), &settings, &self.base, &folder, &self.device)
    }

    /// Evaluates a model, or reads the saved result.
    fn row(
        &self,
        name: &str,
        method: &str,
        seed: u64,
        model: impl FnOnce() -> anyhow::Result<Box<dyn Encoder>>,
    ) -> anyhow::Result<Row> {
        kept(&self.args.out.join("rows"), name, || {
            let model = model()?;
            let outcome = self.gallery.evaluate(&*model, &EmbedOptions::default(), &mut |_| {})?;
            eprintln!("{name}: mean recall {:.1} %", 100.0 * outcome.evaluation.mean_recall);
            Ok(Row {
                set: "Flickr8k".to_owned(),
                method: method.to_owned(),
                lr: None,
                temperature: None,
                alpha: None,
                seed,
                validation: None,
                recall: outcome.evaluation,
                forgetting: self.pacs.measure(&*model)?,
                tuned_parameters: 0,
                seconds: 0.0,
            })
        })
    }

    fn zero_shot(&self) -> anyhow::Result<Row> {
        self.row("zero-shot", "zero-shot", self.args.seeds[0], || {
            Ok(Box::new(Clip::from_state(&self.base.config, &self.base.state, &self.device)?))
        })
    }

    /// The rows of one run: R-Adapter at each α, full fine-tuning once.
    fn measure(&self, arm: &Arm, choice: Choice) -> anyhow::Result<Vec<Row>> {
        let report = self.train(arm, choice)?;
        let run = FineTunedRun::open(METHODS, arm.folder(&self.args.out, choice))?;
        let row = |alpha: f64| -> anyhow::Result<Row> {
            let name = format!("{} alpha {alpha}", arm.title(choice));
            let model = || {
                let tuned = run.model(&self.base, Some(Alpha::new(alpha)?.into()), &self.device)?;
                Ok(tuned.model.encoder(&self.device, Precision::F32)?)
            };
            Ok(Row {
                lr: Some(choice.lr),
                temperature: Some(run.files().temperature()),
                alpha: run.method().is_scaled().then_some(alpha),
                validation: report.best.as_ref().map(|best| best.value),
                tuned_parameters: report.tuned_parameters,
                seconds: report.seconds,
                ..self.row(&name, arm.name, choice.seed, model)?
            })
        };
        arm.alphas()?.into_iter().map(row).collect()
    }
}
