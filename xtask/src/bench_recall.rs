//! Recall over random embeddings: its time, and a check that the memory stays within the embeddings and 1 GiB.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use radapter::retrieval::recall::{Evaluation, Rows, ranks};
use rand::{RngExt as _, SeedableRng as _};
use rayon::prelude::*;
use serde_json::json;

/// Memory allowed besides the embeddings, in bytes.
const BOUND: u64 = 1 << 30;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of images
    #[arg(long, default_value_t = 100_000)]
    images: usize,
    /// Number of texts, at least as many as images
    #[arg(long, default_value_t = 100_000)]
    texts: usize,
    /// Embedding width
    #[arg(long, default_value_t = 128)]
    dim: usize,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let Args { images, texts, dim } = *args;
    ensure!(images > 0 && texts >= images && dim > 0, "expected at least one image, and a text for each");
    let draw = |count: usize, stream: u64| -> Vec<f32> {
        let mut values = vec![0.0_f32; count * dim];
        values.par_chunks_mut(dim).enumerate().for_each(|(row, values)| {
            let mut random = rand::rngs::StdRng::seed_from_u64(stream << 40 | row as u64);
            values.iter_mut().for_each(|value| *value = random.random::<f32>() - 0.5);
            let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
            values.iter_mut().for_each(|value| *value /= length);
        });
        values
    };
    let (image_rows, text_rows) = (draw(images, 1), draw(texts, 2));
    let text_image: Vec<usize> = (0..texts).map(|text| text % images).collect();
    let start = Instant::now();
    let mut reported = start;
    let found = ranks(Rows::new(dim, &image_rows)?, Rows::new(dim, &text_rows)?, &text_image, &mut |done| {
        if reported.elapsed().as_secs() >= 10 {
            reported = Instant::now();
            eprintln!("{done} of {texts} texts in {:.0} s", start.elapsed().as_secs_f64());
        }
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let evaluation = Evaluation::of(&found);
    let embeddings = 4 * ((images + texts) * dim) as u64;
    let peak = peak_memory().context("the system does not report the peak memory (no /proc/self/status)")?;
    let pairs = images as f64 * texts as f64;
    let result = json!({
        "images": images,
        "texts": texts,
        "dim": dim,
        "threads": rayon::current_num_threads(),
        "seconds": seconds,
        "pairs_per_second": pairs / seconds,
        "gflops": 2e-9 * pairs * dim as f64 / seconds,
        "embeddings_mib": embeddings >> 20,
        "peak_memory_mib": peak >> 20,
        "mean_recall": evaluation.mean_recall,
    });
    serde_json::to_writer_pretty(std::io::stdout().lock(), &result)?;
    println!();
    ensure!(peak <= embeddings + BOUND, "the peak memory exceeds the embeddings and 1 GiB");
    Ok(())
}

fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
