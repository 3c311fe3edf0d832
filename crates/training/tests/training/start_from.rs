//! Runs that start from the weights of another.

use std::path::Path;

use radapter_clip::checkpoint::read_safetensors;
use radapter_training::{Line, RunDir, TrainError, read_metrics};

use crate::support::{Plan, finished, result_files};

/// A learning rate at which no f32 changes.
const STILL: [&str; 3] = ["lr=1e-38", "final_lr=0", "weight_decay=0"];

fn from(run: &Path, settings: &[&str]) -> Plan {
    let mut plan = Plan::new(settings);
    plan.from = Some(run.to_owned());
    plan.files = rows("[0]");
    plan
}

fn rows(content: &str) -> Vec<(String, Vec<u8>)> {
    vec![("rows.json".to_owned(), content.as_bytes().to_vec())]
}

fn of(settings: &[&str]) -> Plan {
    let mut plan = Plan::new(settings);
    plan.files = rows("[0]");
    plan
}

#[test]
fn a_run_starts_from_the_evaluated_weights_of_another_with_a_fresh_schedule() {
    for (settings, trained, evaluated) in [
        (&["epochs=2", "warmup=0"][..], "adapters.safetensors", "adapters-ema.safetensors"),
        (&["epochs=2", "warmup=0", "adapter.rank=2"], "adapters.safetensors", "adapters-ema.safetensors"),
        (&["epochs=2", "warmup=0", "adapter.scale=0.5"], "adapters.safetensors", "adapters-ema.safetensors"),
        (&["epochs=2", "warmup=0", "keep=best"], "adapters.safetensors", "best/adapters-ema.safetensors"),
        (&["epochs=2", "warmup=0", "tune=all", "lr=0.001"], "weights.safetensors", "weights.safetensors"),
        (&["epochs=2", "warmup=0", "tune=all", "lr=0.001"], "head.safetensors", "head.safetensors"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        finished(of(settings).train(&first).unwrap());
        finished(from(&first, &[settings, &STILL].concat()).train(&second).unwrap());
        let tensors = |path: &Path| read_safetensors(path).unwrap().tensors;
        let (start, end) = (tensors(&first.join(evaluated)), tensors(&second.join(trained)));
        for (key, tensor) in start.iter() {
            assert_eq!(tensor.to_f32(), end.get(key).unwrap().to_f32(), "{settings:?}: {key}");
        }
        let record = RunDir::open(&second).unwrap().record().unwrap();
        assert_eq!(record.from.as_deref(), first.canonicalize().unwrap().to_str(), "{settings:?}");
        let lines = read_metrics(&second.join("metrics.jsonl")).unwrap();
        let first: Vec<_> = lines
            .iter()
            .filter_map(|line| if let Line::Validation(line) = line { Some(line) } else { None })
            .take(3)
            .collect();
        assert_eq!(
            first.iter().map(|line| (line.step, line.start, line.best)).collect::<Vec<_>>()[..2],
            [(0, false, false), (0, true, false)]
        );
        // The weights stay, so that the first validation is that of the start, but for the rounding of the average.
        let cosine = |index: usize| first[index].values["cosine"].as_f64().unwrap();
        assert!((cosine(1) - cosine(2)).abs() < 1e-6, "{settings:?}: {first:?}");
        let steps = lines.iter().filter_map(|line| if let Line::Train(line) = line { Some(line) } else { None });
        assert_eq!(steps.map(|line| (line.step, line.lr)).next(), Some((1, 1e-38)), "{settings:?}");
    }
}

#[test]
fn a_run_that_started_from_another_resumes_without_it() {
    for settings in [&["epochs=3"][..], &["epochs=3", "tune=all", "lr=0.001"]] {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        finished(
            of(&["epochs=2"].iter().chain(&settings[1..]).copied().collect::<Vec<_>>()).train(&path("first")).unwrap(),
        );
        finished(from(&path("first"), settings).train(&path("whole")).unwrap());
        // Interrupted before the first saved state, and after one.
        for step in [1, 4] {
            let run = path(&format!("run-{step}"));
            let _ = from(&path("first"), settings).interrupted_at(step).train(&run).unwrap();
            if step == 1 {
                std::fs::remove_dir_all(run.join("state/step-00000001")).unwrap();
            }
        }
        std::fs::remove_dir_all(path("first")).unwrap();
        for step in [1, 4] {
            let run = path(&format!("run-{step}"));
            finished(of(settings).resume(&run).unwrap());
            assert!(result_files(&run) == result_files(&path("whole")), "{settings:?}, step {step}");
        }
        assert!(result_files(&path("whole")).keys().any(|name| name.to_string_lossy().starts_with("start-")));
    }
}

#[test]
fn a_run_that_does_not_fit_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    finished(of(&["epochs=1"]).train(&path("adapters")).unwrap());
    finished(of(&["epochs=1", "adapter.scale=0.5"]).train(&path("scaled")).unwrap());
    finished(of(&["epochs=1", "tune=all"]).train(&path("full")).unwrap());
    let _ = of(&["epochs=2"]).interrupted_at(2).train(&path("unfinished")).unwrap();
    let refused = |plan: Plan, words: &[&str]| {
        let error = plan.train(&path("new")).unwrap_err();
        for word in words {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
        assert!(!path("new").exists(), "{error}");
        error
    };
    let error = refused(
        from(&path("unfinished"), &["epochs=1"]),
        &["not finished (2 of 6 steps)", "radapter train --resume --out"],
    );
    assert!(matches!(error, TrainError::StartFrom { .. }));
    refused(from(&path("full"), &["epochs=1"]), &["its method is full", "r-adapter", "--model"]);
    refused(from(&path("adapters"), &["epochs=1", "tune=all"]), &["its method is r-adapter"]);
    refused(
        from(&path("adapters"), &["epochs=1", "adapter.rank=2"]),
        &["rank 2", "adapters cannot start", "adapter.rank is \"full\" in that run and 2 in"],
    );
    refused(from(&path("adapters"), &["epochs=1", "adapter.scale=0.5"]), &["adapter.scale"]);
    refused(from(&path("scaled"), &["epochs=1", "adapter.scale=0.25"]), &["adapter.scale", "0.5"]);
    let mut other = from(&path("full"), &["epochs=1", "tune=all"]);
    other.files = rows("[1]");
    refused(other, &["other classes", "rows.json"]);
    std::fs::remove_file(path("full/rows.json")).unwrap();
    let error = refused(from(&path("full"), &["epochs=1", "tune=all"]), &["no readable rows.json"]);
    assert!(matches!(error, TrainError::StartFrom { .. }));
    // The reason is not the file of classes that it does not have.
    refused(from(&path("adapters"), &["epochs=1", "tune=all"]), &["its method is r-adapter"]);
    let classifier = ["epochs=1", "loss.kind=cross-entropy"];
    refused(from(&path("adapters"), &classifier), &["one of the two runs trains a classifier"]);
}

#[test]
fn trained_weights_that_the_new_run_would_freeze_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let both = ["epochs=1", "method=full", "loss.kind=info-nce"];
    finished(of(&both).train(&path("both")).unwrap());
    let error = from(&path("both"), &[&both[..], &["tune=image"]].concat()).train(&path("new")).unwrap_err();
    for word in ["it changes `", "which this run does not train", "weights.safetensors"] {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    assert!(!path("new").exists());
}

#[test]
fn both_towers_start_from_a_run_that_tuned_both() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let both = ["epochs=1", "method=flyp"];
    finished(of(&both).train(&path("flyp")).unwrap());
    finished(from(&path("flyp"), &both).train(&path("again")).unwrap());
}
