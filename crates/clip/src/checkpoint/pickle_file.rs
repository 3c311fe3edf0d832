//! Files that `torch.save` wrote.
//!
//! The reader interprets the few pickle operations that build tensors and keeps everything else opaque: nothing in the
//! file is run, and no optimizer state beside the weights is read.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use burn_store::pytorch_reader::{DType, PytorchError, PytorchReader};

use super::CheckpointError;
use super::tensor_file::{Content, StoredTensor, TensorFile};
use crate::state_dict::StoredDtype;

/// The key under which a training checkpoint keeps the weights.
const STATE_DICT: &str = "state_dict.";

/// Parses a file's structure; no tensor is read yet.
pub(super) fn open(path: &Path) -> Result<TensorFile, CheckpointError> {
    if is_torch_script(path)? {
        return Err(CheckpointError::TorchScript { path: path.to_owned() });
    }
    let tensors = PytorchReader::new(path).map_err(|error| explain(error, path))?.into_tensors();
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
    let file = File::open(path).map_err(CheckpointError::io(path, "open"))?;
    // What is no archive, or a broken one, is for the reader to judge.
    let Ok(archive) = zip::ZipArchive::new(BufReader::new(file)) else { return Ok(false) };
    let Ok(names) = archive.file_names().collect::<Result<Vec<_>, _>>() else { return Ok(false) };
    Ok(names.iter().any(|name| {
        let name = name.split_once('/').map_or(&**name, |(_, inner)| inner);
        name == "constants.pkl" || name.starts_with("code/")
    }))
}

fn explain(error: PytorchError, path: &Path) -> CheckpointError {
    match error {
        PytorchError::Io(error) if error.raw_os_error().is_some() => CheckpointError::io(path, "read")(error),
        error => CheckpointError::damaged(path, None, error.to_string()),
    }
}
