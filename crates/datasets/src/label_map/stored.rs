//! Values as stored in a file.

use std::path::Path;

use crate::DatasetError;

/// Maximum number of pixels in a label map; checked on the header, before the map is allocated.
pub const MAX_PIXELS: u64 = 100_000_000;

/// Values of a file as they are stored: palette indices, or unscaled grey values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// `width * height` values, row by row.
    pub values: Vec<u16>,
}

/// Converts width and height, if they are within the limit.
pub(super) fn check_size(path: &Path, width: u32, height: u32) -> Result<(usize, usize), DatasetError> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let problem = format!(
            "{width}×{height} pixels exceed the limit of {MAX_PIXELS} for a label map; scale it down or remove it (a \
             small file that claims so many is a decompression bomb)"
        );
        return Err(DatasetError::new(path, problem));
    }
    Ok((width as usize, height as usize))
}
