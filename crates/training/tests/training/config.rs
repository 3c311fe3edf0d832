//! Settings: said, resolved, refused.

use radapter_training::config::{ConfigError, Decay, Every, LossKind, OrNone, Recipe, Settings, Situation, Tune};

use crate::support::{NoTask, defaults, resolve};

fn refused(settings: &[&str]) -> String {
    let mut given = Settings::default();
    let set: Result<(), ConfigError> = settings.iter().try_for_each(|setting| given.set(setting));
    let resolved = set.and_then(|()| given.parse::<NoTask>()).and_then(|(config, _)| {
        let task = defaults();
        config.resolve(&Situation { samples: 500, checkpoint_temperature: 0.07, task: &task })
    });
    resolved.unwrap_err().to_string()
}

#[test]
fn defaults_follow_the_run() {
    let config = resolve(&[], 500).config;
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
    let config = resolve(&[], 10).config;
    assert_eq!((config.batch_size, config.total_steps(10)), (10, 10));
    // A run as long as the paper's has the paper's values.
    let config = resolve(&["steps=25020"], 1_281_167).config;
    assert_eq!((config.warmup, config.ema), (500, OrNone::Some(0.999)));
}

#[test]
fn full_fine_tuning_has_its_own_defaults() {
    let config = resolve(&["tune=all"], 500).config;
    assert_eq!((config.lr, config.weight_decay, config.ema), (3e-5, 0.1, OrNone::None));
    assert_eq!((config.loss.kind, config.loss.smoothing), (LossKind::CrossEntropy, 0.0));
}

#[test]
#[allow(clippy::type_complexity, reason = "the columns of the table")]
fn the_published_table_is_verbatim() {
    let table: [(&str, u64, usize, u64, f64, f64, f64, f64, &str, OrNone<f64>); 4] = [
        ("paper-imagenet", 10, 512, 500, 0.999, 0.5, 0.02, 0.05, "full", OrNone::Some(1.0)),
        ("paper-coco", 10, 512, 500, 0.999, 0.8, 0.0, 0.05, "full", OrNone::None),
        ("paper-16-shot", 50, 256, 0, 0.999, 0.5, 0.02, 0.05, "4", OrNone::Some(1.0)),
        ("paper-base-to-novel", 101, 32, 500, 0.9, 0.5, 0.0, 0.1, "4", OrNone::Some(1.0)),
    ];
    for (recipe, epochs, batch, warmup, m, alpha, smoothing, margin, rank, clip) in table {
        let config = resolve(&[&format!("recipe={recipe}")], 16_000).config;
        assert_eq!((config.epochs, config.batch_size, config.warmup), (Some(epochs), batch, warmup), "{recipe}");
        assert_eq!((config.ema, config.alpha, config.clip_norm), (OrNone::Some(m), alpha, clip), "{recipe}");
        assert_eq!((config.loss.smoothing, config.loss.margin), (smoothing, margin), "{recipe}");
        assert_eq!(config.adapter.rank.to_string(), rank, "{recipe}");
        assert_eq!((config.lr, config.final_lr, config.weight_decay), (5e-4, 1e-6, 0.0), "{recipe}");
    }
    // What the user says goes before the recipe.
    let config = resolve(&["recipe=paper-16-shot", "steps=7", "adapter.rank=full", "ema=auto"], 100).config;
    assert_eq!((config.recipe, config.epochs, config.total_steps(100)), (Recipe::Paper16Shot, None, 7));
    assert_eq!(config.adapter.rank.to_string(), "full");
    assert!(matches!(config.ema, OrNone::Some(m) if m < 0.6));
}

#[test]
fn an_average_that_keeps_the_start_warns() {
    let warnings = resolve(&["ema=0.999", "steps=100"], 500).warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("90 % of the start"), "{}", warnings[0]);
    assert!(resolve(&["steps=100"], 500).warnings.is_empty());
    assert!(resolve(&["ema=0.97", "steps=100"], 500).warnings.is_empty());
    assert!(resolve(&["warmup=70"], 500).warnings[0].contains("warmup"));
    assert!(resolve(&["alpha=1.2"], 500).warnings[0].contains("extrapolates"));
}

#[test]
fn unknown_keys_are_named_with_their_neighbours() {
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
    let error = Settings::from_file(&path).unwrap().parse::<NoTask>().unwrap_err().to_string();
    assert!(error.contains("`loss.tau`") && error.contains("run.toml"), "{error}");
}

#[test]
fn a_task_s_keys_stand_beside_the_trainer_s() {
    #[derive(serde::Deserialize, Default, Debug, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Task {
        templates: Option<String>,
        val_fraction: Option<f64>,
    }
    let mut given = Settings::from_toml("lr = 1e-3\nval_fraction = 0.2\n[loss]\nmargin = 0.1\n", "a.toml").unwrap();
    given.set("templates=simple").unwrap();
    given.set("loss.smoothing = 0.5").unwrap();
    given.set("adapter.layers=[0, 1]").unwrap();
    let (train, task): (_, Task) = given.parse().unwrap();
    assert_eq!(task, Task { templates: Some("simple".to_owned()), val_fraction: Some(0.2) });
    assert_eq!((train.lr, train.loss.margin, train.loss.smoothing), (Some(1e-3), Some(0.1), Some(0.5)));
    given.set("template=x").unwrap();
    let error = given.parse::<Task>().unwrap_err().to_string();
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
        (&["loss.kind=hinge"], "`loss.kind`: unknown variant `hinge`"),
        (&["betas=[0.9, 1.0]"], "betas"),
        (&["micro_batch=0"], "micro_batch"),
        (&["micro_batch=2", "adapter.drop_mode=sample"], "adapter.drop_mode"),
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
    assert_eq!(resolve(&["loss.temperature=checkpoint"], 500).config.loss.temperature, 0.07);
    assert_eq!(resolve(&["loss.temperature=0.2"], 500).config.loss.temperature, 0.2);
}

#[test]
fn a_resolved_config_is_a_config() {
    for settings in [
        &["epochs=3"][..],
        &["steps=9", "tune=all", "ema=none", "clip_norm=none", "save_every=none"],
        &["recipe=paper-base-to-novel", "patience=2", "micro_batch=4", "validate_every=5"],
    ] {
        let resolved = resolve(settings, 300).config;
        let text = toml::to_string(&resolved).unwrap();
        let (config, NoTask {}) = Settings::from_toml(&text, "resolved").unwrap().parse().unwrap();
        let task = defaults();
        let situation = Situation { samples: 300, checkpoint_temperature: 3.0, task: &task };
        assert_eq!(config.resolve(&situation).unwrap().config, resolved, "{text}");
    }
}
