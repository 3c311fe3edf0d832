//! Segments of annotated images: the connected components of each class.

use std::path::Path;

use radapter_datasets::label_map::{self, IGNORED, LabelMap, Labelling};
use radapter_datasets::pairs::{AnnotatedImage, pairs};
use radapter_datasets::prefetch::{Ahead, Prefetch, PrefetchError};
use radapter_datasets::{DatasetError, OnError, SkipReport};
use radapter_embedding::Image;
use radapter_images::ImageSource;

use super::{Segment, SegmentSet};
use crate::mask::{Rle, components};

/// Folders of annotated images, and how to read them.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Annotations<'a> {
    pub images: &'a Path,
    pub annotations: &'a Path,
    pub classes: usize,
    /// Stored value of the first class.
    pub label_offset: u16,
    /// Stored value that is ignored; `None` for the default.
    pub ignore: Option<u16>,
    /// Minimum size of a segment in pixels.
    pub min_area: usize,
    /// What to do about an annotation that cannot be read or has no image.
    pub on_error: OnError,
}

/// Segments of annotated images.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Annotated {
    pub set: SegmentSet,
    /// Notes for the user.
    pub notes: Vec<String>,
}

impl Annotations<'_> {
    /// Returns how label maps are read.
    ///
    /// # Errors
    /// [`DatasetError`] if the settings contradict each other.
    pub fn labelling(&self) -> Result<Labelling, DatasetError> {
        Labelling::new(self.classes, self.ignore, self.label_offset)
    }
}

/// Reads all annotations and splits them into segments, without those of excluded classes. `progress` is
/// called with the number of annotations read, and of all.
///
/// # Errors
/// [`DatasetError`] for folders that do not match and invalid annotations.
pub fn read(
    annotations: &Annotations<'_>,
    excluded: &[usize],
    skipped: &SkipReport,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Annotated, DatasetError> {
    let labelling = annotations.labelling()?;
    let on_error = annotations.on_error;
    let pairs = pairs(annotations.images, annotations.annotations, on_error)?;
    let (count, min_area) = (pairs.images.len(), annotations.min_area);
    tracing::debug!("reading {count} label maps from {}", annotations.annotations.display());
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let excluded = excluded.to_vec();
    let report = skipped.clone();
    let work = move |pair: AnnotatedImage| {
        let map = label_map::read(&pair.annotation, &labelling);
        let Some(map) = on_error.settle(&pair.name, map, &report)? else { return Ok(None) };
        let segments = segments(&map, min_area).into_iter().filter(|(label, _)| !excluded.contains(label));
        Ok(Some((pair, segments.collect::<Vec<_>>())))
    };
    let mut set = SegmentSet::default();
    let mut done = 0;
    for read in Prefetch::new(pairs.images, Ahead { threads, jobs: 8 * threads }, work) {
        let read = read.map_err(|error| match error {
            PrefetchError::Work(error) => error,
            PrefetchError::Panicked { message } => DatasetError::Panicked { what: "annotations", message },
        })?;
        done += 1;
        progress(done, count);
        let Some((pair, segments)) = read else { continue };
        let image = set.images.len();
        set.segments.extend(segments.into_iter().map(|(label, mask)| Segment { image, mask, label }));
        set.images.push(Image { name: pair.name, source: ImageSource::File(pair.image) });
    }
    let mut notes = Vec::new();
    if pairs.without_annotation > 0 {
        notes.push(format!("{} images have no annotation and are skipped", pairs.without_annotation));
    }
    Ok(Annotated { set, notes })
}

/// Returns the connected components of each class with at least so many pixels.
pub fn segments(map: &LabelMap, min_area: usize) -> Vec<(usize, Rle)> {
    components(map.labels(), map.width(), map.height(), IGNORED, min_area)
        .into_iter()
        .map(|(label, mask)| (usize::from(label), Rle::of(&mask)))
        .collect()
}
