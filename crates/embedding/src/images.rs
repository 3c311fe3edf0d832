//! Embedding of images, decoded by worker threads ahead of the device.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use radapter_clip::model::Encoder;
use radapter_datasets::on_error::Skipped;
use radapter_datasets::prefetch::{Ahead, Prefetch, PrefetchError};
use radapter_datasets::{OnDamage, OnError, Sample, Shift, SkipReport};
use radapter_images::{DecodeLimits, DecodeMode, DecodeOptions, ImageError, ImageSource, PixelCache, RgbImage, crop};

use super::{EmbedError, Embeddings};

/// An image to embed.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the type is documented")]
pub struct Image {
    /// Name in errors and in the skip report.
    pub name: String,
    pub source: ImageSource,
}

impl From<&Sample> for Image {
    fn from(sample: &Sample) -> Self {
        Self { name: sample.name.clone(), source: sample.source.clone() }
    }
}

/// Options of [`embed_images`].
#[derive(Clone, Debug)]
pub struct EmbedOptions {
    /// Images in a forward pass.
    pub batch: usize,
    /// Threads that decode and preprocess ahead of the device.
    pub threads: usize,
    /// Whether an image that cannot be read is an error or is skipped.
    pub on_error: OnError,
    /// Whether a damaged JPEG that libjpeg can decode counts as unreadable.
    pub on_damage: OnDamage,
    /// Limits that guard against decompression bombs.
    pub limits: DecodeLimits,
    /// Pixels to trim from each side of an image before preprocessing, for data sets whose images have a frame. An image too
    /// small to trim is taken whole.
    pub trim: u32,
    /// The size at which JPEGs are decoded; always exact where images are trimmed.
    pub decoding: DecodeMode,
    /// The round of [`Shift::of`] by which the images are changed after they are resized, to measure how a model bears it.
    pub shift: Option<usize>,
    /// A cache of preprocessed images.
    pub pixel_cache: Option<PixelCache>,
}

impl Default for EmbedOptions {
    /// Batches of 32, a thread for each processor (at most 8), exact decoding; an unreadable image is an error.
    fn default() -> Self {
        Self {
            batch: 32,
            threads: std::thread::available_parallelism().map_or(1, |count| count.get().min(8)),
            on_error: OnError::Fail,
            on_damage: OnDamage::Refuse,
            limits: DecodeLimits::default(),
            trim: 0,
            decoding: DecodeMode::Exact,
            shift: None,
            pixel_cache: None,
        }
    }
}

/// Embeddings of the images that could be read.
#[derive(Clone, Debug)]
pub struct EmbeddedImages {
    /// An L2-normalised row for each image that was read.
    pub embeddings: Embeddings,
    /// The position of each row among the images given.
    pub kept: Vec<usize>,
    /// The images that were skipped, sorted by name; empty under [`OnError::Fail`].
    pub skipped: Vec<Skipped>,
}

