//! Limits that are checked on the header, before anything of an image's size is allocated.

use super::error::ImageError;

/// How large an image may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Width times height. The default is Pillow's `MAX_IMAGE_PIXELS`, 89 478 485 (a quarter of a GiB as RGB), where
    /// Pillow begins to warn of a decompression bomb.
    pub max_pixels: u64,
    /// Size of the file. The default is 1 GiB.
    pub max_bytes: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_pixels: 1024 * 1024 * 1024 / 4 / 3, max_bytes: 1 << 30 }
    }
}

impl DecodeLimits {
    pub(super) fn check_pixels(&self, name: &str, width: u32, height: u32) -> Result<(), ImageError> {
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(ImageError::TooManyPixels { name: name.into(), width, height, max_pixels: self.max_pixels });
        }
        Ok(())
    }

    pub(super) fn check_bytes(&self, name: &str, bytes: u64) -> Result<(), ImageError> {
        if bytes > self.max_bytes {
            return Err(ImageError::FileTooLarge { name: name.into(), bytes, max_bytes: self.max_bytes });
        }
        Ok(())
    }
}
