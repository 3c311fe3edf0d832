//! Errors of decoding and resizing.

use std::fmt;
use std::sync::Arc;

use image::RgbImage;
use radapter_files::IoError;
use thiserror::Error;

/// Why a file could not be decoded. Each message names the file.
#[derive(Debug, Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields' names say it all")]
pub enum ImageError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(IoError),
    /// The content is not an image, whatever the name says.
    #[error("{name}: not an image: expected JPEG, PNG, WebP, BMP, GIF, TIFF or PNM, found {found}")]
    NotAnImage { name: String, found: String },
    /// A format without a decoder, or a feature that the decoder lacks.
    #[error("{name}: unsupported image: {found}; convert it to JPEG, PNG or WebP")]
    Unsupported { name: String, found: String },
    /// The header declares more pixels than [`DecodeLimits::max_pixels`](crate::DecodeLimits::max_pixels).
    #[error(
        "{name}: {width}×{height} pixels exceed the limit of {max_pixels}; scale the image down or remove it (a small \
         file that declares so many pixels is a decompression bomb)"
    )]
    TooManyPixels { name: String, width: u32, height: u32, max_pixels: u64 },
    /// The file is larger than [`DecodeLimits::max_bytes`](crate::DecodeLimits::max_bytes).
    #[error("{name}: {bytes} bytes exceed the limit of {max_bytes} for an image file")]
    FileTooLarge { name: String, bytes: u64, max_bytes: u64 },
    /// The data ends before the image does.
    #[error("{name}: truncated {format}: {message}; copy or download the file again")]
    Truncated { name: String, format: &'static str, message: String },
    /// A truncated or corrupt JPEG that libjpeg, and so Pillow, decodes with a warning.
    #[error(
        "{error}, or use the pixels that libjpeg recovers: `--on-damage decode`, or \
         `--set on_damage=decode` of `radapter train`"
    )]
    Damaged {
        /// What is wrong.
        error: Box<ImageError>,
        /// The pixels that libjpeg makes of it.
        image: Recovered,
    },
    /// The data contradicts the format.
    #[error("{name}: corrupt {format}: {message}; copy or download the file again")]
    Corrupt { name: String, format: &'static str, message: String },
}

/// Pixels of a damaged image.
#[derive(Clone)]
pub struct Recovered(Arc<RgbImage>);

impl Recovered {
    /// Returns the pixels.
    pub fn into_image(self) -> Arc<RgbImage> {
        self.0
    }
}

impl From<RgbImage> for Recovered {
    fn from(image: RgbImage) -> Self {
        Self(Arc::new(image))
    }
}

impl fmt::Debug for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{} pixels", self.0.width(), self.0.height())
    }
}

/// A box for [`resize_box`](crate::resize_box) that is empty or reaches out of the image.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[error("the box {corners:?} (left, top, right, bottom) is empty or not inside the {width}×{height} image")]
#[allow(missing_docs, reason = "the other fields' names say it all")]
pub struct BoxError {
    /// Left, top, right, bottom.
    pub corners: [f32; 4],
    pub width: u32,
    pub height: u32,
}
