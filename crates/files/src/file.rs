//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::{Disk, IoError, Storage, folder_of, io_error, write_synced};

/// Writes a file whole. Its folder must exist.
///
/// # Errors
/// [`IoError`]; an existing file is unchanged, and nothing else is left behind.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    write_with(&Disk, path, |file| file.write_all(bytes))
}

/// As [`write()`], for content that is made piece by piece, on any storage.
///
/// The temporary name is random, so that two processes may write the same file; the last one wins.
///
/// # Errors
/// [`IoError`], also for an error of `fill`; an existing file is unchanged, and nothing else is left behind.
pub fn write_with(
    storage: &dyn Storage,
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), IoError> {
    let reserved = tempfile::Builder::new()
        .prefix(".radapter-")
        .suffix(".tmp")
        // Not `tempfile_in`, whose files only their owner may read: this one becomes the result.
        .make_in(folder_of(path), |name| File::create_new(name))
        .map_err(io_error("write", path))?;
    place(storage, reserved.into_temp_path(), path, fill)
}

/// As [`write_with`], under the fixed temporary name [`aside`], on any storage.
///
/// For the only process that writes `path`: it replaces what a killed predecessor left under that name.
///
/// # Errors
/// [`IoError`], also for an error of `fill`; an existing file is unchanged, and nothing else is left behind.
pub fn replace(
    storage: &dyn Storage,
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), IoError> {
    let temporary = TempPath::try_from_path(aside(path)).map_err(io_error("write", path))?;
    place(storage, temporary, path, fill)
}

/// Writes, syncs and renames. The temporary file is removed when it is dropped before the rename.
fn place(
    storage: &dyn Storage,
    temporary: TempPath,
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), IoError> {
    write_synced(storage, &temporary, fill).map_err(|error| IoError { path: path.to_owned(), ..error })?;
    storage.rename(&temporary, path).map_err(io_error("rename a temporary file to", path))?;
    // It is no longer there under the temporary name.
    let _ = temporary.keep();
    storage.sync_folder(folder_of(path)).map_err(io_error("sync the folder of", path))
}

/// Returns the fixed temporary name of a file or directory: its own with `.tmp` appended.
pub fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}
