//! Label maps: a class for each pixel of an image, as annotations and predictions are stored.
//!
//! Read are PNGs in grey or with a palette (whose *indices* are the labels; its colours mean nothing) and TIFFs in grey, of up to
//! 16 bits. A [`Labelling`] says what a stored value means: how many classes there are, which value marks a pixel without a
//! class, and whether values count from 1. In memory an ignored pixel is always [`IGNORED`].

mod colour;
mod labelling;
mod png_file;
mod stored;
mod tiff_file;
mod write;

use std::path::{Path, PathBuf};

use radapter_files::IoError;

pub use colour::colour;
pub use labelling::{Labelling, LabellingError, MAX_CLASSES, default_ignore};
pub use stored::{MAX_BYTES, MAX_PIXELS, Stored, read_stored};
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

/// Why a label map could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelMapError {
    /// The file could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The file is not a label map, is too large, is damaged, or has a label that is neither a class nor ignored.
    #[error("{path}: {problem}", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was found, what was expected, and what to do.
        problem: String,
    },
}

impl LabelMapError {
    fn content(path: &Path, problem: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), problem: problem.into() }
    }

    fn corrupt(path: &Path, format: &str, message: impl std::fmt::Display) -> Self {
        let advice = "the file was perhaps not copied or downloaded in full";
        Self::content(path, format!("the {format} is cut off or broken: {message}; {advice}"))
    }

    fn colours(path: &Path, found: &str) -> Self {
        let problem = format!(
            "{found}; the labels of a label map must be class indices, but this stores colours; write one channel of indices \
             instead (a grey PNG of 8 or 16 bits, a PNG with a palette, or a grey TIFF), with each colour replaced by its \
             class's number"
        );
        Self::content(path, problem)
    }

    fn out_of_range(path: &Path, label: u16, (x, y): (usize, usize), classes: usize, reason: &str) -> Self {
        let problem = format!("label {label} at the pixel ({x}, {y}), but there are {classes} classes: {reason}");
        Self::content(path, problem)
    }
}

/// Reads a label map.
///
/// # Errors
/// [`LabelMapError`], naming the file: it cannot be read, is not a map of indices, is larger than [`MAX_PIXELS`] or
/// [`MAX_BYTES`], is truncated or damaged, or has a label that is neither a class nor ignored.
pub fn read(path: &Path, labelling: &Labelling) -> Result<LabelMap, LabelMapError> {
    labelling.apply(path, read_stored(path)?)
}

#[cfg(test)]
mod tests;
