//! Runs and their files.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use radapter_adapter::AdapterFile;
use radapter_clip::model::Encoder;
use radapter_training::config::Decay;
use radapter_training::{
    Line, ProgressEvent, Report, RunDir, Schedule, TrainLine, ValidationLine, Validator, read_metrics,
};

use crate::support::{
    Accuracy, CLASSES, Drawn, Plan, base, base_clip, finished, plan_of, plan_of_run, resolve, tokens_of,
};

struct Ran {
    report: Report,
    steps: Vec<TrainLine>,
    /// Validations of the base model.
    base: Vec<ValidationLine>,
    /// Validations of the model in training.
    validations: Vec<ValidationLine>,
    dir: tempfile::TempDir,
}

impl Ran {
    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("run")
    }

    fn losses(&self) -> Vec<f64> {
        self.steps.iter().map(|line| line.loss).collect()
    }
}

fn run(plan: Plan) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let report = finished(plan.train(&path).unwrap());
    let (mut steps, mut base, mut validations) = (Vec::new(), Vec::new(), Vec::new());
    for line in read_metrics(&path.join("metrics.jsonl")).unwrap() {
        match line {
            Line::Train(line) => steps.push(line),
            Line::Validation(line) if line.step == 0 => base.push(line),
            Line::Validation(line) => validations.push(line),
        }
    }
    Ran { report, steps, base, validations, dir }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn training_learns() {
    for settings in [
        &["epochs=100", "alpha=1", "lr=0.02"][..],
        &["epochs=100", "alpha=1", "lr=0.02", "adapter.rank=4"],
        &["epochs=100", "alpha=1", "lr=0.02", "loss.kind=info-nce"],
        &["epochs=60", "tune=all", "lr=0.001"],
        &["epochs=60", "tune=all", "lr=0.001", "loss.kind=mpm-nce"],
    ] {
        let ran = run(Plan::new(settings));
        let losses = ran.losses();
        let (first, last) = (mean(&losses[..6]), mean(&losses[losses.len() - 6..]));
        eprintln!("{settings:?}: from {first} to {last}, {:?}", ran.report.best);
        let best = ran.report.best.unwrap();
        let accuracy = |line: &ValidationLine| line.values["top1"].as_f64().unwrap();
        let at_best = ran.validations.iter().find(|line| line.step == best.step).unwrap();
        assert!(accuracy(at_best) > 0.9, "{settings:?}: {}", accuracy(at_best));
    }
}

#[test]
fn a_last_partial_batch_is_dropped_unless_it_is_the_only_one() {
    for (count, batch, steps, samples) in [(26, 8, 3, 8), (24, 8, 3, 8), (5, 8, 1, 5), (9, 8, 1, 8)] {
        let mut plan = Plan::new(&["epochs=2"]);
        plan.settings.push(format!("batch_size={batch}"));
        plan.data = Drawn::new(count);
        let ran = run(plan);
        assert_eq!(ran.report.steps_per_epoch, steps, "{count} samples");
        assert_eq!(ran.steps.len() as u64, 2 * steps);
        assert!(ran.steps.iter().all(|line| line.samples == samples), "{count} samples");
    }
}

#[test]
fn the_learning_rate_is_the_schedule_s() {
    let ran = run(Plan::new(&["epochs=7", "warmup=4", "final_lr=1e-4"]));
    let schedule = Schedule { lr: 0.01, final_lr: 1e-4, warmup: 4, steps: 21, decay: Decay::Cosine };
    assert_eq!(ran.steps.len(), 21);
    for (t, line) in ran.steps.iter().enumerate() {
        assert_eq!(line.lr, schedule.lr_at(t as u64));
        assert_eq!((line.step, line.epoch), (t as u64 + 1, t as u64 / 3 + 1));
    }
}

#[test]
fn the_run_directory_explains_itself() {
    let ran = run(Plan::new(&["epochs=2", "adapter.rank=2"]));
    let names: BTreeSet<String> =
        std::fs::read_dir(ran.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let expected = [
        "adapters-ema.safetensors",
        "adapters.safetensors",
        "best",
        "config.toml",
        "lock",
        "metrics.jsonl",
        "report.json",
        "state",
    ];
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected);

    let run = RunDir::open(ran.path()).unwrap();
    let record = run.record().unwrap();
    let hash = base().state.hash();
    assert_eq!((record.base_hash.as_str(), record.samples), (hash.as_str(), 26));
    assert_eq!(run.report().unwrap(), Some(ran.report.clone()));
    let states: Vec<String> = std::fs::read_dir(run.states())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    assert_eq!(states, ["step-00000003", "step-00000006"], "the last two states");

    let trained = AdapterFile::read(ran.path().join("adapters.safetensors")).unwrap();
    let averaged = AdapterFile::read(ran.path().join("adapters-ema.safetensors")).unwrap();
    assert_ne!(trained.adapters, averaged.adapters);
    assert_eq!(trained.base.as_deref(), Some(hash.as_str()));
    assert_eq!(trained.config, Some(record.train().unwrap().adapter));
    assert_eq!(ran.report.tuned_parameters, trained.adapters.parameters());
}

