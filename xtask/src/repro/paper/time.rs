//! What adapters, their dropping and their average cost in time and memory: steps of the trainer in processes that take turns.

use std::fmt::Write as _;

use serde_json::json;

use super::Args;
use super::table::save;
use crate::bench::{Measurement, Part, answer, median, of_part};
use crate::machine::machine;

pub(super) const NAME: &str = "training-time";

/// The steps, the first being what the others are compared with.
const STEPS: [(&str, &[&str]); 6] = [
    ("full fine-tuning (FLYP)", &["method=flyp", "ema=none"]),
    ("plain adapters", &["adapter.drop=0", "ema=none"]),
    ("+ dropping", &["ema=none"]),
    ("+ EMA", &["adapter.drop=0"]),
    ("+ dropping and EMA", &[]),
    ("+ both, rank 4", &["adapter.rank=4"]),
];

const ARCH: &str = "ViT-B-32-quickgelu";
const BATCH: usize = 32;
const ROUNDS: usize = 5;

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let mut found: Vec<Vec<Measurement>> = vec![Vec::new(); STEPS.len()];
    for round in 1..=ROUNDS {
        for (index, (name, settings)) in STEPS.iter().enumerate() {
            let mut command = of_part(ARCH, Part::Step)?;
            command.args(["--batch-size", &BATCH.to_string()]);
            command.args(settings.iter().flat_map(|setting| ["--set", setting]));
            let measured = answer(&mut command)?;
            eprintln!("round {round} of {ROUNDS}: {name}: {:.2} s", measured.seconds);
            found[index].push(measured);
        }
    }
    let mut text = format!(
        "# What training costs\n\nA step of {ARCH} with random weights and {BATCH} captioned images, medians of {ROUNDS} processes each, \
         which took turns.\n\n| step | seconds | against full fine-tuning | against plain adapters | peak memory, MiB |\n\
         |---|---:|---:|---:|---:|\n"
    );
    let mut rows = String::new();
    // Ratios within a round, because the machine's speed drifts from one to the next.
    let ratio = |index: usize, of: usize| {
        median(found[index].iter().zip(&found[of]).map(|(one, other)| one.seconds / other.seconds).collect())
    };
    for (index, (name, settings)) in STEPS.iter().enumerate() {
        let seconds = median(found[index].iter().map(|measured| measured.seconds).collect());
        let memory = median(found[index].iter().filter_map(|measured| measured.peak_memory_mib).collect());
        let (full, plain) = (ratio(index, 0), ratio(index, 1));
        writeln!(text, "| {name} | {seconds:.2} | {full:.2}× | {plain:.2}× | {memory:.0} |")?;
        let row = json!({ "step": name, "settings": settings, "seconds": seconds, "of_full": full, "of_plain": plain, "memory_mib": memory });
        writeln!(rows, "{row}")?;
    }
    writeln!(text, "\n    cargo xtask repro {NAME}\n\n{}", machine())?;
    println!("{text}");
    match &args.docs {
        Some(docs) => save(docs, NAME, &[("md", &text), ("jsonl", &rows)]),
        None => Ok(()),
    }
}
