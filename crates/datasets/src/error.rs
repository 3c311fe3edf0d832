//! Errors of reading and writing data.

use std::path::{Path, PathBuf};

use radapter_files::{IoError, LfsPointer};

/// Why data cannot be read or written. Variants exist only where code distinguishes errors; the message has the details.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum DatasetError {
    #[error(transparent)]
    Io(#[from] IoError),
    #[error(transparent)]
    LfsPointer(#[from] LfsPointer),
    /// A file or folder has unexpected content. `problem` follows the path in the message.
    #[error("{}{problem}", path.display())]
    Content { path: PathBuf, problem: String },
    /// An option, or the choice of a data set, is out of range or does not fit the data.
    #[error("{0}")]
    Option(String),
    /// An option for captions in one format was given for captions in another.
    #[error(
        "the setting `{setting}` applies to the format `{only}`, but these captions have the format `{format}`; omit it"
    )]
    OtherForm { setting: &'static str, only: &'static str, format: &'static str },
    /// A folder has no images.
    #[error("{} has no image at any depth; expected files ending in {}", path.display(), extensions.join(", "))]
    NoImages { path: PathBuf, extensions: &'static [&'static str] },
    /// A worker thread panicked.
    #[error("reading {what} stopped unexpectedly: {message}")]
    Panicked { what: &'static str, message: String },
}

impl DatasetError {
    /// Creates the error `PATH: problem`.
    pub fn new(path: impl AsRef<Path>, problem: impl std::fmt::Display) -> Self {
        Self::Content { path: path.as_ref().to_owned(), problem: format!(": {problem}") }
    }

    /// Creates the error `PATH problem`, where the problem is a predicate: `has no split "val"; expected …`.
    pub fn about(path: impl AsRef<Path>, problem: impl std::fmt::Display) -> Self {
        Self::Content { path: path.as_ref().to_owned(), problem: format!(" {problem}") }
    }

    /// Creates the error `PATH, place: problem`, with a place in the file such as `line 3`.
    pub fn at(path: impl AsRef<Path>, place: impl std::fmt::Display, problem: impl std::fmt::Display) -> Self {
        Self::Content { path: path.as_ref().to_owned(), problem: format!(", {place}: {problem}") }
    }
}
