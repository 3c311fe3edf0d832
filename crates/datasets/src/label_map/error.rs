use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::labelling::MAX_CLASSES;

/// Why there can be no such labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LabellingError {
    /// None, or more than a label map can tell apart.
    #[error("{classes} classes: a label map has 1 to {MAX_CLASSES}")]
    Classes {
        /// How many were asked for.
        classes: usize,
    },
    /// Neither 0 nor 1.
    #[error("`--label-offset {offset}`: expected 0 (labels count from 0) or 1 (they count from 1, and 0 is ignored)")]
    Offset {
        /// The offset.
        offset: u16,
    },
}

/// Why a label map cannot be read or written. Each names the file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LabelMapError {
    /// The file cannot be read.
    #[error("cannot read the label map {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the label map {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The content is neither a PNG nor a TIFF.
    #[error("{}: {found}, not a label map; expected a PNG (grey or with a palette) or a TIFF (grey)", path.display())]
    NotAMap {
        /// The file.
        path: PathBuf,
        /// What its content is.
        found: &'static str,
    },
    /// An image of colours or brightness.
    #[error(
        "{}: {found}; the labels of a label map must be class indices, but this stores colours; write one channel of indices \
         instead (a grey PNG of 8 or 16 bits, a PNG with a palette, or a grey TIFF), with each colour replaced by its class's number",
        path.display()
    )]
    Colours {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// A kind of file that is not read here.
    #[error("{}: {found} is not read here; convert it to a grey PNG or TIFF of 8 or 16 bits", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// The header promises more pixels than the limit allows.
    #[error(
        "{}: {width}×{height} pixels are more than the limit of {max_pixels} for a label map; scale it down or leave it out; a \
         small file that claims so many is a decompression bomb",
        path.display()
    )]
    TooManyPixels {
        /// The file.
        path: PathBuf,
        /// Width by the header.
        width: u32,
        /// Height by the header.
        height: u32,
        /// The limit.
        max_pixels: u64,
    },
    /// The file is larger than the limit allows.
    #[error("{}: {bytes} bytes or more; the limit for a label map is {max_bytes}", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Size of the file, as far as known.
        bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// The data end too early, or contradict the format.
    #[error("{}: the {format} is cut off or broken: {message}; the file was perhaps not copied or downloaded in full", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// What is wrong.
        message: String,
    },
    /// A label is no class, and not ignored either.
    #[error("{}: label {label} at the pixel ({x}, {y}), but there are {classes} classes: {reason}", path.display())]
    OutOfRange {
        /// The file.
        path: PathBuf,
        /// The label, after the offset.
        label: u16,
        /// The pixel's column, from 0.
        x: usize,
        /// The pixel's row, from 0.
        y: usize,
        /// How many classes there are.
        classes: usize,
        /// What values are allowed, and what may be wrong.
        reason: String,
    },
}
