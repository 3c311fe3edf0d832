//! An architecture for weights that come without a config.

use std::path::Path;

use super::CheckpointError;
use crate::config::{ClipConfig, ConfigError};

/// The architecture that `name_or_file` names: a [preset](ClipConfig::preset), or a JSON file in OpenCLIP's form (with or
/// without `model_cfg`) or transformers'.
///
/// # Errors
/// [`CheckpointError::Config`] for a name that is neither a file nor a preset, and for a file whose config cannot be
/// built; [`CheckpointError::Io`] for a file that cannot be read.
pub fn architecture(name_or_file: &str) -> Result<ClipConfig, CheckpointError> {
    let path = Path::new(name_or_file);
    if !path.is_file() {
        return ClipConfig::preset(name_or_file).map_err(CheckpointError::config(path));
    }
    let text = std::fs::read_to_string(path).map_err(CheckpointError::io(path, "read"))?;
    let has = |key: &str| match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(json) => json.get(key).is_some_and(|value| !value.is_null()),
        Err(_) => false,
    };
    let config: Result<ClipConfig, ConfigError> = match has("text_config") || has("vision_config") {
        true => ClipConfig::from_hugging_face_json(&text, None),
        false => ClipConfig::from_open_clip_json(&text),
    };
    config.map_err(CheckpointError::config(path))
}
