//! Label maps: a class for each pixel of an image, as annotations and predictions are stored.
//!
//! Read are PNGs in grey or with a palette (whose *indices* are the labels; its colours mean nothing) and TIFFs in grey, of up to
//! 16 bits. A [`Labelling`] says what a stored value means: how many classes there are, which value marks a pixel without a
//! class, and whether values count from 1. In memory an ignored pixel is always [`IGNORED`].

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

/// The label of a pixel without a class: not scored in an annotation, "none" in a prediction.
pub const IGNORED: u16 = u16::MAX;

/// A class index per pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    width: usize,
    height: usize,
    /// Row by row.
    labels: Vec<u16>,
}

impl LabelMap {
    /// A map of labels, row by row; `None` unless there are `width * height` of them, and at least one.
    pub fn new(width: usize, height: usize, labels: Vec<u16>) -> Option<Self> {
        let whole = width.checked_mul(height) == Some(labels.len()) && !labels.is_empty();
        whole.then_some(Self { width, height, labels })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The labels, row by row; [`IGNORED`] where a pixel has no class.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The first pixel whose label is neither one of `classes` nor [`IGNORED`]: its label, column and row.
    pub fn first_out_of_range(&self, classes: usize) -> Option<(u16, usize, usize)> {
        let at = self.labels.iter().position(|&label| label != IGNORED && usize::from(label) >= classes)?;
        Some((self.labels[at], at % self.width, at / self.width))
    }
}

#[cfg(test)]
mod tests;
