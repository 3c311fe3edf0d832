//! Settings: defaults, recipes, methods, refusals, records.

use radapter_classification::config::{ClassTexts, ClassificationSettings};
use radapter_classification::finetuned::ClassificationRun;
use radapter_classification::task::{Classification, ClassificationError, TrainingImages};
use radapter_datasets::augment::Augment;
use radapter_datasets::{ClassNames, OnError, Templates};
use radapter_images::DecodeMode;
use radapter_methods::METHODS;
use radapter_settings::{OrNone, Settings, SettingsError};
use radapter_training::config::{LossKind, TrainSettings, Tune};
use radapter_training::plan::{check_resume, settings_of};
use radapter_training::{RunDir, RunOptions, TrainError};

use crate::support::{self, Plan, device, plan_of_run, settings, squares};

fn in_memory() -> Option<TrainingImages> {
    Some(TrainingImages { train: squares(4), val: None })
}

fn plan(toml: &str) -> Plan {
    support::plan(&settings(toml), in_memory()).unwrap()
}

fn task(toml: &str) -> ClassificationSettings {
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
    assert_eq!(task.templates, Templates::default());
    assert_eq!(task.eval_templates, task.templates);
    assert_eq!(task.augment, Augment { scale: [0.9, 1.0], flip: 0.0 });
    assert_eq!((task.shots, task.val_fraction), (OrNone::None, 0.1));
    assert_eq!((task.on_error, task.decode), (OnError::Fail, DecodeMode::Exact));
    assert_eq!((task.train, task.val, task.class_names), (None, None, None));

    let train = train("");
    assert_eq!((train.method.as_str(), train.tune, train.loss.kind), ("r-adapter", Tune::Adapters, LossKind::MpmNce));
    assert_eq!((train.alpha.get(), train.best.as_str()), (0.5, "top1"));
    assert_eq!((train.loss.margin, train.loss.smoothing, train.loss.temperature), (0.05, 0.02, 0.01));
}

#[test]
fn recipes_are_the_published_table_and_the_user_overrides_them() {
    let task = task("recipe = \"paper-16-shot\"");
    assert_eq!(task.templates.as_slice(), ["a photo of a {}"]);
    assert_eq!(task.eval_templates.as_slice().len(), 80);
    assert_eq!(task.augment, Augment { scale: [0.7, 1.0], flip: 0.5 });
    assert_eq!(task.shots, OrNone::Some(16));

    let task = self::task("recipe = \"paper-imagenet\"");
    assert_eq!(task.templates.as_slice().len(), 80);
    assert_eq!(task.augment, Augment { scale: [0.9, 1.0], flip: 0.0 });
    assert_eq!(task.shots, OrNone::None);
    let task = self::task("recipe = \"paper-base-to-novel\"");
    assert_eq!(task.eval_templates.as_slice().len(), 80);
    assert_eq!(task.augment, Augment { scale: [0.9, 1.0], flip: 0.0 });

    let toml = "recipe = \"paper-16-shot\"\ntemplates = \"my {}\"\nshots = \"none\"\naugment.flip = 0";
    let task = self::task(toml);
    assert_eq!(task.templates.as_slice(), ["my {}"]);
    assert_eq!(task.eval_templates.as_slice(), ["my {}"]);
    assert_eq!(task.augment, Augment { scale: [0.7, 1.0], flip: 0.0 });
    assert_eq!(task.shots, OrNone::None);
}

#[test]
fn alpha_is_chosen_by_default_for_r_adapter_alone() {
    let rule = |toml: &str| train(toml).alpha_rule;
    assert_eq!(rule(""), "tpgm");
    for toml in
        ["alpha = 0.5", "method = \"full\"", "method = \"lora\"", "method = \"linear-probe\"", "recipe = \"robust\""]
    {
        assert_eq!(rule(toml), "none", "{toml}");
    }
}

#[test]
fn the_recipe_robust_is_lipsum_ft_with_its_defaults() {
    let (recipe, method) = (train("recipe = \"robust\""), train("method = \"lipsum-ft\""));
    assert_eq!((recipe.method.as_str(), recipe.lr, &recipe.regularizer), ("lipsum-ft", method.lr, &method.regularizer));
    assert_eq!(train("recipe = \"robust\"\nlr = 0.1").lr, 0.1);
}

