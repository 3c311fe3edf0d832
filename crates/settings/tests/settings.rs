//! Settings of two structs: layers, rules and refused values.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use radapter_settings::{
    AbsolutePath, Facts, Names, OrNone, Origin, Schema, Settings, SettingsError, Spec, defaults, schema, settings,
};
use serde::{Deserialize, Serialize};
use toml::Value;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "values for a test")]
pub enum Kind {
    MpmNce,
    InfoNce,
}

settings! {
    /// A loss.
    pub struct Loss {
        /// Which one.
        pub kind: Kind = Spec::toml("\"mpm-nce\""),
        /// Margin δ.
        pub margin: f64 = Spec::toml("0.05").at_least(0.0),
        /// Temperature τ.
        pub temperature: f64 = Spec::toml("0.01").above(0.0).word("checkpoint", "the checkpoint's", |_, facts| {
            facts.checkpoint_temperature.into()
        }),
    }
}

settings! {
    /// A trainer's.
    pub struct Train {
        /// Epochs.
        pub epochs: Option<u64> = Spec::toml("10").at_least(1.0).displaced_by("steps"),
        /// Steps.
        pub steps: Option<u64> = Spec::unset().at_least(1.0).displaced_by("epochs"),
        /// Samples of a step.
        pub batch_size: usize = Spec::rule("min(64, samples)", |_, facts| (facts.samples.min(64) as i64).into()).at_least(1.0),
        /// Learning rate.
        pub lr: f64 = Spec::toml("5e-4").above(0.0),
        /// Decay rates.
        pub betas: [f64; 2] = Spec::toml("[0.9, 0.999]").below_one(),
        /// Decay of the average.
        pub ema: OrNone<f64> = Spec::toml("\"auto\"").below_one().word("auto", "1 − 1/samples", |_, facts| {
            (1.0 - 1.0 / facts.samples as f64).into()
        }),
        /// Whether to do it.
        pub checkpointing: bool = Spec::toml("false"),
        /// Loss.
        pub loss: Loss = Spec::group::<Loss>(),
    }
}

settings! {
    /// A task's.
    pub struct Task {
        /// Splits to train on.
        pub splits: Names = Spec::toml("\"train,restval\""),
        /// Images.
        pub images: Option<AbsolutePath> = Spec::unset(),
        /// Share that is validated on.
        pub fraction: f64 = Spec::toml("0.1").from_to(0.0, 0.5),
    }
}

const FACTS: Facts = Facts { samples: 20, checkpoint_temperature: 0.07, smoothing: 0.0, alpha: 0.5, fast_bf16: false };

fn all() -> Schema {
    Schema::of::<Train>().and::<Task>()
}

fn given(assignments: &[&str]) -> Settings {
    let mut given = Settings::default();
    assignments.iter().for_each(|assignment| given.assign(assignment).unwrap());
    given
}

fn train(layers: &[&Settings]) -> Train {
    all().overlay(layers).unwrap().resolve(&FACTS).part().unwrap()
}

fn refused(layer: &Settings) -> String {
    let error = all().overlay(&[layer]).unwrap_err().to_string();
    assert_eq!(all().check(layer).unwrap_err().to_string(), error, "alone as among other layers");
    error
}

#[test]
fn what_nobody_gave_is_the_default_or_follows_from_the_run() {
    let found = train(&[]);
    assert_eq!((found.epochs, found.steps, found.batch_size, found.lr), (Some(10), None, 20, 5e-4));
    assert_eq!((found.ema, found.betas, found.checkpointing), (OrNone::Some(0.95), [0.9, 0.999], false));
    assert_eq!(found.loss, Loss { kind: Kind::MpmNce, margin: 0.05, temperature: 0.01 });
    assert_eq!(defaults::<Loss>(), found.loss);
    let task: Task = all().overlay(&[]).unwrap().resolve(&FACTS).part().unwrap();
    assert_eq!(task, defaults());
    assert_eq!(task.splits.0, ["train", "restval"]);
}

