//! A directory that is there whole or not at all.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::CheckpointError;

/// Has `fill` write into a new directory beside `target`, and renames that to `target`.
///
/// A `target` that is there and not empty is an error unless `overwrite`; then it is moved aside first and removed last, so
/// that a crash between leaves it under a name that starts with a dot. If `fill` fails, nothing is left behind.
pub(super) fn write_dir(
    target: &Path,
    overwrite: bool,
    fill: impl FnOnce(&Path) -> Result<(), CheckpointError>,
) -> Result<(), CheckpointError> {
    let occupied = is_occupied(target)?;
    if occupied && !overwrite {
        return Err(CheckpointError::Exists { path: target.to_owned() });
    }
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(CheckpointError::io(parent, "create"))?;
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = builder(&format!(".{name}."), ".partial")
        .tempdir_in(parent)
        .map_err(CheckpointError::io(target, "create a directory beside it"))?;
    fill(temporary.path())?;
    sync_dir(temporary.path())?;

    let replaced = match occupied {
        true => Some(move_aside(target, parent, &name)?),
        false => None,
    };
    if let Err(error) = std::fs::rename(temporary.path(), target) {
        if let Some(replaced) = &replaced {
            // Best effort: the error that matters is the first.
            let _ = std::fs::rename(replaced, target);
        }
        return Err(CheckpointError::io(target, "rename a directory to it")(error));
    }
    // It is no longer there under the temporary name.
    let _ = temporary.keep();
    sync_dir(parent)?;
    match replaced {
        Some(replaced) => {
            std::fs::remove_dir_all(&replaced).map_err(CheckpointError::io(&replaced, "remove what was replaced"))
        }
        None => Ok(()),
    }
}

/// Whether something other than an empty directory is at the path.
fn is_occupied(target: &Path) -> Result<bool, CheckpointError> {
    match std::fs::read_dir(target) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Err(CheckpointError::Io {
            path: target.to_owned(),
            action: "write a directory where a file is",
            source: error,
        }),
        Err(error) => Err(CheckpointError::io(target, "look into")(error)),
    }
}

fn move_aside(target: &Path, parent: &Path, name: &str) -> Result<PathBuf, CheckpointError> {
    let aside = builder(&format!(".{name}."), ".replaced")
        .tempdir_in(parent)
        .map_err(CheckpointError::io(target, "create a directory beside it"))?
        .keep();
    std::fs::rename(target, &aside).map_err(CheckpointError::io(target, "move aside"))?;
    Ok(aside)
}

fn builder<'a>(prefix: &'a str, suffix: &'a str) -> tempfile::Builder<'a, 'a> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(suffix);
    // As a directory made by hand, not for the owner alone as temporary ones are.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder
}

/// Makes the names in a directory durable. Windows has no such call, and does it without.
fn sync_dir(path: &Path) -> Result<(), CheckpointError> {
    if cfg!(unix) {
        File::open(path).and_then(|dir| dir.sync_all()).map_err(CheckpointError::io(path, "sync"))?;
    }
    Ok(())
}
