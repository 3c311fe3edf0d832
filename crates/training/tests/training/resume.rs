//! A resumed run equals an uninterrupted one.

use std::path::Path;
use std::process::Command;

use radapter_training::{Line, Outcome, ProgressEvent, StepTimes, read_metrics};

use crate::support::{Plan, finished, result_files};

/// Tells the child process which run to train, and when to die.
const RUN: &str = "RADAPTER_TEST_RUN";
const CASE: &str = "RADAPTER_TEST_CASE";
const DEATH: &str = "RADAPTER_TEST_DEATH";

/// 26 samples in batches of 8 are 3 steps per epoch.
const CASES: [(&str, &[&str]); 20] = [
    ("adapters", &["epochs=3"]),
    ("low rank, saved every 2 steps", &["steps=8", "adapter.rank=2", "save_every=2", "adapter.drop=0.6"]),
    ("micro-batches", &["epochs=3", "micro_batch=3"]),
    ("masks of samples", &["epochs=3", "adapter.drop_mode=sample"]),
    ("masks of elements and paths", &["epochs=3", "adapter.drop_mode=element", "adapter.drop_path=0.2"]),
    ("no average", &["epochs=3", "ema=none", "save_every=1"]),
    ("all weights", &["epochs=3", "tune=all", "lr=0.003"]),
    ("all weights, both towers, averaged", &["epochs=3", "tune=all", "loss.kind=info-nce", "ema=0.7", "save_every=4"]),
    ("the classifier alone", &["epochs=3", "method=linear-probe"]),
    ("the classifier first", &["epochs=3", "method=lp-ft", "lr=0.003"]),
    ("a Beta average", &["epochs=3", "method=clipood", "lr=0.003"]),
    ("random texts", &["epochs=3", "method=lipsum-ft", "lr=0.003"]),
    ("distilled from the average", &["epochs=3", "method=carot", "lr=0.003"]),
    ("pulled back to the start", &["epochs=3", "spd=0.5", "lr=0.003"]),
    ("the classifier first, pulled back", &["epochs=3", "method=lp-ft", "lr=0.003", "weight_decay=0", "spd=0.5"]),
    ("low-rank updates", &["epochs=3", "method=lora", "lora.targets=all", "lora.rank=2", "lr=0.003"]),
    ("bottlenecks", &["epochs=3", "method=adaptformer", "lr=0.003"]),
    ("adapters in front", &["epochs=3", "method=repadapter", "repadapter.rank=2", "lr=0.003"]),
    ("images with parts of others, in parts", &["epochs=3", "method=mask-fill", "lr=0.003", "micro_batch=3"]),
    ("adapters and random texts in parts", &["epochs=3", "regularizer.kind=lipsum", "micro_batch=3"]),
];

fn plan(case: usize) -> Plan {
    Plan::new(CASES[case].1)
}

/// Returns the numbers of the steps and the validations, without the times.
pub(crate) fn history(dir: &Path) -> Vec<String> {
    read_metrics(&dir.join("metrics.jsonl"))
        .unwrap()
        .into_iter()
        .map(|line| match line {
            Line::Train(mut line) => {
                line.samples_per_second = 0.0;
                line.times = StepTimes::default();
                format!("{line:?}")
            }
            Line::Validation(mut line) => {
                line.seconds = 0.0;
                format!("{line:?}")
            }
        })
        .collect()
}

fn assert_same_run(case: usize, whole: &Path, resumed: &Path, how: &str) {
    let name = CASES[case].0;
    let (a, b) = (result_files(whole), result_files(resumed));
    assert!(!a.is_empty());
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>(), "{name}, {how}");
    for (path, bytes) in &a {
        assert!(*bytes == b[path], "{name}, {how}: {} differs", path.display());
    }
    assert_eq!(history(whole), history(resumed), "{name}, {how}");
}

/// Not a test: the process that is killed.
#[test]
fn child() {
    let Ok(dir) = std::env::var(RUN) else { return };
    let dir = Path::new(&dir);
    let case = std::env::var(CASE).unwrap().parse().unwrap();
    let death = std::env::var(DEATH).unwrap();
    let mut plan = plan(case);
    if let Some(step) = death.strip_prefix("step ") {
        let step: u64 = step.parse().unwrap();
        plan.progress = Box::new(move |event: &ProgressEvent| {
            if matches!(event, ProgressEvent::Step(progress) if progress.step == step) {
                std::process::abort();
            }
        });
    } else if let Some(count) = death.strip_prefix("save ") {
        // Dies while the n-th state is being written, whenever the watcher sees it.
        let mut left: u32 = count.parse().unwrap();
        let states = dir.join("state");
        std::thread::spawn(move || {
            let mut inside = false;
            loop {
                let torn = std::fs::read_dir(&states).is_ok_and(|mut entries| {
                    entries.any(|entry| entry.is_ok_and(|e| e.path().extension().is_some_and(|e| e == "tmp")))
                });
                if torn && !inside {
                    left -= 1;
                    if left == 0 {
                        std::process::abort();
                    }
                }
                inside = torn;
            }
        });
    }
    plan.train(dir).unwrap();
}

fn killed(case: usize, dir: &Path, death: &str) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["resume::child", "--exact", "--nocapture"])
        .env(RUN, dir)
        .env(CASE, case.to_string())
        .env(DEATH, death)
        .output()
        .unwrap()
        .status;
    assert!(!status.success() || death.starts_with("save"), "{death}: the child should have died");
}

fn whole(case: usize, dir: &Path) {
    finished(plan(case).train(dir).unwrap());
}

#[test]
fn killed_at_any_step_and_resumed_the_bits_are_the_same() {
    for case in 0..CASES.len() {
        let dirs = tempfile::tempdir().unwrap();
        let reference = dirs.path().join("whole");
        whole(case, &reference);
        for death in ["step 1", "step 3", "step 4", "step 8"] {
            let dir = dirs.path().join(death.replace(' ', "-"));
            killed(case, &dir, death);
            finished(plan(case).resume(&dir).unwrap());
            assert_same_run(case, &reference, &dir, death);
        }
    }
}

#[test]
fn killed_while_saving_and_resumed_the_bits_are_the_same() {
    for case in [1, 3, 5] {
        let dirs = tempfile::tempdir().unwrap();
        let reference = dirs.path().join("whole");
        whole(case, &reference);
        for death in ["save 1", "save 2", "save 3"] {
            let dir = dirs.path().join(death.replace(' ', "-"));
            killed(case, &dir, death);
            // A kill before the folder exists leaves nothing to resume.
            match dir.join("config.toml").exists() {
                true => finished(plan(case).resume(&dir).unwrap()),
                false => finished(plan(case).train(&dir).unwrap()),
            };
            assert_same_run(case, &reference, &dir, death);
        }
    }
}

#[test]
fn interrupted_at_every_step_the_bits_are_the_same() {
    for case in [0, 4, 8, 10, 11, 13] {
        let dirs = tempfile::tempdir().unwrap();
        let reference = dirs.path().join("whole");
        whole(case, &reference);
        let dir = dirs.path().join("interrupted");
        // The listener is called within the step, so that every session makes one step.
        let mut outcome = plan(case).interrupted_at(1).train(&dir).unwrap();
        let mut sessions = 1;
        while let Outcome::Interrupted { step } = outcome {
            assert!(step < 9);
            outcome = plan(case).interrupted_at(step + 1).resume(&dir).unwrap();
            sessions += 1;
        }
        assert_eq!(sessions, 9);
        assert_same_run(case, &reference, &dir, "interrupted");
    }
}
