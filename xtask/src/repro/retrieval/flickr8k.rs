//! Flickr8k: two methods with the same choices, chosen on images held out from training, measured on `val`; and what each
//! does to zero-shot accuracy on PACS.

use std::path::PathBuf;

use anyhow::Context as _;
use burn::tensor::Device;
use radapter::adapter::Alpha;
use radapter::clip::checkpoint::Checkpoint;
use radapter::clip::model::Clip;
use radapter::datasets::captions::{self, CaptionsOptions};
use radapter::datasets::{OnError, SkipReport, Templates};
use radapter::embedding::EmbedOptions;
use radapter::retrieval::gallery::Gallery;
use radapter::training::finetuned::FineTunedRun;

use super::forgetting::Pacs;
use super::row::Row;
use super::run::{Captions, train};
use super::table;

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
    /// Epochs of every run; the best of them is kept
    #[arg(long, default_value_t = 1)]
    epochs: u64,
    /// Seeds of the runs; choices are made with the first
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1, 2])]
    seeds: Vec<u64>,
}

/// A method and the learning rates it may have.
struct Arm {
    name: &'static str,
    settings: &'static [&'static str],
    grid: [f64; 3],
    scaled: bool,
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

/// τ of the loss: the method's own, and the checkpoint's.
const TEMPERATURES: [&str; 2] = ["0.01", "\"checkpoint\""];

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
        "validate_every = \"epoch\"".to_owned(),
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
    for arm in &ARMS {
        let (lr, temperature) = work.choose(arm)?;
        for &seed in &args.seeds {
            rows.extend(work.measure(arm, lr, temperature, seed)?);
        }
    }
    table::write(&rows, "flickr8k", args.epochs, &args.out, &args.docs)
}

impl Work<'_> {
    fn folder(&self, arm: &Arm, lr: f64, temperature: &str, seed: u64) -> PathBuf {
        let (name, temperature) = (arm.name.replace(' ', "-"), temperature.trim_matches('"'));
        self.args.out.join(format!("runs/{name}-lr{lr:e}-tau-{temperature}-seed{seed}"))
    }

    fn train(&self, arm: &Arm, lr: f64, temperature: &str, seed: u64) -> anyhow::Result<radapter::training::Report> {
        let mut settings = self.common.clone();
        settings.extend(arm.settings.iter().map(|&setting| setting.to_owned()));
        settings.extend([
            format!("lr = {lr:e}"),
            format!("loss.temperature = {temperature}"),
            format!("seed = {seed}"),
        ]);
        let what = format!("{} lr {lr:.0e} tau {temperature} seed {seed}", arm.name);
        train(&what, &settings, &self.base, &self.folder(arm, lr, temperature, seed), &self.device)
    }

    /// The learning rate and τ of best mean recall on the held-out images; the first of those that are equal. τ is chosen at
    /// the middle learning rate, then the learning rate at that τ: four runs an arm instead of six.
    fn choose(&self, arm: &Arm) -> anyhow::Result<(f64, &'static str)> {
        let [low, middle, high] = arm.grid;
        let held_out = |lr: f64, temperature: &str| -> anyhow::Result<f64> {
            let report = self.train(arm, lr, temperature, self.args.seeds[0])?;
            let value = report.best.context("the run did not validate")?.value;
            eprintln!("{}: lr {lr:.0e}, tau {temperature}: held out {:.1} %", arm.name, 100.0 * value);
            Ok(value)
        };
        let [own, checkpoints] = TEMPERATURES;
        let (first, second) = (held_out(middle, own)?, held_out(middle, checkpoints)?);
        let (temperature, value) = if second > first { (checkpoints, second) } else { (own, first) };
        let mut best = (middle, value);
        for lr in [low, high] {
            let value = held_out(lr, temperature)?;
            if value > best.1 {
                best = (lr, value);
            }
        }
        Ok((best.0, temperature))
    }

    fn row(&self, method: &str, seed: u64, clip: &Clip) -> anyhow::Result<Row> {
        let outcome = self.gallery.evaluate(clip, &EmbedOptions::default(), &mut |_| {})?;
        Ok(Row {
            set: "Flickr8k".to_owned(),
            method: method.to_owned(),
            lr: None,
            temperature: None,
            alpha: None,
            seed,
            validation: None,
            recall: outcome.evaluation,
            forgetting: self.pacs.measure(clip)?,
            tuned_parameters: 0,
            seconds: 0.0,
        })
    }

    fn zero_shot(&self) -> anyhow::Result<Row> {
        let clip = Clip::from_state(&self.base.config, &self.base.state, &self.device)?;
        self.row("zero-shot", self.args.seeds[0], &clip)
    }

    /// The rows of one run: R-Adapter at each α, full fine-tuning as it is.
    fn measure(&self, arm: &Arm, lr: f64, temperature: &str, seed: u64) -> anyhow::Result<Vec<Row>> {
        let report = self.train(arm, lr, temperature, seed)?;
        let run = FineTunedRun::open(self.folder(arm, lr, temperature, seed))?;
        let alphas = if arm.scaled { (0..=10).map(|tenth| f64::from(tenth) / 10.0).collect() } else { vec![1.0] };
        let mut rows = Vec::new();
        for alpha in alphas {
            let checkpoint = run.model(&self.base, Some(Alpha::new(alpha)?), &self.device)?.checkpoint;
            let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, &self.device)?;
            rows.push(Row {
                lr: Some(lr),
                temperature: Some(run.temperature()),
                alpha: arm.scaled.then_some(alpha),
                validation: report.best.as_ref().map(|best| best.value),
                tuned_parameters: report.tuned_parameters,
                seconds: report.seconds,
                ..self.row(arm.name, seed, &clip)?
            });
        }
        Ok(rows)
    }
}
