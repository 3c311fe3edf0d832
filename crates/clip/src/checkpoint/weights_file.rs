//! Opens a file of weights of any format, or the shards that an index names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use burn_store::pytorch_reader::{DType, PytorchError, PytorchReader};
use radapter_files::{io_error, refuse_lfs_pointer};

use super::stored_tensor::{Content, StoredTensor, TensorFile};
use super::{CheckpointError, archive, safetensors_file, text_file};
use crate::state_dict::StoredDtype;

/// The key under which a training checkpoint keeps the weights.
const STATE_DICT: &str = "state_dict.";

/// Reads the structure of a file of weights, or of the files that an index names.
pub(super) fn open(path: &Path) -> Result<TensorFile, CheckpointError> {
    if path.extension().is_some_and(|extension| extension == "json") {
        return open_shards(path);
    }
    let mut head = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(512).read_to_end(&mut head)).map_err(io_error("open", path))?;
    refuse_lfs_pointer(path, &head)?;
    // An 8-byte length and the header's brace: no pickle starts so. A damaged file is recognised by its name.
    let named = path.extension().is_some_and(|extension| extension == "safetensors");
    if named || head.get(8) == Some(&b'{') {
        return Ok(safetensors_file::open(path)?.0);
    }
    // An archive, a pickle of protocol 2 or later, a tar of the first PyTorch versions.
    if head.starts_with(b"PK") || head.starts_with(&[0x80]) || head.get(257..262) == Some(b"ustar") {
        return open_pickle(path);
    }
    let found = match head.as_slice() {
        [] => "nothing, it is empty".to_owned(),
        head => format!("`{}`", head[..head.len().min(16)].escape_ascii()),
    };
    Err(CheckpointError::UnknownFormat { path: path.to_owned(), found })
}

/// Parses the structure of a file that `torch.save` wrote; no tensor is read yet.
///
/// The reader interprets the few pickle operations that build tensors and keeps everything else opaque: nothing in the file is
/// run, and no optimizer state beside the weights is read.
fn open_pickle(path: &Path) -> Result<TensorFile, CheckpointError> {
    if is_torch_script(path)? {
        return Err(CheckpointError::TorchScript { path: path.to_owned() });
    }
    // The reader keeps the file it opened, so the copy's name may go when this function returns.
    let copy = archive::readable_copy(path)?;
    let readable = copy.as_ref().map_or(path, |copy| copy.path());
    let tensors = PytorchReader::new(readable).map_err(|error| explain(error, path))?.into_tensors();
    let nested = tensors.keys().any(|name| name.starts_with(STATE_DICT));
    let mut file = TensorFile::new();
    for (name, tensor) in tensors {
        let name = match (nested, name.strip_prefix(STATE_DICT)) {
            (true, Some(inner)) => inner.to_owned(),
            (true, None) => continue,
            (false, _) => name,
        };
        let dtype = match tensor.dtype() {
            DType::F32 => Ok(StoredDtype::F32),
            DType::F16 => Ok(StoredDtype::F16),
            DType::BF16 => Ok(StoredDtype::BF16),
            other => Err(format!("{other:?}")),
        };
        let shape = tensor.shape().to_vec();
        file.insert(name, StoredTensor { dtype, shape, content: Content::Pickled(tensor) });
    }
    match file.is_empty() {
        true => Err(CheckpointError::damaged(path, None, "expected a state dict, found no tensor in the file")),
        false => Ok(file),
    }
}

/// Whether a file is an archive of TorchScript: it holds code, and constants beside the data.
fn is_torch_script(path: &Path) -> Result<bool, CheckpointError> {
    let file = File::open(path).map_err(io_error("open", path))?;
    // The reader reports a file that is no archive, or a broken one.
    let Ok(archive) = archive::open(file) else { return Ok(false) };
    let Ok(names) = archive.file_names().collect::<Result<Vec<_>, _>>() else { return Ok(false) };
    Ok(names.iter().any(|name| {
        let name = name.split_once('/').map_or(&**name, |(_, inner)| inner);
        name == "constants.pkl" || name.starts_with("code/")
    }))
}

fn explain(error: PytorchError, path: &Path) -> CheckpointError {
    match error {
        PytorchError::Io(error) if error.raw_os_error().is_some() => io_error("read", path)(error).into(),
        error => CheckpointError::damaged(path, None, error.to_string()),
    }
}

/// Reads an index (`{"weight_map": {tensor: file}}`) and the structure of all files it names.
fn open_shards(index: &Path) -> Result<TensorFile, CheckpointError> {
    let map = weight_map(index)?;
    let directory = index.parent().unwrap_or(Path::new("."));
    let mut tensors = TensorFile::new();
    for shard in map.values().collect::<BTreeSet<_>>() {
        let path = directory.join(shard);
        for (name, tensor) in open(&path)? {
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(CheckpointError::damaged(&path, Some(&name), "the tensor is in another shard too"));
            }
        }
    }
    match map.iter().find(|(name, _)| !tensors.contains_key(*name)) {
        Some((name, shard)) => {
            let reason = format!("the index lists it in {shard}, which does not hold it");
            Err(CheckpointError::damaged(index, Some(name), reason))
        }
        None => Ok(tensors),
    }
}

/// The files that an index names.
#[cfg(feature = "hub")]
pub(super) fn shard_files(index: &Path) -> Result<BTreeSet<String>, CheckpointError> {
    Ok(weight_map(index)?.into_values().collect())
}

fn weight_map(index: &Path) -> Result<BTreeMap<String, String>, CheckpointError> {
    let json = text_file::read_json(index)?;
    let Some(map) = json["weight_map"].as_object() else {
        return Err(CheckpointError::damaged(
            index,
            Some("weight_map"),
            "expected an object of tensors and their files",
        ));
    };
    // A file's name, not a path: an index from elsewhere must not point outside its directory. Nor may it be another
    // index.
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
