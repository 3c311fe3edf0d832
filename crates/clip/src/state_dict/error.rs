//! Why a tensor is invalid, or cannot be converted.

use thiserror::Error;

use super::StoredDtype;

/// What is wrong with a tensor. `name` is empty for a tensor without one.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum TensorError {
    /// The number of bytes does not fit shape and dtype.
    #[error("tensor `{name}`: shape {shape:?} in {dtype} takes {expected} bytes, found {found}")]
    Size {
        name: String,
        shape: Vec<usize>,
        dtype: StoredDtype,
        /// Bytes of that shape and dtype; `usize::MAX` if the size overflows.
        expected: usize,
        found: usize,
    },
    /// NaN or infinite values.
    #[error(
        "tensor `{name}` holds {nan} NaN and {infinite} infinite values of {total}: the checkpoint is damaged or its \
         training diverged"
    )]
    NotFinite { name: String, nan: usize, infinite: usize, total: usize },
    #[error("tensor `{name}` is missing")]
    Missing { name: String },
    /// A shape that an operation does not support.
    #[error("tensor `{name}`: expected {expected}, found {found}")]
    Shape {
        name: String,
        /// The shapes that the operation supports.
        expected: String,
        /// The shape, and the dtype where that matters.
        found: String,
    },
    /// A finite value that becomes infinite in the dtype asked for.
    #[error("tensor `{name}`: value {value} does not fit into {dtype}; store it as f32 or bf16")]
    Overflow {
        name: String,
        /// The value of the largest magnitude.
        value: f32,
        dtype: StoredDtype,
    },
}

impl TensorError {
    /// Returns the same error for the tensor of this name.
    pub fn named(mut self, tensor: &str) -> Self {
        match &mut self {
            Self::Size { name, .. }
            | Self::NotFinite { name, .. }
            | Self::Missing { name }
            | Self::Shape { name, .. }
            | Self::Overflow { name, .. } => tensor.clone_into(name),
        }
        self
    }
}
