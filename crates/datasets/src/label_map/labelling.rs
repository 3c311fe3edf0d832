//! Mapping of stored values to labels.

use std::path::Path;

use super::problem::{corrupt, out_of_range};
use super::{IGNORED, LabelMap, Stored};
use crate::DatasetError;

/// Maximum number of classes that fit into 16 bits besides the value of an ignored pixel, with values from 0 or 1.
pub const MAX_CLASSES: usize = 65_534;

/// Returns the default stored value of an ignored pixel: 65535 for more than 254 classes, else 255.
pub fn default_ignore(classes: usize) -> u16 {
    if classes > 254 { 65_535 } else { 255 }
}

/// Mapping of stored values to labels.
///
/// Stored values equal to the ignored one are ignored; from all others the offset is subtracted. With an offset of 1 a stored 0 is
/// ignored as well: the original annotations of ADE20K and Pascal VOC use 0 for pixels without a class, those of VOC also 255 for
/// outlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labelling {
    classes: usize,
    ignore: u16,
    offset: u16,
}

impl Labelling {
    /// Creates a mapping for `classes` classes. `ignore` is the stored value of an ignored pixel, by default [`default_ignore`];
    /// `offset` is the stored value of the first class, 0 or 1.
    ///
    /// # Errors
    /// [`DatasetError`] for no classes, more than [`MAX_CLASSES`], or another offset.
    pub fn new(classes: usize, ignore: Option<u16>, offset: u16) -> Result<Self, DatasetError> {
        if classes == 0 || classes > MAX_CLASSES {
            return Err(DatasetError::Option(format!("{classes} classes: a label map has 1 to {MAX_CLASSES}")));
        }
        if offset > 1 {
            return Err(DatasetError::Option(format!(
                "`--label-offset {offset}`: expected 0 (labels count from 0) or 1 (they count from 1, and 0 is ignored)"
            )));
        }
        Ok(Self { classes, ignore: ignore.unwrap_or_else(|| default_ignore(classes)), offset })
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the stored value of an ignored pixel.
    pub fn ignore(&self) -> u16 {
        self.ignore
    }

    /// Returns the stored value of the first class.
    pub fn offset(&self) -> u16 {
        self.offset
    }

    /// Returns the label of a stored value; [`IGNORED`] for an ignored pixel, `None` for a value that is not a class.
    pub fn label(&self, stored: u16) -> Option<u16> {
        if stored == self.ignore {
            return Some(IGNORED);
        }
        match stored.checked_sub(self.offset) {
            None => Some(IGNORED),
            Some(label) if usize::from(label) < self.classes => Some(label),
            Some(_) => None,
        }
    }

    /// Converts stored values to a label map; an error names `path`.
    ///
    /// # Errors
    /// [`DatasetError`] for a value that is neither a class nor ignored.
    pub fn apply(&self, path: &Path, stored: Stored) -> Result<LabelMap, DatasetError> {
        let Stored { width, height, mut values } = stored;
        for (at, value) in values.iter_mut().enumerate() {
            let found = *value;
            *value = self.label(found).ok_or_else(|| {
                let (label, place) = (found - self.offset, (at % width, at / width));
                out_of_range(path, label, place, self.classes, &self.explain(found))
            })?;
        }
        let found = values.len();
        LabelMap::new(width, height, values)
            .ok_or_else(|| corrupt(path, "label map", format!("{found} values for {width}×{height} pixels")))
    }

    /// Explains a stored value that is not a class, and suggests fixes.
    fn explain(&self, stored: u16) -> String {
        let Self { classes, ignore, offset } = self;
        let known = match offset {
            0 => format!("labels are 0 to {}, and {ignore} is ignored", classes - 1),
            _ => format!("stored as {stored}; 1 to {classes} are classes, 0 and {ignore} are ignored"),
        };
        let from_one = match offset {
            0 => "if the annotations count from 1 and use 0 for ignored pixels, pass `--label-offset 1`; ",
            _ => "if the annotations count from 0, omit `--label-offset 1`; ",
        };
        format!(
            "{known}; {from_one}if {stored} marks ignored pixels, pass `--ignore {stored}`; otherwise the list of classes does not belong to these annotations"
        )
    }
}
