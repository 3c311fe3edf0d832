//! The paper's rows on COCO and Flickr30k, in their usual layout.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use burn::tensor::Device;
use radapter::clip::checkpoint::Checkpoint;
use radapter::clip::model::Clip;
use radapter::datasets::captions::{self, CaptionsOptions};
use radapter::datasets::{OnError, SkipReport, Templates};
use radapter::embedding::EmbedOptions;
use radapter::retrieval::gallery::Gallery;
use radapter::training::finetuned::FineTunedRun;

use super::row::Row;
use super::run::{Captions, train};
use super::table;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with `coco/dataset_coco.json` beside `coco/{train2014,val2014}`, or `flickr30k/dataset_flickr30k.json`
    /// beside `flickr30k/flickr30k-images`, or both
    #[arg(long)]
    pub(crate) data: PathBuf,
    /// The model, a directory
    #[arg(long)]
    pub(crate) weights: PathBuf,
    /// Folder of runs and results
    #[arg(long, default_value = "target/repro-retrieval")]
    pub(crate) out: PathBuf,
    /// Seed of the runs
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// A setting for all runs, above the recipe's, as epochs=1
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// A set, its file, its splits for training and testing.
const SETS: [(&str, &str, &str); 2] =
    [("coco", "dataset_coco.json", "train,restval"), ("flickr30k", "dataset_flickr30k.json", "train")];

/// Where Flickr30k's images are, below its folder.
const FLICKR_IMAGES: [&str; 3] = ["flickr30k-images", "flickr30k_images", "images"];

/// The paper's recipe for both methods but for what makes them: FLYP trains all weights by CLIP's own loss.
const ARMS: [(&str, &[&str], Option<f64>); 2] = [
    (
        "full fine-tuning (FLYP)",
        &[
            "recipe = \"paper-coco\"",
            "tune = \"all\"",
            "lr = 1e-5",
            "weight_decay = 0.1",
            "ema = \"none\"",
            "loss.kind = \"info-nce\"",
        ],
        None,
    ),
    ("R-Adapter", &["recipe = \"paper-coco\""], Some(0.8)),
];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let base = Checkpoint::open(&args.weights, None)?;
    let device = Device::flex();
    let mut rows = Vec::new();
    for (name, file, splits) in SETS {
        let folder = args.data.join(name);
        let captions = Captions { file: folder.join(file), images: images(&folder) };
        if !captions.file.is_file() {
            eprintln!("{name}: there is no {}, so that it is left out", captions.file.display());
            continue;
        }
        rows.extend(measure(name, &captions, splits, args, &base, &device).with_context(|| name.to_owned())?);
    }
    if rows.is_empty() {
        let looked: Vec<String> = SETS.iter().map(|(name, file, _)| format!("{name}/{file}")).collect();
        bail!("{} has none of {}", args.data.display(), looked.join(", "));
    }
    table::save(&rows, &args.out)
}

fn images(folder: &Path) -> PathBuf {
    let below = FLICKR_IMAGES.iter().map(|name| folder.join(name)).find(|path| path.is_dir());
    below.unwrap_or_else(|| folder.to_owned())
}

fn measure(
    set: &str,
    captions: &Captions,
    splits: &str,
    args: &Args,
    base: &Checkpoint,
    device: &Device,
) -> anyhow::Result<Vec<Row>> {
    let options = CaptionsOptions {
        images: Some(captions.images.clone()),
        splits: vec!["test".to_owned()],
        max_captions: Some(5),
        ..CaptionsOptions::default()
    };
    let test = captions::read(&captions.file, &options, OnError::Fail, &SkipReport::default())?;
    let gallery = Gallery::new(&test, &Templates::from_list(vec!["{}".to_owned()])?);
    let row = |method: &str, clip: &Clip| -> anyhow::Result<Row> {
        Ok(Row {
            set: set.to_owned(),
            method: method.to_owned(),
            lr: None,
            temperature: None,
            alpha: None,
            seed: args.seed,
            validation: None,
            recall: gallery.evaluate(clip, &EmbedOptions::default(), &mut |_| {})?.evaluation,
            forgetting: std::collections::BTreeMap::new(),
            tuned_parameters: 0,
            seconds: 0.0,
        })
    };
    let mut rows = vec![row("zero-shot", &Clip::from_state(&base.config, &base.state, device)?)?];
    for (name, own, alpha) in ARMS {
        let mut settings = captions.settings(splits)?;
        settings.extend(own.iter().map(|&setting| setting.to_owned()));
        settings.extend(["val_split = \"val\"".to_owned(), format!("seed = {}", args.seed)]);
        settings.extend(args.set.iter().cloned());
        let short = if alpha.is_some() { "r-adapter" } else { "full-fine-tuning" };
        let folder = args.out.join(format!("runs/{set}-{short}-seed{}", args.seed));
        let report = train(&format!("{set}: {name}"), &settings, base, &folder, device)?;
        let run = FineTunedRun::open(&folder)?;
        let checkpoint = run.model(base, None, device)?.checkpoint;
        let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, device)?;
        rows.push(Row {
            lr: Some(run.record().train.lr),
            temperature: Some(run.temperature()),
            alpha,
            validation: report.best.as_ref().map(|best| best.value),
            tuned_parameters: report.tuned_parameters,
            seconds: report.seconds,
            ..row(name, &clip)?
        });
    }
    Ok(rows)
}
