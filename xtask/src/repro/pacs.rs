//! PACS: fine-tuned on photos, measured on all four domains.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use burn::tensor::Device;
use radapter::adapter::Alpha;
use radapter::classification::classes::Classes;
use radapter::classification::finetuned::ClassificationRun;
use radapter::classification::head::Head;
use radapter::classification::read::read_labelled;
use radapter::classification::suite::{Suite, TestSet, evaluate_suite};
use radapter::clip::checkpoint::Checkpoint;
use radapter::clip::model::Clip;
use radapter::datasets::Templates;
use radapter::embedding::EmbedOptions;

use super::arm::Arm;
use super::row::Row;
use super::run::toml_path;
use super::write;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// PACS: `train/photo/<class>/…` and `test/{photo,art_painting,cartoon,sketch}/<class>/…`
    #[arg(long)]
    data: PathBuf,
    /// The model, a directory
    #[arg(long)]
    weights: PathBuf,
    /// Folder of runs and results
    #[arg(long, default_value = "target/repro-pacs")]
    out: PathBuf,
    /// Where the table and the plot go
    #[arg(long, default_value = "docs")]
    docs: PathBuf,
    /// Epochs of every run
    #[arg(long, default_value_t = 10)]
    epochs: u64,
    /// Seeds of the runs
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1, 2])]
    seeds: Vec<u64>,
    /// Train this method alone, by its name in the table, and write no table: several processes share the work so
    #[arg(long)]
    only: Option<String>,
}

const SHIFTED: [&str; 3] = ["art_painting", "cartoon", "sketch"];

/// The methods, each with as many learning rates.
const ARMS: [Arm; 3] = [
    Arm {
        name: "full fine-tuning",
        settings: &["tune = \"all\""],
        grid: [3e-6, 1e-5, 3e-5, 1e-4, 3e-4],
        scaled: false,
    },
    Arm {
        name: "R-Adapter, full rank",
        settings: &["tune = \"adapters\""],
        grid: [1e-4, 5e-4, 2e-3, 5e-3, 1e-2],
        scaled: true,
    },
    Arm {
        name: "R-Adapter, rank 4",
        settings: &["tune = \"adapters\"", "adapter.rank = 4"],
        grid: [5e-4, 2e-3, 5e-3, 2e-2, 5e-2],
        scaled: true,
    },
];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let device = Device::flex();
    let base = Checkpoint::open(&args.weights, None)?;
    let train = args.data.join("train/photo");
    let classes = Classes::new(read_labelled(&train, None)?.classes)?;
    let suite = suite(&args.data, &classes)?;
    let common = [
        format!("train = {}", toml_path(&train)?),
        "val_fraction = 0.2".to_owned(),
        format!("epochs = {}", args.epochs),
        "batch_size = 64".to_owned(),
        "loss.temperature = \"checkpoint\"".to_owned(),
    ];

    let mut rows = zero_shot(&base, &classes, &suite, &args.seeds, &device)?;
    if let Some(only) = &args.only {
        let arm = ARMS.iter().find(|arm| arm.name == only);
        let arm = arm.with_context(|| format!("`{only}` is none of {}", ARMS.map(|arm| arm.name).join("; ")))?;
        return choose(arm, args, &common, &base, &device).map(|_| ());
    }
    for arm in &ARMS {
        let (lr, validation) = choose(arm, args, &common, &base, &device)?;
        eprintln!("{}: learning rate {lr:.0e} by ID validation {:.1} %", arm.name, 100.0 * validation);
        for &seed in &args.seeds {
            rows.extend(measure(arm, lr, seed, args, &common, &base, &suite, &device)?);
        }
    }
    write::write(&rows, args.epochs, &args.out, &args.docs)
}

fn folder(args: &Args, arm: &Arm, lr: f64, seed: u64) -> PathBuf {
    let name = arm.name.replace([' ', ','], "-");
    args.out.join(format!("runs/{name}-lr{lr:e}-seed{seed}"))
}

/// The learning rate of best mean accuracy on the held-out photos; the smaller one of two that are equal.
fn choose(arm: &Arm, args: &Args, common: &[String], base: &Checkpoint, device: &Device) -> anyhow::Result<(f64, f64)> {
    let mut best = (arm.grid[0], f64::NEG_INFINITY);
    for lr in arm.grid {
        let mut sum = 0.0;
        for &seed in &args.seeds {
            let report = arm.train(lr, seed, common, base, &folder(args, arm, lr, seed), device)?;
            sum += report.best.context("the run did not validate")?.value;
        }
        let mean = sum / args.seeds.len() as f64;
        eprintln!("{}: lr {lr:.0e}: ID validation {:.1} %", arm.name, 100.0 * mean);
        if mean > best.1 {
            best = (lr, mean);
        }
    }
    Ok(best)
}

fn suite(data: &Path, classes: &Classes) -> anyhow::Result<Suite> {
    let open = |domain: &str| -> anyhow::Result<TestSet> {
        let images = read_labelled(&data.join("test").join(domain), None)?;
        Ok(TestSet::new(domain, images, classes)?)
    };
    Ok(Suite { id: open("photo")?, ood: SHIFTED.into_iter().map(open).collect::<Result<_, _>>()? })
}

fn zero_shot(
    base: &Checkpoint,
    classes: &Classes,
    suite: &Suite,
    seeds: &[u64],
    device: &Device,
) -> anyhow::Result<Vec<Row>> {
    let clip = Clip::from_state(&base.config, &base.state, device)?;
    let options = EmbedOptions::default();
    let head = Head::zero_shot(&clip, classes, &Templates::default(), options.batch)?;
    let outcome = evaluate_suite(&clip, &head, suite, &options, &mut |_, _| {})?;
    Ok(seeds.iter().map(|&seed| Row::new("zero-shot", seed, &outcome.result)).collect())
}

/// The rows of one run: R-Adapter at each α, full fine-tuning as it is and mixed with the base (WiSE-FT).
#[allow(clippy::too_many_arguments, reason = "a run is decided by that much")]
fn measure(
    arm: &Arm,
    lr: f64,
    seed: u64,
    args: &Args,
    common: &[String],
    base: &Checkpoint,
    suite: &Suite,
    device: &Device,
) -> anyhow::Result<Vec<Row>> {
    let folder = folder(args, arm, lr, seed);
    let report = arm.train(lr, seed, common, base, &folder, device)?;
    let run = ClassificationRun::open(&folder)?;
    let mut rows = Vec::new();
    for tenth in 0..=10 {
        let alpha = Alpha::new(f64::from(tenth) / 10.0)?;
        let model = run.model(base, Some(alpha), device)?;
        let outcome = evaluate_suite(&model.clip, &model.head, suite, &EmbedOptions::default(), &mut |_, _| {})?;
        let name = match (arm.scaled, tenth) {
            (true, _) => arm.name,
            (false, 10) => arm.name,
            (false, _) => "WiSE-FT",
        };
        let mut row = Row::new(name, seed, &outcome.result);
        row.lr = Some(lr);
        row.alpha = (arm.scaled || tenth < 10).then_some(alpha.get());
        row.validation = report.best.as_ref().map(|best| best.value);
        row.tuned_parameters = report.tuned_parameters;
        row.seconds = report.seconds;
        rows.push(row);
    }
    Ok(rows)
}
