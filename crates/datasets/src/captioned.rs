//! Images with captions, independent of their source.

use radapter_images::ImageSource;

/// Image with its captions.
#[derive(Clone, Debug)]
pub struct CaptionedImage {
    /// Name in errors and reports: its path as in the file; in a shard its key, after the shard where several images have it.
    pub name: String,
    /// Source of its pixels.
    pub source: ImageSource,
    /// At least one, in file order.
    pub captions: Vec<String>,
}

/// Set of images with captions.
#[derive(Clone, Debug, Default)]
pub struct CaptionedImages {
    /// In the order of their first appearance.
    pub images: Vec<CaptionedImage>,
}

impl CaptionedImages {
    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Returns the number of captions of all images.
    pub fn captions(&self) -> usize {
        self.images.iter().map(|image| image.captions.len()).sum()
    }

    /// Returns the images at `indices`, in that order.
    ///
    /// # Panics
    /// If an index is not below the number of images.
    pub fn subset(&self, indices: &[usize]) -> Self {
        Self { images: indices.iter().map(|&index| self.images[index].clone()).collect() }
    }
}
