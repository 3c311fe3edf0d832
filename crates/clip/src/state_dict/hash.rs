//! A model's identity.

use sha2::{Digest, Sha256};

use super::StateDict;

impl StateDict {
    /// SHA-256, in lower-case hexadecimal, over names, shapes and values as f32.
    ///
    /// The same for every file format and for every stored dtype that holds the values exactly: it tells whether adapters
    /// belong to a model, not whether two files are equal. Hashed for each tensor in bytewise order of the names: length of
    /// the name, name, number of axes, axes (each number as a little-endian u64), values (little-endian f32).
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
