//! A cache of decoded pixels in a memory-mapped file, which saves decoding an image again in another epoch, at another
//! α, or in another run.
//!
//! A cache file holds images at any stage of preprocessing: full images for training, which crops them anew in each
//! epoch, and resized ones for evaluation. The key is the origin (path, size and modification time of the file) and the
//! stage. Cached pixels equal decoded ones. Processes that map the same file share its memory.

mod store;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::UNIX_EPOCH;

use image::RgbImage;
use radapter_files::IoError;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::error::ImageError;
use crate::options::DecodeOptions;
use crate::source::ImageSource;
use store::{Key, Store};

/// Why a pixel cache cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PixelCacheError {
    /// The file cannot be opened, read or mapped.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The file exists and is not a pixel cache; it is left unchanged.
    #[error("{}: not a pixel cache; choose another file", path.display())]
    #[allow(missing_docs, reason = "the field's name says it all")]
    NotACache { path: PathBuf },
}

/// A cache of decoded pixels in a file. Clones share the cache.
#[derive(Clone, Debug)]
pub struct PixelCache(Arc<RwLock<Store>>);

impl PixelCache {
    /// Opens a cache file, or creates it. One process at a time adds to it; others that open it only read.
    ///
    /// Drops an entry that a kill or a full disk has left incomplete.
    ///
    /// # Errors
    /// [`PixelCacheError`] if the file holds something else, or cannot be opened, read or mapped.
    pub fn open(path: &Path) -> Result<Self, PixelCacheError> {
        Ok(Self(Arc::new(RwLock::new(Store::open(path)?))))
    }

    /// Returns the cached pixels of an image at a stage, or calls `make` and caches the result. `stage` must name
    /// everything that the pixels depend on besides the image.
    ///
    /// # Errors
    /// The errors of `make`. A failed write is logged as a warning, once, and ends caching.
    pub fn get_or<E>(
        &self,
        source: &ImageSource,
        stage: &str,
        make: impl FnOnce() -> Result<Arc<RgbImage>, E>,
    ) -> Result<Arc<RgbImage>, E> {
        let Some(key) = key(source, stage) else {
            return make();
        };
        if let Some(image) = self.get(&key) {
            return Ok(Arc::new(image));
        }
        let image = make()?;
        self.0.write().unwrap_or_else(PoisonError::into_inner).append(key, &image);
        Ok(image)
    }

    /// Loads an image, from the cache if one is given. The limits apply when an image is decoded, not when it is read
    /// from the cache.
    ///
    /// # Errors
    /// As [`ImageSource::load`].
    pub fn load(
        cache: Option<&Self>,
        source: &ImageSource,
        options: &DecodeOptions,
    ) -> Result<Arc<RgbImage>, ImageError> {
        let decode = || source.load(options);
        match cache {
            Some(cache) => cache.get_or(source, &format!("decoded for {:?}", options.shorter_side), decode),
            None => decode(),
        }
    }

    /// Returns the number of cached entries.
    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn get(&self, key: &Key) -> Option<RgbImage> {
        let store = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if !store.has(key) {
            return None;
        }
        if store.is_mapped(key)
            && let Some(image) = store.get(key)
        {
            return Some(image);
        }
        drop(store);
        // The entry was appended after the file was mapped, or it is damaged.
        let mut store = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let image = store.map().ok().and_then(|()| store.get(key));
        if image.is_none() {
            store.forget(key);
        }
        image
    }
}

/// The key of an image at a stage; `None` for pixels in memory and for a file that no longer exists.
fn key(source: &ImageSource, stage: &str) -> Option<Key> {
    let (path, part) = match source {
        ImageSource::File(path) => (path, None),
        ImageSource::Member(member) => (&member.file, Some((member.offset, member.length))),
        ImageSource::Pixels(_) => return None,
    };
    let file = std::fs::metadata(path).ok()?;
    let changed = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let path = std::path::absolute(path).ok()?;
    let mut hasher = Sha256::new();
    for text in [stage.as_bytes(), path.as_os_str().as_encoded_bytes()] {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    hasher.update(file.len().to_le_bytes());
    hasher.update(changed.as_nanos().to_le_bytes());
    if let Some((offset, length)) = part {
        hasher.update(offset.to_le_bytes());
        hasher.update(length.to_le_bytes());
    }
    Some(hasher.finalize().into())
}

#[cfg(test)]
mod tests;
