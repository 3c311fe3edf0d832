//! Decodes a file to RGB, as Pillow's `Image.open(…).convert("RGB")` does.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::pnm::PnmDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, Limits, Rgb, RgbImage};
use radapter_files::io_error;

use crate::error::ImageError;
use crate::format::{Content, Format, check_png, check_webp, png_size, sniff};
use crate::headers::{GifFrame, check_tiff, placed_bmp, round_bmp, unblended_webp};
use crate::jpeg;
use crate::options::{DecodeLimits, DecodeOptions};

/// Reads an image file and decodes it to RGB, as Pillow's `Image.open(…).convert("RGB")` does.
///
/// * JPEG, PNG, WebP, BMP, GIF, TIFF and PNM are supported, and recognized by content, not by name.
/// * Grey becomes three equal channels, and a palette its colours. 16-bit channels keep their upper 8 bits.
/// * Alpha is dropped and the colour under it kept. Blending would need a background colour, which nothing defines.
/// * EXIF orientation is not applied, as in OpenCLIP; a TIFF's own is. An animation gives its first frame, a TIFF its first
///   page.
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

/// Bytes for what a PNG holds beside its pixels, such as a profile of colours. Pillow allows 1 MiB.
const BESIDE_PIXELS: u64 = 4 << 20;

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
            let (width, height) = png_size(bytes).unwrap_or_default();
            limits.check_pixels(name, width, height)?;
            check_png(bytes, name)?;
            // A profile and texts unpack to a thousand times their bytes.
            let pixels = (u64::from(width) * u64::from(height)).saturating_mul(16);
            let mut allocations = Limits::no_limits();
            allocations.max_alloc = Some(pixels.saturating_add(2 * bytes.len() as u64 + BESIDE_PIXELS));
            decode_with(PngDecoder::with_limits(Cursor::new(bytes), allocations), name, "PNG", limits)
        }
        Content::Image(Format::WebP) => {
            check_webp(bytes, name)?;
            let copy = unblended_webp(bytes);
            decode_with(WebPDecoder::new(Cursor::new(copy.as_deref().unwrap_or(bytes))), name, "WebP", limits)
        }
        Content::Image(Format::Bmp) => {
            let copy = placed_bmp(bytes);
            let decoder = BmpDecoder::new(Cursor::new(copy.as_deref().unwrap_or(bytes)));
            let mut image = decode_with(decoder, name, "BMP", limits)?;
            round_bmp(bytes, &mut image);
            Ok(image)
        }
        Content::Image(Format::Gif) => {
            let frame = GifFrame::of(bytes);
            let file = frame.as_ref().map_or(bytes, |frame| &frame.file);
            if let Some(GifFrame { canvas: (width, height), .. }) = frame {
                limits.check_pixels(name, width, height)?;
            }
            let image = decode_with(GifDecoder::new(Cursor::new(file)), name, "GIF", limits)?;
            Ok(match frame {
                Some(frame) => frame.placed(&image),
                None => image,
            })
        }
        Content::Image(Format::Tiff) => {
            check_tiff(bytes, name)?;
            decode_with(TiffDecoder::new(Cursor::new(bytes)), name, "TIFF", limits)
        }
        Content::Image(Format::Pnm) => {
            let largest =
                PnmDecoder::new(Cursor::new(bytes)).map_or(255, |decoder| decoder.into_inner().1.maximal_sample());
            let image = read_with(PnmDecoder::new(Cursor::new(bytes)), name, "PNM", limits)?;
            Ok(rescaled(image, largest))
        }
        Content::OtherImage(found) => Err(ImageError::Unsupported { name: name.into(), found: found.into() }),
        Content::Other(found) => Err(ImageError::NotAnImage { name: name.into(), found }),
    }
}

fn decode_with(
    decoder: Result<impl ImageDecoder, image::ImageError>,
    name: &str,
    format: &'static str,
    limits: &DecodeLimits,
) -> Result<RgbImage, ImageError> {
    read_with(decoder, name, format, limits).map(to_rgb)
}

fn read_with(
    decoder: Result<impl ImageDecoder, image::ImageError>,
    name: &str,
    format: &'static str,
    limits: &DecodeLimits,
) -> Result<DynamicImage, ImageError> {
    let mut decoder = decoder.map_err(|error| classified(name, format, error))?;
    let (width, height) = decoder.dimensions();
    limits.check_pixels(name, width, height)?;
    // Decoders loop over the rows, of which there may be billions, even of no width.
    if width == 0 || height == 0 {
        let message = format!("its header gives a size of {width}×{height} pixels");
        return Err(ImageError::Corrupt { name: name.to_owned(), format, message });
    }
    if matches!(decoder.color_type(), ColorType::Rgb32F | ColorType::Rgba32F) {
        let found = format!("a {format} of floating-point numbers");
        return Err(ImageError::Unsupported { name: name.to_owned(), found });
    }
    // The number of pixels is already bounded. A TIFF also claims sizes of its strips, which have no right to more than the
    // pixels of the widest type need.
    let mut allocations = Limits::no_limits();
    allocations.max_alloc = Some(limits.max_pixels.saturating_mul(16));
    decoder.set_limits(allocations).map_err(|error| classified(name, format, error))?;
    // Pillow turns TIFFs, and no others, as their orientation says.
    let turned = if format == "TIFF" { decoder.orientation().ok() } else { None };
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| classified(name, format, error))?;
    image.apply_orientation(turned.unwrap_or(Orientation::NoTransforms));
    Ok(image)
}

/// Rounds the samples of a PNM, from 0 to `largest`, to 8 bits as Pillow does. 16-bit grey keeps its upper 8 bits, as in other
/// formats.
fn rescaled(image: DynamicImage, largest: u32) -> RgbImage {
    let largest = f64::from(largest);
    // The decoder has scaled the samples to all of their 8 or 16 bits.
    let rounded = |value: f64, full: f64| {
        let sample = (value * largest / full).round();
        (sample / largest * 255.0).round_ties_even() as u8
    };
    match image {
        DynamicImage::ImageRgb16(image) => {
            let pixel = |x, y| Rgb(image.get_pixel(x, y).0.map(|value| rounded(value.into(), 65535.0)));
            RgbImage::from_fn(image.width(), image.height(), pixel)
        }
        DynamicImage::ImageLuma16(_) => to_rgb(image),
        image => {
            let table: Vec<u8> = (0..=255).map(|value: u8| rounded(value.into(), 255.0)).collect();
            let mut image = to_rgb(image);
            image.iter_mut().for_each(|value| *value = table[usize::from(*value)]);
            image
        }
    }
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
        // Floating-point numbers are refused before they are decoded.
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
