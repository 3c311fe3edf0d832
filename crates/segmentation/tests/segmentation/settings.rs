//! Settings: defaults, recipes, methods, refusals, records.

use std::path::Path;

use radapter_datasets::augment::Augment;
use radapter_datasets::{OnError, Templates};
use radapter_segmentation::class_list::Synonyms;
use radapter_segmentation::config::{ClassLines, SegmentationSettings};
use radapter_segmentation::crop::CropSettings;
use radapter_segmentation::task::{Segmentation, SegmentationError};
use radapter_settings::{OrNone, Settings, SettingsError};
use radapter_training::config::{LossKind, TrainSettings, Tune};
use radapter_training::plan::{check_resume, settings_of};
use radapter_training::{RunDir, RunOptions, TrainError};
use tempfile::TempDir;

use crate::support::{self, Plan, device, plan_of_run, settings, write};

/// Writes a folder of images with annotations.
fn data() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 12);
    folder
}

fn toml(folder: &Path, more: &str) -> String {
    let folder = folder.display();
    format!(
        "images = \"{folder}/images\"\nannotations = \"{folder}/annotations\"\n\
         classes = [\"blue\", \"green\", \"red\", \"yellow, golden\"]\n{more}"
    )
}

fn plan(folder: &Path, more: &str) -> Plan {
    support::plan(&settings(&toml(folder, more))).unwrap()
}

fn refused(folder: &Path, more: &str) -> String {
    support::plan(&settings(&toml(folder, more))).unwrap_err().to_string()
}

#[test]
fn defaults_are_the_documented_ones() {
    let folder = data();
    let Plan { train, task, .. } = plan(folder.path(), "");
    let SegmentationSettings { synonyms, label_offset, ignore, min_area, nouns, proposals, exclude, .. } =
        task.settings.clone();
    assert_eq!((synonyms, label_offset, ignore, min_area), (Synonyms::Mean, 0, None, 64));
    assert!(nouns.0.is_empty() && exclude.0.is_empty() && proposals.0 == "builtin");
    let SegmentationSettings { val_fraction, templates, on_error, crop, augment, captions, split, .. } = task.settings;
    assert_eq!((val_fraction, on_error, captions), (0.1, OnError::Fail, None));
    assert_eq!(templates, Templates::built_in("vild-14").unwrap());
    assert_eq!((crop, augment), (CropSettings::default(), Augment { scale: [0.9, 1.0], flip: 0.0 }));
    assert!(split.0.is_empty());

    assert_eq!((train.method.as_str(), train.tune, train.loss.kind), ("r-adapter", Tune::Adapters, LossKind::MpmNce));
    assert_eq!((train.alpha.get(), train.best.as_str()), (0.4, "segment_top1"));
    assert_eq!((train.loss.margin, train.loss.smoothing, train.loss.temperature), (0.05, 0.0, 0.01));
}

#[test]
fn the_recipe_is_the_published_schedule_and_the_user_overrides_it() {
    let folder = data();
    let train = plan(folder.path(), "recipe = \"ovseg\"").train;
    assert_eq!((train.method.as_str(), train.tune, train.loss.kind), ("ovseg", Tune::Image, LossKind::InfoNce));
    assert_eq!((train.recipe.as_str(), train.epochs, train.lr, train.warmup), ("ovseg", Some(5), 5e-6, 100));

    let train = plan(folder.path(), "recipe = \"ovseg\"\nmethod = \"r-adapter\"\nsteps = 7\nlr = 1e-3").train;
    assert_eq!((train.method.as_str(), train.tune, train.alpha.get()), ("r-adapter", Tune::Adapters, 0.4));
    assert_eq!((train.epochs, train.steps, train.lr, train.warmup), (None, Some(7), 1e-3, 100));
}

#[test]
fn full_fine_tuning_has_its_own_defaults() {
    let folder = data();
    for (more, method, tune) in [
        ("tune = \"image\"", "ovseg", Tune::Image),
        ("method = \"ovseg\"", "ovseg", Tune::Image),
        ("tune = \"all\"", "flyp", Tune::All),
    ] {
        let train: TrainSettings = plan(folder.path(), more).train;
        assert_eq!((train.method.as_str(), train.tune), (method, tune), "{more}");
        assert_eq!((train.lr, train.weight_decay, train.ema), (3e-5, 0.1, OrNone::None), "{more}");
        assert_eq!((train.loss.kind, train.loss.smoothing), (LossKind::InfoNce, 0.0), "{more}");
        assert_eq!(train.alpha.get(), 1.0, "{more}");
    }
}

