use std::path::Path;

use radapter_adapter::Alpha;
use radapter_classification::finetuned::{ClassificationRun, Classifier, ClassifierError};
use radapter_classification::head::Head;
use radapter_classification::suite::{TestSet, evaluate};
use radapter_classification::task::TrainingImages;
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Clip, Encoder};
use radapter_embedding::{EmbedOptions, Image, embed_images};
use radapter_methods::METHODS;
use radapter_training::finetuned::{FineTunedError, TunedModel};
use radapter_training::{Outcome, RunOptions};

use crate::support::{assert_near, checkpoint, device, model, plan, settings, squares, write_squares};

/// Trains in a folder; returns the best validation's top-1, which is of the final step since the run validates at its end.
fn train(dir: &Path, toml: &str) -> Option<f64> {
    let images = TrainingImages { train: squares(10), val: None };
    let toml = format!("steps = 20\nbatch_size = 10\nval_fraction = 0.3\nvalidate_every = \"end\"\n{toml}");
    let plan = plan(&settings(&toml), Some(images)).unwrap();
    let outcome = plan.train(RunOptions::new(dir, device())).unwrap();
    match outcome.outcome {
        Outcome::Finished(report) => report.best.map(|best| best.value),
        other => panic!("{other:?}"),
    }
}

/// Returns the tensors of a merged model.
fn tensors(tuned: &Classifier) -> &Checkpoint {
    match &tuned.model {
        TunedModel::Merged(checkpoint) => checkpoint,
        other => panic!("{other:?}"),
    }
}

fn clip(tuned: &Classifier) -> Clip {
    let checkpoint = tensors(tuned);
    Clip::from_state(&checkpoint.config, &checkpoint.state, &device()).unwrap()
}

fn rows(model: &dyn Encoder) -> Vec<f32> {
    let images: Vec<Image> = squares(2).samples.iter().map(Image::from).collect();
    let found = embed_images(model, &images, &EmbedOptions::default(), &mut |_| {}).unwrap();
    found.embeddings.values().to_vec()
}

#[test]
fn adapters_become_a_plain_model() {
    let dir = tempfile::tempdir().unwrap();
    let validated = train(dir.path(), "lr = 0.02\nema = 0.5\nalpha = 0.5").unwrap();
    let run = ClassificationRun::open(METHODS, dir.path()).unwrap();
    assert_eq!(run.run().files().base_reference(), Some("tiny"));
    assert_eq!(run.run().default_alphas().to_string(), "0.5");

    let base = checkpoint(1);
    let untouched = run.model(&base, Some(Alpha::ZERO.into()), &device()).unwrap();
    assert_eq!(tensors(&untouched).state, base.state);
    assert_eq!(rows(&clip(&untouched)), rows(&model(1)));

    let tuned = run.model(&base, None, &device()).unwrap();
    assert_ne!(rows(&clip(&tuned)), rows(&model(1)));
    // The classifier is the merged text tower's own.
    let templates = &run.task().eval_templates;
    let expected = Head::zero_shot(&clip(&tuned), run.classes(), templates, 32).unwrap();
    assert_near(tuned.head.weights().values(), expected.weights().values(), 1e-6);
    assert_eq!(tuned.head.classes(), run.classes());

    // The model is the one that was validated at the end of training.
    let held_out: std::collections::BTreeSet<String> = {
        let text = std::fs::read(dir.path().join("split.json")).unwrap();
        let split: serde_json::Value = serde_json::from_slice(&text).unwrap();
        serde_json::from_value(split["held_out"].clone()).unwrap()
    };
    let mut images = squares(10);
    images.samples.retain(|sample| held_out.contains(&sample.name));
    let set = TestSet::new("val", images, run.classes()).unwrap();
    let options = EmbedOptions::default();
    let outcome = evaluate(&clip(&tuned), &tuned.head, &set, &options, &mut |_| {}).unwrap();
    assert_eq!(outcome.evaluation.top1, validated);
}

