//! Images with captions, whatever they were read from.

use radapter_images::ImageSource;

/// An image with its captions.
#[derive(Clone, Debug)]
pub struct CaptionedImage {
    /// How errors and reports name it: its path as the file has it, in a shard its key.
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
    /// The number of images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    #[allow(missing_docs, reason = "as for every collection")]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The number of captions of all images together.
    pub fn captions(&self) -> usize {
        self.images.iter().map(|image| image.captions.len()).sum()
    }

    /// The images at `indices`, in that order.
    ///
    /// # Panics
    /// If an index is not below the number of images.
    pub fn subset(&self, indices: &[usize]) -> Self {
        Self { images: indices.iter().map(|&index| self.images[index].clone()).collect() }
    }
}
