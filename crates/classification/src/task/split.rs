//! Split of a run's images into training and validation images.

use radapter_datasets::LabelledImages;
use radapter_datasets::subset::{few_shot, hold_out};
use serde::{Deserialize, Serialize};

use super::{ClassificationError, TrainingImages};
use crate::classes::Classes;
use crate::config::ClassificationSettings;

/// Names of a run's training and validation images: `split.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRecord {
    /// Random seed of the split.
    pub seed: u64,
    /// Number of training images.
    pub train: usize,
    /// Number of validation images.
    pub val: usize,
    /// Training images held out for validation.
    pub held_out: Vec<String>,
    /// Images chosen under `shots`; `None` if every image that is not held out is used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub chosen: Option<Vec<String>>,
    /// Classes with fewer images than `shots`, with their number of images.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub short: Vec<(usize, usize)>,
}

pub(super) struct Split {
    pub(super) train: LabelledImages,
    pub(super) val: Option<LabelledImages>,
    pub(super) record: SplitRecord,
}

/// Holds out the validation images, unless they are given, and chooses the shots from the rest.
pub(super) fn split(
    images: TrainingImages,
    settings: &ClassificationSettings,
    seed: u64,
) -> Result<Split, ClassificationError> {
    let TrainingImages { mut train, val } = images;
    if let [class] = train.classes.as_slice() {
        let class = class.folder.clone();
        return Err(ClassificationError::OneClass { class });
    }
    let mut record = SplitRecord { seed, ..SplitRecord::default() };
    let val = match val {
        Some(val) => Some(val.onto(&train.classes).map_err(ClassificationError::ValClasses)?),
        None => {
            let parts = hold_out(&train.labels(), settings.val_fraction, seed)?;
            let val = train.subset(&parts.val);
            train = train.subset(&parts.train);
            record.held_out = names(&val);
            Some(val).filter(|val| !val.samples.is_empty())
        }
    };
    if let Some(shots) = settings.shots.value() {
        let chosen = few_shot(&train.labels(), shots, seed);
        train = train.subset(&chosen.indices);
        record.chosen = Some(names(&train));
        record.short = chosen.short;
    }
    record.train = train.samples.len();
    record.val = val.as_ref().map_or(0, |val| val.samples.len());
    Ok(Split { train, val, record })
}

fn names(images: &LabelledImages) -> Vec<String> {
    images.samples.iter().map(|sample| sample.name.clone()).collect()
}

impl SplitRecord {
    /// Returns warnings about the split.
    pub(super) fn warnings(&self, classes: &Classes) -> Vec<String> {
        let name = |class: usize| classes.get(class).map_or("?", |class| class.folder.as_str());
        let mut warnings = Vec::new();
        if !self.short.is_empty() {
            let list: Vec<String> =
                self.short.iter().map(|&(class, count)| format!("{} ({count})", name(class))).collect();
            warnings
                .push(format!("classes with fewer images than `shots`, of which all are used: {}", list.join(", ")));
        }
        warnings
    }
}
