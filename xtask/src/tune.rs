//! Chooses the quickstarts' learning rates from grids of the same size, on in-distribution validation images of another world.

use anyhow::Context as _;
use burn::tensor::Device;
use radapter::datasets::shapes::World;
use radapter::embedded::embedded;
use radapter::training::RunOptions;
use radapter_experiments::{Budget, Comparison, Contender, quickstart};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seed of the world; the quickstart uses 0
    #[arg(long, default_value_t = 1)]
    world: u64,
    /// Seeds of the runs; the quickstart uses 0 to 2
    #[arg(long, value_delimiter = ',', default_values_t = [10, 11, 12])]
    seeds: Vec<u64>,
    /// Validation photos [default: 240, for segmentation 60]
    #[arg(long)]
    val_images: Option<usize>,
    /// The quickstart's task
    #[arg(long, default_value = "classification")]
    task: String,
}

/// Five learning rates each: the literature's value times powers of about 3, because a model of this size may need others.
const FULL_FINE_TUNING: [f64; 5] = [3e-5, 1e-4, 3e-4, 1e-3, 3e-3];
const R_ADAPTER: [f64; 5] = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let quickstart = quickstart(&args.task)?;
    let val_images = args.val_images.unwrap_or(quickstart.tuning_val_images);
    let budget = Budget { val_images, ..(quickstart.full)() };
    let (base, device) = (embedded(), Device::flex());
    let comparison = Comparison::draw(quickstart, &World::new(args.world), budget, &base, &device)?;
    let dir = tempfile::tempdir().context("cannot create a temporary folder for the runs")?;
    println!("| method | learning rate | ID validation, each seed | mean |\n|---|---:|---|---:|");
    for (method, grid) in [(Contender::FullFineTuning, FULL_FINE_TUNING), (Contender::RAdapter, R_ADAPTER)] {
        for lr in grid {
            let mut results = Vec::new();
            for &seed in &args.seeds {
                let folder = dir.path().join(format!("{method}-{lr:e}-{seed}"));
                let report = comparison.train(method, lr, seed, RunOptions::new(folder, device.clone()))?;
                results.push(report.best.context("the run has no validation")?.value);
            }
            let mean = results.iter().sum::<f64>() / results.len() as f64;
            let each: Vec<String> = results.iter().map(|value| format!("{:.1}", 100.0 * value)).collect();
            println!("| {method} | {lr:.0e} | {} | {:.1} |", each.join(" "), 100.0 * mean);
        }
    }
    Ok(())
}
