//! Masks from an id map: a PNG whose values number the masks.

use std::collections::BTreeMap;
use std::path::Path;

use radapter_datasets::DatasetError;
use radapter_datasets::label_map::read_stored;

use super::Wanted;
use crate::mask::Rle;
use crate::proposals::{Proposal, Region};

/// Reads the masks of an id map, ordered by value.
pub(super) fn masks(path: &Path, image: Wanted<'_>) -> Result<Vec<Proposal>, DatasetError> {
    let expected = "expected an id map: a grey or palette PNG of 8 or 16 bits, 0 for no mask";
    let map = read_stored(path).map_err(|error| DatasetError::new(path, format!("{error}; {expected}")))?;
    let (width, height) = (map.width, map.height);
    image.check_size(path, "the id map", (width, height))?;
    // Runs take no more memory than the map, however many values it has; a whole mask for each value would.
    let mut masks: BTreeMap<u16, (Vec<(bool, u32)>, u32)> = BTreeMap::new();
    for (at, pixel) in (0..width).flat_map(|column| (0..height).map(move |row| row * width + column)).enumerate() {
        let (at, value) = (at as u32, map.values[pixel]);
        if value != 0 {
            let (runs, end) = masks.entry(value).or_default();
            match runs.last_mut() {
                Some((true, length)) if *end == at => *length += 1,
                _ => runs.extend([(false, at - *end), (true, 1)]),
            }
            *end = at + 1;
        }
    }
    let mask = |(runs, end): (Vec<_>, u32)| {
        let after = (false, (width * height) as u32 - end);
        Rle::of_runs(width, height, runs.into_iter().chain([after]))
    };
    Ok(masks.into_values().map(|found| Proposal { region: Region::Binary(mask(found)), score: 1.0 }).collect())
}
