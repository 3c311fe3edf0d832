//! Gradients, recovered from the first moments of a saved state.

use std::collections::BTreeMap;
use std::path::Path;

use radapter_training::{Line, read_metrics};
use safetensors::SafeTensors;

use crate::support::{Plan, finished};

/// Returns the first moments of the state after `step` steps.
pub(crate) fn moments(dir: &Path, step: u64) -> BTreeMap<String, Vec<f32>> {
    let bytes = std::fs::read(dir.join(format!("state/step-{step:08}/moments.safetensors"))).unwrap();
    SafeTensors::deserialize(&bytes)
        .unwrap()
        .iter()
        .filter_map(|(name, view)| {
            let values = view.data().as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
            Some((name.strip_prefix("first.")?.to_owned(), values))
        })
        .collect()
}

/// Returns the gradients of a run's first step, up to a common factor.
pub(crate) fn gradients(settings: &[&str]) -> BTreeMap<String, Vec<f32>> {
    gradients_on(1, settings)
}

fn gradients_on(devices: usize, settings: &[&str]) -> BTreeMap<String, Vec<f32>> {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let mut plan = Plan::new(&["steps=1", "clip_norm=none"]);
    plan.settings.extend(settings.iter().map(|s| (*s).to_owned()));
    plan.validate = false;
    plan.devices = devices;
    finished(plan.train(&run).unwrap());
    moments(&run, 1)
}

/// Returns the distance of two sets of gradients, relative to the first one's norm.
pub(crate) fn difference(a: &BTreeMap<String, Vec<f32>>, b: &BTreeMap<String, Vec<f32>>) -> f64 {
    let all = |m: &BTreeMap<String, Vec<f32>>| m.values().flatten().map(|v| f64::from(v * v)).sum::<f64>().sqrt();
    let scale = all(a);
    assert!(scale > 0.0);
    let difference: f64 = a
        .iter()
        .flat_map(|(name, x)| x.iter().zip(&b[name]))
        .map(|(x, y)| f64::from(x - y).powi(2))
        .sum::<f64>()
        .sqrt();
    difference / scale
}

pub(crate) fn assert_equal(a: &BTreeMap<String, Vec<f32>>, b: &BTreeMap<String, Vec<f32>>, what: &str) {
    let difference = difference(a, b);
    assert!(difference <= 1e-5, "{what}: {difference} of the norm");
}

#[test]
fn cached_accumulation_gives_the_whole_batch_s_gradient() {
    for (what, settings) in [
        ("adapters", &["adapter.drop=0"][..]),
        ("adapters, dropped", &["adapter.drop=0.5", "seed=3"]),
        ("adapters, positions dropped", &["adapter.drop=0.5", "adapter.drop_mode=token", "seed=3"]),
        ("one tower", &["adapter.towers=visual"]),
        ("the other tower", &["adapter.towers=text"]),
        ("all, contrastive", &["tune=all", "loss.kind=info-nce"]),
        ("all, classifier", &["tune=all"]),
        ("all, and views", &["method=mask-fill"]),
        ("low-rank updates", &["method=lora", "lora.targets=all"]),
        ("bottlenecks", &["method=adaptformer", "adaptformer.dropout=0"]),
        ("adapters in front", &["method=repadapter", "repadapter.rank=2", "repadapter.dropout=0"]),
    ] {
        let whole = gradients(settings);
        for size in [1, 3, 8] {
            let micro = format!("micro_batch={size}");
            let mut with: Vec<&str> = settings.to_vec();
            with.push(&micro);
            assert_equal(&whole, &gradients(&with), &format!("{what}, {size}"));
        }
    }
}

#[test]
fn activation_checkpointing_gives_the_same_gradient() {
    for settings in [
        &["micro_batch=none"][..],
        &["micro_batch=3"],
        &["adapter.drop=0.5", "adapter.drop_mode=token", "seed=3"],
        &["adapter.drop=0.5", "adapter.drop_mode=sample", "seed=3"],
        &["adapter.layers=last:1"],
        &["adapter.towers=text"],
        &["tune=all", "micro_batch=3"],
        &["tune=all", "loss.kind=info-nce"],
    ] {
        let mut with: Vec<&str> = settings.to_vec();
        with.push("checkpointing=true");
        assert_equal(&gradients(settings), &gradients(&with), &format!("checkpointing, {settings:?}"));
    }
}

