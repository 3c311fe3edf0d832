//! Label maps: a class for each pixel of an image, as annotations and predictions are stored.
//!
//! Read are PNGs in grey or with a palette (whose *indices* are the labels; its colours mean nothing) and TIFFs in grey, of up to
//! 16 bits. What a stored value means is said by a [`Labelling`]: how many classes there are, what value marks a pixel without a
//! class, and whether values count from 1. In memory an ignored pixel is always [`IGNORED`].

mod colour;
mod error;
mod labelling;
mod map;
mod png_file;
mod stored;
mod tiff_file;
mod write;

pub use colour::colour;
pub use error::{LabelMapError, LabellingError};
pub use labelling::{Labelling, MAX_CLASSES, default_ignore};
pub use map::{IGNORED, LabelMap};
pub use stored::{MAX_BYTES, MAX_PIXELS, Stored, read_stored};
pub use write::{write_grey, write_palette};

use std::path::Path;

/// Reads a label map.
///
/// # Errors
/// [`LabelMapError`], naming the file: it cannot be read, is no map of indices, is larger than [`MAX_PIXELS`], is cut off or broken,
/// or has a label that is no class and not ignored.
pub fn read(path: &Path, labelling: &Labelling) -> Result<LabelMap, LabelMapError> {
    labelling.apply(path, read_stored(path)?)
}

#[cfg(test)]
mod tests;
