//! Weights in several files with an index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use serde_json::Value;

use super::CheckpointError;
use super::open::open_weights;
use super::tensor_file::TensorFile;

/// Reads an index (`{"weight_map": {tensor: file}}`) and the structure of all files it names.
pub(super) fn open(index: &Path) -> Result<TensorFile, CheckpointError> {
    let map = weight_map(index)?;
    let directory = index.parent().unwrap_or(Path::new("."));
    let mut tensors = TensorFile::new();
    for shard in map.values().collect::<BTreeSet<_>>() {
        let path = directory.join(shard);
        for (name, tensor) in open_weights(&path)? {
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(CheckpointError::damaged(&path, Some(&name), "the tensor is in another shard too"));
            }
        }
    }
    match map.iter().find(|(name, _)| !tensors.contains_key(*name)) {
        Some((name, shard)) => {
            let reason = format!("the index puts it into {shard}, which does not hold it");
            Err(CheckpointError::damaged(index, Some(name), reason))
        }
        None => Ok(tensors),
    }
}

/// The files that an index names.
#[cfg(feature = "hub")]
pub(super) fn files(index: &Path) -> Result<BTreeSet<String>, CheckpointError> {
    Ok(weight_map(index)?.into_values().collect())
}

fn weight_map(index: &Path) -> Result<BTreeMap<String, String>, CheckpointError> {
    let text = std::fs::read_to_string(index).map_err(CheckpointError::io(index, "open"))?;
    let json: Value = serde_json::from_str(&text)
        .map_err(|error| CheckpointError::damaged(index, None, format!("not JSON: {error}")))?;
    let Some(map) = json["weight_map"].as_object() else {
        return Err(CheckpointError::damaged(
            index,
            Some("weight_map"),
            "expected an object of tensors and their files",
        ));
    };
    // A file's name, not a path: an index from elsewhere must not point outside its directory. And no index again.
    let is_file_name = |name: &&str| {
        let mut components = Path::new(name).components();
        matches!((components.next(), components.next()), (Some(Component::Normal(_)), None)) && !name.ends_with(".json")
    };
    map.iter()
        .map(|(tensor, file)| match file.as_str().filter(is_file_name) {
            Some(name) => Ok((tensor.clone(), name.to_owned())),
            None => Err(CheckpointError::damaged(index, Some(tensor), format!("expected a file's name, found {file}"))),
        })
        .collect()
}