#[test]
fn frozen_parameters_are_not_trained() {
    let classifier = gradients(&["tune=all"]);
    assert!(classifier.contains_key("head"));
    assert!(classifier.keys().all(|name| name == "head" || name.starts_with("visual.")));
    let contrastive = gradients(&["tune=all", "loss.kind=info-nce"]);
    assert!(contrastive.contains_key("token_embedding.weight") && contrastive.contains_key("visual.proj"));
    assert!(!contrastive.contains_key("logit_scale") && !contrastive.contains_key("head"));
    let probe = gradients(&["method=linear-probe"]);
    assert_eq!(probe.keys().collect::<Vec<_>>(), ["head"]);
    let locked = gradients(&["method=clipood"]);
    assert!(locked.keys().all(|name| name.starts_with("visual.")) && locked.len() + 1 == classifier.len());
    let adapters = gradients(&["adapter.towers=visual"]);
    assert_eq!(adapters.len(), 2 * 2 * 2, "a map and a scale in two sites of two blocks");
    assert!(adapters.keys().all(|name| name.starts_with("visual.") && name.split('.').count() == 4));
}

#[test]
fn several_devices_give_the_joint_batch_s_gradient() {
    for settings in [
        &["adapter.drop=0.5", "seed=3"][..],
        &["adapter.drop=0.5", "adapter.drop_mode=token", "seed=3"],
        &["micro_batch=2", "checkpointing=true"],
        &["tune=all"],
        &["tune=all", "loss.kind=info-nce"],
        &["method=lora"],
    ] {
        let one = gradients(settings);
        // Of the batch's four texts six devices leave two idle.
        for devices in [2, 3, 6] {
            assert_equal(&one, &gradients_on(devices, settings), &format!("{devices} devices, {settings:?}"));
        }
    }
}

/// In the first step the model is its own teacher, so that the term's gradient is zero.
#[test]
fn regularizers_give_the_same_gradient_in_parts_and_on_several_devices() {
    let after = |devices: usize, settings: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let mut plan = Plan::new(&[&["steps=3", "lr=0.003", "warmup=0", "clip_norm=none"], settings].concat());
        plan.validate = false;
        plan.devices = devices;
        finished(plan.train(&run).unwrap());
        moments(&run, 3)
    };
    for (with, without) in [
        (&["regularizer.kind=lipsum", "regularizer.weight=3"][..], &[][..]),
        (&["regularizer.kind=self-distill", "ema=0.7"], &["ema=0.7"]),
        (&["method=lipsum-ft", "regularizer.weight=3"], &["method=lipsum-ft", "regularizer.weight=0"]),
        (&["method=carot"], &["method=carot", "regularizer.orthogonality=0"]),
    ] {
        let whole = after(1, with);
        assert!(difference(&whole, &after(1, without)) > 1e-3, "{with:?} has no effect");
        for (devices, how) in [(1, "micro_batch=3"), (1, "checkpointing=true"), (2, "seed=0")] {
            let found = difference(&whole, &after(devices, &[with, &[how]].concat()));
            assert!(found < 1e-4, "{with:?}, {how}, {devices} devices: {found} of the norm");
        }
    }
}

#[test]
fn masks_by_sample_are_refused_on_several_devices() {
    let dir = tempfile::tempdir().unwrap();
    let mut plan = Plan::new(&["steps=1", "adapter.drop_mode=sample", "adapter.drop=0.2"]);
    plan.devices = 2;
    let error = plan.train(&dir.path().join("run")).unwrap_err().to_string();
    assert!(error.contains("adapter.drop_mode") && error.contains("several devices"), "{error}");
    assert!(!dir.path().join("run").exists());
}

/// Has a time limit, because threads that wait for each other would hang.
#[test]
fn two_devices_match_one_for_200_steps() {
    let run = |devices: usize| {
        let dir = tempfile::tempdir().unwrap();
        let mut plan = Plan::new(&["steps=200", "lr=0.001", "seed=5"]);
        plan.validate = false;
        plan.devices = devices;
        let path = dir.path().join("run");
        finished(plan.train(&path).unwrap());
        let losses = read_metrics(&path.join("metrics.jsonl")).unwrap().into_iter().filter_map(|line| match line {
            Line::Train(line) => Some(line.loss),
            Line::Validation(_) => None,
        });
        losses.collect::<Vec<f64>>()
    };
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send((run(1), run(2))));
    let (one, two) = wait.recv_timeout(std::time::Duration::from_secs(300)).expect("200 steps within the time");
    assert_eq!((one.len(), two.len()), (200, 200));
    for (step, (one, two)) in one.iter().zip(&two).enumerate() {
        assert!((one - two).abs() <= 1e-5 * one.abs(), "step {step}: {one} and {two}");
    }
}
