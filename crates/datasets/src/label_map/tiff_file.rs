//! Stored values of TIFFs.

use std::io::Cursor;
use std::path::Path;

use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::{PhotometricInterpretation, Tag};
use tiff::{ColorType, TiffError};

use super::problem::{colours, corrupt};
use super::stored::{MAX_PIXELS, Stored, check_size};
use crate::DatasetError;

/// Decodes the values of a grey TIFF, those of the first image if there are several.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Stored, DatasetError> {
    let unsupported = |found: String| {
        let problem = format!("{found} is not supported; convert it to a grey PNG or TIFF of 8 or 16 bits");
        DatasetError::new(path, problem)
    };
    let broken = |error: TiffError| match error {
        TiffError::UnsupportedError(error) => unsupported(format!("this TIFF ({error})")),
        error => corrupt(path, "TIFF", error),
    };
    let mut limits = Limits::default();
    // The pixels are counted below. They have two bytes each, and one tile or strip may be the whole image.
    limits.decoding_buffer_size = MAX_PIXELS as usize * 2;
    limits.intermediate_buffer_size = MAX_PIXELS as usize * 2;
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(broken)?.with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(broken)?;
    let (width, height) = check_size(path, width, height)?;
    let photometric = decoder.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation).map_err(broken)?;
    if photometric == Some(PhotometricInterpretation::WhiteIsZero.to_u16()) {
        // The decoder would invert the values.
        return Err(unsupported("a TIFF whose 0 is white".into()));
    }
    match decoder.colortype().map_err(broken)? {
        ColorType::Gray(8 | 16) => {}
        ColorType::Gray(bits) => return Err(unsupported(format!("a grey TIFF of {bits} bits"))),
        other => return Err(colours(path, &format!("a TIFF in {}", name(other)))),
    }
    let values = match decoder.read_image().map_err(broken)? {
        DecodingResult::U8(values) => values.into_iter().map(u16::from).collect(),
        DecodingResult::U16(values) => values,
        _ => return Err(unsupported("a grey TIFF of signed or broken numbers".into())),
    };
    Ok(Stored { width, height, values })
}

fn name(colour: ColorType) -> &'static str {
    match colour {
        ColorType::RGB(_) => "RGB",
        ColorType::RGBA(_) => "RGBA",
        ColorType::GrayA(_) => "grey with transparency",
        ColorType::Palette(_) => "palette colours",
        ColorType::CMYK(_) | ColorType::CMYKA(_) => "CMYK",
        ColorType::YCbCr(_) => "YCbCr",
        ColorType::Lab(_) => "Lab",
        _ => "several channels",
    }
}