#[test]
#[allow(clippy::type_complexity, reason = "the columns of the table")]
fn the_published_table_is_verbatim() {
    let table: [(&str, u64, usize, u64, f64, f64, f64, f64, &str, OrNone<f64>); 3] = [
        ("paper-imagenet", 10, 512, 500, 0.999, 0.5, 0.02, 0.05, "full", OrNone::Some(1.0)),
        ("paper-16-shot", 50, 256, 0, 0.999, 0.5, 0.02, 0.05, "4", OrNone::Some(1.0)),
        ("paper-base-to-novel", 101, 32, 500, 0.9, 0.5, 0.0, 0.1, "4", OrNone::Some(1.0)),
    ];
    for (recipe, epochs, batch, warmup, m, alpha, smoothing, margin, rank, clip) in table {
        let train = train(&format!("recipe = \"{recipe}\""));
        assert_eq!((train.recipe.as_str(), train.alpha_rule.as_str()), (recipe, "none"));
        assert_eq!((train.epochs, train.batch_size, train.warmup), (Some(epochs), batch, warmup), "{recipe}");
        assert_eq!((train.ema, train.alpha.get(), train.clip_norm), (OrNone::Some(m), alpha, clip), "{recipe}");
        assert_eq!((train.loss.smoothing, train.loss.margin), (smoothing, margin), "{recipe}");
        assert_eq!(train.adapter.rank.to_string(), rank, "{recipe}");
        assert_eq!((train.lr, train.final_lr, train.weight_decay), (5e-4, 1e-6, 0.0), "{recipe}");
    }
    let mut given = settings("recipe = \"paper-16-shot\"");
    for assignment in ["steps=7", "adapter.rank=full", "ema=auto"] {
        given.assign(assignment).unwrap();
    }
    let train = support::plan(&given, in_memory()).unwrap().train;
    assert_eq!((train.recipe.as_str(), train.epochs, train.total_steps(100)), ("paper-16-shot", None, 7));
    assert_eq!(train.adapter.rank.to_string(), "full");
    assert!(matches!(train.ema, OrNone::Some(m) if m < 0.6));
}

#[test]
fn full_fine_tuning_has_its_own_defaults() {
    for toml in ["tune = \"all\"", "method = \"full\"", "tune = \"image\""] {
        let train = train(toml);
        assert_eq!(train.method, "full", "{toml}");
        assert_eq!(train.tune, if toml.contains("image") { Tune::Image } else { Tune::All }, "{toml}");
        assert_eq!((train.lr, train.weight_decay, train.ema), (3e-5, 0.1, OrNone::None), "{toml}");
        assert_eq!((train.loss.kind, train.loss.smoothing), (LossKind::CrossEntropy, 0.0), "{toml}");
        assert_eq!(train.loss.margin, 0.0, "{toml}: the margin is MPM-NCE's");
        assert_eq!(train.alpha.get(), 1.0, "{toml}");
    }
    // A recipe's α applies to adapters.
    let train = train("method = \"full\"\nrecipe = \"paper-imagenet\"");
    assert_eq!((train.alpha.get(), train.lr, train.loss.kind), (1.0, 5e-4, LossKind::CrossEntropy));
    assert_eq!(train.loss.margin, 0.0);
    let clipood = self::train("method = \"clipood\"\nrecipe = \"paper-imagenet\"");
    assert_eq!((clipood.loss.margin, clipood.final_lr), (0.3, 1e-6));
}

#[test]
fn bad_settings_name_the_key_and_the_problem() {
    let cases = [
        ("shot = 4", "unknown setting `shot` in test", "shots"),
        ("augment.scales = [0.5, 1]", "unknown setting `augment.scales` in test", "augment.scale?"),
        ("augment.scale = [1, 0.5]", "augment.scale = [1.0, 0.5]", "from <= to <= 1"),
        ("augment.flip = 2", "augment.flip = 2 in test", "from 0 to 1"),
        ("shots = 0", "shots = 0 in test", "at least 1"),
        ("val_fraction = 1.0", "val_fraction = 1.0 in test", "below 1"),
        ("val_fraction = nan", "val_fraction = nan in test", "below 1"),
        ("templates = \"nope\"", "templates = \"nope\" in test", "built-in"),
        ("templates = [\"a {}\", \"b\"]", "\"b\"", "exactly one"),
        ("class_names = \"absent.toml\"", "class_names = \"absent.toml\" in test", "class names"),
        ("on_error = \"ignore\"", "on_error = \"ignore\" in test", "\"skip\""),
        ("task = \"retrieval\"", "unknown setting `task` in test", "expected one of"),
    ];
    for (toml, one, other) in cases {
        let message = refused(toml);
        assert!(message.contains(one) && message.contains(other), "{toml}: {message}");
    }
}

