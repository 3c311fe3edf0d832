use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::{folder_of, sync_folder, temporary};

/// Writes a file whole. Its folder must be there.
///
/// # Errors
/// What the system says; a file that was there stays, and nothing is left behind.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// As [`write()`], for content that is made piece by piece. Writing is buffered.
///
/// # Errors
/// What the system or `fill` says; a file that was there stays, and nothing is left behind.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = folder_of(path);
    let mut file = temporary(".radapter-", ".tmp", 0o666).tempfile_in(folder)?;
    let mut buffered = BufWriter::with_capacity(1 << 20, file.as_file_mut());
    fill(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}
