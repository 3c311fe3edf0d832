use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use radapter_adapter::Alpha;
use radapter_clip::model::Clip;
use radapter_datasets::Templates;
use radapter_embedding::EmbedOptions;
use radapter_methods::METHODS;
use radapter_retrieval::gallery::Gallery;
use radapter_retrieval::task::{Retrieval, TrainingCaptions};
use radapter_training::finetuned::FineTunedRun;
use radapter_training::plan::check_resume;
use radapter_training::{Outcome, ProgressEvent, Report, RunDir, RunOptions};

use crate::support::{checkpoint, device, plan, plan_of_run, settings, squares, write_shards};

const SHORT: &str = "batch_size = 16\nlr = 0.02\nloss.temperature = 0.1\n";

fn captions() -> Option<TrainingCaptions> {
    Some(TrainingCaptions { train: squares(32, 3), val: Some(squares(32, 3)) })
}

fn finished(outcome: Outcome) -> Report {
    match outcome {
        Outcome::Finished(report) => report,
        Outcome::Interrupted { step } => panic!("interrupted at step {step}"),
    }
}

fn recall(checkpoint: &radapter_clip::checkpoint::Checkpoint) -> f64 {
    let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, &device()).unwrap();
    let gallery = Gallery::new(&squares(32, 3), &Templates::from_list(vec!["{}".to_owned()]).unwrap());
    gallery.evaluate(&clip, &EmbedOptions::default(), &mut |_| {}).unwrap().evaluation.mean_recall
}

#[test]
fn adapters_and_all_weights_learn_to_retrieve() {
    for extra in ["epochs = 20\nalpha = 1.0", "epochs = 12\ntune = \"all\"\nlr = 0.003"] {
        let dir = tempfile::tempdir().unwrap();
        let toml =
            format!("{}{extra}", if extra.contains("lr") { SHORT.replace("lr = 0.02\n", "") } else { SHORT.into() });
        let plan = plan(&settings(&toml), captions()).unwrap();
        let report = finished(plan.train(RunOptions::new(dir.path(), device())).unwrap().outcome);
        let best = report.best.unwrap();
        assert_eq!(best.metric, "mean_recall");
        let run = FineTunedRun::open(METHODS, dir.path()).unwrap();
        let base = checkpoint(1);
        let before = recall(&base);
        let after = recall(&run.model(&base, None, &device()).unwrap().model.checkpoint().unwrap());
        assert!(after > before + 0.15, "{extra}: from {before:.3} to {after:.3}");
        let untouched = run.model(&base, Some(Alpha::ZERO.into()), &device()).unwrap();
        assert_eq!(untouched.model.checkpoint().unwrap().state, base.state);
    }
}

#[test]
fn a_run_records_its_task_and_data() {
    let dir = tempfile::tempdir().unwrap();
    let plan =
        plan(&settings(&format!("{SHORT}steps = 2\nalpha_rule = \"none\"\nsplit = \"train,restval\"")), captions());
    finished(plan.unwrap().train(RunOptions::new(dir.path(), device())).unwrap().outcome);
    let run = RunDir::open(dir.path()).unwrap();
    assert_eq!(run.record().unwrap().task, "retrieval");
    assert!(dir.path().join("split.json").is_file());
    assert_eq!(FineTunedRun::open(METHODS, dir.path()).unwrap().default_alphas().to_string(), "0.8");
    check_resume::<Retrieval>(&run, &settings("split = \"train,restval\"\nsteps = 2")).unwrap();
    let error = check_resume::<Retrieval>(&run, &settings("split = \"train\"")).unwrap_err();
    assert!(error.to_string().contains("split"), "{error}");
    assert!(check_resume::<Retrieval>(&run, &settings("shots = 2")).is_err());
}

#[test]
fn cross_entropy_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let toml = format!("{SHORT}steps = 2\nloss.kind = \"cross-entropy\"");
    let plan = plan(&settings(&toml), captions()).unwrap();
    let error = plan.train(RunOptions::new(dir.path().join("run"), device())).unwrap_err();
    assert!(error.to_string().contains("mpm-nce or info-nce"), "{error}");
    assert!(!dir.path().join("run").exists());
}

/// Returns the published files of a run.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let tensors = entries.filter(|path| path.extension().is_some_and(|ending| ending == "safetensors"));
    tensors
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn a_resumed_run_is_the_same_run_on_lists_and_on_shards() {
    let shards = tempfile::tempdir().unwrap();
    write_shards(shards.path(), 3, 9);
    let pattern = shards.path().join("{000..002}.tar");
    let on_shards = format!("captions = '{}'\ndata.shuffle_buffer = 7\n", pattern.display());
    let endless = format!("{on_shards}data.samples = 90\nval_fraction = 0\n");
    for (what, extra, given) in [
        ("list", String::new(), captions()),
        ("one caption", "data.pairs = \"one\"\n".to_owned(), captions()),
        ("shards", on_shards, None),
        ("shards, not scanned", endless, None),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let toml = format!("{SHORT}{extra}epochs = 6\nsave_every = 2\n");
        let begin = || plan(&settings(&toml), given.clone()).unwrap();
        let whole = dir.path().join("whole");
        finished(begin().train(RunOptions::new(&whole, device())).unwrap().outcome);

        let cut = dir.path().join("cut");
        let mut options = RunOptions::new(&cut, device());
        let interrupt = Arc::clone(&options.interrupt);
        options.progress = Box::new(move |event: &ProgressEvent| {
            // The interruption takes effect slightly later.
            if matches!(event, ProgressEvent::Step(progress) if progress.step == 3) {
                interrupt.store(true, Ordering::Relaxed);
            }
        });
        let outcome = begin().train(options).unwrap().outcome;
        assert!(matches!(outcome, Outcome::Interrupted { .. }), "{what}: {outcome:?}");
        let run = RunDir::open(&cut).unwrap();
        let again = plan_of_run(&run, given.clone()).unwrap();
        finished(again.resume(RunOptions::new(&cut, device()), None).unwrap().outcome);
        assert!(!files(&whole).is_empty());
        assert!(files(&whole) == files(&cut), "{what}: the resumed run differs");
    }
}
