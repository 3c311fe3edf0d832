use std::collections::BTreeSet;
use std::path::Path;

use radapter_classification::task::{ClassificationError, TrainingImages};
use radapter_datasets::LabelledImages;
use radapter_settings::OrNone;
use radapter_training::config::{LossKind, Tune};

use crate::support::{self, Plan, settings, squares, write_squares};

fn in_memory(count: usize) -> Option<TrainingImages> {
    Some(TrainingImages { train: squares(count), val: None })
}

fn plan(toml: &str, count: usize) -> Result<Plan, ClassificationError> {
    support::plan(&settings(toml), in_memory(count))
}

fn names(images: &LabelledImages) -> BTreeSet<String> {
    images.samples.iter().map(|sample| sample.name.clone()).collect()
}

fn of_each_class(images: &LabelledImages) -> Vec<usize> {
    (0..4).map(|class| images.labels().iter().filter(|&&label| label == class).count()).collect()
}

#[test]
fn a_stratified_tenth_is_held_out_by_seed() {
    let task = |toml| plan(toml, 10).unwrap().task;
    let first = task("");
    let val = first.val.as_ref().unwrap();
    assert_eq!(of_each_class(val), [1, 1, 1, 1]);
    assert_eq!(of_each_class(&first.train), [9, 9, 9, 9]);
    assert!(names(&first.train).is_disjoint(&names(val)));
    assert_eq!(first.split.held_out.iter().cloned().collect::<BTreeSet<_>>(), names(val));
    assert_eq!((first.split.train, first.split.val), (36, 4));

    assert_eq!(task("").split, first.split);
    assert_ne!(task("seed = 1").split.held_out, first.split.held_out);
    assert!(task("val_fraction = 0").val.is_none());
}

#[test]
fn shots_are_chosen_from_images_not_held_out() {
    let plan = plan("shots = 3\nval_fraction = 0.5", 10).unwrap();
    assert_eq!(of_each_class(&plan.task.train), [3, 3, 3, 3]);
    assert!(names(&plan.task.train).is_disjoint(&names(plan.task.val.as_ref().unwrap())));
    assert_eq!(plan.task.split.chosen.clone().unwrap().len(), 12);
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);

    let short = self::plan("shots = 20\nval_fraction = 0", 4).unwrap();
    assert_eq!(short.task.train.samples.len(), 16);
    let warning = short.warnings.join(" ");
    assert!(warning.contains("shots") && warning.contains("grass (4)"), "{warning}");
}

#[test]
fn defaults_depend_on_task_and_tuning() {
    let adapters = plan("", 10).unwrap().train;
    assert_eq!((adapters.tune, adapters.loss.kind), (Tune::Adapters, LossKind::MpmNce));
    assert_eq!((adapters.loss.margin, adapters.loss.smoothing), (0.05, 0.02));
    assert_eq!((adapters.alpha.get(), adapters.batch_size, adapters.best.as_str()), (0.5, 36, "top1"));

    let all = plan("tune = \"all\"", 10).unwrap().train;
    assert_eq!((all.loss.kind, all.loss.smoothing), (LossKind::CrossEntropy, 0.0));
    assert_eq!((all.lr, all.weight_decay, all.ema), (3e-5, 0.1, OrNone::None));

    let own = plan("loss.temperature = \"checkpoint\"", 10).unwrap().train;
    // A random state's logit scale is ln(1/0.07).
    assert!((own.loss.temperature - 0.07).abs() < 1e-6);
}

#[test]
fn images_are_read_from_the_folders_of_the_settings() {
    let dir = tempfile::tempdir().unwrap();
    write_squares(&dir.path().join("train"), &[0, 1, 2], 0, 3);
    write_squares(&dir.path().join("val"), &[2, 1], 7, 1);
    let toml =
        |val: &Path| format!("train = {:?}\nval = {val:?}\nclass_names.grass = \"a lawn\"", dir.path().join("train"));
    let task = support::plan(&settings(&toml(&dir.path().join("val"))), None).unwrap().task;
    assert_eq!(task.train.samples.len(), 9);
    assert_eq!(task.classes.texts().collect::<Vec<_>>(), ["blue sky", "a lawn", "rose"]);
    assert_eq!(task.val.unwrap().labels(), [1, 2]);
    assert!(task.split.held_out.is_empty());

    write_squares(&dir.path().join("other"), &[2, 3], 0, 1);
    let other = settings(&toml(&dir.path().join("other")));
    let message = support::plan(&other, None).unwrap_err().to_string();
    assert!(message.contains("validation") && message.contains("sand"), "{message}");
}

#[test]
fn invalid_training_data_is_refused_by_name() {
    let error = |toml: &str| support::plan(&settings(toml), None).unwrap_err().to_string();
    let none = error("");
    assert!(none.contains("train"), "{none}");
    let absent = error("train = \"/nowhere/at/all\"");
    assert!(absent.contains("/nowhere/at/all"), "{absent}");

    let dir = tempfile::tempdir().unwrap();
    let train = format!("train = {:?}", dir.path());
    assert!(error(&train).contains("empty"), "{}", error(&train));
    write_squares(dir.path(), &[2], 0, 2);
    assert!(error(&train).contains("`rose`"), "{}", error(&train));
    std::fs::create_dir(dir.path().join("sand")).unwrap();
    assert!(error(&train).contains("sand"), "{}", error(&train));

    let unknown = plan("learning_rate = 1", 2).unwrap_err().to_string();
    assert!(unknown.contains("learning_rate"), "{unknown}");
    let near = plan("augment.sacle = [0.5, 1]", 2).unwrap_err().to_string();
    assert!(near.contains("sacle") && near.contains("scale"), "{near}");
}
