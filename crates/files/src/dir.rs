//! Directories that appear whole or not at all.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use thiserror::Error;

use crate::{Disk, IoError, Storage, aside, folder_of, io_error};

/// Why a directory could not be written. Exhaustive, so that callers can turn each case into an error of their own.
#[derive(Debug, Error)]
pub enum DirError {
    /// The target is not empty, and may not be replaced.
    #[error("{path} exists and is not empty", path = path.display())]
    #[allow(missing_docs, reason = "the message names it")]
    Occupied { path: PathBuf },
    /// The operating system reported an error.
    #[error(transparent)]
    Io(#[from] IoError),
}

/// Fills a new directory beside `target`, and renames it to `target`. Missing parents are created; `fill` syncs the
/// files it writes.
///
/// A `target` that exists and is not empty is an error unless `overwrite`; then it is moved aside first and removed last, so
/// that a crash in between leaves it under a name that starts with a dot. If `fill` fails, nothing is left behind.
///
/// # Errors
/// The errors of `fill`, and [`DirError`].
pub fn write_dir<E: From<DirError>>(
    storage: &dyn Storage,
    target: &Path,
    overwrite: bool,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let occupied = is_occupied(target)?;
    if occupied && !overwrite {
        return Err(DirError::Occupied { path: target.to_owned() }.into());
    }
    let parent = folder_of(target);
    create_dir(parent).map_err(DirError::from)?;
    let new = temporary(target, ".partial")?;
    fill(new.path())?;
    storage.sync_folder(new.path()).map_err(io("sync", target))?;

    let replaced = match occupied {
        true => Some(move_aside(storage, target)?),
        // An empty directory in the way: not every system renames over one.
        false if target.exists() => {
            fs::remove_dir(target).map_err(io("replace", target))?;
            None
        }
        false => None,
    };
    if let Err(error) = storage.rename(new.path(), target) {
        if let Some(replaced) = &replaced {
            // Best effort: the error that matters is the first.
            let _ = Disk.rename(replaced, target);
        }
        return Err(io("rename a temporary directory to", target)(error).into());
    }
    // It is no longer there under the temporary name.
    let _ = new.keep();
    storage.sync_folder(parent).map_err(io("sync the folder of", target))?;
    match replaced {
        Some(replaced) => Ok(fs::remove_dir_all(&replaced).map_err(io("remove", &replaced))?),
        None => Ok(()),
    }
}

/// As [`write_dir`] with `overwrite`, under the fixed temporary name [`aside`], which is cleared first. The parent must exist.
///
/// For the only process that writes `target`. A kill just before the rename leaves no `target`.
///
/// # Errors
/// [`IoError`], and the errors of `fill`.
pub fn replace_dir<E: From<IoError>>(
    storage: &dyn Storage,
    target: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let new = aside(target);
    let rename =
        |from: &Path, to: &Path| storage.rename(from, to).map_err(io_error("rename a temporary directory to", target));
    remove_if_there(&new)?;
    fs::create_dir(&new).map_err(io_error("create", &new))?;
    let written = fill(&new).and_then(|()| {
        storage.sync_folder(&new).map_err(io_error("sync", target))?;
        let old = replaced(target);
        remove_if_there(&old)?;
        if target.exists() {
            rename(target, &old)?;
        }
        if let Err(error) = rename(&new, target) {
            // Best effort: the error that matters is the first.
            let _ = Disk.rename(&old, target);
            return Err(error.into());
        }
        storage.sync_folder(folder_of(target)).map_err(io_error("sync the folder of", target))?;
        Ok(remove_if_there(&old)?)
    });
    if written.is_err() {
        // Best effort, as above.
        let _ = fs::remove_dir_all(&new);
    }
    written
}

/// Creates a directory and its missing parents, and makes their names durable.
///
/// # Errors
/// [`IoError`].
pub fn create_dir(path: &Path) -> Result<(), IoError> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(path).map_err(io_error("create", path))?;
    for folder in missing.into_iter().rev().map(folder_of) {
        Disk.sync_folder(folder).map_err(io_error("sync", folder))?;
    }
    Ok(())
}

/// Removes a directory. A kill leaves a part of it under another name only: [`aside`], which the next call, and
/// [`replace_dir`], clears.
///
/// # Errors
/// [`IoError`].
pub fn remove_dir(path: &Path) -> Result<(), IoError> {
    let temporary = aside(path);
    remove_if_there(&temporary)?;
    Disk.rename(path, &temporary).map_err(io_error("remove", path))?;
    remove_if_there(&temporary)
}

/// The name under which [`replace_dir`] keeps the directory that it replaces.
fn replaced(target: &Path) -> PathBuf {
    aside(&target.with_added_extension("replaced"))
}

fn remove_if_there(path: &Path) -> Result<(), IoError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Whether something other than an empty directory is at the path.
fn is_occupied(target: &Path) -> Result<bool, DirError> {
    match fs::read_dir(target) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            Err(io("write a directory over the file", target)(error))
        }
        Err(error) => Err(io("list", target)(error)),
    }
}

fn move_aside(storage: &dyn Storage, target: &Path) -> Result<PathBuf, DirError> {
    let aside = temporary(target, ".replaced")?;
    storage.rename(target, aside.path()).map_err(io("move aside", target))?;
    Ok(aside.keep())
}

/// A new directory beside the target. It becomes a result, so that it is not private to its owner as temporary directories
/// usually are; the process's umask applies.
fn temporary(target: &Path, suffix: &str) -> Result<TempDir, DirError> {
    let prefix = format!(".{}.", target.file_name().unwrap_or_default().display());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(suffix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.tempdir_in(folder_of(target)).map_err(io("create a directory beside", target))
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> DirError {
    move |error| io_error(action, path)(error).into()
}
