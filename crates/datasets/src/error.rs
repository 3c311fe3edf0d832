//! Errors of reading and writing data.

use std::path::{Path, PathBuf};

use radapter_files::IoError;

/// Why data cannot be read or written. Variants exist only where code tells errors apart; the message has the details.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are named in the message")]
pub enum DatasetError {
    #[error(transparent)]
    Io(#[from] IoError),
    /// A file or folder is not what was expected. `problem` is what follows the path in the message.
    #[error("{}{problem}", path.display())]
    Content { path: PathBuf, problem: String },
    /// An option, or the choice of a data set, that is out of range or does not fit the data.
    #[error("{0}")]
    Option(String),
    /// An option of captions in one form that was given for captions in another.
    #[error(
        "the setting `{setting}` is for the form `{only}`, but these captions have the form `{format}`; leave it out"
    )]
    OtherForm { setting: &'static str, only: &'static str, format: &'static str },
    /// A folder without images.
    #[error("{} has no image at any depth; expected files ending in {}", path.display(), extensions.join(", "))]
    NoImages { path: PathBuf, extensions: &'static [&'static str] },
    /// A worker thread panicked.
    #[error("reading {what} stopped unexpectedly: {message}")]
    Panicked { what: &'static str, message: String },
}

impl DatasetError {
    /// `PATH: problem`.
    pub fn new(path: impl AsRef<Path>, problem: impl std::fmt::Display) -> Self {
        Self::Content { path: path.as_ref().to_owned(), problem: format!(": {problem}") }
    }

    /// `PATH problem`, where the problem is a predicate: `has no split "val"; expected …`.
    pub fn about(path: impl AsRef<Path>, problem: impl std::fmt::Display) -> Self {
        Self::Content { path: path.as_ref().to_owned(), problem: format!(" {problem}") }
    }

    /// `PATH, place: problem`, with a place in the file such as `line 3`.
    pub fn at(path: impl AsRef<Path>, place: impl std::fmt::Display, problem: impl std::fmt::Display) -> Self {
        Self::Content { path: path.as_ref().to_owned(), problem: format!(", {place}: {problem}") }
    }
}
