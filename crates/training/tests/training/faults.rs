//! Faults are reported, and saved states survive.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use radapter_files::faults::FullAt;
use radapter_methods::METHODS;
use radapter_training::finetuned::FineTunedRun;
use radapter_training::plan::check_resume;
use radapter_training::{RunDir, TrainError};

use crate::resume::history;
use crate::support::{Drawn, Plan, Toy, finished, given, result_files, resume};

fn started(dir: &Path) -> std::path::PathBuf {
    let run = dir.join("run");
    let _ = Plan::new(&["epochs=3"]).interrupted_at(5).train(&run).unwrap();
    run
}

fn resumed(run: &Path) -> Result<(), TrainError> {
    Plan::new(&["epochs=3"]).resume(run).map(|_| ())
}

/// One step, with a best, averages, an event file and a file of the task.
fn short() -> Plan {
    let settings = ["epochs=1", "batch_size=26", "log.tensorboard=true", "adapter.rank=2", "adapter.layers=[0]"];
    let mut plan = Plan::new(&settings);
    plan.files = vec![("classes.json".to_owned(), b"{}".to_vec())];
    plan
}

#[test]
fn a_disk_full_at_any_operation_of_a_run_loses_no_saved_step() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    finished(short().train(&whole).unwrap());
    let whole = (result_files(&whole), history(&whole));
    let run = dir.path().join("run");
    let mut number = 0;
    loop {
        let mut plan = short();
        plan.storage = Arc::new(FullAt::inside(number));
        let Err(error) = plan.train(&run) else { break };
        let text = error.to_string();
        assert!(matches!(error, TrainError::Io(_)), "{number}: {text}");
        assert!(text.contains("run") && text.to_lowercase().contains("no space left"), "{number}: {text}");
        let outcome = match run.join("config.toml").exists() {
            true => short().resume(&run),
            false => short().train(&run),
        };
        finished(outcome.unwrap_or_else(|error| panic!("after operation {number} ({text}): {error}")));
        assert!((result_files(&run), history(&run)) == whole, "{number}: {text}");
        let left: Vec<_> = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{number}: {left:?}");
        fs::remove_dir_all(&run).unwrap();
        number += 1;
    }
    assert!(number > 60, "{number}");
}

#[test]
fn an_existing_run_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let run = started(dir.path());
    let error = Plan::new(&["epochs=3"]).train(&run).unwrap_err();
    assert!(matches!(error, TrainError::RunExists { .. }), "{error}");
    assert!(error.to_string().contains("--resume"), "{error}");
    resumed(&run).unwrap();

    let other = dir.path().join("photos");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("cat.jpg"), b"x").unwrap();
    let error = Plan::new(&[]).train(&other).unwrap_err();
    assert!(matches!(error, TrainError::NotEmpty { .. }), "{error}");
    assert!(error.to_string().contains("cat.jpg"), "{error}");
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(Plan::new(&["steps=1"]).train(&empty).is_ok());
}

#[test]
fn a_folder_without_a_run_cannot_be_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let error = resumed(&dir.path().join("nothing")).unwrap_err();
    assert!(matches!(error, TrainError::NoRun { .. }), "{error}");
}

#[test]
fn a_damaged_state_is_named_and_the_older_one_offered() {
    for damage in ["cut", "gone", "empty", "other step", "state.json"] {
        let dir = tempfile::tempdir().unwrap();
        let run = started(dir.path());
        let states = radapter_training::state::saved_steps(&run.join("state")).unwrap();
        let (older, newest) = (states[0], states[1]);
        let folder = run.join(format!("state/step-{newest:08}"));
        let moments = folder.join("moments.safetensors");
        match damage {
            "cut" => {
                let bytes = fs::read(&moments).unwrap();
                fs::write(&moments, &bytes[..bytes.len() / 2]).unwrap();
            }
            "gone" => fs::remove_file(&moments).unwrap(),
            "empty" => fs::write(folder.join("parameters.safetensors"), b"").unwrap(),
            "other step" => {
                let from = run.join(format!("state/step-{older:08}/state.json"));
                fs::copy(from, folder.join("state.json")).unwrap();
            }
            _ => fs::write(folder.join("state.json"), b"{").unwrap(),
        }
        let error = resumed(&run).unwrap_err();
        let text = error.to_string();
        let TrainError::State { older: offered, path, .. } = error else { panic!("{damage}: {text}") };
        assert_eq!((offered, path), (Some(older), folder), "{damage}");
        assert!(text.contains(&format!("--from-step {older}")), "{text}");

        let whole = dir.path().join("whole");
        finished(Plan::new(&["epochs=3"]).train(&whole).unwrap());
        let setup = Plan::new(&["epochs=3"]).setup(&run).unwrap();
        finished(resume(setup, Some(older)).unwrap());
        assert_eq!(result_files(&whole), result_files(&run), "{damage}");
    }
}

