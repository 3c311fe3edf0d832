//! Writing a model: one file, or a second one for the weights of a large model.

use std::io::Write;
use std::path::Path;

use prost::Message;
use radapter_files::{IoError, Storage, write_synced};

use crate::proto::{self, Entry, Tensor};

/// Weights of so many bytes are in the second file, if there is one. Smaller tensors, such as shapes, are read while a graph is
/// analysed, before any data.
const SMALLEST_WEIGHT: usize = 1024;
/// Weights start at multiples of this in the second file, so that they can be mapped into memory.
const PAGE: usize = 4096;

/// A model as it is written.
#[derive(Clone, Debug)]
pub struct OnnxFile {
    name: String,
    model: proto::Model,
    most_bytes: usize,
}

impl OnnxFile {
    pub(crate) fn new(name: String, model: proto::Model, most_bytes: usize) -> Self {
        Self { name, model, most_bytes }
    }

    /// Returns the name of the model's file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of the file of its weights, if they have one.
    pub fn data_name(&self) -> Option<String> {
        (self.model.encoded_len() > self.most_bytes).then(|| format!("{}_data", self.name))
    }

    /// Returns the bytes of the model's file, without the weights that are in a file of their own.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self.data_name() {
            Some(data) => self.without_weights(&data).encode_to_vec(),
            None => self.model.encode_to_vec(),
        }
    }

    /// Writes the model, and its weights if they have a file of their own, into a folder.
    ///
    /// # Errors
    /// [`IoError`]; an incomplete file stays.
    pub fn write(&self, storage: &dyn Storage, folder: &Path) -> Result<(), IoError> {
        if let Some(data) = self.data_name() {
            write_synced(storage, &folder.join(data), |out| self.write_weights(out))?;
        }
        let bytes = self.to_bytes();
        write_synced(storage, &folder.join(&self.name), |out| out.write_all(&bytes))
    }

    fn tensors(&self) -> &[Tensor] {
        self.model.graph.as_ref().map_or(&[], |graph| &graph.initializer)
    }

    /// The model with references to the weights in another file.
    fn without_weights(&self, data: &str) -> proto::Model {
        let mut model = self.model.clone();
        let tensors = model.graph.iter_mut().flat_map(|graph| &mut graph.initializer);
        let mut offset = 0;
        for tensor in tensors {
            let Some(bytes) = weight(tensor) else { continue };
            let length = bytes.len();
            let entry = |key: &str, value: String| Entry { key: key.to_owned(), value };
            tensor.external_data = vec![
                entry("location", data.to_owned()),
                entry("offset", offset.to_string()),
                entry("length", length.to_string()),
            ];
            tensor.data_location = Some(Tensor::EXTERNAL);
            tensor.raw_data = None;
            offset = (offset + length).next_multiple_of(PAGE);
        }
        model
    }

    fn write_weights(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let mut written = 0usize;
        for bytes in self.tensors().iter().filter_map(weight) {
            out.write_all(&vec![0; written.next_multiple_of(PAGE) - written])?;
            out.write_all(bytes)?;
            written = written.next_multiple_of(PAGE) + bytes.len();
        }
        Ok(())
    }
}

/// The bytes of a tensor that is large enough for the second file.
fn weight(tensor: &Tensor) -> Option<&[u8]> {
    tensor.raw_data.as_deref().filter(|bytes| bytes.len() >= SMALLEST_WEIGHT)
}
