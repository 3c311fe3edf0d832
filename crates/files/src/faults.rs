//! Storage that fails on demand, to test what a full disk leaves behind.
//!
//! Public rather than behind a feature: a feature that only tests enable would recompile every crate above this one
//! whenever a build follows a test.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Storage, SyncWrite};

/// A disk that takes a number of bytes, over all files, and then reports [`StorageFull`](io::ErrorKind::StorageFull).
#[derive(Clone, Debug)]
pub struct FullAfter(Arc<AtomicU64>);

impl FullAfter {
    /// Creates a disk with room for `count` bytes. Clones share the room.
    pub fn bytes(count: u64) -> Self {
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
