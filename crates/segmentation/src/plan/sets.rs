use std::path::Path;

use burn::tensor::Device;
use radapter_clip::checkpoint::Checkpoint;
use radapter_datasets::SkipReport;
use radapter_embedding::EmbedOptions;
use serde::{Deserialize, Serialize};

use super::{PlanError, record};
use crate::config::{ResolvedSegmentation, SettingsError};
use crate::data::annotated::{self, Annotations};
use crate::data::{Labels, SegmentSet, mined};

/// How the images were split; saved with the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRecord {
    /// The seed of the split.
    pub seed: u64,
    /// Number of training segments.
    pub train_segments: usize,
    /// Number of segments validated on.
    pub val_segments: usize,
    /// The images held out from the training images for validation.
    pub held_out: Vec<String>,
}

/// Segments in memory.
#[derive(Clone, Debug, Default)]
pub struct TrainingSegments {
    /// What they are labelled with.
    pub labels: Labels,
    /// To train on.
    pub train: SegmentSet,
    /// To validate on, if they are given apart.
    pub val: Option<SegmentSet>,
}

/// What getting the segments needs.
pub struct Preparation<'a> {
    /// Where the base model gives nouns to masks.
    pub device: Device,
    /// Hears, while segments are read or mined, how many images of how many are done.
    pub progress: &'a mut dyn FnMut(usize, usize),
}

/// What is trained and validated on.
pub(super) struct Sets {
    pub(super) labels: Labels,
    pub(super) train: SegmentSet,
    /// What validation segments are labelled with, and told apart by.
    pub(super) val_labels: Labels,
    pub(super) val: Option<SegmentSet>,
    pub(super) split: SplitRecord,
    pub(super) notes: Vec<String>,
    pub(super) mined: Option<Vec<u8>>,
}

/// Reads the segments, or takes those given, and holds out images where validation has none of its own.
pub(super) fn read(
    base: &Checkpoint,
    task: &ResolvedSegmentation,
    given: Option<TrainingSegments>,
    seed: u64,
    preparation: &mut Preparation<'_>,
    skipped: &SkipReport,
) -> Result<Sets, PlanError> {
    if let Some(TrainingSegments { labels, train, val }) = given {
        let val = val.map(|val| (labels.clone(), val));
        return split(task, labels, train, val, seed);
    }
    if task.captions.is_some() {
        let options = EmbedOptions { on_error: task.on_error, ..EmbedOptions::default() };
        let mined = mined::mine(base, task, &preparation.device, &options, preparation.progress, skipped)?;
        let bytes = record::to_bytes(&mined.labels, &mined.set)?;
        let mut sets = recorded(task, (mined.labels, mined.set), seed, preparation)?;
        sets.notes.extend(mined.notes);
        sets.mined = Some(bytes);
        return Ok(sets);
    }
    let images = task.images.as_deref().ok_or(PlanError::NoImages)?;
    let classes = task.class_list()?;
    let labels = Labels::of_classes(&classes, task.synonyms);
    let folder = task.annotations.as_deref().ok_or(PlanError::NoAnnotations)?;
    let annotations = annotations(task, images, folder, labels.len());
    let excluded = classes.labels_of(&task.exclude).map_err(SettingsError::from)?;
    let read = annotated::read(&annotations, &excluded, preparation.progress)?;
    let val = validation(task, preparation)?;
    let mut sets = split(task, labels, read.set, val, seed)?;
    sets.notes.extend(read.notes);
    Ok(sets)
}

/// Two folders, read as the task says.
fn annotations<'a>(
    task: &ResolvedSegmentation,
    images: &'a Path,
    annotations: &'a Path,
    classes: usize,
) -> Annotations<'a> {
    let ResolvedSegmentation { label_offset, ignore, min_area, .. } = *task;
    Annotations { images, annotations, classes, label_offset, ignore, min_area }
}

/// The segments of the images that are given for validation, and what they are told apart by: classes, also where nouns of
/// captions are trained on.
fn validation(
    task: &ResolvedSegmentation,
    preparation: &mut Preparation<'_>,
) -> Result<Option<(Labels, SegmentSet)>, PlanError> {
    let (Some(images), Some(folder)) = (&task.val_images, &task.val_annotations) else { return Ok(None) };
    let classes = task.class_list()?;
    let labels = Labels::of_classes(&classes, task.synonyms);
    let annotations = annotations(task, images, folder, labels.len());
    // Of nouns that are excluded, those that are classes; that all names of classes are known is checked where they are
    // trained on.
    let excluded = |name: &String| classes.labels_of(std::slice::from_ref(name)).ok();
    let excluded: Vec<usize> = task.exclude.iter().filter_map(excluded).flatten().collect();
    Ok(Some((labels, annotated::read(&annotations, &excluded, preparation.progress)?.set)))
}

/// The sets of segments that were mined when the run was begun.
pub(super) fn recorded(
    task: &ResolvedSegmentation,
    (labels, set): (Labels, SegmentSet),
    seed: u64,
    preparation: &mut Preparation<'_>,
) -> Result<Sets, PlanError> {
    let val = validation(task, preparation)?;
    split(task, labels, set, val, seed)
}

fn split(
    task: &ResolvedSegmentation,
    labels: Labels,
    train: SegmentSet,
    val: Option<(Labels, SegmentSet)>,
    seed: u64,
) -> Result<Sets, PlanError> {
    let mut split = SplitRecord { seed, ..SplitRecord::default() };
    let mut notes = Vec::new();
    let (train, (val_labels, val)) = match val {
        Some(val) => (train, val),
        None => {
            let images = train.images.len();
            let [train, val] = train.hold_out(task.val_fraction, seed).map_err(SettingsError::Fraction)?;
            split.held_out = val.images.iter().map(|image| image.name.clone()).collect();
            if val.images.is_empty() && task.val_fraction > 0.0 {
                let share = task.val_fraction;
                notes.push(format!(
                    "no image is held out for validation: {share} of {images} is none; give --val-images"
                ));
            }
            (train, (labels.clone(), val))
        }
    };
    let val = Some(val).filter(|val| !val.segments.is_empty());
    let mut occur: Vec<usize> = train.segments.iter().map(|segment| segment.label).collect();
    occur.sort_unstable();
    occur.dedup();
    match occur[..] {
        [] => return Err(PlanError::NoSegments { min_area: task.min_area }),
        [only] => return Err(PlanError::OneLabel { label: labels.names()[only].clone() }),
        _ => {}
    }
    split.train_segments = train.segments.len();
    split.val_segments = val.as_ref().map_or(0, |val| val.segments.len());
    Ok(Sets { labels, train, val_labels, val, split, notes, mined: None })
}
