use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::{folder_of, sync_folder, temporary};

/// Why a directory could not be written.
#[derive(Debug, Error)]
pub enum DirError {
    /// Something is there, and may not be replaced.
    #[error("{path}: is there already and not empty", path = path.display())]
    Occupied {
        /// The target.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{path}: could not {action}: {source}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

impl DirError {
    fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }
}

/// Has `fill` write into a new directory beside `target`, and renames that to `target`. Missing folders above are made;
/// `fill` syncs the files it writes.
///
/// A `target` that is there and not empty is an error unless `overwrite`; then it is moved aside first and removed last, so
/// that a crash between leaves it under a name that starts with a dot. If `fill` fails, nothing is left behind.
///
/// # Errors
/// What `fill` says, and [`DirError`].
pub fn write_dir<E: From<DirError>>(
    target: &Path,
    overwrite: bool,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let occupied = is_occupied(target)?;
    if occupied && !overwrite {
        return Err(DirError::Occupied { path: target.to_owned() }.into());
    }
    let parent = folder_of(target);
    std::fs::create_dir_all(parent).map_err(DirError::io(parent, "create"))?;
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let new = temporary(&format!(".{name}."), ".partial", 0o777)
        .tempdir_in(parent)
        .map_err(DirError::io(target, "create a directory beside it"))?;
    fill(new.path())?;
    sync_folder(new.path()).map_err(DirError::io(new.path(), "sync"))?;

    let replaced = match occupied {
        true => Some(move_aside(target, parent, &name)?),
        // An empty directory in the way: not every system renames over one.
        false if target.exists() => {
            std::fs::remove_dir(target).map_err(DirError::io(target, "replace"))?;
            None
        }
        false => None,
    };
    if let Err(error) = std::fs::rename(new.path(), target) {
        if let Some(replaced) = &replaced {
            // Best effort: the error that matters is the first.
            let _ = std::fs::rename(replaced, target);
        }
        return Err(DirError::io(target, "rename a directory to it")(error).into());
    }
    // It is no longer there under the temporary name.
    let _ = new.keep();
    sync_folder(parent).map_err(DirError::io(parent, "sync"))?;
    match replaced {
        Some(replaced) => std::fs::remove_dir_all(&replaced)
            .map_err(|error| DirError::io(&replaced, "remove what was replaced")(error).into()),
        None => Ok(()),
    }
}

/// Whether something other than an empty directory is at the path.
fn is_occupied(target: &Path) -> Result<bool, DirError> {
    match std::fs::read_dir(target) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(DirError::io(target, "write a directory where a file is")(error))
        }
        Err(error) => Err(DirError::io(target, "look into")(error)),
    }
}

fn move_aside(target: &Path, parent: &Path, name: &str) -> Result<PathBuf, DirError> {
    let aside = temporary(&format!(".{name}."), ".replaced", 0o777)
        .tempdir_in(parent)
        .map_err(DirError::io(target, "create a directory beside it"))?
        .keep();
    std::fs::rename(target, &aside).map_err(DirError::io(target, "move aside"))?;
    Ok(aside)
}
