//! Files and directories that appear whole or not at all, and the errors of reading that all crates share.
//!
//! Content is written under a temporary name in the folder of the target, synced, and renamed. A reader of the target
//! sees the old content or the whole new content, also after a crash or on a full disk.
//!
//! ```
//! # fn main() -> Result<(), radapter_files::IoError> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = &folder.path().join("result.json");
//! radapter_files::write(path, b"{}")?;
//! # Ok(())
//! # }
//! ```
//!
//! | to write | temporary name is random | temporary name is fixed |
//! |---|---|---|
//! | a file | [`write()`], [`write_with`] | [`replace`] |
//! | a directory | [`write_dir`] | [`replace_dir`] |
//!
//! Random names let several processes write one target. Fixed ones let a process find what a killed one left.
//!
//! Directories are filled with [`write()`] or, cheaper, [`write_synced`]. [`create_dir`] and [`remove_dir`] create and
//! remove them. [`Storage`] creates, syncs and renames the files, so that tests can exhaust the disk at any operation
//! ([`faults`]).

mod dir;
pub mod faults;
mod file;
mod io_error;
mod json;
mod lfs;
mod storage;

use std::path::Path;

pub use dir::{DirError, create_dir, remove_dir, replace_dir, write_dir};
pub use file::{aside, replace, write, write_with};
pub use io_error::{IoError, io_error};
pub use json::json_reason;
pub use lfs::{LFS_POINTER, LFS_SIGNATURE, LfsPointer, is_lfs_pointer, refuse_lfs_pointer};
pub use storage::{Disk, Storage, SyncWrite, write_synced};

/// Returns the folder that a path lies in: `.` for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
