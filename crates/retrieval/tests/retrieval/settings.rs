//! Settings: defaults, recipes, methods, refusals, records.

use radapter_datasets::augment::Augment;
use radapter_datasets::{OnError, Templates};
use radapter_images::DecodeMode;
use radapter_retrieval::config::{PairSettings, Pairs, RetrievalSettings};
use radapter_retrieval::task::{Retrieval, RetrievalError, TrainingCaptions};
use radapter_settings::{OrNone, Settings, SettingsError};
use radapter_training::config::{LossKind, TrainSettings, Tune};
use radapter_training::plan::{check_resume, settings_of};
use radapter_training::{RunDir, RunOptions, TrainError};

use crate::support::{self, Plan, device, plan_of_run, settings, squares};

fn in_memory() -> Option<TrainingCaptions> {
    Some(TrainingCaptions { train: squares(20, 3), val: None })
}

fn plan(toml: &str) -> Plan {
    support::plan(&settings(toml), in_memory()).unwrap()
}

fn task(toml: &str) -> RetrievalSettings {
    plan(toml).task.settings
}

fn train(toml: &str) -> TrainSettings {
    plan(toml).train
}

fn refused(toml: &str) -> String {
    support::plan(&settings(toml), in_memory()).unwrap_err().to_string()
}

#[test]
fn defaults_are_the_documented_ones() {
    let task = task("");
    assert_eq!(task.templates, Templates::from_list(vec!["{}".to_owned()]).unwrap());
    assert_eq!(task.augment, Augment { scale: [0.9, 1.0], flip: 0.0 });
    assert_eq!((task.max_captions, task.val_fraction), (OrNone::None, 0.1));
    assert_eq!((task.on_error, task.decode), (OnError::Fail, DecodeMode::Exact));
    assert_eq!(task.data, PairSettings { pairs: Pairs::All, samples: OrNone::None, shuffle_buffer: 10_000 });
    assert!(task.split.0.is_empty() && task.val_split.0.is_empty());
    assert_eq!((task.captions, task.images, task.captions_format), (None, None, None));

    let train = train("");
    assert_eq!((train.method.as_str(), train.tune, train.loss.kind), ("r-adapter", Tune::Adapters, LossKind::MpmNce));
    assert_eq!((train.alpha.get(), train.best.as_str()), (0.8, "mean_recall"));
    assert_eq!((train.loss.margin, train.loss.smoothing, train.loss.temperature), (0.05, 0.0, 0.01));
}

#[test]
fn the_recipe_is_the_published_table_and_the_user_overrides_it() {
    let (train, task) = (train("recipe = \"paper-coco\""), task("recipe = \"paper-coco\""));
    assert_eq!((train.recipe.as_str(), train.epochs, train.batch_size), ("paper-coco", Some(10), 512));
    assert_eq!((train.warmup, train.ema, train.alpha.get()), (500, OrNone::Some(0.999), 0.8));
    assert_eq!((train.loss.smoothing, train.loss.margin, train.clip_norm), (0.0, 0.05, OrNone::None));
    assert_eq!(train.adapter.rank.to_string(), "full");
    assert_eq!((train.lr, train.final_lr, train.weight_decay), (5e-4, 1e-6, 0.0));
    assert_eq!(task.max_captions, OrNone::Some(5));

    let mut given = settings("recipe = \"paper-coco\"\nmax_captions = 2");
    for assignment in ["steps=7", "ema=auto", "alpha=0.3", "clip_norm=2"] {
        given.assign(assignment).unwrap();
    }
    let plan = support::plan(&given, in_memory()).unwrap();
    assert_eq!((plan.train.epochs, plan.train.total_steps(100), plan.train.alpha.get()), (None, 7, 0.3));
    assert_eq!((plan.train.clip_norm, plan.task.settings.max_captions), (OrNone::Some(2.0), OrNone::Some(2)));
    assert!(matches!(plan.train.ema, OrNone::Some(m) if m < 0.6));
}

#[test]
fn full_fine_tuning_has_its_own_defaults() {
    for (toml, method, tune) in [
        ("tune = \"all\"", "flyp", Tune::All),
        ("method = \"flyp\"", "flyp", Tune::All),
        ("tune = \"image\"", "ovseg", Tune::Image),
    ] {
        let train = train(toml);
        assert_eq!((train.method.as_str(), train.tune), (method, tune), "{toml}");
        assert_eq!((train.lr, train.weight_decay, train.ema), (3e-5, 0.1, OrNone::None), "{toml}");
        assert_eq!((train.loss.kind, train.loss.smoothing), (LossKind::InfoNce, 0.0), "{toml}");
        assert_eq!(train.alpha.get(), 1.0, "{toml}");
    }
}