#[test]
fn the_last_layer_is_on_top_key_by_key() {
    let recipe =
        Settings::from_toml("lr = 1e-3\nema = 0.999\n[loss]\nmargin = 0.1\nkind = \"info-nce\"", "paper").unwrap();
    let found = train(&[&recipe, &given(&["loss.margin=0.2", "ema=auto"])]);
    assert_eq!((found.lr, found.ema), (1e-3, OrNone::Some(0.95)));
    assert_eq!(found.loss, Loss { kind: Kind::InfoNce, margin: 0.2, temperature: 0.01 });
    assert_eq!(train(&[&given(&["loss.margin=0.2"]), &recipe]).loss.margin, 0.1);
    assert_eq!(train(&[&recipe]).lr, 1e-3);
}

#[test]
fn a_length_displaces_the_other_one_of_a_lower_layer() {
    let length = |layers: &[&[&str]]| {
        let layers: Vec<Settings> = layers.iter().map(|layer| given(layer)).collect();
        let found = train(&layers.iter().collect::<Vec<_>>());
        (found.epochs, found.steps)
    };
    assert_eq!(length(&[&["steps=7"]]), (None, Some(7)));
    assert_eq!(length(&[&["steps=7"], &["epochs=3"]]), (Some(3), None));
    assert_eq!(length(&[&["epochs=3"], &["lr=1"]]), (Some(3), None));
    // Both in one layer contradict each other, which the trainer checks.
    assert_eq!(length(&[&["epochs=3", "steps=7"]]), (Some(3), Some(7)));
}

#[test]
fn words_stand_for_values() {
    for (assignment, expected) in
        [("ema=auto", OrNone::Some(0.95)), ("ema=none", OrNone::None), ("ema=0.5", OrNone::Some(0.5))]
    {
        assert_eq!(train(&[&given(&[assignment])]).ema, expected, "{assignment}");
    }
    assert_eq!(train(&[&given(&["loss.temperature=checkpoint"])]).loss.temperature, 0.07);
}

#[test]
fn assignments_are_toml_or_a_word() {
    for (assignment, key, expected) in [
        ("lr=1e-4", "lr", Value::Float(1e-4)),
        (" lr = 1 ", "lr", Value::Integer(1)),
        ("betas=[0.5, 0.6]", "betas", Value::from(vec![0.5, 0.6])),
        ("splits=train,restval", "splits", Value::from("train,restval")),
        ("splits=\"a b\"", "splits", Value::from("a b")),
        ("splits=a\nlr=2", "splits", Value::from("a\nlr=2")),
        ("checkpointing=true", "checkpointing", Value::Boolean(true)),
    ] {
        assert_eq!(given(&[assignment]).get(key), Some(&expected), "{assignment:?}");
    }
    let mut given = Settings::default();
    for (assignment, expected) in [
        ("lr", "`lr` is not a setting: expected key=value"),
        ("=3", "expected key=value"),
        ("loss.=3", "expected key=value"),
    ] {
        let error = given.assign(assignment).unwrap_err().to_string();
        assert!(error.contains(expected), "{assignment}: {error}");
    }
    let deep = format!("{}a=1", "a.".repeat(100_000));
    assert!(given.assign(&deep).unwrap_err().to_string().contains("expected key=value"));
    given.assign("lr=3").unwrap();
    let error = given.assign("lr.x=3").unwrap_err().to_string();
    assert_eq!(error, "`lr.x`: `lr` is a value, not a group of settings");
}

#[test]
fn unknown_keys_are_named_with_those_like_them() {
    for (assignment, expected) in [
        ("epoch=3", "unknown setting `epoch` in --set; did you mean epochs?"),
        ("margin=3", "unknown setting `margin` in --set; did you mean loss.margin?"),
        ("loss.margn=3", "unknown setting `loss.margn` in --set; did you mean loss.margin?"),
    ] {
        assert_eq!(refused(&given(&[assignment])), expected);
    }
    let mut typed = Settings::default();
    typed.set("nonsense", 3).unwrap();
    assert!(refused(&typed).starts_with("unknown setting `nonsense` in the settings; expected one of batch_size, "));
}

