//! Arrays in safetensors files.

use std::path::Path;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use radapter_datasets::DatasetError;

use super::arrays::{Array, Arrays, MOST, unfit};
use super::{check_bytes, read_error, refuse_lfs_pointer};

/// Reads the arrays of a safetensors file.
pub(super) fn read(path: &Path) -> Result<Arrays, DatasetError> {
    refuse_lfs_pointer(path)?;
    let failed = read_error(path);
    check_bytes(path, "a file", std::fs::metadata(path).map_err(failed)?.len(), MOST)?;
    let bytes = std::fs::read(path).map_err(failed)?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| failed(std::io::Error::other(error)))?;
    Ok(Arrays { masks: array(path, &file, "masks")?, scores: array(path, &file, "scores")? })
}

fn array(path: &Path, file: &SafeTensors<'_>, key: &'static str) -> Result<Option<Array>, DatasetError> {
    let Ok(tensor) = file.tensor(key) else { return Ok(None) };
    let bytes = tensor.data();
    let halves = |float: fn([u8; 2]) -> f32| bytes.as_chunks::<2>().0.iter().map(|bytes| float(*bytes)).collect();
    let values = match tensor.dtype() {
        Dtype::F16 => halves(|bytes| f16::from_le_bytes(bytes).to_f32()),
        Dtype::BF16 => halves(|bytes| bf16::from_le_bytes(bytes).to_f32()),
        Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        found => return Err(unfit(path, key, "F16, BF16 or F32", &format!("{found:?}"))),
    };
    Ok(Some(Array { shape: tensor.shape().to_vec(), values }))
}
