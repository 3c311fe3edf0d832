//! Settings: resolving, refusing, warning.

use radapter_settings::{OrNone, Settings};
use radapter_training::Task;
use radapter_training::config::{Decay, Every, LossKind, Tune};

use crate::support::{base, given, plan_of, resolve};

fn refused(settings: &[&str]) -> String {
    let mut given = Settings::default();
    for setting in settings {
        if let Err(error) = given.assign(setting) {
            return error.to_string();
        }
    }
    plan_of(&given, 500).err().unwrap().to_string()
}

#[test]
fn defaults_depend_on_the_run() {
    let config = resolve(&[], 500).train;
    assert_eq!((config.epochs, config.steps, config.batch_size), (Some(10), None, 64));
    assert_eq!((config.steps_per_epoch(500), config.total_steps(500)), (7, 70));
    assert_eq!(config.warmup, 3);
    let OrNone::Some(m) = config.ema else { panic!("no average") };
    assert!((m.powi(70) - 0.01).abs() < 1e-12);
    assert_eq!((config.lr, config.weight_decay, config.clip_norm), (5e-4, 0.0, OrNone::Some(1.0)));
    assert_eq!((config.schedule, config.validate_every), (Decay::Cosine, Every::Epoch));
    assert_eq!((config.tune, config.loss.kind), (Tune::Adapters, LossKind::MpmNce));
    assert_eq!((config.loss.margin, config.loss.smoothing, config.loss.temperature), (0.05, 0.02, 0.01));

    // A set smaller than a batch.
    let config = resolve(&[], 10).train;
    assert_eq!((config.batch_size, config.total_steps(10)), (10, 10));
    // A run as long as the paper's has the paper's values.
    let config = resolve(&["steps=25020"], 1_281_167).train;
    assert_eq!((config.warmup, config.ema), (500, OrNone::Some(0.999)));
}

#[test]
fn full_fine_tuning_has_its_own_defaults() {
    let config = resolve(&["tune=all"], 500).train;
    assert_eq!((config.lr, config.weight_decay, config.ema), (3e-5, 0.1, OrNone::None));
    assert_eq!((config.loss.kind, config.loss.smoothing), (LossKind::CrossEntropy, 0.0));
}

#[test]
fn the_user_s_settings_override_the_recipe() {
    let config = resolve(&["recipe=paper-toy"], 16_000).train;
    assert_eq!((config.epochs, config.batch_size, config.ema), (Some(50), 256, OrNone::Some(0.999)));
    assert_eq!((config.alpha.get(), config.loss.margin, config.loss.smoothing), (0.8, 0.1, 0.02));
    assert_eq!((config.lr, config.final_lr, config.weight_decay), (5e-4, 1e-6, 0.0));
    assert_eq!(config.adapter.rank.to_string(), "4");
    let config = resolve(&["recipe=paper-toy", "steps=7", "adapter.rank=full", "ema=auto"], 100).train;
    assert_eq!((config.recipe.as_str(), config.epochs, config.total_steps(100)), ("paper-toy", None, 7));
    assert_eq!(config.adapter.rank.to_string(), "full");
    assert!(matches!(config.ema, OrNone::Some(m) if m < 0.6));
    // A recipe's α applies to adapters.
    assert_eq!(resolve(&["recipe=paper-toy", "tune=all"], 100).train.alpha.get(), 1.0);
    let error = refused(&["recipe=paper-other"]);
    assert!(error.contains("recipes of toy are auto, paper-toy"), "{error}");
}

#[test]
fn an_average_that_keeps_the_start_warns() {
    let warnings = resolve(&["ema=0.999", "steps=100"], 500).warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("90 % of the start"), "{}", warnings[0]);
    assert!(resolve(&["steps=100"], 500).warnings.is_empty());
    assert!(resolve(&["ema=0.97", "steps=100"], 500).warnings.is_empty());
    assert!(resolve(&["warmup=70"], 500).warnings[0].contains("warmup"));
    let large = &resolve(&["batch_size=501", "steps=100"], 500).warnings;
    assert!(large[0].contains("batch_size = 501") && large[0].contains("all 500 of them"), "{large:?}");
    assert!(resolve(&["batch_size=500", "steps=100"], 500).warnings.is_empty());
    let floor = &resolve(&["lr=1e-3", "final_lr=2e-3", "steps=100"], 500).warnings;
    assert!(floor[0].contains("the learning rate is 3e-3 after the warm-up and ends at 2e-3"), "{floor:?}");
    assert!(resolve(&["lr=1e-3", "final_lr=2e-3", "schedule=constant", "steps=100"], 500).warnings.is_empty());
    assert!(resolve(&["alpha=1.2"], 500).warnings[0].contains("extrapolates"));
}

