//! Errors of label maps.

use std::fmt::Display;
use std::path::Path;

use crate::DatasetError;

pub(super) fn corrupt(path: &Path, format: &str, message: impl Display) -> DatasetError {
    let advice = "copy or download it again";
    DatasetError::new(path, format!("the {format} is truncated or damaged: {message}; {advice}"))
}

pub(super) fn colours(path: &Path, found: &str) -> DatasetError {
    DatasetError::new(
        path,
        format!(
            "{found}; the labels of a label map must be class indices, but this stores colours; write one channel of indices \
             instead (a grey PNG of 8 or 16 bits, a PNG with a palette, or a grey TIFF), with each colour replaced by its \
             class's number"
        ),
    )
}

/// `label` is that of the pixel in column `x` and row `y`.
pub(super) fn out_of_range(
    path: &Path,
    label: u16,
    (x, y): (usize, usize),
    classes: usize,
    reason: &str,
) -> DatasetError {
    let problem = format!("label {label} at the pixel ({x}, {y}), but there are {classes} classes: {reason}");
    DatasetError::new(path, problem)
}
