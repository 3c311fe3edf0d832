//! The tensors of a file of weights before their bytes are read, whatever the file's format.

use std::collections::BTreeMap;
use std::path::Path;

use burn_store::pytorch_reader;

use super::CheckpointError;
use crate::state_dict::{RawTensor, StoredDtype, TensorBytes};

/// Tensors by the file's names.
pub(super) type TensorFile = BTreeMap<String, StoredTensor>;

/// A tensor of a file, not read yet.
pub(super) struct StoredTensor {
    /// The dtype, or the name of an unsupported one, which ignored buffers may have.
    pub(super) dtype: Result<StoredDtype, String>,
    pub(super) shape: Vec<usize>,
    pub(super) content: Content,
}

/// Where a tensor's bytes are.
pub(super) enum Content {
    Bytes(TensorBytes),
    Pickled(pytorch_reader::Tensor),
}

impl StoredTensor {
    /// Reads the bytes; `path` and `name` are for errors.
    pub(super) fn read(self, path: &Path, name: &str) -> Result<RawTensor, CheckpointError> {
        let dtype = self.dtype.map_err(|found| {
            let (path, key) = (path.to_owned(), name.to_owned());
            CheckpointError::Dtype { path, key, found }
        })?;
        let bytes = match self.content {
            Content::Bytes(bytes) => bytes,
            Content::Pickled(tensor) => {
                tensor.read().map_err(|error| CheckpointError::damaged(path, Some(name), error.to_string()))?.into()
            }
        };
        RawTensor::new(dtype, self.shape, bytes)
            .map_err(|error| CheckpointError::damaged(path, Some(name), error.to_string()))
    }
}
