//! What this crate refuses.

use std::path::PathBuf;

use radapter_clip::checkpoint::CheckpointError;
use radapter_clip::model::ModelError;

use crate::AlphaError;

/// Why adapters could not be built, read, written or merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// A setting that cannot be.
    #[error("{key} = {found} is refused: expected {expected}")]
    Setting {
        /// The setting's key in a configuration file.
        key: &'static str,
        /// The value given.
        found: String,
        /// What would be taken.
        expected: String,
    },
    /// A tensor whose name is none of an adapter's.
    #[error(
        "`{key}` is no adapter tensor: expected `{{visual|text}}.{{layer}}.{{attn|mlp}}.{{weight|down|up|scale}}`, as in \
         `visual.0.attn.weight`"
    )]
    UnknownKey {
        /// The name found.
        key: String,
    },
    /// An adapter of which a tensor is missing.
    #[error("adapter `{place}` lacks `{missing}`: expected `weight`, or `down` and `up`")]
    Incomplete {
        /// Where the adapter stands.
        place: String,
        /// The tensor that is not there.
        missing: &'static str,
    },
    /// An adapter that is given in full and as a product.
    #[error("adapter `{place}` has both `weight` and `down`/`up`: expected one of the two forms")]
    TwoForms {
        /// Where the adapter stands.
        place: String,
    },
    /// No adapter at all.
    #[error("there is no adapter: expected tensors such as `visual.0.attn.weight`")]
    Empty,
    /// A tensor of another shape than its place asks for.
    #[error("`{key}` has shape {found:?}, expected {expected}")]
    Shape {
        /// The tensor's name.
        key: String,
        /// The shape asked for, and by what.
        expected: String,
        /// The shape found.
        found: Vec<usize>,
    },
    /// A value that is NaN or infinite.
    #[error("`{key}` holds {count} values that are NaN or infinite: the file is damaged or the training diverged")]
    NotFinite {
        /// The tensor's name.
        key: String,
        /// How many values.
        count: usize,
    },
    /// An adapter for a block that the model does not have.
    #[error("adapter `{place}` has no place in this model, whose {tower} tower has layers 0 to {last}")]
    NoSuchPlace {
        /// Where the adapter would stand.
        place: String,
        /// The tower's name.
        tower: String,
        /// The tower's last layer.
        last: usize,
    },
    /// Adapters at other places, or of another form, than the model has.
    #[error("adapter `{place}`: expected {expected}, found {found}")]
    Mismatch {
        /// Where the two differ.
        place: String,
        /// What the model has there.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A file in no format, or in another one, than this version reads.
    #[error("its metadata `format` is {found}, expected `radapter-adapters-v1`: it is no adapter file of this version")]
    Format {
        /// What stands there.
        found: String,
    },
    /// Metadata that cannot be read.
    #[error("its metadata `{key}` cannot be read: {reason}")]
    Metadata {
        /// The metadata's key.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Adapters that were trained on another model.
    #[error(
        "these adapters belong to another model: they were trained on the one with hash {expected}, this one has \
         {found}. Use the model they were trained on"
    )]
    OtherBase {
        /// The hash in the file.
        expected: String,
        /// The hash of the model at hand.
        found: String,
    },
    /// A model that lacks a tensor which an adapter is merged into, or holds it in another shape.
    #[error("the model's tensor `{key}` cannot take an adapter: expected {expected}, found {found}")]
    Base {
        /// The tensor's name.
        key: String,
        /// What the adapter asks for.
        expected: String,
        /// What the model has.
        found: String,
    },
    /// A merged model that does not do what the unmerged one did.
    #[error(
        "the merged model is not the adapted one: their embeddings of a probe batch are {difference:e} apart, expected at \
         most {tolerance:e}. Do not use it; if the device computes in reduced precision, merge on the CPU"
    )]
    MergeDiffers {
        /// The largest distance found; NaN if an embedding is.
        difference: f64,
        /// The largest distance allowed.
        tolerance: f64,
    },
    /// An α out of range.
    #[error(transparent)]
    Alpha(#[from] AlphaError),
    /// A checkpoint that makes no model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A safetensors file that cannot be read or written.
    #[error(transparent)]
    File(#[from] CheckpointError),
    /// Any of these in a file.
    #[error("{}: {problem}", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: Box<AdapterError>,
    },
}

impl AdapterError {
    /// The same error, with the file it was found in. Errors that name one already stay as they are.
    pub(crate) fn in_file(self, path: &std::path::Path) -> Self {
        match self {
            Self::File(_) | Self::In { .. } => self,
            other => Self::In { path: path.to_owned(), problem: Box::new(other) },
        }
    }
}
