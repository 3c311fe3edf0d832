//! Where a picture comes from, and a labelled picture.

use std::path::PathBuf;
use std::sync::Arc;

use radapter_clip::preprocess::{DecodeLimits, ImageError, RgbImage, decode_file};

/// A picture that can be had: a file to decode or pixels in memory (the drawn world's).
#[derive(Clone, Debug)]
pub enum ImageSource {
    /// An image file.
    File(PathBuf),
    /// A decoded picture, shared.
    Pixels(Arc<RgbImage>),
}

impl ImageSource {
    /// The decoded picture, within the default limits.
    ///
    /// # Errors
    /// Those of [`decode_file`], which name the file; none for pixels.
    pub fn load(&self) -> Result<Arc<RgbImage>, ImageError> {
        self.load_within(&DecodeLimits::default())
    }

    /// The decoded picture, within limits that guard against decompression bombs.
    ///
    /// # Errors
    /// Those of [`decode_file`], which name the file; none for pixels.
    pub fn load_within(&self, limits: &DecodeLimits) -> Result<Arc<RgbImage>, ImageError> {
        match self {
            Self::File(path) => decode_file(path, limits).map(Arc::new),
            Self::Pixels(image) => Ok(Arc::clone(image)),
        }
    }
}

/// A labelled picture.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Where its pixels come from.
    pub source: ImageSource,
    /// Its class, an index into the classes of its set.
    pub label: usize,
    /// How reports call it: the path relative to the data's folder, with `/`.
    pub name: String,
}
