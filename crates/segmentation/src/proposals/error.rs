//! Why there are no proposals.

use std::io;
use std::path::{Path, PathBuf};

use radapter_files::{IoError, io_error};

use crate::mask::RleError;

/// Why there are no proposals.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum ProposalError {
    /// A file or folder could not be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A file that is larger than is sensible.
    #[error("{}: {what} of {found} bytes is refused: expected at most {most}", path.display())]
    TooLarge {
        path: PathBuf,
        /// What is too large.
        what: &'static str,
        /// Its size.
        found: u64,
        /// The limit.
        most: u64,
    },
    /// A folder without proposals, or with those of several forms.
    #[error(
        "{}: expected proposals of one form, as .json (run lengths), .png (id maps), .npz or .safetensors (logits), one file for each \
         image with its name; found {found}", path.display()
    )]
    Folder { path: PathBuf, found: String },
    /// JSON of another form.
    #[error("{}: {reason}; expected COCO's results form, a list of records with `segmentation` as run lengths", path.display())]
    Json { path: PathBuf, reason: String },
    /// A record with a mask that is none.
    #[error("{}, record {record}: {error}", path.display())]
    Mask {
        path: PathBuf,
        /// Its place in the list.
        record: usize,
        /// What is wrong.
        error: RleError,
    },
    /// A mask of another size than its image.
    #[error(
        "{}, {what}: {found_width} × {found_height} pixels, and the image {image} has {width} × {height}: run lengths and id maps \
         have to be of the image's own size", path.display()
    )]
    Size {
        path: PathBuf,
        /// "record 3" or "the id map".
        what: String,
        image: String,
        /// The image's width.
        width: usize,
        /// The image's height.
        height: usize,
        /// The mask's width.
        found_width: usize,
        /// The mask's height.
        found_height: usize,
    },
    /// A score that is no weight.
    #[error("{}, record {record}: `score` is {found}: expected a number from 0 that f32 can hold", path.display())]
    Score {
        path: PathBuf,
        /// Its place in the list.
        record: usize,
        /// The score.
        found: f64,
    },
    /// An id map that is none.
    #[error("{}: {reason}; expected an id map: a grey or palette PNG of 8 or 16 bits, 0 for no mask", path.display())]
    IdMap { path: PathBuf, reason: String },
    /// An array that is missing, or of another shape or type.
    #[error("{}, `{key}`: expected {expected}, found {found}", path.display())]
    Array {
        path: PathBuf,
        /// The array.
        key: &'static str,
        /// What should be there.
        expected: String,
        found: String,
    },
    /// The proposals are those of other images.
    #[error(
        "{} has no proposals for any of the {images} images: it is for {example}, and the first image is {image}", path.display()
    )]
    OtherImages {
        path: PathBuf,
        images: usize,
        /// An image the proposals are for.
        example: String,
        /// An image that is asked for.
        image: String,
    },
    /// Proposals that could be for two of the images.
    #[error(
        "{}: what it has for {key} may be for {first} or for {second}: name images by their paths below the images' folder", path.display()
    )]
    Ambiguous {
        path: PathBuf,
        /// What the proposals are known by.
        key: String,
        /// An image.
        first: String,
        /// Another.
        second: String,
    },
    /// Ground-truth masks of an image that has no annotation.
    #[error("the image {image} has no annotation to take its segments of")]
    NoAnnotation { image: String },
    /// An annotation.
    #[error(transparent)]
    LabelMap(#[from] radapter_datasets::label_map::LabelMapError),
}

/// What a failure to read proposals becomes.
pub(super) fn read_error(path: &Path) -> impl Fn(io::Error) -> ProposalError + Copy {
    move |error| io_error("read the proposals", path)(error).into()
}
