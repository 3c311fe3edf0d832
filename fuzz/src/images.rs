//! Image files, and the cache of decoded pixels.

use std::sync::Arc;

use radapter_images::{DecodeLimits, DecodeOptions, ImageError, ImageSource, PixelCache, RgbImage, decode_bytes};

use crate::scratch;

/// Larger images would cost time and reach no other code.
const LIMITS: DecodeLimits = DecodeLimits { max_pixels: 1 << 14, max_bytes: 1 << 20 };

/// Decodes data that start with a signature. Of a damaged JPEG, also the pixels that libjpeg would have are an image.
fn decode(data: &[u8], signatures: &[&[u8]], options: &DecodeOptions) -> Option<Arc<RgbImage>> {
    if !signatures.iter().any(|signature| data.starts_with(signature)) {
        return None;
    }
    let image = match decode_bytes(data, "image", options) {
        Ok(image) => Arc::new(image),
        Err(ImageError::Damaged { image, .. }) => image.into_image(),
        Err(_) => return None,
    };
    assert!(u64::from(image.width()) * u64::from(image.height()) <= LIMITS.max_pixels, "an image within the limits");
    Some(image)
}

fn full(data: &[u8], signatures: &[&[u8]]) -> Option<Arc<RgbImage>> {
    decode(data, signatures, &LIMITS.into())
}

/// A number of two bytes in a header.
fn number(data: &[u8], at: usize, read: fn([u8; 2]) -> u16) -> u32 {
    data.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| read(*bytes).into())
}

/// JPEG: the image has the size in the header, or the fraction of it that was asked for.
pub fn jpeg(data: &[u8]) {
    let shorter_side = if data.len() % 4 == 3 { Some(8) } else { None };
    let options = DecodeOptions { limits: LIMITS, shorter_side };
    let Some(image) = decode(data, &[b"\xff\xd8\xff"], &options) else { return };
    // Several frames are refused, so the size is the only one that follows a marker of a frame.
    let frame = |at: usize| {
        let (height, width) = (number(data, at + 5, u16::from_be_bytes), number(data, at + 7, u16::from_be_bytes));
        [1, 2, 4, 8].iter().any(|by| (width.div_ceil(*by), height.div_ceil(*by)) == image.dimensions())
    };
    let is_marker = |at: &usize| data[*at] == 0xff && matches!(data[at + 1], 0xc0..=0xc2);
    assert!((0..data.len() - 1).filter(is_marker).any(frame), "{:?} is in no header", image.dimensions());
}

/// PNG: the image has the size in the header.
pub fn png(data: &[u8]) {
    let Some(image) = full(data, &[b"\x89PNG\r\n\x1a\n"]) else { return };
    // Both sides are below 2¹⁶ within the limits.
    assert_eq!(image.width(), number(data, 18, u16::from_be_bytes));
    assert_eq!(image.height(), number(data, 22, u16::from_be_bytes));
}

/// WebP.
pub fn webp(data: &[u8]) {
    full(data, &[b"RIFF"]);
}

/// BMP.
pub fn bmp(data: &[u8]) {
    full(data, &[b"BM"]);
}

/// GIF: the image has the size of the screen, or more where the frame reaches out of it.
pub fn gif(data: &[u8]) {
    let Some(image) = full(data, &[b"GIF8"]) else { return };
    assert!(image.width() >= number(data, 6, u16::from_le_bytes));
    assert!(image.height() >= number(data, 8, u16::from_le_bytes));
}

/// TIFF and BigTIFF.
pub fn tiff(data: &[u8]) {
    full(data, &[b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"]);
}

/// PBM, PGM, PPM and PAM.
pub fn pnm(data: &[u8]) {
    full(data, &[b"P"]);
}

/// The cache of decoded pixels: after whatever it holds, an image that is added is found again.
pub fn pixel_cache(data: &[u8]) {
    let path = scratch::file("pixels", data);
    let Ok(cache) = PixelCache::open(&path) else { return };
    let entries = cache.len();
    let image = Arc::new(RgbImage::from_pixel(2, 1, image::Rgb([1, 2, 3])));
    let source = ImageSource::File(path.clone());
    let added = cache.get_or(&source, "stage", || Ok::<_, ()>(Arc::clone(&image))).unwrap();
    let found = cache.get_or(&source, "stage", || Err("added before"));
    drop(cache);
    assert_eq!(added, image);
    assert!(found.is_err(), "adding changed the size of the file that is the key");
    assert_eq!(PixelCache::open(&path).unwrap().len(), entries + 1);
}
