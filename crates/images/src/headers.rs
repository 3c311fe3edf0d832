//! What Pillow reads in the headers of valid BMP, GIF, TIFF and WebP files, where the `image` crate's decoders do otherwise.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use image::{Rgb, RgbImage, imageops};

use crate::error::ImageError;

/// The little-endian number of four bytes at `at`.
fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The little-endian number of two bytes at `at`.
fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A GIF's first frame, where it does not cover the screen.
pub(crate) struct GifFrame {
    /// A GIF of the frame alone.
    pub(crate) file: Vec<u8>,
    /// Size of the image: the screen, enlarged where the frame reaches out of it.
    pub(crate) canvas: (u32, u32),
    left: u32,
    top: u32,
    /// Colour around the frame: that of the transparent index, else of index 0.
    around: Rgb<u8>,
}

impl GifFrame {
    /// `None` where the frame covers the screen, and where the file is damaged.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        const HEADER: usize = 13;
        let palette_bytes = |flags: u8| if flags & 0x80 == 0 { 0 } else { 6 << (flags & 7) };
        let global = palette_bytes(*bytes.get(10)?);
        let mut at = HEADER + global;
        let mut transparent = 0;
        while *bytes.get(at)? == b'!' {
            // A graphic control extension names the transparent index, if its lowest flag is set.
            if let [0xf9, 4..=255, flags, _, _, index] = bytes.get(at + 1..at + 7)?
                && flags & 1 == 1
            {
                transparent = usize::from(*index);
            }
            at += 2;
            while let length @ 1..=255 = usize::from(*bytes.get(at)?) {
                at += 1 + length;
            }
            at += 1;
        }
        if bytes[at] != b',' {
            return None;
        }
        let [left, top, width, height] =
            [short(bytes, at + 1)?, short(bytes, at + 3)?, short(bytes, at + 5)?, short(bytes, at + 7)?];
        let screen = (short(bytes, 6)?, short(bytes, 8)?);
        if (left, top) == (0, 0) && (width, height) == screen {
            return None;
        }
        let local = palette_bytes(*bytes.get(at + 9)?);
        let palette =
            if local > 0 { bytes.get(at + 10..at + 10 + local)? } else { bytes.get(HEADER..HEADER + global)? };
        let around = palette.as_chunks::<3>().0.get(transparent).copied().unwrap_or_default();
        let mut file = bytes.to_vec();
        file[6..10].copy_from_slice(&bytes[at + 5..at + 9]);
        file[at + 1..at + 5].fill(0);
        let canvas = (
            u32::from(screen.0).max(u32::from(left) + u32::from(width)),
            u32::from(screen.1).max(u32::from(top) + u32::from(height)),
        );
        Some(Self { file, canvas, left: left.into(), top: top.into(), around: Rgb(around) })
    }

    /// The frame in its place.
    pub(crate) fn placed(&self, frame: &RgbImage) -> RgbImage {
        let mut image = RgbImage::from_pixel(self.canvas.0, self.canvas.1, self.around);
        imageops::replace(&mut image, frame, self.left.into(), self.top.into());
        image
    }
}

/// A copy of an animated WebP whose first frame replaces the empty canvas instead of being blended with it: blending darkens
/// colours under partial alpha, and libwebp does not blend the first frame. `None` where nothing needs to change.
pub(crate) fn unblended_webp(bytes: &[u8]) -> Option<Vec<u8>> {
    const NO_BLENDING: u8 = 2;
    let mut at = 12;
    while bytes.get(at..at + 4)? != b"ANMF" {
        let length = long(bytes, at + 4)? as usize;
        at += 8 + length.next_multiple_of(2);
    }
    let flags = at + 23;
    if bytes.get(flags)? & NO_BLENDING != 0 {
        return None;
    }
    let mut copy = bytes.to_vec();
    copy[flags] |= NO_BLENDING;
    Some(copy)
}