#[test]
fn values_are_refused_with_what_is_expected() {
    for (assignment, expected) in [
        ("lr=0", "lr = 0 in --set is refused: expected a number, above 0"),
        ("lr=fast", "lr = \"fast\" in --set is refused: expected a number, above 0"),
        ("lr.x=3", "lr = { x = 3 } in --set is refused: expected a number, above 0"),
        ("lr=nan", "expected a finite number, above 0"),
        ("lr=inf", "expected a finite number, above 0"),
        ("epochs=0", "expected a whole number, at least 1"),
        ("epochs=1.5", "expected a whole number, at least 1"),
        ("batch_size=-1", "expected a whole number, at least 1"),
        ("betas=[0.9, 1.0]", "expected a list of 2 numbers, at least 0 and below 1"),
        ("betas=[0.9]", "expected a list of 2 numbers"),
        ("ema=1", "expected a number, \"auto\" or \"none\", at least 0 and below 1"),
        ("ema=often", "expected a number, \"auto\" or \"none\""),
        ("checkpointing=1", "expected true or false"),
        ("loss=3", "unknown setting `loss` in --set; `loss` is a group: loss.kind, loss.margin, loss.temperature"),
        ("crop.margin=3", "unknown setting `crop.margin` in --set; did you mean loss.margin?"),
        ("loss.kind=hinge", "loss.kind = \"hinge\" in --set is refused: expected \"mpm-nce\" or \"info-nce\""),
        ("loss.temperature=hot", "expected a number or \"checkpoint\", above 0"),
        ("fraction=0.6", "expected a number, from 0 to 0.5"),
        ("splits=3", "expected comma-separated names, or a list"),
        ("images=3", "expected a path"),
    ] {
        let error = refused(&given(&[assignment]));
        assert!(error.contains(expected), "{assignment}: {error}");
    }
}

#[test]
fn a_file_is_named_with_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.toml");
    let of = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Settings::from_file(&path)
    };
    let at = |line: usize| format!("{}, line {line}", path.display());
    for (text, key, line) in [
        ("# a comment\nlr = 0\n", "lr = 0", 2),
        ("lr = 1\nepoch = 3\n", "`epoch`", 2),
        ("[loss]\nmargin = 0.1\ntau = 1\n", "`loss.tau`", 3),
        ("lr = 1\n\nloss.margin = -1\n", "loss.margin = -1", 3),
        ("loss = { margin = \"wide\" }", "loss.margin = \"wide\"", 1),
        (
            "format = \"v1\"\n\n[settings]\nlr = 1\n\n[settings.loss]\nmargin = -1\n[architecture]\nwidth = 3\n",
            "loss.margin = -1",
            7,
        ),
    ] {
        let error = refused(&of(text).unwrap());
        assert!(error.contains(key) && error.contains(&at(line)), "{text}: {error}");
    }
    let record = of("format = \"v1\"\nsamples = 3\n[settings]\nlr = 0.25\nloss.margin = 0.5\n").unwrap();
    let found = train(&[&record]);
    assert_eq!((found.lr, found.loss.margin), (0.25, 0.5), "a run's record starts another run");
    assert!(matches!(of("lr = ").unwrap_err(), SettingsError::Syntax { .. }));
    let missing = Settings::from_file(Path::new("no/such.toml")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read no/such.toml: "), "{missing}");
}

