//! Stored values of PNGs.

use std::io::Cursor;
use std::path::Path;

use png::{BitDepth, ColorType, Decoder, DecodingError, Transformations};

use super::problem::{colours, corrupt};
use super::stored::{Stored, check_size};
use crate::DatasetError;

/// Decodes the indices of a PNG.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Stored, DatasetError> {
    let broken = |error: DecodingError| corrupt(path, "PNG", error);
    let mut decoder = Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(Transformations::IDENTITY);
    let header = decoder.read_header_info().map_err(broken)?;
    let (width, height) = check_size(path, header.width, header.height)?;
    let (colour, depth) = (header.color_type, header.bit_depth);
    let unfit = match colour {
        ColorType::Grayscale | ColorType::Indexed => None,
        ColorType::GrayscaleAlpha => Some("a grey PNG with transparency"),
        ColorType::Rgb => Some("an RGB PNG"),
        ColorType::Rgba => Some("an RGBA PNG"),
    };
    if let Some(found) = unfit {
        return Err(colours(path, found));
    }
    let mut reader = decoder.read_info().map_err(broken)?;
    let size = reader.output_buffer_size().unwrap_or(0);
    let mut rows = vec![0; size];
    let frame = reader.next_frame(&mut rows).map_err(broken)?;
    // All pixels may be present although the end is missing.
    reader.finish().map_err(broken)?;
    let mut values = Vec::with_capacity(width * height);
    if frame.line_size > 0 {
        for row in rows.chunks_exact(frame.line_size) {
            unpack(row, depth, width, &mut values);
        }
    }
    Ok(Stored { width, height, values })
}

/// Appends a row's values. Rows start at a whole byte, the leftmost pixel in its highest bits.
fn unpack(row: &[u8], depth: BitDepth, width: usize, values: &mut Vec<u16>) {
    let small = |bits: usize| {
        let (mask, per_byte) = ((1u16 << bits) - 1, 8 / bits);
        row.iter().flat_map(move |&byte| (1..=per_byte).map(move |at| (u16::from(byte) >> (8 - bits * at)) & mask))
    };
    match depth {
        BitDepth::One => values.extend(small(1).take(width)),
        BitDepth::Two => values.extend(small(2).take(width)),
        BitDepth::Four => values.extend(small(4).take(width)),
        BitDepth::Eight => values.extend(row.iter().map(|&byte| u16::from(byte))),
        BitDepth::Sixteen => values.extend(row.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair))),
    }
}
