//! A set of images with captions, whatever it was read from.

use radapter_images::ImageSource;

/// An image with its captions.
#[derive(Clone, Debug)]
pub struct CaptionedImage {
    /// How reports call it: its path as the file has it, in a shard its key.
    pub name: String,
    /// Where its pixels come from.
    pub source: ImageSource,
    /// Its captions, at least one, in the file's order.
    pub captions: Vec<String>,
}

/// Images with captions.
#[derive(Clone, Debug, Default)]
pub struct CaptionedImages {
    /// The images, in the order of their first appearance.
    pub images: Vec<CaptionedImage>,
}

impl CaptionedImages {
    /// How many images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// How many captions, of all images together.
    pub fn captions(&self) -> usize {
        self.images.iter().map(|image| image.captions.len()).sum()
    }

    /// The images at the given places, in that order.
    ///
    /// # Panics
    /// If an index is not below the number of images.
    pub fn subset(&self, indices: &[usize]) -> Self {
        Self { images: indices.iter().map(|&index| self.images[index].clone()).collect() }
    }
}
