//! Robust fine-tuning of a CLIP on an image folder, and its accuracy in and out of distribution.
//!
//! `cargo run --release -p radapter-classification --example fine_tune -- MODEL TRAIN SUITE.toml RUN`
#![allow(clippy::print_stdout, reason = "an example prints its results")]

use std::error::Error;
use std::path::Path;

use burn::tensor::Device;
use radapter_adapter::Alpha;
use radapter_classification::finetuned::ClassificationRun;
use radapter_classification::suite::{Suite, evaluate_suite};
use radapter_classification::task::Classification;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Precision;
use radapter_datasets::OnError;
use radapter_embedding::EmbedOptions;
use radapter_methods::METHODS;
use radapter_settings::Settings;
use radapter_training::plan::Inputs;
use radapter_training::{Plan, ProgressEvent, RunOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, train, suite, run] = arguments.as_slice() else {
        return Err("expected MODEL TRAIN SUITE.toml RUN".into());
    };
    let base = Checkpoint::open(model, None)?;
    let mut settings = Settings::default();
    settings.set("train", train.as_str())?;
    settings.set("epochs", 5)?;

    let inputs = Inputs {
        methods: METHODS,
        base: base.clone(),
        reference: Some(model.clone()),
        from: None,
        data: None,
        device: Device::flex(),
        progress: &mut |_, _| {},
    };
    let plan = Plan::<Classification>::new(inputs, &settings)?;
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

    let run = ClassificationRun::open(METHODS, run)?;
    let suite = Suite::open(Path::new(suite), run.classes(), OnError::Fail)?;
    for alpha in [0.0, 0.5, 1.0] {
        let tuned = run.model(&base, Some(Alpha::new(alpha)?.into()), &Device::flex())?;
        let (encoder, options) = (tuned.model.encoder(&Device::flex(), Precision::F32)?, EmbedOptions::default());
        let outcome = evaluate_suite(&*encoder, &tuned.head, &suite, &options, &mut |_, _| {})?;
        let result = outcome.result;
        println!(
            "alpha {alpha}: {} {:.4}, OOD average {:.4}",
            result.id.name, result.id.evaluation.top1, result.ood_average
        );
    }
    Ok(())
}
