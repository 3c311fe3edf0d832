//! Sets of labelled regions.

use radapter_datasets::subset::{FractionError, hold_out};
use radapter_embedding::Image;
use radapter_images::RgbImage;

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

/// Masks and image differ in size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the image {name} has {found_width} × {found_height} pixels and its masks {width} × {height}: annotations or proposals belong to \
     images of the same size"
)]
pub struct SizeError {
    /// The image.
    pub name: String,
    /// The masks' width.
    pub width: usize,
    /// The masks' height.
    pub height: usize,
    /// The image's width.
    pub found_width: usize,
    /// The image's height.
    pub found_height: usize,
}

impl SizeError {
    /// Compares a mask's size with its image's.
    ///
    /// # Errors
    /// If they differ.
    pub fn check(name: &str, (width, height): (usize, usize), image: &RgbImage) -> Result<(), Self> {
        let (found_width, found_height) = (image.width() as usize, image.height() as usize);
        if (width, height) == (found_width, found_height) {
            return Ok(());
        }
        Err(Self { name: name.to_owned(), width, height, found_width, found_height })
    }
}

impl SegmentSet {
    /// The mask of a segment, which is of its image's size.
    pub(crate) fn mask(&self, mask: &Rle, image: &Image, picture: &RgbImage) -> Result<Mask, SizeError> {
        SizeError::check(&image.name, (mask.width(), mask.height()), picture)?;
        Ok(mask.decode())
    }

    /// Holds out a share of the *images*, chosen by the seed, with all their segments; returns the rest and the held-out part.
    ///
    /// # Errors
    /// [`FractionError`] for a share out of range.
    pub fn hold_out(&self, fraction: f64, seed: u64) -> Result<[Self; 2], FractionError> {
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
