//! Writing label maps as PNGs.

use std::io;
use std::path::Path;

use png::{BitDepth, ColorType, Compression, Encoder, Filter};
use radapter_files::io_error;

use super::colour::colour;
use super::labelling::{Labelling, default_ignore};
use super::problem::out_of_range;
use super::{IGNORED, LabelMap};
use crate::DatasetError;

/// Maximum number of colours in a palette.
const PALETTE: usize = 256;

/// Writes class indices as a grey PNG, of 8 bits for up to 254 classes, else of 16. Ignored pixels have the value of
/// [`default_ignore`], so that a [`Labelling`] with the defaults reads the file. The folder must exist.
///
/// # Errors
/// [`DatasetError`] if a label is not a class or the file cannot be written; an existing file is kept.
pub fn write_grey(path: &Path, map: &LabelMap, classes: usize) -> Result<(), DatasetError> {
    check(path, map, classes)?;
    grey(path, map, classes)
}

/// Writes class indices as a PNG with a palette of [`colour`]s, ignored pixels black at index 255.
///
/// If a palette is too small, for more than 256 classes and for 255 or 256 classes with an ignored pixel, it is a grey PNG of 16
/// bits instead. A [`Labelling`] with the defaults reads both.
///
/// # Errors
/// Those of [`write_grey`].
pub fn write_palette(path: &Path, map: &LabelMap, classes: usize) -> Result<(), DatasetError> {
    check(path, map, classes)?;
    let ignored = map.labels().contains(&IGNORED);
    if classes > PALETTE || ignored && default_ignore(classes) != 255 {
        return grey(path, map, classes);
    }
    let mut palette: Vec<u8> = (0..classes as u16).flat_map(colour).collect();
    if ignored {
        palette.resize(PALETTE * 3, 0);
    }
    // The cast turns ignored pixels into 255.
    let indices: Vec<u8> = map.labels().iter().map(|&label| label as u8).collect();
    write(path, map, ColorType::Indexed, BitDepth::Eight, Some(palette), &indices)
}

fn grey(path: &Path, map: &LabelMap, classes: usize) -> Result<(), DatasetError> {
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
) -> Result<(), DatasetError> {
    let side = |side: usize| u32::try_from(side).map_err(io::Error::other).map_err(failed(path));
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, side(map.width())?, side(map.height())?);
    encoder.set_color(colours);
    encoder.set_depth(depth);
    encoder.set_compression(Compression::Balanced);
    // Filters predict brightness, which indices do not have; runs of equal bytes compress best unfiltered.
    encoder.set_filter(Filter::NoFilter);
    if let Some(palette) = palette {
        encoder.set_palette(palette);
    }
    let encoded = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(bytes)?;
        writer.finish()
    });
    encoded.map_err(io::Error::other).map_err(failed(path))?;
    Ok(radapter_files::write(path, &file)?)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> DatasetError {
    move |error| io_error("write the label map", path)(error).into()
}

fn check(path: &Path, map: &LabelMap, classes: usize) -> Result<(), DatasetError> {
    Labelling::new(classes, None, 0).map_err(|error| DatasetError::new(path, error.to_string()))?;
    match map.first_out_of_range(classes) {
        None => Ok(()),
        Some((label, x, y)) => {
            let reason = format!("labels are 0 to {}; nothing was written", classes - 1);
            Err(out_of_range(path, label, (x, y), classes, &reason))
        }
    }
}
