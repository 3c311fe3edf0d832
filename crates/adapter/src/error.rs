//! Why adapters could not be built, read, written or merged.

use std::path::PathBuf;

use radapter_clip::checkpoint::CheckpointError;
use radapter_clip::model::ModelError;
use radapter_settings::SettingsError;

/// Why adapters could not be built, read, written or merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum AdapterError {
    /// A setting out of range.
    #[error("{key} = {found} is refused: expected {expected}")]
    Setting {
        /// The setting's key in a configuration file.
        key: &'static str,
        found: String,
        expected: String,
    },
    /// A tensor whose name is not an adapter's.
    #[error(
        "`{key}` is not an adapter tensor: expected `{{visual|text}}.{{layer}}.{{attn|mlp}}.{{weight|down|up|scale}}`, as in \
         `visual.0.attn.weight`"
    )]
    UnknownKey { key: String },
    /// An adapter with a missing tensor.
    #[error("adapter `{place}` lacks `{missing}`: expected `weight`, or `down` and `up`")]
    Incomplete { place: String, missing: &'static str },
    /// An adapter with both forms of the map.
    #[error("adapter `{place}` has both `weight` and `down`/`up`: expected one of the two forms")]
    TwoForms { place: String },
    /// A set without adapters.
    #[error("no adapters: expected tensors such as `visual.0.attn.weight`")]
    Empty,
    /// A tensor of another shape than its place asks for.
    #[error("`{key}` has shape {found:?}, expected {expected}")]
    Shape {
        key: String,
        /// The shape asked for, and by what.
        expected: String,
        found: Vec<usize>,
    },
    /// A value that is NaN or infinite.
    #[error("`{key}` holds {count} values that are NaN or infinite: the file is damaged or the training diverged")]
    NotFinite { key: String, count: usize },
    /// An adapter for a block that the model does not have.
    #[error("adapter `{place}` does not fit this model: its {tower} tower has layers 0 to {last}")]
    NoSuchPlace { place: String, tower: String, last: usize },
    /// Adapters at other places, or of another form, than the model has.
    #[error("adapter `{place}`: expected {expected}, found {found}")]
    Mismatch {
        /// The first place where they differ.
        place: String,
        expected: String,
        found: String,
    },
    /// A file of another format.
    #[error("metadata `format` is {found}, expected `radapter-adapters-v1`: not an adapter file of this version")]
    Format { found: String },
    /// Metadata that cannot be read.
    #[error("metadata `{key}` cannot be read: {reason}")]
    Metadata { key: &'static str, reason: String },
    /// Adapters that were trained on another model.
    #[error(
        "these adapters belong to another model: they were trained on the one with hash {expected}, this one has \
         {found}. Use the model they were trained on"
    )]
    OtherBase { expected: String, found: String },
    /// A model that lacks a tensor which an adapter is merged into, or holds it in another shape.
    #[error("the model's tensor `{key}` cannot take an adapter: expected {expected}, found {found}")]
    Base { key: String, expected: String, found: String },
    /// A merged model whose embeddings differ from the unmerged one's.
    #[error(
        "the merged model differs from the adapted one: their embeddings of a probe batch are {difference:e} apart, expected at \
         most {tolerance:e}. Do not use it; if the device computes in reduced precision, merge on the CPU"
    )]
    MergeDiffers {
        /// The largest distance found; NaN if an embedding is.
        difference: f64,
        /// The largest distance allowed.
        tolerance: f64,
    },
    #[error(transparent)]
    Alpha(#[from] SettingsError),
    /// A checkpoint that does not fit its architecture.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A safetensors file that cannot be read or written.
    #[error(transparent)]
    File(#[from] CheckpointError),
    /// One of these errors, in a file.
    #[error("{}: {problem}", path.display())]
    In { path: PathBuf, problem: Box<AdapterError> },
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
