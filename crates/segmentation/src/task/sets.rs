//! The segments of a run, read and split.

use std::path::Path;

use radapter_datasets::SkipReport;
use radapter_training::Sources;
use serde::{Deserialize, Serialize};

use super::{SEGMENTS_FILE, Segmentation, SegmentationError, segments_file};
use crate::config::SegmentationSettings;
use crate::data::annotated::{self, Annotations};
use crate::data::{Labels, SegmentSet, mined};

/// Split of a run: `split.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRecord {
    /// Random seed of the split.
    pub seed: u64,
    /// Number of training segments.
    pub train_segments: usize,
    /// Number of validation segments.
    pub val_segments: usize,
    /// Names of the training images held out for validation.
    pub held_out: Vec<String>,
}

/// Segments in memory.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct TrainingSegments {
    /// Labels of the segments.
    pub labels: Labels,
    pub train: SegmentSet,
    /// Validation segments, if given separately.
    pub val: Option<SegmentSet>,
}

/// Training and validation data.
pub(super) struct Sets {
    pub(super) labels: Labels,
    pub(super) train: SegmentSet,
    /// Labels of the validation segments.
    pub(super) val_labels: Labels,
    pub(super) val: Option<SegmentSet>,
    pub(super) split: SplitRecord,
    pub(super) notes: Vec<String>,
    pub(super) mined: Option<Vec<u8>>,
}

/// Called with the number of images read, and of all images.
type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// Reads the segments, or takes the given ones or those that the run mined before, and holds out images if
/// no validation images are given.
pub(super) fn read(
    settings: &SegmentationSettings,
    sources: Sources<'_, Segmentation>,
    skipped: &SkipReport,
) -> Result<Sets, SegmentationError> {
    let Sources { base, data, run, seed, device, progress } = sources;
    if let Some(TrainingSegments { labels, train, val }) = data {
        let val = val.map(|val| (labels.clone(), val));
        return split(settings, labels, train, val, seed);
    }
    if settings.captions.is_some() {
        if let Some(run) = run {
            let (labels, set) = segments_file::read(&run.path().join(SEGMENTS_FILE))?;
            let val = validation(settings, skipped, progress)?;
            return split(settings, labels, set, val, seed);
        }
        let options = settings.embed_options();
        let mined = mined::mine(base, settings, device, &options, progress, skipped)?;
        let bytes = segments_file::to_bytes(&mined.labels, &mined.set)?;
        let val = validation(settings, skipped, progress)?;
        let mut sets = split(settings, mined.labels, mined.set, val, seed)?;
        sets.notes.extend(mined.notes);
        sets.mined = Some(bytes);
        return Ok(sets);
    }
    let images = settings.images.as_deref().ok_or(SegmentationError::NoImages)?;
    let folder = settings.annotations.as_deref().ok_or(SegmentationError::NoAnnotations)?;
    let classes = settings.class_list()?;
    let labels = Labels::of_classes(&classes, settings.synonyms);
    let annotations = annotations(settings, images, folder, labels.len());
    let excluded = classes.labels_of(&settings.exclude.0)?;
    let read = annotated::read(&annotations, &excluded, skipped, progress)?;
    let val = validation(settings, skipped, progress)?;
    let mut sets = split(settings, labels, read.set, val, seed)?;
    sets.notes.extend(read.notes);
    Ok(sets)
}

/// Returns two folders as annotations, read with the task's settings.
fn annotations<'a>(
    settings: &SegmentationSettings,
    images: &'a Path,
    annotations: &'a Path,
    classes: usize,
) -> Annotations<'a> {
    let SegmentationSettings { label_offset, ignore, min_area, on_error, .. } = *settings;
    Annotations { images, annotations, classes, label_offset, ignore, min_area, on_error }
}

/// Reads the segments of the given validation images, labelled with classes even if training uses the nouns of
/// captions.
fn validation(
    settings: &SegmentationSettings,
    skipped: &SkipReport,
    progress: Progress<'_>,
) -> Result<Option<(Labels, SegmentSet)>, SegmentationError> {
    let (Some(images), Some(folder)) = (settings.val_images.as_deref(), settings.val_annotations.as_deref()) else {
        return Ok(None);
    };
    let classes = settings.class_list()?;
    let labels = Labels::of_classes(&classes, settings.synonyms);
    let annotations = annotations(settings, images, folder, labels.len());
    // Of the excluded nouns only those that are classes; names of classes are checked where the annotations are
    // trained on.
    let excluded = |name: &String| classes.labels_of(std::slice::from_ref(name)).ok();
    let excluded: Vec<usize> = settings.exclude.0.iter().filter_map(excluded).flatten().collect();
    Ok(Some((labels, annotated::read(&annotations, &excluded, skipped, progress)?.set)))
}

fn split(
    settings: &SegmentationSettings,
    labels: Labels,
    train: SegmentSet,
    val: Option<(Labels, SegmentSet)>,
    seed: u64,
) -> Result<Sets, SegmentationError> {
    let mut split = SplitRecord { seed, ..SplitRecord::default() };
    let mut notes = Vec::new();
    let (train, (val_labels, val)) = match val {
        Some(val) => (train, val),
        None => {
            let images = train.images.len();
            let [train, val] = train.hold_out(settings.val_fraction, seed)?;
            split.held_out = val.images.iter().map(|image| image.name.clone()).collect();
            if val.images.is_empty() && settings.val_fraction > 0.0 {
                let share = settings.val_fraction;
                notes.push(format!(
                    "no image is held out for validation, because {share} of {images} images is less than one; pass --val-images"
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
        [] => return Err(SegmentationError::NoSegments { min_area: settings.min_area }),
        [only] => return Err(SegmentationError::OneLabel { label: labels.names()[only].clone() }),
        _ => {}
    }
    split.train_segments = train.segments.len();
    split.val_segments = val.as_ref().map_or(0, |val| val.segments.len());
    Ok(Sets { labels, train, val_labels, val, split, notes, mined: None })
}
