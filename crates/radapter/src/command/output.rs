//! Results: on stdout, or in files that appear whole or not at all.

use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::Context;
use radapter_clip::model::Precision;
use radapter_files::{Disk, create_dir, folder_of};
use serde::Serialize;

use super::failure::{StdoutClosed, Usage};

/// Prints a result. Everything that is not a result goes to stderr.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(StdoutClosed.into()),
        Err(error) => Err(error).context("cannot write to stdout"),
    }
}

/// Prints a result as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

/// A result with the precision in which it was computed, for JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Computed<T> {
    #[serde(flatten)]
    pub(crate) result: T,
    /// `None` where nothing was computed by a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) precision: Option<Precision>,
}

impl<T> Computed<T> {
    pub(crate) fn new(result: T, precision: impl Into<Option<Precision>>) -> Self {
        Self { result, precision: precision.into() }
    }
}

/// Writes a file under a temporary name in the same folder, syncs it and renames it, so that `path` is never half written.
///
/// A path that is not a regular file (`/dev/stdout`, a named pipe) is written directly.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// [`write_file`] for content produced in pieces.
pub(crate) fn write_with(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> anyhow::Result<()> {
    if is_special(path) {
        let open = std::fs::OpenOptions::new().write(true).open(path);
        return open
            .and_then(|mut file| {
                write(&mut file)?;
                file.flush()
            })
            .with_context(|| format!("cannot write `{}`", path.display()));
    }
    radapter_files::write_with(&Disk, path, write)?;
    tracing::debug!("wrote {}", path.display());
    Ok(())
}

/// Whether `path` exists and is neither a regular file nor a directory: `/dev/stdout`, a named pipe.
pub(crate) fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| !file.is_file() && !file.is_dir())
}

/// Writes a directory under a temporary name beside `path` and renames it. `path` must not exist or be an empty directory.
pub(crate) fn write_dir(path: &Path, fill: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    check_empty_dir(path)?;
    // Without a heading: an error of `fill` is often one of reading, and those of writing name the path.
    radapter_files::write_dir(&Disk, path, false, fill)?;
    tracing::debug!("wrote the directory {}", path.display());
    Ok(())
}

/// Checks that `path` does not exist or is an empty directory.
pub(crate) fn check_empty_dir(path: &Path) -> anyhow::Result<()> {
    let is_empty = match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => {
            return Err(error).with_context(|| format!("cannot use `{}` as a directory", path.display()));
        }
    };
    let path = path.display();
    anyhow::ensure!(is_empty, "the directory `{path}` is not empty; name another one, or remove it");
    Ok(())
}

/// Checks, before the work, that a file can be written: its folder exists and is writable, and `path` is not a folder.
pub(crate) fn check_writable(path: &Path) -> anyhow::Result<()> {
    let refuse = |reason: &str| anyhow::anyhow!("cannot write `{}`: {reason}", path.display());
    if path.is_dir() {
        return Err(refuse("it is a directory; name a file"));
    }
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(refuse(&format!("the directory `{}` does not exist", folder.display())));
    }
    if path.exists() {
        std::fs::OpenOptions::new().append(true).open(path).map(drop)
    } else {
        tempfile::tempfile_in(folder).map(drop)
    }
    .with_context(|| format!("cannot write `{}`", path.display()))
}

/// Checks that a file can be written, and that its name ends in `.csv`.
pub(crate) fn check_csv(flag: &str, path: &Path) -> anyhow::Result<()> {
    let is_csv = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    if !is_csv && !is_special(path) {
        return Err(Usage(format!("{flag} {}: expected a file name that ends in .csv", path.display())).into());
    }
    check_writable(path)
}

/// Creates a directory for results, with its parents.
pub(crate) fn make_dir(path: &Path) -> anyhow::Result<()> {
    Ok(create_dir(path)?)
}

/// Names and values in two columns.
pub(super) fn aligned(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:<width$}  {value}");
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_error_of_filling_a_directory_is_not_called_one_of_writing() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_dir(&folder.path().join("maps"), |_| anyhow::bail!("a.npz: not an archive")).unwrap_err();
        assert_eq!(format!("{error:#}"), "a.npz: not an archive");
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        write_file(&path, b"old").unwrap();
        let full = |_: &mut dyn Write| Err(std::io::Error::from(ErrorKind::StorageFull));
        let error = write_with(&path, full).unwrap_err();
        assert!(format!("{error:#}").contains("result.json"), "{error:#}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_unwritable_path_is_found_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_writable(&folder.path().join("new.json")).is_ok());
        assert!(check_writable(folder.path()).is_err());
        assert!(check_writable(&folder.path().join("missing/new.json")).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_an_error() {
        let error = write_file(Path::new("/dev/full"), b"content").unwrap_err();
        assert!(format!("{error:#}").contains("/dev/full"), "{error:#}");
    }
}
