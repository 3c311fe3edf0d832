//! Choice of the quickstart's learning rates: in-distribution validation accuracy in a world that the quickstart does not
//! show, on grids of one size.

use anyhow::Context as _;
use burn::tensor::Device;
use radapter::command::quickstart::{Budget, Data, Method, SceneBudget, retrieval, segmentation, train};
use radapter::datasets::shapes::World;
use radapter::embedded::embedded;
use radapter::training::RunOptions;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seed of the world; the quickstart's own is 0
    #[arg(long, default_value_t = 1)]
    world: u64,
    /// Seeds of the runs; the quickstart's own are 0 to 2
    #[arg(long, value_delimiter = ',', default_values_t = [10, 11, 12])]
    seeds: Vec<u64>,
    /// Validation photos of each class
    #[arg(long, default_value_t = 10)]
    val_per_class: usize,
    /// Which quickstart
    #[arg(long, default_value = "classification")]
    task: Task,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Task {
    Classification,
    Retrieval,
    Segmentation,
}

/// Five learning rates each, the literature's value times powers of about 3 that a model of this size may want.
const FULL_FINE_TUNING: [f64; 5] = [3e-5, 1e-4, 3e-4, 1e-3, 3e-3];
const R_ADAPTER: [f64; 5] = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let world = World::new(args.world);
    let (base, device) = (embedded(), Device::flex());
    let budget = Budget { val_per_class: args.val_per_class, ..Budget::full() };
    let captions = SceneBudget { val_images: 24 * args.val_per_class, ..retrieval::full() };
    let regions = SceneBudget { val_images: 6 * args.val_per_class, ..segmentation::full() };
    let (data, scenes) = (Data::draw(&world, &budget)?, retrieval::Data::draw(&world, &captions)?);
    let labelled = segmentation::Data::draw(&world, &regions)?;
    let dir = tempfile::tempdir().context("no room for runs")?;
    println!("| method | learning rate | ID validation, each seed | mean |\n|---|---:|---|---:|");
    for (method, grid) in [(Method::FullFineTuning, FULL_FINE_TUNING), (Method::RAdapter, R_ADAPTER)] {
        for lr in grid {
            let mut accuracies = Vec::new();
            for &seed in &args.seeds {
                let folder = dir.path().join(format!("{method}-{lr:e}-{seed}"));
                let options = RunOptions::new(folder, device.clone());
                let report = match args.task {
                    Task::Classification => train(method, lr, seed, &base, &data, &budget, options)?,
                    Task::Retrieval => retrieval::train(method, lr, seed, &base, &scenes, &captions, options)?,
                    Task::Segmentation => segmentation::train(method, lr, seed, &base, &labelled, &regions, options)?,
                };
                accuracies.push(report.best.context("the run did not validate")?.value);
            }
            let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
            let each: Vec<String> = accuracies.iter().map(|value| format!("{:.1}", 100.0 * value)).collect();
            println!("| {method} | {lr:.0e} | {} | {:.1} |", each.join(" "), 100.0 * mean);
        }
    }
    Ok(())
}
