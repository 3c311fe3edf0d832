//! On-disk index of the embeddings of an image folder.
//!
//! An index is a directory: `index.json`, the [manifest](Manifest), and `segments/`, safetensors files with the embeddings
//! of a few thousand images each, which are memory-mapped. A segment is written completely before the manifest that
//! names it, so that the index is consistent with its manifest at every moment, even after a kill or with a full disk.
//!
//! [`update`] updates an index from its folder, [`Index::search`] searches it.

mod error;
mod manifest;
mod search;
mod segment;
mod update;

use std::path::{Path, PathBuf};

use radapter_clip::model::Precision;

pub use error::IndexError;
pub use manifest::{Manifest, ModelId, SegmentEntry};
pub use search::Hit;
pub use update::{Folder, SAVE_EVERY, UpdateOptions, Updated, update};

use segment::Segment;

/// Open index.
#[derive(Clone, Debug)]
pub struct Index {
    dir: PathBuf,
    manifest: Manifest,
    segments: Vec<Segment>,
}

impl Index {
    /// Opens an index.
    ///
    /// # Errors
    /// [`IndexError`] if the directory is not an index, or a part of it is missing or damaged.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, IndexError> {
        let dir = dir.into();
        tracing::debug!("reading the index {}", dir.display());
        let open = |manifest: &Manifest| -> Result<Vec<Segment>, IndexError> {
            manifest.segments.iter().map(|entry| Segment::read(&dir, entry, manifest.embed_dim)).collect()
        };
        let mut manifest = Manifest::read(&dir)?;
        let segments = match open(&manifest) {
            Ok(segments) => segments,
            // An update may have replaced these segments; then the manifest has changed as well.
            Err(error) => {
                let now = Manifest::read(&dir)?;
                if now == manifest {
                    return Err(error);
                }
                manifest = now;
                open(&manifest)?
            }
        };
        Ok(Self { dir, manifest, segments })
    }

    /// Checks that queries are computed in the precision of the index.
    ///
    /// # Errors
    /// [`IndexError::OtherPrecision`] if they are not.
    pub fn check_precision(&self, given: Precision) -> Result<(), IndexError> {
        self.manifest.check_precision(&self.dir, given)
    }

    /// Returns the content of `index.json`.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Checks by hash that a model is the one that created the index.
    ///
    /// # Errors
    /// [`IndexError::OtherModel`] if it is not.
    pub fn check_model(&self, model: &ModelId) -> Result<(), IndexError> {
        self.manifest.check_model(&self.dir, model)
    }

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.segments.iter().map(Segment::len).sum()
    }

    /// Whether the index has no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        &self.dir
    }
}
