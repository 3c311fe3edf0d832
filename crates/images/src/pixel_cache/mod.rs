//! Decoded pixels kept in a memory-mapped file, so that what is seen again, in another epoch, at another α, in another run, is not
//! decoded again.
//!
//! A file holds pixels of any images at any stage: whole ones for training, which crops them anew each time, and resized ones for
//! evaluation. They are found by where they come from (path, size and time of change of the file) and by the stage, and are the very
//! pixels that decoding gives. What one process has mapped costs another no memory.

mod store;

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::UNIX_EPOCH;

use image::RgbImage;
use sha2::{Digest, Sha256};

use crate::error::ImageError;
use crate::options::DecodeOptions;
use crate::source::ImageSource;
use store::{Key, Store};

/// A cache of decoded pixels; clones share it.
#[derive(Clone, Debug)]
pub struct PixelCache(Arc<RwLock<Store>>);

impl PixelCache {
    /// Opens the cache of a file, or makes it. Where another process is filling it, this one reads what is there.
    ///
    /// What a kill or a full disk has left half written is dropped.
    ///
    /// # Errors
    /// A file that is something else, or that cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(RwLock::new(Store::open(path)?))))
    }

    /// The pixels of an image at a stage, or what `make` makes of it, which is kept. `stage` has to tell all that the pixels hang on but
    /// the image itself.
    ///
    /// # Errors
    /// Those of `make`. A cache that cannot be written is told to `tracing`, once.
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

    /// [`ImageSource::load`], from the cache if there is one.
    ///
    /// # Errors
    /// Those of [`ImageSource::load`]. What is in the cache is not held against the limits.
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

    /// How many images it has.
    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether it has none.
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
        // It was appended since the file was mapped; or it is damaged.
        let mut store = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let image = store.map().ok().and_then(|()| store.get(key));
        if image.is_none() {
            store.forget(key);
        }
        image
    }
}

/// By what an image is known. None for one that is in memory, and for a file that is not there any more.
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
