//! What segmentation adds to a run's settings.
//!
//! [`SegmentationConfig`] is what a user says beside the trainer's keys, every key optional; [`ResolvedSegmentation`] has
//! every value concrete and is the `task` part of the run's `config.toml`. A resolved config reads as a
//! [`SegmentationConfig`] again, so that a run's `config.toml` starts another one.

mod names;
mod resolve;

use std::path::PathBuf;

use radapter_datasets::augment::{Augment, AugmentSettings};
use radapter_datasets::captions::{CaptionsFormat, Splits};
use radapter_datasets::{OnError, Templates, TemplatesChoice};
use serde::{Deserialize, Serialize};

use crate::class_list::Synonyms;
use crate::crop::{CropSettings, Resize};

pub use names::{ClassesChoice, NamesChoice};
pub use resolve::SettingsError;
pub(crate) use resolve::task_defaults;

/// What a user says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SegmentationConfig {
    /// The task, for the record.
    pub task: Option<Task>,
    /// By what name the model was opened, for the record: what opens it again when the run is resumed or evaluated.
    pub model: Option<String>,
    /// The folder of the training images.
    pub images: Option<PathBuf>,
    /// The folder of their annotations: label maps, paired by relative path without extension.
    pub annotations: Option<PathBuf>,
    /// The classes of the annotations: a file, an inline list, or the lines themselves.
    pub classes: Option<ClassesChoice>,
    /// Whether a line's synonyms are texts of their own or one text; mean.
    pub synonyms: Option<Synonyms>,
    /// What is stored for the first class: 0, or 1 where 0 is to be ignored (ADE's originals); 0.
    pub label_offset: Option<u16>,
    /// The label that is ignored; 65535 where classes exceed 254, else 255.
    pub ignore: Option<u16>,
    /// Pixels of the smallest segment that is trained and validated on; 64.
    pub min_area: Option<usize>,
    /// Images with captions, whose nouns take the place of classes: Karpathy or COCO JSON, CSV or TSV.
    pub captions: Option<PathBuf>,
    /// The form of the captions; found out by default.
    pub captions_format: Option<CaptionsFormat>,
    /// The splits to train on, of Karpathy's JSON; all by default.
    pub split: Option<Splits>,
    /// The nouns that are looked for in captions: a file, one a line, commas between synonyms; ImageNet's, COCO's and ADE20K's names.
    pub nouns: Option<NamesChoice>,
    /// The masks that nouns are given to: `builtin`, or where they lie; builtin.
    pub proposals: Option<String>,
    /// Classes or nouns that enter no batch and no validation: a file, one a line, or a list.
    pub exclude: Option<NamesChoice>,
    /// The folder of the validation images.
    pub val_images: Option<PathBuf>,
    /// The folder of their annotations.
    pub val_annotations: Option<PathBuf>,
    /// Share of the training images that is held out where no validation is given; 0.1, 0 for none.
    pub val_fraction: Option<f64>,
    /// The texts of a class; vild-14.
    pub templates: Option<TemplatesChoice>,
    /// How a masked region becomes the model's input.
    pub crop: CropChoice,
    /// The augmentation of training regions.
    pub augment: AugmentSettings,
    /// What to do about an image that cannot be read; fail.
    pub on_error: Option<OnError>,
}

/// What a user says of the cropping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CropChoice {
    /// Pixels around the mask's box, as a share of the box's longer side; 0.
    pub margin: Option<f64>,
    /// How the box is resized; antialiased.
    pub resize: Option<Resize>,
}

/// The task of a run, as its record names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// This one.
    #[default]
    Segmentation,
}

/// Settings with every value concrete, as a run records them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each key is documented at SegmentationConfig")]
pub struct ResolvedSegmentation {
    pub task: Task,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub images: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub annotations: Option<PathBuf>,
    /// The lines.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub classes: Vec<String>,
    pub synonyms: Synonyms,
    pub label_offset: u16,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ignore: Option<u16>,
    pub min_area: usize,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub captions: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub captions_format: Option<CaptionsFormat>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub split: Vec<String>,
    /// The lines; none for the built-in list.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub nouns: Vec<String>,
    pub proposals: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub exclude: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_images: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_annotations: Option<PathBuf>,
    pub val_fraction: f64,
    pub templates: Templates,
    pub crop: CropSettings,
    pub on_error: OnError,
    pub augment: Augment,
}
