use std::path::Path;

use radapter_adapter::Alpha;
use radapter_methods::METHODS;
use radapter_segmentation::task::{Segmentation, SegmentationError};
use radapter_training::finetuned::FineTunedRun;
use radapter_training::plan::check_resume;
use radapter_training::{Outcome, Report, RunDir, RunOptions, SampleKey, TrainData};

use crate::support::{self, Plan, checkpoint, device, plan_of_run, settings, write};

fn toml(folder: &Path, more: &str) -> String {
    let folder = folder.display();
    format!(
        "batch_size = 16\nlr = 0.02\nloss.temperature = 0.1\nimages = \"{folder}/images\"\n\
         annotations = \"{folder}/annotations\"\nclasses = [\"blue\", \"green\", \"red\", \"yellow, golden\"]\nmin_area = 32\n\
         templates = \"{{}}\"\n{more}"
    )
}

fn plan(folder: &Path, more: &str) -> Result<Plan, SegmentationError> {
    support::plan(&settings(&toml(folder, more)))
}

fn finished(outcome: Outcome) -> Report {
    match outcome {
        Outcome::Finished(report) => report,
        Outcome::Interrupted { step } => panic!("interrupted at step {step}"),
    }
}

#[test]
fn regions_are_learned_by_adapters_and_by_the_image_tower() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 40);
    for more in ["epochs = 12\nalpha = 1.0", "epochs = 10\ntune = \"image\"\nlr = 0.003"] {
        let text = toml(folder.path(), more);
        let text = if more.contains("lr") { text.replacen("lr = 0.02\n", "", 1) } else { text };
        let plan = support::plan(&settings(&text)).unwrap();
        let (labels, val) = (plan.task.labels.clone(), plan.task.val.clone().unwrap());
        assert_eq!((labels.len(), val.images.len(), val.segments.len()), (4, 4, 8));
        assert_eq!(plan.task.split.train_segments, 72);
        let dir = folder.path().join(if more.contains("image") { "image" } else { "adapters" });
        let report = finished(plan.train(RunOptions::new(&dir, device())).unwrap().outcome);
        let best = report.best.unwrap();
        assert_eq!(best.metric, "segment_top1");
        // Four classes: chance is a quarter.
        assert!(best.value > 0.7, "{more}: {}", best.value);
        let run = FineTunedRun::open(METHODS, &dir).unwrap();
        let base = checkpoint(1);
        let tuned = run.model(&base, None, &device()).unwrap().model.checkpoint().unwrap();
        // Texts are locked under `tune = "image"`.
        let is_text = |key: &str| !key.starts_with("visual.");
        let changed = base.state.iter().any(|(key, tensor)| is_text(key) && tuned.state.get(key) != Some(tensor));
        assert_eq!(changed, !more.contains("image"), "{more}");
        assert_eq!(
            run.model(&base, Some(Alpha::ZERO.into()), &device()).unwrap().model.checkpoint().unwrap().state,
            base.state
        );
    }
}

#[test]
fn a_run_records_its_task_and_data() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 8);
    let dir = folder.path().join("run");
    let plan = plan(folder.path(), "steps = 2\nalpha_rule = \"none\"\nexclude = [\"golden\"]").unwrap();
    let yellow = 3;
    assert!(plan.task.val.iter().flat_map(|val| &val.segments).all(|segment| segment.label != yellow));
    finished(plan.train(RunOptions::new(&dir, device())).unwrap().outcome);
    let run = RunDir::open(&dir).unwrap();
    let record = run.record().unwrap();
    assert_eq!(record.task, "segmentation");
    assert_eq!(record.settings["classes"].as_array().unwrap().len(), 4);
    assert_eq!(FineTunedRun::open(METHODS, &dir).unwrap().default_alphas().to_string(), "0.4");
    let classes = folder.path().join("classes.txt");
    std::fs::write(&classes, "blue\ngreen\nred\nyellow, golden\n").unwrap();
    check_resume::<Segmentation>(&run, &settings(&format!("classes = \"{}\"\nsteps = 2", classes.display()))).unwrap();
    let error = check_resume::<Segmentation>(&run, &settings("exclude = [\"red\"]")).unwrap_err();
    assert!(error.to_string().contains("exclude"), "{error}");
    let again = plan_of_run(&run).unwrap();
    assert_eq!(again.task.split.train_segments, again.task.data.len());
    assert!(again.resume(RunOptions::new(&dir, device()), None).is_ok());
}

/// Excluded classes must not reach the training of a model.
#[test]
fn excluded_classes_enter_no_batch() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 12);
    let all = plan(folder.path(), "steps = 1\nval_fraction = 0.0").unwrap();
    let fewer = plan(folder.path(), "steps = 1\nval_fraction = 0.0\nexclude = [\"red\"]").unwrap();
    assert!(fewer.task.split.train_segments < all.task.split.train_segments);
    let red = 2;
    for index in 0..fewer.task.data.len() {
        let key = SampleKey { seed: 0, epoch: 0, index };
        assert_ne!(fewer.task.data.load(key).unwrap().unwrap().label, red);
    }
}

#[test]
fn samples_are_a_function_of_seed_epoch_and_index() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 4);
    let plan =
        plan(folder.path(), "steps = 1\nval_fraction = 0.0\naugment.scale = [0.3, 1.0]\naugment.flip = 0.5").unwrap();
    let load = |seed, epoch, index| plan.task.data.load(SampleKey { seed, epoch, index }).unwrap().unwrap();
    assert_eq!(load(1, 2, 3), load(1, 2, 3));
    let different = (0..20).filter(|&epoch| load(1, epoch, 3).pixels != load(1, 0, 3).pixels).count();
    assert!(different > 10, "{different}");
}

#[test]
fn invalid_training_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 4);
    let message = |more: &str| plan(folder.path(), more).unwrap_err().to_string();
    for (more, part) in [
        ("exclude = [\"blue\", \"green\", \"red\", \"yellow\"]", "no segment"),
        ("exclude = [\"blue\", \"green\", \"red\"]", "all segments to train on are `yellow`"),
        ("exclude = [\"purple\"]", "`purple`"),
        ("captions = \"a.json\"", "cannot both be given"),
        ("val_images = \"x\"", "go together"),
        ("crop.margin = 9.0", "crop.margin"),
        ("val_fraction = 1.0", "val_fraction"),
        ("shots = 3", "shots"),
    ] {
        let text = message(more);
        assert!(text.contains(part), "{more}: {text}");
    }
    // Fewer classes than the annotations have.
    let text = toml(folder.path(), "").replace(", \"red\", \"yellow, golden\"", "");
    let error = support::plan(&settings(&text)).unwrap_err();
    assert!(error.to_string().contains(".png: label") && error.to_string().contains("2 classes"), "{error}");
    let text = toml(folder.path(), "").replace("classes = ", "# ");
    let error = support::plan(&settings(&text)).unwrap_err();
    assert!(error.to_string().contains("annotations need classes"), "{error}");
}
