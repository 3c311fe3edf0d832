use std::io;
use std::path::Path;

use png::{BitDepth, ColorType, Compression, Encoder, Filter};

use super::colour::colour;
use super::error::LabelMapError;
use super::labelling::{Labelling, default_ignore};
use super::map::{IGNORED, LabelMap};

/// The most colours of a palette.
const PALETTE: usize = 256;

/// Writes class indices as a grey PNG: of 8 bits for up to 254 classes, else of 16. Ignored pixels become 255 or 65535, as
/// [`default_ignore`] has it, so that a [`Labelling`] without particulars reads what was written. The folder must be there.
///
/// # Errors
/// [`LabelMapError`]: a label is no class, or the file cannot be written; one that was there stays.
pub fn write_grey(path: &Path, map: &LabelMap, classes: usize) -> Result<(), LabelMapError> {
    check(path, map, classes)?;
    grey(path, map, classes)
}

/// Writes class indices as a PNG with a palette of [`colour`]s, ignored pixels black at index 255.
///
/// A grey PNG of 16 bits is written where a palette is too small: for more than 256 classes, and for 255 or 256 of them if a pixel
/// is ignored. A [`Labelling`] without particulars reads either.
///
/// # Errors
/// As [`write_grey`].
pub fn write_palette(path: &Path, map: &LabelMap, classes: usize) -> Result<(), LabelMapError> {
    check(path, map, classes)?;
    let ignored = map.labels().contains(&IGNORED);
    if classes > PALETTE || ignored && default_ignore(classes) != 255 {
        return grey(path, map, classes);
    }
    let mut palette: Vec<u8> = (0..classes as u16).flat_map(colour).collect();
    if ignored {
        palette.resize(PALETTE * 3, 0);
    }
    // The cast takes what is ignored to 255.
    let indices: Vec<u8> = map.labels().iter().map(|&label| label as u8).collect();
    write(path, map, ColorType::Indexed, BitDepth::Eight, Some(palette), &indices)
}

fn grey(path: &Path, map: &LabelMap, classes: usize) -> Result<(), LabelMapError> {
    let labels = map.labels().iter();
    if default_ignore(classes) == 255 {
        let bytes: Vec<u8> = labels.map(|&label| label as u8).collect();
        write(path, map, ColorType::Grayscale, BitDepth::Eight, None, &bytes)
    } else {
        let bytes: Vec<u8> = labels.flat_map(|label| label.to_be_bytes()).collect();
        write(path, map, ColorType::Grayscale, BitDepth::Sixteen, None, &bytes)
    }
}

fn write(
    path: &Path,
    map: &LabelMap,
    colours: ColorType,
    depth: BitDepth,
    palette: Option<Vec<u8>>,
    bytes: &[u8],
) -> Result<(), LabelMapError> {
    let failed = |source| LabelMapError::Write { path: path.to_owned(), source };
    let side = |side: usize| u32::try_from(side).map_err(|error| failed(io::Error::other(error)));
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, side(map.width())?, side(map.height())?);
    encoder.set_color(colours);
    encoder.set_depth(depth);
    encoder.set_compression(Compression::Balanced);
    // Filters predict brightness; indices have none, and runs of equal bytes pack best as they are.
    encoder.set_filter(Filter::NoFilter);
    if let Some(palette) = palette {
        encoder.set_palette(palette);
    }
    let encoded = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(bytes)?;
        writer.finish()
    });
    encoded.map_err(|error| failed(io::Error::other(error)))?;
    radapter_files::write(path, &file).map_err(|error| failed(error.error))
}

fn check(path: &Path, map: &LabelMap, classes: usize) -> Result<(), LabelMapError> {
    let failed = |source: io::Error| LabelMapError::Write { path: path.to_owned(), source };
    Labelling::new(classes, None, 0).map_err(|error| failed(io::Error::other(error)))?;
    match map.first_out_of_range(classes) {
        None => Ok(()),
        Some((label, x, y)) => Err(LabelMapError::OutOfRange {
            path: path.to_owned(),
            label,
            x,
            y,
            classes,
            reason: format!("labels are 0 to {}; nothing was written", classes - 1),
        }),
    }
}
