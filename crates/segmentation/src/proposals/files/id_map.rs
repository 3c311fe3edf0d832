//! Masks from an id map: a PNG whose values number the masks.

use std::collections::BTreeMap;
use std::path::Path;

use radapter_datasets::DatasetError;
use radapter_datasets::label_map::read_stored;

use super::Wanted;
use crate::mask::{Mask, Rle};
use crate::proposals::{Proposal, Region};

/// Reads the masks of an id map, ordered by value.
pub(super) fn masks(path: &Path, image: Wanted<'_>) -> Result<Vec<Proposal>, DatasetError> {
    let expected = "expected an id map: a grey or palette PNG of 8 or 16 bits, 0 for no mask";
    let map = read_stored(path).map_err(|error| DatasetError::new(path, format!("{error}; {expected}")))?;
    let (found_width, found_height) = (map.width, map.height);
    image.check_size(path, "the id map", (map.width, map.height))?;
    let mut bits: BTreeMap<u16, Vec<bool>> = BTreeMap::new();
    for (pixel, &value) in map.values.iter().enumerate().filter(|(_, value)| **value != 0) {
        bits.entry(value).or_insert_with(|| vec![false; map.values.len()])[pixel] = true;
    }
    let masks = bits.into_values().filter_map(|bits| Mask::new(found_width, found_height, bits));
    Ok(masks.map(|mask| Proposal { region: Region::Binary(Rle::of(&mask)), score: 1.0 }).collect())
}
