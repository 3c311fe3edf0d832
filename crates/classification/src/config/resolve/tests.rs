#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use radapter_datasets::ClassNames;

use super::*;

fn resolve(toml: &str) -> Result<ResolvedClassification, SettingsError> {
    let settings = Settings::from_toml(toml, "test.toml").unwrap();
    let (trainer, task) = settings.parse::<ClassificationConfig>()?;
    task.resolve(trainer.recipe.unwrap_or_default())
}

#[test]
fn defaults_are_the_documented_ones() {
    let task = resolve("").unwrap();
    assert_eq!(task.templates, Templates::default());
    assert_eq!(task.eval_templates, task.templates);
    assert_eq!(task.augment, Augment { scale: [0.9, 1.0], flip: 0.0 });
    assert_eq!((task.shots, task.val_fraction), (OrNone::None, 0.1));
    assert_eq!(task.on_error, OnError::Fail);
}

#[test]
fn recipes_are_the_published_table_and_the_user_overrides_them() {
    let task = resolve("recipe = \"paper-16-shot\"").unwrap();
    assert_eq!(task.templates.as_slice(), ["a photo of a {}"]);
    assert_eq!(task.eval_templates.as_slice().len(), 80);
    assert_eq!(task.augment, Augment { scale: [0.7, 1.0], flip: 0.5 });
    assert_eq!(task.shots, OrNone::Some(16));

    let task = resolve("recipe = \"paper-imagenet\"").unwrap();
    assert_eq!(task.templates.as_slice().len(), 80);
    assert_eq!(task.augment, Augment { scale: [0.9, 1.0], flip: 0.0 });

    let toml = "recipe = \"paper-16-shot\"\ntemplates = \"my {}\"\nshots = \"none\"\naugment.flip = 0";
    let task = resolve(toml).unwrap();
    assert_eq!(task.templates.as_slice(), ["my {}"]);
    assert_eq!(task.eval_templates.as_slice(), ["my {}"]);
    assert_eq!(task.augment, Augment { scale: [0.7, 1.0], flip: 0.0 });
    assert_eq!(task.shots, OrNone::None);
}

#[test]
fn bad_settings_say_which_and_why() {
    let cases = [
        ("shot = 4", "unknown setting `shot`", "shots"),
        ("augment.scales = [0.5, 1]", "augment", "scales"),
        ("augment.scale = [1, 0.5]", "scale", "from <= to"),
        ("augment.flip = 2", "flip", "0 to 1"),
        ("shots = 0", "shots = 0", "at least 1"),
        ("val_fraction = 1.0", "val_fraction", "below 1"),
        ("val_fraction = nan", "val_fraction", "below 1"),
        ("templates = \"nope\"", "nope", "built-in"),
        ("templates = [\"a {}\", \"b\"]", "\"b\"", "exactly one"),
        ("class_names = \"absent.toml\"", "absent.toml", "class names"),
        ("on_error = \"ignore\"", "on_error", "skip"),
        ("task = \"retrieval\"", "task", "classification"),
    ];
    for (toml, one, other) in cases {
        let message = resolve(toml).unwrap_err().to_string();
        assert!(message.contains(one) && message.contains(other), "{toml}: {message}");
    }
}

#[test]
fn a_resolved_config_is_recorded_and_starts_another_run() {
    let dir = tempfile::tempdir().unwrap();
    let names = dir.path().join("names.toml");
    std::fs::write(&names, "\"n.01\" = \"tench\"").unwrap();
    let toml = format!(
        "class_names = {:?}\ntemplates = \"openai-80\"\nshots = 4\ntrain = {:?}\nmodel = \"embedded\"",
        names,
        dir.path()
    );
    let task = resolve(&toml).unwrap();
    let pair = ("n.01".to_owned(), "tench".to_owned());
    assert_eq!(task.class_names, Some(ClassNames::from_iter([pair])));

    let table = task.to_table().unwrap();
    let text = toml::to_string(&table).unwrap();
    assert_eq!(toml::from_str::<ResolvedClassification>(&text).unwrap(), task);
    assert_eq!(resolve(&text).unwrap(), task);
}

#[test]
fn given_settings_are_compared_by_what_they_name() {
    let dir = tempfile::tempdir().unwrap();
    let roundabout = dir.path().join("../").join(dir.path().file_name().unwrap());
    let toml = format!("train = {roundabout:?}\ntemplates = \"simple\"\nlr = 1e-4");
    let given = Settings::from_toml(&toml, "--set").unwrap();
    let recorded = ClassificationConfig::as_recorded(&given).unwrap();
    let table = recorded.table();
    let expected = dir.path().canonicalize().unwrap();
    assert_eq!(table["train"].as_str(), expected.to_str());
    assert_eq!(table["templates"].as_array().unwrap()[0].as_str(), Some("a photo of a {}."));
    assert_eq!(table["lr"].as_float(), Some(1e-4));
}