#[test]
fn unknown_settings_get_suggestions() {
    for (setting, expected) in [
        ("epoch=3", "unknown setting `epoch` in --set; did you mean epochs?"),
        ("loss.margn=3", "unknown setting `loss.margn` in --set; did you mean loss.margin?"),
        ("margin=3", "unknown setting `margin` in --set; did you mean loss.margin?"),
        ("adapter.ranks=3", "unknown setting `adapter.ranks` in --set; did you mean adapter.rank?"),
    ] {
        assert_eq!(refused(&[setting]), expected);
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.toml");
    std::fs::write(&path, "lr = 1e-3\n[loss]\nmargin = 0.1\ntau = 1\n").unwrap();
    let error = plan_of(&Settings::from_file(&path).unwrap(), 500).err().unwrap().to_string();
    assert!(error.contains("`loss.tau`") && error.contains("run.toml, line 4"), "{error}");
}

#[test]
fn a_task_s_settings_share_the_trainer_s_namespace() {
    let mut given = Settings::from_toml("lr = 1e-3\nval_fraction = 0.2\n[loss]\nmargin = 0.1\n", "a.toml").unwrap();
    given.assign("templates=simple").unwrap();
    given.assign("loss.smoothing = 0.5").unwrap();
    given.assign("adapter.layers=[0, 1]").unwrap();
    let plan = plan_of(&given, 500).unwrap();
    assert_eq!((plan.task.settings().templates.as_deref(), plan.task.settings().val_fraction), (Some("simple"), 0.2));
    assert_eq!((plan.train.lr, plan.train.loss.margin, plan.train.loss.smoothing), (1e-3, 0.1, 0.5));
    given.assign("template=x").unwrap();
    let error = plan_of(&given, 500).err().unwrap().to_string();
    assert!(error.contains("did you mean templates?"), "{error}");
}

#[test]
fn values_out_of_range_are_refused_by_key() {
    for (settings, expected) in [
        (&["lr=0"][..], "lr = 0"),
        (&["lr=-1e-3"], "lr"),
        (&["lr=nan"], "lr"),
        (&["epochs=0"], "epochs"),
        (&["steps=0"], "steps"),
        (&["epochs=1", "steps=1"], "leave one out"),
        (&["batch_size=0"], "batch_size"),
        (&["ema=1"], "ema"),
        (&["ema=often"], "\"auto\" or \"none\""),
        (&["alpha=1.6"], "alpha"),
        (&["alpha=nan"], "alpha"),
        (&["loss.temperature=0"], "loss.temperature"),
        (&["loss.smoothing=1"], "loss.smoothing"),
        (&["loss.margin=-0.1"], "loss.margin"),
        (&["loss.kind=hinge"], "loss.kind = \"hinge\" in --set is refused: expected \"mpm-nce\", "),
        (&["method=prompt"], "expected one of adaptformer, carot, clipood, coop, flyp, full, "),
        (&["method=dora"], "did you mean lora?"),
        (&["loss.kind=cross-entropy", "regularizer.kind=self-distill"], "compares images with their texts"),
        (&["regularizer.kind=self-distill", "ema=none"], "the moving average"),
        (&["regularizer.kind=nearby"], "regularizer.kind = \"nearby\""),
        (&["method=flyp", "tune=image"], "the method does not tune it"),
        (&["val_fraction=2"], "expected a number, from 0 to 1"),
        (&["betas=[0.9, 1.0]"], "betas"),
        (&["micro_batch=0"], "micro_batch"),
        (&["micro_batch=2", "adapter.drop_mode=sample"], "adapter.drop_mode"),
        (&["micro_batch=2", "adapter.drop_path=0.1"], "adapter.drop_path"),
        (&["micro_batch=2", "method=adaptformer"], "adaptformer.dropout"),
        (&["adapter.drop_path=1"], "adapter.drop_path"),
        (&["patience=0"], "patience"),
        (&["validate_every=0"], "number of steps"),
        (&["workers=0"], "workers"),
        (&["tune=all", "alpha=0.5"], "--alpha"),
        (&["adapter.rank=0"], "adapter.rank"),
        (&["adapter.towers=sideways"], "adapter.towers = \"sideways\""),
        (&["seed=-1"], "seed"),
        (&["lr"], "key=value"),
        (&["lr=3", "lr.x=3"], "`lr` is a value"),
        (&["schedule=step"], "schedule"),
    ] {
        let message = refused(settings);
        assert!(message.contains(expected), "{settings:?}: {message}");
    }
}

#[test]
fn the_checkpoint_s_temperature_is_a_choice() {
    assert_eq!(resolve(&["loss.temperature=checkpoint"], 500).train.loss.temperature, base().temperature());
    assert_eq!(resolve(&["loss.temperature=0.2"], 500).train.loss.temperature, 0.2);
}

#[test]
fn recorded_settings_given_as_settings_resolve_to_the_same() {
    for settings in [
        &["epochs=3"][..],
        &["steps=9", "tune=all", "ema=none", "clip_norm=none", "save_every=none"],
        &["recipe=paper-toy", "patience=2", "micro_batch=4", "validate_every=5", "templates=simple"],
    ] {
        let plan = resolve(settings, 300);
        let recorded = plan.settings().unwrap();
        let again = plan_of(&Settings::from_table(recorded.clone(), "the record"), 300).unwrap();
        assert_eq!((again.train, again.method.name()), (plan.train, plan.method.name()), "{settings:?}");
        assert_eq!(again.task.settings(), plan.task.settings());
    }
    // The same through text, as a run's file has them.
    let plan = resolve(&["lr=0.1"], 300);
    let text = toml::to_string(&plan.settings().unwrap()).unwrap();
    assert_eq!(plan_of(&Settings::from_toml(&text, "text").unwrap(), 300).unwrap().train, plan.train, "{text}");
    assert_eq!(given(&["lr=0.1"]), given(&["lr = 0.1"]));
}
