//! A JPEG decoder whose pixels equal those of libjpeg-turbo, and so Pillow's.
//!
//! The standard does not fix how the cosine transform rounds and how subsampled chroma is upsampled, and decoders
//! differ there by several levels (measured in `docs/image-decoding.md`). This decoder computes what libjpeg-turbo does
//! by default: the "slow" integer transform, "fancy" (triangle) upsampling, fixed-point colour conversion.
//!
//! Supported are baseline, extended sequential and progressive images with Huffman coding and 8 bits, in grey, YCbCr,
//! RGB, CMYK and YCCK. Arithmetic coding, 12 bits and lossless JPEG are refused. Where libjpeg warns and fills in
//! pixels (data that ends early, codes that do not exist), this decoder returns an error, with the pixels that libjpeg
//! would return.
//!
//! Data flow: [`markers`] parses the segments and finds the [`frame`] and its scans; [`scan`] decodes [`bits`] with
//! [`huffman`] tables into coefficients; [`transform`] (or [`reduced`], at a [`scale`]) turns blocks into planes of
//! samples; [`upsample`] and [`color`] turn planes into RGB.

mod bits;
mod color;
mod frame;
mod huffman;
mod markers;
mod reduced;
mod scale;
mod scan;
mod transform;
mod upsample;

use image::RgbImage;

use crate::error::{ImageError, Recovered};
use crate::options::DecodeOptions;
use color::ColorSpace;
use frame::Frame;
use upsample::Upsampler;

/// Decodes a JPEG, ignoring data after its end marker.
pub(super) fn decode(bytes: &[u8], name: &str, options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let check = |width, height| options.limits.check_pixels(name, width, height);
    let read = |recovers| match markers::read(bytes, options.shorter_side, recovers, check) {
        Ok((frame, color)) => to_rgb(&frame, color).map_err(|fault| fault.named(name)),
        Err(markers::Stop::Fault(fault)) => Err(fault.named(name)),
        Err(markers::Stop::Limit(error)) => Err(error),
    };
    let error = match read(false) {
        Err(error @ (ImageError::Corrupt { .. } | ImageError::Truncated { .. })) => error,
        other => return other,
    };
    match read(true) {
        Ok(image) => Err(ImageError::Damaged { error: Box::new(error), image: Recovered::from(image) }),
        Err(_) => Err(error),
    }
}

/// Upsamples the planes to the frame's size, row by row, and converts the colours.
fn to_rgb(frame: &Frame, color: ColorSpace) -> Result<RgbImage, Fault> {
    let [width, height] = [frame.width, frame.height].map(|length| frame.scale.of(length as usize));
    let upsamplers = frame.components.iter().map(|component| Upsampler::new(frame, component));
    let upsamplers = upsamplers.collect::<Result<Vec<_>, _>>()?;
    // An upsampled row may be a sample longer than the image's width.
    let mut rows = vec![vec![0; width + 8]; upsamplers.len()];
    let mut pixels = vec![0; width * height * 3];
    for (y, out) in pixels.chunks_exact_mut(width * 3).enumerate() {
        for (upsampler, row) in upsamplers.iter().zip(&mut rows) {
            upsampler.row(y, row);
        }
        color.convert(&rows, out);
    }
    Ok(RgbImage::from_raw(width as u32, height as u32, pixels).expect("three bytes for each pixel"))
}

/// An error in the data, without the file's name.
#[derive(Debug)]
pub(super) enum Fault {
    Truncated(String),
    /// The data contradicts the standard.
    Corrupt(String),
    /// The data uses a feature of the standard that this decoder lacks.
    Unsupported(&'static str),
}

impl Fault {
    pub(super) fn corrupt<T>(message: impl Into<String>) -> Result<T, Self> {
        Err(Self::Corrupt(message.into()))
    }

    pub(super) fn truncated<T>(message: impl Into<String>) -> Result<T, Self> {
        Err(Self::Truncated(message.into()))
    }

    fn named(self, name: &str) -> ImageError {
        let name = name.to_owned();
        match self {
            Self::Truncated(message) => ImageError::Truncated { name, format: "JPEG", message },
            Self::Corrupt(message) => ImageError::Corrupt { name, format: "JPEG", message },
            Self::Unsupported(found) => ImageError::Unsupported { name, found: format!("JPEG with {found}") },
        }
    }
}
