//! JPEG, decoded to the very pixels that libjpeg-turbo, and so Pillow, gives.
//!
//! The standard leaves open how the cosine transform rounds and how subsampled chroma is enlarged, and decoders differ
//! in it by several levels (`docs/image-decoding.md` has the measurements). This decoder computes what libjpeg-turbo
//! does by default: the "slow" integer transform, "fancy" (triangle) upsampling, fixed-point colour conversion.
//!
//! Baseline, extended sequential and progressive images with Huffman coding and 8 bits are read: grey, YCbCr, RGB, CMYK
//! and YCCK. Arithmetic coding, 12 bits and lossless JPEG are refused. Where libjpeg goes on with a warning and guessed
//! pixels (data that end early, codes that do not exist), this is an error.
//!
//! The way of the data: [`markers`] find the frame and its [`scan`]s, whose [`bits`] are decoded by [`huffman`] tables
//! into coefficients, [`transform`]ed into the [`frame`]'s planes of samples, which [`upsample`] and [`color`] make RGB.

mod bits;
mod color;
mod fault;
mod frame;
mod huffman;
mod markers;
mod reduced;
mod scale;
mod scan;
mod transform;
mod upsample;

use image::RgbImage;

use crate::error::ImageError;
use crate::options::DecodeOptions;
use color::ColorSpace;
use fault::Fault;
use frame::Frame;
use upsample::Upsampler;

/// Decodes a JPEG; what follows its end marker is ignored. With `shorter_side`, to a half, a quarter or an eighth of its size, as long
/// as the shorter side keeps so many pixels.
pub(super) fn decode(bytes: &[u8], name: &str, options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let check = |width, height| options.limits.check_pixels(name, width, height);
    match markers::read(bytes, options.shorter_side, check) {
        Ok((frame, color)) => to_rgb(&frame, color).map_err(|fault| fault.named(name)),
        Err(markers::Stop::Fault(fault)) => Err(fault.named(name)),
        Err(markers::Stop::Limit(error)) => Err(error),
    }
}

/// Enlarges the planes to the frame's size, row by row, and converts the colours.
fn to_rgb(frame: &Frame, color: ColorSpace) -> Result<RgbImage, Fault> {
    let [width, height] = [frame.width, frame.height].map(|length| frame.scale.of(length as usize));
    let upsamplers = frame.components.iter().map(|component| Upsampler::new(frame, component));
    let upsamplers = upsamplers.collect::<Result<Vec<_>, _>>()?;
    // An upsampled row may be a sample longer than the image is wide.
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
