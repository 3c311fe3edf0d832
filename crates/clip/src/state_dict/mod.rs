//! A model's tensors by name, as stored: the common form of every checkpoint format.
//!
//! Names are OpenCLIP's (`visual.transformer.resblocks.0.attn.in_proj_weight`), layouts are torch's, whatever the file
//! was. Values keep the file's dtype, so that a checkpoint is written bit for bit as it was read; computing is done in
//! f32 ([`RawTensor::to_f32`]).

mod bytes;
mod error;
mod raw_tensor;
mod spool;
mod stored_dtype;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

pub use bytes::TensorBytes;
pub use error::TensorError;
pub use raw_tensor::RawTensor;
pub use spool::Spool;
pub use stored_dtype::StoredDtype;

/// Tensors by OpenCLIP's names, sorted bytewise.
///
/// A clone is cheap: the tensors share their bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    tensors: BTreeMap<String, RawTensor>,
}

impl StateDict {
    /// Creates an empty dictionary.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the tensor of this name.
    pub fn get(&self, name: &str) -> Option<&RawTensor> {
        self.tensors.get(name)
    }

    /// Inserts a tensor, and returns the one that had the name.
    pub fn insert(&mut self, name: impl Into<String>, tensor: RawTensor) -> Option<RawTensor> {
        self.tensors.insert(name.into(), tensor)
    }

    /// Removes and returns a tensor.
    pub fn remove(&mut self, name: &str) -> Option<RawTensor> {
        self.tensors.remove(name)
    }

    /// Iterates over the tensors, sorted by the bytes of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawTensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Returns the number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Converts all tensors to another dtype.
    ///
    /// # Errors
    /// [`TensorError::Overflow`] for the first tensor that holds a finite value beyond `dtype`'s largest.
    pub fn cast(&self, dtype: StoredDtype) -> Result<Self, TensorError> {
        self.iter()
            .map(|(name, tensor)| Ok((name.to_owned(), tensor.cast(dtype).map_err(|e| e.named(name))?)))
            .collect()
    }

    /// Converts each tensor to the dtype that the tensor of the same name has in `other`; tensors that `other` lacks
    /// stay as they are.
    ///
    /// # Errors
    /// As [`StateDict::cast`].
    pub fn cast_like(&self, other: &Self) -> Result<Self, TensorError> {
        self.iter()
            .map(|(name, tensor)| {
                let dtype = other.get(name).map_or(tensor.dtype(), RawTensor::dtype);
                Ok((name.to_owned(), tensor.cast(dtype).map_err(|e| e.named(name))?))
            })
            .collect()
    }

    /// Returns the dtype that holds most of the values; f32 if there are none.
    pub fn main_dtype(&self) -> StoredDtype {
        let mut values = BTreeMap::from([(StoredDtype::F32, 0)]);
        for tensor in self.tensors.values() {
            *values.entry(tensor.dtype()).or_insert(0) += tensor.len();
        }
        values.into_iter().max_by_key(|&(_, count)| count).map_or(StoredDtype::F32, |(dtype, _)| dtype)
    }

    /// Checks that no tensor holds NaN or an infinity.
    ///
    /// # Errors
    /// [`TensorError::NotFinite`] with the first such tensor in name order.
    pub fn check_finite(&self) -> Result<(), TensorError> {
        self.iter().try_for_each(|(name, tensor)| tensor.check_finite().map_err(|e| e.named(name)))
    }

    /// Computes the SHA-256, in lower-case hexadecimal, over names, shapes and values as f32.
    ///
    /// It is the same for every file format and for every stored dtype that holds the values exactly: it shows whether
    /// adapters belong to a model, not whether two files are equal. Hashed for each tensor in bytewise order of the
    /// names: length of the name, name, number of axes, axes (each number as a little-endian u64), values
    /// (little-endian f32).
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        let mut bytes = Vec::new();
        for (name, tensor) in self.iter() {
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update((tensor.shape().len() as u64).to_le_bytes());
            tensor.shape().iter().for_each(|&axis| hasher.update((axis as u64).to_le_bytes()));
            tensor.for_each_chunk(|values| {
                bytes.clear();
                bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                hasher.update(&bytes);
            });
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl FromIterator<(String, RawTensor)> for StateDict {
    fn from_iter<I: IntoIterator<Item = (String, RawTensor)>>(tensors: I) -> Self {
        Self { tensors: tensors.into_iter().collect() }
    }
}

impl IntoIterator for StateDict {
    type Item = (String, RawTensor);
    type IntoIter = std::collections::btree_map::IntoIter<String, RawTensor>;

    fn into_iter(self) -> Self::IntoIter {
        self.tensors.into_iter()
    }
}
