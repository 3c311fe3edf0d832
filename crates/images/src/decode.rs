//! From a file's bytes to RGB, as Pillow's `Image.open(…).convert("RGB")`.
//!
//! * The format is told by content. JPEG, PNG and WebP are read.
//! * Grey becomes three equal channels, a palette its colours; alpha is dropped, whatever colour lies under it (Pillow
//!   does so too; blending would need a background nobody named). Of 16 bits the upper 8 are kept.
//! * EXIF orientation is not applied, as in OpenCLIP; of an animation the first frame is taken.
//! * A file that ends early is an error, even where the missing pixels could be painted grey.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{DynamicImage, ImageDecoder, Limits, RgbImage};

use crate::container;
use crate::error::ImageError;
use crate::format::{Content, Format, sniff};
use crate::jpeg;
use crate::options::{DecodeLimits, DecodeOptions};

/// Reads and decodes an image file.
///
/// # Errors
/// [`ImageError`], naming the path: the file cannot be read, is no image or of a format that is not read here, is larger
/// than the limits, cut off or broken.
pub fn decode_file(path: &Path, options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let name = path.display().to_string();
    let failed = |source| ImageError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    options.limits.check_bytes(&name, size)?;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // The bound holds for what has no size, too: a pipe, or a file that grows.
    file.take(options.limits.max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    decode_bytes(&bytes, &name, options)
}

/// Decodes an image file's content; `name` is what errors call it.
///
/// # Errors
/// As [`decode_file`].
pub fn decode_bytes(bytes: &[u8], name: &str, options: &DecodeOptions) -> Result<RgbImage, ImageError> {
    let limits = &options.limits;
    limits.check_bytes(name, bytes.len() as u64)?;
    match sniff(bytes) {
        Content::Image(Format::Jpeg) => jpeg::decode(bytes, name, options),
        Content::Image(Format::Png) => {
            if let Some((width, height)) = container::png_size(bytes) {
                limits.check_pixels(name, width, height)?;
            }
            container::check_png(bytes, name)?;
            let decoder = PngDecoder::new(Cursor::new(bytes)).map_err(|error| broken(name, "PNG", error))?;
            decode_with(decoder, name, "PNG", limits)
        }
        Content::Image(Format::WebP) => {
            container::check_webp(bytes, name)?;
            let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(|error| broken(name, "WebP", error))?;
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
    // The pixels are bounded by now; the library's own limit on allocations would only hide the reason.
    decoder.set_limits(Limits::no_limits()).map_err(|error| broken(name, format, error))?;
    let image = DynamicImage::from_decoder(decoder).map_err(|error| broken(name, format, error))?;
    Ok(to_rgb(image))
}

/// Drops alpha, repeats grey, keeps the upper byte of 16 bits.
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
        // Neither PNG nor WebP has other kinds of pixels.
        other => return other.into_rgb8(),
    };
    RgbImage::from_raw(width, height, pixels).expect("three bytes for each pixel")
}

/// An error of a decoder as ours: cut off, not supported, or broken.
fn broken(name: &str, format: &'static str, error: image::ImageError) -> ImageError {
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
