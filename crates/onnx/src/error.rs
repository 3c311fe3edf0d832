//! Why a model could not be written as ONNX.

use radapter_adapter::AdapterError;
use radapter_clip::config::ConfigError;
use radapter_clip::state_dict::TensorError;
use radapter_files::IoError;
use thiserror::Error;

use crate::Opset;

/// Why a model could not be written as ONNX.
#[derive(Debug, Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum OnnxError {
    /// A version of the operators that is not supported.
    #[error("opset {found} is not supported; expected {} to {}", Opset::LOWEST, Opset::HIGHEST)]
    Opset { found: i64 },
    /// A tensor that is missing, or has a value beyond f16.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// Preprocessing that transformers' processor does not have.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Adapters of another model.
    #[error(transparent)]
    Adapters(#[from] AdapterError),
    #[error(transparent)]
    Io(#[from] IoError),
}