#[test]
fn a_record_is_contradicted_by_what_says_something_else() {
    let recorded = toml::Table::try_from(train(&[])).unwrap();
    let contradiction = |assignments: &[&str]| all().contradiction(&given(assignments), &recorded).unwrap();
    assert_eq!(contradiction(&["epochs=10", "lr=5e-4", "ema=auto", "loss.temperature=checkpoint"]), None);
    for (assignment, key, recorded, given) in [
        ("lr=0.1", "lr", "0.0005", "0.1"),
        ("steps=9", "steps", "none", "9"),
        ("loss.margin=0.06", "loss.margin", "0.05", "0.06"),
        ("loss.kind=info-nce", "loss.kind", "\"mpm-nce\"", "\"info-nce\""),
    ] {
        let found = contradiction(&["epochs=10", assignment]).unwrap();
        assert_eq!((found.key.as_str(), found.recorded.as_str(), found.given.as_str()), (key, recorded, given));
        assert_eq!(found.origin, Origin::Named("--set".to_owned()));
    }
    assert!(all().contradiction(&given(&["lrs=3"]), &recorded).is_err());
}

#[test]
fn paths_and_names_are_recorded_by_what_they_name() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().canonicalize().unwrap();
    let mut given = given(&["splits=train, val"]);
    given.set("images", folder.join("..").join(folder.file_name().unwrap()).display().to_string()).unwrap();
    let task: Task = all().overlay(&[&given]).unwrap().resolve(&FACTS).part().unwrap();
    assert_eq!(task.splits.0, ["train", "val"]);
    assert_eq!(**task.images.as_ref().unwrap(), *folder);
    let recorded = toml::Table::try_from(&task).unwrap();
    assert_eq!(schema::part::<Task>(&recorded).unwrap(), task);
}

#[test]
fn a_record_that_lacks_a_value_is_told() {
    let mut recorded = toml::Table::try_from(train(&[])).unwrap();
    recorded.remove("lr");
    let error = schema::part::<Train>(&recorded).unwrap_err().to_string();
    assert!(error.contains("incomplete") && error.contains("lr"), "{error}");
}

#[test]
fn a_record_of_an_earlier_version_is_completed_with_the_defaults() {
    let whole = toml::Table::try_from(train(&[&given(&["steps=7", "lr=0.1"])])).unwrap();
    let mut recorded = whole.clone();
    assert!(
        all()
            .complete(&mut recorded, &FACTS)
            .iter()
            .all(|added| added.starts_with("splits") || added.starts_with("fraction"))
    );
    for key in ["ema", "batch_size", "loss"] {
        recorded.remove(key);
    }
    let added = Schema::of::<Train>().complete(&mut recorded, &FACTS);
    let expected =
        ["batch_size = 20", "ema = 0.95", "loss.kind = \"mpm-nce\"", "loss.margin = 0.05", "loss.temperature = 0.01"];
    assert_eq!(added, expected, "neither epochs, which steps exclude, nor what is recorded");
    assert_eq!(schema::part::<Train>(&recorded).unwrap(), schema::part(&whole).unwrap());
}

#[test]
fn settings_are_listed_with_kind_range_and_help() {
    let schema = all();
    let keys: Vec<&str> = schema.entries().iter().map(|entry| entry.key.as_str()).collect();
    let expected = [
        "epochs",
        "steps",
        "batch_size",
        "lr",
        "betas",
        "ema",
        "checkpointing",
        "loss.kind",
        "loss.margin",
        "loss.temperature",
        "splits",
        "images",
        "fraction",
    ];
    assert_eq!(keys, expected);
    for (key, expected, help) in [
        ("epochs", "expected a whole number, at least 1", "Epochs."),
        ("betas", "expected a list of 2 numbers, at least 0 and below 1", "Decay rates."),
        ("ema", "expected a number, \"auto\" or \"none\", at least 0 and below 1", "Decay of the average."),
        ("loss.kind", "expected \"mpm-nce\" or \"info-nce\"", "Which one."),
        ("images", "expected a path", "Images."),
    ] {
        let setting = schema.entry(key, || Origin::Named("a test".to_owned())).unwrap().setting;
        assert_eq!((setting.expected().as_str(), setting.help()), (expected, help));
    }
    let ema = schema.entry("ema", || Origin::Named("a test".to_owned())).unwrap().setting;
    assert_eq!(ema.kind().words, ["none", "auto"]);
}