#[test]
fn the_best_is_the_average_of_its_step() {
    let ran = run(Plan::new(&["epochs=4"]));
    let best = ran.report.best.clone().unwrap();
    let highest = ran.validations.iter().map(|l| l.values["cosine"].as_f64().unwrap()).fold(f64::MIN, f64::max);
    assert_eq!(best.value, highest);
    assert_eq!(best.metric, "cosine");
    let flags: Vec<bool> = ran.validations.iter().map(|line| line.best).collect();
    assert_eq!(ran.validations.iter().rfind(|l| l.best).unwrap().step, best.step, "{flags:?}");
    // The averages of that step, from a run that ends there.
    let shorter = tempfile::tempdir().unwrap();
    let path = shorter.path().join("run");
    let _ = Plan::new(&["epochs=4"]).interrupted_at(best.step).train(&path).unwrap();
    let read = |path: &Path| AdapterFile::read(path).unwrap().adapters;
    let of_best = read(&ran.path().join("best/adapters-ema.safetensors"));
    if best.step == ran.report.steps {
        assert_eq!(of_best, read(&ran.path().join("adapters-ema.safetensors")));
    } else {
        assert_ne!(of_best, read(&ran.path().join("adapters-ema.safetensors")));
    }
}

/// The metrics of the base model, outside a run.
fn of_base(head: bool) -> Vec<(String, f64)> {
    let clip = base_clip();
    let texts: Vec<_> = (0..CLASSES).map(tokens_of).collect();
    let head = head.then(|| clip.embed_texts(&texts));
    Accuracy.validate(&clip, head.as_ref()).unwrap()
}

#[test]
fn the_base_model_is_measured_first_and_is_never_the_best() {
    // Adapters at α = 0 leave the base as it is; a learning rate this high makes every later model worse.
    for settings in [
        &["epochs=2", "alpha=0"][..],
        &["epochs=2", "alpha=1", "lr=10", "warmup=0"],
        &["epochs=2", "tune=all", "lr=0.1"],
    ] {
        let ran = run(Plan::new(settings));
        let [line] = ran.base.as_slice() else { panic!("{settings:?}: {:?}", ran.base) };
        assert_eq!((line.epoch, line.best), (0, false), "{settings:?}");
        let expected = of_base(settings.contains(&"tune=all"));
        for (name, value) in &expected {
            assert_eq!(line.values[name].as_f64(), Some(*value), "{settings:?}: {name}");
        }
        assert!(ran.report.step_seconds > 0.0 && ran.report.step_seconds < ran.report.seconds);
        let best = ran.report.best.unwrap();
        assert!(best.step > 0, "{settings:?}");
        assert_eq!(best.base, expected.iter().find(|(name, _)| *name == best.metric).map(|(_, value)| *value));
    }
}

#[test]
fn the_base_model_is_shown_beside_every_validation_also_of_a_resumed_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let _ = Plan::new(&["epochs=3"]).interrupted_at(4).train(&path).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heard = seen.clone();
    let mut plan = Plan::new(&["epochs=3"]);
    plan.progress = Box::new(move |event: &ProgressEvent| {
        if let ProgressEvent::Validated { step, base, .. } = event {
            heard.lock().unwrap().push((*step, base.clone()));
        }
    });
    let report = finished(plan.resume(&path).unwrap());
    assert_eq!(*seen.lock().unwrap(), [(6, of_base(false)), (9, of_base(false))]);
    assert!(report.best.unwrap().base.is_some());
    let lines = read_metrics(&path.join("metrics.jsonl")).unwrap();
    let of_step_0 = lines.iter().filter(|line| matches!(line, Line::Validation(line) if line.step == 0)).count();
    assert_eq!(of_step_0, 1, "a resumed run does not measure the base again");
}

#[test]
fn patience_ends_a_run_that_does_not_improve() {
    // Adapters at α = 0 never change the validated model.
    let ran = run(Plan::new(&["epochs=50", "alpha=0", "patience=2"]));
    assert!(ran.report.stopped_early);
    assert_eq!(ran.report.steps, 3 * 3, "a best at the first validation, then two without");
    assert_eq!(ran.steps.len(), 9);
    assert_eq!(ran.report.best.unwrap().step, 3);
}