#[test]
fn recipes_of_another_task_and_unknown_methods_are_refused() {
    assert_eq!(
        refused("recipe = \"paper-coco\""),
        "recipe = \"paper-coco\" in test is refused: \
         the recipes of classification are auto, paper-imagenet, paper-16-shot, paper-base-to-novel, robust"
    );
    assert_eq!(
        refused("method = \"prompt\""),
        "method = \"prompt\" in test is refused: expected one of adaptformer, carot, clipood, coop, flyp, full, linear-probe, lipsum-ft, \
         lora, lp-ft, maple, mask-fill, ovseg, r-adapter, repadapter"
    );
    let message = refused("method = \"r-adapter\"\ntune = \"all\"");
    assert!(message.starts_with("tune = all is refused") && message.contains("method"), "{message}");
}

#[test]
fn contradictions_are_found_before_data_are_read() {
    for (toml, expected) in [("epochs = 1\nsteps = 1", "leave one out"), ("tune = \"all\"\nalpha = 0.5", "--alpha")] {
        let given = settings(&format!("train = \"/nowhere/at/all\"\n{toml}"));
        let error = support::plan(&given, None).unwrap_err();
        let is_conflict = matches!(&error, ClassificationError::Settings(SettingsError::Conflict { .. }));
        assert!(is_conflict && error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn recorded_settings_start_another_run_with_equal_ones() {
    let dir = tempfile::tempdir().unwrap();
    let names = dir.path().join("names.toml");
    std::fs::write(&names, "\"n.01\" = \"tench\"").unwrap();
    let toml = format!(
        "class_names = {:?}\ntemplates = \"openai-80\"\nshots = 4\ntrain = {:?}\nrecipe = \"paper-16-shot\"\nema = \"auto\"",
        names,
        dir.path()
    );
    let first = plan(&toml);
    let pair = ("n.01".to_owned(), "tench".to_owned());
    assert_eq!(first.task.settings.class_names, Some(ClassTexts(ClassNames::from_iter([pair]))));

    std::fs::remove_file(&names).unwrap();
    let recorded = first.settings().unwrap();
    let text = toml::to_string(&recorded).unwrap();
    let again = plan(&text);
    assert_eq!((&again.train, &again.task.settings), (&first.train, &first.task.settings));
    assert_eq!(again.settings().unwrap(), recorded);
}

#[test]
fn given_settings_are_compared_by_what_they_refer_to() {
    let dir = tempfile::tempdir().unwrap();
    let roundabout = dir.path().join("../").join(dir.path().file_name().unwrap());
    let plan = plan(&format!("train = {roundabout:?}\ntemplates = \"simple\"\nlr = 1e-4"));
    let recorded = plan.settings().unwrap();
    let expected = dir.path().canonicalize().unwrap();
    assert_eq!(recorded["train"].as_str(), expected.to_str());
    assert_eq!(recorded["templates"].as_array().unwrap()[0].as_str(), Some("a photo of a {}."));
    assert_eq!(recorded["lr"].as_float(), Some(1e-4));

    let contradiction = |toml: &str| {
        let schema = settings_of::<Classification>();
        schema.contradiction(&settings(toml), &recorded).unwrap().map(|found| found.key)
    };
    for same in [
        format!("train = {roundabout:?}"),
        format!("train = {expected:?}"),
        "templates = \"simple\"\neval_templates = [\"a photo of a {}.\"]".to_owned(),
        "lr = 0.0001\nema = \"auto\"\ndecode = \"exact\"".to_owned(),
    ] {
        assert_eq!(contradiction(&same), None, "{same}");
    }
    assert_eq!(contradiction("train = \"/nowhere\""), Some("train".to_owned()));
    assert_eq!(contradiction("templates = \"openai-80\""), Some("templates".to_owned()));
}

#[test]
fn a_run_of_another_task_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    plan("steps = 1\nbatch_size = 4").train(RunOptions::new(dir.path(), device())).unwrap();
    let config = dir.path().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("task = \"classification\""), "{text}");
    std::fs::write(&config, text.replace("task = \"classification\"", "task = \"retrieval\"")).unwrap();

    let run = RunDir::open(dir.path()).unwrap();
    let is_refused = |error: &TrainError| matches!(error, TrainError::OtherTask { expected: "classification", found, .. } if found == "retrieval");
    let error = check_resume::<Classification>(&run, &Settings::default()).unwrap_err();
    assert!(is_refused(&error), "{error}");
    let error = plan_of_run(&run, in_memory()).unwrap_err();
    assert!(matches!(&error, ClassificationError::Training(error) if is_refused(error)), "{error}");
    let message = ClassificationRun::open(METHODS, dir.path()).unwrap_err().to_string();
    assert!(message.contains("retrieval") && message.contains("classification"), "{message}");
}
