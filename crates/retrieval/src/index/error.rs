//! Errors of an index.

use std::path::PathBuf;

use radapter_clip::checkpoint::CheckpointError;
use radapter_clip::model::Precision;
use radapter_datasets::DatasetError;
use radapter_embedding::EmbedError;
use radapter_files::IoError;
use radapter_images::DecodeMode;

/// Why an index cannot be read, searched or updated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum IndexError {
    /// The operating system reported an error.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The directory does not hold an index.
    #[error("{} is not an index: it has no index.json; create one with `radapter index`", path.display())]
    NoIndex { path: PathBuf },
    /// A directory that is neither an index nor empty.
    #[error("{} is not an index, and it contains {found}; choose a new or empty directory", path.display())]
    NotEmpty {
        path: PathBuf,
        /// One of its entries.
        found: String,
    },
    /// The manifest cannot be read.
    #[error("{}: {reason}", path.display())]
    Manifest { path: PathBuf, reason: String },
    /// A segment differs from the manifest.
    #[error("{}: expected {expected}, found {found}; remove the index and create it again", path.display())]
    Segment { path: PathBuf, expected: String, found: String },
    /// A segment is damaged.
    #[error("{0}; remove the index and create it again")]
    Damaged(Box<CheckpointError>),
    /// The index was created with another model.
    #[error(
        "{} was created with another model: {recorded} (hash {expected}), found {given} (hash {found}); embeddings of different models cannot \
         be compared. Use the recorded model, or create another index", path.display()
    )]
    OtherModel {
        path: PathBuf,
        recorded: String,
        /// The hash of the recorded model.
        expected: String,
        given: String,
        /// The hash of the given model.
        found: String,
    },
    /// The images of the index were decoded in another mode.
    #[error("{} was created with decode = {recorded}, not {given}; use that, or create another index", path.display())]
    OtherDecoding { path: PathBuf, recorded: DecodeMode, given: DecodeMode },
    /// The embeddings of the index were computed in another precision.
    #[error(
        "{} was created in {recorded}, not {given}; pass --precision auto or {recorded}, or create another index in {given}",
        path.display()
    )]
    OtherPrecision { path: PathBuf, recorded: Precision, given: Precision },
    /// The index belongs to another folder.
    #[error(
        "{} indexes the images in {}, not those in {}; create another index, or pass --moved if the images were moved",
        path.display(), recorded.display(), given.display()
    )]
    OtherFolder { path: PathBuf, recorded: PathBuf, given: PathBuf },
    /// The folder no longer has any image.
    #[error(
        "{}: no image found, so the index {} is left as it was; remove the index if the images were deleted on purpose", images.display(), path.display()
    )]
    NoneLeft { images: PathBuf, path: PathBuf },
    /// The path of an image is not UTF-8.
    #[error("{}: the path is not UTF-8 and cannot be indexed; rename it, or skip it", path.display())]
    Name { path: PathBuf },
    /// Another process is updating the index.
    #[error("{} is being updated by another process; wait for it, or stop it", path.display())]
    Busy { path: PathBuf },
    /// The index has no images.
    #[error("the index {} has no images", path.display())]
    Empty { path: PathBuf },
    /// The query has another length than the embeddings.
    #[error("the query has {found} values and the index's embeddings {expected}: they belong to different models")]
    Dim { expected: usize, found: usize },
    /// The folder of images cannot be read.
    #[error(transparent)]
    Folder(#[from] DatasetError),
    /// An image cannot be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
}

impl From<CheckpointError> for IndexError {
    fn from(error: CheckpointError) -> Self {
        Self::Damaged(Box::new(error))
    }
}
