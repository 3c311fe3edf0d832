//! Errors of suites.

use std::path::PathBuf;

use radapter_datasets::DatasetError;
use radapter_datasets::labelled::UnknownClasses;
use radapter_files::IoError;

use crate::classes::ClassesError;

/// Why a suite is invalid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum SuiteError {
    /// A file could not be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A file has another form.
    #[error("{path}: {message}", path = path.display())]
    Form {
        path: PathBuf,
        /// The problem and its position.
        message: String,
    },
    /// The set has classes that the model lacks.
    #[error("set `{set}`: {error}")]
    UnknownClasses { set: String, error: UnknownClasses },
    /// The model lacks a class that the answers are restricted to, or its classes are invalid.
    #[error("set `{set}`: {error}")]
    Classes { set: String, error: ClassesError },
    /// An image's class is not among the candidates of its set.
    #[error("set `{set}` has images of {folders}, not among the {count} classes that its answers are restricted to")]
    OutsideSubset {
        set: String,
        /// Comma-separated.
        folders: String,
        count: usize,
    },
    /// A data set could not be read.
    #[error("set `{set}`: {error}")]
    Data { set: String, error: DatasetError },
    /// A set has another number of images than the suite says.
    #[error(
        "suite {suite}: set `{set}` has {found} images, expected {expected}; {}",
        if found < expected { "it is incomplete: download or unpack it again" } else { "remove what does not belong to it" }
    )]
    Images { suite: String, set: String, expected: u64, found: u64 },
    /// Sets of the ImageNet family are missing.
    #[error("below {root}: no {missing}; expected ImageNet's usual layout (add these sets, or choose among the others)", root = root.display())]
    MissingSets {
        root: PathBuf,
        /// The missing folders, comma-separated.
        missing: String,
    },
    /// The model does not have ImageNet's classes.
    #[error(
        "the model lacks {missing} of ImageNet's 1000 classes (the first is `{first}`), so that its numbers cannot be compared with \
         others; use a zero-shot classifier or a run on all classes, whose folders are WordNet ids"
    )]
    NotImageNet {
        missing: usize,
        /// The first missing class.
        first: &'static str,
    },
    /// The suite has no shifted set.
    #[error("a suite's row needs at least one shifted set to average over")]
    NoShiftedSet,
}
