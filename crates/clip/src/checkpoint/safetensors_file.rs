//! The safetensors format: reading, with errors that name the place in the file, and writing into any `Write`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;
use radapter_files::{io_error, refuse_lfs_pointer};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata, SafeTensorError};
use serde_json::{Map, Value, json};

use super::CheckpointError;
use super::stored_tensor::{Content, StoredTensor, TensorFile};
use crate::state_dict::{RawTensor, StateDict, StoredDtype, TensorBytes};

/// Bytes of the header's length, at the start of the file.
const LENGTH_BYTES: usize = 8;

/// A safetensors file's tensors, under the file's names, and its free-form metadata.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "names say what is not documented")]
pub struct SafetensorsFile {
    pub tensors: StateDict,
    /// The entries of `__metadata__`.
    pub metadata: BTreeMap<String, String>,
}

/// Reads a safetensors file whose tensors are all f32, f16 or bf16. Their bytes stay in the mapped file.
///
/// # Errors
/// [`CheckpointError::Damaged`] for a file that is cut off or contradicts itself, [`CheckpointError::Dtype`] for any other
/// dtype, and [`CheckpointError::Io`].
pub fn read_safetensors(path: impl AsRef<Path>) -> Result<SafetensorsFile, CheckpointError> {
    let path = path.as_ref();
    collect(open(path)?, path)
}

/// Reads a safetensors file in memory; errors name `origin`.
///
/// # Errors
/// As [`read_safetensors`].
pub fn read_safetensors_bytes(bytes: Vec<u8>, origin: impl AsRef<Path>) -> Result<SafetensorsFile, CheckpointError> {
    let origin = origin.as_ref();
    collect(parse(&bytes.into(), origin)?, origin)
}

fn collect(file: (TensorFile, BTreeMap<String, String>), path: &Path) -> Result<SafetensorsFile, CheckpointError> {
    let (file, metadata) = file;
    let tensors = file.into_iter().map(|(name, stored)| {
        let tensor = stored.read(path, &name)?;
        Ok((name, tensor))
    });
    Ok(SafetensorsFile { tensors: tensors.collect::<Result<_, CheckpointError>>()?, metadata })
}

/// Maps a file and parses its header.
pub(super) fn open(path: &Path) -> Result<(TensorFile, BTreeMap<String, String>), CheckpointError> {
    let file = File::open(path).map_err(io_error("open", path))?;
    let length = file.metadata().map_err(io_error("open", path))?.len();
    if length == 0 {
        return Err(CheckpointError::damaged(path, None, "the file is empty"));
    }
    // SAFETY: the map is only read, as plain bytes. If another process writes into the file, the bytes change as they
    // would between two reads; if one truncates it, this process is killed. Replacing a file by renaming, as this crate
    // does, leaves the mapped one unchanged.
    let map = unsafe { Mmap::map(&file) }.map_err(io_error("map into memory", path))?;
    parse(&TensorBytes::mapped(Arc::new(map)), path)
}

/// Parses a file's header; the tensors share its bytes.
pub(super) fn parse(
    bytes: &TensorBytes,
    path: &Path,
) -> Result<(TensorFile, BTreeMap<String, String>), CheckpointError> {
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| explain(bytes, &error, path))?;
    let start = LENGTH_BYTES + header;
    let mut file = TensorFile::new();
    for (name, info) in metadata.tensors() {
        let (from, to) = info.data_offsets;
        let content = match bytes.slice(start + from..start + to) {
            Some(bytes) => Content::Bytes(bytes),
            None => return Err(CheckpointError::damaged(path, Some(&name), "its bytes lie outside the file")),
        };
        let dtype = stored_dtype(info.dtype).ok_or_else(|| format!("{:?}", info.dtype));
        file.insert(name, StoredTensor { dtype, shape: info.shape.clone(), content });
    }
    Ok((file, free_metadata(&metadata)))
}

