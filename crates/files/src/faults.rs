//! Storage that fails on demand, to test what a full disk leaves behind.
//!
//! Public rather than behind a feature: a feature that only tests enable would recompile every crate above this one
//! whenever a build follows a test.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Disk, Storage, SyncWrite};

/// A disk that is full from one operation on: the creation of a file, a write, a sync, or a rename, counted over all files.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = &folder.path().join("result.json");
/// use radapter_files::faults::FullAt;
/// // Created, written, synced, renamed, and the folder synced.
/// assert!(radapter_files::replace(&FullAt::operation(5), path, |out| out.write_all(b"{}")).is_ok());
/// let error = radapter_files::replace(&FullAt::operation(3), path, |out| out.write_all(b"[]")).unwrap_err();
/// assert_eq!(error.error.kind(), std::io::ErrorKind::StorageFull);
/// assert_eq!(std::fs::read(path)?, b"{}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FullAt {
    /// Operations that still succeed.
    left: Arc<AtomicU64>,
    torn: bool,
}

impl FullAt {
    /// Creates a disk whose first `number` operations succeed, and all later ones fail. Clones share the count.
    pub fn operation(number: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(number)), torn: false }
    }

    /// As [`operation`](Self::operation), but a write that fails stores its first byte before.
    pub fn inside(number: u64) -> Self {
        Self { torn: true, ..Self::operation(number) }
    }

    /// Counts an operation, which fails if the disk is full by now.
    fn take(&self) -> io::Result<()> {
        let fewer = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        fewer.map(drop).map_err(|_| full())
    }
}

/// The system's error where it is known, for its text.
fn full() -> io::Error {
    const ENOSPC: i32 = 28;
    match cfg!(unix) {
        true => io::Error::from_raw_os_error(ENOSPC),
        false => io::ErrorKind::StorageFull.into(),
    }
}

struct Filling {
    disk: FullAt,
    file: Box<dyn SyncWrite>,
}

impl Storage for FullAt {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SyncWrite>> {
        self.take()?;
        Ok(Box::new(Filling { disk: self.clone(), file: Disk.create(path)? }))
    }

    fn append(&self, path: &Path, length: u64) -> io::Result<Box<dyn SyncWrite>> {
        self.take()?;
        Ok(Box::new(Filling { disk: self.clone(), file: Disk.append(path, length)? }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.take()?;
        Disk.rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.take()?;
        Disk.sync_folder(path)
    }
}

impl Write for Filling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.disk.take() {
            if self.disk.torn {
                self.file.write_all(&bytes[..bytes.len().min(1)])?;
                self.file.flush()?;
            }
            return Err(error);
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl SyncWrite for Filling {
    fn sync(&mut self) -> io::Result<()> {
        self.disk.take()?;
        self.file.sync()
    }
}
