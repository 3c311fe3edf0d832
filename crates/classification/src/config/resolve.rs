use std::path::{Path, PathBuf};

use radapter_datasets::augment::{Augment, AugmentError};
use radapter_datasets::class_names::ClassNamesError;
use radapter_datasets::subset::FractionError;
use radapter_datasets::templates::TemplatesError;
use radapter_datasets::{OnError, Templates, TemplatesChoice};
use radapter_images::DecodeMode;
use radapter_training::config::{ConfigError, LossKind, OrNone, Recipe, Settings, TaskDefaults};
use serde::Serialize;
use toml::{Table, Value};

use super::{ClassificationConfig, ResolvedClassification, Task};

/// Why classification's settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The templates.
    #[error(transparent)]
    Templates(#[from] TemplatesError),
    /// The class names.
    #[error(transparent)]
    ClassNames(#[from] ClassNamesError),
    /// The augmentation.
    #[error(transparent)]
    Augment(#[from] AugmentError),
    /// The share that is held out.
    #[error(transparent)]
    Fraction(#[from] FractionError),
    /// No images of a class.
    #[error("shots = 0 is refused: expected at least 1 image of each class, or \"none\" for all")]
    Shots,
    /// A key or value of the settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A resolved value that TOML cannot say, such as a path that is not UTF-8.
    #[error("`{key}` cannot be recorded: {reason}")]
    Record {
        /// The setting.
        key: &'static str,
        /// Why.
        reason: String,
    },
}

/// What a recipe says where the user does not.
struct RecipeDefaults {
    templates: &'static str,
    eval_templates: Option<&'static str>,
    augment: Augment,
    shots: OrNone<usize>,
}

/// The columns of R-Adapter's table of recipes that are classification's.
fn recipe_defaults(recipe: Recipe) -> RecipeDefaults {
    let crops = |from: f64, flip: f64| Augment { scale: [from, 1.0], flip };
    let defaults =
        |templates, augment| RecipeDefaults { templates, eval_templates: None, augment, shots: OrNone::None };
    match recipe {
        Recipe::PaperImagenet | Recipe::PaperBaseToNovel => defaults("openai-80", crops(0.9, 0.0)),
        Recipe::Paper16Shot => RecipeDefaults {
            eval_templates: Some("openai-80"),
            shots: OrNone::Some(16),
            ..defaults("a photo of a {}", crops(0.7, 0.5))
        },
        _ => defaults("simple", Augment::default()),
    }
}

/// What the trainer's settings default to: α, loss, margin, smoothing of R-Adapter on classification; cross-entropy for
/// full fine-tuning.
pub(crate) fn task_defaults() -> TaskDefaults {
    TaskDefaults {
        alpha: 0.5,
        adapters_loss: LossKind::MpmNce,
        all_loss: LossKind::CrossEntropy,
        margin: 0.05,
        smoothing: 0.02,
        best: crate::validator::METRIC.to_owned(),
    }
}

impl ClassificationConfig {
    /// Fills in what is not said, reads the files that are named, and checks values.
    ///
    /// # Errors
    /// [`SettingsError`] for templates or class names that cannot be had, and values outside their range.
    pub fn resolve(&self, recipe: Recipe) -> Result<ResolvedClassification, SettingsError> {
        let defaults = recipe_defaults(recipe);
        let named = |name: &str| TemplatesChoice::Name(name.to_owned()).resolve();
        let templates = match &self.templates {
            Some(choice) => choice.resolve()?,
            None => named(defaults.templates)?,
        };
        let eval_templates: Templates = match (&self.eval_templates, defaults.eval_templates) {
            (Some(choice), _) => choice.resolve()?,
            // A user's own templates are meant for both.
            (None, Some(name)) if self.templates.is_none() => named(name)?,
            (None, _) => templates.clone(),
        };
        let augment = self.augment.over(defaults.augment)?;
        let shots = self.shots.unwrap_or(defaults.shots);
        if shots == OrNone::Some(0) {
            return Err(SettingsError::Shots);
        }
        let val_fraction = self.val_fraction.unwrap_or(0.1);
        if !(0.0..1.0).contains(&val_fraction) {
            let found = val_fraction;
            return Err(FractionError { found }.into());
        }
        Ok(ResolvedClassification {
            task: Task::Classification,
            model: self.model.clone(),
            train: self.train.as_deref().map(absolute),
            val: self.val.as_deref().map(absolute),
            templates,
            eval_templates,
            shots,
            val_fraction,
            on_error: self.on_error.unwrap_or(OnError::Fail),
            decode: self.decode.unwrap_or_default(),
            augment,
            class_names: match &self.class_names {
                Some(choice) => Some(choice.resolve()?),
                None => None,
            },
        })
    }

    /// Settings given with a resume, in the form that the run recorded: names of templates and class names as what they
    /// name, paths as absolute ones.
    ///
    /// # Errors
    /// [`SettingsError`] for unknown keys and for names of nothing.
    pub fn as_recorded(given: &Settings) -> Result<Settings, SettingsError> {
        let (_, config) = given.parse::<Self>()?;
        let mut table = given.table().clone();
        let mut put = |key: &'static str, value: Value| table.insert(key.to_owned(), value);
        for (key, path) in [("train", &config.train), ("val", &config.val)] {
            if let Some(path) = path {
                put(key, value(key, &absolute(path))?);
            }
        }
        let choices = [("templates", &config.templates), ("eval_templates", &config.eval_templates)];
        for (key, choice) in choices {
            if let Some(choice) = choice {
                put(key, value(key, &choice.resolve()?)?);
            }
        }
        if let Some(choice) = &config.class_names {
            put("class_names", value("class_names", &choice.resolve()?)?);
        }
        if config.decode == Some(DecodeMode::Exact) {
            // As it is recorded: not at all.
            table.remove("decode");
        }
        Ok(Settings::from_table(table, "the arguments"))
    }
}

impl ResolvedClassification {
    /// The table that a run's `config.toml` holds.
    ///
    /// # Errors
    /// [`SettingsError::Record`] for a path that is not UTF-8.
    pub fn to_table(&self) -> Result<Table, SettingsError> {
        Table::try_from(self).map_err(|error| SettingsError::Record { key: "task", reason: error.to_string() })
    }
}

fn value(key: &'static str, value: &impl Serialize) -> Result<Value, SettingsError> {
    Value::try_from(value).map_err(|error| SettingsError::Record { key, reason: error.to_string() })
}

/// The path from the root, so that a run can be resumed from another folder. One that does not exist stays as it is: the
/// error that follows shall name what the user wrote.
fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests;
