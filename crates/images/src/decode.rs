//! Decodes a file to RGB, as Pillow's `Image.open(…).convert("RGB")` does.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{DynamicImage, ImageDecoder, Limits, RgbImage};
use radapter_files::io_error;

use crate::error::ImageError;
use crate::format::{Content, Format, check_png, check_webp, png_size, sniff};
use crate::jpeg;
use crate::options::{DecodeLimits, DecodeOptions};

/// Reads an image file and decodes it to RGB, as Pillow's `Image.open(…).convert("RGB")` does.
///
/// * JPEG, PNG and WebP are supported, and recognized by content, not by name.
/// * Grey becomes three equal channels, and a palette its colours. 16-bit channels keep their upper 8 bits.
/// * Alpha is dropped and the colour under it kept. Blending would need a background colour, which nothing defines.
/// * EXIF orientation is not applied, as in OpenCLIP. An animation gives its first frame.
/// * A file that ends early is an error, even where a decoder could fill the missing pixels.
///
/// # Errors
/// [`ImageError`], naming the path, if the file cannot be read, is not a supported image, exceeds the limits, or is
/// truncated or corrupt.
pub fn decode_file(path: &Path, options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let name = path.display().to_string();
    let failed = |error| ImageError::Read(io_error("read", path)(error));
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    options.limits.check_bytes(&name, size)?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // `size` does not bound a pipe or a growing file.
    file.take(options.limits.max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    decode_bytes(&bytes, &name, options)
}

/// Decodes the content of an image file; see [`decode_file`]. Errors call it `name`.
///
/// # Errors
/// As [`decode_file`].
pub fn decode_bytes(bytes: &[u8], name: &str, options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let limits = &options.limits;
    limits.check_bytes(name, bytes.len() as u64)?;
    match sniff(bytes) {
        Content::Image(Format::Jpeg) => jpeg::decode(bytes, name, options),
        Content::Image(Format::Png) => {
            if let Some((width, height)) = png_size(bytes) {
                limits.check_pixels(name, width, height)?;
            }
            check_png(bytes, name)?;
            let decoder = PngDecoder::new(Cursor::new(bytes)).map_err(|error| classified(name, "PNG", error))?;
            decode_with(decoder, name, "PNG", limits)
        }
        Content::Image(Format::WebP) => {
            check_webp(bytes, name)?;
            let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(|error| classified(name, "WebP", error))?;
            decode_with(decoder, name, "WebP", limits)
        }
        Content::OtherImage(found) => Err(ImageError::Unsupported { name: name.into(), found: found.into() }),
        Content::Other(found) => Err(ImageError::NotAnImage { name: name.into(), found }),
    }
}

fn decode_with(
    mut decoder: impl ImageDecoder,
    name: &str,
    format: &'static str,
    limits: &DecodeLimits,
) -> Result<RgbImage, ImageError> {
    let (width, height) = decoder.dimensions();
    limits.check_pixels(name, width, height)?;
    // The number of pixels is already bounded; the library's own allocation limit would give a less specific error.
    decoder.set_limits(Limits::no_limits()).map_err(|error| classified(name, format, error))?;
    let image = DynamicImage::from_decoder(decoder).map_err(|error| classified(name, format, error))?;
    Ok(to_rgb(image))
}

/// Drops alpha, repeats grey, and keeps the upper byte of 16-bit channels.
fn to_rgb(image: DynamicImage) -> RgbImage {
    let (width, height) = (image.width(), image.height());
    let upper = |value: u16| (value >> 8) as u8;
    let pixels = match image {
        DynamicImage::ImageRgb8(image) => return image,
        DynamicImage::ImageLuma8(image) => image.pixels().flat_map(|p| [p[0]; 3]).collect(),
        DynamicImage::ImageLumaA8(image) => image.pixels().flat_map(|p| [p[0]; 3]).collect(),
        DynamicImage::ImageRgba8(image) => image.pixels().flat_map(|p| [p[0], p[1], p[2]]).collect(),
        DynamicImage::ImageLuma16(image) => image.pixels().flat_map(|p| [upper(p[0]); 3]).collect(),
        DynamicImage::ImageLumaA16(image) => image.pixels().flat_map(|p| [upper(p[0]); 3]).collect(),
        DynamicImage::ImageRgb16(image) => image.pixels().flat_map(|p| [p[0], p[1], p[2]].map(upper)).collect(),
        DynamicImage::ImageRgba16(image) => image.pixels().flat_map(|p| [p[0], p[1], p[2]].map(upper)).collect(),
        // PNG and WebP have no other pixel types.
        other => return other.into_rgb8(),
    };
    RgbImage::from_raw(width, height, pixels).expect("three bytes for each pixel")
}

/// Classifies a decoder's error as unsupported, truncated or corrupt.
fn classified(name: &str, format: &'static str, error: image::ImageError) -> ImageError {
    use std::error::Error;
    let name = name.to_owned();
    if let image::ImageError::Unsupported(error) = &error {
        return ImageError::Unsupported { name, found: error.to_string() };
    }
    let message = error.to_string();
    let ends_early = |error: &(dyn Error + 'static)| {
        error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::UnexpectedEof)
    };
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if ends_early(error) {
            return ImageError::Truncated { name, format, message };
        }
        cause = error.source();
    }
    ImageError::Corrupt { name, format, message }
}
