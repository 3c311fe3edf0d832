use std::path::{Path, PathBuf};

use radapter_datasets::augment::{Augment, AugmentError};
use radapter_datasets::captions::{CaptionsOptions, Splits};
use radapter_datasets::subset::FractionError;
use radapter_datasets::templates::TemplatesError;
use radapter_datasets::{OnError, Templates};
use radapter_images::DecodeMode;
use radapter_training::config::{ConfigError, LossKind, OrNone, Recipe, Settings, TaskDefaults};
use serde::Serialize;
use toml::{Table, Value};

use super::{ResolvedData, ResolvedRetrieval, RetrievalConfig, Task};

/// Captions of an image that the COCO protocol counts.
const COCO_CAPTIONS: usize = 5;
/// Pairs of shards that wait to be drawn from.
const SHUFFLE_BUFFER: usize = 10_000;

/// Why retrieval's settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The template.
    #[error(transparent)]
    Templates(#[from] TemplatesError),
    /// More than one template, or none.
    #[error("templates: retrieval takes one template for all captions, found {found}")]
    TemplateCount {
        /// How many.
        found: usize,
    },
    /// The augmentation.
    #[error(transparent)]
    Augment(#[from] AugmentError),
    /// The share that is held out.
    #[error(transparent)]
    Fraction(#[from] FractionError),
    /// A number that has to be at least 1.
    #[error("{key} = 0 is refused: expected at least 1{or}")]
    Zero {
        /// The setting.
        key: &'static str,
        /// What else may be said.
        or: &'static str,
    },
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

/// What the trainer's settings default to: α, loss, margin and smoothing of R-Adapter on retrieval (ECCV 2024); CLIP's own
/// loss for full fine-tuning, as FLYP has it.
pub(crate) fn task_defaults() -> TaskDefaults {
    TaskDefaults {
        alpha: 0.8,
        adapters_loss: LossKind::MpmNce,
        all_loss: LossKind::InfoNce,
        margin: 0.05,
        smoothing: 0.0,
        best: crate::validator::METRIC.to_owned(),
    }
}

impl RetrievalConfig {
    /// Fills in what is not said, and checks values.
    ///
    /// # Errors
    /// [`SettingsError`] for values outside their range and settings that exclude each other.
    pub fn resolve(&self, recipe: Recipe) -> Result<ResolvedRetrieval, SettingsError> {
        let templates = match &self.templates {
            Some(choice) => choice.resolve()?,
            None => Templates::from_list(vec!["{}".to_owned()])?,
        };
        if templates.as_slice().len() != 1 {
            return Err(SettingsError::TemplateCount { found: templates.as_slice().len() });
        }
        let val_fraction = self.val_fraction.unwrap_or(0.1);
        if !(0.0..1.0).contains(&val_fraction) {
            return Err(FractionError { found: val_fraction }.into());
        }
        let max_captions = self.max_captions.unwrap_or(match recipe {
            Recipe::PaperCoco => OrNone::Some(COCO_CAPTIONS),
            _ => OrNone::None,
        });
        let data = ResolvedData {
            pairs: self.data.pairs.unwrap_or_default(),
            samples: self.data.samples.unwrap_or(OrNone::None),
            shuffle_buffer: self.data.shuffle_buffer.unwrap_or(SHUFFLE_BUFFER),
        };
        let or_none = ", or \"none\" for all";
        for (key, is_zero, or) in [
            ("max_captions", max_captions == OrNone::Some(0), or_none),
            ("data.samples", data.samples == OrNone::Some(0), or_none),
            ("data.shuffle_buffer", data.shuffle_buffer == 0, ", where pairs stay in the shards' order"),
        ] {
            if is_zero {
                return Err(SettingsError::Zero { key, or });
            }
        }
        let names = |splits: &Option<Splits>| splits.as_ref().map(Splits::names).unwrap_or_default();
        Ok(ResolvedRetrieval {
            task: Task::Retrieval,
            model: self.model.clone(),
            captions: self.captions.as_deref().map(absolute),
            images: self.images.as_deref().map(absolute),
            captions_format: self.captions_format,
            split: names(&self.split),
            image_ids: self.image_ids.as_deref().map(absolute),
            csv_img_key: self.csv_img_key.clone(),
            csv_caption_key: self.csv_caption_key.clone(),
            csv_separator: self.csv_separator,
            max_captions,
            val_split: names(&self.val_split),
            val_captions: self.val_captions.as_deref().map(absolute),
            val_image_ids: self.val_image_ids.as_deref().map(absolute),
            val_images: self.val_images.as_deref().map(absolute),
            val_fraction,
            templates,
            on_error: self.on_error.unwrap_or(OnError::Fail),
            decode: self.decode.unwrap_or_default(),
            data,
            augment: self.augment.over(Augment::default())?,
        })
    }

    /// Settings given with a resume, in the form that the run recorded: splits as lists, paths as absolute ones.
    ///
    /// # Errors
    /// [`SettingsError`] for unknown keys.
    pub fn as_recorded(given: &Settings) -> Result<Settings, SettingsError> {
        let (_, config) = given.parse::<Self>()?;
        let mut table = given.table().clone();
        let mut put = |key: &'static str, value: Value| table.insert(key.to_owned(), value);
        let paths = [
            ("captions", &config.captions),
            ("images", &config.images),
            ("image_ids", &config.image_ids),
            ("val_captions", &config.val_captions),
            ("val_image_ids", &config.val_image_ids),
            ("val_images", &config.val_images),
        ];
        for (key, path) in paths {
            if let Some(path) = path {
                put(key, value(key, &absolute(path))?);
            }
        }
        if let Some(choice) = &config.templates {
            put("templates", value("templates", &choice.resolve()?)?);
        }
        for (key, splits) in [("split", &config.split), ("val_split", &config.val_split)] {
            if let Some(splits) = splits {
                put(key, value(key, &splits.names())?);
            }
        }
        if config.decode == Some(DecodeMode::Exact) {
            // As it is recorded: not at all.
            table.remove("decode");
        }
        Ok(Settings::from_table(table, "the arguments"))
    }
}

impl ResolvedRetrieval {
    /// The table that a run's `config.toml` holds.
    ///
    /// # Errors
    /// [`SettingsError::Record`] for a path that is not UTF-8.
    pub fn to_table(&self) -> Result<Table, SettingsError> {
        Table::try_from(self).map_err(|error| SettingsError::Record { key: "task", reason: error.to_string() })
    }

    /// How the training captions are read.
    pub fn options(&self) -> CaptionsOptions {
        CaptionsOptions {
            format: self.captions_format,
            images: self.images.clone(),
            splits: self.split.clone(),
            image_ids: self.image_ids.clone(),
            csv_img_key: self.csv_img_key.clone(),
            csv_caption_key: self.csv_caption_key.clone(),
            csv_separator: self.csv_separator,
            max_captions: self.max_captions.value(),
        }
    }

    /// How the validation captions are read, and from where; none where images are held out. The form of captions of their own
    /// is still to be found out.
    pub(crate) fn validation(&self) -> Option<(&Path, CaptionsOptions)> {
        let (splits, image_ids) = (self.val_split.clone(), self.val_image_ids.clone());
        let is_restricted = !splits.is_empty() || image_ids.is_some();
        let options = CaptionsOptions { splits, image_ids, ..self.options() };
        match (&self.val_captions, &self.captions) {
            (Some(captions), _) => {
                let images = self.val_images.clone().or(options.images);
                Some((captions, CaptionsOptions { images, format: None, ..options }))
            }
            (None, Some(captions)) if is_restricted => Some((captions, options)),
            _ => None,
        }
    }
}

fn value(key: &'static str, value: &impl Serialize) -> Result<Value, SettingsError> {
    Value::try_from(value).map_err(|error| SettingsError::Record { key, reason: error.to_string() })
}

/// The path from the root, so that a run can be resumed from another folder. One that does not exist stays as it is: the
/// error that follows shall name what the user wrote; but a pattern of shards has only its folder on the disk.
fn absolute(path: &Path) -> PathBuf {
    let whole = path.canonicalize();
    let folder = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    // Braces may be in the name of a folder as well.
    let is_pattern = path.to_str().is_some_and(|text| text.contains('{'));
    let pattern = || if is_pattern { std::path::absolute(path).ok() } else { None };
    whole.ok().or_else(folder).or_else(pattern).unwrap_or_else(|| path.to_owned())
}
