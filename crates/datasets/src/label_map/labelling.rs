//! What a stored value means.

use std::path::Path;

use super::error::{LabelMapError, LabellingError};
use super::map::{IGNORED, LabelMap};
use super::stored::Stored;

/// The most classes that 16 bits hold beside the value of an ignored pixel, whether values count from 0 or 1.
pub const MAX_CLASSES: usize = 65_534;

/// The stored value that marks an ignored pixel where nothing else is said: 65535 for more than 254 classes, else 255.
pub fn default_ignore(classes: usize) -> u16 {
    if classes > 254 { 65_535 } else { 255 }
}

/// How stored values become labels.
///
/// The ignored value is looked for first, in the file's own numbers; then the offset is taken off. With an offset of 1 a stored 0
/// is ignored as well: ADE20K's and Pascal VOC's originals have 0 for what is none of their classes, and VOC's have 255 for the
/// borders besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labelling {
    classes: usize,
    ignore: u16,
    offset: u16,
}

impl Labelling {
    /// Labels of `classes` classes. `ignore` is the stored value of an ignored pixel, by default [`default_ignore`]; `offset` is
    /// the stored value of the first class, 0 or 1.
    ///
    /// # Errors
    /// [`LabellingError`] for no classes, more than [`MAX_CLASSES`], or another offset.
    pub fn new(classes: usize, ignore: Option<u16>, offset: u16) -> Result<Self, LabellingError> {
        if classes == 0 || classes > MAX_CLASSES {
            return Err(LabellingError::Classes { classes });
        }
        if offset > 1 {
            return Err(LabellingError::Offset { offset });
        }
        Ok(Self { classes, ignore: ignore.unwrap_or_else(|| default_ignore(classes)), offset })
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The stored value of an ignored pixel.
    pub fn ignore(&self) -> u16 {
        self.ignore
    }

    /// The stored value of the first class.
    pub fn offset(&self) -> u16 {
        self.offset
    }

    /// The label of a stored value; [`IGNORED`] for an ignored pixel, none for what is no class.
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

    /// The map that stored values mean; `path` is what an error calls it.
    ///
    /// # Errors
    /// [`LabelMapError::OutOfRange`] for a value that is neither a class nor ignored.
    pub fn apply(&self, path: &Path, stored: Stored) -> Result<LabelMap, LabelMapError> {
        let Stored { width, height, mut values } = stored;
        for (at, value) in values.iter_mut().enumerate() {
            let found = *value;
            *value = self.label(found).ok_or_else(|| LabelMapError::OutOfRange {
                path: path.to_owned(),
                label: found - self.offset,
                x: at % width,
                y: at / width,
                classes: self.classes,
                reason: self.explain(found),
            })?;
        }
        let found = values.len();
        LabelMap::new(width, height, values).ok_or_else(|| LabelMapError::Corrupt {
            path: path.to_owned(),
            format: "label map",
            message: format!("{found} values for {width}×{height} pixels"),
        })
    }

    /// What is known of a stored value that is no class, and what may be wrong.
    fn explain(&self, stored: u16) -> String {
        let Self { classes, ignore, offset } = self;
        let known = match offset {
            0 => format!("labels are 0 to {}, and {ignore} is ignored", classes - 1),
            _ => format!("stored as {stored}; 1 to {classes} are classes, 0 and {ignore} are ignored"),
        };
        let from_one = match offset {
            0 => "if the annotations count from 1 and have 0 for ignored pixels, give `--label-offset 1`; ",
            _ => "if the annotations count from 0, leave `--label-offset 1` out; ",
        };
        format!(
            "{known}; {from_one}if {stored} marks ignored pixels, give `--ignore {stored}`; else the list of classes is not that of these annotations"
        )
    }
}
