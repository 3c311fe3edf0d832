//! Robust fine-tuning of a CLIP on an image folder, and its accuracy in and out of distribution.
//!
//! `cargo run --release -p radapter-classification --example fine_tune -- MODEL TRAIN SUITE.toml RUN`
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::path::Path;

use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_classification::finetuned::ClassificationRun;
use radapter_classification::plan::Plan;
use radapter_classification::suite::{Suite, evaluate_suite};
use radapter_clip::checkpoint::Checkpoint;
use radapter_embedding::EmbedOptions;
use radapter_training::ProgressEvent;
use radapter_training::RunOptions;
use radapter_training::config::Settings;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, train, suite, run] = arguments.as_slice() else {
        return Err("expected MODEL TRAIN SUITE.toml RUN".into());
    };
    let base = Checkpoint::open(model, None)?;
    let mut settings = Settings::default();
    settings.set(&format!("train={train}"))?;
    settings.set(&format!("model={model}"))?;
    settings.set("epochs=5")?;

    let plan = Plan::new(base.clone(), &settings, None)?;
    for warning in &plan.warnings {
        println!("warning: {warning}");
    }
    let options = RunOptions {
        progress: Box::new(|event: &ProgressEvent| {
            if let ProgressEvent::Step(step) = event {
                println!("step {}/{}: loss {:.4}", step.step, step.steps, step.loss);
            }
        }),
        ..RunOptions::new(run, Device::flex())
    };
    plan.train(options)?;

    let run = ClassificationRun::open(run)?;
    let suite = Suite::open(Path::new(suite), run.classes())?;
    for alpha in [0.0, 0.5, 1.0] {
        let tuned = run.model(&base, Some(Alpha::new(alpha)?), &Device::flex())?;
        let options = EmbedOptions::default();
        let outcome = evaluate_suite(&tuned.clip, &tuned.head, &suite, &options, &mut |_, _| {})?;
        let result = outcome.result;
        println!(
            "alpha {alpha}: {} {:.4}, OOD average {:.4}",
            result.id.name, result.id.evaluation.top1, result.ood_average
        );
    }
    Ok(())
}
