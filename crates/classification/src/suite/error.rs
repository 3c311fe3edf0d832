//! What is wrong with a suite.

use std::path::PathBuf;

use radapter_datasets::DatasetError;
use radapter_files::IoError;

use crate::classes::ClassesError;

/// What is wrong with a suite.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are named for what they hold")]
pub enum SuiteError {
    /// A file that could not be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A file of another form.
    #[error("{path}: {message}", path = path.display())]
    Form {
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// A class that the model lacks.
    #[error("set `{set}`: {error}")]
    Classes {
        /// The data set.
        set: String,
        /// Which class.
        error: ClassesError,
    },
    /// An image of a class that does not compete on its set.
    #[error(
        "set `{set}` has images of `{folder}`, which is not among the {count} classes that its answers are restricted to"
    )]
    OutsideSubset {
        /// The data set.
        set: String,
        /// The image's class.
        folder: String,
        /// How many classes compete.
        count: usize,
    },
    /// A data set that could not be read.
    #[error("set `{set}`: {error}")]
    Data {
        /// The data set.
        set: String,
        error: DatasetError,
    },
    /// Sets of the ImageNet family that are not there.
    #[error("below {root}: no {missing}; expected ImageNet's usual layout (choose the sets that are there, or add these)", root = root.display())]
    MissingSets {
        /// The folder that should hold all sets.
        root: PathBuf,
        /// The folders that are not there.
        missing: String,
    },
    /// A model that does not know ImageNet's classes.
    #[error(
        "the model lacks {missing} of ImageNet's 1000 classes (the first is `{first}`), so that its numbers cannot be compared with \
         others; use a zero-shot classifier or a run on all classes, whose folders are WordNet ids"
    )]
    NotImageNet {
        /// How many classes it lacks.
        missing: usize,
        /// The first of them.
        first: &'static str,
    },
    /// No shifted set.
    #[error("a suite's row needs at least one shifted set to average over")]
    NoShiftedSet,
}