fn free_metadata(metadata: &Metadata) -> BTreeMap<String, String> {
    metadata.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn stored_dtype(dtype: Dtype) -> Option<StoredDtype> {
    match dtype {
        Dtype::F32 => Some(StoredDtype::F32),
        Dtype::F16 => Some(StoredDtype::F16),
        Dtype::BF16 => Some(StoredDtype::BF16),
        _ => None,
    }
}

/// Finds what is wrong in a header that the library refused: most of its errors name no tensor.
fn explain(bytes: &[u8], error: &SafeTensorError, path: &Path) -> CheckpointError {
    if let Err(pointer) = refuse_lfs_pointer(path, bytes) {
        return pointer.into();
    }
    let damaged = |key: Option<&str>, reason: String| CheckpointError::damaged(path, key, reason);
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return damaged(None, format!("expected at least {LENGTH_BYTES} bytes, found {}", bytes.len()));
    };
    let length = u64::from_le_bytes(*length);
    let header = usize::try_from(length).ok().and_then(|length| rest.get(..length));
    let Some(header) = header else {
        return damaged(None, format!("the header has {length} bytes by its length field, found {}", rest.len()));
    };
    let data = (rest.len() - header.len()) as u64;
    let header: Map<String, Value> = match serde_json::from_slice(header) {
        Ok(header) => header,
        Err(json) => return damaged(None, format!("the header is not a JSON object: {json}")),
    };
    let mut ends = vec![0];
    for (name, info) in header.iter().filter(|(name, _)| *name != "__metadata__") {
        let offsets = info["data_offsets"].as_array().map(|list| list.iter().map(Value::as_u64).collect::<Vec<_>>());
        let Some([Some(from), Some(to)]) = offsets.as_deref() else {
            return damaged(Some(name), format!("expected two data_offsets, found {}", info["data_offsets"]));
        };
        if from > to || *to > data {
            let end = format!("expected data_offsets within the {data} bytes of data, found {from} to {to}");
            return damaged(Some(name), end);
        }
        let elements = info["shape"].as_array().and_then(|shape| {
            shape.iter().try_fold(1u64, |product, axis| axis.as_u64().and_then(|axis| product.checked_mul(axis)))
        });
        let size = match info["dtype"].as_str() {
            Some("F64" | "I64" | "U64" | "C64") => 8,
            Some("F32" | "I32" | "U32") => 4,
            Some("F16" | "BF16" | "I16" | "U16") => 2,
            Some("BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3") => 1,
            _ => return damaged(Some(name), format!("expected a dtype such as F32, found {}", info["dtype"])),
        };
        let found = to - from;
        if elements.and_then(|elements| elements.checked_mul(size)) != Some(found) {
            let (shape, dtype) = (&info["shape"], &info["dtype"]);
            return damaged(Some(name), format!("shape {shape} in {dtype} does not take {found} bytes"));
        }
        ends.push(*to);
    }
    match ends.iter().max() {
        Some(&end) if end < data => damaged(None, format!("expected {end} bytes of data, found {data}")),
        _ => damaged(None, format!("the header is not consistent: {error}")),
    }
}

/// Writes a safetensors file, tensors sorted by name.
///
/// # Errors
/// The errors of `out`.
pub fn write_safetensors(
    out: &mut impl Write,
    tensors: &StateDict,
    metadata: &BTreeMap<String, String>,
) -> std::io::Result<()> {
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".into(), json!(metadata));
    }
    // Wider dtypes first, so that every tensor starts at a multiple of its values' size.
    let mut sorted: Vec<(&str, &RawTensor)> = tensors.iter().collect();
    sorted.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype().size()));
    let mut offset = 0;
    for (name, tensor) in &sorted {
        let end = offset + tensor.bytes().len();
        let dtype = match tensor.dtype() {
            StoredDtype::F32 => "F32",
            StoredDtype::F16 => "F16",
            StoredDtype::BF16 => "BF16",
        };
        let info = json!({ "dtype": dtype, "shape": tensor.shape(), "data_offsets": [offset, end] });
        header.insert((*name).to_owned(), info);
        offset = end;
    }
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(LENGTH_BYTES), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    sorted.iter().try_for_each(|(_, tensor)| {
        out.write_all(tensor.bytes())?;
        tensor.release();
        Ok(())
    })
}

/// Writes a safetensors file under a temporary name beside `path`, syncs it and renames it to `path`.
///
/// # Errors
/// [`CheckpointError::Io`]; an existing file at `path` is unchanged, and nothing else is left behind.
pub fn write_safetensors_file(
    path: impl AsRef<Path>,
    tensors: &StateDict,
    metadata: &BTreeMap<String, String>,
) -> Result<(), CheckpointError> {
    Ok(radapter_files::write_with(&radapter_files::Disk, path.as_ref(), |mut out| {
        write_safetensors(&mut out, tensors, metadata)
    })?)
}
