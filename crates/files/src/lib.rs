//! Files and directories that are there whole or not at all.
//!
//! What is written goes under a temporary name into the folder of the target, is synced, and renamed. Whoever looks at the
//! target sees what was there before or the whole new content, also behind a crash or on a full disk.

mod dir;
mod file;

use std::fs::File;
use std::io;
use std::path::Path;

pub use dir::{DirError, write_dir};
pub use file::{write, write_with};

/// Makes the names in a folder durable: behind it a rename survives a power cut.
///
/// Only Unix lets a folder be opened and synced; elsewhere a rename is as durable as the system makes it, and nothing is done.
///
/// # Errors
/// What the system says.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

/// The folder that a path lies in: `.` for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Names beside the target. What they hold becomes a result, so that it is not private to its owner as temporary files
/// usually are; the process's umask applies.
fn temporary<'a>(prefix: &'a str, suffix: &'a str, mode: u32) -> tempfile::Builder<'a, 'a> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(suffix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

#[cfg(test)]
mod tests;
