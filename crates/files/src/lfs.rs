//! Pointers of Git LFS, which stand in for files that were not fetched.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// What a pointer starts with.
pub const LFS_SIGNATURE: &[u8] = b"version https://git-lfs";

/// What errors call a pointer, with the next step.
pub const LFS_POINTER: &str = "a Git LFS pointer; fetch the file itself with `git lfs pull`";

/// Whether a file that starts so is a pointer.
pub fn is_lfs_pointer(start: &[u8]) -> bool {
    start.starts_with(LFS_SIGNATURE)
}

/// Error: a file is a pointer of Git LFS.
#[derive(Debug, Error)]
#[error("{path} is {LFS_POINTER}", path = path.display())]
pub struct LfsPointer {
    path: PathBuf,
}

/// Refuses a file that starts as a pointer does.
///
/// # Errors
/// [`LfsPointer`] for a pointer.
pub fn refuse_lfs_pointer(path: &Path, start: &[u8]) -> Result<(), LfsPointer> {
    match is_lfs_pointer(start) {
        true => Err(LfsPointer { path: path.to_owned() }),
        false => Ok(()),
    }
}
