//! What classification adds to a run's settings.
//!
//! [`ClassificationConfig`] is what a user says beside the trainer's keys, every key optional;
//! [`ResolvedClassification`] has every value concrete and is the `task` part of the run's `config.toml`. A resolved config
//! reads as a [`ClassificationConfig`] again, so that a run's `config.toml` starts another one, and settings given with a
//! resume can be compared.

mod choice;
mod resolve;

use std::path::PathBuf;

use radapter_datasets::augment::{Augment, AugmentSettings};
use radapter_datasets::{ClassNames, OnError, Templates, TemplatesChoice};
use radapter_images::DecodeMode;
use radapter_training::config::OrNone;
use serde::{Deserialize, Serialize};

pub use choice::ClassNamesChoice;
pub use resolve::SettingsError;
pub(crate) use resolve::task_defaults;

/// What a user says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassificationConfig {
    /// The task, for the record.
    pub task: Option<Task>,
    /// By what name the model was opened, for the record: what opens it again when the run is resumed or evaluated.
    pub model: Option<String>,
    /// The training images: a folder with a sub-folder for each class, or a table of paths and labels.
    pub train: Option<PathBuf>,
    /// The validation images; held out from the training images by default.
    pub val: Option<PathBuf>,
    /// Prompt templates for captions: a built-in set, a file, a single template, or a list of templates. `simple`.
    pub templates: Option<TemplatesChoice>,
    /// Prompt templates for the classifier, in validation and evaluation; those of captions.
    pub eval_templates: Option<TemplatesChoice>,
    /// Texts of classes by folder: a TOML file, `imagenet` for WordNet ids, or a table of texts.
    pub class_names: Option<ClassNamesChoice>,
    /// The augmentation of training images.
    pub augment: AugmentSettings,
    /// Training images of each class; all by default.
    pub shots: Option<OrNone<usize>>,
    /// Share of the training images that is held out for validation where there is no `val`; 0.1, 0 for none.
    pub val_fraction: Option<f64>,
    /// What to do about an image that cannot be read; fail.
    pub on_error: Option<OnError>,
    /// How JPEGs are decoded, in training and validation; exact.
    pub decode: Option<DecodeMode>,
}

/// The task of a run, as its record names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// This one.
    #[default]
    Classification,
}

/// Settings with every value concrete, as a run records them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each key is documented at ClassificationConfig")]
pub struct ResolvedClassification {
    pub task: Task,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val: Option<PathBuf>,
    pub templates: Templates,
    pub eval_templates: Templates,
    pub shots: OrNone<usize>,
    pub val_fraction: f64,
    pub on_error: OnError,
    // Runs from before there was a choice have no such key, and are resumed.
    #[serde(skip_serializing_if = "DecodeMode::is_exact", default)]
    pub decode: DecodeMode,
    pub augment: Augment,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub class_names: Option<ClassNames>,
}
