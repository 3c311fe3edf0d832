//! Storage that creates files: the disk, or a substitute that fails on demand in tests.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::{IoError, io_error};

/// Creates files. Everything but tests uses [`Disk`]; [`faults`](crate::faults) has one that fills up.
pub trait Storage: Send + Sync {
    /// Creates a file for writing; one of that name is truncated.
    ///
    /// # Errors
    /// The system's error.
    fn create(&self, path: &Path) -> io::Result<Box<dyn SyncWrite>>;
}

/// A writer whose bytes can be forced to the disk.
pub trait SyncWrite: Write {
    /// Returns once everything written so far is on the disk.
    ///
    /// # Errors
    /// The system's error.
    fn sync(&mut self) -> io::Result<()>;
}

/// The file system. Writes are buffered.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Storage for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SyncWrite>> {
        Ok(Box::new(BufWriter::with_capacity(1 << 20, File::create(path)?)))
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
