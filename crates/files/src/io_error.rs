//! The I/O error that all crates share.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// An operating system error, with what was attempted and where.
///
/// The text is complete: it ends with the system's error, which is therefore not returned as a source as well.
#[derive(Debug, Error)]
#[error("cannot {action} {path}: {error}", path = path.display())]
#[allow(missing_docs, reason = "the message shows them")]
pub struct IoError {
    /// A verb phrase that takes the path as its object: `read`, `create a directory beside`.
    pub action: &'static str,
    pub path: PathBuf,
    pub error: io::Error,
}

/// Adds action and path to an I/O error, for use with `map_err`.
///
/// ```
/// let path = "no/such/file";
/// let error = std::fs::read(path).map_err(radapter_files::io_error("read", path)).unwrap_err();
/// assert!(error.to_string().starts_with("cannot read no/such/file: "));
/// ```
pub fn io_error(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> IoError {
    move |error| IoError { action, path: path.as_ref().to_owned(), error }
}
