//! Sets of labelled regions.

use radapter_datasets::DatasetError;
use radapter_datasets::subset::hold_out;
use radapter_embedding::Image;
use radapter_images::RgbImage;
use radapter_settings::SettingsError;

use crate::mask::{Mask, Rle};

/// Region of an image with its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Index of the image in its set.
    pub image: usize,
    /// Pixels of the region.
    pub mask: Rle,
    /// Index of the label.
    pub label: usize,
}

/// Labelled regions of images.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct SegmentSet {
    pub images: Vec<Image>,
    /// The regions, grouped by image.
    pub segments: Vec<Segment>,
}

/// Checks that an image's masks have its size.
///
/// # Errors
/// [`DatasetError`] if they differ.
pub(crate) fn check_size(name: &str, masks: (usize, usize), image: &RgbImage) -> Result<(), DatasetError> {
    let found = (image.width() as usize, image.height() as usize);
    if masks == found {
        return Ok(());
    }
    Err(DatasetError::Option(format!(
        "the image {name} has {} × {} pixels and its masks {} × {}; annotations and proposals must have the size of their image",
        found.0, found.1, masks.0, masks.1
    )))
}

impl SegmentSet {
    /// Decodes the mask of a segment, after a check of its size.
    pub(crate) fn mask(&self, mask: &Rle, image: &Image, picture: &RgbImage) -> Result<Mask, DatasetError> {
        check_size(&image.name, (mask.width(), mask.height()), picture)?;
        Ok(mask.decode())
    }

    /// Holds out a share of the *images*, drawn with the seed, with all their segments; returns the rest and the held-out part.
    ///
    /// # Errors
    /// [`SettingsError`] for a share out of range.
    pub fn hold_out(&self, fraction: f64, seed: u64) -> Result<[Self; 2], SettingsError> {
        // Images without a segment do not count; all others are of one class, so that the split is by image.
        let used = self.used();
        let parts = hold_out(&vec![0; used.len()], fraction, seed)?;
        let places = |part: &[usize]| part.iter().map(|&at| used[at]).collect::<Vec<_>>();
        Ok([self.subset(&places(&parts.train)), self.subset(&places(&parts.val))])
    }

    /// Returns the images that have segments.
    fn used(&self) -> Vec<usize> {
        let mut used: Vec<usize> = self.segments.iter().map(|segment| segment.image).collect();
        used.sort_unstable();
        used.dedup();
        used
    }

    /// Returns these images with their segments.
    pub fn subset(&self, images: &[usize]) -> Self {
        let mut place = vec![None; self.images.len()];
        for (new, &old) in images.iter().enumerate() {
            place[old] = Some(new);
        }
        let moved = |segment: &Segment| Some(Segment { image: place[segment.image]?, ..segment.clone() });
        Self {
            images: images.iter().map(|&image| self.images[image].clone()).collect(),
            segments: self.segments.iter().filter_map(moved).collect(),
        }
    }

    /// Returns the indices of segments by image.
    pub(crate) fn by_image(&self) -> Vec<Vec<usize>> {
        let mut places = vec![Vec::new(); self.images.len()];
        for (place, segment) in self.segments.iter().enumerate() {
            places[segment.image].push(place);
        }
        places
    }
}
