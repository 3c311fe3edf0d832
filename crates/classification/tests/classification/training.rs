//! Whole runs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use radapter_classification::classes::Classes;
use radapter_classification::task::{Classification, ClassificationError, SplitRecord, TrainingImages};
use radapter_training::plan::check_resume;
use radapter_training::{Outcome, ProgressEvent, Report, RunDir, RunOptions, TrainError, TrainOutcome};

use crate::support::{self, Plan, device, plan_of_run, settings, squares, write_squares};

const ADAPTERS: &str = "seed = 4\nsteps = 24\nbatch_size = 12\nlr = 0.02\nval_fraction = 0.25\n\
    augment.scale = [0.6, 1]\nworkers = 2";

fn images() -> Option<TrainingImages> {
    Some(TrainingImages { train: squares(12), val: None })
}

fn plan(toml: &str) -> Plan {
    support::plan(&settings(toml), images()).unwrap()
}

/// Resumes the run in a folder.
fn resume(dir: &Path) -> Result<TrainOutcome, ClassificationError> {
    let run = RunDir::open(dir).unwrap();
    plan_of_run(&run, images())?.resume(RunOptions::new(dir, device()), None)
}

fn report(outcome: TrainOutcome) -> Report {
    match outcome.outcome {
        Outcome::Finished(report) => report,
        other => panic!("{other:?}"),
    }
}

/// Returns options that interrupt the run after step `last`.
fn interrupted(dir: &Path, last: u64) -> RunOptions {
    let interrupt = Arc::new(AtomicBool::new(false));
    let flag = interrupt.clone();
    let progress = move |event: &ProgressEvent| {
        if matches!(event, ProgressEvent::Step(step) if step.step >= last) {
            flag.store(true, Ordering::SeqCst);
        }
    };
    RunOptions { progress: Box::new(progress), interrupt, ..RunOptions::new(dir, device()) }
}

fn lines(dir: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(dir.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn adapters_learn_the_colours_and_the_folder_explains_itself() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let longer = ADAPTERS.replace("steps = 24", "steps = 60");
    let plan = plan(&format!("{longer}\nalpha = 1\nema = \"none\""));
    let (classes, split) = (plan.task.classes.clone(), plan.task.split.clone());
    let outcome = plan.train(RunOptions::new(&run, device())).unwrap();
    assert!(outcome.skipped.is_empty());
    let report = report(outcome);
    let best = report.best.unwrap();
    assert_eq!(best.metric, "top1");
    // Four classes of one colour each; a random model is right on about a quarter.
    assert!(best.value >= 0.75, "{}", best.value);

    assert_eq!(Classes::read(&run.join("classes.json")).unwrap(), classes);
    let read = std::fs::read(run.join("split.json")).unwrap();
    assert_eq!(serde_json::from_slice::<SplitRecord>(&read).unwrap(), split);
    let losses: Vec<f64> = lines(&run).iter().filter_map(|line| line["loss"].as_f64()).collect();
    assert_eq!(losses.len(), 60);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    assert!(mean(&losses[50..]) < 0.7 * mean(&losses[..5]), "{losses:?}");
}

#[test]
fn a_resumed_run_ends_with_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    plan(ADAPTERS).train(RunOptions::new(&whole, device())).unwrap();
    for last in [5, 13] {
        let outcome = match parts.exists() {
            false => plan(ADAPTERS).train(interrupted(&parts, last)),
            true => {
                let run = RunDir::open(&parts).unwrap();
                let plan = plan_of_run(&run, images()).unwrap();
                plan.resume(interrupted(&parts, last), None)
            }
        };
        let outcome = outcome.unwrap().outcome;
        assert!(matches!(outcome, Outcome::Interrupted { step } if step >= last), "{outcome:?}");
    }
    report(resume(&parts).unwrap());
    for file in ["adapters.safetensors", "adapters-ema.safetensors", "classes.json", "split.json"] {
        let read = |run: &Path| std::fs::read(run.join(file)).unwrap();
        assert_eq!(read(&whole), read(&parts), "{file}");
    }
    let values = |run: &Path| -> Vec<_> {
        lines(run).into_iter().map(|line| (line["step"].clone(), line["top1"].clone())).collect()
    };
    assert_eq!(values(&whole), values(&parts));
}

