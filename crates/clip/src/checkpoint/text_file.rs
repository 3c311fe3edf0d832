//! Reads the text files beside the weights.

use std::path::Path;

use radapter_files::{io_error, is_lfs_pointer, json_reason};
use serde_json::Value;

use super::CheckpointError;

/// Reads a file of text, which may be a pointer of Git LFS instead.
pub(super) fn read(path: &Path) -> Result<String, CheckpointError> {
    let text = std::fs::read_to_string(path).map_err(io_error("read", path))?;
    refuse_lfs_pointer(path, text.as_bytes())?;
    Ok(text)
}

/// Reads a file that must be JSON.
pub(super) fn read_json(path: &Path) -> Result<Value, CheckpointError> {
    let text = read(path)?;
    serde_json::from_str(&text).map_err(|error| {
        CheckpointError::damaged(path, None, format!("not JSON: {}", json_reason(text.as_bytes(), &error)))
    })
}

/// Refuses a file that starts as a pointer of Git LFS does.
pub(super) fn refuse_lfs_pointer(path: &Path, start: &[u8]) -> Result<(), CheckpointError> {
    match is_lfs_pointer(start) {
        true => Err(CheckpointError::LfsPointer { path: path.to_owned() }),
        false => Ok(()),
    }
}
