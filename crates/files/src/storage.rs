//! Storage that files are written to: the disk, or a substitute that fails on demand in tests.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use crate::{IoError, io_error};

/// The operations that make a file durable. Everything but tests uses [`Disk`]; [`faults`](crate::faults) has one that fills
/// up. All errors are the system's.
#[allow(clippy::missing_errors_doc, reason = "all errors are the system's")]
pub trait Storage: Debug + Send + Sync {
    /// Creates a file for writing; one of that name is truncated.
    fn create(&self, path: &Path) -> io::Result<Box<dyn SyncWrite>>;

    /// Opens a file to append after its first `length` bytes; the rest is cut off, and a missing file is created. Writes are not
    /// buffered.
    fn append(&self, path: &Path, length: u64) -> io::Result<Box<dyn SyncWrite>>;

    /// Renames a file or directory; a file of the new name is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable: a rename survives a power cut once this returns.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// A writer whose bytes can be forced to the disk.
pub trait SyncWrite: Write + Send {
    /// Returns once everything written so far is on the disk.
    ///
    /// # Errors
    /// The system's error.
    fn sync(&mut self) -> io::Result<()>;
}

/// The file system. New files are written through a buffer.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Storage for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SyncWrite>> {
        Ok(Box::new(BufWriter::with_capacity(1 << 20, File::create(path)?)))
    }

    fn append(&self, path: &Path, length: u64) -> io::Result<Box<dyn SyncWrite>> {
        let mut file = File::options().write(true).create(true).truncate(false).open(path)?;
        file.set_len(length)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    /// Only Unix lets a folder be opened and synced; elsewhere a rename is as durable as the system makes it, and nothing is
    /// done.
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        match cfg!(unix) {
            true => File::open(path)?.sync_all(),
            false => Ok(()),
        }
    }
}

impl SyncWrite for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl SyncWrite for BufWriter<File> {
    fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.get_ref().sync_all()
    }
}

/// Writes a file in place and syncs it. For files in a directory that is still under its temporary name; [`replace`](crate::replace) is
/// for all others.
///
/// # Errors
/// [`IoError`], also for an error of `fill`; the incomplete file stays.
pub fn write_synced(
    storage: &dyn Storage,
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), IoError> {
    let write = || {
        let mut file = storage.create(path)?;
        fill(&mut *file)?;
        file.sync()
    };
    write().map_err(io_error("write", path))
}
