//! Segments of annotated images: the connected parts of each class.

use std::path::Path;

use radapter_datasets::DatasetError;
use radapter_datasets::label_map::{self, IGNORED, LabelMap, Labelling};
use radapter_datasets::pairs::{AnnotatedImage, pairs};
use radapter_datasets::prefetch::{Ahead, Prefetch, PrefetchError};
use radapter_embedding::Image;
use radapter_images::ImageSource;

use super::{Segment, SegmentSet};
use crate::mask::{Rle, components};

/// The folders of annotated images, and how they are read.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "names say what is not documented")]
pub struct Annotations<'a> {
    pub images: &'a Path,
    /// The folder of label maps.
    pub annotations: &'a Path,
    pub classes: usize,
    /// What is stored for the first class.
    pub label_offset: u16,
    /// The label that is ignored, if it is not the usual one.
    pub ignore: Option<u16>,
    /// Pixels of the smallest segment.
    pub min_area: usize,
}

/// What was read.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "names say what is not documented")]
pub struct Annotated {
    pub set: SegmentSet,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Annotations<'_> {
    /// How label maps are read.
    ///
    /// # Errors
    /// If the settings contradict each other.
    pub fn labelling(&self) -> Result<Labelling, DatasetError> {
        Labelling::new(self.classes, self.ignore, self.label_offset)
    }
}

/// Reads all annotations and cuts them into segments, without those of excluded classes. `progress` is
/// called with the number of annotations read and of all.
///
/// # Errors
/// [`DatasetError`] for folders that do not fit together and annotations that are none.
pub fn read(
    annotations: &Annotations<'_>,
    excluded: &[usize],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Annotated, DatasetError> {
    let labelling = annotations.labelling()?;
    let pairs = pairs(annotations.images, annotations.annotations)?;
    let (count, min_area) = (pairs.images.len(), annotations.min_area);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let excluded = excluded.to_vec();
    let work = move |pair: AnnotatedImage| {
        let map = label_map::read(&pair.annotation, &labelling)?;
        let segments = segments(&map, min_area).into_iter().filter(|(label, _)| !excluded.contains(label));
        Ok((pair, segments.collect::<Vec<_>>()))
    };
    let mut set = SegmentSet::default();
    for read in Prefetch::new(pairs.images, Ahead { threads, jobs: 8 * threads }, work) {
        let (pair, segments) = read.map_err(|error| match error {
            PrefetchError::Work(error) => error,
            PrefetchError::Panicked { message } => DatasetError::Panicked { what: "annotations", message },
        })?;
        let image = set.images.len();
        set.segments.extend(segments.into_iter().map(|(label, mask)| Segment { image, mask, label }));
        set.images.push(Image { name: pair.name, source: ImageSource::File(pair.image) });
        progress(set.images.len(), count);
    }
    let mut notes = Vec::new();
    if pairs.without_annotation > 0 {
        notes.push(format!("{} images have no annotation and are not used", pairs.without_annotation));
    }
    Ok(Annotated { set, notes })
}

/// The connected parts of each class with at least so many pixels.
pub fn segments(map: &LabelMap, min_area: usize) -> Vec<(usize, Rle)> {
    components(map.labels(), map.width(), map.height(), IGNORED, min_area)
        .into_iter()
        .map(|(label, mask)| (usize::from(label), Rle::of(&mask)))
        .collect()
}
