use std::path::{Path, PathBuf};

use radapter_datasets::augment::{Augment, AugmentError};
use radapter_datasets::captions::{CaptionsOptions, Splits};
use radapter_datasets::subset::FractionError;
use radapter_datasets::templates::TemplatesError;
use radapter_datasets::{OnError, Templates};
use radapter_training::config::{ConfigError, LossKind, Settings, TaskDefaults};
use serde::Serialize;
use toml::{Table, Value};

use super::{ResolvedSegmentation, SegmentationConfig, Task};
use crate::class_list::{ClassList, ClassListError};
use crate::crop::{CropSettings, MarginError};

/// Pixels of the smallest segment.
const MIN_AREA: usize = 64;
/// The masks that nouns are given to, where nothing is said.
const PROPOSALS: &str = "builtin";

/// Why segmentation's settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The templates.
    #[error(transparent)]
    Templates(#[from] TemplatesError),
    /// The classes.
    #[error(transparent)]
    Classes(#[from] ClassListError),
    /// A file of names.
    #[error("{key}: cannot use {}: {reason}", path.display())]
    Names {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The augmentation.
    #[error(transparent)]
    Augment(#[from] AugmentError),
    /// The cropping.
    #[error(transparent)]
    Margin(#[from] MarginError),
    /// The share that is held out.
    #[error(transparent)]
    Fraction(#[from] FractionError),
    /// Settings that exclude each other, or one that needs another.
    #[error("{0}")]
    Together(&'static str),
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

/// What the trainer's settings default to: α, loss, margin and smoothing of R-Adapter on segmentation (ECCV 2024; its schedule
/// is not published); CLIP's own loss for full fine-tuning, as OVSeg has it.
pub(crate) fn task_defaults() -> TaskDefaults {
    TaskDefaults {
        alpha: 0.4,
        adapters_loss: LossKind::MpmNce,
        all_loss: LossKind::InfoNce,
        margin: 0.05,
        smoothing: 0.0,
        best: crate::validator::METRIC.to_owned(),
    }
}

impl SegmentationConfig {
    /// Fills in what is not said, and checks values.
    ///
    /// # Errors
    /// [`SettingsError`] for values outside their range, files of names that cannot be read, and settings that exclude each other.
    pub fn resolve(&self) -> Result<ResolvedSegmentation, SettingsError> {
        let templates = match &self.templates {
            Some(choice) => choice.resolve()?,
            None => Templates::resolve("vild-14")?,
        };
        let val_fraction = self.val_fraction.unwrap_or(0.1);
        if !(0.0..1.0).contains(&val_fraction) {
            return Err(FractionError { found: val_fraction }.into());
        }
        let together = |wrong: bool, reason| if wrong { Err(SettingsError::Together(reason)) } else { Ok(()) };
        together(
            self.annotations.is_some() && self.captions.is_some(),
            "annotations and captions cannot both be given: a run trains on classes or on nouns",
        )?;
        together(
            self.val_annotations.is_some() != self.val_images.is_some(),
            "val_images and val_annotations go together: give both or none",
        )?;
        together(
            self.annotations.is_some() && self.classes.is_none(),
            "annotations need classes: a file with the name of each label, one a line",
        )?;
        together(
            self.val_annotations.is_some() && self.classes.is_none(),
            "val_annotations need classes: a file with the name of each label, one a line",
        )?;
        let crop =
            CropSettings { margin: self.crop.margin.unwrap_or(0.0), resize: self.crop.resize.unwrap_or_default() };
        if !(0.0..=4.0).contains(&crop.margin) {
            return Err(MarginError { found: crop.margin }.into());
        }
        Ok(ResolvedSegmentation {
            task: Task::Segmentation,
            model: self.model.clone(),
            images: self.images.as_deref().map(absolute),
            annotations: self.annotations.as_deref().map(absolute),
            classes: self.lines()?,
            synonyms: self.synonyms.unwrap_or_default(),
            label_offset: self.label_offset.unwrap_or(0),
            ignore: self.ignore,
            min_area: self.min_area.unwrap_or(MIN_AREA),
            captions: self.captions.as_deref().map(absolute),
            captions_format: self.captions_format,
            split: self.split.as_ref().map(Splits::names).unwrap_or_default(),
            nouns: self.names("nouns", &self.nouns)?,
            proposals: self.proposals(),
            exclude: self.names("exclude", &self.exclude)?,
            val_images: self.val_images.as_deref().map(absolute),
            val_annotations: self.val_annotations.as_deref().map(absolute),
            val_fraction,
            templates,
            crop,
            on_error: self.on_error.unwrap_or(OnError::Fail),
            augment: self.augment.over(Augment::default())?,
        })
    }

    fn lines(&self) -> Result<Vec<String>, SettingsError> {
        let list = self.classes.as_ref().map(super::ClassesChoice::resolve).transpose()?;
        Ok(list.map(|list| list.lines()).unwrap_or_default())
    }

    fn names(&self, key: &'static str, choice: &Option<super::NamesChoice>) -> Result<Vec<String>, SettingsError> {
        Ok(choice.as_ref().map(|choice| choice.resolve(key)).transpose()?.unwrap_or_default())
    }

    fn proposals(&self) -> String {
        match &self.proposals {
            Some(path) if path != PROPOSALS => absolute(Path::new(path)).to_str().unwrap_or(path).to_owned(),
            _ => PROPOSALS.to_owned(),
        }
    }

    /// Settings given with a resume, in the form that the run recorded: names as lists, paths as absolute ones.
    ///
    /// # Errors
    /// [`SettingsError`] for unknown keys and files of names that cannot be read.
    pub fn as_recorded(given: &Settings) -> Result<Settings, SettingsError> {
        let (_, config) = given.parse::<Self>()?;
        let mut table = given.table().clone();
        let mut put = |key: &'static str, value: Value| table.insert(key.to_owned(), value);
        let paths = [
            ("images", &config.images),
            ("annotations", &config.annotations),
            ("captions", &config.captions),
            ("val_images", &config.val_images),
            ("val_annotations", &config.val_annotations),
        ];
        for (key, path) in paths {
            if let Some(path) = path {
                put(key, value(key, &absolute(path))?);
            }
        }
        if config.proposals.is_some() {
            put("proposals", value("proposals", &config.proposals())?);
        }
        if config.classes.is_some() {
            put("classes", value("classes", &config.lines()?)?);
        }
        for (key, names) in [("nouns", &config.nouns), ("exclude", &config.exclude)] {
            if names.is_some() {
                put(key, value(key, &config.names(key, names)?)?);
            }
        }
        if let Some(choice) = &config.templates {
            put("templates", value("templates", &choice.resolve()?)?);
        }
        if let Some(splits) = &config.split {
            put("split", value("split", &splits.names())?);
        }
        Ok(Settings::from_table(table, "the arguments"))
    }
}

impl ResolvedSegmentation {
    /// The table that a run's `config.toml` holds.
    ///
    /// # Errors
    /// [`SettingsError::Record`] for a path that is not UTF-8.
    pub fn to_table(&self) -> Result<Table, SettingsError> {
        Table::try_from(self).map_err(|error| SettingsError::Record { key: "task", reason: error.to_string() })
    }

    /// The classes of the annotations.
    ///
    /// # Errors
    /// [`SettingsError::Classes`] for lines that a hand-written record has twice.
    pub fn class_list(&self) -> Result<ClassList, SettingsError> {
        Ok(ClassList::from_lines(&self.classes)?)
    }

    /// How the captions are read.
    pub(crate) fn captions_options(&self) -> CaptionsOptions {
        CaptionsOptions {
            format: self.captions_format,
            images: self.images.clone(),
            splits: self.split.clone(),
            ..CaptionsOptions::default()
        }
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