#[test]
fn validation_follows_its_setting() {
    for (setting, expected) in [
        ("validate_every=epoch", &[3, 6, 8][..]),
        ("validate_every=2", &[2, 4, 6, 8]),
        ("validate_every=5", &[5, 8]),
        ("validate_every=end", &[8]),
    ] {
        let ran = run(Plan::new(&["steps=8", setting]));
        let steps: Vec<u64> = ran.validations.iter().map(|line| line.step).collect();
        assert_eq!(steps, expected, "{setting}");
    }
}

#[test]
fn a_step_in_which_everything_is_dropped_still_counts() {
    // Adapters in one place of one layer, dropped nine times out of ten.
    let settings = [
        "steps=12",
        "adapter.drop=0.9",
        "adapter.towers=visual",
        "adapter.sites=attn",
        "adapter.layers=last:1",
        "warmup=0",
        "ema=0.5",
    ];
    let ran = run(Plan::new(&settings));
    assert_eq!(ran.steps.len(), 12);
    let dropped: Vec<u64> = ran.steps.iter().filter(|l| l.grad_norm == 0.0).map(|l| l.step).collect();
    assert!(dropped.len() >= 6 && dropped.len() < 12, "{dropped:?}");
    let trained = AdapterFile::read(ran.path().join("adapters.safetensors")).unwrap();
    let averaged = AdapterFile::read(ran.path().join("adapters-ema.safetensors")).unwrap();
    assert_ne!(trained.adapters, averaged.adapters);
}

#[test]
fn progress_tells_every_step_and_validation_in_order() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let mut plan = Plan::new(&["epochs=2"]);
    let heard = events.clone();
    plan.progress = Box::new(move |event: &ProgressEvent| heard.lock().unwrap().push(event.clone()));
    let ran = run(plan);
    let events = events.lock().unwrap();
    let names: Vec<String> = events
        .iter()
        .map(|event| match event {
            ProgressEvent::Started { done, steps, steps_per_epoch } => {
                format!("start {done} {steps} {steps_per_epoch}")
            }
            ProgressEvent::Step(step) => format!("step {} {}", step.step, step.epoch),
            ProgressEvent::Validating { step } => format!("validating {step}"),
            ProgressEvent::Validated { step, .. } => format!("validated {step}"),
            ProgressEvent::Saved { step } => format!("saved {step}"),
            ProgressEvent::Ended { step } => format!("ended {step}"),
            _ => "other".to_owned(),
        })
        .collect();
    let expected = [
        "start 0 6 3",
        "validating 0",
        "validated 0",
        "step 1 1",
        "step 2 1",
        "step 3 1",
        "validating 3",
        "validated 3",
        "saved 3",
        "step 4 2",
        "step 5 2",
        "step 6 2",
        "validating 6",
        "validated 6",
        "saved 6",
        "ended 6",
    ];
    assert_eq!(names, expected);
    for (line, event) in ran.steps.iter().zip(events.iter().filter_map(|event| match event {
        ProgressEvent::Step(step) => Some(step),
        _ => None,
    })) {
        assert_eq!((line.loss, line.lr, line.grad_norm), (event.loss, event.lr, event.grad_norm));
        assert!(event.samples_per_second > 0.0 && event.seconds_left >= 0.0);
    }
}

#[test]
fn a_run_without_validation_has_no_best() {
    let mut plan = Plan::new(&["epochs=1"]);
    plan.validate = false;
    let ran = run(plan);
    assert!(ran.base.is_empty() && ran.validations.is_empty() && ran.report.best.is_none());
    assert!(!ran.path().join("best").exists());
}

#[test]
fn a_run_s_config_starts_another() {
    let ran = run(Plan::new(&["epochs=1", "loss.margin=0.2", "ema=none", "adapter.rank=3"]));
    let record = RunDir::open(ran.path()).unwrap().record().unwrap();
    let settings = radapter_settings::Settings::from_file(&ran.path().join("config.toml")).unwrap();
    let train = record.train().unwrap();
    assert_eq!(plan_of(&settings, 26).unwrap().train, train);
    assert_eq!(plan_of_run(&ran.path(), 26).train, train);
    assert_eq!(
        train,
        resolve(
            &[
                "batch_size=8",
                "lr=0.01",
                "workers=2",
                "loss.temperature=0.1",
                "epochs=1",
                "loss.margin=0.2",
                "ema=none",
                "adapter.rank=3"
            ],
            26,
        )
        .train
    );
}
