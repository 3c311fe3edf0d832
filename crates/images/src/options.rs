//! Options of decoding: size limits, and JPEGs at a fraction of their size.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::ImageError;

/// How to decode an image. The default decodes every pixel, within the default limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Larger images are refused.
    pub limits: DecodeLimits,
    /// Decodes a JPEG to a half, a quarter or an eighth of its size, the smallest whose shorter side still has this
    /// many pixels. `None` decodes the full size, as PNG and WebP always do. [`DecodeMode::shorter_side`] computes it.
    pub shorter_side: Option<u32>,
}

/// Limits on an image's size, checked on the header before any memory of that size is allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Width times height. The default is Pillow's `MAX_IMAGE_PIXELS`, 89 478 485 (a quarter of a GiB as RGB), above
    /// which Pillow warns of a decompression bomb.
    pub max_pixels: u64,
    /// Size of the file in bytes. The default is 1 GiB.
    pub max_bytes: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_pixels: 1024 * 1024 * 1024 / 4 / 3, max_bytes: 1 << 30 }
    }
}

impl From<DecodeLimits> for DecodeOptions {
    /// The full size within these limits.
    fn from(limits: DecodeLimits) -> Self {
        Self { limits, shorter_side: None }
    }
}

impl DecodeLimits {
    pub(crate) fn check_pixels(&self, name: &str, width: u32, height: u32) -> Result<(), ImageError> {
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(ImageError::TooManyPixels { name: name.into(), width, height, max_pixels: self.max_pixels });
        }
        Ok(())
    }

    pub(crate) fn check_bytes(&self, name: &str, bytes: u64) -> Result<(), ImageError> {
        if bytes > self.max_bytes {
            return Err(ImageError::FileTooLarge { name: name.into(), bytes, max_bytes: self.max_bytes });
        }
        Ok(())
    }
}

/// Whether large JPEGs are decoded in full or only as far as the model can use them; the setting `decode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecodeMode {
    /// Every pixel, equal to Pillow's, so that embeddings equal OpenCLIP's.
    #[default]
    Exact,
    /// A half, a quarter or an eighth of a large JPEG, as Pillow's `draft` decodes it: much faster, with slightly
    /// different pixels. At least twice the model's input side remains, as in Pillow's `thumbnail` with its default
    /// `reducing_gap`.
    Fast,
}

impl DecodeMode {
    /// Whether this is [`Exact`](Self::Exact), the default.
    pub fn is_exact(&self) -> bool {
        *self == Self::Exact
    }

    /// Returns the [`DecodeOptions::shorter_side`] for a model. `image_size` is the side of the model's input; `area`
    /// is the smallest share of the image that a random crop may take, 1 without one.
    pub fn shorter_side(self, image_size: usize, area: f64) -> Option<u32> {
        match self {
            Self::Exact => None,
            Self::Fast => Some((2.0 * image_size as f64 / area.clamp(0.01, 1.0).sqrt()).ceil() as u32),
        }
    }
}

impl fmt::Display for DecodeMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Exact => "exact",
            Self::Fast => "fast",
        })
    }
}

impl FromStr for DecodeMode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "exact" => Ok(Self::Exact),
            "fast" => Ok(Self::Fast),
            other => Err(format!("expected `exact` or `fast`, found `{other}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_of_a_part_needs_more_of_the_whole() {
        assert_eq!(DecodeMode::Exact.shorter_side(224, 1.0), None);
        assert_eq!(DecodeMode::Fast.shorter_side(224, 1.0), Some(448));
        assert_eq!(DecodeMode::Fast.shorter_side(224, 0.25), Some(896));
        assert_eq!("fast".parse(), Ok(DecodeMode::Fast));
        assert!("draft".parse::<DecodeMode>().is_err());
    }
}
