//! Label maps: a class per pixel of an image, as annotations and predictions are stored.
//!
//! Supported are PNGs in grey or with a palette (whose *indices* are the labels; its colours are ignored) and TIFFs in grey, of up
//! to 16 bits. A [`Labelling`] defines the meaning of stored values: the number of classes, the value of a pixel without a class,
//! and whether values count from 1. In memory an ignored pixel is always [`IGNORED`].

mod colour;
mod labelling;
mod png_file;
mod problem;
mod read;
mod stored;
mod tiff_file;
mod write;

pub use colour::colour;
pub use labelling::{Labelling, MAX_CLASSES, default_ignore};
pub use read::{MAX_BYTES, read, read_stored};
pub use stored::{MAX_PIXELS, Stored};
pub use write::{write_grey, write_palette};

/// Label of a pixel without a class: not scored in an annotation, "none" in a prediction.
pub const IGNORED: u16 = u16::MAX;

/// Class index per pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    width: usize,
    height: usize,
    /// Row by row.
    labels: Vec<u16>,
}

impl LabelMap {
    /// Creates a map from labels, row by row; `None` unless there are `width * height` of them, and at least one.
    pub fn new(width: usize, height: usize, labels: Vec<u16>) -> Option<Self> {
        let whole = width.checked_mul(height) == Some(labels.len()) && !labels.is_empty();
        whole.then_some(Self { width, height, labels })
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the labels, row by row; [`IGNORED`] for pixels without a class.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// Returns the first pixel whose label is neither one of `classes` nor [`IGNORED`]: its label, column and row.
    pub fn first_out_of_range(&self, classes: usize) -> Option<(u16, usize, usize)> {
        let at = self.labels.iter().position(|&label| label != IGNORED && usize::from(label) >= classes)?;
        Some((self.labels[at], at % self.width, at / self.width))
    }
}

#[cfg(test)]
mod tests;
