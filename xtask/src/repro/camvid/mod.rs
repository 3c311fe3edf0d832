//! CamVid: two methods with equal tuning budgets, tuned on images held out from training and evaluated on `val`; three classes are
//! held out of training.

mod measure;
mod pictures;
mod row;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::Device;
use radapter::adapter::Alpha;
use radapter::clip::checkpoint::Checkpoint;
use radapter::methods::METHODS;
use radapter::segmentation::task::Segmentation;
use radapter::settings::Settings;
use radapter::training::Report;
use radapter::training::finetuned::FineTunedRun;

use measure::Quality;
pub(super) use measure::{Masks, Val};
use row::Row;

use super::arm::chosen;
use super::cache::kept;
use super::grid::{Arm, Choice};
use super::run::{text, train};

/// The classes, in label order.
pub(super) const CLASSES: [&str; 11] =
    ["sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence", "car", "pedestrian", "bicyclist"];
/// The classes held out of training, fixed before anything was measured.
pub(super) const UNSEEN: [&str; 3] = ["tree", "car", "bicyclist"];
/// The α of the claim, fixed beforehand.
const CLAIMED: f64 = 0.4;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with `camvid/images/{train,val}/` and `camvid/annotations/{train,val}/`
    #[arg(long)]
    data: PathBuf,
    /// Directory of the model
    #[arg(long)]
    weights: PathBuf,
    /// Folder of runs, figures and images
    #[arg(long, default_value = "target/repro-camvid")]
    out: PathBuf,
    /// Folder for the table and the plot
    #[arg(long, default_value = "docs")]
    docs: PathBuf,
    /// Epochs of every run, as many as in OVSeg's recipe; the best of them is kept
    #[arg(long, default_value_t = 5)]
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
    [Arm::new("full fine-tuning", "ovseg", [5e-6, 5e-5, 5e-4]), Arm::new("R-Adapter", "r-adapter", [5e-4, 5e-3, 5e-2])];

/// What all runs share.
struct Work<'a> {
    args: &'a Args,
    base: Checkpoint,
    device: Device,
    val: Val,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let work = Work {
        args,
        base: Checkpoint::open(&args.weights, None)?,
        device: Device::flex(),
        val: Val::open(&args.data.join("camvid"), &CLASSES, &UNSEEN)?,
    };
    let mut rows = vec![];
    let mut models: BTreeMap<&str, Checkpoint> = BTreeMap::new();
    for masks in [Masks::GroundTruth, Masks::Builtin] {
        rows.push(work.row("zero-shot", None, None, masks, &work.base)?);
    }
    models.insert("zero-shot", work.base.clone());
    for arm in chosen(&ARMS, &args.method)? {
        let choice = arm.choose(args.seeds[0], |choice| Ok(work.train(&arm, choice)?.best.map(|best| best.value)))?;
        for &seed in &args.seeds {
            let choice = Choice { seed, ..choice };
            work.train(&arm, choice)?;
            let run = FineTunedRun::open(METHODS, arm.folder(&args.out, choice))?;
            let is_scaled = run.method().is_scaled();
            for alpha in arm.alphas()? {
                let tuned = run.model(&work.base, Some(Alpha::new(alpha)?.into()), &work.device)?;
                let checkpoint = tuned.model.checkpoint()?;
                let shown = is_scaled.then_some(alpha);
                rows.push(work.row(arm.name, Some(choice), shown, Masks::GroundTruth, &checkpoint)?);
                if !is_scaled || alpha == CLAIMED {
                    rows.push(work.row(arm.name, Some(choice), shown, Masks::Builtin, &checkpoint)?);
                    if seed == args.seeds[0] {
                        models.insert(arm.name, checkpoint);
                    }
                }
            }
        }
    }
    if !args.method.is_empty() {
        return Ok(());
    }
    pictures::write(&work.val, &models, &args.out.join("pictures"), &args.docs)?;
    table::write(&rows, work.proposals()?, args.epochs, &args.out, &args.docs)
}

impl Work<'_> {
    fn train(&self, arm: &Arm, choice: Choice) -> anyhow::Result<Report> {
        let folder = self.args.data.join("camvid");
        let (images, annotations) = (folder.join("images/train"), folder.join("annotations/train"));
        let mut settings = Settings::default();
        settings.set("images", text(&images)?)?;
        settings.set("annotations", text(&annotations)?)?;
        settings.set("classes", CLASSES.to_vec())?;
        settings.set("exclude", UNSEEN.to_vec())?;
        settings.set("val_fraction", 0.1)?;
        settings.set("epochs", self.args.epochs as i64)?;
        settings.set("batch_size", 64)?;
        settings.set("keep", "best")?;
        settings.set("save_every", 50)?;
        arm.set(&mut settings, choice)?;
        let folder = arm.folder(&self.args.out, choice);
        train::<Segmentation>(&arm.title(choice), &settings, &self.base, &folder, &self.device)
    }

    /// The quality of the built-in masks.
    fn proposals(&self) -> anyhow::Result<Quality> {
        kept(&self.args.out.join("rows"), "proposals", || self.val.proposals())
    }

    /// Evaluates a model on one kind of masks, or reads the saved result.
    fn row(
        &self,
        method: &str,
        choice: Option<Choice>,
        alpha: Option<f64>,
        masks: Masks,
        checkpoint: &Checkpoint,
    ) -> anyhow::Result<Row> {
        let mut name = method.to_owned();
        if let Some(Choice { lr, temperature, seed }) = choice {
            name = format!("{name} lr {lr:e} tau {temperature} seed {seed}");
        }
        if let Some(alpha) = alpha {
            name = format!("{name} alpha {alpha}");
        }
        name = format!("{name} {masks:?}");
        kept(&self.args.out.join("rows"), &name, || {
            let start = std::time::Instant::now();
            let measured = self.val.measure(checkpoint, masks, &self.device)?;
            eprintln!("{name}: mIoU {:.1} %", 100.0 * measured.miou);
            Ok(Row {
                method: method.to_owned(),
                masks: format!("{masks:?}"),
                lr: choice.map(|choice| choice.lr),
                temperature: choice.map(|choice| choice.temperature.to_string()),
                alpha,
                seed: choice.map_or(self.args.seeds[0], |choice| choice.seed),
                seconds: start.elapsed().as_secs_f64(),
                measured,
            })
        })
    }
}
