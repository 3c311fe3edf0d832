//! Reads the text files beside the weights.

use std::path::Path;

use radapter_files::{io_error, json_reason, refuse_lfs_pointer};
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