#[test]
fn bad_settings_name_the_key_and_the_problem() {
    let folder = data();
    for (more, one, other) in [
        ("label_ofset = 1", "unknown setting `label_ofset` in test", "label_offset?"),
        ("crop.margins = 1", "unknown setting `crop.margins` in test", "crop.margin?"),
        ("crop.margin = 9.0", "crop.margin = 9.0 in test", "from 0"),
        ("crop.resize = \"sharp\"", "crop.resize = \"sharp\" in test", "antialiased"),
        ("synonyms = \"both\"", "synonyms = \"both\" in test", "\"mean\" or \"joined\""),
        ("label_offset = -1", "label_offset = -1 in test", "a whole number, from 0 to 65535"),
        ("ignore = 70000", "ignore = 70000 in test", "a whole number, from 0 to 65535"),
        ("min_area = \"all\"", "min_area = \"all\" in test", "a whole number"),
        ("val_fraction = 1.0", "val_fraction = 1.0 in test", "below 1"),
        ("exclude = \"absent.txt\"", "exclude = \"absent.txt\" in test", "there is no file"),
        ("proposals = 3", "proposals = 3 in test", "\"builtin\" or a path"),
        ("templates = \"nope\"", "templates = \"nope\" in test", "built-in"),
        ("augment.flip = 2", "augment.flip = 2 in test", "from 0 to 1"),
        ("task = \"retrieval\"", "unknown setting `task` in test", "expected one of"),
    ] {
        let message = refused(folder.path(), more);
        assert!(message.contains(one) && message.contains(other), "{more}: {message}");
    }
    for (classes, part) in [("\"absent.txt\"", "absent.txt"), ("[\"blue\", \"blue\"]", "blue"), ("3", "classes = 3")] {
        let error = support::plan(&settings(&format!("classes = {classes}"))).unwrap_err().to_string();
        assert!(error.starts_with("classes = ") && error.contains(part), "{classes}: {error}");
    }
}

#[test]
fn recipes_of_another_task_and_methods_that_need_a_classifier_are_refused() {
    let folder = data();
    assert_eq!(
        refused(folder.path(), "recipe = \"paper-coco\""),
        "recipe = \"paper-coco\" in test is refused: the recipes of segmentation are auto, ovseg"
    );
    assert_eq!(
        refused(folder.path(), "method = \"prompt\""),
        "method = \"prompt\" in test is refused: expected one of adaptformer, carot, flyp, lora, ovseg, r-adapter, repadapter"
    );
    let message = refused(folder.path(), "method = \"full\"");
    assert!(message.contains("classifier") && message.contains("expected one of r-adapter, flyp, ovseg"), "{message}");
}

/// Mining captions in `prepare` takes long on many images.
#[test]
fn contradictions_are_found_before_data_are_read() {
    let given = settings("images = \"/nowhere\"\ncaptions = \"/nowhere/at/all.json\"\nepochs = 1\nsteps = 1");
    let error = support::plan(&given).unwrap_err();
    assert!(matches!(&error, SegmentationError::Settings(SettingsError::Conflict { .. })), "{error}");
}

#[test]
fn recorded_settings_start_another_run_with_equal_ones() {
    let folder = data();
    let excluded = folder.path().join("unseen.txt");
    std::fs::write(&excluded, "red\n\n").unwrap();
    let more =
        format!("exclude = {excluded:?}\nignore = 255\nsynonyms = \"joined\"\ncrop.margin = 0.25\nema = \"auto\"");
    let first = plan(folder.path(), &more);
    assert_eq!(first.task.settings.exclude.0, ["red"]);

    std::fs::remove_file(&excluded).unwrap();
    let recorded = first.settings().unwrap();
    let again = support::plan(&settings(&toml::to_string(&recorded).unwrap())).unwrap();
    assert_eq!((&again.train, &again.task.settings), (&first.train, &first.task.settings));
    assert_eq!(again.settings().unwrap(), recorded);
}

#[test]
fn given_settings_are_compared_by_what_they_refer_to() {
    let folder = data();
    let classes = folder.path().join("classes.txt");
    std::fs::write(&classes, "blue\ngreen\nred\nyellow, golden\n").unwrap();
    let first = plan(folder.path(), "");
    let lines = ["blue", "green", "red", "yellow, golden"].map(str::to_owned).to_vec();
    assert_eq!(first.task.settings.classes, Some(ClassLines(lines)));
    let recorded = first.settings().unwrap();

    let contradiction = |toml: &str| {
        let schema = settings_of::<Segmentation>();
        schema.contradiction(&settings(toml), &recorded).unwrap().map(|found| found.key)
    };
    let roundabout = folder.path().join("annotations/../images");
    for same in [
        format!("classes = {classes:?}"),
        format!("images = {roundabout:?}"),
        "templates = \"vild-14\"\nproposals = \"builtin\"\nexclude = []".to_owned(),
    ] {
        assert_eq!(contradiction(&same), None, "{same}");
    }
    assert_eq!(contradiction("classes = \"blue,green\""), Some("classes".to_owned()));
    assert_eq!(contradiction("images = \"/nowhere\""), Some("images".to_owned()));
}

#[test]
fn a_run_of_another_task_is_refused() {
    let folder = data();
    let dir = folder.path().join("run");
    plan(folder.path(), "steps = 1\nbatch_size = 4").train(RunOptions::new(&dir, device())).unwrap();
    let config = dir.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("task = \"segmentation\""), "{text}");
    std::fs::write(&config, text.replace("task = \"segmentation\"", "task = \"retrieval\"")).unwrap();

    let run = RunDir::open(&dir).unwrap();
    let is_refused = |error: &TrainError| matches!(error, TrainError::OtherTask { expected: "segmentation", found, .. } if found == "retrieval");
    let error = check_resume::<Segmentation>(&run, &Settings::default()).unwrap_err();
    assert!(is_refused(&error), "{error}");
    let error = plan_of_run(&run).unwrap_err();
    assert!(matches!(&error, SegmentationError::Training(error) if is_refused(error)), "{error}");
}
