//! Errors of weight-space ensembles.

use radapter_adapter::AdapterError;
use radapter_files::IoError;
use thiserror::Error;

/// Why models cannot be mixed.
#[derive(Debug, Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum EnsembleError {
    /// Too few models.
    #[error("{what} needs at least {least} models, found {found}")]
    TooFew { what: &'static str, least: usize, found: usize },
    /// A tensor that one of the models lacks.
    #[error("`{without}` has no tensor `{tensor}`, which `{with}` has; expected models of the same architecture")]
    Missing { tensor: String, with: String, without: String },
    /// A tensor of two shapes.
    #[error(
        "tensor `{tensor}`: shape {first_shape:?} in `{first}`, {other_shape:?} in `{other}`; expected models of the same \
         architecture"
    )]
    Shape { tensor: String, first: String, first_shape: Vec<usize>, other: String, other_shape: Vec<usize> },
    /// Adapters trained on different models.
    #[error(
        "the adapters of `{first}` and of `{other}` were trained on different models (hashes {first_base} and \
         {other_base}); expected the same base"
    )]
    OtherBase { first: String, first_base: String, other: String, other_base: String },
    /// An adapter at a place where one of the models has none.
    #[error("`{without}` has no adapter at {place}, where `{with}` has one; expected adapters at the same places")]
    Place { place: String, with: String, without: String },
    #[error(transparent)]
    Adapters(#[from] AdapterError),
    /// The temporary file of the result's tensors.
    #[error(transparent)]
    Io(#[from] IoError),
}