#[test]
fn missing_states_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let run = started(dir.path());
    let setup = Plan::new(&["epochs=3"]).setup(&run).unwrap();
    let error = resume(setup, Some(77)).unwrap_err();
    assert!(error.to_string().contains("no state of step 77"), "{error}");
    fs::remove_dir_all(run.join("state")).unwrap();
    let error = resumed(&run).unwrap_err();
    assert!(matches!(error, TrainError::State { older: None, .. }), "{error}");
}

#[test]
fn another_run_cannot_be_resumed_here() {
    let dir = tempfile::tempdir().unwrap();
    let run = started(dir.path());
    for (settings, key) in [
        (&["epochs=4"][..], "epochs"),
        (&["epochs=3", "lr=0.02"], "lr"),
        (&["epochs=3", "loss.margin=0.3"], "loss.margin"),
        (&["epochs=3", "adapter.rank=2"], "adapter.rank"),
        (&["epochs=3", "tune=all"], "tune"),
    ] {
        let error = Plan::new(settings).resume(&run).unwrap_err();
        assert!(matches!(&error, TrainError::Contradiction { .. }), "{key}: {error}");
    }
    let mut plan = Plan::new(&["epochs=3"]);
    plan.data = Drawn::new(25);
    assert!(plan.resume(&run).unwrap_err().to_string().contains("25 samples"));
    let mut setup = Plan::new(&["epochs=3"]).setup(&run).unwrap();
    setup.base_hash = "other".to_owned();
    assert!(resume(setup, None).unwrap_err().to_string().contains("base model"));
    resumed(&run).unwrap();
}

#[test]
fn settings_given_with_a_resume_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    let run = started(dir.path());
    let run = RunDir::open(&run).unwrap();
    let check = |settings: &[&str]| check_resume::<Toy>(&run, &given(settings));
    check(&["epochs=3", "lr=1e-2", "ema=auto", "loss.kind=mpm-nce", "adapter.rank=full"]).unwrap();
    for (setting, key) in
        [("lr=0.1", "lr"), ("steps=9", "steps"), ("loss.margin=0.06", "loss.margin"), ("templates=simple", "templates")]
    {
        let error = check(&["epochs=3", setting]).unwrap_err();
        let TrainError::Contradiction { key: found, .. } = &error else { panic!("{error}") };
        assert_eq!(found, key);
    }
}

#[test]
fn nan_stops_with_the_step_and_the_parameters_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let mut plan = Plan::new(&["epochs=2"]);
    // In the second step of the first epoch, or wherever the order puts the sample.
    plan.data.nan = Some(11);
    let error = plan.train(&run).unwrap_err();
    let TrainError::NotFinite { step, last_good, .. } = error else { panic!("{error}") };
    assert_eq!(last_good, step - 1);
    assert!(error.to_string().contains("lower learning rate"), "{error}");
    let states = radapter_training::state::saved_steps(&run.join("state")).unwrap();
    assert_eq!(states.last(), Some(&last_good));
    let lines = radapter_training::read_metrics(&run.join("metrics.jsonl")).unwrap();
    assert_eq!(lines.len() as u64, 1 + last_good, "the base model and the steps, without the failed one");
}

#[test]
fn an_exploding_learning_rate_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::new(&["epochs=40", "lr=1e30", "warmup=0", "clip_norm=none", "tune=all"]);
    let error = plan.train(&dir.path().join("run")).unwrap_err();
    assert!(matches!(error, TrainError::NotFinite { .. }), "{error}");
}

#[test]
fn too_few_samples_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let mut plan = Plan::new(&[]);
    plan.data = Drawn::new(0);
    assert!(matches!(plan.train(&run), Err(TrainError::NoSamples)));
    let mut plan = Plan::new(&[]);
    plan.data = Drawn::new(1);
    let error = plan.train(&run).unwrap_err();
    assert!(matches!(error, TrainError::BatchTooSmall { needed: 2, found: 1, .. }), "{error}");
    let error = Plan::new(&["batch_size=1"]).train(&run).unwrap_err();
    assert!(matches!(error, TrainError::BatchTooSmall { .. }), "{error}");
    assert!(!run.exists());
    // A classifier learns from one image at a time.
    finished(Plan::new(&["batch_size=1", "tune=all", "steps=2"]).train(&run).unwrap());
}

