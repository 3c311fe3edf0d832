//! Chores of the workspace: `cargo xtask <chore>`. `cargo xtask help` lists them.

#![allow(clippy::print_stdout, reason = "a chore's results go to stdout")]

/// The same allocator as in the `radapter` command, so that benchmarks measure what users run.
#[path = "../../crates/radapter/src/allocator.rs"]
mod allocator;
mod bench;
mod bench_recall;
mod compare_decoders;
mod faults;
mod fuzz;
mod in_memory;
mod machine;
mod page;
mod pretrain;
mod repro;
mod tune;
mod validate;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of the R-Adapter workspace")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Time training steps and inference with random weights, compared with PyTorch
    Bench(bench::Args),
    /// Time recall at K over random embeddings, and check its memory
    BenchRecall(bench_recall::Args),
    /// Kill the command, fill its disk, stop it, and check that nothing is lost or torn
    Faults(faults::Args),
    /// Decode mutated image files here and with Pillow, and write the table of what agrees
    CompareDecoders(compare_decoders::Args),
    /// Run the fuzz targets that `cargo fuzz build` built, and write the table of their figures
    Fuzz(fuzz::Args),
    /// Pretrain the embedded CLIP on the shapes world from random weights; resumes where it stopped
    PretrainEmbedded(pretrain::Args),
    /// Evaluate methods on real data and write the table and the plot of the docs
    #[command(subcommand)]
    Repro(repro::Repro),
    /// Choose the quickstart's learning rates on in-distribution validation images of another world
    TuneQuickstart(tune::Args),
    /// Run all checks that must pass, as `.ci/run` does
    Validate(validate::Args),
}

fn main() -> anyhow::Result<()> {
    allocator::keep_memory();
    match Cli::parse().chore {
        Chore::Bench(args) => bench::run(&args),
        Chore::BenchRecall(args) => bench_recall::run(&args),
        Chore::Faults(args) => faults::run(&args),
        Chore::CompareDecoders(args) => compare_decoders::run(&args),
        Chore::Fuzz(args) => fuzz::run(&args),
        Chore::PretrainEmbedded(args) => pretrain::run(&args),
        Chore::Repro(what) => repro::run(&what),
        Chore::TuneQuickstart(args) => tune::run(&args),
        Chore::Validate(args) => validate::run(&args),
    }
}
