//! A folder in memory for the parsers that read a path.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

thread_local! {
    /// One for each thread, because tests run the targets in parallel. Removed when the thread ends.
    static FOLDER: TempDir = {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        folder.expect("a temporary folder can be created")
    };
}

/// The path of a file or folder of this thread.
pub(crate) fn path(name: &str) -> PathBuf {
    FOLDER.with(|folder| folder.path().join(name))
}

/// Writes `data` to a file of this thread, with its parent folders, and returns the path.
pub(crate) fn file(name: &str, data: &[u8]) -> PathBuf {
    let path = path(name);
    // The parents exist from the second input on.
    if fs::write(&path, data).is_err() {
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder can be created");
        fs::write(&path, data).expect("a file can be written");
    }
    path
}