#[test]
fn a_broken_sample_stops_the_run_or_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let mut plan = Plan::new(&["epochs=2"]);
    plan.data.broken = Some((5, false));
    let error = plan.train(&dir.path().join("fails")).unwrap_err();
    assert!(matches!(error, TrainError::Data { index: 5, .. }), "{error}");
    assert!(error.to_string().contains("the image is broken"), "{error}");

    // Found before the first step, when the run has nothing to lose: its folder is removed.
    let first = dir.path().join("first");
    let broken_from_the_start = || {
        let mut plan = Plan::new(&["batch_size=26", "epochs=2"]);
        plan.data.broken = Some((5, false));
        plan
    };
    let mut plan = broken_from_the_start();
    plan.files = vec![("classes.json".to_owned(), b"{}".to_vec())];
    let error = plan.train(&first).unwrap_err();
    assert!(matches!(error, TrainError::Data { index: 5, .. }), "{error}");
    assert!(!first.exists());
    // A run that has steps to lose stays.
    let _ = Plan::new(&["batch_size=26", "epochs=2"]).interrupted_at(1).train(&first).unwrap();
    assert!(broken_from_the_start().resume(&first).is_err());
    assert!(first.join("state").is_dir());

    let run = dir.path().join("skips");
    let mut plan = Plan::new(&["epochs=6"]);
    plan.data.broken = Some((5, true));
    finished(plan.train(&run).unwrap());
    let samples: Vec<usize> = radapter_training::read_metrics(&run.join("metrics.jsonl"))
        .unwrap()
        .into_iter()
        .filter_map(|line| match line {
            radapter_training::Line::Train(line) => Some(line.samples),
            radapter_training::Line::Validation(_) => None,
        })
        .collect();
    assert_eq!(samples.len(), 18);
    assert!(samples.iter().all(|&n| n == 7 || n == 8) && samples.contains(&7), "{samples:?}");
}

#[test]
fn an_unknown_metric_lists_the_known_ones() {
    let dir = tempfile::tempdir().unwrap();
    let error = Plan::new(&["epochs=1", "best=map"]).train(&dir.path().join("run")).unwrap_err();
    assert_eq!(error.to_string(), "`best = \"map\"` is not a validation metric; expected one of top1, cosine");
}

#[test]
fn a_run_that_is_being_trained_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let run = started(dir.path());
    let before = result_files(&run);
    let lock = fs::File::create(run.join("lock")).unwrap();
    lock.try_lock().unwrap();
    let error = resumed(&run).unwrap_err();
    assert!(matches!(error, TrainError::Busy { .. }), "{error}");
    assert!(result_files(&run) == before);
    drop(lock);
    resumed(&run).unwrap();
}

#[test]
fn a_missing_state_lists_the_existing_ones() {
    let dir = tempfile::tempdir().unwrap();
    let run = started(dir.path());
    let error = resume(Plan::new(&["epochs=3"]).setup(&run).unwrap(), Some(1)).unwrap_err();
    let states = radapter_training::state::saved_steps(&run.join("state")).unwrap();
    assert!(error.to_string().contains(&format!("expected one of {}, {}", states[0], states[1])), "{error}");
}

#[test]
fn the_best_state_is_kept_on_request_and_with_early_stopping() {
    let dir = tempfile::tempdir().unwrap();
    for (name, settings, folder) in [
        ("last", &["epochs=1"][..], "last"),
        ("best", &["epochs=1", "keep=best"], "best/best"),
        ("patient", &["epochs=1", "patience=2"], "patient/best"),
    ] {
        let run = dir.path().join(name);
        finished(Plan::new(settings).train(&run).unwrap());
        let evaluated = FineTunedRun::open(METHODS, &run).unwrap().files().evaluated("adapters");
        assert_eq!(evaluated, dir.path().join(folder).join("adapters-ema.safetensors"));
        assert!(evaluated.is_file());
    }
    let mut plan = Plan::new(&["epochs=1", "keep=best"]);
    plan.validate = false;
    let error = plan.train(&dir.path().join("blind")).unwrap_err();
    assert!(error.to_string().contains("validation data"), "{error}");
}

#[test]
fn early_stopping_needs_validation() {
    let dir = tempfile::tempdir().unwrap();
    let mut plan = Plan::new(&["epochs=1", "patience=3"]);
    plan.validate = false;
    let error = plan.train(&dir.path().join("run")).unwrap_err();
    assert!(error.to_string().contains("validation data"), "{error}");
}

#[test]
fn settings_that_do_not_fit_the_model_leave_no_folder() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    for setting in ["adapter.rank=17", "adapter.layers=[7]", "adapter.drop=1.0"] {
        let error = Plan::new(&["steps=1", setting]).train(&run).unwrap_err();
        assert!(matches!(error, TrainError::Adapter(_) | TrainError::Settings(_)), "{error}");
        assert!(error.to_string().contains("adapter."), "{error}");
        assert!(!run.exists(), "{setting}");
    }
}

#[cfg(unix)]
#[test]
fn an_unwritable_output_is_named() {
    let error = Plan::new(&["steps=1"]).train(Path::new("/proc/no-such-place/run")).unwrap_err();
    assert!(matches!(error, TrainError::Io(_)), "{error}");
    assert!(error.to_string().contains("/proc/no-such-place"), "{error}");
}

#[test]
fn a_finished_run_may_be_resumed_and_stays_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let first = finished(Plan::new(&["epochs=2"]).train(&run).unwrap());
    let files = result_files(&run);
    let metrics = fs::read(run.join("metrics.jsonl")).unwrap();
    let again = finished(Plan::new(&["epochs=2"]).resume(&run).unwrap());
    assert_eq!(files, result_files(&run));
    assert_eq!(metrics, fs::read(run.join("metrics.jsonl")).unwrap());
    assert_eq!((first.steps, first.best), (again.steps, again.best));
}
