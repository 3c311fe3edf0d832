//! Sets of labelled regions.

use radapter_datasets::DatasetError;
use radapter_datasets::subset::hold_out;
use radapter_embedding::Image;
use radapter_images::RgbImage;
use radapter_settings::SettingsError;

use crate::mask::{Mask, Rle};

/// A region of an image and what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The image's place in its set.
    pub image: usize,
    /// Its pixels.
    pub mask: Rle,
    /// What it shows.
    pub label: usize,
}

/// Regions of images.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "names say what is not documented")]
pub struct SegmentSet {
    pub images: Vec<Image>,
    /// The regions, those of an image one after the other.
    pub segments: Vec<Segment>,
}

/// Compares the columns and rows of an image's masks with its own.
///
/// # Errors
/// If they differ.
pub(crate) fn check_size(name: &str, masks: (usize, usize), image: &RgbImage) -> Result<(), DatasetError> {
    let found = (image.width() as usize, image.height() as usize);
    if masks == found {
        return Ok(());
    }
    Err(DatasetError::Option(format!(
        "the image {name} has {} × {} pixels and its masks {} × {}: annotations or proposals belong to images of the same size",
        found.0, found.1, masks.0, masks.1
    )))
}

impl SegmentSet {
    /// The mask of a segment, which is of its image's size.
    pub(crate) fn mask(&self, mask: &Rle, image: &Image, picture: &RgbImage) -> Result<Mask, DatasetError> {
        check_size(&image.name, (mask.width(), mask.height()), picture)?;
        Ok(mask.decode())
    }

    /// Holds out a share of the *images*, chosen by the seed, with all their segments; returns the rest and the held-out part.
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

    /// The images that have segments.
    fn used(&self) -> Vec<usize> {
        let mut used: Vec<usize> = self.segments.iter().map(|segment| segment.image).collect();
        used.sort_unstable();
        used.dedup();
        used
    }

    /// These images with their segments.
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

    /// The segments' places by image.
    pub(crate) fn by_image(&self) -> Vec<Vec<usize>> {
        let mut places = vec![Vec::new(); self.images.len()];
        for (place, segment) in self.segments.iter().enumerate() {
            places[segment.image].push(place);
        }
        places
    }
}
