//! Accuracy of a CLIP on an image folder, without training.
//!
//! `cargo run --release -p radapter-classification --example zero_shot -- MODEL FOLDER`
#![allow(clippy::print_stdout, reason = "an example prints its results")]

use std::error::Error;
use std::path::Path;

use burn::tensor::Device;
use radapter_classification::classes::Classes;
use radapter_classification::head::Head;
use radapter_classification::read::read_labelled;
use radapter_classification::suite::{TestSet, evaluate};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Clip;
use radapter_datasets::{OnError, Templates};
use radapter_embedding::EmbedOptions;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, folder] = arguments.as_slice() else {
        return Err("expected a model's directory and an image folder".into());
    };
    let checkpoint = Checkpoint::open(model, None)?;
    let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, &Device::flex())?;
    let images = read_labelled(Path::new(folder), None, OnError::Fail)?;
    let classes = Classes::new(images.classes.clone())?;
    let templates = Templates::resolve("openai-80")?;
    let head = Head::zero_shot(&clip, &classes, &templates, 64)?;
    let set = TestSet::new(folder, images, &classes)?;
    let outcome = evaluate(&clip, &head, &set, &EmbedOptions::default(), &mut |_| {})?;

    let evaluation = outcome.evaluation;
    println!("top-1 {:.4}  top-5 {:.4}  n {}", evaluation.top1, evaluation.top5, evaluation.n);
    for (class, found) in &evaluation.per_class {
        println!("{:.4}  {class} ({})", found.accuracy, found.n);
    }
    Ok(())
}