#[test]
fn bad_settings_name_the_key_and_the_problem() {
    for (toml, one, other) in [
        ("captoins = \"a.json\"", "unknown setting `captoins` in test", "captions"),
        ("data.pears = 5", "unknown setting `data.pears` in test", "data.pairs?"),
        ("data.pairs = \"two\"", "data.pairs = \"two\" in test", "\"all\" or \"one\""),
        ("max_captions = 0", "max_captions = 0 in test", "at least 1"),
        ("data.samples = 0", "data.samples = 0 in test", "at least 1"),
        ("data.shuffle_buffer = 0", "data.shuffle_buffer = 0 in test", "at least 1"),
        ("val_fraction = 1.0", "val_fraction = 1.0 in test", "below 1"),
        ("templates = \"openai-80\"", "templates", "one template"),
        ("captions_format = \"xml\"", "captions_format = \"xml\" in test", "karpathy"),
        ("split = 3", "split = 3 in test", "names"),
        ("captions = 3", "captions = 3 in test", "a path"),
        ("augment.flip = 2", "augment.flip = 2 in test", "from 0 to 1"),
        ("augment.scale = [1, 0.5]", "augment.scale = [1.0, 0.5]", "from <= to <= 1"),
        ("task = \"classification\"", "unknown setting `task` in test", "expected one of"),
    ] {
        let message = refused(toml);
        assert!(message.contains(one) && message.contains(other), "{toml}: {message}");
    }
}

#[test]
fn recipes_of_another_task_and_methods_that_need_a_classifier_are_refused() {
    assert_eq!(
        refused("recipe = \"paper-imagenet\""),
        "recipe = \"paper-imagenet\" in test is refused: the recipes of retrieval are auto, paper-coco"
    );
    assert_eq!(
        refused("method = \"prompt\""),
        "method = \"prompt\" in test is refused: expected one of adaptformer, carot, flyp, lora, ovseg, r-adapter, repadapter"
    );
    let message = refused("method = \"full\"");
    assert!(message.starts_with("method = \"full\" in test is refused"), "{message}");
    assert!(message.contains("classifier") && message.contains("expected one of r-adapter, flyp, ovseg"), "{message}");
}

#[test]
fn contradictions_are_found_before_data_are_read() {
    let given = settings("captions = \"/nowhere/at/all.json\"\nepochs = 1\nsteps = 1");
    let error = support::plan(&given, None).unwrap_err();
    assert!(matches!(&error, RetrievalError::Settings(SettingsError::Conflict { .. })), "{error}");
}

#[test]
fn recorded_settings_start_another_run_with_equal_ones() {
    let dir = tempfile::tempdir().unwrap();
    let first = plan(&format!(
        "captions = {:?}\nsplit = \"train, restval\"\nval_split = [\"val\"]\ncaptions_format = \"karpathy\"\n\
         csv_separator = \"|\"\nmax_captions = 2\ndata.pairs = \"one\"\nrecipe = \"paper-coco\"\nlr = 1",
        dir.path()
    ));
    let recorded = first.settings().unwrap();
    let again = plan(&toml::to_string(&recorded).unwrap());
    assert_eq!((&again.train, &again.task.settings), (&first.train, &first.task.settings));
    assert_eq!(again.settings().unwrap(), recorded);
}

#[test]
fn given_settings_are_compared_by_what_they_refer_to() {
    let dir = tempfile::tempdir().unwrap();
    let roundabout = dir.path().join("../").join(dir.path().file_name().unwrap());
    let recorded = plan(&format!("captions = {roundabout:?}\nsplit = \"train,restval\"")).settings().unwrap();
    assert_eq!(recorded["captions"].as_str(), dir.path().canonicalize().unwrap().to_str());

    let contradiction = |toml: &str| {
        let schema = settings_of::<Retrieval>();
        schema.contradiction(&settings(toml), &recorded).unwrap().map(|found| found.key)
    };
    for same in [
        format!("captions = {:?}", dir.path()),
        format!("captions = {roundabout:?}"),
        "split = [\"train\", \"restval\"]".to_owned(),
        "templates = [\"{}\"]\nmax_captions = \"none\"".to_owned(),
    ] {
        assert_eq!(contradiction(&same), None, "{same}");
    }
    assert_eq!(contradiction("split = \"train\""), Some("split".to_owned()));
    assert_eq!(contradiction("data.pairs = \"one\""), Some("data.pairs".to_owned()));
}

#[test]
fn a_run_of_another_task_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    plan("steps = 1\nbatch_size = 4").train(RunOptions::new(dir.path(), device())).unwrap();
    let config = dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("task = \"retrieval\""), "{text}");
    std::fs::write(&config, text.replace("task = \"retrieval\"", "task = \"segmentation\"")).unwrap();

    let run = RunDir::open(dir.path()).unwrap();
    let is_refused = |error: &TrainError| matches!(error, TrainError::OtherTask { expected: "retrieval", found, .. } if found == "segmentation");
    let error = check_resume::<Retrieval>(&run, &Settings::default()).unwrap_err();
    assert!(is_refused(&error), "{error}");
    let error = plan_of_run(&run, in_memory()).unwrap_err();
    assert!(matches!(&error, RetrievalError::Training(error) if is_refused(error)), "{error}");
}
