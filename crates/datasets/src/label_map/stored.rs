//! Values as a file stores them.

use std::path::Path;

use crate::DatasetError;

/// The most pixels of a label map; checked on the header, before the map is allocated.
pub const MAX_PIXELS: u64 = 100_000_000;

/// The values of a file as they are stored: indices of a palette, or unscaled grey values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` values, row by row.
    pub values: Vec<u16>,
}

/// Width and height as sizes, if they are within the limit.
pub(super) fn check_size(path: &Path, width: u32, height: u32) -> Result<(usize, usize), DatasetError> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let problem = format!(
            "{width}×{height} pixels are more than the limit of {MAX_PIXELS} for a label map; scale it down or leave it out; a \
             small file that claims so many is a decompression bomb"
        );
        return Err(DatasetError::new(path, problem));
    }
    Ok((width as usize, height as usize))
}