/// Embeds images, decoded by several threads ahead of the device in bounded memory. The rows are in the images' order.
///
/// `progress` is called after every batch with the number of images done.
///
/// # Shapes
/// `n` images → `n` rows of `embed_dim`, fewer where images are skipped
///
/// # Errors
/// [`EmbedError::Image`] for an image that cannot be read, under [`OnError::Fail`]; [`EmbedError::NotFinite`] if an
/// embedding is not finite.
pub fn embed_images(
    model: &dyn Encoder,
    images: &[Image],
    options: &EmbedOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<EmbeddedImages, EmbedError> {
    let EmbedOptions { threads, batch, .. } = options;
    tracing::debug!("embedding {} images: {threads} threads decode, batches of {batch}", images.len());
    let report = SkipReport::default();
    let pixels = preprocessed(model, images, options, &report);
    let mut batch = Batch::new(model, options.batch.max(1));
    let mut values = Vec::with_capacity(images.len() * model.config().embed_dim);
    let mut kept = Vec::with_capacity(images.len());
    for (position, pixels) in pixels.enumerate() {
        match pixels {
            Ok(Some(pixels)) => {
                kept.push(position);
                batch.push(pixels);
            }
            Ok(None) => {}
            Err(PrefetchError::Work(error)) => return Err(EmbedError::Image(error)),
            Err(PrefetchError::Panicked { message }) => return Err(EmbedError::Worker { message }),
        }
        if batch.is_full() || position + 1 == images.len() {
            batch.embed_into(&mut values);
            progress(position + 1);
        }
    }
    let embeddings = Embeddings::new(model.config().embed_dim, values);
    for (row, &position) in embeddings.rows().zip(&kept) {
        if row.iter().any(|value| !value.is_finite()) {
            let what = format!("image {}", images[position].name);
            return Err(EmbedError::NotFinite { what });
        }
    }
    Ok(EmbeddedImages { embeddings, kept, skipped: report.entries() })
}

/// The preprocessed pixels of the images, in order; `None` for an image that is skipped.
fn preprocessed(
    model: &dyn Encoder,
    images: &[Image],
    options: &EmbedOptions,
    report: &SkipReport,
) -> Prefetch<Option<Vec<f32>>, ImageError> {
    let preprocess = model.config().preprocessor();
    let EmbedOptions { limits, on_error, on_damage, trim, shift, .. } = *options;
    let pixel_cache = options.pixel_cache.clone();
    let decoding = if trim == 0 { options.decoding } else { DecodeMode::Exact };
    let decode = DecodeOptions { limits, shorter_side: decoding.shorter_side(preprocess.image_size(), 1.0) };
    let stage = format!("{decoding}, {trim} cut off, {}", preprocess.stage());
    let report = report.clone();
    let ahead = Ahead {
        threads: options.threads,
        // The batch that is being filled, and the next.
        jobs: 2 * options.batch.max(1),
    };
    let images: Vec<(usize, Image)> = images.iter().cloned().enumerate().collect();
    Prefetch::new(images, ahead, move |(index, image): (usize, Image)| {
        let resize = |image| Arc::new(preprocess.resize_and_crop(&trimmed(image, trim)));
        let resized = || image.source.load(&decode).map(resize);
        let resized = match &pixel_cache {
            Some(cache) => cache.get_or(&image.source, &stage, resized),
            None => resized(),
        };
        let resized = on_damage.recover(&image.name, resized, &report, resize);
        let pixels = resized.map(|resized| match shift {
            Some(round) => preprocess.normalize(&Shift::of(index, round).apply(&resized, &image.name)),
            None => preprocess.normalize(&resized),
        });
        on_error.settle(&image.name, pixels, &report)
    })
}

/// An image without `trim` pixels at each side; the image itself if nothing would be left.
fn trimmed(image: Arc<RgbImage>, trim: u32) -> Arc<RgbImage> {
    let (width, height) = image.dimensions();
    if trim == 0 || width <= 2 * trim || height <= 2 * trim {
        return image;
    }
    Arc::new(crop(&image, trim.into(), trim.into(), width - 2 * trim, height - 2 * trim))
}

/// Images that wait to be embedded together.
struct Batch<'a> {
    model: &'a dyn Encoder,
    size: usize,
    pixels: Vec<f32>,
    count: usize,
}

impl<'a> Batch<'a> {
    fn new(model: &'a dyn Encoder, size: usize) -> Self {
        Self { model, size, pixels: Vec::new(), count: 0 }
    }

    fn push(&mut self, pixels: Vec<f32>) {
        self.pixels.extend(pixels);
        self.count += 1;
    }

    fn is_full(&self) -> bool {
        self.count == self.size
    }

    /// Embeds the waiting images, if there are any.
    fn embed_into(&mut self, values: &mut Vec<f32>) {
        if self.count == 0 {
            return;
        }
        let side = self.model.config().vision.image_size;
        let shape = [self.count, 3, side, side];
        let device = self.model.device();
        let pixels = TensorData::new(std::mem::take(&mut self.pixels), shape);
        let pixels = Tensor::<4>::from_data(pixels, &device);
        let rows = self.model.embed_images(pixels);
        values.extend_from_slice(Embeddings::from_tensor(rows).values());
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_is_cut_off() {
        let image = Arc::new(RgbImage::from_fn(7, 6, |x, y| image::Rgb([x as u8, y as u8, 0])));
        let inner = trimmed(Arc::clone(&image), 2);
        assert_eq!((inner.dimensions(), inner.get_pixel(0, 0).0), ((3, 2), [2, 2, 0]));
        assert_eq!(trimmed(Arc::clone(&image), 3), image);
    }
}
