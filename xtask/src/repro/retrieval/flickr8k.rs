//! Flickr8k: two methods with the same choices, chosen on images held out from training, measured on `val`; and what each
//! does to zero-shot accuracy on PACS.

use std::path::PathBuf;

use burn::tensor::Device;
use radapter::adapter::Alpha;
use radapter::clip::checkpoint::Checkpoint;
use radapter::clip::model::Clip;
use radapter::datasets::captions::{self, CaptionsOptions};
use radapter::datasets::{OnError, SkipReport, Templates};
use radapter::embedding::EmbedOptions;
use radapter::retrieval::gallery::Gallery;
use radapter::retrieval::plan::TrainingCaptions;
use radapter::training::Report;
use radapter::training::finetuned::FineTunedRun;

use super::captions::Captions;
use super::forgetting::Pacs;
use super::row::Row;
use super::table;
use crate::repro::cache::kept;
use crate::repro::grid::{Arm, Choice, named};
use crate::repro::run::train;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with `flickr8k/dataset_flickr8k.json`, `flickr8k/images/` and `pacs/test/<domain>/<class>/`
    #[arg(long)]
    data: PathBuf,
    /// The model, a directory
    #[arg(long)]
    weights: PathBuf,
    /// Folder of runs and results
    #[arg(long, default_value = "target/repro-flickr8k")]
    out: PathBuf,
    /// Where the table and the plot go
    #[arg(long, default_value = "docs")]
    docs: PathBuf,
    /// Epochs of every run, each over all pairs, which are five to an image; the best checkpoint is kept
    #[arg(long, default_value_t = 1)]
    epochs: u64,
    /// Seeds of the runs; choices are made with the first
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1, 2])]
    seeds: Vec<u64>,
    /// Train and measure this method alone, by its name in the table, and write no table: several processes share the work so
    #[arg(long)]
    only: Option<String>,
}

const ARMS: [Arm; 2] = [
    Arm {
        name: "full fine-tuning",
        settings: &["tune = \"all\"", "weight_decay = 0.1"],
        grid: [3e-5, 1e-4, 3e-4],
        scaled: false,
    },
    Arm { name: "R-Adapter", settings: &["tune = \"adapters\""], grid: [5e-4, 2e-3, 5e-3], scaled: true },
];

/// What is the same in all runs.
struct Work<'a> {
    args: &'a Args,
    base: Checkpoint,
    device: Device,
    common: Vec<String>,
    gallery: Gallery,
    pacs: Pacs,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let folder = args.data.join("flickr8k");
    let captions = Captions { file: folder.join("dataset_flickr8k.json"), images: folder.join("images") };
    let mut common = captions.settings("train")?;
    common.extend([
        // 600 of the 6000 training images.
        "val_fraction = 0.1".to_owned(),
        format!("epochs = {}", args.epochs),
        "batch_size = 128".to_owned(),
        // Twice in an epoch of all 27,000 pairs.
        "validate_every = 106".to_owned(),
        "keep = \"best\"".to_owned(),
        "save_every = 50".to_owned(),
    ]);
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
    for arm in named(&ARMS, args.only.as_deref())? {
        let held_out = |choice| Ok(work.train(arm, choice)?.best.map(|best| best.value));
        let chosen = arm.choose(args.seeds[0], held_out)?;
        for &seed in &args.seeds {
            rows.extend(work.measure(arm, Choice { seed, ..chosen })?);
        }
    }
    if args.only.is_some() {
        return Ok(());
    }
    table::write(&rows, "flickr8k", args.epochs, &args.out, &args.docs)
}

impl Work<'_> {
    fn train(&self, arm: &Arm, choice: Choice) -> anyhow::Result<Report> {
        let settings = [self.common.clone(), arm.settings(choice)].concat();
        let folder = arm.folder(&self.args.out, choice);
        train::<TrainingCaptions>(&arm.title(choice), &settings, &self.base, &folder, &self.device)
    }

    /// The figures of a model; what was measured before is taken from its file.
    fn row(
        &self,
        name: &str,
        method: &str,
        seed: u64,
        clip: impl FnOnce() -> anyhow::Result<Clip>,
    ) -> anyhow::Result<Row> {
        kept(&self.args.out.join("rows"), name, || {
            let clip = clip()?;
            let outcome = self.gallery.evaluate(&clip, &EmbedOptions::default(), &mut |_| {})?;
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
                forgetting: self.pacs.measure(&clip)?,
                tuned_parameters: 0,
                seconds: 0.0,
            })
        })
    }

    fn zero_shot(&self) -> anyhow::Result<Row> {
        self.row("zero-shot", "zero-shot", self.args.seeds[0], || {
            Ok(Clip::from_state(&self.base.config, &self.base.state, &self.device)?)
        })
    }

    /// The rows of one run: R-Adapter at each α, full fine-tuning as it is.
    fn measure(&self, arm: &Arm, choice: Choice) -> anyhow::Result<Vec<Row>> {
        let report = self.train(arm, choice)?;
        let run = FineTunedRun::open(arm.folder(&self.args.out, choice))?;
        let row = |alpha: f64| -> anyhow::Result<Row> {
            let name = format!("{} alpha {alpha}", arm.title(choice));
            let clip = || {
                let checkpoint = run.model(&self.base, Some(Alpha::new(alpha)?), &self.device)?.checkpoint;
                Ok(Clip::from_state(&checkpoint.config, &checkpoint.state, &self.device)?)
            };
            Ok(Row {
                lr: Some(choice.lr),
                temperature: Some(run.temperature()),
                alpha: arm.scaled.then_some(alpha),
                validation: report.best.as_ref().map(|best| best.value),
                tuned_parameters: report.tuned_parameters,
                seconds: report.seconds,
                ..self.row(&name, arm.name, choice.seed, clip)?
            })
        };
        arm.alphas().into_iter().map(row).collect()
    }
}