/// A copy of a BMP with the true place of its pixels in the header: some files leave it out, or forget the palette. `None` where
/// nothing needs to change.
pub(crate) fn placed_bmp(bytes: &[u8]) -> Option<Vec<u8>> {
    let (offset, header) = (long(bytes, 10)?, long(bytes, 14)?);
    let (bits, compression, colours, entry) = match header {
        12 => (short(bytes, 24)?, 0, 0, 3),
        _ => (short(bytes, 28)?, long(bytes, 30)?, long(bytes, 46)?, 4),
    };
    let end = header.checked_add(14)?;
    if offset != 0 && (offset != end || bits > 8) {
        return None;
    }
    let colours = match (bits, colours) {
        (9.., _) => 0,
        (_, 0) => 1 << bits,
        (_, colours) => colours,
    };
    let masks = if compression == 3 && header == 40 { 12 } else { 0 };
    let place = end.checked_add(masks)?.checked_add(colours.checked_mul(entry)?)?;
    let mut copy = bytes.to_vec();
    copy[10..14].copy_from_slice(&place.to_le_bytes());
    Some(copy)
}

/// Rounds the colours of a BMP of 16 bits a pixel down, as Pillow does, instead of to the nearest.
pub(crate) fn round_bmp(bytes: &[u8], image: &mut RgbImage) {
    if short(bytes, 28) != Some(16) || long(bytes, 14) == Some(12) {
        return;
    }
    let wide_green = long(bytes, 30) == Some(3) && long(bytes, 58) == Some(0x7e0);
    let lowered = |value: u8, bits: u32| (u32::from(value >> (8 - bits)) * 255 / ((1 << bits) - 1)) as u8;
    for Rgb([red, green, blue]) in image.pixels_mut() {
        *red = lowered(*red, 5);
        *green = lowered(*green, if wide_green { 6 } else { 5 });
        *blue = lowered(*blue, 5);
    }
}

/// Refuses TIFFs whose pixels would not be Pillow's: those compressed as JPEG, whose transform the decoder rounds otherwise, and
/// those with two values of a tag, of which the decoders choose different ones.
pub(crate) fn check_tiff(bytes: &[u8], name: &str) -> Result<(), ImageError> {
    const COMPRESSION: u64 = 259;
    const JPEG: u64 = 7;
    /// From the size to the coefficients of YCbCr: tags that say what the pixels are.
    const OF_PIXELS: RangeInclusive<u64> = 254..=532;
    let number = |at: u64, size: usize| {
        let field = bytes.get(usize::try_from(at).ok()?..)?.get(..size)?;
        let digits: &mut dyn Iterator<Item = &u8> =
            if bytes[0] == b'M' { &mut field.iter() } else { &mut field.iter().rev() };
        Some(digits.fold(0, |number, digit| number << 8 | u64::from(*digit)))
    };
    // Bytes of an offset, of the number of entries, of an entry.
    let (offset, count, entry) = if bytes[2..4].contains(&b'+') { (8, 8, 20) } else { (4, 2, 12) };
    let Some((start, entries)) = number(offset as u64, offset).and_then(|start| Some((start, number(start, count)?)))
    else {
        return Ok(());
    };
    let mut tags = HashSet::new();
    let mut at = start.saturating_add(count as u64);
    for _ in 0..entries {
        let Some(tag) = number(at, 2) else { break };
        if OF_PIXELS.contains(&tag) && !tags.insert(tag) {
            let message = format!("it has two values of tag {tag}");
            return Err(ImageError::Corrupt { name: name.into(), format: "TIFF", message });
        }
        at = at.saturating_add(entry);
        if tag == COMPRESSION && number(at.saturating_sub(offset as u64), 2) == Some(JPEG) {
            let found = "a TIFF compressed as JPEG, whose pixels would not be exactly Pillow's".into();
            return Err(ImageError::Unsupported { name: name.into(), found });
        }
    }
    Ok(())
}