#[test]
fn full_fine_tuning_learns_with_a_head_from_the_texts() {
    let dir = tempfile::tempdir().unwrap();
    let toml = "tune = \"all\"\nsteps = 40\nbatch_size = 12\nlr = 3e-3\nval_fraction = 0.25";
    let plan = plan(toml);
    let outcome = plan.train(RunOptions::new(dir.path(), device())).unwrap();
    let best = report(outcome).best.unwrap();
    assert!(best.value >= 0.75, "{}", best.value);
}

#[test]
fn a_resume_needs_the_same_images() {
    let dir = tempfile::tempdir().unwrap();
    let (data, run) = (dir.path().join("data"), dir.path().join("run"));
    write_squares(&data, &[0, 1], 0, 6);
    let toml = format!("{ADAPTERS}\ntrain = {data:?}");
    let plan = support::plan(&settings(&toml), None).unwrap();
    plan.train(interrupted(&run, 3)).unwrap();

    let resume = || -> Result<TrainOutcome, ClassificationError> {
        let opened = RunDir::open(&run).unwrap();
        let plan = plan_of_run(&opened, None)?;
        plan.resume(RunOptions::new(&run, device()), None)
    };
    write_squares(&data, &[0], 20, 1);
    let error = resume().unwrap_err();
    assert!(
        matches!(&error, ClassificationError::Training(TrainError::Contradiction { key, .. }) if key.contains("training")),
        "{error}"
    );
    std::fs::remove_file(data.join("blue_sky/20.png")).unwrap();
    report(resume().unwrap());
}

#[test]
fn settings_given_with_a_resume_are_compared_by_what_they_refer_to() {
    let dir = tempfile::tempdir().unwrap();
    let (data, names, run) = (dir.path().join("data"), dir.path().join("names.toml"), dir.path().join("run"));
    write_squares(&data, &[0, 1], 0, 4);
    std::fs::write(&names, "grass = \"a lawn\"").unwrap();
    let toml = format!("{ADAPTERS}\ntrain = {data:?}\nclass_names = {names:?}\ntemplates = \"my {{}}\"");
    let plan = support::plan(&settings(&toml), None).unwrap();
    plan.train(interrupted(&run, 1)).unwrap();

    let run = RunDir::open(&run).unwrap();
    check_resume::<Classification>(&run, &settings(&toml)).unwrap();
    check_resume::<Classification>(&run, &settings("")).unwrap();
    for (given, key) in [
        ("lr = 0.5".to_owned(), "lr"),
        ("templates = \"simple\"".to_owned(), "templates"),
        (format!("train = {:?}", dir.path()), "train"),
        ("class_names.grass = \"meadow\"".to_owned(), "class_names"),
        ("augment.flip = 0.5".to_owned(), "augment.flip"),
    ] {
        let error = check_resume::<Classification>(&run, &settings(&given)).unwrap_err();
        let TrainError::Contradiction { key: found, .. } = &error else {
            panic!("{given}: {error}");
        };
        assert_eq!(found, key);
    }
}

#[test]
fn invalid_plans_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let error = plan("batch_size = 1\nsteps = 2").train(RunOptions::new(&run, device())).unwrap_err();
    assert!(matches!(error, ClassificationError::Training(TrainError::BatchTooSmall { .. })), "{error}");
    assert!(!run.exists());

    plan(ADAPTERS).train(interrupted(&run, 1)).unwrap();
    let error = plan(ADAPTERS).train(RunOptions::new(&run, device())).unwrap_err();
    assert!(matches!(error, ClassificationError::Training(TrainError::RunExists { .. })), "{error}");
}
