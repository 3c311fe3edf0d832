//! Why an index cannot be read, searched or brought up to date.

use std::path::PathBuf;

use radapter_clip::checkpoint::CheckpointError;
use radapter_datasets::DatasetError;
use radapter_embedding::EmbedError;
use radapter_files::IoError;
use radapter_images::DecodeMode;

/// Why an index cannot be read, searched or brought up to date.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum IndexError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The directory is no index.
    #[error("{} is no index (it has no index.json); make one with `radapter index`", path.display())]
    NoIndex { path: PathBuf },
    /// A directory that is neither an index nor empty.
    #[error("{} is no index and has {found} in it; name a new or an empty directory", path.display())]
    NotEmpty {
        path: PathBuf,
        /// One of its entries.
        found: String,
    },
    /// The manifest cannot be read.
    #[error("{}: {reason}", path.display())]
    Manifest { path: PathBuf, reason: String },
    /// A segment is not as the manifest says.
    #[error("{}: expected {expected}, found {found}; remove the index and make it anew", path.display())]
    Segment {
        path: PathBuf,
        /// What should be there.
        expected: String,
        found: String,
    },
    /// A segment is damaged.
    #[error("{0}; remove the index and make it anew")]
    Damaged(Box<CheckpointError>),
    /// The index was made by another model.
    #[error(
        "{} was made by another model ({recorded}, hash {expected}), this one ({given}) has {found}: embeddings of two models cannot \
         be compared; give that model, or make another index", path.display()
    )]
    OtherModel {
        /// The index.
        path: PathBuf,
        /// The name of its model.
        recorded: String,
        /// The hash of its model.
        expected: String,
        /// The name of the model at hand.
        given: String,
        /// The hash of the model at hand.
        found: String,
    },
    /// The index was made of images that were decoded in another way.
    #[error("{} was made with decode = {recorded}, not {given}: give that, or make another index", path.display())]
    OtherDecoding {
        /// The index.
        path: PathBuf,
        /// How its images were decoded.
        recorded: DecodeMode,
        /// How these would be.
        given: DecodeMode,
    },
    /// The index is of another folder.
    #[error(
        "{} is of the images in {}, not of those in {}: make another index, or say that they were moved (--moved)",
        path.display(), recorded.display(), given.display()
    )]
    OtherFolder {
        /// The index.
        path: PathBuf,
        recorded: PathBuf,
        /// The folder at hand.
        given: PathBuf,
    },
    /// No image is left in the folder.
    #[error(
        "no image is below {}, so that the index {} is left as it was; if they are gone for good, remove the index", images.display(), path.display()
    )]
    NoneLeft {
        images: PathBuf,
        /// The index.
        path: PathBuf,
    },
    /// An image whose name is no text.
    #[error("{}: its path is not UTF-8, and the names of an index are; rename it, or skip it", path.display())]
    Name {
        /// The image.
        path: PathBuf,
    },
    /// Another process works on the index.
    #[error("{} is being brought up to date by another process; wait for it, or stop it", path.display())]
    Busy {
        /// The index.
        path: PathBuf,
    },
    /// An index without images.
    #[error("the index {} has no images", path.display())]
    Empty {
        /// The index.
        path: PathBuf,
    },
    /// A query of another length.
    #[error("the query has {found} values and the index's embeddings {expected}: they are of different models")]
    Dim {
        /// Length of the index's.
        expected: usize,
        /// Length of the query.
        found: usize,
    },
    /// The folder of images.
    #[error(transparent)]
    Folder(#[from] DatasetError),
    /// The images.
    #[error(transparent)]
    Embed(#[from] EmbedError),
}

impl From<CheckpointError> for IndexError {
    fn from(error: CheckpointError) -> Self {
        Self::Damaged(Box::new(error))
    }
}
