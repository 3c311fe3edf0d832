//! Settings of segmentation, in addition to the trainer's.

use std::path::Path;

use radapter_datasets::augment::Augment;
use radapter_datasets::captions::{CaptionsFormat, CaptionsOptions};
use radapter_datasets::{DatasetError, OnDamage, OnError, Templates, list};
use radapter_embedding::EmbedOptions;
use radapter_settings::value::{AnyValue, text_or_list};
use radapter_settings::{AbsolutePath, Names, Spec, settings};
use radapter_training::config::Recipe;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::class_list::{ClassList, Synonyms};
use crate::crop::CropSettings;

settings! {
    /// Settings of segmentation.
    pub struct SegmentationSettings {
        /// Folder of the training images.
        pub images: Option<AbsolutePath> = Spec::required().flag("DIR"),
        /// Folder of the training annotations: label maps, matched by relative path without extension.
        pub annotations: Option<AbsolutePath> = Spec::unset().flag("DIR"),
        /// Classes of the annotations: a file (one class per line, comma-separated synonyms), a built-in list, or comma-separated names.
        pub classes: Option<ClassLines> = Spec::unset().flag("FILE|LIST"),
        /// Synonyms of a class: the mean of their embeddings, or the whole line as one text, as in OVSeg's results.
        pub synonyms: Synonyms = Spec::toml("\"mean\"").flag("mean|joined"),
        /// Stored value of the first class: 0, or 1 if 0 is ignored (ADE's originals).
        pub label_offset: u16 = Spec::toml("0").from_to(0.0, 65535.0).flag("N"),
        /// Stored value that is ignored; unset: 65535 with more than 254 classes, else 255.
        pub ignore: Option<u16> = Spec::unset().from_to(0.0, 65535.0).flag("N"),
        /// Minimum size in pixels of a training or validation segment.
        pub min_area: usize = Spec::toml("64").at_least(0.0),
        /// Captions instead of annotations, whose nouns become the classes: Karpathy or COCO JSON, CSV or TSV.
        pub captions: Option<AbsolutePath> = Spec::unset().flag("FILE"),
        /// Format of the captions; unset: detected.
        pub captions_format: Option<CaptionsFormat> = Spec::unset().flag("FORM"),
        /// Splits of Karpathy's JSON to train on, comma-separated as in train,restval; empty: all.
        pub split: Names = Spec::toml("[]").flag("LIST"),
        /// Nouns to find in captions, one per line, comma-separated synonyms; empty: the names of ADE20K, COCO and ImageNet.
        pub nouns: NameList = Spec::toml("[]").flag("FILE|LIST"),
        /// Mask proposals to match with nouns: builtin, or a path as for `eval segmentation`.
        pub proposals: ProposalsSource = Spec::toml("\"builtin\"").flag("builtin|PATH"),
        /// Classes or nouns excluded from training and validation: a file with one per line, or a list.
        pub exclude: NameList = Spec::toml("[]").flag("FILE|LIST"),
        /// Folder of the validation images.
        pub val_images: Option<AbsolutePath> = Spec::unset().flag("DIR"),
        /// Folder of the validation annotations.
        pub val_annotations: Option<AbsolutePath> = Spec::unset().flag("DIR"),
        /// Share of the training images held out if no validation data are given.
        pub val_fraction: f64 = Spec::toml("0.1").below_one(),
        /// Prompt templates of a class.
        pub templates: Templates = Spec::toml("\"vild-14\""),
        /// Whether an unreadable image stops the run or is skipped.
        pub on_error: OnError = Spec::toml("\"fail\""),
        /// Whether a damaged JPEG that libjpeg decodes with a warning is unreadable or is decoded as libjpeg does.
        pub on_damage: OnDamage = Spec::toml("\"refuse\""),
        /// Conversion of a masked region to the model's input.
        pub crop: CropSettings = Spec::group::<CropSettings>(),
        /// Augmentation of training regions.
        pub augment: Augment = Spec::group::<Augment>(),
    }
}

/// Published schedule of OVSeg (Liang et al., CVPR 2023); R-Adapter's for segmentation is not published.
pub(crate) const RECIPES: &[Recipe] = &[Recipe {
    name: "ovseg",
    about: "OVSeg's fine-tuning of the image tower: 5 epochs, lr 5e-6",
    settings: r#"
        method = "ovseg"
        epochs = 5
        lr = 5e-6
        warmup = 100
        precision = "f32"
    "#,
}];

/// Lines of classes: from a file, a built-in list, or given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ClassLines(pub Vec<String>);

impl<'de> Deserialize<'de> for ClassLines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "a file of classes, comma-separated names, or a list";
        let from_list = |lines: Vec<String>| ClassList::from_lines(&lines);
        let classes = text_or_list(deserializer, EXPECTED, ClassList::resolve, from_list)?;
        Ok(Self(classes.lines()))
    }
}

/// Names: the non-empty lines of a file, a JSON list, or names with commas between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct NameList(pub Vec<String>);

impl<'de> Deserialize<'de> for NameList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_list(deserializer, "a file with one name per line, comma-separated names, or a list", read, Ok)
            .map(Self)
    }
}

fn read(text: &str) -> Result<Vec<String>, DatasetError> {
    let names = list::resolve_names(text)?;
    match names.is_empty() {
        true => Err(DatasetError::about(text, "has no names; expected one per line")),
        false => Ok(names),
    }
}

/// Source of proposals: `builtin`, or a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ProposalsSource(pub String);

impl<'de> Deserialize<'de> for ProposalsSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const BUILTIN: &str = "builtin";
        const EXPECTED: &str = "\"builtin\" or a path";
        let value = AnyValue::deserialize(deserializer, EXPECTED)?;
        let text = value.as_str().ok_or_else(|| D::Error::custom(format!("expected {EXPECTED}, found {value}")))?;
        if text == BUILTIN {
            return Ok(Self(text.to_owned()));
        }
        let path = AbsolutePath::new(Path::new(text)).to_path_buf();
        Ok(Self(path.to_str().unwrap_or(text).to_owned()))
    }
}

impl SegmentationSettings {
    /// Returns the classes of the annotations.
    ///
    /// # Errors
    /// [`DatasetError`] for repeated lines in a hand-written record.
    pub fn class_list(&self) -> Result<ClassList, DatasetError> {
        let lines = self.classes.as_ref().map(|ClassLines(lines)| lines.as_slice());
        ClassList::from_lines(lines.unwrap_or_default())
    }

    /// Returns the options for reading and embedding images.
    pub(crate) fn embed_options(&self) -> EmbedOptions {
        EmbedOptions { on_error: self.on_error, on_damage: self.on_damage, ..EmbedOptions::default() }
    }

    /// Returns the options for reading the captions.
    pub(crate) fn captions_options(&self) -> CaptionsOptions {
        CaptionsOptions {
            format: self.captions_format,
            images: self.images.as_deref().map(Path::to_owned),
            splits: self.split.0.clone(),
            ..CaptionsOptions::default()
        }
    }
}
