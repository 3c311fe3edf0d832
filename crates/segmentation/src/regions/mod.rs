//! Embeddings of image regions, in batches across images.

mod cache;

use std::collections::VecDeque;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use radapter_clip::model::Encoder;
use radapter_datasets::prefetch::{Prefetch, PrefetchError};
use radapter_embedding::{EmbedError, Embeddings};
use radapter_images::RgbImage;
use rayon::prelude::*;

use crate::crop::Cropper;
use crate::error::SegmentError;
use crate::mask::Rle;

pub use cache::{Cache, ImageKey};

/// Image with its regions to embed.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct ImageRegions<T> {
    /// Name of the image in reports.
    pub name: String,
    pub image: Arc<RgbImage>,
    /// Masks in the size of the image.
    pub masks: Vec<Rle>,
    /// The image's key in the cache; `None` without a cache.
    pub key: Option<ImageKey>,
    /// Data of the caller, returned unchanged.
    pub payload: T,
}

/// Embedding of each mask, L2-normalised; `None` for an empty mask.
pub type Rows = Vec<Option<Vec<f32>>>;

/// Embeds regions, image by image as they are [pushed](Self::push), and returns the images in the same order, each once
/// its regions are done. At most one batch of regions waits, so that memory is that of a batch and of its images.
pub struct RegionEmbedder<'a, T> {
    model: &'a dyn Encoder,
    cropper: &'a Cropper,
    cache: Option<&'a Cache>,
    batch: usize,
    waiting: VecDeque<Waiting<T>>,
    /// Number of images returned; numbers the waiting ones.
    done: usize,
    pending: Vec<Pending>,
}

struct Waiting<T> {
    regions: ImageRegions<T>,
    rows: Rows,
    left: usize,
    /// Whether the cache lacks some of the rows.
    is_new: bool,
}

struct Pending {
    /// Number of the image among all that were pushed.
    image: usize,
    region: usize,
    pixels: Vec<f32>,
}

impl<'a, T> RegionEmbedder<'a, T> {
    /// Creates an embedder that runs `batch` regions at a time through the model.
    pub fn new(model: &'a dyn Encoder, cropper: &'a Cropper, cache: Option<&'a Cache>, batch: usize) -> Self {
        let (waiting, pending) = (VecDeque::new(), Vec::new());
        Self { model, cropper, cache, batch: batch.max(1), waiting, done: 0, pending }
    }

    /// Takes an image; returns the images that are done.
    ///
    /// # Errors
    /// [`SegmentError`] for embeddings that are not finite, and for a cache that cannot be read or written.
    pub fn push(&mut self, regions: ImageRegions<T>) -> Result<Vec<(ImageRegions<T>, Rows)>, SegmentError> {
        let mut rows: Rows = vec![None; regions.masks.len()];
        if let (Some(cache), Some(key)) = (self.cache, &regions.key) {
            rows = cache.read(key, &regions.masks)?;
        }
        let missing: Vec<usize> = (0..rows.len()).filter(|&region| rows[region].is_none()).collect();
        let image = self.done + self.waiting.len();
        let mut done = Vec::new();
        let (picture, masks) = (regions.image.clone(), regions.masks.clone());
        self.waiting.push_back(Waiting { regions, rows, left: 0, is_new: false });
        for part in missing.chunks(self.batch) {
            let crop = |&region: &usize| {
                let pixels = self.cropper.pixels(&picture, &masks[region].decode())?;
                Some(Pending { image, region, pixels })
            };
            let cropped: Vec<Pending> = part.par_iter().filter_map(crop).collect();
            if let Some(last) = self.waiting.back_mut() {
                last.left += cropped.len();
                last.is_new |= !cropped.is_empty();
            }
            for pending in cropped {
                self.pending.push(pending);
                if self.pending.len() == self.batch {
                    self.run()?;
                }
            }
        }
        self.hand_back(&mut done)?;
        Ok(done)
    }

    /// Embeds the waiting regions and returns the remaining images.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn finish(mut self) -> Result<Vec<(ImageRegions<T>, Rows)>, SegmentError> {
        self.run()?;
        let mut done = Vec::new();
        self.hand_back(&mut done)?;
        Ok(done)
    }

    /// Embeds the waiting regions.
    fn run(&mut self) -> Result<(), SegmentError> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(());
        }
        let side = self.model.config().vision.image_size;
        let shape = [pending.len(), 3, side, side];
        let mut pixels = Vec::with_capacity(shape.iter().product());
        pending.iter().for_each(|pending| pixels.extend_from_slice(&pending.pixels));
        let device = self.model.device();
        let pixels = Tensor::<4>::from_data(TensorData::new(pixels, shape), &device);
        let rows = Embeddings::from_tensor(self.model.embed_images(pixels));
        for (pending, row) in pending.iter().zip(rows.rows()) {
            let waiting = &mut self.waiting[pending.image - self.done];
            if row.iter().any(|value| !value.is_finite()) {
                let what = format!("a region of {}", waiting.regions.name);
                return Err(EmbedError::NotFinite { what }.into());
            }
            waiting.rows[pending.region] = Some(row.to_vec());
            waiting.left -= 1;
        }
        Ok(())
    }

    fn hand_back(&mut self, done: &mut Vec<(ImageRegions<T>, Rows)>) -> Result<(), SegmentError> {
        while self.waiting.front().is_some_and(|waiting| waiting.left == 0) {
            let Some(Waiting { regions, rows, is_new, .. }) = self.waiting.pop_front() else { break };
            self.done += 1;
            if let (Some(cache), Some(key), true) = (self.cache, &regions.key, is_new) {
                cache.write(key, &regions.masks, &rows)?;
            }
            done.push((regions, rows));
        }
        Ok(())
    }
}

/// Runs all images through an embedder and passes them on, in order, as they are done; skipped images are left out.
///
/// # Errors
/// Those of the images, of the embedder and of `take`.
pub fn embed_all<T>(
    mut embedder: RegionEmbedder<'_, T>,
    images: Prefetch<Option<ImageRegions<T>>, SegmentError>,
    take: &mut dyn FnMut(ImageRegions<T>, Rows) -> Result<(), SegmentError>,
) -> Result<(), SegmentError> {
    for image in images {
        let image = image.map_err(|error| match error {
            PrefetchError::Work(error) => error,
            PrefetchError::Panicked { message } => EmbedError::Worker { message }.into(),
        })?;
        if let Some(image) = image {
            for (regions, rows) in embedder.push(image)? {
                take(regions, rows)?;
            }
        }
    }
    for (regions, rows) in embedder.finish()? {
        take(regions, rows)?;
    }
    Ok(())
}