#[test]
fn tuned_weights_are_mixed_with_the_base() {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path(), "tune = \"all\"\nlr = 3e-3");
    let run = ClassificationRun::open(METHODS, dir.path()).unwrap();
    assert_eq!(run.run().default_alphas(), Alpha::ONE.into());
    let base = checkpoint(1);
    let at = |alpha: f64| run.model(&base, Some(Alpha::new(alpha).unwrap().into()), &device()).unwrap();
    let (start, half, end) = (at(0.0), at(0.5), at(1.0));
    assert_eq!(tensors(&start).state, base.state);
    let default = run.model(&base, None, &device()).unwrap();
    assert_eq!(tensors(&default).state, tensors(&end).state);

    let templates = &run.task().eval_templates;
    let zero_shot = Head::zero_shot(&model(1), run.classes(), templates, 32).unwrap();
    assert_eq!(start.head.weights(), zero_shot.weights());
    assert_ne!(end.head.weights(), zero_shot.weights());
    assert!(end.head.is_trained() && !zero_shot.is_trained());
    let between = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a + b) / 2.0).collect::<Vec<_>>();
    let expected = between(start.head.weights().values(), end.head.weights().values());
    assert_near(half.head.weights().values(), &expected, 1e-6);

    let name = "visual.transformer.resblocks.0.mlp.c_fc.weight";
    let weight = |tuned: &Classifier| tensors(tuned).state.get(name).unwrap().to_f32();
    assert_ne!(weight(&start), weight(&end));
    assert_near(&weight(&half), &between(&weight(&start), &weight(&end)), 1e-6);
    // The text tower and the model's own logit scale are unchanged.
    for name in ["text_projection", "logit_scale", "token_embedding.weight"] {
        assert_eq!(tensors(&end).state.get(name), base.state.get(name), "{name}");
    }
}

#[test]
fn validation_images_are_read_again_unless_they_have_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (images, run) = (dir.path().join("images"), dir.path().join("run"));
    write_squares(&images, &[0, 1, 2, 3], 0, 10);
    let toml = format!("train = {images:?}\nsteps = 1\nbatch_size = 4\nval_fraction = 0.3\nvalidate_every = \"end\"");
    plan(&settings(&toml), None).unwrap().train(RunOptions::new(&run, device())).unwrap();
    let run = ClassificationRun::open(METHODS, &run).unwrap();
    let split = std::fs::read_to_string(run.dir().path().join("split.json")).unwrap();
    let split: serde_json::Value = serde_json::from_str(&split).unwrap();
    let names = |most| -> Vec<String> {
        run.validation(most).unwrap().unwrap().samples.into_iter().map(|sample| sample.name).collect()
    };
    let all = names(100);
    assert_eq!((serde_json::json!(all), all.len()), (split["held_out"].clone(), 12));
    let few = names(5);
    assert!(few.len() == 5 && few.iter().all(|name| all.contains(name)), "{few:?}");
    std::fs::remove_file(images.join(&all[0])).unwrap();
    let message = run.validation(100).unwrap_err().to_string();
    assert!(message.contains("has 11 of the 12 images that the run held out"), "{message}");
}

#[test]
fn another_base_and_another_folder_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path(), "lr = 0.01");
    let run = ClassificationRun::open(METHODS, dir.path()).unwrap();
    let error = run.model(&checkpoint(2), None, &device()).unwrap_err();
    let other_base = matches!(&error, ClassifierError::Run(run) if matches!(**run, FineTunedError::OtherBase { .. }));
    assert!(other_base, "{error}");

    let adapters = run.run().files().evaluated("adapters");
    let bytes = std::fs::read(&adapters).unwrap();
    std::fs::write(&adapters, &bytes[..bytes.len() / 2]).unwrap();
    let message = run.model(&checkpoint(1), None, &device()).unwrap_err().to_string();
    assert!(message.contains("adapters"), "{message}");

    std::fs::remove_file(dir.path().join("classes.json")).unwrap();
    let message = ClassificationRun::open(METHODS, dir.path()).unwrap_err().to_string();
    assert!(message.contains("classes.json"), "{message}");
    let empty = tempfile::tempdir().unwrap();
    assert!(ClassificationRun::open(METHODS, empty.path()).is_err());
}
