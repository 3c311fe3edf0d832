//! What retrieval adds to a run's settings.
//!
//! [`RetrievalConfig`] is what a user says beside the trainer's keys, every key optional; [`ResolvedRetrieval`] has every
//! value concrete and is the `task` part of the run's `config.toml`. A resolved config reads as a [`RetrievalConfig`] again,
//! so that a run's `config.toml` starts another one, and settings given with a resume can be compared.

mod resolve;

use std::path::PathBuf;

use radapter_datasets::augment::{Augment, AugmentSettings};
use radapter_datasets::captions::{CaptionsFormat, Splits};
use radapter_datasets::{OnError, Templates, TemplatesChoice};
use radapter_images::DecodeMode;
use radapter_training::config::OrNone;
use serde::{Deserialize, Serialize};

pub use resolve::SettingsError;
pub(crate) use resolve::task_defaults;

/// What a user says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrievalConfig {
    /// The task, for the record.
    pub task: Option<Task>,
    /// By what name the model was opened, for the record: what opens it again when the run is resumed or evaluated.
    pub model: Option<String>,
    /// Images and captions to train on: Karpathy or COCO JSON, CSV or TSV, or tar shards.
    pub captions: Option<PathBuf>,
    /// The folder that the images lie in.
    pub images: Option<PathBuf>,
    /// The form of the captions; found out by default.
    pub captions_format: Option<CaptionsFormat>,
    /// The splits to train on, of Karpathy's JSON; all by default.
    pub split: Option<Splits>,
    /// A file with the ids of the images to train on, of COCO's JSON; all by default.
    pub image_ids: Option<PathBuf>,
    /// The column of paths in a CSV; `filepath`, or what is found out.
    pub csv_img_key: Option<String>,
    /// The column of captions in a CSV; `title`, or what is found out.
    pub csv_caption_key: Option<String>,
    /// The separator of a CSV; a tab, or what is found out.
    pub csv_separator: Option<char>,
    /// Captions of an image that are used, the first ones; all by default, 5 under `recipe = "paper-coco"`.
    pub max_captions: Option<OrNone<usize>>,
    /// The splits to validate on, of `val_captions` where they are given, else of the training captions.
    pub val_split: Option<Splits>,
    /// Captions to validate on.
    pub val_captions: Option<PathBuf>,
    /// A file with the ids of the images to validate on, of COCO's JSON.
    pub val_image_ids: Option<PathBuf>,
    /// The folder of the validation images; that of the training images by default.
    pub val_images: Option<PathBuf>,
    /// Share of the training images that is held out where no validation is given; 0.1, 0 for none.
    pub val_fraction: Option<f64>,
    /// The text of a caption: one template with `{}` for the caption; `{}`, the bare caption.
    pub templates: Option<TemplatesChoice>,
    /// How pairs are made of images and captions.
    pub data: DataSettings,
    /// The augmentation of training images.
    pub augment: AugmentSettings,
    /// What to do about an image that cannot be read or has no captions, and an empty caption; fail.
    pub on_error: Option<OnError>,
    /// How JPEGs are decoded, in training and validation; exact.
    pub decode: Option<DecodeMode>,
}

/// What a user says of the pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSettings {
    /// Which pairs an epoch has; all.
    pub pairs: Option<Pairs>,
    /// Pairs of an epoch over tar shards, which then are not scanned to count them.
    pub samples: Option<OrNone<usize>>,
    /// Pairs of tar shards that wait to be drawn from; 10000. Shards are read one after the other, so that this is how far
    /// a pair can move within its epoch.
    pub shuffle_buffer: Option<usize>,
}

/// Which pairs an epoch has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pairs {
    /// Every image with every one of its captions: a batch can hold several captions of an image, which are all positives.
    #[default]
    All,
    /// Every image with one of its captions, drawn anew in each epoch.
    One,
}

/// The task of a run, as its record names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// This one.
    #[default]
    Retrieval,
}

/// Settings with every value concrete, as a run records them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each key is documented at RetrievalConfig")]
pub struct ResolvedRetrieval {
    pub task: Task,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub captions: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub images: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub captions_format: Option<CaptionsFormat>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub split: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image_ids: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub csv_img_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub csv_caption_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub csv_separator: Option<char>,
    pub max_captions: OrNone<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub val_split: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_captions: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_image_ids: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_images: Option<PathBuf>,
    pub val_fraction: f64,
    pub templates: Templates,
    pub on_error: OnError,
    // Runs from before there was a choice have no such key, and are resumed.
    #[serde(skip_serializing_if = "DecodeMode::is_exact", default)]
    pub decode: DecodeMode,
    pub data: ResolvedData,
    pub augment: Augment,
}

/// How pairs are made, concrete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each key is documented at DataSettings")]
pub struct ResolvedData {
    pub pairs: Pairs,
    pub samples: OrNone<usize>,
    pub shuffle_buffer: usize,
}
