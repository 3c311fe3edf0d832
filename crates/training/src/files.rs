//! Writing so that a file or folder is there whole or not at all.
//!
//! What a run saves has fixed temporary names, so that a session can clear away what a killed one left, and goes through
//! [`Storage`], so that tests can fill the disk at any byte; `radapter-files` has neither.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::TrainError;

/// Where files are created. The disk, but for tests of a disk that fills.
pub(crate) trait Storage: Send + Sync {
    /// Creates a file for writing.
    fn create(&self, path: &Path) -> io::Result<Box<dyn SyncWrite>>;
}

/// A writer whose bytes can be forced to the disk.
pub(crate) trait SyncWrite: Write {
    /// Returns when all that was written is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// The real one.
#[derive(Debug)]
pub(crate) struct Disk;

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

/// Writes a file and syncs it. The name should be a temporary one, or lie in a temporary folder.
pub(crate) fn write_synced(
    storage: &dyn Storage,
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), TrainError> {
    let write = || {
        let mut file = storage.create(path)?;
        fill(&mut *file)?;
        file.sync()
    };
    write().map_err(TrainError::io("write", path))
}

/// Writes a file beside its final name and renames it. Nothing stays behind when writing fails.
pub(crate) fn replace(
    storage: &dyn Storage,
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), TrainError> {
    let aside = aside(path);
    let written = write_synced(storage, &aside, fill)
        .and_then(|()| fs::rename(&aside, path).map_err(TrainError::io("rename to", path)));
    if written.is_err() {
        // The write's own error is the one to tell.
        let _ = fs::remove_file(&aside);
        return written;
    }
    sync_folder(radapter_files::folder_of(path))
}

/// The temporary name of a file or folder.
pub(crate) fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

/// Makes renames in a folder last.
pub(crate) fn sync_folder(path: &Path) -> Result<(), TrainError> {
    radapter_files::sync_folder(path).map_err(TrainError::io("sync", path))
}

#[cfg(test)]
pub(crate) mod full {
    //! A disk that fills.

    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Takes a number of bytes, then fails as a full disk does.
    #[derive(Clone, Debug)]
    pub(crate) struct FullAfter(pub(crate) Arc<AtomicU64>);

    impl FullAfter {
        pub(crate) fn bytes(count: u64) -> Self {
            Self(Arc::new(AtomicU64::new(count)))
        }
    }

    struct Filling {
        file: File,
        left: Arc<AtomicU64>,
    }

    impl Storage for FullAfter {
        fn create(&self, path: &Path) -> io::Result<Box<dyn SyncWrite>> {
            Ok(Box::new(Filling { file: File::create(path)?, left: self.0.clone() }))
        }
    }

    impl Write for Filling {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let left = self.left.load(Ordering::SeqCst);
            if left == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let count = self.file.write(&bytes[..bytes.len().min(left as usize)])?;
            self.left.store(left - count as u64, Ordering::SeqCst);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.file.flush()
        }
    }

    impl SyncWrite for Filling {
        fn sync(&mut self) -> io::Result<()> {
            self.file.sync_all()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::full::FullAfter;
    use super::*;

    #[test]
    fn a_full_disk_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.json");
        replace(&Disk, &path, |w| w.write_all(b"old")).unwrap();
        let error = replace(&FullAfter::bytes(2), &path, |w| w.write_all(b"newer")).unwrap_err();
        assert!(matches!(error, TrainError::Io { action: "write", .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
