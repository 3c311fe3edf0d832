//! Bytes of a tensor, owned or in a mapped file.

use std::ops::{Deref, Range};
use std::sync::Arc;

use memmap2::Mmap;

/// A shared, immutable run of bytes.
///
/// A mapped file is not copied: a checkpoint of some GB is read once, into the model.
#[derive(Clone)]
pub struct TensorBytes {
    source: Source,
    range: Range<usize>,
}

#[derive(Clone)]
enum Source {
    Owned(Arc<Vec<u8>>),
    Mapped(Arc<Mmap>),
}

impl TensorBytes {
    pub(crate) fn mapped(map: Arc<Mmap>) -> Self {
        let range = 0..map.len();
        Self { source: Source::Mapped(map), range }
    }

    pub(super) fn is_mapped(&self) -> bool {
        matches!(self.source, Source::Mapped(_))
    }

    /// Lets the system take the memory of these bytes where they are in a mapped file; they are read from the file again when
    /// they are next used.
    pub(super) fn release(&self) {
        #[cfg(unix)]
        if let Source::Mapped(map) = &self.source {
            // SAFETY: the map is shared and never written, so its pages hold the file's bytes whenever they are mapped.
            let advised = unsafe {
                map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, self.range.start, self.range.len())
            };
            // Without it, the bytes stay in memory, which changes no result.
            if let Err(error) = advised {
                tracing::debug!("cannot release mapped memory: {error}");
            }
        }
    }

    /// Returns a part that shares these bytes; `None` if the range lies outside them.
    pub fn slice(&self, range: Range<usize>) -> Option<Self> {
        self.get(range.clone())?;
        let range = self.range.start + range.start..self.range.start + range.end;
        Some(Self { source: self.source.clone(), range })
    }
}

impl From<Vec<u8>> for TensorBytes {
    fn from(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { source: Source::Owned(Arc::new(bytes)), range }
    }
}

impl Deref for TensorBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.source {
            Source::Owned(bytes) => &bytes[self.range.clone()],
            Source::Mapped(map) => &map[self.range.clone()],
        }
    }
}

impl std::fmt::Debug for TensorBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}
