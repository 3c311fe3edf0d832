//! Masks of an id map: a PNG whose values number the masks.

use std::collections::BTreeMap;
use std::path::Path;

use radapter_datasets::label_map::read_stored;

use super::Wanted;
use crate::mask::{Mask, Rle};
use crate::proposals::{Proposal, ProposalError, Region};

/// The masks of an id map, by their values.
pub(super) fn masks(path: &Path, image: Wanted<'_>) -> Result<Vec<Proposal>, ProposalError> {
    let map =
        read_stored(path).map_err(|error| ProposalError::IdMap { path: path.to_owned(), reason: error.to_string() })?;
    let (found_width, found_height) = (map.width, map.height);
    if (found_width, found_height) != (image.width, image.height) {
        let Wanted { name, width, height, .. } = image;
        let (path, what, image) = (path.to_owned(), "the id map".to_owned(), name.to_owned());
        return Err(ProposalError::Size { path, what, image, width, height, found_width, found_height });
    }
    let mut bits: BTreeMap<u16, Vec<bool>> = BTreeMap::new();
    for (pixel, &value) in map.values.iter().enumerate().filter(|(_, value)| **value != 0) {
        bits.entry(value).or_insert_with(|| vec![false; map.values.len()])[pixel] = true;
    }
    let masks = bits.into_values().filter_map(|bits| Mask::new(found_width, found_height, bits));
    Ok(masks.map(|mask| Proposal { region: Region::Binary(Rle::of(&mask)), score: 1.0 }).collect())
}
